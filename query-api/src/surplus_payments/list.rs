use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use database::values;
use http::HeaderMap;
use serde::Deserialize;

use super::view::{SurplusRow, SurplusView};
use crate::access::Overseer;
use crate::after;
use crate::failure::QueryFailure;
use crate::page::{self, Page, Place};
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/surplus-payments`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    state: Option<Wanted>,
    limit: Option<u32>,
    cursor: Option<String>,
    after_position: Option<String>,
}

/// The contract's words for what has become of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Open,
    Revived,
    Refunding,
    Refunded,
    NeedsOperator,
    Resolved,
}

impl Wanted {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Revived => "revived",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::NeedsOperator => "needs_operator",
            Self::Resolved => "resolved",
        }
    }
}

macro_rules! list_of {
    ($which:literal) => {
        concat!(
            "select surplus_id, kind, order_id, pay_no, out_trade_no, channel, trade_no, amount, currency, paid_at, received_at, state, \
             refund_no, refund_status, refunded_amount, resolved_reason from surplus_payment_view where ",
            $which,
            " and (received_at, surplus_id) < ($2, $3) order by received_at desc, surplus_id desc limit cast($4 as bigint)"
        )
    };
}

const ALL: &str = list_of!("$1 = ''");
const IN_STATE: &str = list_of!("state = $1");

/// `GET /api/v1/surplus-payments`: the newest first.
pub(crate) async fn list(
    State(state): State<QueryState>,
    Overseer: Overseer,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<Page<SurplusView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    after::reached(&state, &[Follower::SurplusPayments], &headers, query.after_position.as_deref()).await?;
    let (sql, wanted) = query.state.map_or((ALL, ""), |wanted| (IN_STATE, wanted.word()));
    let values = values![wanted, place.at, place.id, limit + 1];
    let rows: Vec<SurplusRow> = state.views().fetch_all(sql, values).await.map_err(QueryFailure::from)?;
    let place = |row: &SurplusRow| Place { at: row.received_at.into(), id: row.surplus_id.clone() };
    Ok(Json(Page::new(rows, limit, place, SurplusView::try_from)?))
}
