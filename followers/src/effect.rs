use async_trait::async_trait;
use domain::stored::StoredFormError;
use event_store::{Position, StoreFailure};

use crate::{Checkpoint, Page};

/// What a follower does with the events that it follows.
///
/// The effect and the checkpoint are one write: either both are durable or neither is. Events may come again; what they
/// did before they do not do twice. Futures may be dropped at any await.
#[async_trait]
pub trait Effect: Send + Sync {
    /// The follower's name: its checkpoint's, and the label of its metrics.
    fn name(&self) -> &'static str;

    /// How far it has come.
    async fn checkpoint(&self) -> Result<Checkpoint, EffectError>;

    /// Takes the effect of the page's events, in order, and moves the checkpoint from `from`.
    ///
    /// Where an event in the page cannot be taken, those before it are kept and the checkpoint stops before it; where it is
    /// the first, that is the error, [`EffectError::Undecodable`] or [`EffectError::Refused`].
    async fn apply(&self, from: Checkpoint, page: &Page) -> Result<Applied, EffectError>;
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The checkpoint now.
    pub checkpoint: Checkpoint,
    /// How many of the page's events it covers.
    pub events: usize,
}

/// Why a page has no effect.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// Another worker was faster, or a rebuild has replaced the tables.
    #[error("another worker has moved the checkpoint")]
    Overtaken,
    /// An event of a known type cannot be read.
    #[error("{event_type} at position {position} cannot be read")]
    Undecodable {
        /// Where it stands.
        position: Position,
        /// Its stored name.
        event_type: String,
        /// What the reader said.
        #[source]
        source: StoredFormError,
    },
    /// The effect of an event cannot take place, for instance because what it is about is not known.
    #[error("{event_type} at position {position} has no effect yet")]
    Refused {
        /// Where it stands.
        position: Position,
        /// Its stored name.
        event_type: String,
        /// Why.
        #[source]
        source: StoreFailure,
    },
    /// The tables could not be read or written.
    #[error("the follower's tables did not take the page")]
    Store(#[source] StoreFailure),
}
