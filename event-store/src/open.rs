use database::{DatabaseError, Migration};

use crate::port::ReadError;

/// The tables of the log. The stores bring them forward by themselves when they are opened; this is for `migrate` alone.
pub const LOG_MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "event",
    sqlite: include_str!("../../migrations/log/0001_event.sqlite.sql"),
    postgres: include_str!("../../migrations/log/0001_event.postgres.sql"),
}];

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes this log. Ask that one, or wait until it has ended.
    #[error("another process holds the log: {holder}")]
    Held {
        /// What that process has said of itself, usually its address; empty where it has not said anything yet.
        holder: String,
    },
    /// The file that keeps other processes out cannot be made or locked.
    #[error("the log's lock file cannot be used")]
    Lock(#[source] std::io::Error),
    /// The address is not one of this store's database.
    #[error("the log cannot be at this address: {0}")]
    BadUrl(&'static str),
    /// The database beneath cannot be reached, used or migrated.
    #[error("the log's database cannot be opened")]
    Database(#[from] DatabaseError),
    /// It is to lie in KurrentDB, and this program was built without its client.
    #[error("this program was built without KurrentDB")]
    NotBuilt,
    /// The log is there but its head cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
}
