use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use crate::appending::raise;
use crate::port::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId,
};
use crate::{LogClock, limits};

/// The log in memory, for tests and the simulation: it has no task and no timer, and every future is done at its first poll.
pub struct MemoryEventStore {
    clock: LogClock,
    /// From one event's position to the next one's.
    stride: i64,
    kept: Mutex<Kept>,
    appended: watch::Sender<Position>,
}

#[derive(Default)]
struct Kept {
    /// In the order of positions.
    events: Vec<RecordedEvent>,
    /// For each stream the indexes of its events, by revision.
    streams: HashMap<StreamId, Vec<usize>>,
    ids: HashMap<Uuid, usize>,
}

impl MemoryEventStore {
    /// An empty log that asks `clock` for the time of each append.
    pub fn new(clock: LogClock) -> Self {
        Self { clock, stride: 1, kept: Mutex::default(), appended: watch::Sender::new(Position::START) }
    }

    /// An empty log whose positions are no numbers of events, as places in a file are none: `stride` (2 or more) lie from one to
    /// the next, and it refuses to read from one that it did not give out.
    pub fn with_gaps(clock: LogClock, stride: u16) -> Self {
        Self { stride: i64::from(stride.max(2)), ..Self::new(clock) }
    }

    /// The events after a position.
    fn after<'a>(&self, kept: &'a Kept, position: Position) -> Result<&'a [RecordedEvent], ReadError> {
        let is_beyond = kept.events.last().is_none_or(|last| position > last.position);
        if position.as_i64() % self.stride != 0 && !is_beyond {
            return Err(ReadError::Unavailable("no event is at this position".into()));
        }
        let from = usize::try_from(position.as_i64() / self.stride).unwrap_or(usize::MAX);
        Ok(kept.events.get(from..).unwrap_or_default())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves nothing half-done in here: each append is checked before the first push.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Of an append that does not fit: its first result where it is a repeat.
    fn settle(&self, stream_id: &StreamId, expected: ExpectedRevision, events: &[NewEvent]) -> Result<Appended, AppendError> {
        let stream = self.streams.get(stream_id).map_or(&[][..], Vec::as_slice);
        let first = usize::try_from(expected.first_revision()).unwrap_or(usize::MAX);
        let earlier: Vec<&RecordedEvent> =
            stream.iter().skip(first).take(events.len()).filter_map(|index| self.events.get(*index)).collect();
        let repeats = earlier.len() == events.len() && earlier.iter().zip(events).all(|(old, new)| old.event_id == new.event_id);
        match earlier.last() {
            Some(last) if repeats => Ok(Appended {
                last_revision: last.revision,
                positions: earlier.iter().map(|event| event.position).collect(),
                recorded_at: last.recorded_at,
                is_repeat: true,
            }),
            _ => Err(AppendError::Conflict {
                stream_id: stream_id.clone(),
                actual: stream.last().and_then(|index| self.events.get(*index)).map(|event| event.revision),
            }),
        }
    }

    fn push(&mut self, stride: i64, stream_id: &StreamId, revision: u64, recorded_at: DateTime<Utc>, event: NewEvent) -> Position {
        let index = self.events.len();
        let last = self.events.last().map(|last| last.position).unwrap_or_default();
        let position = Position::new(last.as_i64().saturating_add(stride)).unwrap_or_default();
        self.ids.insert(event.event_id, index);
        self.streams.entry(stream_id.clone()).or_default().push(index);
        self.events.push(RecordedEvent {
            position,
            stream_id: stream_id.clone(),
            revision,
            event_id: event.event_id,
            event_type: event.event_type,
            schema_version: event.schema_version,
            recorded_at,
            data: event.data,
            metadata: event.metadata,
        });
        position
    }
}

#[async_trait]
impl LogReader for MemoryEventStore {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let kept = self.kept();
        let stream = kept.streams.get(stream_id).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(from_revision).unwrap_or(usize::MAX);
        Ok(stream.iter().skip(from).take(limit).filter_map(|index| kept.events.get(*index)).cloned().collect())
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        Ok(self.after(&self.kept(), after)?.iter().take(limit).cloned().collect())
    }

    async fn read_all_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        Ok(self.after(&self.kept(), after)?.iter().filter(|event| filter.admits(event)).take(limit).cloned().collect())
    }

    fn step_back(&self, position: Position, span: u64) -> Option<Position> {
        (self.stride == 1).then(|| position.less(span))
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(self.kept().events.last().map(|event| event.position).unwrap_or_default())
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.appended.subscribe()
    }
}

#[async_trait]
impl EventStore for MemoryEventStore {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        limits::check(expected, &events)?;
        let mut kept = self.kept();
        let length = kept.streams.get(stream_id).map_or(0, Vec::len) as u64;
        let first = expected.first_revision();
        if first != length {
            return kept.settle(stream_id, expected, &events);
        }
        if events.iter().any(|event| kept.ids.contains_key(&event.event_id)) {
            return Err(AppendError::Invalid(limits::ID_TAKEN));
        }
        let now = (self.clock)();
        let recorded_at = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        let recorded_at = kept.events.last().map_or(recorded_at, |last| last.recorded_at.max(recorded_at));
        let positions: Vec<Position> =
            (first..).zip(events).map(|(revision, event)| kept.push(self.stride, stream_id, revision, recorded_at, event)).collect();
        let last_revision = first + positions.len() as u64 - 1;
        drop(kept);
        let appended = Appended { last_revision, positions, recorded_at, is_repeat: false };
        raise(&self.appended, appended.last_position());
        Ok(appended)
    }
}
