//! A buyer's coupons.

use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use chrono::{DateTime, Utc};
use database::{Time, values};
use domain::Currency;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::access::Buyer;
use crate::after;
use crate::failure::QueryFailure;
use crate::money;
use crate::page::{self, Page, Place};
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/coupons`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    after_position: Option<String>,
}

/// A row of `coupon_view`.
#[derive(Debug, sqlx::FromRow)]
struct CouponRow {
    coupon_id: String,
    order_id: String,
    discount_amount: i64,
    least_amount: i64,
    currency: String,
    status: String,
    granted_at: Time,
    expires_at: Time,
}

/// A coupon as the contract shows it.
#[derive(Debug, Serialize)]
pub(crate) struct CouponView {
    coupon_id: String,
    order_id: String,
    discount_amount: i64,
    least_amount: i64,
    currency: Currency,
    status: String,
    granted_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

const USABLE: &str = "usable";
const EXPIRED: &str = "expired";

const PAGE: &str = "select coupon_id, order_id, discount_amount, least_amount, currency, status, granted_at, expires_at from coupon_view \
     where buyer_id = $1 and (granted_at, coupon_id) < ($2, $3) order by granted_at desc, coupon_id desc limit cast($4 as bigint)";

/// `GET /api/v1/coupons`: the caller's own, the newest first.
pub(crate) async fn list(
    State(state): State<QueryState>,
    Buyer(buyer_id): Buyer,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<Page<CouponView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    after::reached(&state, &[Follower::Coupons], &headers, query.after_position.as_deref()).await?;
    let now = state.ports.clock.now();
    let values = values![buyer_id, place.at, place.id, limit + 1];
    let rows: Vec<CouponRow> = state.views().fetch_all(PAGE, values).await.map_err(QueryFailure::from)?;
    let place = |row: &CouponRow| Place { at: row.granted_at.into(), id: row.coupon_id.clone() };
    Ok(Json(Page::new(rows, limit, place, |row| row.shown(now))?))
}

impl CouponRow {
    fn shown(self, now: DateTime<Utc>) -> Result<CouponView, QueryFailure> {
        let discount = money::read(self.discount_amount, &self.currency)?;
        let least = money::read(self.least_amount, &self.currency)?;
        let expires_at = self.expires_at.into();
        // No event says that its time is over; who holds it in an order keeps it.
        let is_expired = self.status == USABLE && expires_at <= now;
        Ok(CouponView {
            coupon_id: self.coupon_id,
            order_id: self.order_id,
            discount_amount: discount.amount_minor(),
            least_amount: least.amount_minor(),
            currency: discount.currency(),
            status: if is_expired { EXPIRED.to_owned() } else { self.status },
            granted_at: self.granted_at.into(),
            expires_at,
        })
    }
}
