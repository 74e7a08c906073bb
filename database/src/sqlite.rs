//! How SQLite is opened: settings that lose nothing, one writer, a few readers.

mod readers;
mod writer;

use std::path::Path;
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

pub(crate) use self::readers::Readers;
pub(crate) use self::writer::{Writer, Writing};
use crate::{Area, DatabaseError, PoolOptions};

/// How long a statement waits for another process that holds the file's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The first version without the fault that could damage a file when two connections write and checkpoint at once.
const OLDEST_VERSION: [u32; 3] = [3, 51, 3];

/// Pages in the write-ahead log before a commit copies them back: 8 MiB, so that a busy log does so seldom.
const CHECKPOINT_PAGES: &str = "2000";

pub(crate) async fn open(path: &Path, area: Area, limits: &PoolOptions) -> Result<(Writer, Readers), DatabaseError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await.map_err(sqlx::Error::Io)?;
    }
    let synchronous = if area.survives_power_loss() { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .thread_name(move |number| format!("sqlite-{}-{number}", area.schema().trim_start_matches("paystream_")));

    let writer = Writer::open(options.clone(), limits.acquire_timeout).await?;
    check(&writer, area).await?;
    let readers = Readers::open(options.pragma("query_only", "on"), limits.readers, limits.acquire_timeout).await?;
    Ok((writer, readers))
}

/// Reads the settings back, because SQLite answers a refused pragma with silence.
async fn check(writer: &Writer, area: Area) -> Result<(), DatabaseError> {
    let mut writing = writer.acquire().await?;
    let connection = writing.connection()?;
    let version: (String,) = sqlx::query_as("select sqlite_version()").fetch_one(&mut *connection).await?;
    if !new_enough(&version.0) {
        return Err(DatabaseError::Unfit(format!("SQLite {} may damage files; 3.51.3 or newer is needed", version.0)));
    }
    let journal: (String,) = sqlx::query_as("pragma journal_mode").fetch_one(&mut *connection).await?;
    if journal.0 != "wal" {
        return Err(DatabaseError::Unfit(format!("SQLite keeps journal mode {} instead of wal", journal.0)));
    }
    let wanted = [
        ("pragma synchronous", if area.survives_power_loss() { 2_i64 } else { 1 }),
        ("pragma foreign_keys", 1),
        ("pragma busy_timeout", i64::try_from(BUSY_TIMEOUT.as_millis()).unwrap_or(i64::MAX)),
    ];
    for (pragma, wanted) in wanted {
        let row = sqlx::query(pragma).fetch_one(&mut *connection).await?;
        let found: i64 = row.try_get(0)?;
        if found != wanted {
            return Err(DatabaseError::Unfit(format!("SQLite answers {found} instead of {wanted} to {pragma}")));
        }
    }
    Ok(())
}

fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = [(); 3].map(|()| parts.next().unwrap_or(0));
    found >= OLDEST_VERSION
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn sqlite_is_old_until_3_51_3() {
        for old in ["3.40.1", "3.51.2", "3.9.9", "2.99.99", ""] {
            assert!(!new_enough(old), "{old}");
        }
        for new in ["3.51.3", "3.51.10", "3.52.0", "4.0.0"] {
            assert!(new_enough(new), "{new}");
        }
    }
}
