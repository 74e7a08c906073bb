//! The rules of ending unpaid. An order ends only when it is known, for each of its attempts, that nobody can pay it.

use chrono::{DateTime, TimeDelta, Utc};

use super::commands::{EndCause, OrderRejection};
use super::events::{OrderCancelled, OrderClosing, OrderCreated, OrderExpired};
use super::state::{Order, OrderStatus};
use super::stream::OrderStreamEvent;
use crate::decider::Decider;
use crate::ids::PayNo;
use crate::pay_record::{ClosedProof, ClosingCause, ClosingProof, PayRecord, PayRecordCommand, PayRecordStatus};

impl Order {
    /// How long after the last code's life a channel that never answers is waited for.
    pub const UNPROVEN_AFTER: TimeDelta = TimeDelta::hours(24);

    /// Until when the channels of its closing attempts are waited for; `None` where no attempt is closing.
    pub fn waited_for_until(&self) -> Option<DateTime<Utc>> {
        let closing = self.pay_records.iter().filter(|record| record.status == PayRecordStatus::Closing);
        closing.filter_map(PayRecord::begins_until).max().map(|last_use| last_use + Self::UNPROVEN_AFTER)
    }
}

pub(super) fn cancel(order: &Order, created: &OrderCreated, reason: Option<String>) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    match order.status {
        OrderStatus::AwaitingPayment => begin(order, created, EndCause::Cancel, reason),
        OrderStatus::Closing | OrderStatus::Cancelled => Ok(vec![]),
        OrderStatus::Paid => Err(OrderRejection::AlreadyPaid),
        OrderStatus::Uncreated | OrderStatus::Abandoned | OrderStatus::Expired => Err(OrderRejection::Ended),
    }
}

pub(super) fn expire(order: &Order, created: &OrderCreated, now: DateTime<Utc>) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    match order.status {
        OrderStatus::AwaitingPayment if now >= created.expires_at => begin(order, created, EndCause::Expiry, None),
        OrderStatus::AwaitingPayment => Err(OrderRejection::WrongState),
        _ => Ok(vec![]),
    }
}

fn begin(order: &Order, created: &OrderCreated, cause: EndCause, reason: Option<String>) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let closing_cause = match cause {
        EndCause::Cancel => ClosingCause::OrderCancelled,
        EndCause::Expiry => ClosingCause::OrderExpired,
    };
    let order_id = created.draft.order_id;
    let closing = OrderStreamEvent::Order(OrderClosing { order_id, cause, reason: reason.clone() }.into());
    let mut events = Vec::new();
    for record in &order.pay_records {
        events.extend(PayRecord::decide(record, PayRecordCommand::BeginClosing { cause: closing_cause })?);
    }
    let mut events: Vec<OrderStreamEvent> = events.into_iter().map(OrderStreamEvent::PayRecord).collect();
    let after = Order::fold(order.clone(), &events);
    if after.pay_records.iter().any(PayRecord::is_live) {
        events.insert(0, closing);
    } else {
        events.push(ended(created, cause, reason, is_unproven(&after)));
    }
    Ok(events)
}

/// Records what is known of one attempt, and the order's end if that was the last thing to know.
pub(super) fn close_pay_record(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    proof: ClosingProof,
) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let record = order.pay_record(pay_no).ok_or(OrderRejection::UnknownPayRecord)?;
    let closed = PayRecord::decide(record, PayRecordCommand::Close(proof))?;
    let events: Vec<OrderStreamEvent> = closed.into_iter().map(OrderStreamEvent::PayRecord).collect();
    Ok(with_end(order, created, events))
}

/// Begins to end the other attempts of an order that `paid_by` has just paid: whoever still holds their codes must not
/// pay once more.
pub(super) fn close_others(order: &Order, paid_by: PayNo) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let is_other = |record: &&PayRecord| record.issued.as_ref().is_some_and(|issued| issued.pay_no != paid_by);
    let mut events = Vec::new();
    for record in order.pay_records.iter().filter(is_other) {
        events.extend(PayRecord::decide(record, PayRecordCommand::BeginClosing { cause: ClosingCause::OrderPaid })?);
    }
    Ok(events.into_iter().map(OrderStreamEvent::PayRecord).collect())
}

/// A channel that says nothing for a day after the last code's life holds the order, and its stock, no longer.
pub(super) fn stop_waiting(order: &Order, created: &OrderCreated, now: DateTime<Utc>) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    if now < order.waited_for_until().unwrap_or(created.expires_at) {
        return Ok(vec![]);
    }
    let mut events = Vec::new();
    for record in order.pay_records.iter().filter(|record| record.status == PayRecordStatus::Closing) {
        events.extend(PayRecord::decide(record, PayRecordCommand::Close(ClosingProof::Unproven))?);
    }
    Ok(with_end(order, created, events.into_iter().map(OrderStreamEvent::PayRecord).collect()))
}

/// Adds the order's end to `events` where it is to end and they leave it no attempt that could still be paid.
pub(super) fn with_end(order: &Order, created: &OrderCreated, mut events: Vec<OrderStreamEvent>) -> Vec<OrderStreamEvent> {
    let after = Order::fold(order.clone(), &events);
    let Some(cause) = order.end_cause.filter(|_| order.status == OrderStatus::Closing) else { return events };
    if after.status == OrderStatus::Closing && !after.pay_records.iter().any(PayRecord::is_live) {
        events.push(ended(created, cause, order.end_reason.clone(), is_unproven(&after)));
    }
    events
}

fn is_unproven(order: &Order) -> bool {
    order.pay_records.iter().any(|record| record.closed_proof == Some(ClosedProof::Unproven))
}

fn ended(created: &OrderCreated, cause: EndCause, reason: Option<String>, unproven: bool) -> OrderStreamEvent {
    let order_id = created.draft.order_id;
    match cause {
        EndCause::Cancel => OrderStreamEvent::Order(OrderCancelled { order_id, reason, unproven }.into()),
        EndCause::Expiry => OrderStreamEvent::Order(OrderExpired { order_id, unproven }.into()),
    }
}
