//! Opening the log, the views and the state.

use std::sync::Arc;

use chassis::clock::Clock;
use chassis::problem::Chain;
use command_api::process_managers::TODO_MIGRATIONS;
use database::{Area, Database, DatabaseUrl, Migration, PoolOptions, Replication, Schema};
use event_store::{EventStore, KurrentDbEventStore, LogClock, LogReader, LogUrl, PostgresEventStore, SqliteEventStore, StoreFailure};

use crate::chosen::Trouble;
use crate::settings::Settings;
use crate::variables;

/// The log, whichever database it lies in.
#[derive(Clone)]
pub(crate) enum Log {
    Sqlite(Arc<SqliteEventStore>),
    Postgres(Arc<PostgresEventStore>),
    KurrentDb(Arc<KurrentDbEventStore>),
}

impl Log {
    /// Opens the log. `holder` is what another process is told that finds it held.
    pub(crate) async fn open(settings: &Settings, clock: &Arc<dyn Clock>, holder: &str) -> Result<Self, Trouble> {
        let log_clock: LogClock = {
            let clock = Arc::clone(clock);
            Arc::new(move || clock.now())
        };
        let url = &settings.event_store;
        let opened = match url {
            LogUrl::Database(url) if url.sqlite_path().is_some() => {
                SqliteEventStore::open(url, log_clock, holder).await.map(|store| Self::Sqlite(Arc::new(store)))
            }
            LogUrl::Database(url) => PostgresEventStore::open(url, log_clock).await.map(|store| Self::Postgres(Arc::new(store))),
            LogUrl::KurrentDb(url) => KurrentDbEventStore::open(url, log_clock).await.map(|store| Self::KurrentDb(Arc::new(store))),
        };
        let opened = opened.map_err(|source| Trouble::Log { variable: variables::EVENT_STORE, place: url.to_string(), source })?;
        opened.warn().await;
        Ok(opened)
    }

    /// Says at the start what may cost events later.
    async fn warn(&self) {
        if let Self::Postgres(store) = self {
            warn_of_schema(variables::EVENT_STORE, store.schema());
            warn_of_replication(variables::EVENT_STORE, store.database()).await;
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn EventStore> {
        let store = match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn EventStore>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn EventStore>,
            Self::KurrentDb(store) => Arc::clone(store) as Arc<dyn EventStore>,
        };
        #[cfg(debug_assertions)]
        let store = crate::stop_point::around_store(store);
        store
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn LogReader>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn LogReader>,
            Self::KurrentDb(store) => Arc::clone(store) as Arc<dyn LogReader>,
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreFailure> {
        match self {
            Self::Sqlite(store) => Ok(store.ping().await?),
            Self::Postgres(store) => Ok(store.ping().await?),
            Self::KurrentDb(store) => store.ping().await,
        }
    }

    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Sqlite(store) => store.shutdown().await,
            Self::Postgres(store) => store.shutdown().await,
            Self::KurrentDb(store) => store.shutdown().await,
        }
    }
}

/// The steps of the views' tables.
pub(crate) fn views_migrations() -> Vec<Migration> {
    [projections::MIGRATIONS, &TODO_MIGRATIONS].concat()
}

/// The steps of the state's tables.
pub(crate) fn state_migrations() -> Vec<Migration> {
    [storefront::MIGRATIONS, &command_api::INBOX_MIGRATIONS, &[followers::LEASE_MIGRATION, command_api::STATEMENT_MIGRATION]].concat()
}

/// Opens the views, with their tables brought forward.
pub(crate) async fn open_views(settings: &Settings) -> Result<Database, Trouble> {
    open(&settings.views, Area::Views, variables::VIEWS, &views_migrations()).await
}

/// Opens the state, with its tables brought forward.
pub(crate) async fn open_state(settings: &Settings) -> Result<Database, Trouble> {
    let state = open(&settings.state, Area::State, variables::STATE, &state_migrations()).await?;
    warn_of_replication(variables::STATE, &state).await;
    Ok(state)
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
        warn_of_schema(variable, database.prepare_tables(migrations).await.map_err(trouble)?);
    }
    Ok(database)
}

fn warn_of_schema(variable: &'static str, schema: Schema) {
    if let Schema::Newer { found, known } = schema {
        tracing::warn!(
            "{variable}: a newer program has brought the tables to schema {found}; this one knows {known} and goes on beside it"
        );
    }
}

/// What a standby without synchronous replication means, for the log and for whoever asks.
pub(crate) const UNSAFE_STANDBY: &str =
    "its standby is not synchronous: a failover loses payments that were answered. Set synchronous_standby_names";

async fn warn_of_replication(variable: &'static str, database: &Database) {
    match database.replication().await {
        Ok(Some(Replication { standbys: 1.., is_synchronous: false })) => tracing::warn!("{variable}: {UNSAFE_STANDBY}"),
        Ok(_) => {}
        Err(error) => tracing::debug!(error = %Chain(&error), "{variable}: whether it has standbys is not known"),
    }
}

/// Brings one area's tables forward with the role that owns them, and grants its group what a running program needs.
/// Answers whether there is such a group.
pub(crate) async fn migrate(url: &DatabaseUrl, area: Area, variable: &'static str, migrations: &[Migration]) -> Result<bool, Trouble> {
    let trouble = |source| Trouble::Database { variable, place: url.to_string(), source };
    let database = Database::open(url, area, &PoolOptions::default()).await.map_err(trouble)?;
    warn_of_schema(variable, database.migrate(migrations).await.map_err(trouble)?);
    let granted = database.grant_to_group().await.map_err(trouble)?;
    database.close().await;
    Ok(granted)
}
