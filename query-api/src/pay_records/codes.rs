use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use qr::QrOptions;

use crate::failure::QueryFailure;

/// How many drawn codes are kept, each one or two kilobytes.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

/// Codes drawn lately as `data:` URLs: clients that wait for a payment ask for the same one again and again.
#[derive(Debug)]
pub(crate) struct CodeCache {
    /// By pay number, with the content that was drawn: a code may be renewed under the same number.
    drawn: Mutex<LruCache<String, (String, Arc<str>)>>,
}

impl CodeCache {
    pub(crate) fn new() -> Self {
        Self { drawn: Mutex::new(LruCache::new(CAPACITY)) }
    }

    /// The code of a pay record as a PNG of the usual look.
    pub(super) fn data_url(&self, pay_no: &str, content: &str) -> Result<Arc<str>, QueryFailure> {
        if let Some(drawn) = self.known(pay_no, content) {
            return Ok(drawn);
        }
        let url: Arc<str> = qr::data_url(content, &QrOptions::default()).map_err(QueryFailure::Code)?.into();
        self.drawn().put(pay_no.to_owned(), (content.to_owned(), Arc::clone(&url)));
        Ok(url)
    }

    fn known(&self, pay_no: &str, content: &str) -> Option<Arc<str>> {
        self.drawn().get(pay_no).filter(|(drawn, _)| drawn == content).map(|(_, url)| Arc::clone(url))
    }

    fn drawn(&self) -> std::sync::MutexGuard<'_, LruCache<String, (String, Arc<str>)>> {
        // A panic elsewhere cannot leave the cache in a state that matters.
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_once_and_anew_when_its_content_changes() {
        let codes = CodeCache::new();
        let first = codes.data_url("7201", "https://qr.example/a").unwrap();
        assert!(Arc::ptr_eq(&first, &codes.data_url("7201", "https://qr.example/a").unwrap()));
        let renewed = codes.data_url("7201", "https://qr.example/b").unwrap();
        assert_ne!(first, renewed);
        assert!(Arc::ptr_eq(&renewed, &codes.data_url("7201", "https://qr.example/b").unwrap()));
    }

    #[test]
    fn the_oldest_codes_make_room() {
        let codes = CodeCache::new();
        for number in 0..CAPACITY.get() + 10 {
            codes.drawn().put(number.to_string(), (String::new(), "".into()));
        }
        assert_eq!(codes.drawn().len(), CAPACITY.get());
        assert!(codes.known("0", "").is_none() && codes.known("1030", "").is_some());
    }
}
