//! The baseline: what a service without a batching writer does, one transaction for each append. It is written as well as
//! that design allows: prepared statements, plans that use the indexes, and connections that are handed on without being tried.

use std::path::Path;

use async_trait::async_trait;
use database::{Area, Time};
use event_store::{ExpectedRevision, LogClock, NewEvent, StreamId};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::connections::Connections;
use super::load::Appender;
use crate::trouble::{Doing, Trouble};

/// The lock that puts the plain appends in order. Any number does: nobody else is in this database.
const LOG_LOCK: i64 = 1;

/// One transaction for each append, on SQLite: one connection that writes, as SQLite has one writer anyhow.
pub(super) struct PlainSqlite {
    connections: Connections<SqliteConnection>,
    clock: LogClock,
}

impl PlainSqlite {
    /// Opens the log at `path`, whose tables are there, with the settings of our own store.
    pub(super) async fn open(path: &Path, clock: LogClock) -> Result<Self, Trouble> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", "2000");
        let connection = options.connect().await.doing("open the baseline on SQLite")?;
        Ok(Self { connections: Connections::new(vec![connection]), clock })
    }

    /// The version, and the settings that durability depends on, as SQLite tells them.
    pub(super) async fn settings(&self) -> Result<String, Trouble> {
        let doing = "ask SQLite for its settings";
        let mut connection = self.connections.take().await?;
        let (version,): (String,) = sqlx::query_as("select sqlite_version()").fetch_one(&mut *connection).await.doing(doing)?;
        let (journal,): (String,) = sqlx::query_as("pragma journal_mode").fetch_one(&mut *connection).await.doing(doing)?;
        let (synchronous,): (i64,) = sqlx::query_as("pragma synchronous").fetch_one(&mut *connection).await.doing(doing)?;
        let (pages,): (i64,) = sqlx::query_as("pragma wal_autocheckpoint").fetch_one(&mut *connection).await.doing(doing)?;
        Ok(format!(
            "SQLite {version}, journal {journal}, synchronous {synchronous} (2 is full), checkpoint after {pages} pages; one writing \
             connection for both"
        ))
    }

    /// Closes it.
    pub(super) async fn close(&self) -> Result<(), Trouble> {
        for connection in self.connections.take_all().await? {
            connection.close().await.doing("close the baseline")?;
        }
        Ok(())
    }
}

#[async_trait]
impl Appender for PlainSqlite {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, event: NewEvent) -> Result<(), Trouble> {
        let doing = "append plainly on SQLite";
        let (last, next) = revisions(expected);
        let mut connection = self.connections.take().await?;
        let mut transaction = connection.begin_with("begin immediate").await.doing(doing)?;
        let (found,): (i64,) = sqlx::query_as("select coalesce(max(revision), -1) from event where stream_id = $1")
            .bind(stream_id.as_str())
            .fetch_one(&mut *transaction)
            .await
            .doing(doing)?;
        if found != last {
            return Err(conflict(stream_id));
        }
        sqlx::query(
            "insert into event (position, stream_id, revision, event_id, event_type, schema_version, recorded_at, data, correlation_id,
                                causation_id, actor, source)
             values ((select coalesce(max(position), 0) + 1 from event), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(stream_id.as_str())
        .bind(next)
        .bind(event.event_id.as_bytes().as_slice())
        .bind(event.event_type.as_str())
        .bind(i64::from(event.schema_version))
        .bind(Time::from((self.clock)()))
        .bind(event.data.as_str())
        .bind(event.metadata.correlation_id.as_bytes().as_slice())
        .bind(event.metadata.causation_id.map(|id| id.as_bytes().to_vec()))
        .bind(event.metadata.actor.as_str())
        .bind(event.metadata.source.as_str())
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        transaction.commit().await.doing(doing)
    }
}

/// One transaction for each append, on Postgres: an advisory lock to the end of the commit keeps positions without gaps.
pub(super) struct PlainPostgres {
    connections: Connections<PgConnection>,
    clock: LogClock,
}

impl PlainPostgres {
    /// Opens the log at `url`, whose tables are there, with as many connections as our own store's pool has.
    pub(super) async fn open(url: &str, connections: u32, clock: LogClock) -> Result<Self, Trouble> {
        let options: PgConnectOptions = url.parse().doing("read the address of Postgres")?;
        // As in our own store: a plan made while the log is nearly empty would otherwise read the whole table later.
        let options = options.options([
            ("search_path", Area::Log.schema()),
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
        ]);
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(options.connect().await.doing("open the baseline on Postgres")?);
        }
        Ok(Self { connections: Connections::new(opened), clock })
    }

    /// Closes it.
    pub(super) async fn close(&self) -> Result<(), Trouble> {
        for connection in self.connections.take_all().await? {
            connection.close().await.doing("close the baseline")?;
        }
        Ok(())
    }
}

#[async_trait]
impl Appender for PlainPostgres {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, event: NewEvent) -> Result<(), Trouble> {
        let doing = "append plainly on Postgres";
        let (last, next) = revisions(expected);
        let mut connection = self.connections.take().await?;
        let mut transaction = connection.begin().await.doing(doing)?;
        // A statement of its own: what follows must look at the log after the lock was granted.
        sqlx::query("select pg_advisory_xact_lock($1)").bind(LOG_LOCK).execute(&mut *transaction).await.doing(doing)?;
        let (found, head): (i64, i64) = sqlx::query_as(
            "select (select coalesce(max(revision), -1) from event where stream_id = $1), (select coalesce(max(position), 0) from event)",
        )
        .bind(stream_id.as_str())
        .fetch_one(&mut *transaction)
        .await
        .doing(doing)?;
        if found != last {
            return Err(conflict(stream_id));
        }
        sqlx::query(
            "insert into event (position, stream_id, revision, event_id, event_type, schema_version, recorded_at, data, correlation_id,
                                causation_id, actor, source)
             values ($1, $2, $3, encode($4, 'hex')::uuid, $5, $6, $7, $8::text::json, encode($9, 'hex')::uuid,
                     encode($10, 'hex')::uuid, $11, $12)",
        )
        .bind(head + 1)
        .bind(stream_id.as_str())
        .bind(next)
        .bind(event.event_id.as_bytes().as_slice())
        .bind(event.event_type.as_str())
        .bind(i16::try_from(event.schema_version).unwrap_or(i16::MAX))
        .bind(Time::from((self.clock)()))
        .bind(event.data.as_str())
        .bind(event.metadata.correlation_id.as_bytes().as_slice())
        .bind(event.metadata.causation_id.map(|id| id.as_bytes().to_vec()))
        .bind(event.metadata.actor.as_str())
        .bind(event.metadata.source.as_str())
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        transaction.commit().await.doing(doing)
    }
}

/// The last revision that is expected, -1 for none, and the one after it.
fn revisions(expected: ExpectedRevision) -> (i64, i64) {
    let next = i64::try_from(expected.first_revision()).unwrap_or(i64::MAX);
    (next - 1, next)
}

fn conflict(stream_id: &StreamId) -> Trouble {
    Trouble::new(format!("{stream_id} is at another revision than expected"))
}

#[cfg(test)]
mod tests;
