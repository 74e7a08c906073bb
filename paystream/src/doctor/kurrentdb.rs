//! The log in KurrentDB: whether the server answers, leads, and is one that this was written for.

use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::problem::Chain;
use event_store::{KurrentDbEventStore, KurrentDbUrl, LogUrl, StoreFailure};

use super::Finding;
use crate::settings::Settings;
use crate::variables;

/// The oldest version whose protocol was read for this adapter.
const OLDEST: (u32, u32) = (24, 10);

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let LogUrl::KurrentDb(url) = &settings.event_store else { return Vec::new() };
    let clock = SystemClock::default();
    let store = match KurrentDbEventStore::open(url, Arc::new(move || clock.now())).await {
        Ok(store) => store,
        Err(error) => return vec![wrong(url, &Chain(&error).to_string())],
    };
    let mut findings = Vec::new();
    match store.server_version().await {
        Ok(version) if is_older(&version) => {
            let said = format!("its version is {version}; this was written for {}.{} and newer", OLDEST.0, OLDEST.1);
            findings.push(Finding::note(variables::EVENT_STORE, said));
        }
        Ok(_) => {}
        Err(error) => findings.push(failed(url, &error)),
    }
    if let Err(error) = store.ping().await {
        findings.push(failed(url, &error));
    }
    store.shutdown().await;
    findings
}

fn failed(url: &KurrentDbUrl, error: &StoreFailure) -> Finding {
    wrong(url, &Chain(&**error).to_string())
}

fn wrong(url: &KurrentDbUrl, said: &str) -> Finding {
    Finding::wrong(variables::EVENT_STORE, format!("{url}: {said}"))
}

/// A server that does not say its version is an old one.
fn is_older(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for old in ["0.0.0", "5.0.11", "23.10.2", "24.6.0", ""] {
            assert!(is_older(old), "{old}");
        }
        for new in ["24.10.0", "25.0.1", "26.1", "100.0.0"] {
            assert!(!is_older(new), "{new}");
        }
    }
}
