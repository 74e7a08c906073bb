use async_trait::async_trait;
use database::DatabaseError;
use event_store::Position;
use followers::{AdvanceError, Asked, BookChange, Checkpoint, Standing};

mod memory;
mod sql;
#[cfg(test)]
mod tests;

pub use memory::MemoryViewStore;
pub use sql::SqlViewStore;
pub(crate) use sql::{Side, SqlView};

/// Where a view's rows and its checkpoint are kept.
#[async_trait]
pub trait ViewStore<R>: Send + Sync {
    /// How far the rows are made.
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError>;

    /// The rows of these keys, each named once; an unknown key has none.
    async fn load(&self, keys: &[String]) -> Result<Vec<(String, R)>, StoreError>;

    /// Writes the rows under their keys and moves the checkpoint from `from` to `to`, all or nothing.
    async fn commit(&self, rows: Vec<(String, R)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError>;
}

/// A view's store that keeps a consumer's marks and parked messages beside the rows.
#[async_trait]
pub trait ConsumerStore<R>: ViewStore<R> {
    /// Where the consumer stands.
    async fn standing(&self, asked: &Asked) -> Result<Standing, StoreError>;

    /// Writes the rows under their keys, and `change`, all or nothing.
    async fn commit_with(&self, rows: Vec<(String, R)>, change: &BookChange) -> Result<Checkpoint, StoreError>;
}

/// Why a view's store did not do it; nothing was written, but for a connection lost at the commit.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another worker has moved the checkpoint, or a rebuild has replaced the tables.
    #[error("another worker has moved the checkpoint")]
    Overtaken,
    /// A row holds what no version of this program writes there. A rebuild makes it again.
    #[error("the row {key} of {table} is damaged: {column}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// The column that cannot be read.
        column: &'static str,
    },
    /// The database did not do it.
    #[error("the view's tables failed")]
    Database(#[from] DatabaseError),
}

impl From<AdvanceError> for StoreError {
    fn from(error: AdvanceError) -> Self {
        match error {
            AdvanceError::Overtaken => Self::Overtaken,
            AdvanceError::Database(error) => Self::Database(error),
        }
    }
}
