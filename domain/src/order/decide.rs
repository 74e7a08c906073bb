use chrono::{DateTime, Utc};

use super::commands::{OrderCommand, OrderRejection};
use super::events::{OrderAbandoned, OrderCreated, OrderDraft, OrderEvent, OrderPaid, OrderRevived, RefundCause};
use super::refund::{self, Payment};
use super::state::{Order, OrderStatus};
use super::stream::OrderStreamEvent;
use super::{attempt, ending};
use crate::channel::Channel;
use crate::decider::Decider;
use crate::ids::{OrderId, PayNo, RefundNo};
use crate::money::Money;
use crate::pay_record::{
    Capture, CaptureSource, KnownCapture, OrderStage, PaidOrder, PayRecord, PayRecordCommand, PayRecordEvent, PayRecordIssued,
    SurplusReason, confirmation,
};

impl Decider for Order {
    type State = Self;
    type Command = OrderCommand;
    type Event = OrderStreamEvent;
    type Rejection = OrderRejection;

    fn decide(state: &Self, command: OrderCommand) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
        match command {
            OrderCommand::Create { draft, now, expires_at } => return create(state, draft, now, expires_at),
            OrderCommand::Abandon { order_id } => return abandon(state, order_id),
            _ => {}
        }
        let created = state.created.as_ref().ok_or(OrderRejection::Unknown)?;
        match command {
            OrderCommand::Create { .. } | OrderCommand::Abandon { .. } => Err(OrderRejection::AlreadyCreated),
            OrderCommand::Attempt(wish) => attempt::attempt(state, created, &wish),
            OrderCommand::Reattempt { pay_no, attempt } => attempt::reattempt(state, created, pay_no, &attempt),
            OrderCommand::RecordPrepared { pay_no, prepared, asked_at, expires_at, replaces } => {
                of_record(state, pay_no, PayRecordCommand::RecordPrepared { prepared, asked_at, expires_at, replaces })
            }
            OrderCommand::RecordRefused { pay_no, code } => of_record(state, pay_no, PayRecordCommand::RecordRefused { code }),
            OrderCommand::OpenPayRecord { pay_no, now } => {
                state.may_begin_payment(now)?;
                of_record(state, pay_no, PayRecordCommand::Open { now })
            }
            OrderCommand::RecordCapture { pay_no, capture } => record_capture(state, created, pay_no, capture),
            OrderCommand::ClosePayRecord { pay_no, proof } => ending::close_pay_record(state, created, pay_no, proof),
            OrderCommand::Cancel { reason } => ending::cancel(state, created, reason),
            OrderCommand::Expire { now } => ending::expire(state, created, now),
            OrderCommand::Revive { pay_no } => revive(state, created, pay_no),
            OrderCommand::StopWaiting { now } => ending::stop_waiting(state, created, now),
            OrderCommand::RefundLatePayment { pay_no, now } => refund_late_payment(state, created, pay_no, now),
            OrderCommand::Refund(command) => {
                Ok(refund::decide(state, created, command)?.into_iter().map(OrderStreamEvent::Order).collect())
            }
        }
    }

    fn evolve(state: Self, event: &OrderStreamEvent) -> Self {
        state.evolved(event)
    }
}

fn of_record(order: &Order, pay_no: PayNo, command: PayRecordCommand) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let record = order.pay_record(pay_no).ok_or(OrderRejection::UnknownPayRecord)?;
    Ok(PayRecord::decide(record, command)?.into_iter().map(OrderStreamEvent::PayRecord).collect())
}

