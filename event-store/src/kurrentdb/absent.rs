use async_trait::async_trait;
use tokio::sync::watch;

use super::KurrentDbLimits;
use crate::port::{AppendError, Appended, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId};
use crate::{KurrentDbUrl, LogClock, OpenError, StoreFailure};

/// The log in KurrentDB, in a program that was built without its client: there is none.
pub enum KurrentDbEventStore {}

#[expect(clippy::unused_async, reason = "what is there with the client waits for the server")]
impl KurrentDbEventStore {
    /// Errors: [`OpenError::NotBuilt`], always.
    pub async fn open(_url: &KurrentDbUrl, _clock: LogClock) -> Result<Self, OpenError> {
        Err(OpenError::NotBuilt)
    }

    /// Errors: [`OpenError::NotBuilt`], always.
    pub async fn open_with(_url: &KurrentDbUrl, _clock: LogClock, _limits: KurrentDbLimits) -> Result<Self, OpenError> {
        Err(OpenError::NotBuilt)
    }

    /// Whether an append could be written now.
    pub async fn ping(&self) -> Result<(), StoreFailure> {
        match *self {}
    }

    /// The version that the server says it has.
    pub async fn server_version(&self) -> Result<String, StoreFailure> {
        match *self {}
    }

    /// Ends it.
    pub async fn shutdown(&self) {
        match *self {}
    }
}

#[async_trait]
impl LogReader for KurrentDbEventStore {
    async fn read_stream(&self, _stream_id: &StreamId, _from_revision: u64, _limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        match *self {}
    }

    async fn read_all(&self, _after: Position, _limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        match *self {}
    }

    async fn head(&self) -> Result<Position, ReadError> {
        match *self {}
    }

    fn appended(&self) -> watch::Receiver<Position> {
        match *self {}
    }
}

#[async_trait]
impl EventStore for KurrentDbEventStore {
    async fn append(&self, _stream_id: &StreamId, _expected: ExpectedRevision, _events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        match *self {}
    }
}
