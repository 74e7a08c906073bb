use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::{Problem, field};
use database::values;
use domain::order::OrderType;
use http::HeaderMap;
use serde::Deserialize;

use super::row::{OrderRow, order_columns};
use super::view::OrderInList;
use crate::access::Scope;
use crate::after;
use crate::failure::QueryFailure;
use crate::page::{self, Page, Place};
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/orders`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    status: Option<Status>,
    order_type: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
    after_position: Option<String>,
}

/// The contract's words for how far an order has come.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    AwaitingPayment,
    Closing,
    Paid,
    Completed,
    Cancelled,
    Expired,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Closing => "closing",
            Self::Paid => "paid",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

macro_rules! list_of {
    ($whose:literal) => {
        concat!(
            "select ",
            order_columns!(),
            " from order_view where ",
            $whose,
            " and (created_at, order_id) < ($2, $3) and ($4 is null or status = $4) and ($5 is null or order_type = $5) \
             order by created_at desc, order_id desc limit cast($6 as bigint)"
        )
    };
}

const ALL: &str = list_of!("$1 = ''");
const BOUGHT_BY: &str = list_of!("buyer_id = $1");
const MADE_BY: &str = list_of!("service = $1");
const BOUGHT_OR_MADE_BY: &str = list_of!("(buyer_id = $1 or service = $1)");

/// `GET /api/v1/orders`: what the caller may see, the newest first.
pub(crate) async fn list(
    State(state): State<QueryState>,
    scope: Scope,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<Page<OrderInList>>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    if query.order_type.as_deref().is_some_and(|text| OrderType::parse(text).is_err()) {
        return Err(Problem::invalid("order_type", field::MALFORMED, "must be a lower-case word of at most 32 characters"));
    }
    after::reached(&state, &[Follower::Orders], &headers, query.after_position.as_deref()).await?;
    let (sql, subject) = match scope {
        Scope::Everything => (ALL, String::new()),
        Scope::BoughtBy(subject) => (BOUGHT_BY, subject),
        Scope::MadeBy(subject) => (MADE_BY, subject),
        Scope::BoughtOrMadeBy(subject) => (BOUGHT_OR_MADE_BY, subject),
    };
    // One more than the page holds tells whether there is another page.
    let values = values![subject, place.at, place.id, query.status.map(Status::word).map(str::to_owned), query.order_type, limit + 1];
    let rows: Vec<OrderRow> = state.views().fetch_all(sql, values).await.map_err(QueryFailure::from)?;
    let place = |row: &OrderRow| Place { at: row.created_at.into(), id: row.order_id.clone() };
    Ok(Json(Page::new(rows, limit, place, OrderInList::try_from)?))
}