fn create(
    order: &Order,
    draft: OrderDraft,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    match order.status {
        OrderStatus::Uncreated => {}
        OrderStatus::Abandoned => return Err(OrderRejection::Ended),
        _ => return Err(OrderRejection::AlreadyCreated),
    }
    let currency = draft.currency;
    let sum = draft
        .items
        .iter()
        .try_fold(Money::zero(currency), |sum, item| sum.checked_add(item.unit_price_amount.of(currency).checked_mul(item.quantity)?));
    let discount = draft.coupon.as_ref().map_or(Money::zero(currency), |coupon| coupon.discount_amount.of(currency));
    let owed = sum.and_then(|sum| sum.checked_sub(discount)).map_err(|_| OrderRejection::WrongSum)?;
    if owed.minor_units() != draft.amount {
        return Err(OrderRejection::WrongSum);
    }
    let created = OrderCreated { draft, created_at: now, expires_at };
    let mut events = vec![OrderStreamEvent::Order(created.clone().into())];
    if created.draft.amount.of(currency).is_zero() {
        events.extend(nothing_to_pay(&created, now)?);
    }
    Ok(events)
}

/// Whichever comes first, this or the order, decides whether what is held for it is let go.
fn abandon(order: &Order, order_id: OrderId) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    match order.status {
        OrderStatus::Uncreated => Ok(vec![OrderStreamEvent::Order(OrderAbandoned { order_id }.into())]),
        OrderStatus::Abandoned => Ok(vec![]),
        _ => Err(OrderRejection::AlreadyCreated),
    }
}

/// An order that owes nothing is confirmed as it is made, by an attempt that asks no channel.
fn nothing_to_pay(created: &OrderCreated, now: DateTime<Utc>) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let order_id = created.draft.order_id;
    let pay_no = PayNo::new(order_id, 1).map_err(|_| OrderRejection::AttemptsExhausted)?;
    let (amount, currency) = (created.draft.amount, created.draft.currency);
    let issued =
        PayRecordIssued { pay_no, order_id, channel: Channel::None, amount, currency, request: None, by_scan: false, issued_at: now };
    let capture = KnownCapture {
        trade_no: pay_no.to_string(),
        amount: amount.of(currency),
        paid_at: now,
        paid_at_offset: None,
        received_at: now,
        learned_by: CaptureSource::NothingToPay,
    };
    let confirmed = confirmation(pay_no, Channel::None, capture, paid_order(created));
    Ok(vec![
        OrderStreamEvent::PayRecord(issued.into()),
        OrderStreamEvent::PayRecord(confirmed.into()),
        OrderStreamEvent::Order(OrderPaid { order_id, pay_no, paid_at: now }.into()),
    ])
}

fn paid_order(created: &OrderCreated) -> PaidOrder {
    let draft = &created.draft;
    PaidOrder {
        order_id: draft.order_id,
        order_type: draft.order_type.clone(),
        out_business_id: draft.out_business_id.clone(),
        buyer_id: draft.buyer_id.clone(),
        items: draft.items.clone(),
    }
}

fn record_capture(order: &Order, created: &OrderCreated, pay_no: PayNo, capture: Capture) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let stage = match order.status {
        OrderStatus::AwaitingPayment | OrderStatus::Closing => OrderStage::Payable,
        OrderStatus::Paid => OrderStage::Paid,
        OrderStatus::Cancelled => OrderStage::Cancelled,
        OrderStatus::Expired => OrderStage::Expired,
        OrderStatus::Uncreated | OrderStatus::Abandoned => return Err(OrderRejection::Unknown),
    };
    let command = PayRecordCommand::Capture { capture, stage, order: paid_order(created) };
    let mut events = of_record(order, pay_no, command)?;
    let consequence: Option<OrderEvent> = match events.first() {
        Some(OrderStreamEvent::PayRecord(PayRecordEvent::PaymentConfirmed(confirmed))) => {
            let paid = OrderPaid { order_id: confirmed.order_id, pay_no, paid_at: confirmed.paid_at };
            events.push(OrderStreamEvent::Order(paid.into()));
            events.extend(ending::close_others(order, pay_no)?);
            None
        }
        Some(OrderStreamEvent::PayRecord(PayRecordEvent::SurplusPaymentReceived(surplus))) => {
            let cause = match surplus.reason {
                SurplusReason::PaidTwice => RefundCause::PaidTwice,
                SurplusReason::AfterCancel => RefundCause::AfterCancel,
                SurplusReason::AmountMismatch => RefundCause::AmountMismatch,
            };
            let of = Payment { pay_no, trade_no: &surplus.trade_no, reason: None, now: surplus.received_at };
            refund::begin(order, created, &of, surplus.money(), cause)
        }
        _ => None,
    };
    events.extend(consequence.map(OrderStreamEvent::Order));
    // A surplus ends its attempt too, and an order that is to end may have waited for just that one.
    Ok(ending::with_end(order, created, events))
}

