//! Refunds as the contract shows them.

use chrono::{DateTime, Utc};
use domain::Currency;
use serde::Serialize;

use super::row::RefundRow;
use crate::failure::QueryFailure;
use crate::money;

/// A refund, alone and beside others of its order.
#[derive(Debug, Serialize)]
pub(crate) struct RefundView {
    refund_no: String,
    order_id: String,
    pay_no: String,
    trade_no: String,
    amount: i64,
    amount_text: String,
    currency: Currency,
    status: String,
    cause: String,
    reason: Option<String>,
    code: Option<String>,
    requested_at: DateTime<Utc>,
    refunded_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<RefundRow> for RefundView {
    type Error = QueryFailure;

    fn try_from(row: RefundRow) -> Result<Self, QueryFailure> {
        let amount = money::read(row.amount, &row.currency)?;
        Ok(Self {
            amount: amount.amount_minor(),
            amount_text: amount.major_text(),
            currency: amount.currency(),
            refund_no: row.refund_no,
            order_id: row.order_id,
            pay_no: row.pay_no,
            trade_no: row.trade_no,
            status: row.status,
            cause: row.cause,
            reason: row.reason,
            code: row.code,
            requested_at: row.requested_at.into(),
            refunded_at: row.refunded_at.map(Into::into),
            updated_at: row.updated_at.into(),
        })
    }
}
