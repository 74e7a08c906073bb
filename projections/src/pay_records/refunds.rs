//! The refunds of an order's money, each as the order's stream says.

use database::Time;
use domain::RefundNo;
use domain::order::{OrderEvent, RefundCause, RefundObserved, RefundRequested, RefundStatus};
use event_store::RecordedEvent;

use super::{OrderFacts, PayRecordsOfOrder};
use crate::Unready;
use crate::projector::revision;

/// A row of `refund_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct RefundRow {
    pub refund_no: String,
    pub order_id: String,
    pub buyer_id: String,
    pub service: Option<String>,
    pub pay_no: String,
    pub trade_no: String,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    pub cause: String,
    pub reason: Option<String>,
    pub code: Option<String>,
    pub requested_at: Time,
    pub refunded_at: Option<Time>,
    pub updated_at: Time,
    pub revision: i64,
    pub position: i64,
}

/// The refund that an event of an order is about, and whether it begins with it; none where it is about none.
fn subject(event: &OrderEvent) -> Option<(RefundNo, bool)> {
    match event {
        OrderEvent::RefundRequested(event) => Some((event.refund_no, true)),
        OrderEvent::RefundObserved(event) => Some((event.refund_no, true)),
        OrderEvent::RefundAccepted(event) => Some((event.refund_no, false)),
        OrderEvent::RefundSucceeded(event) => Some((event.refund_no, false)),
        OrderEvent::RefundFailed(event) => Some((event.refund_no, false)),
        OrderEvent::RefundNeedsOperator(event) => Some((event.refund_no, false)),
        OrderEvent::RefundRetried(event) => Some((event.refund_no, false)),
        OrderEvent::RefundSettled(event) => Some((event.refund_no, false)),
        _ => None,
    }
}

/// Whether the order of a refund is known, and the refund itself unless it begins here.
pub(super) fn ready(row: Option<&PayRecordsOfOrder>, event: &OrderEvent) -> Result<(), Unready> {
    let Some((refund_no, begins)) = subject(event) else { return Ok(()) };
    let Some(row) = row else { return Err(Unready { what: "order", key: refund_no.order_id().to_string() }) };
    let refund_no = refund_no.to_string();
    if begins || row.refunds.contains_key(&refund_no) { Ok(()) } else { Err(Unready { what: "refund", key: refund_no }) }
}

impl PayRecordsOfOrder {
    pub(super) fn refund_evolved(&mut self, event: &OrderEvent, recorded: &RecordedEvent) {
        let Some((refund_no, _)) = subject(event) else { return };
        let refund_no = refund_no.to_string();
        match (self.refunds.get_mut(&refund_no), event) {
            (Some(refund), event) if refund.revision < revision(recorded) => {
                refund.evolved(event);
                refund.updated_at = recorded.recorded_at.into();
                refund.revision = revision(recorded);
                refund.position = recorded.position.as_i64();
            }
            (None, OrderEvent::RefundRequested(event)) => {
                self.refunds.insert(refund_no, RefundRow::requested(&self.order, event, recorded));
            }
            (None, OrderEvent::RefundObserved(event)) => {
                self.refunds.insert(refund_no, RefundRow::observed(&self.order, event, recorded));
            }
            _ => {}
        }
    }
}

impl RefundRow {
    fn requested(order: &OrderFacts, event: &RefundRequested, recorded: &RecordedEvent) -> Self {
        Self {
            refund_no: event.refund_no.to_string(),
            order_id: event.order_id.to_string(),
            buyer_id: order.buyer_id.clone(),
            service: order.service.clone(),
            pay_no: event.pay_no.to_string(),
            trade_no: event.trade_no.clone(),
            amount: event.amount.as_i64(),
            currency: event.currency.code().to_owned(),
            status: RefundStatus::Requested.as_str().to_owned(),
            cause: cause_word(event.cause).to_owned(),
            reason: event.reason.clone(),
            code: None,
            // What was stored before the time was kept has the log's, which is next to it.
            requested_at: event.requested_at.unwrap_or(recorded.recorded_at).into(),
            refunded_at: None,
            updated_at: recorded.recorded_at.into(),
            revision: revision(recorded),
            position: recorded.position.as_i64(),
        }
    }

    fn observed(order: &OrderFacts, event: &RefundObserved, recorded: &RecordedEvent) -> Self {
        let request = RefundRequested {
            refund_no: event.refund_no,
            order_id: event.order_id,
            pay_no: event.pay_no,
            trade_no: event.trade_no.clone(),
            amount: event.amount,
            currency: event.currency,
            cause: RefundCause::ChannelSide,
            reason: None,
            requested_at: Some(event.observed_at),
        };
        let status = RefundStatus::Processing.as_str().to_owned();
        Self { status, ..Self::requested(order, &request, recorded) }
    }

    fn evolved(&mut self, event: &OrderEvent) {
        let (status, code) = match event {
            OrderEvent::RefundAccepted(_) => (RefundStatus::Processing, None),
            OrderEvent::RefundSucceeded(event) => {
                self.refunded_at = Some(event.refunded_at.into());
                (RefundStatus::Succeeded, None)
            }
            OrderEvent::RefundFailed(event) => (RefundStatus::Failed, Some(&event.code)),
            OrderEvent::RefundNeedsOperator(event) => (RefundStatus::NeedsOperator, Some(&event.code)),
            OrderEvent::RefundRetried(_) => (RefundStatus::Requested, None),
            // RefundSucceeded, right behind it, says the rest of RefundSettled.
            _ => return,
        };
        status.as_str().clone_into(&mut self.status);
        self.code = code.cloned();
    }
}

pub(super) fn cause_word(cause: RefundCause) -> &'static str {
    match cause {
        RefundCause::PaidTwice => "paid_twice",
        RefundCause::AfterCancel => "after_cancel",
        RefundCause::AmountMismatch => "amount_mismatch",
        RefundCause::Late => "late",
        RefundCause::Operator => "operator",
        RefundCause::ChannelSide => "channel_side",
    }
}

#[cfg(test)]
mod tests;
