//! The log in Postgres, for any number of processes.

mod wake;
mod write;

use async_trait::async_trait;
use database::{Area, Database, DatabaseError, DatabaseUrl, PoolOptions, Schema};
use tokio::sync::watch;

use crate::open::{LOG_MIGRATIONS, OpenError};
use crate::port::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId,
};
use crate::tables::LogTables;
use crate::writer::Writer;
use crate::{LogClock, appending};
use wake::Wake;
use write::PostgresWriter;

/// The log in Postgres. Several processes may write at once: each batches its appends, and a lock held to the end of the
/// commit puts the batches in one order without gaps.
pub struct PostgresEventStore {
    tables: LogTables,
    writer: Writer,
    wake: Wake,
    schema: Schema,
}

impl PostgresEventStore {
    /// Opens the log at `url` and brings its tables forward, where its role may. Must be called in a Tokio runtime.
    ///
    /// Errors: [`OpenError::Database`] where the server cannot be reached; later it may go and come back without harm.
    pub async fn open(url: &DatabaseUrl, clock: LogClock) -> Result<Self, OpenError> {
        let options = PoolOptions::default();
        let database = Database::open(url, Area::Log, &options).await?;
        let pool = database.postgres_pool().ok_or(OpenError::BadUrl("it is not a Postgres server"))?.clone();
        let schema = database.prepare_tables(LOG_MIGRATIONS).await?;
        let tables = LogTables { database };
        let appended = watch::Sender::new(tables.head().await?);
        let wake = Wake::start(tables.clone(), pool.clone(), appended.clone());
        let writer = Writer::start(PostgresWriter::new(&pool, options.statement_timeout, clock, appended));
        Ok(Self { tables, writer, wake, schema })
    }

    /// Where the log's tables were when it was opened.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// Whether an append could be written now; see [`Database::ping`].
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.tables.database.ping().await
    }

    /// The database beneath, for checks and for tests of faults. The log's rows are written by appends alone.
    pub fn database(&self) -> &Database {
        &self.tables.database
    }

    /// Writes what waits, takes nothing more in, and closes the connections.
    pub async fn shutdown(&self) {
        self.writer.shutdown().await;
        self.wake.shutdown().await;
        self.tables.database.close().await;
    }
}

#[async_trait]
impl LogReader for PostgresEventStore {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.tables.read_stream(stream_id, from_revision, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.tables.read_all(after, limit).await
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
        self.wake.appended()
    }
}

#[async_trait]
impl EventStore for PostgresEventStore {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        appending::append(&self.writer, &self.tables, stream_id, expected, events).await
    }
}
