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
        // Whether it can be opened at all is not a question of the contract.
        place.try_open().await?;
        place.close().await;
        let found = check.attempt(place.clone()).await;
        place.close().await;
        if let Lies::Postgres(scratch) = &place.lies {
            scratch.remove().await?;
        }
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
