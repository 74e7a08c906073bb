//! The stock of one SKU.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Json, Path, Query};
use chassis::problem::Problem;
use database::values;
use domain::SkuId;
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::access::AnyRole;
use crate::after;
use crate::etag::EntityTag;
use crate::failure::QueryFailure;
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/stock/{sku_id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    after_position: Option<String>,
}

/// A row of `stock_view`.
#[derive(Debug, sqlx::FromRow)]
struct StockRow {
    sku_id: String,
    on_hand: i64,
    reserved: i64,
    sold: i64,
    revision: i64,
}

/// A SKU's stock as the contract shows it.
#[derive(Debug, Serialize)]
struct StockView {
    sku_id: String,
    on_hand: i64,
    reserved: i64,
    available: i64,
    sold: i64,
}

const ONE: &str = "select sku_id, on_hand, reserved, sold, revision from stock_view where sku_id = $1";

/// `GET /api/v1/stock/{sku_id}`; 404 where nothing ever happened to it.
pub(crate) async fn show(
    State(state): State<QueryState>,
    AnyRole: AnyRole,
    Path(sku_id): Path<SkuId>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    after::reached(&state, &[Follower::Stock], &headers, query.after_position.as_deref()).await?;
    let row: Option<StockRow> = state.views().fetch_optional(ONE, values![sku_id.as_str()]).await.map_err(QueryFailure::from)?;
    let row = row.ok_or_else(Problem::not_found)?;
    let tag = EntityTag::of_revision(row.revision);
    if tag.is_held_by(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.to_header())]).into_response());
    }
    Ok(([(ETAG, tag.to_header())], Json(StockView::from(row))).into_response())
}

impl From<StockRow> for StockView {
    fn from(row: StockRow) -> Self {
        let available = row.on_hand.saturating_sub(row.reserved).max(0);
        Self { sku_id: row.sku_id, on_hand: row.on_hand, reserved: row.reserved, available, sold: row.sold }
    }
}
