use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_store::Position;
use uuid::Uuid;

use super::{ParkedMessage, ParkedState};
use crate::Checkpoint;

/// What a consumer wants to know before it takes a batch.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The consumer's name, which its parked messages bear.
    pub consumer: &'static str,
    /// The name under which operators skip messages: the same, but for a rebuild.
    pub skipped_for: &'static str,
    /// The subjects of the batch.
    pub subjects: BTreeSet<String>,
    /// The streams of the batch.
    pub streams: BTreeSet<String>,
    /// Whose waiting messages are to be tried: those of one part, or all.
    pub part: Option<String>,
    /// Waiting messages whose time has come by now are to be tried.
    pub now: DateTime<Utc>,
    /// How many queues are tried again at once.
    pub most_due: u32,
}

/// Where a consumer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last message of each subject that was dealt with.
    pub marks: BTreeMap<String, Position>,
    /// What waits, by stream and in the order of the log: of the streams asked for, and of those where a message is due.
    pub queues: BTreeMap<String, Vec<ParkedMessage>>,
    /// The streams where a message is due.
    pub due: Vec<String>,
    /// The events of the streams asked for that an operator has skipped.
    pub skipped: BTreeSet<Uuid>,
    /// How many messages are kept, skipped ones included.
    pub kept: u64,
}

/// How the name of a part's mark begins, which counts the part's writes and is no position; then comes the part.
pub const TURNS_OF: &str = "turns of";

/// A step of a consumer on a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The subject.
    pub subject: String,
    /// Where it stood.
    pub from: Option<Position>,
    /// Where it stands now.
    pub to: Position,
}

/// What becomes of a parked message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParkedChange {
    /// It comes here.
    Park(Box<ParkedMessage>),
    /// It was tried in vain, or the one before it is out of the way.
    Change {
        /// As it was.
        before: (ParkedState, u32),
        /// As it is now.
        after: Box<ParkedMessage>,
    },
    /// It stands as it did: something came behind it, which nobody would take if it went away at the same time.
    Hold {
        /// Its number.
        parked_id: String,
        /// As it was.
        before: (ParkedState, u32),
    },
    /// Its effect has taken place.
    Release {
        /// Its number.
        parked_id: String,
        /// As it was.
        before: (ParkedState, u32),
    },
}

/// What a consumer writes beside its tables, all or nothing with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookChange {
    /// The consumer's name.
    pub consumer: &'static str,
    /// Where it stood. Of another generation nothing is written: a rebuild has replaced the tables.
    pub from: Checkpoint,
    /// Up to where the log was dealt with; absent where the messages are a broker's.
    pub to: Option<Position>,
    /// The subjects on which it went on.
    pub marks: Vec<Mark>,
    /// What became of parked messages.
    pub parked: Vec<ParkedChange>,
}

impl BookChange {
    /// Nothing as yet.
    pub fn new(consumer: &'static str, from: Checkpoint) -> Self {
        Self { consumer, from, to: None, marks: Vec::new(), parked: Vec::new() }
    }

    /// Whether there is nothing to be written.
    pub fn is_empty(&self) -> bool {
        self.to.is_none_or(|to| to == self.from.position) && self.marks.is_empty() && self.parked.is_empty()
    }
}
