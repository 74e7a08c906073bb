use domain::stored::StoredFormError;
use event_store::ReadError;
use event_store::lineage::LineageError;
use uuid::Uuid;

use super::broker::BrokerError;
use crate::FollowerError;

/// Why the relay published nothing more. It looks anew after a wait; what only an operator mends says so.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The broker did not do it.
    #[error("the broker did not take the events")]
    Broker(#[from] BrokerError),
    /// The log was not read.
    #[error("the log cannot be read")]
    Log(#[from] ReadError),
    /// The log's lineage is not known.
    #[error("the log's lineage is not known")]
    Lineage(#[from] LineageError),
    /// The log has no lineage yet; whoever opens it makes one.
    #[error("the log has no lineage yet")]
    NoLineage,
    /// The stream was filled from another log, or from this one before it was restored.
    #[error(
        "the stream's last message (sequence {sequence}) is of lineage {found}, and this log is {ours}: another log fills this stream, or \
         the log was restored and its lineage renewed. Nothing is published until the stream is deleted, and filled again, or the right log is given"
    )]
    ForeignLineage {
        /// The message's sequence number.
        sequence: u64,
        /// Its lineage.
        found: Uuid,
        /// The log's.
        ours: Uuid,
    },
    /// The stream holds an event that the log does not.
    #[error(
        "the stream's last message (sequence {sequence}) is of an event that this log does not have at position {position}: the log was \
         restored from an older copy. Nothing is published until `paystream lineage renew` was run and the stream deleted, which is then filled again"
    )]
    ForeignEvent {
        /// The message's sequence number.
        sequence: u64,
        /// The position that it tells.
        position: i64,
    },
    /// Somebody else publishes to the stream.
    #[error(
        "the stream's last message (sequence {sequence}) was not published by a relay. Nothing is published until the stream is deleted, and filled again"
    )]
    ForeignMessage {
        /// The message's sequence number.
        sequence: u64,
    },
    /// A newer version has written to the log; its own relay goes on from there.
    #[error("at position {position} lies {event_type}, which this version does not know: a newer version must publish from here on")]
    UnknownEvent {
        /// Its stored name.
        event_type: String,
        /// Its position.
        position: i64,
    },
    /// A stored form that this version cannot bring to what is published.
    #[error("the event at position {position} cannot be published")]
    Form {
        /// Its position.
        position: i64,
        /// Why.
        #[source]
        source: StoredFormError,
    },
}

impl RelayError {
    /// The word for it in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Broker(error) => error.word(),
            Self::Log(_) => "log",
            Self::Lineage(_) | Self::NoLineage => "lineage",
            Self::ForeignLineage { .. } | Self::ForeignEvent { .. } | Self::ForeignMessage { .. } => "foreign",
            Self::UnknownEvent { .. } | Self::Form { .. } => "form",
        }
    }

    /// Whether looking anew is all that there is to do.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Broker(BrokerError::Moved))
    }
}

impl From<RelayError> for FollowerError {
    fn from(error: RelayError) -> Self {
        if error.is_passing() { Self::Overtaken } else { Self::Work(Box::new(error)) }
    }
}
