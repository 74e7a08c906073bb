//! How Postgres is opened: its own schema, bounded waits, and connections that are tried before they are used.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use crate::{Area, DatabaseError, PoolOptions};

/// A connection that rested longer than this is tried before it is used, so that a restarted server costs nobody an error.
const TRUSTED_REST: Duration = Duration::from_millis(500);

/// How long a used connection may take to say that it is in order before it is thrown away.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// A transaction that its client forgot holds back the cleaning of every table.
const IDLE_IN_TRANSACTION_LIMIT: &str = "60s";

pub(crate) async fn open(options: &PgConnectOptions, area: Area, limits: &PoolOptions) -> Result<PgPool, DatabaseError> {
    let mut settings = vec![
        ("search_path", area.schema().to_owned()),
        ("statement_timeout", format!("{}ms", limits.statement_timeout.as_millis())),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_LIMIT.to_owned()),
        // The log's writer and every transaction here count on seeing what was committed while they waited for a lock.
        ("default_transaction_isolation", "read committed".to_owned()),
    ];
    if area == Area::Log {
        // A plan made while the log was empty reads the whole table for ever after; the generic plan uses the indexes.
        settings.push(("plan_cache_mode", "force_generic_plan".to_owned()));
    }
    let options = options.clone().options(settings).application_name(area.schema());
    let pool = PgPoolOptions::new()
        .max_connections(limits.connections)
        .acquire_timeout(limits.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, rested| {
            Box::pin(async move {
                if rested.idle_for > TRUSTED_REST {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // A connection whose server has vanished would keep its place in the pool until the system gives up on it.
                let answered = tokio::time::timeout(RELEASE_TIMEOUT, connection.ping()).await;
                Ok(matches!(answered, Ok(Ok(()))))
            })
        })
        .connect_with(options)
        .await?;
    check(&pool).await?;
    Ok(pool)
}

/// Refuses a server that would lose what it has acknowledged, or cannot hold every text.
async fn check(pool: &PgPool) -> Result<(), DatabaseError> {
    let sql = "select current_setting('synchronous_commit'), current_setting('server_encoding')";
    let (commit, encoding): (String, String) = sqlx::query_as(sql).fetch_one(pool).await?;
    if commit == "off" {
        return Err(DatabaseError::Unfit("synchronous_commit is off, so a crash would lose acknowledged payments".to_owned()));
    }
    if encoding != "UTF8" {
        return Err(DatabaseError::Unfit(format!("the database's encoding is {encoding}; it must be UTF8")));
    }
    Ok(())
}
