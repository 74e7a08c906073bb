use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections that read beside the writer. The one that was used last is used first, so that few are warm.
///
/// They are kept here for the reason that [`super::Writer`] gives. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    permits: Arc<Semaphore>,
    most: u32,
    options: Arc<SqliteConnectOptions>,
    patience: Duration,
}

impl Readers {
    /// At most `most` connections, of which one is opened now. Nobody waits for one longer than `patience`.
    pub(crate) async fn open(options: SqliteConnectOptions, most: u32, patience: Duration) -> Result<Self, sqlx::Error> {
        let first = options.connect().await?;
        let most = most.max(1);
        let permits = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS)));
        Ok(Self { idle: Arc::new(Mutex::new(vec![first])), permits, most, options: Arc::new(options), patience })
    }

    /// Waits for a connection.
    pub(crate) async fn acquire(&self) -> Result<Reading, sqlx::Error> {
        let waiting = tokio::time::timeout(self.patience, Arc::clone(&self.permits).acquire_owned());
        let permit = waiting.await.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Reading { connection, idle: Arc::clone(&self.idle), _permit: permit })
    }

    /// Waits until nobody reads and closes all connections for good.
    pub(crate) async fn close(&self) {
        // That it was closed before is no matter.
        let _all = self.permits.acquire_many(self.most).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in idle {
            drop(connection.close().await);
        }
    }
}

/// A connection to read with. Dropped before [`Reading::done`], it is closed: a statement may still be at work on it, or it is
/// dead.
#[derive(Debug)]
pub(crate) struct Reading {
    connection: SqliteConnection,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Reading {
    /// The connection.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Lets others have it, after its statement has ended well.
    pub(crate) fn done(self) {
        let Self { connection, idle, _permit: permit } = self;
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        drop(permit);
    }
}
