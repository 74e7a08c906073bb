//! The broker as the relay sees it.

use std::pin::Pin;

use async_trait::async_trait;
use event_store::StoreFailure;

use super::message::{Origin, Outgoing};
use crate::nats::{OLDEST_NATS, ServerVersion};

/// A stream of messages that can be appended to under an expectation.
///
/// Futures may be dropped at any await: a message that was handed in is then stored or not.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Makes the stream where there is none, and compares it with its declaration where there is one.
    async fn ensure_stream(&self) -> Result<(), BrokerError>;

    /// The stream's end, as its leader knows it.
    async fn tail(&self) -> Result<Tail, BrokerError>;

    /// How far the stream reaches, which costs less than [`Self::tail`].
    async fn extent(&self) -> Result<Extent, BrokerError>;

    /// Hands a message in, which is stored only if the stream's last sequence number is `expected_last_sequence`. Messages
    /// arrive in the order in which they are handed in.
    async fn publish(&self, message: Outgoing, expected_last_sequence: u64) -> Result<Acknowledgement, BrokerError>;
}

/// What the broker will say of a message that was handed in.
pub type Acknowledgement = Pin<Box<dyn Future<Output = Result<Ack, BrokerError>> + Send>>;

/// A message was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Under this sequence number.
    pub sequence: u64,
    /// Whether the broker holds it for a repeat, and did not store it.
    pub is_duplicate: bool,
}

/// How far a stream reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The sequence number of the last message, which is there or was; 0 where there never was one. It is what the next
    /// message must expect.
    pub last_sequence: u64,
    /// How many messages are there.
    pub messages: u64,
}

/// The end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// How far it reaches.
    pub extent: Extent,
    /// The last message that is there; `None` where the stream is empty.
    pub last: Option<TailMessage>,
}

/// The last message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailMessage {
    /// Its sequence number.
    pub sequence: u64,
    /// Where it comes from; `None` where it does not say so.
    pub origin: Option<Origin>,
}

/// Why the broker did not do it, or is not known to have done it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// There is no connection.
    #[error("there is no connection to NATS")]
    Absent,
    /// The server is one that loses messages.
    #[error("the nats-server is {0}; {OLDEST_NATS} or newer is needed")]
    TooOld(ServerVersion),
    /// No answer came in time; it may have been done.
    #[error("NATS gave no answer in time")]
    TimedOut,
    /// The stream is not there.
    #[error("the stream is not there")]
    NoStream,
    /// The stream's end is elsewhere: another relay publishes too, or the stream was changed.
    #[error("the stream's end is not where it was")]
    Moved,
    /// There is no room: the stream's, the account's or the disk's limit is reached.
    #[error("the broker is full: {0}")]
    Full(String),
    /// The message is larger than the server takes.
    #[error("a message is larger than the broker takes: {0}")]
    TooLarge(String),
    /// The server said no.
    #[error("the broker refused: {0}")]
    Refused(String),
    /// The stream is not as it is declared, and nothing is published to it.
    #[error("the stream is not as it must be: {}", .0.join("; "))]
    Differs(Vec<String>),
    /// The client failed.
    #[error("the connection to NATS failed")]
    Failed(#[source] StoreFailure),
}

impl BrokerError {
    /// The word for it in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::TooOld(_) => "too_old",
            Self::TimedOut => "timeout",
            Self::NoStream => "no_stream",
            Self::Moved => "moved",
            Self::Full(_) => "full",
            Self::TooLarge(_) => "too_large",
            Self::Refused(_) => "refused",
            Self::Differs(_) => "differs",
            Self::Failed(_) => "failed",
        }
    }
}
