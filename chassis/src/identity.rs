//! Who is asking: an identity from a signed token, and what its roles allow.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

mod issuer;
mod key;
mod verifier;

pub use issuer::{IssuedToken, TOKEN_LIFE, TokenIssuer};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use verifier::{LEEWAY, RevokedTokens, TokenError, TokenVerifier};

/// What an identity may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys for itself and sees what is its own.
    Buyer,
    /// Another business system, orders for its users.
    Service,
    /// Works here: sees everything, does what needs a reason.
    Operator,
    /// Reads everything, writes nothing.
    Auditor,
}

impl Role {
    /// Every role there is.
    pub const ALL: [Self; 4] = [Self::Buyer, Self::Service, Self::Operator, Self::Auditor];

    /// The word in the token's `roles`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Service => "service",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }

    /// The role of a word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Who is asking. As an extractor: 401 unless the request shows one good bearer token; `Option<Identity>` is
/// `None` where no token is shown, and still 401 for a bad one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token's `sub`: the account or the service.
    pub subject: String,
    /// The token's roles that exist here.
    pub roles: Vec<Role>,
    /// The token's own id (`jti`), by which it can be revoked.
    pub token_id: String,
}

impl Identity {
    /// True if this identity has `role`.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Errors: 403 without `role`.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        self.require_any(&[role])
    }

    /// Errors: 403 without at least one of `roles`.
    pub fn require_any(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.iter().any(|&role| self.has(role)) { Ok(()) } else { Err(Problem::new(Code::Forbidden)) }
    }
}

impl<S> FromRequestParts<S> for Identity
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let shown = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        shown.ok_or_else(|| Problem::new(Code::Unauthenticated))
    }
}

impl<S> OptionalFromRequestParts<S> for Identity
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        // Whoever counted the request has looked at the token already.
        if let Some(identity) = parts.extensions.get::<Self>() {
            return Ok(Some(identity.clone()));
        }
        match bearer(&parts.headers)? {
            None => Ok(None),
            Some(token) => Arc::<TokenVerifier>::from_ref(state).verify(token).map(Some).map_err(Problem::from),
        }
    }
}

/// The bearer token of a request. Two of them, or another kind of authorization, are as bad as a wrong one.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match (token, values.next()) {
        (Some((_, token)), None) => Ok(Some(token.trim())),
        _ => Err(Problem::token_refused()),
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let problem = Self::token_refused();
        match error {
            // The only two that whoever holds the token can do something about.
            TokenError::Expired => problem.detail("The token has expired. Please sign in again.").detail_zh("登录已过期，请重新登录。"),
            TokenError::Revoked => problem.detail("The token was revoked. Please sign in again.").detail_zh("登录已失效，请重新登录。"),
            TokenError::Malformed
            | TokenError::UnknownKey
            | TokenError::Forged
            | TokenError::NotYetValid
            | TokenError::WrongIssuer
            | TokenError::WrongAudience => problem,
        }
    }
}

#[cfg(test)]
mod tests;
