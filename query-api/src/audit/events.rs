use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use chassis::shutdown::Shutdown;
use event_store::{LogReader, RecordedEvent};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::{self, Framing};
use super::event;
use super::filter::{self, EventsQuery};
use super::scan::Scan;
use crate::access::Auditor;
use crate::failure::QueryFailure;
use crate::page;
use crate::state::QueryState;

/// The media type of one JSON value a line.
const LINES: &str = "application/x-ndjson";

/// One page of events.
#[derive(Serialize)]
struct EventPage {
    items: Vec<Box<RawValue>>,
    /// The position of the last item, behind which to go on, also later; `null` where there is no item.
    next_after: Option<String>,
}

/// `GET /api/v1/audit/events`: a page, or every event to the end of the log as lines.
pub(crate) async fn events(
    State(state): State<QueryState>,
    Auditor: Auditor,
    Query(query): Query<EventsQuery>,
    shutdown: Shutdown,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (after, filter) = filter::read(&query)?;
    let limit = page::limit(query.limit)?;
    let log = &state.ports.log;
    let scan = Scan::filtered(log.as_ref(), after, filter).await.map_err(QueryFailure::from)?;
    if wants_lines(&headers) {
        // Lines have an end of their own; only who asks for fewer gets fewer.
        let limit = query.limit.map_or(usize::MAX, |_| to_usize(limit));
        let body = body::of(Arc::clone(log), scan, Framing::Lines, limit, shutdown).await?;
        return Ok(([(CONTENT_TYPE, LINES)], body).into_response());
    }
    Ok(Json(page(log.as_ref(), scan, to_usize(limit)).await?).into_response())
}

fn to_usize(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let wishes = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    wishes.filter_map(|wish| wish.split(';').next()).any(|media| media.trim().eq_ignore_ascii_case(LINES))
}

async fn page(log: &dyn LogReader, mut scan: Scan, limit: usize) -> Result<EventPage, QueryFailure> {
    let events = scan.next(log, limit).await?;
    // Also on the last page: the log grows, and an auditor goes on from here.
    let next_after = events.last().map(|event| event.position.to_string());
    Ok(EventPage { items: events.iter().map(raw).collect::<Result<_, _>>()?, next_after })
}

/// The event's JSON, to be embedded as it is.
pub(super) fn raw(event: &RecordedEvent) -> Result<Box<RawValue>, QueryFailure> {
    RawValue::from_string(event::to_json(event)?).map_err(QueryFailure::Event)
}
