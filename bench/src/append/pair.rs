//! The two that are compared: our log and the plain baseline, each with an empty log of its own in the same place.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use database::{Area, Database, DatabaseUrl, PoolOptions};
use event_store::{LOG_MIGRATIONS, LogClock, PostgresEventStore, SqliteEventStore};

use super::load::{Appender, Port};
use super::plain::{PlainPostgres, PlainSqlite};
use crate::postgres::PostgresServer;
use crate::trouble::{Doing, Trouble};

/// The two.
pub(super) struct Pair {
    /// Our log.
    pub(super) ours: Arc<dyn Appender>,
    /// The baseline.
    pub(super) plain: Arc<dyn Appender>,
    opened: Opened,
}

enum Opened {
    Sqlite { store: Arc<SqliteEventStore>, plain: Arc<PlainSqlite> },
    Postgres { store: Arc<PostgresEventStore>, plain: Arc<PlainPostgres> },
}

impl Pair {
    /// Two files in `folder`.
    pub(super) async fn on_sqlite(folder: &Path, name: &str) -> Result<Self, Trouble> {
        let ours = DatabaseUrl::sqlite(folder.join(format!("{name}_ours.db")));
        let plain_path = folder.join(format!("{name}_plain.db"));
        let store = SqliteEventStore::open(&ours, clock(), "bench").await.doing("open our log on SQLite")?;
        make_tables(&DatabaseUrl::sqlite(&plain_path)).await?;
        let plain = Arc::new(PlainSqlite::open(&plain_path, clock()).await?);
        let store = Arc::new(store);
        Ok(Self { ours: Arc::new(Port(Arc::clone(&store) as _)), plain: Arc::clone(&plain) as _, opened: Opened::Sqlite { store, plain } })
    }

    /// Two databases of `server`.
    pub(super) async fn on_postgres(server: &PostgresServer, name: &str) -> Result<Self, Trouble> {
        let ours = server.database(&format!("{name}_ours")).await?;
        let plain_url = server.database(&format!("{name}_plain")).await?;
        let parse = |url: &str| DatabaseUrl::parse(url).doing("read the address of Postgres");
        let store = PostgresEventStore::open(&parse(&ours)?, clock()).await.doing("open our log on Postgres")?;
        make_tables(&parse(&plain_url)?).await?;
        let plain = Arc::new(PlainPostgres::open(&plain_url, PoolOptions::default().connections, clock()).await?);
        let store = Arc::new(store);
        Ok(Self {
            ours: Arc::new(Port(Arc::clone(&store) as _)),
            plain: Arc::clone(&plain) as _,
            opened: Opened::Postgres { store, plain },
        })
    }

    /// One line on the databases and on what both sides use of them.
    pub(super) async fn settings(&self, server: Option<&PostgresServer>) -> Result<String, Trouble> {
        match (&self.opened, server) {
            (Opened::Sqlite { plain, .. }, _) => plain.settings().await,
            (Opened::Postgres { .. }, Some(server)) => {
                let connections = PoolOptions::default().connections;
                Ok(format!("{}; {connections} connections for each of the two, and one more for our writer", server.settings().await?))
            }
            (Opened::Postgres { .. }, None) => Err(Trouble::new("a log on Postgres has no server")),
        }
    }

    /// Closes both.
    pub(super) async fn close(self) -> Result<(), Trouble> {
        match self.opened {
            Opened::Sqlite { store, plain } => {
                store.shutdown().await;
                plain.close().await
            }
            Opened::Postgres { store, plain } => {
                store.shutdown().await;
                plain.close().await
            }
        }
    }
}

/// Makes the log's own tables, so that the baseline has the same schema.
pub(super) async fn make_tables(url: &DatabaseUrl) -> Result<(), Trouble> {
    let database = Database::open(url, Area::Log, &PoolOptions::default()).await.doing("open the baseline's database")?;
    database.migrate(LOG_MIGRATIONS).await.doing("make the baseline's tables")?;
    database.close().await;
    Ok(())
}

pub(super) fn clock() -> LogClock {
    let clock = SystemClock::default();
    Arc::new(move || clock.now())
}
