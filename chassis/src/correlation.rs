//! The ids by which what belongs to one request is found again.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use uuid::Uuid;

use crate::ids::IdSource;

/// The header with the request's id, in requests and answers.
pub const REQUEST_ID: &str = "x-request-id";

/// The longest request id that is taken over, in characters.
const REQUEST_ID_LIMIT: usize = 128;

/// What goes into the metadata of everything that this request makes happen: the request's id where that is a
/// UUID, else a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correlation(pub Uuid);

/// The id that a request is logged and answered under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) String);

/// Takes over the request's id if it is one harmless word, else makes one; correlation is the same id if it can be.
pub(crate) fn of_request(headers: &HeaderMap, ids: &dyn IdSource) -> (RequestId, Correlation) {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| is_harmless(text));
    let correlation = given.and_then(|text| Uuid::try_parse(text).ok()).unwrap_or_else(|| ids.event_id());
    let request_id = given.map_or_else(|| correlation.to_string(), str::to_owned);
    (RequestId(request_id), Correlation(correlation))
}

fn is_harmless(text: &str) -> bool {
    (1..=REQUEST_ID_LIMIT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

impl<S: Send + Sync> FromRequestParts<S> for Correlation {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // Without the layer that decided it, for instance in a test of one route, every request stands alone.
        Ok(parts.extensions.get().copied().unwrap_or_else(|| Self(uuid::Builder::from_random_bytes(rand::random()).into_uuid())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::clock::ManualClock;
    use crate::ids::SeededIds;

    fn of(header: Option<&str>) -> (String, Uuid) {
        let mut headers = HeaderMap::new();
        if let Some(text) = header {
            headers.insert(REQUEST_ID, text.parse().unwrap());
        }
        let ids = SeededIds::new(1, Arc::new(ManualClock::new(DateTime::UNIX_EPOCH)));
        let (RequestId(request_id), Correlation(correlation)) = of_request(&headers, &ids);
        (request_id, correlation)
    }

    #[test]
    fn a_request_with_a_uuid_is_correlated_by_it() {
        let given = "0190c9a2-7b1e-7cc3-98c4-dc0c0c07398f";
        assert_eq!(of(Some(given)), (given.to_owned(), given.parse().unwrap()));
    }

    #[test]
    fn another_id_is_kept_beside_a_new_correlation() {
        let (request_id, correlation) = of(Some("front-end:42"));
        assert_eq!((request_id.as_str(), correlation.get_version_num()), ("front-end:42", 7));
    }

    #[test]
    fn an_id_that_could_confuse_a_log_is_replaced() {
        for given in [None, Some(""), Some("a b"), Some("a\"b"), Some(&*"x".repeat(129))] {
            let (request_id, correlation) = of(given);
            assert_eq!(request_id, correlation.to_string(), "{given:?}");
        }
    }

    #[tokio::test]
    async fn without_the_layer_every_request_stands_alone() {
        let correlation = || async {
            let mut parts = http::Request::new(()).into_parts().0;
            Correlation::from_request_parts(&mut parts, &()).await.unwrap()
        };
        assert_ne!(correlation().await, correlation().await);
    }
}
