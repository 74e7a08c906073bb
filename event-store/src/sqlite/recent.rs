use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use crate::port::{NewEvent, Position, RecordedEvent, StreamId};

/// The most events that are kept.
const MOST_EVENTS: usize = 2048;

/// The most bytes of their data that are kept.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The newest events of the log, as they were written. Followers that keep up find here what they would read, each for itself,
/// from the file; and whoever reads on in a stream finds here that nothing has come.
///
/// It is exact because one task of one process writes the log: events come here right after their commit and before anybody is told
/// of them, and after a failure nothing is known until the next commit.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Without a gap, the last one being the log's last.
    events: VecDeque<Arc<RecordedEvent>>,
    /// The same by their streams.
    streams: HashMap<StreamId, VecDeque<Arc<RecordedEvent>>>,
    bytes: usize,
    /// The log's last position; `None` where it is not known.
    head: Option<i64>,
}

impl Recent {
    /// Nothing is kept, and the log ends at `head`.
    pub(super) fn at(head: Position) -> Self {
        Self { kept: RwLock::new(Kept { head: Some(head.as_i64()), ..Kept::default() }) }
    }

    /// Takes what was committed, in order.
    pub(super) fn add(&self, committed: Vec<RecordedEvent>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        for event in committed {
            kept.push(event);
        }
    }

    /// Nobody knows what the log ends with.
    pub(super) fn forget(&self) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    /// What a read of the whole log answers; `None` where the file must be asked.
    pub(super) fn read_all(&self, after: Position, limit: usize) -> Option<Vec<RecordedEvent>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let behind = usize::try_from(kept.head?.checked_sub(after.as_i64())?).ok()?;
        let skipped = kept.events.len().checked_sub(behind)?;
        Some(kept.events.iter().skip(skipped).take(limit).map(|event| RecordedEvent::clone(event)).collect())
    }

    /// What a read of one stream answers; `None` where the file must be asked.
    pub(super) fn read_stream(&self, stream_id: &StreamId, from: u64, limit: usize) -> Option<Vec<RecordedEvent>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let stream = kept.streams.get(stream_id)?;
        let skipped = usize::try_from(from.checked_sub(stream.front()?.revision)?).ok()?;
        Some(stream.iter().skip(skipped).take(limit).map(|event| RecordedEvent::clone(event)).collect())
    }

    /// The log's last position and when that was taken, where both are known.
    pub(super) fn last(&self) -> Option<(i64, DateTime<Utc>)> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.events.back().map(|event| (event.position.as_i64(), event.recorded_at))
    }

    /// The last revision of a stream, where it is known.
    pub(super) fn last_revision(&self, stream_id: &StreamId) -> Option<u64> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.streams.get(stream_id)?.back().map(|event| event.revision)
    }
}

impl Kept {
    fn push(&mut self, event: RecordedEvent) {
        let position = event.position.as_i64();
        if self.head.is_none_or(|head| head.checked_add(1) != Some(position)) {
            *self = Self::default();
        }
        self.head = Some(position);
        self.bytes += event.data.len();
        let event = Arc::new(event);
        self.streams.entry(event.stream_id.clone()).or_default().push_back(Arc::clone(&event));
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(event) = self.events.pop_front() else { return };
        self.bytes -= event.data.len();
        // An event that is the first of all is the first of its stream.
        if let Some(stream) = self.streams.get_mut(&event.stream_id) {
            stream.pop_front();
            if stream.is_empty() {
                self.streams.remove(&event.stream_id);
            }
        }
    }
}

/// An event as it stands in the log.
pub(super) fn recorded(event: &NewEvent, stream_id: &StreamId, position: Position, revision: u64, at: DateTime<Utc>) -> RecordedEvent {
    RecordedEvent {
        position,
        stream_id: stream_id.clone(),
        revision,
        event_id: event.event_id,
        event_type: event.event_type.clone(),
        schema_version: event.schema_version,
        recorded_at: at,
        data: event.data.clone(),
        metadata: event.metadata.clone(),
    }
}

#[cfg(test)]
mod tests;
