use std::sync::{Mutex, PoisonError};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {detail}")]
pub(crate) struct Broken {
    /// What should hold.
    pub(crate) invariant: &'static str,
    /// What was found.
    pub(crate) detail: String,
}

impl Broken {
    pub(crate) fn new(invariant: &'static str, detail: impl Into<String>) -> Self {
        Self { invariant, detail: detail.into() }
    }
}

/// Fails with `invariant` unless `holds`.
pub(crate) fn check(holds: bool, invariant: &'static str, detail: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(invariant, detail())) }
}

/// Where ports say what they have seen and should not have.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Option<Broken>>);

impl Witness {
    /// The first that is said counts.
    pub(crate) fn report(&self, broken: Broken) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(broken);
    }

    /// What was said.
    pub(crate) fn heard(&self) -> Result<(), Broken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
