//! A log for the tests of this package.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use event_store::{EventStore, ExpectedRevision, LogReader, MemoryEventStore, Metadata, NewEvent, Position, StreamId};
use uuid::Uuid;

pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub(crate) fn position(number: i64) -> Position {
    Position::new(number).unwrap()
}

/// A log to which a test appends events by their stored names; the first is recorded at second 1, each later one a second on.
pub(crate) struct Story {
    log: Arc<MemoryEventStore>,
    next_id: AtomicU64,
}

impl Story {
    pub(crate) fn new() -> Self {
        let seconds = AtomicI64::new(1);
        let clock = Arc::new(move || at(seconds.fetch_add(1, Ordering::Relaxed)));
        Self { log: Arc::new(MemoryEventStore::new(clock)), next_id: AtomicU64::new(1) }
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        Arc::<MemoryEventStore>::clone(&self.log)
    }

    pub(crate) async fn append(&self, event_types: &[&str]) {
        for event_type in event_types {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let event = NewEvent {
                event_id: Uuid::from_u128(u128::from(id)),
                event_type: (*event_type).to_owned(),
                schema_version: 1,
                data: "{}".to_owned(),
                metadata: Metadata {
                    correlation_id: Uuid::nil(),
                    causation_id: None,
                    actor: "buyer:alice".to_owned(),
                    source: "test".to_owned(),
                },
            };
            let stream_id = StreamId::parse(&format!("order-{id}")).unwrap();
            self.log.append(&stream_id, ExpectedRevision::NoStream, vec![event]).await.unwrap();
        }
    }
}
