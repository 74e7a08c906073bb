//! The control routes: what no channel has and every test needs.

mod bills;
mod clock;
mod faults;
mod refunds;
mod trades;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use chassis::extract::Json;
use chassis::problem::{Code, Problem};
use serde::Deserialize;

use crate::{Credentials, Sandbox, SandboxError};

/// The control routes of the contract.
pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/credentials", get(credentials))
        .route("/sandbox/trades/{out_trade_no}", get(trades::show))
        .route("/sandbox/trades/{out_trade_no}/pay", post(trades::pay))
        .route("/sandbox/trades/{out_trade_no}/refund", post(refunds::refund))
        .route("/sandbox/faults", post(faults::add))
        .route("/sandbox/bills/{date}", get(bills::show))
        .route("/sandbox/clock", get(clock::show).post(clock::advance))
}

/// From when a channel signs with a new key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Use {
    /// From now on.
    #[default]
    Now,
    /// It is published, and the one before it is used on.
    Later,
}

/// `GET /sandbox/credentials`: what a merchant of this sandbox holds.
async fn credentials(State(sandbox): State<Arc<Sandbox>>) -> Json<Credentials> {
    Json(sandbox.credentials())
}

/// What a client is told of a failure of the sandbox.
pub(crate) fn problem(error: &SandboxError) -> Problem {
    match error {
        SandboxError::Contended => Problem::new(Code::Busy),
        SandboxError::Store(error) => Problem::caused(Code::StoreUnavailable, error),
        error => Problem::internal(error),
    }
}
