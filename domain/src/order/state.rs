use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::commands::{EndCause, OrderRejection};
use super::events::{OrderCreated, OrderEvent};
use super::refund::{self, Refund};
use super::stream::OrderStreamEvent;
use crate::channel::Channel;
use crate::decider::Decider;
use crate::ids::{PayNo, RefundNo};
use crate::pay_record::{PayRecord, PayRecordEvent, PayRecordStatus};

/// How far an order has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderStatus {
    /// Nothing has happened yet.
    #[default]
    Uncreated,
    /// It will never be made.
    Abandoned,
    /// It can be paid.
    AwaitingPayment,
    /// It is to end unpaid, and may still be paid.
    Closing,
    /// It is paid.
    Paid,
    /// It ended unpaid by a wish.
    Cancelled,
    /// It ended unpaid by time.
    Expired,
}

impl OrderStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncreated | Self::AwaitingPayment => "awaiting_payment",
            Self::Closing => "closing",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether it ended unpaid, so that the same business may order again.
    pub fn ended_unpaid(self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired | Self::Abandoned)
    }
}

/// What of an order's money has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Nothing that it owed.
    Unpaid,
    /// All that it owed.
    Paid,
    /// All that it owed, and a part of it went back.
    PartiallyRefunded,
    /// All that it owed, and all of it went back.
    Refunded,
}

impl PaymentStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
        }
    }
}

/// What a caller's key was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Hash of the request's content.
    pub request_hash: String,
    /// The pay record that the command was about or made.
    pub pay_no: Option<PayNo>,
    /// The refund that the command made.
    pub refund_no: Option<RefundNo>,
}

/// What is true of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// How far it has come.
    pub status: OrderStatus,
    /// What it was created with.
    pub created: Option<OrderCreated>,
    /// Its attempts to be paid, in order of their numbers.
    pub pay_records: Vec<PayRecord>,
    /// The pay record that paid it, and when, as the channel says.
    pub paid: Option<(PayNo, DateTime<Utc>)>,
    /// Why it is to end or ended unpaid; none once it is paid.
    pub end_cause: Option<EndCause>,
    /// What the one who wished its end said.
    pub end_reason: Option<String>,
    /// Money that is to go back.
    pub refunds: Vec<Refund>,
    /// Money that was not owed and that an operator has dealt with: pay record and the channel's number.
    pub resolved_surpluses: BTreeSet<(PayNo, String)>,
    /// The callers' keys that were used on it, by their hash.
    pub keys: BTreeMap<String, KeyUse>,
}

impl Order {
    /// An attempt is made, or a form given out, only while so much time is left: the channel takes no shorter expiry.
    pub const LEAST_TIME_TO_PAY: TimeDelta = TimeDelta::minutes(2);

    /// How many attempts scanning our own code may begin: whoever has the code scans it as often as they like.
    pub const MOST_SCANS: usize = 10;

    /// Whether a payment of it may be begun at `now`. Errors: `AlreadyPaid`, `Ended`, `Expiring`; `Unknown` before it is made.
    pub fn may_begin_payment(&self, now: DateTime<Utc>) -> Result<(), OrderRejection> {
        let created = self.created.as_ref().ok_or(OrderRejection::Unknown)?;
        match self.status {
            OrderStatus::AwaitingPayment if created.expires_at - now < Self::LEAST_TIME_TO_PAY => Err(OrderRejection::Expiring),
            OrderStatus::AwaitingPayment => Ok(()),
            OrderStatus::Paid => Err(OrderRejection::AlreadyPaid),
            _ => Err(OrderRejection::Ended),
        }
    }

    /// The pay record with this number.
    pub fn pay_record(&self, pay_no: PayNo) -> Option<&PayRecord> {
        self.pay_records.iter().find(|record| record.issued.as_ref().is_some_and(|issued| issued.pay_no == pay_no))
    }

    /// The newest pay record, live or not.
    pub fn newest_pay_record(&self) -> Option<&PayRecord> {
        self.pay_records.last()
    }

