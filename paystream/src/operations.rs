//! What subcommands ask of a running server, because it holds the embedded log. Operators only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chassis::extract::{Json, Path};
use chassis::identity::{Identity, Role, TokenVerifier};
use chassis::problem::{Problem, field};
use followers::{ParkingDesk, ParkingDeskError};
use projections::{Rebuilt, View};
use serde::{Deserialize, Serialize};

use crate::app::Parts;
use crate::parked::{self, ParkedCommand, ParkedError};

/// Where a view is made again.
pub(crate) fn rebuild_path(view: View) -> String {
    format!("/api/v1/operations/views/{view}/rebuild")
}

/// What a rebuild did, for people.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RebuildAnswer {
    pub(crate) events: u64,
    pub(crate) events_per_second: u64,
    pub(crate) tables: Vec<RebuiltTable>,
    pub(crate) position: String,
}

/// How many rows a table has now.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RebuiltTable {
    pub(crate) table: String,
    pub(crate) rows: u64,
}

impl From<&Rebuilt> for RebuildAnswer {
    fn from(rebuilt: &Rebuilt) -> Self {
        Self {
            events: rebuilt.events,
            events_per_second: rebuilt.events_per_second(),
            tables: rebuilt.rows.iter().map(|(table, rows)| RebuiltTable { table: (*table).to_owned(), rows: *rows }).collect(),
            position: rebuilt.position.to_string(),
        }
    }
}

#[derive(Clone)]
struct Operations(Arc<Parts>);

impl FromRef<Operations> for Arc<TokenVerifier> {
    fn from_ref(operations: &Operations) -> Self {
        Self::clone(&operations.0.verifier)
    }
}

/// The routes of operations.
pub(crate) fn routes(parts: Arc<Parts>) -> Router {
    Router::new()
        .route("/api/v1/operations/views/{view}/rebuild", post(rebuild))
        .route(parked::PATH, post(act_on_parked))
        .with_state(Operations(parts))
}

async fn rebuild(State(Operations(parts)): State<Operations>, identity: Identity, Path(view): Path<String>) -> Result<Response, Problem> {
    identity.require(Role::Operator)?;
    let view: View = view.parse().map_err(|_| Problem::not_found())?;
    let rebuilt = projections::rebuild(view, &parts.views, &parts.log.reader(), parts.clock.as_ref()).await;
    let rebuilt = rebuilt.map_err(|error| Problem::internal(&error))?;
    Ok(Json(RebuildAnswer::from(&rebuilt)).into_response())
}

async fn act_on_parked(
    State(Operations(parts)): State<Operations>,
    identity: Identity,
    Json(command): Json<ParkedCommand>,
) -> Result<Response, Problem> {
    identity.require(Role::Operator)?;
    let desk = ParkingDesk::new(parts.views.clone());
    let answer = parked::act(&desk, command, parts.clock().now()).await.map_err(|error| match error {
        ParkedError::State(error) => Problem::invalid("state", field::MALFORMED, error.to_string()),
        ParkedError::Reason => Problem::invalid("reason", field::OUT_OF_RANGE, error.to_string()),
        ParkedError::Desk(ParkingDeskError::Unknown) => Problem::not_found(),
        ParkedError::Desk(error @ (ParkingDeskError::Skipped | ParkingDeskError::Changed)) => {
            Problem::invalid("id", field::MALFORMED, error.to_string())
        }
        ParkedError::Desk(error) => Problem::internal(&error),
    })?;
    Ok(Json(answer).into_response())
}
