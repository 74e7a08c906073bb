//! Where a log, its views and its state lie in a benchmark that runs them in its own process.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use database::{Area, Database, DatabaseUrl, Migration, PoolOptions};
use event_store::{EventStore, LogClock, LogReader, PostgresEventStore, SqliteEventStore, lineage};
use uuid::Uuid;

use crate::append::Store;
use crate::postgres::PostgresServer;
use crate::trouble::{Doing, Trouble};

/// On what databases are made.
#[derive(Clone, Copy)]
pub(crate) enum Ground<'a> {
    /// Files in this folder.
    Sqlite(&'a Path),
    /// Databases of this server.
    Postgres(&'a PostgresServer),
}

impl<'a> Ground<'a> {
    /// The ground for `store`. Errors: Postgres is wanted and there is no server.
    pub(crate) fn of(store: Store, folder: &'a Path, server: Option<&'a PostgresServer>) -> Result<Self, Trouble> {
        match (store, server) {
            (Store::Sqlite, _) => Ok(Self::Sqlite(folder)),
            (Store::Postgres, Some(server)) => Ok(Self::Postgres(server)),
            (Store::Postgres, None) => Err(Trouble::new("there is no Postgres server")),
        }
    }

    /// A new database of this name.
    pub(crate) async fn database(self, name: &str) -> Result<DatabaseUrl, Trouble> {
        match self {
            Self::Sqlite(folder) => Ok(DatabaseUrl::sqlite(folder.join(format!("{name}.db")))),
            Self::Postgres(server) => DatabaseUrl::parse(&server.database(name).await?).doing("read the address of Postgres"),
        }
    }
}

/// An open log with its lineage.
pub(crate) struct Log {
    /// Where it lies.
    pub(crate) url: DatabaseUrl,
    opened: Opened,
}

enum Opened {
    Sqlite(Arc<SqliteEventStore>),
    Postgres(Arc<PostgresEventStore>),
}

impl Log {
    /// Opens the one at `url`, and makes it where there is none.
    pub(crate) async fn open(url: DatabaseUrl) -> Result<Self, Trouble> {
        let opened = if url.sqlite_path().is_some() {
            Opened::Sqlite(Arc::new(SqliteEventStore::open(&url, log_clock(), "bench").await.doing("open the log on SQLite")?))
        } else {
            Opened::Postgres(Arc::new(PostgresEventStore::open(&url, log_clock()).await.doing("open the log on Postgres")?))
        };
        let log = Self { url, opened };
        lineage::ensure(log.store().as_ref(), Uuid::now_v7()).await.doing("begin the log's lineage")?;
        Ok(log)
    }

    /// The log for those who write.
    pub(crate) fn store(&self) -> Arc<dyn EventStore> {
        match &self.opened {
            Opened::Sqlite(store) => Arc::clone(store) as _,
            Opened::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// The log for those who only read.
    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        match &self.opened {
            Opened::Sqlite(store) => Arc::clone(store) as _,
            Opened::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// Closes it.
    pub(crate) async fn shutdown(&self) {
        match &self.opened {
            Opened::Sqlite(store) => store.shutdown().await,
            Opened::Postgres(store) => store.shutdown().await,
        }
    }
}

fn log_clock() -> LogClock {
    let clock = SystemClock::default();
    Arc::new(move || clock.now())
}

/// The tables of the views, empty where they are new.
pub(crate) async fn views(url: &DatabaseUrl) -> Result<Database, Trouble> {
    open(url, Area::Views, projections::MIGRATIONS).await
}

/// The leases.
pub(crate) async fn leases(url: &DatabaseUrl) -> Result<Database, Trouble> {
    open(url, Area::State, &[followers::LEASE_MIGRATION]).await
}

/// An area of a database, with these tables.
pub(crate) async fn open(url: &DatabaseUrl, area: Area, tables: &[Migration]) -> Result<Database, Trouble> {
    let database = Database::open(url, area, &PoolOptions::default()).await.doing("open a database")?;
    if !tables.is_empty() {
        database.migrate(tables).await.doing("make tables")?;
    }
    Ok(database)
}