    /// The record of `channel` that a buyer may be shown: being prepared, or pending.
    pub fn live_pay_record(&self, channel: Channel) -> Option<&PayRecord> {
        self.pay_records.iter().rev().find(|record| {
            matches!(record.status, PayRecordStatus::Preparing | PayRecordStatus::Pending)
                && record.issued.as_ref().is_some_and(|issued| issued.channel == channel)
        })
    }

    /// What of its money has come, and what of it went back.
    pub fn payment_status(&self) -> PaymentStatus {
        let (Some((pay_no, _)), Some(capture)) = (self.paid, self.paid_capture()) else { return PaymentStatus::Unpaid };
        match self.refunded_of(pay_no, &capture.trade_no) {
            0 => PaymentStatus::Paid,
            back if back < capture.amount.minor_units().as_i64() => PaymentStatus::PartiallyRefunded,
            _ => PaymentStatus::Refunded,
        }
    }

    pub(super) fn evolved(mut self, event: &OrderStreamEvent) -> Self {
        match event {
            OrderStreamEvent::Order(event) => self.order_evolved(event),
            OrderStreamEvent::PayRecord(event) => {
                self.pay_record_evolved(event);
                self
            }
        }
    }

    fn order_evolved(mut self, event: &OrderEvent) -> Self {
        match event {
            OrderEvent::OrderCreated(event) => {
                self.status = OrderStatus::AwaitingPayment;
                self.created = Some(event.clone());
            }
            OrderEvent::OrderAbandoned(_) => self.status = OrderStatus::Abandoned,
            OrderEvent::OrderClosing(event) => {
                self.status = OrderStatus::Closing;
                self.end_cause = Some(event.cause);
                self.end_reason.clone_from(&event.reason);
            }
            OrderEvent::OrderPaid(event) => {
                self.status = OrderStatus::Paid;
                self.paid = Some((event.pay_no, event.paid_at));
                self.end_cause = None;
                self.end_reason = None;
            }
            OrderEvent::OrderExpired(_) => {
                self.status = OrderStatus::Expired;
                self.end_cause = Some(EndCause::Expiry);
            }
            OrderEvent::OrderCancelled(event) => {
                self.status = OrderStatus::Cancelled;
                self.end_cause = Some(EndCause::Cancel);
                self.end_reason.clone_from(&event.reason);
            }
            OrderEvent::OrderRevived(_) => {
                self.status = OrderStatus::AwaitingPayment;
                self.end_cause = None;
            }
            OrderEvent::RefundRequested(_)
            | OrderEvent::RefundAccepted(_)
            | OrderEvent::RefundSucceeded(_)
            | OrderEvent::RefundFailed(_)
            | OrderEvent::RefundNeedsOperator(_)
            | OrderEvent::RefundRetried(_)
            | OrderEvent::RefundSettled(_)
            | OrderEvent::RefundObserved(_) => refund::evolve(&mut self.refunds, event),
            OrderEvent::SurplusResolved(event) => {
                self.resolved_surpluses.insert((event.pay_no, event.trade_no.clone()));
            }
            OrderEvent::IdempotencyKeyRecorded(event) => {
                let key_use = KeyUse { request_hash: event.request_hash.clone(), pay_no: event.pay_no, refund_no: event.refund_no };
                self.keys.insert(event.key_hash.clone(), key_use);
            }
        }
        self
    }

    fn pay_record_evolved(&mut self, event: &PayRecordEvent) {
        if let PayRecordEvent::PayRecordIssued(_) = event {
            self.pay_records.push(PayRecord::evolve(PayRecord::default(), event));
            return;
        }
        let pay_no = event.pay_no();
        let issued_as = |record: &PayRecord| record.issued.as_ref().is_some_and(|issued| issued.pay_no == pay_no);
        if let Some(record) = self.pay_records.iter_mut().find(|record| issued_as(record)) {
            *record = PayRecord::evolve(std::mem::take(record), event);
        }
    }
}
