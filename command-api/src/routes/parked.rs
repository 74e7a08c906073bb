//! What operators ask about messages that consumers could not take. Every process answers it, whatever its roles, since
//! whichever holds the embedded log must.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chassis::correlation::Correlation;
use chassis::extract::Json;
use chassis::identity::TokenVerifier;
use chassis::problem::{Code, Problem};
use serde_json::json;

use crate::caller::Caller;
use crate::parked::{ParkedActs, ParkedCommand};
use crate::routes::role::InOperator;
use crate::routes::{answer, caller_key};

/// Where a running server is asked about parked messages.
pub const PARKED_PATH: &str = "/api/v1/operations/parked";

#[derive(Clone)]
struct ParkedApi {
    acts: Arc<ParkedActs>,
    verifier: Arc<TokenVerifier>,
}

impl FromRef<ParkedApi> for Arc<TokenVerifier> {
    fn from_ref(api: &ParkedApi) -> Self {
        Self::clone(&api.verifier)
    }
}

/// The route `POST /api/v1/operations/parked`.
pub fn parked_routes(acts: Arc<ParkedActs>, verifier: Arc<TokenVerifier>) -> Router {
    Router::new().route(PARKED_PATH, post(act)).with_state(ParkedApi { acts, verifier })
}

async fn act(
    State(api): State<ParkedApi>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    Json(command): Json<ParkedCommand>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let content = json!(command).to_string();
    let key = caller_key(&headers, &identity.subject, &format!("POST {PARKED_PATH}"), &content)?;
    let (reply, done) = api.acts.command(&caller, command, key.as_ref(), correlation_id).await?;
    Ok(match done {
        Some((position, replayed)) => answer(StatusCode::OK, json!(reply), position, replayed),
        None => Json(reply).into_response(),
    })
}
