//! Making tokens.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, encode};
use serde::Serialize;

use super::{Role, SigningKey};
use crate::clock::Clock;
use crate::ids::{IdSource, SystemIds};
use crate::secret::Secret;

/// How long a token is good unless told otherwise.
pub const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(15);

/// Signs tokens for identities.
pub struct TokenIssuer {
    key: RwLock<Arc<SigningKey>>,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    ids: SystemIds,
}

/// A token just made.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// What the client shows as its bearer token.
    pub token: Secret<String>,
    /// The token's own id (`jti`).
    pub token_id: String,
    /// The first moment at which it is no longer good, in whole seconds.
    pub expires_at: DateTime<Utc>,
    /// How long that is from now, in seconds.
    pub expires_in_s: i64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    roles: &'a [Role],
    iat: i64,
    exp: i64,
    jti: &'a str,
}

impl TokenIssuer {
    /// Signs with `key` as `issuer` for `audience`, at the times of `clock`.
    pub fn new(key: SigningKey, issuer: impl Into<String>, audience: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let ids = SystemIds::new(Arc::clone(&clock));
        Self { key: RwLock::new(Arc::new(key)), issuer: issuer.into(), audience: audience.into(), clock, ids }
    }

    /// A token for `subject` that is good for [`TOKEN_LIFE`].
    pub fn issue(&self, subject: &str, roles: &[Role]) -> IssuedToken {
        self.issue_for(subject, roles, TOKEN_LIFE)
    }

    /// A token for `subject` that is good for `life`, in whole seconds.
    pub fn issue_for(&self, subject: &str, roles: &[Role], life: TimeDelta) -> IssuedToken {
        let issued_at = self.clock.now().timestamp();
        let expires_at = issued_at.saturating_add(life.num_seconds());
        let token_id = self.ids.event_id().to_string();
        let claims =
            Claims { iss: &self.issuer, aud: &self.audience, sub: subject, roles, iat: issued_at, exp: expires_at, jti: &token_id };
        let key = self.key();
        let header = Header { kid: Some(key.key_id().to_owned()), ..Header::new(Algorithm::EdDSA) };
        let token = encode(&header, &claims, &key.encoding).expect("a key that was read as Ed25519 signs any claims");
        IssuedToken {
            token: Secret::new(token),
            token_id,
            expires_at: DateTime::from_timestamp(expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC),
            expires_in_s: life.num_seconds(),
        }
    }

    /// The key whose verifying half the other processes need.
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs with `key` from now on. Every process should know its verifying half by then.
    pub fn sign_with(&self, key: SigningKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}
