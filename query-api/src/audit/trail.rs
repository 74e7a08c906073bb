use axum::extract::State;
use chassis::extract::{Json, Path, Query};
use chassis::problem::Problem;
use domain::{OrderId, SelectionId};
use event_store::{LogReader, RecordedEvent, StreamId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::events::raw;
use super::filter::NoQuery;
use super::scan::{CHUNK, Scan};
use crate::access::Auditor;
use crate::failure::QueryFailure;
use crate::state::QueryState;

/// An order's trail.
#[derive(Serialize)]
pub(crate) struct Trail {
    items: Vec<Box<RawValue>>,
}

/// What an order was made from, as its first event says.
#[derive(Deserialize)]
struct Origin {
    source: String,
    out_business_id: String,
}

/// `GET /api/v1/audit/orders/{order_id}/trail`: the events of the order, its pay records and the course selection that it
/// was made from, in the order in which they happened.
pub(crate) async fn trail(
    State(state): State<QueryState>,
    Auditor: Auditor,
    Path(order_id): Path<OrderId>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<Trail>, Problem> {
    let log = state.ports.log.as_ref();
    let mut events = all(log, &format!("order-{order_id}")).await?;
    if events.is_empty() {
        return Err(Problem::not_found());
    }
    if let Some(selection_id) = selection(&events)? {
        events.extend(all(log, &format!("course_selection-{selection_id}")).await?);
        events.sort_by_key(|event| event.position);
    }
    Ok(Json(Trail { items: events.iter().map(raw).collect::<Result<_, _>>()? }))
}

/// The whole stream: those of orders and course selections are short.
async fn all(log: &dyn LogReader, stream_id: &str) -> Result<Vec<RecordedEvent>, QueryFailure> {
    let Some(stream_id) = StreamId::parse(stream_id) else { return Ok(Vec::new()) };
    let mut scan = Scan::of_stream(log, stream_id).await?;
    let mut events = Vec::new();
    loop {
        let read = scan.next(log, CHUNK).await?;
        if read.is_empty() {
            return Ok(events);
        }
        events.extend(read);
    }
}

fn selection(events: &[RecordedEvent]) -> Result<Option<SelectionId>, QueryFailure> {
    let Some(created) = events.iter().find(|event| event.event_type == "OrderCreated") else { return Ok(None) };
    let origin: Origin = serde_json::from_str(&created.data).map_err(QueryFailure::Event)?;
    if origin.source == "course_selection" { Ok(origin.out_business_id.parse().ok()) } else { Ok(None) }
}