/// The capture of the record that came late, did not pay the order and is not on its way back yet.
fn late_capture(order: &Order, pay_no: PayNo) -> Result<Option<(&PayRecord, &KnownCapture)>, OrderRejection> {
    let record = order.pay_record(pay_no).ok_or(OrderRejection::UnknownPayRecord)?;
    let is_open = |capture: &&KnownCapture| {
        let owed = record.issued.as_ref().is_some_and(|issued| issued.amount == capture.amount);
        let paid = record.confirmed_trade_no.as_ref() == Some(&capture.trade_no);
        let refunded = order.refunds.iter().any(|refund| refund.pay_no == pay_no && refund.trade_no == capture.trade_no);
        owed && !paid && !refunded
    };
    Ok(record.captures.iter().find(is_open).map(|capture| (record, capture)))
}

impl Order {
    /// The attempts with money that came late and is neither taken nor on its way back.
    pub fn open_late_payments(&self) -> Vec<PayNo> {
        if !matches!(self.status, OrderStatus::Expired | OrderStatus::Paid) || self.refunds.len() >= usize::from(RefundNo::MAX_NUMBER) {
            return vec![];
        }
        let numbers = self.pay_records.iter().filter_map(|record| record.issued.as_ref()).map(|issued| issued.pay_no);
        numbers.filter(|pay_no| late_capture(self, *pay_no).is_ok_and(|capture| capture.is_some())).collect()
    }
}

fn revive(order: &Order, created: &OrderCreated, pay_no: PayNo) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    if order.status == OrderStatus::Paid {
        let already_so = order.paid.is_some_and(|(paid_by, _)| paid_by == pay_no) && late_capture(order, pay_no)?.is_none();
        return if already_so { Ok(vec![]) } else { Err(OrderRejection::AlreadyPaid) };
    }
    if order.status != OrderStatus::Expired {
        return Err(OrderRejection::WrongState);
    }
    let (record, capture) = late_capture(order, pay_no)?.ok_or(OrderRejection::WrongState)?;
    let issued = record.issued.as_ref().ok_or(OrderRejection::UnknownPayRecord)?;
    let order_id = created.draft.order_id;
    let paid_at = capture.paid_at;
    let confirmed = confirmation(pay_no, issued.channel, capture.clone(), paid_order(created));
    let mut events = vec![
        OrderStreamEvent::Order(OrderRevived { order_id, pay_no }.into()),
        OrderStreamEvent::PayRecord(confirmed.into()),
        OrderStreamEvent::Order(OrderPaid { order_id, pay_no, paid_at }.into()),
    ];
    events.extend(ending::close_others(order, pay_no)?);
    Ok(events)
}

fn refund_late_payment(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    now: DateTime<Utc>,
) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    // Once another late payment revived the order, this one is paid twice and still goes back.
    if !matches!(order.status, OrderStatus::Expired | OrderStatus::Paid) {
        return Err(OrderRejection::WrongState);
    }
    let paid_by_it = order.paid.is_some_and(|(paid_by, _)| paid_by == pay_no);
    if paid_by_it && late_capture(order, pay_no)?.is_none() {
        return Err(OrderRejection::AlreadyPaid);
    }
    // All of the record's at once: who does the same at the same time then finds none left.
    let (mut order, mut events) = (order.clone(), Vec::new());
    while let Some((_, capture)) = late_capture(&order, pay_no)? {
        let of = Payment { pay_no, trade_no: &capture.trade_no, reason: None, now };
        let Some(begun) = refund::begin(&order, created, &of, capture.amount, RefundCause::Late) else { break };
        let event = OrderStreamEvent::Order(begun);
        order = order.evolved(&event);
        events.push(event);
    }
    Ok(events)
}
