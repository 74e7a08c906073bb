//! Every adapter against the one contract, and each against the faults of what is beneath it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod kurrentdb;
mod memory;
mod order_checker;
mod postgres;
mod proxy;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use event_store::{LogClock, Metadata, NewEvent, StreamId};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

/// A clock that goes on by a millisecond each time it is asked.
fn clock() -> LogClock {
    let asked = AtomicI64::new(0);
    Arc::new(move || at(1_750_000_000_000 + asked.fetch_add(1, Ordering::Relaxed)))
}

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap()
}

fn stream(name: &str) -> StreamId {
    StreamId::parse(name).unwrap()
}

fn event(note: &str) -> NewEvent {
    NewEvent {
        event_id: Uuid::now_v7(),
        event_type: "NoteTaken".to_owned(),
        schema_version: 1,
        data: format!(r#"{{"note":"{note}"}}"#),
        metadata: Metadata { correlation_id: Uuid::now_v7(), causation_id: None, actor: "test".to_owned(), source: "test".to_owned() },
    }
}

fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|number| event(&number.to_string())).collect()
}
