//! What subcommands ask of a running server, because it holds the embedded log. Operators only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chassis::extract::{Json, Path};
use chassis::identity::{Identity, Role, TokenVerifier};
use chassis::problem::Problem;
use projections::{Rebuilt, View};
use serde::{Deserialize, Serialize};

use crate::app::Parts;

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
    let parked = command_api::parked_routes(parts.parked_acts(), Arc::clone(&parts.verifier));
    Router::new().route("/api/v1/operations/views/{view}/rebuild", post(rebuild)).with_state(Operations(parts)).merge(parked)
}

async fn rebuild(State(Operations(parts)): State<Operations>, identity: Identity, Path(view): Path<String>) -> Result<Response, Problem> {
    identity.require(Role::Operator)?;
    let view: View = view.parse().map_err(|_| Problem::not_found())?;
    let rebuilt = projections::rebuild(view, &parts.views, &parts.log.reader(), parts.clock.as_ref()).await;
    let rebuilt = rebuilt.map_err(|error| Problem::internal(&error))?;
    Ok(Json(RebuildAnswer::from(&rebuilt)).into_response())
}
