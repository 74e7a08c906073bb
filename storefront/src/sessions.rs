//! Sign-ins: a short access token, and a refresh token that is changed for a new one each time it is used.

use std::sync::Arc;
use std::time::Duration;

use chassis::client_address::ClientAddress;
use chassis::clock::Clock;
use chassis::identity::{IssuedToken, TokenIssuer};
use chassis::ids::{IdSource, random_bytes};
use chassis::problem::Chain;
use chassis::rate_limit::RetryAfter;
use chassis::secret::Secret;
use chassis::shutdown::Shutdown;
use chrono::{DateTime, TimeDelta, Utc};
use database::Database;

use crate::StorefrontError;
use crate::accounts::{Account, Accounts, PasswordError, Passwords, Username};

mod limits;
mod revocation;
mod rows;

pub use limits::SessionLimits;
pub use revocation::{KNOWN_WITHIN, RevocationList};

use limits::Limits;
use rows::{NewToken, Taken};

/// Bytes of a refresh token: nobody guesses 256 bits.
const REFRESH_TOKEN_LEN: usize = 32;

/// How long a token is remembered as revoked that no session here gave out, so that its own end is not known.
const FOREIGN_TOKEN_MEMORY: TimeDelta = TimeDelta::days(400);

/// How often what has ended long ago is deleted.
const PURGE_INTERVAL: Duration = Duration::from_hours(1);

/// How sessions behave.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// How long a refresh token can be used. A session lives on as long as it is refreshed within this time.
    pub refresh_life: TimeDelta,
    /// How often may be tried.
    pub limits: SessionLimits,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { refresh_life: TimeDelta::days(30), limits: SessionLimits::default() }
    }
}

/// What a sign-in or a refresh gives.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// The bearer token.
    pub access_token: Secret<String>,
    /// Good for one refresh.
    pub refresh_token: Secret<String>,
    /// How long the access token is good from now, in seconds.
    pub expires_in_s: i64,
}

/// Why a session was not begun or refreshed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no such account, or it has another password. Which of the two is not told.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// The refresh token is unknown, used, expired, or its session has ended.
    #[error("the refresh token is not good")]
    RefreshRefused,
    /// Tried too often.
    #[error("tried too often, wait {} s", .0.seconds)]
    TooMany(RetryAfter),
    /// Too many sign-ins wait at this moment.
    #[error("too many sign-ins wait")]
    Busy,
    /// The state failed.
    #[error("the session could not be kept")]
    Failed(#[from] StorefrontError),
}

impl From<PasswordError> for SessionError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            failed @ PasswordError::Failed(_) => Self::Failed(StorefrontError::Password(failed)),
        }
    }
}

/// What sessions are made with.
pub struct SessionParts {
    /// An area `State` that was migrated.
    pub database: Database,
    /// The process's one queue of passwords.
    pub passwords: Passwords,
    /// Signs access tokens.
    pub issuer: Arc<TokenIssuer>,
    /// The process's one list of revoked tokens, which its token verifier asks.
    pub revoked: Arc<RevocationList>,
    /// Ids of sessions, and refresh tokens.
    pub ids: Arc<dyn IdSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Begins, goes on with and ends sessions.
pub struct Sessions {
    parts: SessionParts,
    accounts: Accounts,
    refresh_life: TimeDelta,
    limits: Limits,
}

impl Sessions {
    /// Sessions in the state's tables.
    pub fn new(parts: SessionParts, config: &SessionConfig) -> Self {
        let accounts = Accounts::new(parts.database.clone());
        Self { parts, accounts, refresh_life: config.refresh_life, limits: Limits::new(&config.limits) }
    }

    /// Begins a session. Takes as long for a name that nobody has.
    ///
    /// Errors: `WrongCredentials`, `TooMany`, `Busy`, `Failed`.
    pub async fn sign_in(&self, username: &str, password: Secret<String>, address: ClientAddress) -> Result<TokenPair, SessionError> {
        let now = self.now();
        self.limits.count_attempt(address, now)?;
        let username = Username::parse(username).ok();
        self.limits.look_at_failures(username.as_ref(), now)?;
        let found = match &username {
            Some(username) => self.accounts.for_sign_in(username).await?,
            None => None,
        };
        let (account, kept) = found.unzip();
        let matches = self.parts.passwords.matches(password, kept).await?;
        let Some(account) = account.filter(|_| matches) else {
            self.limits.count_failure(username.as_ref(), now)?;
            return Err(SessionError::WrongCredentials);
        };
        self.begin(&account).await
    }

