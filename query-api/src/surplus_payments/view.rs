//! Money that was not owed as the contract shows it.

use chrono::{DateTime, Utc};
use database::Time;
use domain::Currency;
use serde::Serialize;

use crate::failure::QueryFailure;
use crate::money;

/// A row of `surplus_payment_view`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SurplusRow {
    pub(super) surplus_id: String,
    kind: String,
    order_id: Option<String>,
    pay_no: Option<String>,
    out_trade_no: String,
    channel: String,
    trade_no: String,
    amount: i64,
    currency: String,
    paid_at: Option<Time>,
    pub(super) received_at: Time,
    state: String,
    refund_no: Option<String>,
    refund_status: Option<String>,
    refunded_amount: i64,
    resolved_reason: Option<String>,
}

/// A payment that was not owed, or came too late.
#[derive(Debug, Serialize)]
pub(crate) struct SurplusView {
    id: String,
    kind: String,
    order_id: Option<String>,
    pay_no: Option<String>,
    out_trade_no: String,
    channel: String,
    trade_no: String,
    amount: i64,
    amount_text: String,
    currency: Currency,
    refunded_amount: i64,
    paid_at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    state: String,
    refund_no: Option<String>,
    resolved_reason: Option<String>,
    actions: &'static [Action],
}

/// What an operator may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Have its refund asked for once more.
    Retry,
    /// Say that its refund was made another way.
    Settle,
    /// Say that it was dealt with.
    Resolve,
}

impl SurplusRow {
    fn actions(&self) -> &'static [Action] {
        let refund_waits = self.refund_status.as_deref() == Some("needs_operator");
        match self.state.as_str() {
            // What matched nothing is decided on where its notification is kept.
            _ if self.kind == "unmatched" => &[],
            "needs_operator" if refund_waits => &[Action::Retry, Action::Settle, Action::Resolve],
            "resolved" if refund_waits => &[Action::Retry, Action::Settle],
            "needs_operator" | "open" => &[Action::Resolve],
            _ => &[],
        }
    }
}

impl TryFrom<SurplusRow> for SurplusView {
    type Error = QueryFailure;

    fn try_from(row: SurplusRow) -> Result<Self, QueryFailure> {
        let amount = money::read(row.amount, &row.currency)?;
        Ok(Self {
            actions: row.actions(),
            amount: amount.amount_minor(),
            amount_text: amount.major_text(),
            currency: amount.currency(),
            refunded_amount: money::read(row.refunded_amount, &row.currency)?.amount_minor(),
            id: row.surplus_id,
            kind: row.kind,
            order_id: row.order_id,
            pay_no: row.pay_no,
            out_trade_no: row.out_trade_no,
            channel: row.channel,
            trade_no: row.trade_no,
            paid_at: row.paid_at.map(Into::into),
            received_at: row.received_at.into(),
            state: row.state,
            refund_no: row.refund_no,
            resolved_reason: row.resolved_reason,
        })
    }
}
