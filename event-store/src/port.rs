use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

/// The name of a stream, for instance `order-7231…`: visible ASCII, at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(String);

impl StreamId {
    /// The most characters that a stream's name has.
    pub const MAX_LEN: usize = 200;

    /// Reads a stream's name; `None` unless it is 1 to [`Self::MAX_LEN`] visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        valid.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the whole log. Opaque: it rises strictly in the order that readers see, and nothing else is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(i64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position with this number; `None` below zero.
    pub fn new(number: i64) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    /// The number, for storing and for showing.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// So much further down, or [`Self::START`], in a log that numbers its events one by one.
    pub(crate) fn less(self, span: u64) -> Self {
        Self(self.0.saturating_sub_unsigned(span).max(0))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the writer believes of the stream. There is no "any": whoever writes has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedRevision {
    /// The stream has no event.
    NoStream,
    /// The stream's last event has this revision; the first event's is 0.
    Exactly(u64),
}

impl ExpectedRevision {
    /// The revision that the first event appended under this expectation gets.
    pub fn first_revision(self) -> u64 {
        match self {
            Self::NoStream => 0,
            Self::Exactly(revision) => revision.saturating_add(1),
        }
    }
}

/// What is known of an event beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The same for everything that one request from outside led to.
    pub correlation_id: Uuid,
    /// The event that caused this one, if one did.
    pub causation_id: Option<Uuid>,
    /// Who did it, for instance `buyer:alice`, `channel:alipay`, `process:…`.
    pub actor: String,
    /// Which part of the system wrote it, for instance `command-api`.
    pub source: String,
}

/// An event to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// UUIDv7, or v5 from its cause. It names the event for ever and makes a repeated append recognisable.
    pub event_id: Uuid,
    /// The stored name, for instance `OrderCreated`.
    pub event_type: String,
    /// The number of the stored shape, from 1.
    pub schema_version: u16,
    /// The exact JSON text. It is stored and read back byte for byte.
    pub data: String,
    /// See [`Metadata`].
    pub metadata: Metadata,
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Place in the whole log.
    pub position: Position,
    /// The stream that it belongs to.
    pub stream_id: StreamId,
    /// Number within the stream, from 0.
    pub revision: u64,
    /// See [`NewEvent::event_id`].
    pub event_id: Uuid,
    /// The stored name.
    pub event_type: String,
    /// The number of the stored shape.
    pub schema_version: u16,
    /// When the log took it, UTC, whole microseconds.
    pub recorded_at: DateTime<Utc>,
    /// The exact JSON text.
    pub data: String,
    /// See [`Metadata`].
    pub metadata: Metadata,
}

/// What an append did, or had done when it is a repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The revision of the last event appended.
    pub last_revision: u64,
    /// The position of each event, in order.
    pub positions: Vec<Position>,
    /// When the log took them.
    pub recorded_at: DateTime<Utc>,
    /// Whether these very events stood there already: this append is a repeat, of the caller's own or of somebody's who
    /// derives the same ids.
    pub is_repeat: bool,
}

impl Appended {
    /// The position of the last event appended.
    pub fn last_position(&self) -> Position {
        self.positions.last().copied().unwrap_or_default()
    }
}

/// Why an append was not done, or is not known to be done.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream is elsewhere than expected; nothing was written.
    #[error("{stream_id} is at another revision than expected")]
    Conflict {
        /// The stream.
        stream_id: StreamId,
        /// Its last revision; `None` where it has no event.
        actual: Option<u64>,
    },
    /// The queue before the writer is full; nothing was written. Ask again a little later.
    #[error("the log's queue is full")]
    Busy,
    /// The append cannot be written as it is (no events, an event id that another event has); nothing was written.
    #[error("the append is not valid: {0}")]
    Invalid(&'static str),
    /// Nobody knows whether it was written. Repeat the identical append before deciding anew.
    #[error("it is not known whether the append was written")]
    Unknown(#[source] StoreFailure),
    /// The log could not be reached, or refused to write; nothing was written.
    #[error("the log cannot be written")]
    Unavailable(#[source] StoreFailure),
}

/// Why a read did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log could not be reached or could not be read.
    #[error("the log cannot be read")]
    Unavailable(#[source] StoreFailure),
    /// What is stored is not what was written.
    #[error("the log is damaged at position {position}: {reason}")]
    Damaged {
        /// Where.
        position: i64,
        /// What is wrong there.
        reason: &'static str,
    },
}

/// The failure beneath, kept for the log and never shown to a client.
pub type StoreFailure = Box<dyn std::error::Error + Send + Sync>;

/// Which events to read; what is not said is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Events of this stream only.
    pub stream_id: Option<StreamId>,
    /// Events of these stored names only; all where it is empty.
    pub event_types: Vec<String>,
    /// Events that the log took at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Events that the log took before this time.
    pub until: Option<DateTime<Utc>>,
    /// Events up to this position, itself included.
    pub up_to: Option<Position>,
}

impl EventFilter {
    /// Whether `event` is asked for.
    pub fn admits(&self, event: &RecordedEvent) -> bool {
        self.stream_id.as_ref().is_none_or(|stream_id| *stream_id == event.stream_id)
            && (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
            && self.from.is_none_or(|from| event.recorded_at >= from)
            && self.until.is_none_or(|until| event.recorded_at < until)
            && self.up_to.is_none_or(|up_to| event.position <= up_to)
    }
}

/// How many events a filtered read looks through at a time where the adapter knows no better way.
pub(crate) const FILTER_PAGE: usize = 1000;

/// Looks through the log page by page for what `filter` admits.
pub(crate) async fn scan<L: LogReader + ?Sized>(
    log: &L,
    after: Position,
    limit: usize,
    filter: &EventFilter,
) -> Result<Vec<RecordedEvent>, ReadError> {
    let mut found = Vec::new();
    let mut after = after;
    while found.len() < limit {
        let page = log.read_all(after, FILTER_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        found.extend(page.into_iter().filter(|event| filter.admits(event)));
        if filter.up_to.is_some_and(|up_to| after >= up_to) {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// The log for those who only read it. `Arc<dyn EventStore>` becomes `Arc<dyn LogReader>` by assignment.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// The stream's events from `from_revision` on, in order, at most `limit`. An unknown stream has none.
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;

    /// All events after `after`, in order, at most `limit`. What was once read past is never filled in later.
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;

    /// The events after `after` that `filter` admits, in order, at most `limit`.
    async fn read_all_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        scan(self, after, limit, filter).await
    }

    /// A place to begin to read at, `span` positions before `position` or at the log's beginning. `None` where positions cannot
    /// be reckoned with: there the log is read only from its beginning and from positions that it gave out.
    fn step_back(&self, _position: Position, _span: u64) -> Option<Position> {
        None
    }

    /// The position of the last event that a reader sees.
    async fn head(&self) -> Result<Position, ReadError>;

    /// Wakes followers: holds the highest position heard of. A hint, which may lag; followers poll behind it.
    ///
    /// What the receiver's `borrow` answers is a lock: copy the position out of it before the next await.
    fn appended(&self) -> watch::Receiver<Position>;
}

/// The log.
///
/// Futures may be dropped at any await: an append that was handed in is then written or not, as if its process had died.
#[async_trait]
pub trait EventStore: LogReader {
    /// Appends `events` (at least one) to one stream, all or none, and answers only when they are durable.
    ///
    /// A repeat (same stream, same expectation, same event ids) answers the first result again.
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError>;
}