    /// Changes a refresh token for new tokens, with the roles that the account has now.
    ///
    /// A token that was changed before is in two hands: its session ends, and with it every token that it gave out.
    ///
    /// Errors: `RefreshRefused`, `TooMany`, `Failed`.
    pub async fn refresh(&self, refresh_token: &Secret<String>, address: ClientAddress) -> Result<TokenPair, SessionError> {
        let now = self.now();
        self.limits.count_attempt(address, now)?;
        let token_hash = hash(refresh_token);
        let mut transaction = self.parts.database.begin().await.map_err(StorefrontError::from)?;
        let (session_id, account_id) = match rows::take(&mut transaction, &token_hash, now).await? {
            Taken::Fresh { session_id, account_id } => (session_id, account_id),
            Taken::Refused => return Err(SessionError::RefreshRefused),
            Taken::Again { session_id } => {
                let revoked = rows::revoke(&mut transaction, &session_id, now).await?;
                transaction.commit().await.map_err(StorefrontError::from)?;
                self.parts.revoked.note(revoked);
                tracing::warn!(session.id = session_id, "a refresh token came a second time; its session has ended");
                return Err(SessionError::RefreshRefused);
            }
        };
        // The account cannot be gone: its session would have gone with it.
        let account = Accounts::within(&mut transaction, &account_id).await?.ok_or(SessionError::RefreshRefused)?;
        let (pair, token) = self.make_tokens(&account, session_id, now);
        rows::add_token(&mut transaction, &token).await?;
        transaction.commit().await.map_err(StorefrontError::from)?;
        Ok(pair)
    }

    /// Ends the session that gave out the access token `token_id`: none of its tokens is good any more, here at once and
    /// in every process within [`KNOWN_WITHIN`]. Ending it again changes nothing.
    ///
    /// A token from elsewhere, for instance of `paystream token`, is revoked alone.
    pub async fn sign_out(&self, token_id: &str) -> Result<(), SessionError> {
        let now = self.now();
        let mut transaction = self.parts.database.begin().await.map_err(StorefrontError::from)?;
        let revoked = match rows::session_of(&mut transaction, token_id).await? {
            Some(session_id) => rows::revoke(&mut transaction, &session_id, now).await?,
            None => rows::revoke_token(&mut transaction, token_id, now + FOREIGN_TOKEN_MEMORY).await?,
        };
        transaction.commit().await.map_err(StorefrontError::from)?;
        self.parts.revoked.note(revoked);
        Ok(())
    }

    /// Deletes what can no longer make a difference: sessions that were not refreshed in time, refresh tokens and
    /// revocations of tokens that have ended.
    pub async fn purge(&self) -> Result<(), StorefrontError> {
        rows::purge(&self.parts.database, self.now(), self.refresh_life).await
    }

    /// Purges from time to time, until `shutdown`.
    pub async fn run(&self, shutdown: &Shutdown) {
        loop {
            if let Err(error) = self.purge().await {
                tracing::warn!(error = %Chain(&error), "sessions that have ended were not deleted");
            }
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(PURGE_INTERVAL) => {}
            }
        }
    }

    async fn begin(&self, account: &Account) -> Result<TokenPair, SessionError> {
        // Comparing the password may have waited.
        let now = self.now();
        let session_id = self.parts.ids.event_id().to_string();
        let (pair, token) = self.make_tokens(account, session_id, now);
        let mut transaction = self.parts.database.begin().await.map_err(StorefrontError::from)?;
        rows::add_session(&mut transaction, &token.session_id, &account.account_id, now).await?;
        rows::add_token(&mut transaction, &token).await?;
        transaction.commit().await.map_err(StorefrontError::from)?;
        Ok(pair)
    }

    /// The tokens for the client, and what is kept of them.
    fn make_tokens(&self, account: &Account, session_id: String, now: DateTime<Utc>) -> (TokenPair, NewToken) {
        let IssuedToken { token, token_id, expires_at, expires_in_s } = self.parts.issuer.issue(&account.account_id, &account.roles);
        let refresh_token = Secret::new(rows::encode(&random_bytes::<REFRESH_TOKEN_LEN>(self.parts.ids.as_ref())));
        let kept = NewToken {
            token_hash: hash(&refresh_token),
            session_id,
            access_token_id: token_id,
            access_expires_at: expires_at,
            issued_at: now,
            expires_at: now + self.refresh_life,
        };
        (TokenPair { access_token: token, refresh_token, expires_in_s }, kept)
    }

    fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }
}

fn hash(refresh_token: &Secret<String>) -> String {
    use sha2::{Digest, Sha256};
    rows::encode(&Sha256::digest(refresh_token.expose()))
}

#[cfg(test)]
mod tests;
