use std::fmt;

use async_trait::async_trait;
use chrono::TimeDelta;
use event_store::{Position, RecordedEvent, StoreFailure};

use crate::Lag;

mod decode;
mod log;
mod memory;

pub(crate) use decode::decode;
pub use log::LogMessageFeed;
pub use memory::{MemoryBroker, MemoryMessageFeed};

/// Into how many parts the subjects are divided. All events of one order are in one of them.
pub const PARTS: u8 = 16;

/// One of the [`PARTS`]: the last word of a subject, for instance `p07`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(u8);

impl Part {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTS).map(Self)
    }

    /// The part with this number; `None` from [`PARTS`] on.
    pub fn new(number: u8) -> Option<Self> {
        (number < PARTS).then_some(Self(number))
    }

    /// The part that a subject names by its last word; `None` where it names none.
    pub fn of_subject(subject: &str) -> Option<Self> {
        let number = subject.rsplit('.').next()?.strip_prefix('p')?;
        (number.len() == 2).then(|| number.parse().ok().and_then(Self::new)).flatten()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}

/// Which messages a consumer wants of each part: events of one type, of one order type or of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectFilter {
    /// The aggregate, for instance `pay_record`.
    pub aggregate: &'static str,
    /// The event's stored name.
    pub event_type: &'static str,
    /// The order type; `None` for any.
    pub order_type: Option<&'static str>,
}

impl SubjectFilter {
    /// The filter as a subject of one part, for instance `paystream.v1.pay_record.PaymentConfirmed.*.p07`.
    pub fn subject(&self, part: Part) -> String {
        let Self { aggregate, event_type, order_type } = self;
        format!("paystream.v1.{aggregate}.{event_type}.{}.{part}", order_type.unwrap_or("*"))
    }

    /// Whether a message of this subject is wanted, whatever its part.
    pub fn admits(&self, subject: &str) -> bool {
        let mut words = subject.split('.').skip(2);
        words.next() == Some(self.aggregate)
            && words.next() == Some(self.event_type)
            && words.next().is_some_and(|word| self.order_type.is_none_or(|wanted| wanted == word))
    }
}

/// An event as a consumer gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The event. Of its metadata a broker tells nothing.
    pub event: RecordedEvent,
    /// Its place on its subject; `None` where it comes from the log, which is itself in order.
    pub link: Option<Link>,
    /// How often it was delivered, this time included.
    pub deliveries: u64,
    /// By what it is acknowledged; it means something to its own feed only.
    pub receipt: u64,
}

/// The place of a message on its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The whole subject.
    pub subject: String,
    /// The log position of the message before it on this subject; `None` for the first.
    pub previous: Option<Position>,
}

/// What a feed gave at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The messages. From a broker they may come again, and after that in another order.
    pub messages: Vec<Message>,
    /// Up to where the log was read; `None` where messages come from a broker and each is acknowledged.
    pub reached: Option<Position>,
    /// Whether nothing lay behind them.
    pub caught_up: bool,
    /// How many events were of a type that nobody here knows.
    pub unknown: u64,
}

/// Where a consumer's messages come from: the log, or a broker that was filled from it.
#[async_trait]
pub trait MessageFeed: Send + Sync {
    /// The part that it brings; `None` where it brings all.
    fn part(&self) -> Option<Part>;

    /// The next messages, at most `limit`. From the log these are the ones after `after`; a broker knows by itself what it
    /// has delivered, and may let the caller wait a little for the first.
    async fn batch(&self, after: Position, limit: usize) -> Result<Batch, MessageFeedError>;

    /// Acknowledges messages whose effect is durable: they do not come again, unless this is lost.
    async fn ack(&self, receipts: &[u64]) -> Result<(), MessageFeedError>;

    /// Lets a message come again after a while.
    async fn nak(&self, receipt: u64, delay: TimeDelta) -> Result<(), MessageFeedError>;

    /// How much lies after `after`.
    async fn lag(&self, after: Position) -> Result<Lag, MessageFeedError>;
}

/// Why a feed gave no messages or took no acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum MessageFeedError {
    /// The log or the broker did not answer.
    #[error("messages cannot be read")]
    Unavailable(#[source] StoreFailure),
    /// A message is not one of ours.
    #[error("a message of the subject {subject} is not one that the relay writes: {reason}")]
    Foreign {
        /// Its subject.
        subject: String,
        /// What it lacks.
        reason: &'static str,
    },
}
