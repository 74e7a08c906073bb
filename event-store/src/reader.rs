use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{EventStore, Position, ReadError, RecordedEvent, StreamId};

/// The log for those who only read. Every [`EventStore`] behind an `Arc` is one.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// See [`EventStore::read_stream`].
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;

    /// See [`EventStore::read_all`].
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;

    /// See [`EventStore::head`].
    async fn head(&self) -> Result<Position, ReadError>;

    /// See [`EventStore::appended`].
    fn appended(&self) -> watch::Receiver<Position>;
}

#[async_trait]
impl<S: EventStore + ?Sized> LogReader for Arc<S> {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        EventStore::read_stream(self.as_ref(), stream_id, from_revision, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        EventStore::read_all(self.as_ref(), after, limit).await
    }

    async fn head(&self) -> Result<Position, ReadError> {
        EventStore::head(self.as_ref()).await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        EventStore::appended(self.as_ref())
    }
}
