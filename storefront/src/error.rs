//! How the storefront's state fails.

use database::DatabaseError;

/// Why the storefront's state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorefrontError {
    /// The database failed.
    #[error("the storefront's state could not be used")]
    Store(#[from] DatabaseError),
    /// A row holds what this program does not write.
    #[error("a row of {table} cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
    },
    /// A text is not what was sealed for this person, or its key cannot be opened with the keys of this process.
    #[error("what was sealed for a person cannot be opened")]
    Unopenable,
    /// A password could not be hashed or compared.
    #[error("a password could not be worked on")]
    Password(#[source] crate::accounts::PasswordError),
}

impl StorefrontError {
    /// Whether the same may succeed later: the database is away, busy, full or takes no writes at the moment.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => matches!(
                error,
                DatabaseError::Unavailable(_) | DatabaseError::Busy(_) | DatabaseError::Full(_) | DatabaseError::ReadOnly(_)
            ),
            Self::Password(error) => matches!(error, crate::accounts::PasswordError::Busy),
            Self::Corrupt { .. } | Self::Unopenable => false,
        }
    }
}
