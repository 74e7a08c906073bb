//! Pay records. Their events lie on their order's stream and name neither its buyer nor its title, so one key of this view
//! is an order with all its attempts. An order's refunds are kept beside them, for the same reason.

use std::collections::BTreeMap;

use database::Time;
use domain::order::{OrderCreated, OrderEvent, OrderStreamEvent};
use domain::pay_record::{ClosedProof, ClosingCause, PayRecordEvent, PayRecordIssued, PayRecordStatus};
use domain::stored::StoredFormError;
use event_store::RecordedEvent;

use crate::projector::{revision, stream_key};
use crate::{Projector, Unready};

mod refunds;
mod table;
#[cfg(test)]
mod tests;

pub use refunds::RefundRow;
pub(crate) use table::{REFUNDS, TABLE};

/// A row of `pay_record_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct PayRecordRow {
    pub pay_no: String,
    pub order_id: String,
    pub buyer_id: String,
    pub service: Option<String>,
    pub channel: String,
    pub amount: i64,
    pub currency: String,
    pub subject: String,
    pub status: String,
    pub code_url: Option<String>,
    pub code_expires_at: Option<Time>,
    pub expires_at: Time,
    pub issued_at: Time,
    pub trade_no: Option<String>,
    pub paid_at: Option<Time>,
    pub paid_at_offset: Option<String>,
    pub received_at: Option<Time>,
    pub failure_code: Option<String>,
    pub closing_cause: Option<String>,
    pub closed_proof: Option<String>,
    pub updated_at: Time,
    pub revision: i64,
    pub position: i64,
}

/// A row of `pay_record_order`: what is kept of an order for its pay records.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct OrderFacts {
    pub order_id: String,
    pub buyer_id: String,
    pub service: Option<String>,
    pub title: String,
    pub expires_at: Time,
    pub revision: i64,
    pub position: i64,
}

/// An order, all attempts to pay it, and all refunds of what was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayRecordsOfOrder {
    /// What is kept of the order.
    pub order: OrderFacts,
    /// Its pay records, by their numbers.
    pub records: BTreeMap<String, PayRecordRow>,
    /// Its refunds, by their numbers.
    pub refunds: BTreeMap<String, RefundRow>,
}

/// The view of pay records, and of refunds.
#[derive(Debug)]
pub enum PayRecords {}

impl Projector for PayRecords {
    type Row = PayRecordsOfOrder;
    type Event = OrderStreamEvent;

    const NAME: &'static str = "pay_records";

    // Every event of the stream is wanted: the entity tag of a pay record and of a refund is the order's revision, which
    // commands compare.
    fn wanted() -> Vec<&'static str> {
        [OrderEvent::STORED, PayRecordEvent::STORED].concat().into_iter().map(|(name, _)| name).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<OrderStreamEvent, StoredFormError> {
        OrderStreamEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)
    }

    fn key(_: &OrderStreamEvent, recorded: &RecordedEvent) -> Option<String> {
        stream_key(recorded, "order-")
    }

    fn ready(row: Option<&PayRecordsOfOrder>, event: &OrderStreamEvent) -> Result<(), Unready> {
        let event = match event {
            OrderStreamEvent::PayRecord(event) => event,
            OrderStreamEvent::Order(event) => return refunds::ready(row, event),
        };
        let Some(row) = row else {
            return Err(Unready { what: "order", key: event.pay_no().order_id().to_string() });
        };
        let pay_no = event.pay_no().to_string();
        if matches!(event, PayRecordEvent::PayRecordIssued(_)) || row.records.contains_key(&pay_no) {
            Ok(())
        } else {
            Err(Unready { what: "pay record", key: pay_no })
        }
    }

    fn evolve(row: Option<PayRecordsOfOrder>, event: &OrderStreamEvent, recorded: &RecordedEvent) -> Option<PayRecordsOfOrder> {
        match (row, event) {
            (None, OrderStreamEvent::Order(OrderEvent::OrderCreated(event))) => Some(PayRecordsOfOrder::of(event, recorded)),
            (Some(mut row), event) => {
                match event {
                    OrderStreamEvent::PayRecord(event) => row.pay_record_evolved(event, recorded),
                    OrderStreamEvent::Order(event) => row.refund_evolved(event, recorded),
                }
                row.order.seen(recorded);
                Some(row)
            }
            (None, _) => None,
        }
    }
}

impl OrderFacts {
    fn seen(&mut self, recorded: &RecordedEvent) {
        if self.revision < revision(recorded) {
            self.revision = revision(recorded);
            self.position = recorded.position.as_i64();
        }
    }
}

impl PayRecordsOfOrder {
    fn of(event: &OrderCreated, recorded: &RecordedEvent) -> Self {
        let draft = &event.draft;
        let order = OrderFacts {
            order_id: draft.order_id.to_string(),
            buyer_id: draft.buyer_id.as_str().to_owned(),
            service: draft.service.clone(),
            title: draft.title.clone(),
            expires_at: event.expires_at.into(),
            revision: revision(recorded),
            position: recorded.position.as_i64(),
        };
        Self { order, records: BTreeMap::new(), refunds: BTreeMap::new() }
    }

