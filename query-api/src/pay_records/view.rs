//! Pay records as the contract shows them.

use chrono::{DateTime, Utc};
use domain::{Channel, Currency};
use serde::Serialize;

use super::row::PayRecordRow;
use crate::failure::QueryFailure;
use crate::money;

/// A pay record beside others of its order.
#[derive(Debug, Serialize)]
pub(crate) struct PayRecordView {
    pay_no: String,
    order_id: String,
    pub(super) channel: Channel,
    amount: i64,
    amount_text: String,
    currency: Currency,
    subject: String,
    status: String,
    qr_content: Option<String>,
    trade_no: Option<String>,
    failure_code: Option<String>,
    closing_cause: Option<String>,
    closed_proof: Option<String>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
    received_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

/// A pay record alone, with what a page shows of it.
#[derive(Debug, Serialize)]
pub(super) struct PayRecordAlone {
    #[serde(flatten)]
    pub(super) pay_record: PayRecordView,
    /// The code as a `data:` URL of a PNG.
    pub(super) qr_code: Option<String>,
    /// The link of its own page.
    pub(super) pay_url: Option<String>,
}

impl TryFrom<PayRecordRow> for PayRecordView {
    type Error = QueryFailure;

    fn try_from(row: PayRecordRow) -> Result<Self, QueryFailure> {
        let amount = money::read(row.amount, &row.currency)?;
        let code_expires_at = row.code_expires_at.unwrap_or(row.expires_at);
        Ok(Self {
            channel: Channel::parse(&row.channel).ok_or(QueryFailure::Row("its channel is unknown"))?,
            amount: amount.amount_minor(),
            amount_text: amount.major_text(),
            currency: amount.currency(),
            pay_no: row.pay_no,
            order_id: row.order_id,
            subject: row.subject,
            status: row.status,
            qr_content: row.code_url,
            trade_no: row.trade_no,
            failure_code: row.failure_code,
            closing_cause: row.closing_cause,
            closed_proof: row.closed_proof,
            issued_at: row.issued_at.into(),
            // What is over first ends it: the code's life, or the time that the channel was given.
            expires_at: row.expires_at.min(code_expires_at).into(),
            paid_at: row.paid_at.map(Into::into),
            received_at: row.received_at.map(Into::into),
            updated_at: row.updated_at.into(),
        })
    }
}
