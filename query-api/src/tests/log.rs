//! A log in memory, for reading.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use event_store::{LogReader, Metadata, Position, ReadError, RecordedEvent, StreamId};
use tokio::sync::watch;
use uuid::Uuid;

/// Events that a test wrote.
pub(super) struct TestLog {
    events: Mutex<Vec<RecordedEvent>>,
    appended: watch::Sender<Position>,
    is_down: AtomicBool,
}

impl TestLog {
    pub(super) fn new() -> Self {
        Self { events: Mutex::default(), appended: watch::Sender::default(), is_down: AtomicBool::new(false) }
    }

    /// Adds an event of this exact text, one second after the one before.
    pub(super) fn add(&self, stream_id: &str, event_type: &str, data: &str) -> RecordedEvent {
        let mut events = self.events.lock().unwrap();
        let stream_id = StreamId::parse(stream_id).unwrap();
        let number = i64::try_from(events.len()).unwrap() + 1;
        let event = RecordedEvent {
            position: Position::new(number).unwrap(),
            revision: u64::try_from(events.iter().filter(|event| event.stream_id == stream_id).count()).unwrap(),
            stream_id,
            event_id: Uuid::from_u128(u128::try_from(number).unwrap()),
            event_type: event_type.to_owned(),
            schema_version: 1,
            recorded_at: recorded_at(number),
            data: data.to_owned(),
            metadata: Metadata {
                correlation_id: Uuid::from_u128(7),
                causation_id: None,
                actor: "buyer:alice".to_owned(),
                source: "test".to_owned(),
            },
        };
        events.push(event.clone());
        self.appended.send_replace(event.position);
        event
    }

    /// Says that something was appended, wherever.
    pub(super) fn wake(&self, position: i64) {
        self.appended.send_replace(Position::new(position).unwrap());
    }

    /// Answers nothing any more.
    pub(super) fn break_down(&self) {
        self.is_down.store(true, Ordering::Relaxed);
    }

    fn read(&self, limit: usize, wanted: impl Fn(&RecordedEvent) -> bool) -> Result<Vec<RecordedEvent>, ReadError> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(ReadError::Unavailable("gone".into()));
        }
        Ok(self.events.lock().unwrap().iter().filter(|event| wanted(event)).take(limit).cloned().collect())
    }
}

/// When the log took the event at a position.
pub(super) fn recorded_at(position: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_784_534_400 + position, 0).unwrap()
}

#[async_trait]
impl LogReader for TestLog {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read(limit, |event| event.stream_id == *stream_id && event.revision >= from_revision)
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read(limit, |event| event.position > after)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(self.read(usize::MAX, |_| true)?.last().map(|event| event.position).unwrap_or_default())
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.appended.subscribe()
    }
}
