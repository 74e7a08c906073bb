use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The one connection that writes: SQLite has one writer at a time, and a queue here is fairer than its polling for the lock.
///
/// It is kept here and not by the driver's pool, which asks a connection each time that it comes back whether it still lives: two
/// changes of thread for nothing, as a file does not go away. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    slot: Arc<Mutex<Slot>>,
    options: Arc<SqliteConnectOptions>,
    patience: Duration,
}

#[derive(Debug)]
enum Slot {
    Open(SqliteConnection),
    /// Nobody knows what state the connection was in; it was dropped, and the next one to write opens another.
    Lost,
    Closed,
}

impl Writer {
    /// Opens the connection. Nobody waits for it longer than `patience`.
    pub(crate) async fn open(options: SqliteConnectOptions, patience: Duration) -> Result<Self, sqlx::Error> {
        let connection = options.connect().await?;
        Ok(Self { slot: Arc::new(Mutex::new(Slot::Open(connection))), options: Arc::new(options), patience })
    }

    /// Waits until nobody else writes.
    pub(crate) async fn acquire(&self) -> Result<Writing, sqlx::Error> {
        let waiting = tokio::time::timeout(self.patience, Arc::clone(&self.slot).lock_owned());
        let mut slot = waiting.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        match *slot {
            Slot::Open(_) => {}
            Slot::Lost => *slot = Slot::Open(self.options.connect().await?),
            Slot::Closed => return Err(sqlx::Error::PoolClosed),
        }
        Ok(Writing { slot: Some(slot), may_be_open: false })
    }

    /// Waits until nobody writes and closes the connection for good.
    pub(crate) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        if let Slot::Open(connection) = std::mem::replace(&mut *slot, Slot::Closed) {
            drop(connection.close().await);
        }
    }
}

/// The turn to write. Dropped within a transaction, it rolls back before the next one has its turn.
#[derive(Debug)]
pub(crate) struct Writing {
    /// Absent only while it is dropped.
    slot: Option<OwnedMutexGuard<Slot>>,
    /// Whether a transaction may be open, or the connection dead: set before a statement, for its future may be dropped.
    may_be_open: bool,
}

impl Writing {
    /// The connection.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        match self.slot.as_deref_mut() {
            Some(Slot::Open(connection)) => Ok(connection),
            _ => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Says that the next statement begins a transaction.
    pub(crate) fn will_begin(&mut self) {
        self.may_be_open = true;
    }

    /// Begins a transaction that holds the file's lock for writers. Errors: the driver's, and none is begun.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.will_begin();
        sqlx::query("begin immediate").execute(self.connection()?).await.map(drop)
    }

    /// Does a statement that commits by itself, and gives up the turn.
    pub(crate) async fn alone<T>(
        mut self,
        statement: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        // If it fails, the rollback tells whether the connection still lives.
        self.will_begin();
        let done = statement(self.connection()?).await?;
        self.may_be_open = false;
        Ok(done)
    }

    /// Commits it and gives up the turn.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("commit").execute(self.connection()?).await?;
        self.may_be_open = false;
        Ok(())
    }

    /// Rolls it back and gives up the turn.
    pub(crate) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        if self.may_be_open {
            sqlx::query("rollback").execute(self.connection()?).await?;
            self.may_be_open = false;
        }
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take().filter(|_| self.may_be_open) else { return };
        let Slot::Open(mut connection) = std::mem::replace(&mut *slot, Slot::Lost) else { return };
        // Without a runtime the connection goes, and SQLite rolls back.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let rolled_back = sqlx::query("rollback").execute(&mut connection).await;
            if rolled_back.map_or_else(|error| is_refusal(&error), |_| true) {
                *slot = Slot::Open(connection);
            }
        });
    }
}

/// Whether SQLite says that there is no transaction: it was not begun, or SQLite itself has rolled it back because the disk was
/// full or failed. For no other reason does it answer a rollback so, and the connection is in order.
fn is_refusal(error: &sqlx::Error) -> bool {
    const GENERIC_ERROR: &str = "1";
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some(GENERIC_ERROR)
}
