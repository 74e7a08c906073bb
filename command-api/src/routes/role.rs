//! Who may call a route, judged before its body is read: whoever may not is told nothing about the body.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use chassis::identity::{Identity, Role, TokenVerifier};
use chassis::problem::Problem;

macro_rules! in_role {
    ($(#[$doc:meta])* $name:ident: $($role:ident),+) => {
        $(#[$doc])*
        pub(super) struct $name(pub(super) Identity);

        impl $name {
            /// The roles that the route takes, the first that the token has counts.
            pub(super) const ROLES: &'static [Role] = &[$(Role::$role),+];
        }

        impl<S> FromRequestParts<S> for $name
        where
            S: Send + Sync,
            Arc<TokenVerifier>: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, api: &S) -> Result<Self, Problem> {
                let identity = Identity::from_request_parts(parts, api).await?;
                identity.require_any(Self::ROLES)?;
                Ok(Self(identity))
            }
        }
    };
}

in_role!(
    /// A buyer.
    InBuyer: Buyer
);
in_role!(
    /// A buyer, or another business system.
    InBuyerOrService: Buyer, Service
);
in_role!(
    /// An operator, or a buyer.
    InOperatorOrBuyer: Operator, Buyer
);
in_role!(
    /// An operator.
    InOperator: Operator
);
