//! The shop's routes: products, sign-in and who one is.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use chassis::identity::TokenVerifier;
use chassis::problem::{Code, Problem};

use crate::StorefrontError;
use crate::accounts::Accounts;
use crate::catalogue::Catalogue;
use crate::sessions::Sessions;

mod me;
mod page;
mod products;
mod sessions;
#[cfg(test)]
mod tests;

/// What the shop's routes work with.
#[derive(Clone)]
pub struct RouteState {
    /// What is sold.
    pub catalogue: Arc<dyn Catalogue>,
    /// Who may sign in.
    pub accounts: Arc<Accounts>,
    /// Sign-ins.
    pub sessions: Arc<Sessions>,
    /// Judges bearer tokens.
    pub verifier: Arc<TokenVerifier>,
}

impl FromRef<RouteState> for Arc<TokenVerifier> {
    fn from_ref(state: &RouteState) -> Self {
        Arc::clone(&state.verifier)
    }
}

/// All of the shop's routes, for a process that has both sides.
pub fn routes(state: RouteState) -> Router {
    read_routes(state.clone()).merge(write_routes(state))
}

/// The routes that change nothing: products and `GET /api/v1/me`.
pub fn read_routes(state: RouteState) -> Router {
    Router::new()
        .route("/api/v1/products", get(products::list))
        .route("/api/v1/products/{id}", get(products::show))
        .route("/api/v1/me", get(me::show))
        .with_state(state)
}

/// The routes that change something: sessions.
pub fn write_routes(state: RouteState) -> Router {
    Router::new()
        .route("/api/v1/sessions", post(sessions::sign_in).delete(sessions::sign_out))
        .route("/api/v1/sessions/refresh", post(sessions::refresh))
        .with_state(state)
}

/// A store that cannot be used now says so; everything else that fails here is ours to mend.
impl From<StorefrontError> for Problem {
    fn from(error: StorefrontError) -> Self {
        let code = if error.is_temporary() { Code::StoreUnavailable } else { Code::Internal };
        Self::caused(code, &error)
    }
}
