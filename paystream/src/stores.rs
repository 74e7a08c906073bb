//! Opening the log, the views and the state.

use std::sync::Arc;

use chassis::clock::Clock;
use command_api::process_managers::TODO_MIGRATIONS;
use database::{Area, Database, DatabaseError, DatabaseUrl, Migration, PoolOptions};
use event_store::{EventStore, LogClock, LogReader, PostgresEventStore, SqliteEventStore};

use crate::chosen::Trouble;
use crate::settings::Settings;
use crate::variables;

/// The log, whichever database it lies in.
#[derive(Clone)]
pub(crate) enum Log {
    Sqlite(Arc<SqliteEventStore>),
    Postgres(Arc<PostgresEventStore>),
}

impl Log {
    /// Opens the log. `holder` is what another process is told that finds it held.
    pub(crate) async fn open(settings: &Settings, clock: &Arc<dyn Clock>, holder: &str) -> Result<Self, Trouble> {
        let log_clock: LogClock = {
            let clock = Arc::clone(clock);
            Arc::new(move || clock.now())
        };
        let url = &settings.event_store;
        let opened = if url.sqlite_path().is_some() {
            SqliteEventStore::open(url, log_clock, holder).await.map(|store| Self::Sqlite(Arc::new(store)))
        } else {
            PostgresEventStore::open(url, log_clock).await.map(|store| Self::Postgres(Arc::new(store)))
        };
        opened.map_err(|source| Trouble::Log { variable: variables::EVENT_STORE, place: url.to_string(), source })
    }

    pub(crate) fn store(&self) -> Arc<dyn EventStore> {
        let store = match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn EventStore>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn EventStore>,
        };
        #[cfg(debug_assertions)]
        let store = crate::stop_point::around_store(store);
        store
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn LogReader>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn LogReader>,
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(store) => store.ping().await,
            Self::Postgres(store) => store.ping().await,
        }
    }

    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Sqlite(store) => store.shutdown().await,
            Self::Postgres(store) => store.shutdown().await,
        }
    }
}

/// Opens the views, with their tables brought forward.
pub(crate) async fn open_views(settings: &Settings) -> Result<Database, Trouble> {
    let migrations = [projections::MIGRATIONS, &TODO_MIGRATIONS].concat();
    open(&settings.views, Area::Views, variables::VIEWS, &migrations).await
}

/// Opens the state, with its tables brought forward.
pub(crate) async fn open_state(settings: &Settings) -> Result<Database, Trouble> {
    let migrations = [storefront::MIGRATIONS, &command_api::INBOX_MIGRATIONS, &[followers::LEASE_MIGRATION]].concat();
    open(&settings.state, Area::State, variables::STATE, &migrations).await
}

/// Opens the sandbox's own file.
pub(crate) async fn open_sandbox(settings: &Settings) -> Result<Database, Trouble> {
    let url = DatabaseUrl::sqlite(settings.data.join("sandbox.db"));
    open(&url, Area::Sandbox, variables::DATA, &[]).await
}

async fn open(url: &DatabaseUrl, area: Area, variable: &'static str, migrations: &[Migration]) -> Result<Database, Trouble> {
    let trouble = |source| Trouble::Database { variable, place: url.to_string(), source };
    let database = Database::open(url, area, &PoolOptions::default()).await.map_err(trouble)?;
    if !migrations.is_empty() {
        database.migrate(migrations).await.map_err(trouble)?;
    }
    Ok(database)
}
