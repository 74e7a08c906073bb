//! The rows of sessions.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::identity::LEEWAY;
use chrono::{DateTime, TimeDelta, Utc};
use database::{Database, Time, Transaction, values};

use crate::StorefrontError;

/// How far the clocks of our processes may be apart before a revocation is forgotten too early.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// A refresh token as it is kept, and the access token that goes with it.
pub(super) struct NewToken {
    pub(super) token_hash: String,
    pub(super) session_id: String,
    pub(super) access_token_id: String,
    pub(super) access_expires_at: DateTime<Utc>,
    pub(super) issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// What came of presenting a refresh token.
pub(super) enum Taken {
    /// It is used now, and was not before.
    Fresh { session_id: String, account_id: String },
    /// It was used before.
    Again { session_id: String },
    /// It is unknown or expired, or its session has ended.
    Refused,
}

/// A token that is revoked, and when it would have ended by itself.
pub(super) type Revoked = (String, DateTime<Utc>);

/// Bytes as text of letters, digits, `-` and `_`.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) async fn add_session(
    transaction: &mut Transaction,
    session_id: &str,
    account_id: &str,
    now: DateTime<Utc>,
) -> Result<(), StorefrontError> {
    transaction
        .execute(
            "insert into session (session_id, account_id, started_at, refreshed_at) values ($1, $2, $3, $3)",
            values![session_id, account_id, now],
        )
        .await?;
    Ok(())
}

pub(super) async fn add_token(transaction: &mut Transaction, token: &NewToken) -> Result<(), StorefrontError> {
    transaction
        .execute(
            "insert into refresh_token (token_hash, session_id, access_token_id, access_expires_at, issued_at, expires_at)
             values ($1, $2, $3, $4, $5, $6)",
            values![
                token.token_hash.as_str(),
                token.session_id.as_str(),
                token.access_token_id.as_str(),
                token.access_expires_at,
                token.issued_at,
                token.expires_at,
            ],
        )
        .await?;
    Ok(())
}

pub(super) async fn take(transaction: &mut Transaction, token_hash: &str, now: DateTime<Utc>) -> Result<Taken, StorefrontError> {
    let found: Option<(String,)> =
        transaction.fetch_optional("select session_id from refresh_token where token_hash = $1", values![token_hash]).await?;
    let Some((session_id,)) = found else { return Ok(Taken::Refused) };
    // Writing the session first locks its row: refreshing and ending one session happen one after the other.
    let live: Option<(String,)> = transaction
        .fetch_optional(
            "update session set refreshed_at = $2 where session_id = $1 and revoked_at is null returning account_id",
            values![session_id.as_str(), now],
        )
        .await?;
    let Some((account_id,)) = live else { return Ok(Taken::Refused) };
    let used: Option<(Option<Time>, Time)> =
        transaction.fetch_optional("select used_at, expires_at from refresh_token where token_hash = $1", values![token_hash]).await?;
    match used {
        Some((Some(_), _)) => Ok(Taken::Again { session_id }),
        Some((None, expires_at)) if DateTime::from(expires_at) > now => {
            transaction.execute("update refresh_token set used_at = $2 where token_hash = $1", values![token_hash, now]).await?;
            Ok(Taken::Fresh { session_id, account_id })
        }
        Some((None, _)) | None => Ok(Taken::Refused),
    }
}

/// The session that gave out the access token.
pub(super) async fn session_of(transaction: &mut Transaction, access_token_id: &str) -> Result<Option<String>, StorefrontError> {
    let found: Option<(String,)> =
        transaction.fetch_optional("select session_id from refresh_token where access_token_id = $1", values![access_token_id]).await?;
    Ok(found.map(|(session_id,)| session_id))
}

/// Ends a session. Answers its access tokens that would still be good.
pub(super) async fn revoke(transaction: &mut Transaction, session_id: &str, now: DateTime<Utc>) -> Result<Vec<Revoked>, StorefrontError> {
    transaction
        .execute("update session set revoked_at = $2 where session_id = $1 and revoked_at is null", values![session_id, now])
        .await?;
    let live: Vec<(String, Time)> = transaction
        .fetch_all(
            "select access_token_id, access_expires_at from refresh_token where session_id = $1 and access_expires_at > $2",
            values![session_id, forgotten_before(now)],
        )
        .await?;
    let mut revoked = Vec::with_capacity(live.len());
    for (access_token_id, expires_at) in live {
        revoked.extend(revoke_token(transaction, &access_token_id, expires_at.into()).await?);
    }
    Ok(revoked)
}

/// Revokes one access token that ends by itself at `expires_at`.
pub(super) async fn revoke_token(
    transaction: &mut Transaction,
    access_token_id: &str,
    expires_at: DateTime<Utc>,
) -> Result<Vec<Revoked>, StorefrontError> {
    transaction
        .execute(
            "insert into revoked_token (access_token_id, expires_at) values ($1, $2) on conflict do nothing",
            values![access_token_id, expires_at],
        )
        .await?;
    Ok(vec![(access_token_id.to_owned(), expires_at)])
}

/// Every token that is revoked and might still be good by some process's clock.
pub(super) async fn revoked(database: &Database, now: DateTime<Utc>) -> Result<Vec<Revoked>, StorefrontError> {
    let rows: Vec<(String, Time)> = database
        .fetch_all("select access_token_id, expires_at from revoked_token where expires_at > $1", values![forgotten_before(now)])
        .await?;
    Ok(rows.into_iter().map(|(access_token_id, expires_at)| (access_token_id, expires_at.into())).collect())
}

/// Tokens that ended before this time are refused by every process for their age alone.
pub(super) fn forgotten_before(now: DateTime<Utc>) -> DateTime<Utc> {
    now - LEEWAY - CLOCK_SKEW
}

pub(super) async fn purge(database: &Database, now: DateTime<Utc>, refresh_life: TimeDelta) -> Result<(), StorefrontError> {
    let before = forgotten_before(now);
    // A session's tokens go with it.
    database.execute("delete from session where refreshed_at < $1", values![before - refresh_life]).await?;
    database.execute("delete from refresh_token where expires_at < $1", values![before]).await?;
    database.execute("delete from revoked_token where expires_at < $1", values![before]).await?;
    Ok(())
}
