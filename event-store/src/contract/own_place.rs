//! Places of the suite's own at a real store's address, beside what lies there: the suite never opens that.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use database::{DatabaseError, DatabaseUrl, ScratchDatabase};
use uuid::Uuid;

use super::Place;
use crate::port::EventStore;
use crate::{KurrentDbEventStore, KurrentDbUrl, LogClock, LogUrl, OpenError, PostgresEventStore, SqliteEventStore};

/// Why there is no place for the suite.
#[derive(Debug, thiserror::Error)]
pub enum OwnPlacesError {
    /// No folder can be made beside the file, or it cannot be removed.
    #[error("the folder {folder} cannot be used")]
    Folder {
        /// Which one.
        folder: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No database can be made on the server, or it cannot be dropped. Its role must be allowed to make databases.
    #[error("no database of the suite's own can be made or dropped on this server")]
    Database(#[from] DatabaseError),
    /// The name of the suite's streams is refused.
    #[error("the suite's streams can have no names")]
    Streams(#[from] crate::LogUrlError),
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Open(#[from] OpenError),
}

/// Makes places for the checks of one run: files in a folder of their own beside a SQLite file, databases of their own on a
/// Postgres, streams with names of their own in a KurrentDB. All but the latter are removed again.
pub struct OwnPlaces {
    url: LogUrl,
    clock: LogClock,
    /// `contract_check_…`, by which all that is made is known.
    name: String,
}

struct OwnPlace {
    lies: Lies,
    clock: LogClock,
    opened: Mutex<Option<Opened>>,
}

enum Lies {
    Sqlite(DatabaseUrl),
    Postgres(ScratchDatabase),
    KurrentDb(KurrentDbUrl),
}

#[derive(Clone)]
enum Opened {
    Sqlite(Arc<SqliteEventStore>),
    Postgres(Arc<PostgresEventStore>),
    KurrentDb(Arc<KurrentDbEventStore>),
}

impl OwnPlaces {
    /// Places at `url`. `run` names this run and no other.
    pub fn new(url: LogUrl, clock: LogClock, run: Uuid) -> Self {
        Self { url, clock, name: format!("contract_check_{}", run.simple()) }
    }

    /// What the suite uses, in words.
    pub fn describe(&self) -> String {
        match &self.url {
            LogUrl::Database(url) if url.sqlite_path().is_some() => format!("files in {}, removed afterwards", self.folder().display()),
            LogUrl::Database(_) => format!("databases {}_… on the same server, dropped afterwards", self.name),
            LogUrl::KurrentDb(_) => format!("streams {}-…, which stay", self.name.replace('_', "-")),
        }
    }

    /// Runs one check, the `number`th, on a new place. What the check says is in the inner answer.
    pub async fn attempt(&self, number: usize, check: &'static super::Check) -> Result<Result<super::Outcome, String>, OwnPlacesError> {
        let place = Arc::new(self.place(number).await?);
        let found = place.look(check).await;
        // Also where it could not be opened: what was made for it goes.
        let removed = place.remove().await;
        let found = found?;
        removed?;
        Ok(found)
    }

    /// Removes what is left of this run.
    pub fn clear(&self) -> Result<(), OwnPlacesError> {
        let folder = self.folder();
        if self.url.sqlite_path().is_none() || !folder.exists() {
            return Ok(());
        }
        std::fs::remove_dir_all(&folder).map_err(|source| OwnPlacesError::Folder { folder: folder.display().to_string(), source })
    }

    async fn place(&self, number: usize) -> Result<OwnPlace, OwnPlacesError> {
        let lies = match &self.url {
            LogUrl::Database(url) if url.sqlite_path().is_some() => {
                let folder = self.folder();
                std::fs::create_dir_all(&folder)
                    .map_err(|source| OwnPlacesError::Folder { folder: folder.display().to_string(), source })?;
                Lies::Sqlite(DatabaseUrl::sqlite(folder.join(format!("{number}.db"))))
            }
            LogUrl::Database(url) => Lies::Postgres(ScratchDatabase::create(url, &format!("{}_{number}", self.name)).await?),
            LogUrl::KurrentDb(url) => Lies::KurrentDb(url.with_prefix(&format!("{}-{number}-", self.name.replace('_', "-")))?),
        };
        Ok(OwnPlace { lies, clock: Arc::clone(&self.clock), opened: Mutex::default() })
    }

    /// Beside the file, and so on the same disk.
    fn folder(&self) -> PathBuf {
        let beside = self.url.sqlite_path().and_then(|path| path.parent()).map(PathBuf::from).unwrap_or_default();
        beside.join(format!("paystream_{}", self.name))
    }
}

impl OwnPlace {
    async fn look(self: &Arc<Self>, check: &'static super::Check) -> Result<Result<super::Outcome, String>, OpenError> {
        // Whether it can be opened at all is not a question of the contract.
        self.try_open().await?;
        self.close().await;
        let found = check.attempt(self.clone()).await;
        self.close().await;
        Ok(found)
    }

    async fn remove(&self) -> Result<(), DatabaseError> {
        match &self.lies {
            Lies::Postgres(scratch) => scratch.remove().await,
            Lies::Sqlite(_) | Lies::KurrentDb(_) => Ok(()),
        }
    }

    async fn try_open(&self) -> Result<Arc<dyn EventStore>, OpenError> {
        let clock = Arc::clone(&self.clock);
        let opened = match &self.lies {
            Lies::Sqlite(url) => Opened::Sqlite(Arc::new(SqliteEventStore::open(url, clock, "contract-check").await?)),
            Lies::Postgres(scratch) => Opened::Postgres(Arc::new(PostgresEventStore::open(scratch.url(), clock).await?)),
            Lies::KurrentDb(url) => Opened::KurrentDb(Arc::new(KurrentDbEventStore::open(url, clock).await?)),
        };
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened.clone());
        Ok(match opened {
            Opened::Sqlite(store) => store,
            Opened::Postgres(store) => store,
            Opened::KurrentDb(store) => store,
        })
    }
}

#[async_trait]
impl Place for OwnPlace {
    async fn open(&self) -> Arc<dyn EventStore> {
        self.try_open().await.unwrap()
    }

    async fn close(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        match opened {
            Some(Opened::Sqlite(store)) => store.shutdown().await,
            Some(Opened::Postgres(store)) => store.shutdown().await,
            Some(Opened::KurrentDb(store)) => store.shutdown().await,
            None => {}
        }
    }

    fn dense(&self) -> bool {
        !matches!(self.lies, Lies::KurrentDb(_))
    }

    fn keeps_ids_unique(&self) -> bool {
        !matches!(self.lies, Lies::KurrentDb(_))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use database::testing::TestDatabase;
    use sqlx::{Connection, PgConnection};

    use super::*;
    use crate::contract::CHECKS;

    #[tokio::test]
    async fn what_was_made_for_a_log_that_cannot_be_opened_is_gone() {
        let beside = TestDatabase::postgres().await;
        let run = Uuid::now_v7();
        // Databases can be made there, but it would lose what it acknowledges, and so no log is opened.
        let url = format!("{}?options=-c%20synchronous_commit%3Doff", beside.url_text());
        let places = OwnPlaces::new(LogUrl::parse(&url).unwrap(), Arc::new(|| DateTime::UNIX_EPOCH), run);
        let refused = places.attempt(0, &CHECKS[0]).await;
        let unfit = |error: &OwnPlacesError| matches!(error, OwnPlacesError::Open(OpenError::Database(DatabaseError::Unfit(_))));
        assert!(refused.as_ref().is_err_and(unfit), "{refused:?}");

        let mut connection = PgConnection::connect(beside.url_text()).await.unwrap();
        let left: i64 = sqlx::query_scalar("select count(*) from pg_database where datname like $1")
            .bind(format!("contract_check_{}%", run.simple()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(left, 0);
    }
}
