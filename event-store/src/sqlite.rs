//! The log in one SQLite file, for one process on one machine.

mod lock;
mod recent;
mod write;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use database::{Area, Database, DatabaseError, DatabaseUrl, PoolOptions};
use tokio::sync::watch;

use crate::open::{LOG_MIGRATIONS, OpenError};
use crate::port::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId,
};
use crate::tables::LogTables;
use crate::writer::Writer;
use crate::{LogClock, appending};
use lock::FileLock;
use recent::Recent;
use write::SqliteWriter;

/// The embedded log. One process at a time may hold it; its appends are written in batches by one task.
pub struct SqliteEventStore {
    tables: LogTables,
    recent: Arc<Recent>,
    writer: Writer,
    appended: watch::Sender<Position>,
    lock: Mutex<Option<FileLock>>,
}

impl SqliteEventStore {
    /// Opens the log at `url`, made where it is missing, and keeps other processes out until it is shut down or dropped.
    ///
    /// `holder` is what another process is told, usually the address at which this one can be asked; see [`Self::announce`].
    /// Errors: [`OpenError::Held`] while another process has it. Must be called in a Tokio runtime.
    pub async fn open(url: &DatabaseUrl, clock: LogClock, holder: &str) -> Result<Self, OpenError> {
        let path = url.sqlite_path().ok_or(OpenError::BadUrl("it is not a SQLite file"))?;
        let lock = FileLock::take(path, holder)?;
        let database = Database::open(url, Area::Log, &PoolOptions::default()).await?;
        database.migrate(LOG_MIGRATIONS).await?;
        let tables = LogTables { database };
        let head = tables.head().await?;
        let appended = watch::Sender::new(head);
        let recent = Arc::new(Recent::at(head));
        let writer = Writer::start(SqliteWriter::new(tables.database.clone(), clock, Arc::clone(&recent), appended.clone()));
        Ok(Self { tables, recent, writer, appended, lock: Mutex::new(Some(lock)) })
    }

    /// Changes what another process is told that wants this log, once the address of this one is known.
    pub fn announce(&self, holder: &str) -> Result<(), OpenError> {
        match self.lock.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(lock) => lock.announce(holder),
            None => Ok(()),
        }
    }

    /// Whether an append could be written now; see [`Database::ping`].
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.tables.database.ping().await
    }

    /// The database beneath, for checks and for tests of faults. The log's rows are written by appends alone.
    pub fn database(&self) -> &Database {
        &self.tables.database
    }

    /// Writes what waits, takes nothing more in, closes the file and lets other processes have it.
    pub async fn shutdown(&self) {
        self.writer.shutdown().await;
        self.tables.database.close().await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[async_trait]
impl LogReader for SqliteEventStore {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        match self.recent.read_stream(stream_id, from_revision, limit) {
            Some(events) => Ok(events),
            None => self.tables.read_stream(stream_id, from_revision, limit).await,
        }
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        match self.recent.read_all(after, limit) {
            Some(events) => Ok(events),
            None => self.tables.read_all(after, limit).await,
        }
    }

    async fn read_all_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        self.tables.read_filtered(after, limit, filter).await
    }

    fn step_back(&self, position: Position, span: u64) -> Option<Position> {
        Some(position.less(span))
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.tables.head().await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.appended.subscribe()
    }
}

#[async_trait]
impl EventStore for SqliteEventStore {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        appending::append(&self.writer, &self.tables, stream_id, expected, events).await
    }
}
