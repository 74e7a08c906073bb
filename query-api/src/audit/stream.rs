use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Path, Query};
use chassis::problem::Problem;
use chassis::shutdown::Shutdown;
use event_store::StreamId;
use http::header::CONTENT_TYPE;

use super::body::{self, Framing};
use super::filter::NoQuery;
use super::scan::Scan;
use crate::access::Auditor;
use crate::failure::QueryFailure;
use crate::state::QueryState;

/// `GET /api/v1/audit/streams/{stream_id}`: all events of a stream; none of one that nobody has written to.
pub(crate) async fn stream(
    State(state): State<QueryState>,
    Auditor: Auditor,
    Path(stream_id): Path<String>,
    Query(NoQuery {}): Query<NoQuery>,
    shutdown: Shutdown,
) -> Result<Response, Problem> {
    let stream_id = StreamId::parse(&stream_id).ok_or_else(Problem::not_found)?;
    let log = &state.ports.log;
    let scan = Scan::of_stream(log.as_ref(), stream_id).await.map_err(QueryFailure::from)?;
    let body = body::of(Arc::clone(log), scan, Framing::Items, usize::MAX, shutdown).await?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
