//! Messages that could not be taken, and later ones of the same stream, which wait behind them.
//!
//! The first time that a message cannot be taken it is written down here, with the mark that says that it was dealt with, and
//! the consumer goes on with other orders. It is tried again after growing waits, and after some tries it is parked until an
//! operator acts. Whatever comes later of the same stream is written down behind it, and is taken in order when it is out of
//! the way: so a refund never overtakes its payment.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Metadata, Position, RecordedEvent};
use uuid::Uuid;

mod book;
mod desk;
mod memory;
mod port;
mod row;
mod sql;

pub use book::{Asked, BookChange, Mark, ParkedChange, Standing, TURNS_OF};
pub use desk::{ParkingDesk, ParkingDeskError};
pub use memory::MemoryBook;
pub use port::{MemoryParking, ParkedMessages};
pub use sql::SqlBook;

/// How often a message is tried, and when again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    waits: Vec<TimeDelta>,
}

impl Patience {
    /// Tries once more after each of these waits, and then no more.
    pub fn new(waits: Vec<TimeDelta>) -> Self {
        Self { waits }
    }

    /// The wait after so many tries; `None` where it is not tried again by itself.
    pub(crate) fn after(&self, tries: u32) -> Option<TimeDelta> {
        self.waits.get(usize::try_from(tries.checked_sub(1)?).ok()?).copied()
    }
}

impl Default for Patience {
    /// After 1 s, 5 s, 30 s, 2 min and 5 min: six tries. What is only early has come by then, also where it was lost with three
    /// processes one after the other and a broker keeps it back ([`crate::ACK_WAITS`]); and other orders do not wait.
    fn default() -> Self {
        Self::new([1, 5, 30, 120, 300].map(TimeDelta::seconds).to_vec())
    }
}

/// How a parked message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedState {
    /// It is tried again by itself.
    Waiting,
    /// It was tried often enough: an operator re-drives it or skips it.
    Parked,
    /// It waits for an earlier one of its stream.
    Behind,
    /// An operator has passed it over for good.
    Skipped,
}

impl ParkedState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Parked, Self::Behind, Self::Skipped];

    /// Its word, for instance `parked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Behind => "behind",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for ParkedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word names no state of a parked message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is none of waiting, parked, behind and skipped")]
pub struct UnknownParkedState(String);

impl FromStr for ParkedState {
    type Err = UnknownParkedState;

    fn from_str(word: &str) -> Result<Self, UnknownParkedState> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| UnknownParkedState(word.to_owned()))
    }
}

/// A message that waits, is parked or was skipped: a row of `parked_message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedMessage {
    /// The consumer's name and the event's position, for instance `points-1234`.
    pub parked_id: String,
    /// The consumer's name.
    pub consumer: String,
    /// The part that it came by; absent where it came from the log.
    pub part: Option<String>,
    /// How it stands.
    pub state: ParkedState,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was not taken, or what it waits behind.
    pub reason: String,
    /// Why an operator passed it over.
    pub skip_reason: Option<String>,
    /// When it is tried again by itself.
    pub retry_at: Option<DateTime<Utc>>,
    /// When it came here.
    pub parked_at: DateTime<Utc>,
    /// The event. Its metadata lies in the log only.
    pub event: RecordedEvent,
}

impl ParkedMessage {
    /// Its number.
    pub fn id_of(consumer: &str, position: Position) -> String {
        format!("{consumer}-{position}")
    }

    /// A message of `consumer` that an operator has skipped, with its event as the log has it.
    pub fn skipped(consumer: &str, event: RecordedEvent, skip_reason: &str, parked_at: DateTime<Utc>) -> Self {
        Self {
            parked_id: Self::id_of(consumer, event.position),
            consumer: consumer.to_owned(),
            part: None,
            state: ParkedState::Skipped,
            tries: 0,
            reason: "an operator has skipped it".to_owned(),
            skip_reason: Some(skip_reason.to_owned()),
            retry_at: None,
            parked_at,
            event,
        }
    }

    /// What it waits in: the messages of one stream for one consumer.
    pub(crate) fn queue(&self) -> String {
        queue_of(&self.consumer, self.event.stream_id.as_str())
    }
}

/// What the messages of a stream wait in before a consumer.
pub(crate) fn queue_of(consumer: &str, stream_id: &str) -> String {
    format!("{consumer} {stream_id}")
}

/// The metadata of an event of which only its own content is known.
pub(crate) fn untold_metadata() -> Metadata {
    Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: String::new(), source: String::new() }
}
