use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{PgPool, SqlStr};

use crate::sqlite::{Readers, Writer};
use crate::value::arguments;
use crate::{Area, DatabaseError, DatabaseUrl, Row, Transaction, Value, postgres, sqlite};

/// What is added to a statement's time limit before the client itself stops waiting for a server that says nothing.
const GRACE: Duration = Duration::from_secs(3);

/// How many connections a database may use, and how long anything waits for one.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The most connections to Postgres.
    pub connections: u32,
    /// The most reading connections to a SQLite file.
    pub readers: u32,
    /// The longest wait for a free connection; then [`DatabaseError::Unavailable`].
    pub acquire_timeout: Duration,
    /// The longest that one statement may run on Postgres; then [`DatabaseError::Unavailable`].
    pub statement_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { connections: 10, readers: 4, acquire_timeout: Duration::from_secs(5), statement_timeout: Duration::from_secs(15) }
    }
}

/// Which database is beneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file on this machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// One storage area of one database. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    area: Area,
    pools: Pools,
}

#[derive(Clone)]
enum Pools {
    Sqlite { writer: Writer, readers: Readers },
    Postgres { pool: PgPool, patience: Duration },
}

impl Database {
    /// Connects, and checks the settings that data depend on. A SQLite file and its folder are made where they are missing.
    ///
    /// Errors: [`DatabaseError::Unavailable`] where nothing answers, [`DatabaseError::Unfit`] where the settings or the version
    /// would endanger data. Afterwards a Postgres that goes away and comes back is found again without help.
    pub async fn open(url: &DatabaseUrl, area: Area, options: &PoolOptions) -> Result<Self, DatabaseError> {
        let pools = match (url.sqlite_path(), url.postgres_options()) {
            (Some(path), _) => {
                let (writer, readers) = sqlite::open(path, area, options).await?;
                Pools::Sqlite { writer, readers }
            }
            (None, Some(server)) => {
                let pool = postgres::open(server, area, options).await?;
                Pools::Postgres { pool, patience: options.statement_timeout + GRACE }
            }
            (None, None) => return Err(DatabaseError::BadUrl("it names no database")),
        };
        Ok(Self { area, pools })
    }

    /// Which area this is.
    pub fn area(&self) -> Area {
        self.area
    }

    /// Which database is beneath, for the few statements that cannot be shared.
    pub fn backend(&self) -> Backend {
        match self.pools {
            Pools::Sqlite { .. } => Backend::Sqlite,
            Pools::Postgres { .. } => Backend::Postgres,
        }
    }