    fn pay_record_evolved(&mut self, event: &PayRecordEvent, recorded: &RecordedEvent) {
        let pay_no = event.pay_no().to_string();
        match (self.records.get_mut(&pay_no), event) {
            (Some(record), event) if record.revision < revision(recorded) => {
                record.evolved(event);
                record.updated_at = recorded.recorded_at.into();
                record.revision = revision(recorded);
                record.position = recorded.position.as_i64();
            }
            (None, PayRecordEvent::PayRecordIssued(event)) => {
                let record = PayRecordRow::issued(&self.order, event, recorded);
                self.records.insert(pay_no, record);
            }
            _ => {}
        }
    }
}

impl PayRecordRow {
    fn issued(order: &OrderFacts, event: &PayRecordIssued, recorded: &RecordedEvent) -> Self {
        let request = event.request.as_ref();
        Self {
            pay_no: event.pay_no.to_string(),
            order_id: event.order_id.to_string(),
            buyer_id: order.buyer_id.clone(),
            service: order.service.clone(),
            channel: event.channel.as_str().to_owned(),
            amount: event.amount.as_i64(),
            currency: event.currency.code().to_owned(),
            subject: request.map_or_else(|| order.title.clone(), |request| request.subject.clone()),
            status: PayRecordStatus::Preparing.as_str().to_owned(),
            code_url: None,
            code_expires_at: None,
            expires_at: request.map_or(order.expires_at, |request| request.time_expire.into()),
            issued_at: event.issued_at.into(),
            trade_no: None,
            paid_at: None,
            paid_at_offset: None,
            received_at: None,
            failure_code: None,
            closing_cause: None,
            closed_proof: None,
            updated_at: recorded.recorded_at.into(),
            revision: revision(recorded),
            position: recorded.position.as_i64(),
        }
    }

    fn evolved(&mut self, event: &PayRecordEvent) {
        let status = match event {
            PayRecordEvent::PayRecordIssued(_) => return,
            PayRecordEvent::PayRecordPrepared(event) => {
                self.code_url = event.prepared.code_url().map(str::to_owned);
                self.code_expires_at = Some(event.expires_at.into());
                PayRecordStatus::Pending
            }
            PayRecordEvent::PayRecordOpened(_) => PayRecordStatus::Pending,
            PayRecordEvent::PayRecordFailed(event) => {
                self.failure_code = Some(event.code.clone());
                PayRecordStatus::Failed
            }
            PayRecordEvent::PayRecordClosing(event) => {
                self.closing_cause = Some(closing_cause_word(event.cause).to_owned());
                PayRecordStatus::Closing
            }
            PayRecordEvent::PayRecordClosed(event) => {
                self.closed_proof = Some(closed_proof_word(event.proof).to_owned());
                PayRecordStatus::Closed
            }
            PayRecordEvent::PaymentConfirmed(event) => {
                self.captured(&event.trade_no, event.paid_at.into(), event.paid_at_offset.as_ref(), event.received_at.into());
                PayRecordStatus::Confirmed
            }
            PayRecordEvent::SurplusPaymentReceived(event) => {
                if self.trade_no.is_none() {
                    self.captured(&event.trade_no, event.paid_at.into(), event.paid_at_offset.as_ref(), event.received_at.into());
                }
                // A record that paid its order stays the confirmed one, whatever else the channel took for it.
                if self.status == PayRecordStatus::Confirmed.as_str() { PayRecordStatus::Confirmed } else { PayRecordStatus::Surplus }
            }
            PayRecordEvent::LatePaymentReceived(event) => {
                if self.trade_no.is_none() {
                    self.captured(&event.trade_no, event.paid_at.into(), event.paid_at_offset.as_ref(), event.received_at.into());
                }
                PayRecordStatus::Surplus
            }
        };
        status.as_str().clone_into(&mut self.status);
    }

    fn captured(&mut self, trade_no: &str, paid_at: Time, paid_at_offset: Option<&String>, received_at: Time) {
        self.trade_no = Some(trade_no.to_owned());
        self.paid_at = Some(paid_at);
        self.paid_at_offset = paid_at_offset.cloned();
        self.received_at = Some(received_at);
    }
}

fn closing_cause_word(cause: ClosingCause) -> &'static str {
    match cause {
        ClosingCause::OrderCancelled => "order_cancelled",
        ClosingCause::OrderExpired => "order_expired",
        ClosingCause::ChannelSwitched => "channel_switched",
        ClosingCause::CodeExpired => "code_expired",
        ClosingCause::OrderPaid => "order_paid",
    }
}

fn closed_proof_word(proof: ClosedProof) -> &'static str {
    match proof {
        ClosedProof::ChannelClosed => "channel_closed",
        ClosedProof::NeverShown => "never_shown",
        ClosedProof::AbsentAfterGrace => "absent_after_grace",
        ClosedProof::Unproven => "unproven",
    }
}
