use std::fmt;

use sqlx::postgres::PgDatabaseError;

/// Why a database did not do what it was asked. Told by the databases' codes, never by their texts.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be reached, has gone away, or gave no answer in time. A write may or may not have happened.
    #[error("the database is not available")]
    Unavailable(#[source] Failure),
    /// Another holds the lock for too long; nothing was written.
    #[error("the database is busy")]
    Busy(#[source] Failure),
    /// The disk is full; nothing was written.
    #[error("the database's disk is full")]
    Full(#[source] Failure),
    /// It takes no writes (a read-only file, a standby); nothing was written.
    #[error("the database is read-only")]
    ReadOnly(#[source] Failure),
    /// A rule of the tables refused the row; nothing was written.
    #[error("a constraint of the database refused the row")]
    Constraint {
        /// Which sort of rule.
        kind: ConstraintKind,
        /// The constraint's name on Postgres, `table.column` on SQLite where it tells: for logs, not for decisions.
        name: Option<String>,
        /// The failure beneath.
        #[source]
        source: Failure,
    },
    /// Steps are missing, and this role may not take them. Run `paystream migrate` with the role that owns the tables.
    #[error("the database has schema {found}, this program needs {needed}: run paystream migrate with the role that owns the tables")]
    SchemaTooOld {
        /// The highest migration applied; 0 for none.
        found: i64,
        /// The highest one this program knows.
        needed: i64,
    },
    /// A newer program has migrated this database, and in a way that this one cannot work with. Run that program.
    #[error("the database has schema {found}, this program knows up to {known}")]
    SchemaTooNew {
        /// The highest migration applied.
        found: i64,
        /// The highest one this program knows; 0 for none.
        known: i64,
    },
    /// A migration was altered, or inserted before another, after it had been applied.
    #[error("migration {version} is not the one that was applied")]
    MigrationChanged {
        /// Which one.
        version: i64,
    },
    /// The database cannot keep what is asked of it: a version or setting that would lose or damage data.
    #[error("the database cannot be used: {0}")]
    Unfit(String),
    /// The address is not one of a database.
    #[error("not the address of a database: {0}")]
    BadUrl(&'static str),
    /// Exactly one row was asked for and there was none.
    #[error("the database has no such row")]
    NoRow,
    /// An earlier statement of this transaction failed or was dropped, so it can only be dropped.
    #[error("the transaction has failed before")]
    TransactionFailed,
    /// Anything else: a wrong statement, a row that cannot be read, a damaged file.
    #[error("the database failed")]
    Other(#[source] Failure),
}

/// Which sort of rule refused a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// There is such a row already.
    Unique,
    /// The row refers to one that is not there, or is referred to.
    ForeignKey,
    /// A value is missing.
    NotNull,
    /// A check, or a trigger that guards the table.
    Check,
}

/// The driver's failure. Both `Debug` and `Display` leave out what Postgres calls detail, because that repeats values of rows.
pub struct Failure(sqlx::Error);

impl Failure {
    /// The driver's error, for adapters that must tell more cases apart.
    pub fn driver(&self) -> &sqlx::Error {
        &self.0
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            sqlx::Error::Database(error) => {
                write!(f, "{} (code {})", error.message(), error.code().as_deref().unwrap_or("none"))
            }
            other => fmt::Display::fmt(other, f),
        }
    }
}

impl std::error::Error for Failure {}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let sort = match &error {
            E::RowNotFound => return Self::NoRow,
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => Sort::Unavailable,
            E::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(postgres) => sort_of_sqlstate(postgres.code()),
                None => sort_of_sqlite_code(database.code().and_then(|code| code.parse().ok()).unwrap_or_default()),
            },
            _ => Sort::Other,
        };
        let name = match (&error, &sort) {
            (E::Database(database), Sort::Constraint(_)) => constraint_name(database.as_ref()),
            _ => None,
        };
        let source = Failure(error);
        match sort {
            Sort::Unavailable => Self::Unavailable(source),
            Sort::Busy => Self::Busy(source),
            Sort::Full => Self::Full(source),
            Sort::ReadOnly => Self::ReadOnly(source),
            Sort::Constraint(kind) => Self::Constraint { kind, name, source },
            Sort::Other => Self::Other(source),
        }
    }
}

enum Sort {
    Unavailable,
    Busy,
    Full,
    ReadOnly,
    Constraint(ConstraintKind),
    Other,
}

/// Source: the manual of PostgreSQL, appendix "Error Codes".
fn sort_of_sqlstate(code: &str) -> Sort {
    match code {
        "53100" => Sort::Full,
        "25006" => Sort::ReadOnly,
        // Serialization, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => Sort::Busy,
        "23505" => Sort::Constraint(ConstraintKind::Unique),
        "23503" => Sort::Constraint(ConstraintKind::ForeignKey),
        "23502" => Sort::Constraint(ConstraintKind::NotNull),
        // Check, exclusion, a trigger's refusal, and a rule of the tables that the caller lacks the right to break.
        "23514" | "23P01" | "23000" | "23001" => Sort::Constraint(ConstraintKind::Check),
        // Cancelled by a timeout, and idle in a transaction for too long.
        "57014" | "25P03" => Sort::Unavailable,
        // Connection, insufficient resources, operator intervention, system error, authentication, no such database.
        _ if ["08", "53", "57", "58", "28", "3D"].iter().any(|class| code.starts_with(class)) => Sort::Unavailable,
        _ => Sort::Other,
    }
}

/// Source: the manual of SQLite, "Result and Error Codes"; the low byte is the primary code.
fn sort_of_sqlite_code(code: i32) -> Sort {
    const CONSTRAINT_FOREIGN_KEY: i32 = 787;
    const CONSTRAINT_NOT_NULL: i32 = 1299;
    const CONSTRAINT_PRIMARY_KEY: i32 = 1555;
    const CONSTRAINT_UNIQUE: i32 = 2067;
    const CONSTRAINT_ROWID: i32 = 2579;
    match (code & 0xff, code) {
        (5 | 6, _) => Sort::Busy,
        (8, _) => Sort::ReadOnly,
        (13, _) => Sort::Full,
        // An I/O error, and a file that cannot be opened.
        (10 | 14, _) => Sort::Unavailable,
        (19, CONSTRAINT_UNIQUE | CONSTRAINT_PRIMARY_KEY | CONSTRAINT_ROWID) => Sort::Constraint(ConstraintKind::Unique),
        (19, CONSTRAINT_FOREIGN_KEY) => Sort::Constraint(ConstraintKind::ForeignKey),
        (19, CONSTRAINT_NOT_NULL) => Sort::Constraint(ConstraintKind::NotNull),
        (19, _) => Sort::Constraint(ConstraintKind::Check),
        _ => Sort::Other,
    }
}

fn constraint_name(error: &dyn sqlx::error::DatabaseError) -> Option<String> {
    match error.constraint() {
        Some(name) => Some(name.to_owned()),
        // SQLite has no field for it: "UNIQUE constraint failed: table.column".
        None => error.message().split_once("constraint failed: ").map(|(_, name)| name.to_owned()),
    }
}
