use std::collections::{HashMap, HashSet};

use crate::port::RecordedEvent;

/// An event as far as its order is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Place in the whole log.
    pub position: i64,
    /// Its stream.
    pub stream_id: String,
    /// Number within the stream.
    pub revision: u64,
}

impl From<&RecordedEvent> for Seen {
    fn from(event: &RecordedEvent) -> Self {
        Self { position: event.position.as_i64(), stream_id: event.stream_id.as_str().to_owned(), revision: event.revision }
    }
}

/// How a log broke its order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// A reader was given this position although it had read as far or farther.
    #[error("position {position} came after {last}")]
    NotRising {
        /// The position given.
        position: i64,
        /// How far the reader had read.
        last: i64,
    },
    /// A stream's events came in another order than they have in the stream.
    #[error("revision {found} of {stream_id} came where {expected} was due")]
    RevisionOutOfOrder {
        /// The stream.
        stream_id: String,
        /// The revision due.
        expected: u64,
        /// The revision given.
        found: u64,
    },
    /// An event appeared at a place that a reader had already read past, so that this reader will never see it.
    #[error("position {position} appeared behind a reader")]
    Late {
        /// Its position.
        position: i64,
    },
    /// A reader was given an event that the log does not have.
    #[error("position {position} was read and is gone")]
    Gone {
        /// Its position.
        position: i64,
    },
}

/// Watches what one reader is given, page after page, while others write.
#[derive(Debug, Default)]
pub struct OrderChecker {
    last: i64,
    next_revisions: HashMap<String, u64>,
    positions: HashSet<i64>,
}

impl OrderChecker {
    /// Takes in a page. Errors: [`OrderFault::NotRising`], [`OrderFault::RevisionOutOfOrder`].
    pub fn observe(&mut self, page: impl IntoIterator<Item = Seen>) -> Result<(), OrderFault> {
        for seen in page {
            if seen.position <= self.last {
                return Err(OrderFault::NotRising { position: seen.position, last: self.last });
            }
            let next = self.next_revisions.entry(seen.stream_id.clone()).or_default();
            if seen.revision != *next {
                return Err(OrderFault::RevisionOutOfOrder { stream_id: seen.stream_id, expected: *next, found: seen.revision });
            }
            *next += 1;
            self.last = seen.position;
            self.positions.insert(seen.position);
        }
        Ok(())
    }

    /// How far the reader has read; the next page begins after it.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Compares what the reader was given with the whole log, read once all writers have ended.
    /// Errors: [`OrderFault::Late`], [`OrderFault::Gone`].
    pub fn finish(self, whole: impl IntoIterator<Item = Seen>) -> Result<(), OrderFault> {
        let whole: HashSet<i64> = whole.into_iter().map(|seen| seen.position).collect();
        let late = whole.iter().filter(|position| **position <= self.last && !self.positions.contains(position)).min();
        if let Some(position) = late {
            return Err(OrderFault::Late { position: *position });
        }
        match self.positions.difference(&whole).min() {
            Some(position) => Err(OrderFault::Gone { position: *position }),
            None => Ok(()),
        }
    }
}
