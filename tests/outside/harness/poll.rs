//! Waiting for what must come, and no longer than a deadline.

use std::time::{Duration, Instant};

/// How long anything may take to come. Generous, because the machine may be building beside the test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How long is waited before what failed is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Tries until `attempt` succeeds; fails the test with the last reason once [`DEADLINE`] has passed.
pub(crate) async fn eventually<T>(what: &str, attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(DEADLINE, what, attempt).await
}

/// As [`eventually`], with its own deadline.
pub(crate) async fn within<T>(deadline: Duration, what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(reason) => assert!(started.elapsed() < deadline, "after {deadline:?} still not so: {what}; last: {reason}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
