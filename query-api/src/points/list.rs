use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use chrono::{DateTime, Utc};
use database::{Time, values};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::level;
use crate::access::Buyer;
use crate::after;
use crate::failure::QueryFailure;
use crate::page::{self, Place};
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/points`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    after_position: Option<String>,
}

/// A row of `point_entry_view`.
#[derive(Debug, sqlx::FromRow)]
struct EntryRow {
    entry_id: String,
    order_id: String,
    points: i64,
    cause: String,
    entered_at: Time,
}

/// A buyer's points: the sum, and a page of what it is made of.
#[derive(Debug, Serialize)]
pub(crate) struct PointsView {
    balance: i64,
    /// Nothing spends points as yet, so what was earned is what is there.
    experience: i64,
    level: i64,
    entries: Vec<EntryView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    order_id: String,
    points: i64,
    cause: String,
    at: DateTime<Utc>,
}

const PAGE: &str = "select entry_id, order_id, points, cause, entered_at from point_entry_view where buyer_id = $1 \
     and (entered_at, entry_id) < ($2, $3) order by entered_at desc, entry_id desc limit cast($4 as bigint)";

// A sum of bigint is numeric in Postgres.
const BALANCE: &str = "select cast(coalesce(sum(points), 0) as bigint) from point_entry_view where buyer_id = $1";

/// `GET /api/v1/points`: the caller's own, the newest entries first.
pub(crate) async fn list(
    State(state): State<QueryState>,
    Buyer(buyer_id): Buyer,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<PointsView>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    after::reached(&state, &[Follower::Points], &headers, query.after_position.as_deref()).await?;
    let (balance,): (i64,) = state.views().fetch_one(BALANCE, values![&buyer_id]).await.map_err(QueryFailure::from)?;
    let values = values![buyer_id, place.at, place.id, limit + 1];
    let rows: Vec<EntryRow> = state.views().fetch_all(PAGE, values).await.map_err(QueryFailure::from)?;
    let place = |row: &EntryRow| Place { at: row.entered_at.into(), id: row.entry_id.clone() };
    let page = page::Page::new(rows, limit, place, |row| Ok::<_, Problem>(EntryView::from(row)))?;
    let (entries, next_cursor) = page.into_parts();
    Ok(Json(PointsView { balance, experience: balance, level: level::of(balance), entries, next_cursor }))
}

impl From<EntryRow> for EntryView {
    fn from(row: EntryRow) -> Self {
        Self { order_id: row.order_id, points: row.points, cause: row.cause, at: row.entered_at.into() }
    }
}
