use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Json, Path, Query};
use chassis::problem::Problem;
use database::values;
use domain::OrderId;
use event_store::Position;
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::row::{OrderRow, order_columns};
use super::view::OrderView;
use crate::access::Scope;
use crate::after;
use crate::etag::EntityTag;
use crate::failure::QueryFailure;
use crate::progress::{Behind, Follower};
use crate::state::QueryState;
use crate::{pay_records, refunds};

/// How long an order waits for its pay records and refunds to come as far as it is itself. The two views have followers of their own;
/// where the other one stands still, what is known is shown all the same.
const COMPANION_LIMIT: Duration = Duration::from_millis(500);

/// The parameters of routes that show one thing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    /// See [`after`].
    pub(crate) after_position: Option<String>,
}

/// An order and how far its pay records and refunds have come, which one follower makes.
#[derive(sqlx::FromRow)]
struct OrderNow {
    #[sqlx(flatten)]
    order: OrderRow,
    pay_records_position: i64,
}

/// What one reading of an order found.
pub(super) struct Reading {
    /// The revision of its stream up to which the order is shown.
    pub(super) revision: i64,
    /// Whether the pay records and refunds are shown up to there too, so that the revision names the whole.
    pub(super) is_whole: bool,
    /// What is shown.
    pub(super) view: OrderView,
}

const ONE: &str = concat!(
    "select ",
    order_columns!(),
    ", coalesce((select position from follower_checkpoint where name = 'pay_records'), 0) as pay_records_position \
     from order_view where order_id = $1"
);

/// `GET /api/v1/orders/{order_id}`
pub(crate) async fn show(
    State(state): State<QueryState>,
    scope: Scope,
    Path(order_id): Path<OrderId>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let followers = [Follower::Orders, Follower::PayRecords];
    after::reached(&state, &followers, &headers, query.after_position.as_deref()).await?;
    let reading = read(&state, &scope, order_id).await?.ok_or_else(Problem::not_found)?;
    if !reading.is_whole {
        return Ok(Json(reading.view).into_response());
    }
    let tag = EntityTag::of_revision(reading.revision);
    if tag.is_held_by(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.to_header())]).into_response());
    }
    Ok(([(ETAG, tag.to_header())], Json(reading.view)).into_response())
}

/// Reads an order with its pay records and refunds; `None` where there is none that `scope` sees.
pub(super) async fn read(state: &QueryState, scope: &Scope, order_id: OrderId) -> Result<Option<Reading>, QueryFailure> {
    let found: Option<OrderNow> = state.views().fetch_optional(ONE, values![order_id.to_string()]).await?;
    let Some(OrderNow { order, pay_records_position }) = found else { return Ok(None) };
    if !scope.sees(&order.buyer_id, order.service.as_deref()) {
        return Ok(None);
    }
    let is_whole = pay_records_position >= order.position || pay_records_have_reached(state, order.position).await?;
    let pay_records = pay_records::of_order(state, &order.order_id).await?;
    let refunds = refunds::of_order(state, &order.order_id).await?;
    Ok(Some(Reading { revision: order.revision, is_whole, view: OrderView::new(order, pay_records, refunds)? }))
}

async fn pay_records_have_reached(state: &QueryState, position: i64) -> Result<bool, QueryFailure> {
    let position = Position::new(position).ok_or(QueryFailure::Row("its position is below zero"))?;
    match state.progress.reach_within(COMPANION_LIMIT, &[Follower::PayRecords], position).await {
        Ok(()) => Ok(true),
        Err(Behind::Late) => Ok(false),
        Err(Behind::Unreadable(error)) => Err(error.into()),
    }
}
