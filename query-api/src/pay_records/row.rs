use database::{Time, values};
use domain::PayNo;

use super::view::PayRecordView;
use crate::access::Scope;
use crate::failure::QueryFailure;
use crate::state::QueryState;

macro_rules! pay_record_columns {
    () => {
        "pay_no, order_id, buyer_id, service, channel, amount, currency, subject, status, code_url, code_expires_at, expires_at, \
         issued_at, trade_no, paid_at, received_at, failure_code, closing_cause, closed_proof, updated_at, \
         (select revision from pay_record_order where pay_record_order.order_id = pay_record_view.order_id) as revision"
    };
}

const ONE: &str = concat!("select ", pay_record_columns!(), " from pay_record_view where pay_no = $1");
const OF_ORDER: &str = concat!("select ", pay_record_columns!(), " from pay_record_view where order_id = $1 order by pay_no");

/// A row of `pay_record_view`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct PayRecordRow {
    pub(super) pay_no: String,
    pub(super) order_id: String,
    pub(super) buyer_id: String,
    pub(super) service: Option<String>,
    pub(super) channel: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) subject: String,
    pub(super) status: String,
    pub(super) code_url: Option<String>,
    pub(super) code_expires_at: Option<Time>,
    pub(super) expires_at: Time,
    pub(super) issued_at: Time,
    pub(super) trade_no: Option<String>,
    pub(super) paid_at: Option<Time>,
    pub(super) received_at: Option<Time>,
    pub(super) failure_code: Option<String>,
    pub(super) closing_cause: Option<String>,
    pub(super) closed_proof: Option<String>,
    pub(super) updated_at: Time,
    /// The revision of the order's stream up to which this is shown.
    pub(super) revision: i64,
}

impl PayRecordRow {
    /// What its QR holds; `None` where there is none, or none yet.
    pub(super) fn qr_content(&self) -> Option<&str> {
        self.code_url.as_deref()
    }
}

/// The pay record with this number; `None` where there is none that `scope` sees.
pub(super) async fn one(state: &QueryState, scope: &Scope, pay_no: PayNo) -> Result<Option<PayRecordRow>, QueryFailure> {
    let row: Option<PayRecordRow> = state.views().fetch_optional(ONE, values![pay_no.to_string()]).await?;
    Ok(row.filter(|row| scope.sees(&row.buyer_id, row.service.as_deref())))
}

/// The pay records of an order, oldest first.
pub(crate) async fn of_order(state: &QueryState, order_id: &str) -> Result<Vec<PayRecordView>, QueryFailure> {
    let rows: Vec<PayRecordRow> = state.views().fetch_all(OF_ORDER, values![order_id]).await?;
    rows.into_iter().map(PayRecordView::try_from).collect()
}
