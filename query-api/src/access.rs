//! Who may read what. The extractors stand first in each handler, so that nobody learns more before.

use std::sync::Arc;

use axum::extract::FromRef;
use axum::extract::FromRequestParts;
use chassis::identity::{Identity, Role, TokenVerifier};
use chassis::problem::{Code, Problem};
use http::request::Parts;

/// Which orders and pay records the caller may see. As an extractor: 401 without a good token, 403 without a role that
/// sees any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: operators and auditors.
    Everything,
    /// Those that this subject bought.
    BoughtBy(String),
    /// Those that this business system made.
    MadeBy(String),
    /// Either: a subject with both roles.
    BoughtOrMadeBy(String),
}

impl Scope {
    fn of(identity: Identity) -> Result<Self, Problem> {
        if identity.has(Role::Operator) || identity.has(Role::Auditor) {
            return Ok(Self::Everything);
        }
        match (identity.has(Role::Buyer), identity.has(Role::Service)) {
            (true, false) => Ok(Self::BoughtBy(identity.subject)),
            (false, true) => Ok(Self::MadeBy(identity.subject)),
            (true, true) => Ok(Self::BoughtOrMadeBy(identity.subject)),
            (false, false) => Err(Problem::new(Code::Forbidden)),
        }
    }

    /// Whether what `buyer_id` bought, through the business system `service` if one made it, may be seen.
    pub(crate) fn sees(&self, buyer_id: &str, service: Option<&str>) -> bool {
        match self {
            Self::Everything => true,
            Self::BoughtBy(subject) => subject == buyer_id,
            Self::MadeBy(subject) => service == Some(subject),
            Self::BoughtOrMadeBy(subject) => subject == buyer_id || service == Some(subject),
        }
    }
}

/// A buyer, by the token's subject. As an extractor: 401 without a good token, 403 without the role.
#[derive(Clone, Debug)]
pub(crate) struct Buyer(pub(crate) String);

/// Somebody with a role, whichever it is. As an extractor: 401 without a good token, 403 without a role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyRole;

/// An operator or an auditor: who sees what is nobody's. As an extractor: 401 without a good token, 403 without either role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overseer;

/// An auditor. As an extractor: 401 without a good token, 403 without the role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Auditor;

impl<S> FromRequestParts<S> for Scope
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::of(identity(parts, state).await?)
    }
}

impl<S> FromRequestParts<S> for Buyer
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let identity = identity(parts, state).await?;
        identity.require(Role::Buyer)?;
        Ok(Self(identity.subject))
    }
}

impl<S> FromRequestParts<S> for AnyRole
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let identity = identity(parts, state).await?;
        if identity.roles.is_empty() { Err(Problem::new(Code::Forbidden)) } else { Ok(Self) }
    }
}

impl<S> FromRequestParts<S> for Overseer
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let identity = identity(parts, state).await?;
        let may_see = identity.has(Role::Operator) || identity.has(Role::Auditor);
        may_see.then_some(Self).ok_or_else(|| Problem::new(Code::Forbidden))
    }
}

impl<S> FromRequestParts<S> for Auditor
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        identity(parts, state).await?.require(Role::Auditor)?;
        Ok(Self)
    }
}

async fn identity<S>(parts: &mut Parts, state: &S) -> Result<Identity, Problem>
where
    S: Send + Sync,
    Arc<TokenVerifier>: FromRef<S>,
{
    <Identity as FromRequestParts<S>>::from_request_parts(parts, state).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(roles: &[Role]) -> Result<Scope, Problem> {
        Scope::of(Identity { subject: "sam".to_owned(), roles: roles.to_vec(), token_id: "t".to_owned() })
    }

    #[test]
    fn each_role_sees_its_own_and_operators_and_auditors_see_all() {
        assert_eq!(scope(&[Role::Buyer]).unwrap(), Scope::BoughtBy("sam".to_owned()));
        assert_eq!(scope(&[Role::Service]).unwrap(), Scope::MadeBy("sam".to_owned()));
        assert_eq!(scope(&[Role::Service, Role::Buyer]).unwrap(), Scope::BoughtOrMadeBy("sam".to_owned()));
        assert_eq!(scope(&[Role::Buyer, Role::Operator]).unwrap(), Scope::Everything);
        assert_eq!(scope(&[Role::Auditor]).unwrap(), Scope::Everything);
        assert_eq!(scope(&[]).unwrap_err().code, Code::Forbidden);
    }

    #[test]
    fn what_is_anothers_is_not_seen() {
        for (roles, own, through, neither) in [
            (&[Role::Buyer][..], true, false, false),
            (&[Role::Service], false, true, false),
            (&[Role::Buyer, Role::Service], true, true, false),
            (&[Role::Operator], true, true, true),
        ] {
            let scope = scope(roles).unwrap();
            assert_eq!(scope.sees("sam", Some("library")), own, "{roles:?}");
            assert_eq!(scope.sees("ann", Some("sam")), through, "{roles:?}");
            assert_eq!(scope.sees("ann", None), neither, "{roles:?}");
        }
    }
}
