//! Who may sign in.

use std::fmt;
use std::str::FromStr;

use chassis::identity::Role;
use chassis::secret::Secret;
use chrono::{DateTime, Utc};
use database::{Database, Transaction, values};

use crate::StorefrontError;

mod password;

pub use password::{PasswordError, Passwords};

/// What someone types to sign in: lower-case letters, digits and `._@-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(String);

/// The text is no name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 1 to 64 letters, digits or one of . _ @ -")]
pub struct InvalidUsername;

impl Username {
    /// The longest name in characters.
    pub const LIMIT: usize = 64;

    /// Reads a name; capital ASCII letters count as small ones. Errors: `InvalidUsername`.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-');
        if (1..=Self::LIMIT).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidUsername)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;
    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        Self::parse(text)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Someone, or another business system, that may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The `sub` of its tokens, and the buyer id of its orders: 1 to 128 visible ASCII characters.
    pub account_id: String,
    /// What it types to sign in.
    pub username: Username,
    /// How pages address it.
    pub display_name: String,
    /// What it may do.
    pub roles: Vec<Role>,
}

/// Accounts in the state's tables.
#[derive(Clone, Debug)]
pub struct Accounts {
    database: Database,
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    account_id: String,
    username: String,
    display_name: String,
    password_hash: String,
    role: Option<String>,
}

/// One row for each role, or one for an account without any.
macro_rules! account_rows {
    ($condition:literal) => {
        concat!(
            "select account.account_id, username, display_name, password_hash, role
             from account left join account_role on account_role.account_id = account.account_id
             where ",
            $condition,
            " order by role"
        )
    };
}

const BY_ID: &str = account_rows!("account.account_id = $1");
const BY_USERNAME: &str = account_rows!("username = $1");

impl Accounts {
    /// Reads and writes the tables of `database`, an area `State` that was migrated.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The account of that id.
    pub async fn by_id(&self, account_id: &str) -> Result<Option<Account>, StorefrontError> {
        let rows = self.database.fetch_all(BY_ID, values![account_id]).await?;
        Ok(account(rows)?.map(|(account, _)| account))
    }

    /// The account of that name.
    pub async fn by_username(&self, username: &Username) -> Result<Option<Account>, StorefrontError> {
        Ok(self.for_sign_in(username).await?.map(|(account, _)| account))
    }

    /// The account of that name, and what is kept of its password.
    pub(crate) async fn for_sign_in(&self, username: &Username) -> Result<Option<(Account, Secret<String>)>, StorefrontError> {
        account(self.database.fetch_all(BY_USERNAME, values![username.as_str()]).await?)
    }

    /// The account of that id, as the transaction sees it.
    pub(crate) async fn within(transaction: &mut Transaction, account_id: &str) -> Result<Option<Account>, StorefrontError> {
        Ok(account(transaction.fetch_all(BY_ID, values![account_id]).await?)?.map(|(account, _)| account))
    }

    /// Adds an account; `false` and no change if its id or its name is taken. `password_hash` is from
    /// [`Passwords::hash`].
    pub async fn add(&self, account: &Account, password_hash: &Secret<String>, now: DateTime<Utc>) -> Result<bool, StorefrontError> {
        let mut transaction = self.database.begin().await?;
        let added = transaction
            .execute(
                "insert into account (account_id, username, display_name, password_hash, created_at)
                 values ($1, $2, $3, $4, $5) on conflict do nothing",
                values![account.account_id.as_str(), account.username.as_str(), account.display_name.as_str(), password_hash.expose(), now],
            )
            .await?;
        if added == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        for role in &account.roles {
            transaction
                .execute(
                    "insert into account_role (account_id, role) values ($1, $2) on conflict do nothing",
                    values![account.account_id.as_str(), role.word()],
                )
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

fn account(rows: Vec<AccountRow>) -> Result<Option<(Account, Secret<String>)>, StorefrontError> {
    let mut read: Option<(Account, Secret<String>)> = None;
    for row in rows {
        let role =
            row.role.as_deref().map(|word| Role::parse(word).ok_or(StorefrontError::Corrupt { table: "account_role" })).transpose()?;
        if let Some((account, _)) = &mut read {
            account.roles.extend(role);
            continue;
        }
        let username = Username::parse(&row.username).map_err(|_| StorefrontError::Corrupt { table: "account" })?;
        let account = Account { account_id: row.account_id, username, display_name: row.display_name, roles: role.into_iter().collect() };
        read = Some((account, Secret::new(row.password_hash)));
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
