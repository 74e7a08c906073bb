use database::{Time, values};
use domain::RefundNo;

use super::view::RefundView;
use crate::access::Scope;
use crate::failure::QueryFailure;
use crate::state::QueryState;

macro_rules! refund_columns {
    () => {
        "refund_no, order_id, buyer_id, service, pay_no, trade_no, amount, currency, status, cause, reason, code, requested_at, \
         refunded_at, updated_at, \
         (select revision from pay_record_order where pay_record_order.order_id = refund_view.order_id) as revision"
    };
}

const ONE: &str = concat!("select ", refund_columns!(), " from refund_view where refund_no = $1");
const OF_ORDER: &str = concat!("select ", refund_columns!(), " from refund_view where order_id = $1 order by refund_no");

/// A row of `refund_view`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RefundRow {
    pub(super) refund_no: String,
    pub(super) order_id: String,
    pub(super) buyer_id: String,
    pub(super) service: Option<String>,
    pub(super) pay_no: String,
    pub(super) trade_no: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: String,
    pub(super) cause: String,
    pub(super) reason: Option<String>,
    pub(super) code: Option<String>,
    pub(super) requested_at: Time,
    pub(super) refunded_at: Option<Time>,
    pub(super) updated_at: Time,
    /// The revision of the order's stream up to which this is shown.
    pub(super) revision: i64,
}

/// The refund with this number; `None` where there is none that `scope` sees.
pub(super) async fn one(state: &QueryState, scope: &Scope, refund_no: RefundNo) -> Result<Option<RefundRow>, QueryFailure> {
    let row: Option<RefundRow> = state.views().fetch_optional(ONE, values![refund_no.to_string()]).await?;
    Ok(row.filter(|row| scope.sees(&row.buyer_id, row.service.as_deref())))
}

/// The refunds of an order's money, oldest first.
pub(crate) async fn of_order(state: &QueryState, order_id: &str) -> Result<Vec<RefundView>, QueryFailure> {
    let rows: Vec<RefundRow> = state.views().fetch_all(OF_ORDER, values![order_id]).await?;
    rows.into_iter().map(RefundView::try_from).collect()
}
