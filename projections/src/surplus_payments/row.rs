use database::Time;
use domain::PayNo;
use domain::order::OrderStreamEvent;
use domain::pay_record::{LatePaymentReceived, PayRecordEvent, SurplusPaymentReceived, SurplusReason};
use domain::unknown_capture::{UnknownCaptureEvent, UnknownCaptureReceived, UnknownCaptureStreamEvent};
use event_store::RecordedEvent;

use super::fate::State;
use super::{SurplusFact, column};
use crate::projector::revision;

/// A row of `surplus_payment_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct SurplusRow {
    pub surplus_id: String,
    pub stream_id: String,
    pub kind: String,
    pub order_id: Option<String>,
    pub pay_no: Option<String>,
    pub out_trade_no: String,
    pub channel: String,
    pub trade_no: String,
    pub amount: i64,
    pub currency: String,
    pub paid_at: Option<Time>,
    pub received_at: Time,
    pub state: String,
    pub refund_no: Option<String>,
    pub refund_status: Option<String>,
    pub refunded_amount: i64,
    pub resolved_reason: Option<String>,
    pub revision: i64,
    pub position: i64,
}

impl SurplusRow {
    /// The row that begins with an event; `None` where none does.
    pub(super) fn first(event: &SurplusFact, recorded: &RecordedEvent) -> Option<Self> {
        match event {
            SurplusFact::Order(OrderStreamEvent::PayRecord(PayRecordEvent::SurplusPaymentReceived(event))) => {
                Some(Self::surplus(event, recorded))
            }
            SurplusFact::Order(OrderStreamEvent::PayRecord(PayRecordEvent::LatePaymentReceived(event))) => {
                Some(Self::late(event, recorded))
            }
            SurplusFact::Unmatched(UnknownCaptureStreamEvent::Told(UnknownCaptureEvent::UnknownCaptureReceived(event))) => {
                Some(Self::unmatched(event, recorded))
            }
            SurplusFact::Order(_)
            | SurplusFact::Unmatched(
                UnknownCaptureStreamEvent::Told(UnknownCaptureEvent::UnknownCaptureRefunded(_)) | UnknownCaptureStreamEvent::Decided(_),
            ) => None,
        }
    }

    fn surplus(event: &SurplusPaymentReceived, recorded: &RecordedEvent) -> Self {
        Self {
            kind: reason_word(event.reason).to_owned(),
            // Its refund is requested in the same append, unless the order has no refund number left.
            state: State::NeedsOperator.word().to_owned(),
            order_id: Some(event.order_id.to_string()),
            channel: event.channel.as_str().to_owned(),
            amount: event.amount.as_i64(),
            currency: event.currency.code().to_owned(),
            paid_at: Some(column(event.paid_at)),
            received_at: column(event.received_at),
            ..Self::of_pay_record(event.pay_no, &event.trade_no, recorded)
        }
    }

    fn late(event: &LatePaymentReceived, recorded: &RecordedEvent) -> Self {
        Self {
            kind: LATE.to_owned(),
            state: State::Open.word().to_owned(),
            order_id: Some(event.order_id.to_string()),
            channel: event.channel.as_str().to_owned(),
            amount: event.amount.as_i64(),
            currency: event.currency.code().to_owned(),
            paid_at: Some(column(event.paid_at)),
            received_at: column(event.received_at),
            ..Self::of_pay_record(event.pay_no, &event.trade_no, recorded)
        }
    }

    fn of_pay_record(pay_no: PayNo, trade_no: &str, recorded: &RecordedEvent) -> Self {
        let pay_no = pay_no.to_string();
        Self {
            surplus_id: format!("{pay_no}-{trade_no}"),
            out_trade_no: pay_no.clone(),
            pay_no: Some(pay_no),
            ..Self::new(trade_no, recorded)
        }
    }

    /// Money for a number that no pay record has: no machine can say whose it is.
    fn unmatched(event: &UnknownCaptureReceived, recorded: &RecordedEvent) -> Self {
        Self {
            kind: "unmatched".to_owned(),
            state: State::NeedsOperator.word().to_owned(),
            out_trade_no: event.out_trade_no.clone(),
            channel: event.wallet.clone(),
            amount: event.amount.as_i64(),
            currency: event.currency.code().to_owned(),
            paid_at: event.paid_at.map(column),
            received_at: column(event.received_at),
            ..Self::new(&event.trade_no, recorded)
        }
    }

    /// What every row begins with; the rest is its event's.
    fn new(trade_no: &str, recorded: &RecordedEvent) -> Self {
        Self {
            surplus_id: recorded.stream_id.as_str().to_owned(),
            stream_id: recorded.stream_id.as_str().to_owned(),
            kind: String::new(),
            order_id: None,
            pay_no: None,
            out_trade_no: String::new(),
            channel: String::new(),
            trade_no: trade_no.to_owned(),
            amount: 0,
            currency: String::new(),
            paid_at: None,
            received_at: column(recorded.recorded_at),
            state: String::new(),
            refund_no: None,
            refund_status: None,
            refunded_amount: 0,
            resolved_reason: None,
            revision: revision(recorded),
            position: recorded.position.as_i64(),
        }
    }
}

/// The kind of money that came after its order had expired.
pub(super) const LATE: &str = "late";

pub(super) fn reason_word(reason: SurplusReason) -> &'static str {
    match reason {
        SurplusReason::PaidTwice => "paid_twice",
        SurplusReason::AfterCancel => "after_cancel",
        SurplusReason::AmountMismatch => "amount_mismatch",
    }
}
