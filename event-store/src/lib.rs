//! The append-only log: one port, several adapters, one contract suite that each adapter passes.
//!
//! This package knows streams, revisions and positions, and not a word about orders.

use std::sync::Arc;

use chrono::{DateTime, Utc};

mod appending;
#[cfg(feature = "contract")]
pub mod contract;
mod kurrentdb;
pub mod limits;
pub mod lineage;
mod log_url;
mod memory;
mod open;
mod port;
mod postgres;
mod sqlite;
mod tables;
mod writer;

pub use kurrentdb::{KurrentDbEventStore, KurrentDbLimits};
pub use log_url::{KurrentDbUrl, LogUrl, LogUrlError};
pub use memory::MemoryEventStore;
pub use open::{LOG_MIGRATIONS, OpenError};
pub use port::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, Metadata, NewEvent, Position, ReadError, RecordedEvent,
    StoreFailure, StreamId,
};
pub use postgres::PostgresEventStore;
pub use sqlite::SqliteEventStore;

/// Tells the log the time; handed in, so that this package reads no clock.
pub type LogClock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