    /// The pool of Postgres connections, for what only Postgres has, such as `listen`.
    pub fn postgres_pool(&self) -> Option<&PgPool> {
        match &self.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres { pool, .. } => Some(pool),
        }
    }

    /// All rows of a statement.
    ///
    /// On SQLite a statement that begins with `select` or `with` is read beside the writer, from the newest commit; any other
    /// (`insert … returning`) is done by the writer.
    pub async fn fetch_all<T: Row>(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>, DatabaseError> {
        self.fetch_text(SqlStr::from_static(sql), values).await
    }

    /// The only row of a statement, or none. More than one is not asked for: of several the first is answered.
    pub async fn fetch_optional<T: Row>(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<T>, DatabaseError> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }

    /// The only row of a statement. Errors: [`DatabaseError::NoRow`] where there is none.
    pub async fn fetch_one<T: Row>(&self, sql: &'static str, values: Vec<Value>) -> Result<T, DatabaseError> {
        self.fetch_optional(sql, values).await?.ok_or(DatabaseError::NoRow)
    }

    /// Does a statement in a transaction of its own; answers how many rows it touched.
    pub async fn execute(&self, sql: &'static str, values: Vec<Value>) -> Result<u64, DatabaseError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let query = sqlx::query_with(sql, arguments::<SqliteArguments>(values)?);
                let writing = writer.acquire().await?;
                Ok(writing.alone(async |connection| query.execute(connection).await).await?.rows_affected())
            }
            Pools::Postgres { pool, patience } => {
                let query = sqlx::query_with(sql, arguments::<PgArguments>(values)?);
                in_time(*patience, async { Ok(query.execute(pool).await?.rows_affected()) }).await
            }
        }
    }

    /// Begins a transaction. On SQLite it takes the writer at once (`begin immediate`), so that what it reads cannot be
    /// overtaken; on Postgres it is READ COMMITTED, so what must not be overtaken is locked (`for update`) or compared.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let mut writing = writer.acquire().await?;
                writing.begin().await?;
                Ok(Transaction::sqlite(writing))
            }
            Pools::Postgres { pool, patience } => {
                let begun = in_time(*patience, async { Ok(pool.begin().await?) }).await?;
                Ok(Transaction::postgres(begun, *patience))
            }
        }
    }

    /// As [`Self::begin`], but that SQLite is told together with the first statement, which saves a change of thread: for
    /// transactions that many wait for. What keeps it from beginning is answered by that statement.
    pub async fn begin_with_first(&self) -> Result<Transaction, DatabaseError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => Ok(Transaction::sqlite_with_first(writer.acquire().await?)),
            Pools::Postgres { .. } => self.begin().await,
        }
    }

    /// Says whether a write can be done now: on Postgres that the server is no standby; on SQLite by a small commit, which
    /// also notices a full disk. Errors name what is wrong, see [`DatabaseError`].
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let mut writing = writer.acquire().await?;
                writing.begin().await?;
                let (version,): (i64,) = sqlx::query_as("pragma user_version").fetch_one(writing.connection()?).await?;
                // Setting it, even to what it is, writes a page.
                let write = sqlx::AssertSqlSafe(format!("pragma user_version = {version}"));
                sqlx::raw_sql(write).execute(writing.connection()?).await?;
                Ok(writing.commit().await?)
            }
            Pools::Postgres { pool, patience } => {
                let sql = "select current_setting('transaction_read_only')";
                let (read_only,): (String,) = in_time(*patience, async { Ok(sqlx::query_as(sql).fetch_one(pool).await?) }).await?;
                if read_only == "off" {
                    return Ok(());
                }
                Err(DatabaseError::Unfit("this Postgres is read-only".to_owned()))
            }
        }
    }

    /// Closes the connections once they are given back. On SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { pool, .. } => pool.close().await,
        }
    }

    pub(crate) async fn fetch_text<T: Row>(&self, sql: SqlStr, values: Vec<Value>) -> Result<Vec<T>, DatabaseError> {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                let only_reads = only_reads(sql.as_str());
                let query = sqlx::query_as_with::<_, T, _>(sql, arguments::<SqliteArguments>(values)?);
                // Never `fetch_optional`: with a limit of one row the driver resets the statement before its commit is known.
                if only_reads {
                    let mut reading = readers.acquire().await?;
                    let rows = query.fetch_all(reading.connection()).await?;
                    reading.done();
                    return Ok(rows);
                }
                let writing = writer.acquire().await?;
                Ok(writing.alone(async |connection| query.fetch_all(connection).await).await?)
            }
            Pools::Postgres { pool, patience } => {
                let query = sqlx::query_as_with::<_, T, _>(sql, arguments::<PgArguments>(values)?);
                in_time(*patience, async { Ok(query.fetch_all(pool).await?) }).await
            }
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("area", &self.area).field("backend", &self.backend()).finish_non_exhaustive()
    }
}

fn only_reads(sql: &str) -> bool {
    let first = sql.trim_start().split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default();
    first.eq_ignore_ascii_case("select") || first.eq_ignore_ascii_case("with")
}

/// Stops waiting for a server that gives no answer, not even the refusal that its own limit would have made.
pub(crate) async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, DatabaseError>> + Send,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()),
    }
}
