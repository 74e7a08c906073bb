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
use super::filter::{EventsQuery, Filter};
use super::scan::{CHUNK, Scan};
use crate::access::Auditor;
use crate::failure::QueryFailure;
use crate::page;
use crate::state::QueryState;

/// The media type of one JSON value a line.
const LINES: &str = "application/x-ndjson";

/// How many events one page looks through for those that are wanted; a page may therefore have few or none and still
/// not be the last.
const LOOK_LIMIT: usize = 10_000;

/// One page of events.
#[derive(Serialize)]
struct EventPage {
    items: Vec<Box<RawValue>>,
    /// Where to go on; `null` at the end of the log.
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
    let filter = Filter::read(&query)?;
    let limit = page::limit(query.limit)?;
    if wants_lines(&headers) {
        // Lines have an end of their own; only who asks for fewer gets fewer.
        let limit = query.limit.map_or(usize::MAX, |_| to_usize(limit));
        let body = body::of(Arc::clone(&state.ports.log), filter, Framing::Lines, limit, shutdown).await?;
        return Ok(([(CONTENT_TYPE, LINES)], body).into_response());
    }
    let page = page(state.ports.log.as_ref(), &filter, to_usize(limit)).await?;
    Ok(Json(page).into_response())
}

fn to_usize(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let wishes = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    wishes.filter_map(|wish| wish.split(';').next()).any(|media| media.trim().eq_ignore_ascii_case(LINES))
}

async fn page(log: &dyn LogReader, filter: &Filter, limit: usize) -> Result<EventPage, QueryFailure> {
    let mut scan = Scan::begin(log, filter).await?;
    let (mut items, mut looked) = (Vec::new(), 0);
    loop {
        let events = scan.next(log, CHUNK).await?;
        if events.is_empty() {
            return Ok(EventPage { items, next_after: None });
        }
        for event in &events {
            looked += 1;
            if filter.admits(event) {
                items.push(raw(event)?);
            }
            if items.len() == limit || looked == LOOK_LIMIT {
                return Ok(EventPage { items, next_after: Some(event.position.to_string()) });
            }
        }
    }
}

/// The event's JSON, to be embedded as it is.
pub(super) fn raw(event: &RecordedEvent) -> Result<Box<RawValue>, QueryFailure> {
    RawValue::from_string(event::to_json(event)?).map_err(QueryFailure::Event)
}
