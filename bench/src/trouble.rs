//! Why a benchmark has no result.

/// Any failure beneath.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// What was being done when it failed, and the failure. A benchmark decides nothing by it: it ends and says it.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub(crate) struct Trouble {
    doing: String,
    #[source]
    source: Option<Source>,
}

impl Trouble {
    /// A failure that has no cause beneath.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { doing: what.into(), source: None }
    }
}

/// Says what was being done.
pub(crate) trait Doing<T> {
    /// The result, or a [`Trouble`] with these words above its cause.
    fn doing(self, what: impl Into<String>) -> Result<T, Trouble>;
}

impl<T, E: Into<Source>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, Trouble> {
        self.map_err(|source| Trouble { doing: what.into(), source: Some(source.into()) })
    }
}
