//! What a buyer's paid study material and tutoring entitle to.

use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use chrono::{DateTime, Utc};
use database::{Time, values};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::access::Buyer;
use crate::after;
use crate::failure::QueryFailure;
use crate::page::{self, Page, Place};
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/entitlements`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    after_position: Option<String>,
}

/// A row of `entitlement_view`.
#[derive(Debug, sqlx::FromRow)]
struct EntitlementRow {
    entitlement_id: String,
    order_id: String,
    kind: String,
    goods_id: String,
    sku_id: Option<String>,
    name: String,
    quantity: i64,
    status: String,
    granted_at: Time,
    revoked_at: Option<Time>,
}

/// An entitlement as the list has it.
#[derive(Debug, Serialize)]
pub(crate) struct EntitlementView {
    entitlement_id: String,
    order_id: String,
    kind: String,
    goods_id: String,
    sku_id: Option<String>,
    name: String,
    quantity: i64,
    status: String,
    granted_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

const PAGE: &str = "select entitlement_id, order_id, kind, goods_id, sku_id, name, quantity, status, granted_at, revoked_at \
     from entitlement_view where buyer_id = $1 and (granted_at, entitlement_id) < ($2, $3) \
     order by granted_at desc, entitlement_id desc limit cast($4 as bigint)";

/// `GET /api/v1/entitlements`: the caller's own, the newest first.
pub(crate) async fn list(
    State(state): State<QueryState>,
    Buyer(buyer_id): Buyer,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<Page<EntitlementView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    after::reached(&state, &[Follower::Entitlements], &headers, query.after_position.as_deref()).await?;
    let values = values![buyer_id, place.at, place.id, limit + 1];
    let rows: Vec<EntitlementRow> = state.views().fetch_all(PAGE, values).await.map_err(QueryFailure::from)?;
    let place = |row: &EntitlementRow| Place { at: row.granted_at.into(), id: row.entitlement_id.clone() };
    Ok(Json(Page::new(rows, limit, place, |row| Ok::<_, Problem>(EntitlementView::from(row)))?))
}

impl From<EntitlementRow> for EntitlementView {
    fn from(row: EntitlementRow) -> Self {
        Self {
            entitlement_id: row.entitlement_id,
            order_id: row.order_id,
            kind: row.kind,
            goods_id: row.goods_id,
            sku_id: row.sku_id,
            name: row.name,
            quantity: row.quantity,
            status: row.status,
            granted_at: row.granted_at.into(),
            revoked_at: row.revoked_at.map(Into::into),
        }
    }
}
