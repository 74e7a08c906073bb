//! Fresh databases for tests, SQLite in a temporary folder and Postgres beside others on one server.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::{Area, Database, DatabaseError, DatabaseUrl, PoolOptions};

/// Names the server that tests of Postgres use, by the URL of a user who may create databases.
pub const SERVER_VARIABLE: &str = "PAYSTREAM_TEST_POSTGRES";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database that nobody else uses. Keep it for as long as the test runs: it is removed with it.
#[derive(Debug)]
pub struct TestDatabase {
    url: DatabaseUrl,
    text: String,
    _kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Folder(#[expect(dead_code, reason = "held so that the folder is removed with it")] TempDir),
    OnServer(#[expect(dead_code, reason = "held so that the database is removed with it")] ServerDatabase),
}

#[derive(Debug)]
struct ServerDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A SQLite file in a temporary folder; it is made when it is opened.
    ///
    /// # Panics
    /// Where no temporary folder can be made.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("test.db");
        Self { text: format!("sqlite:{}", path.display()), url: DatabaseUrl::sqlite(path), _kept: Kept::Folder(folder) }
    }

    /// A new database on the server that [`SERVER_VARIABLE`] names.
    ///
    /// # Panics
    /// Where the variable is missing or the server refuses: a test of Postgres is never skipped.
    pub async fn postgres() -> Self {
        let server = std::env::var(SERVER_VARIABLE)
            .unwrap_or_else(|_| panic!("{SERVER_VARIABLE} names no server for the tests of Postgres: start them through ./test"));
        let name = format!("paystream_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let make = [format!("drop database if exists {name} with (force)"), format!("create database {name}")];
        on_server(&server, make).await.expect("the server of the tests makes a database");
        let text = with_database(&server, &name);
        let url = DatabaseUrl::parse(&text).expect("the URL stays one");
        Self { url, text, _kept: Kept::OnServer(ServerDatabase { server, name }) }
    }

    /// Its address.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Its address as text, password included, for a configuration under test.
    pub fn url_text(&self) -> &str {
        &self.text
    }

    /// Opens it with the usual limits.
    pub async fn open(&self, area: Area) -> Result<Database, DatabaseError> {
        Database::open(&self.url, area, &PoolOptions::default()).await
    }
}

impl Drop for ServerDatabase {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        let server = self.server.clone();
        // A thread of its own, because a drop cannot wait for the test's runtime. A database left behind harms no other test.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(on_server(&server, [statement])).ok()
        })
        .join();
    }
}

async fn on_server(server: &str, statements: impl IntoIterator<Item = String>) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    connection.close().await
}

/// The same URL with another database name; parameters stay.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, parameters)| (base, Some(parameters)));
    let authority_at = base.find("://").map_or(0, |at| at + 3);
    let base = base[authority_at..].find('/').map_or(base, |slash| &base[..authority_at + slash]);
    match parameters {
        Some(parameters) => format!("{base}/{name}?{parameters}"),
        None => format!("{base}/{name}"),
    }
}
