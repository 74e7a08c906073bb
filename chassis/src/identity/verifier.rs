//! Judging tokens.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Identity, Role, VerifyingKey};
use crate::clock::Clock;

/// How far the clocks of issuer and verifier may be apart.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// The longest token that is looked at, in bytes.
const TOKEN_LIMIT: usize = 8 * 1024;

/// Tells which tokens were taken back before their time. Asked on every request: answers from memory.
pub trait RevokedTokens: Send + Sync {
    /// True if the token with this id (`jti`) is no longer good.
    fn is_revoked(&self, token_id: &str) -> bool;
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token of the needed form, or of another algorithm.
    #[error("the token is malformed")]
    Malformed,
    /// Signed with a key that is not known here.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature does not match.
    #[error("the token's signature does not match")]
    Forged,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Made by someone else.
    #[error("the token has another issuer")]
    WrongIssuer,
    /// Made for someone else.
    #[error("the token has another audience")]
    WrongAudience,
    /// Taken back.
    #[error("the token was revoked")]
    Revoked,
}

/// Judges tokens by the keys it knows.
pub struct TokenVerifier {
    keys: RwLock<HashMap<String, VerifyingKey>>,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    revoked: Option<Arc<dyn RevokedTokens>>,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
    exp: i64,
    nbf: Option<i64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl TokenVerifier {
    /// Knows `keys`, and takes what `issuer` made for `audience`, at the times of `clock`.
    pub fn new(
        keys: impl IntoIterator<Item = VerifyingKey>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // The library would compare with the machine's clock; all claims are judged here instead.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { keys: RwLock::new(by_id(keys)), issuer: issuer.into(), audience: audience.into(), clock, revoked: None, validation }
    }

    /// Also refuses what `revoked` names.
    #[must_use]
    pub fn with_revoked(self, revoked: Arc<dyn RevokedTokens>) -> Self {
        Self { revoked: Some(revoked), ..self }
    }

    /// Knows these keys from now on, and no others.
    pub fn know(&self, keys: impl IntoIterator<Item = VerifyingKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = by_id(keys);
    }

    fn key(&self, key_id: &str) -> Option<VerifyingKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(key_id).cloned()
    }

    /// The identity that a token proves.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        if token.len() > TOKEN_LIMIT {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Malformed);
        }
        let key = header.kid.and_then(|key_id| self.key(&key_id)).ok_or(TokenError::UnknownKey)?;
        let claims = decode::<Claims>(token, &key.decoding, &self.validation).map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => TokenError::Forged,
            _ => TokenError::Malformed,
        })?;
        self.judge(&claims.claims)?;
        Ok(Identity {
            subject: claims.claims.sub,
            // A role that is not known here allows nothing here, and does not make the token worse.
            roles: claims.claims.roles.iter().filter_map(|word| Role::parse(word)).collect(),
            token_id: claims.claims.jti,
        })
    }

    fn judge(&self, claims: &Claims) -> Result<(), TokenError> {
        let now = self.clock.now();
        if claims.iss != self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        let is_for_us = match &claims.aud {
            Audience::One(audience) => *audience == self.audience,
            Audience::Several(audiences) => audiences.contains(&self.audience),
        };
        if !is_for_us {
            return Err(TokenError::WrongAudience);
        }
        if claims.sub.is_empty() {
            return Err(TokenError::Malformed);
        }
        if claims.nbf.is_some_and(|from| from > (now + LEEWAY).timestamp()) {
            return Err(TokenError::NotYetValid);
        }
        if claims.exp <= (now - LEEWAY).timestamp() {
            return Err(TokenError::Expired);
        }
        if self.revoked.as_ref().is_some_and(|revoked| revoked.is_revoked(&claims.jti)) {
            return Err(TokenError::Revoked);
        }
        Ok(())
    }
}

fn by_id(keys: impl IntoIterator<Item = VerifyingKey>) -> HashMap<String, VerifyingKey> {
    keys.into_iter().map(|key| (key.key_id().to_owned(), key)).collect()
}
