use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::DatabaseError;

/// Where a database is: `sqlite:path/to/file.db` or `postgres://user:password@host:port/name`.
///
/// Neither `Debug` nor `Display` shows the password.
#[derive(Clone)]
pub struct DatabaseUrl(Place);

#[derive(Clone)]
enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// Reads an address. Errors: [`DatabaseError::BadUrl`], whose text repeats nothing of the address.
    pub fn parse(text: &str) -> Result<Self, DatabaseError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            // A database in memory would be another one for each connection.
            if path.is_empty() || path.starts_with(":memory:") || path.contains(['?', '#']) {
                return Err(DatabaseError::BadUrl("sqlite: wants the path of a file"));
            }
            return Ok(Self::sqlite(path));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text).map_err(|_| DatabaseError::BadUrl("this postgres:// cannot be read"))?;
            return Ok(Self(Place::Postgres(Box::new(options))));
        }
        Err(DatabaseError::BadUrl("it begins neither with sqlite: nor with postgres://"))
    }

    /// The SQLite file at `path`, which need not exist yet.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Place::Sqlite(path.into()))
    }

    /// The file's path, for SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }

    /// Another database on the same server, by the same role; `None` for a file.
    pub(crate) fn with_database(&self, name: &str) -> Option<Self> {
        self.postgres_options().map(|options| Self(Place::Postgres(Box::new(options.clone().database(name)))))
    }

    pub(crate) fn postgres_options(&self) -> Option<&PgConnectOptions> {
        match &self.0 {
            Place::Sqlite(_) => None,
            Place::Postgres(options) => Some(options),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres(options) => {
                let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
                write!(f, "postgres://{user}:***@{host}:{port}/{}", options.get_database().unwrap_or(user))
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
