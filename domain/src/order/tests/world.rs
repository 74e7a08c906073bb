//! One order for one course, its events and its commands, in short words. The order is made at minute 0 and can be paid
//! until minute 30.

use chrono::{DateTime, TimeDelta, Utc};

use crate::channel::Channel;
use crate::ids::{BuyerId, OrderId, PayNo, ProductId, RefundNo};
use crate::money::{Currency, MinorUnits, Money};
use crate::order::*;
use crate::pay_record::*;
use crate::product_kind::ProductKind;
use crate::scenario;

pub(super) const PRICE: i64 = 19_900;
pub(super) const EXPIRES: i64 = 30;
pub(super) const CODE_URL: &str = "https://qr.alipay.com/bax03431ljhokirwl38f00a7";

pub(super) fn given(events: &[OrderStreamEvent]) -> scenario::Given<Order> {
    scenario::given(events)
}

pub(super) fn minute(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

pub(super) fn order_id() -> OrderId {
    OrderId::parse("7231982345678901234").unwrap()
}

pub(super) fn pay_no(attempt: u8) -> PayNo {
    PayNo::new(order_id(), attempt).unwrap()
}

pub(super) fn units(amount: i64) -> MinorUnits {
    MinorUnits::new(amount).unwrap()
}

pub(super) fn money(amount: i64) -> Money {
    Money::new(amount, Currency::Cny).unwrap()
}

pub(super) fn item(price: i64, quantity: u32) -> OrderItem {
    OrderItem {
        goods_id: ProductId::parse("course-rust-101").unwrap(),
        kind: Some(ProductKind::Course),
        sku_id: None,
        name: "Rust for beginners".to_owned(),
        quantity,
        unit_price_amount: units(price),
        price_version: Some(3),
    }
}

pub(super) fn draft(items: Vec<OrderItem>, amount: i64) -> OrderDraft {
    OrderDraft {
        order_id: order_id(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        order_type: OrderType::course(),
        out_business_id: "7231982345678900001".to_owned(),
        source: OrderSource::CourseSelection,
        service: None,
        title: "Rust for beginners".to_owned(),
        description: None,
        items,
        amount: units(amount),
        currency: Currency::Cny,
        client: Client::Web,
        coupon: None,
        stock: vec![],
        hold_s: None,
    }
}

pub(super) fn create(draft: OrderDraft) -> OrderCommand {
    OrderCommand::Create { draft, now: minute(0), expires_at: minute(EXPIRES) }
}

pub(super) fn created_with(draft: OrderDraft) -> OrderStreamEvent {
    OrderCreated { draft, created_at: minute(0), expires_at: minute(EXPIRES) }.into()
}

pub(super) fn created() -> OrderStreamEvent {
    created_with(draft(vec![item(PRICE, 1)], PRICE))
}

pub(super) fn paying_by(channel: Channel, minutes: i64) -> Attempt {
    Attempt {
        channel,
        product_code: "QR_CODE_OFFLINE".to_owned(),
        notify_url: "https://pay.example/notify/alipay".to_owned(),
        payer: None,
        replaces: None,
        by_scan: false,
        now: minute(minutes),
    }
}

pub(super) fn attempt(channel: Channel, minutes: i64) -> OrderCommand {
    OrderCommand::Attempt(paying_by(channel, minutes))
}

pub(super) fn reattempt(attempt: u8, channel: Channel, minutes: i64) -> OrderCommand {
    OrderCommand::Reattempt { pay_no: pay_no(attempt), attempt: paying_by(channel, minutes) }
}

pub(super) fn record_prepared(attempt: u8) -> OrderCommand {
    OrderCommand::RecordPrepared {
        pay_no: pay_no(attempt),
        prepared: code(),
        asked_at: minute(0),
        expires_at: minute(EXPIRES),
        replaces: None,
    }
}

pub(super) fn record_refused(attempt: u8) -> OrderCommand {
    OrderCommand::RecordRefused { pay_no: pay_no(attempt), code: "ACQ.INVALID_PARAMETER".to_owned() }
}

pub(super) fn open(attempt: u8, minutes: i64) -> OrderCommand {
    OrderCommand::OpenPayRecord { pay_no: pay_no(attempt), now: minute(minutes) }
}

/// The money that was asked for, taken at minute 5, as the channel's notification tells it.
pub(super) fn capture(trade_no: &str) -> Capture {
    Capture {
        trade_no: trade_no.to_owned(),
        amount: money(PRICE),
        paid_at: Some(minute(5)),
        paid_at_offset: Some("+08:00".to_owned()),
        received_at: minute(6),
        learned_by: CaptureSource::Notification,
    }
}

/// Another sum than was asked for, as `learned_by` tells it.
pub(super) fn wrong_capture(trade_no: &str, learned_by: CaptureSource) -> Capture {
    Capture { amount: money(1), learned_by, ..capture(trade_no) }
}

pub(super) fn record_capture(attempt: u8, capture: Capture) -> OrderCommand {
    OrderCommand::RecordCapture { pay_no: pay_no(attempt), capture }
}

pub(super) fn close(attempt: u8, proof: ClosingProof) -> OrderCommand {
    OrderCommand::ClosePayRecord { pay_no: pay_no(attempt), proof }
}

pub(super) fn absent_at(minutes: i64) -> ClosingProof {
    ClosingProof::Absent { asked_at: minute(minutes) }
}

pub(super) fn cancel() -> OrderCommand {
    OrderCommand::Cancel { reason: Some("too dear".to_owned()) }
}

pub(super) fn expire(minutes: i64) -> OrderCommand {
    OrderCommand::Expire { now: minute(minutes) }
}

pub(super) fn stop_waiting(minutes: i64) -> OrderCommand {
    OrderCommand::StopWaiting { now: minute(minutes) }
}

pub(super) fn revive(attempt: u8) -> OrderCommand {
    OrderCommand::Revive { pay_no: pay_no(attempt) }
}

pub(super) fn refund_late(attempt: u8) -> OrderCommand {
    OrderCommand::RefundLatePayment { pay_no: pay_no(attempt), now: minute(40) }
}

fn of_record(event: impl Into<PayRecordEvent>) -> OrderStreamEvent {
    OrderStreamEvent::PayRecord(event.into())
}

pub(super) fn issued_as(attempt: u8, channel: Channel, minutes: i64, subject: &str) -> OrderStreamEvent {
    of_record(PayRecordIssued {
        pay_no: pay_no(attempt),
        order_id: order_id(),
        channel,
        amount: units(PRICE),
        currency: Currency::Cny,
        request: Some(PaymentRequest {
            subject: subject.to_owned(),
            product_code: "QR_CODE_OFFLINE".to_owned(),
            time_expire: minute(EXPIRES),
            notify_url: "https://pay.example/notify/alipay".to_owned(),
            payer: None,
        }),
        by_scan: false,
        issued_at: minute(minutes),
    })
}

pub(super) fn issued(attempt: u8, channel: Channel, minutes: i64) -> OrderStreamEvent {
    issued_as(attempt, channel, minutes, "Rust for beginners")
}

pub(super) fn prepared(attempt: u8) -> OrderStreamEvent {
    prepared_until(attempt, EXPIRES)
}

pub(super) fn prepared_until(attempt: u8, minutes: i64) -> OrderStreamEvent {
    of_record(PayRecordPrepared { pay_no: pay_no(attempt), prepared: code(), expires_at: minute(minutes) })
}

pub(super) fn code() -> Prepared {
    Prepared::Code { code_url: CODE_URL.to_owned() }
}

pub(super) fn opened(attempt: u8, minutes: i64) -> OrderStreamEvent {
    of_record(PayRecordOpened { pay_no: pay_no(attempt), opened_at: minute(minutes) })
}

pub(super) fn failed(attempt: u8) -> OrderStreamEvent {
    of_record(PayRecordFailed { pay_no: pay_no(attempt), code: "ACQ.INVALID_PARAMETER".to_owned() })
}

pub(super) fn closing(attempt: u8, cause: ClosingCause) -> OrderStreamEvent {
    of_record(PayRecordClosing { pay_no: pay_no(attempt), cause })
}

pub(super) fn closed(attempt: u8, proof: ClosedProof) -> OrderStreamEvent {
    of_record(PayRecordClosed { pay_no: pay_no(attempt), proof })
}

/// What the order says of `capture`, paid through `channel`.
pub(super) fn confirmed_as(attempt: u8, channel: Channel, capture: Capture) -> OrderStreamEvent {
    of_record(PaymentConfirmed {
        pay_no: pay_no(attempt),
        order_id: order_id(),
        order_type: OrderType::course(),
        out_business_id: "7231982345678900001".to_owned(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        amount: capture.amount.minor_units(),
        currency: Currency::Cny,
        channel,
        trade_no: capture.trade_no,
        paid_at: capture.paid_at.unwrap_or(capture.received_at),
        paid_at_offset: capture.paid_at_offset,
        received_at: capture.received_at,
        learned_by: capture.learned_by,
        items: vec![item(PRICE, 1)],
    })
}

pub(super) fn confirmed(attempt: u8, trade_no: &str) -> OrderStreamEvent {
    confirmed_as(attempt, Channel::AlipayQr, capture(trade_no))
}

pub(super) fn surplus(attempt: u8, reason: SurplusReason, capture: Capture) -> OrderStreamEvent {
    of_record(SurplusPaymentReceived {
        pay_no: pay_no(attempt),
        order_id: order_id(),
        reason,
        amount: capture.amount.minor_units(),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: capture.trade_no,
        paid_at: capture.paid_at.unwrap_or(capture.received_at),
        paid_at_offset: capture.paid_at_offset,
        received_at: capture.received_at,
        learned_by: capture.learned_by,
    })
}

pub(super) fn late(attempt: u8, trade_no: &str) -> OrderStreamEvent {
    let capture = capture(trade_no);
    of_record(LatePaymentReceived {
        pay_no: pay_no(attempt),
        order_id: order_id(),
        amount: capture.amount.minor_units(),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: capture.trade_no,
        paid_at: minute(5),
        paid_at_offset: capture.paid_at_offset,
        received_at: capture.received_at,
        learned_by: capture.learned_by,
    })
}

pub(super) fn paid(attempt: u8) -> OrderStreamEvent {
    OrderPaid { order_id: order_id(), pay_no: pay_no(attempt), paid_at: minute(5) }.into()
}

pub(super) fn order_cancelling() -> OrderStreamEvent {
    OrderClosing { order_id: order_id(), cause: EndCause::Cancel, reason: Some("too dear".to_owned()) }.into()
}

pub(super) fn order_expiring() -> OrderStreamEvent {
    OrderClosing { order_id: order_id(), cause: EndCause::Expiry, reason: None }.into()
}

pub(super) fn cancelled(unproven: bool) -> OrderStreamEvent {
    OrderCancelled { order_id: order_id(), reason: Some("too dear".to_owned()), unproven }.into()
}

pub(super) fn expired(unproven: bool) -> OrderStreamEvent {
    OrderExpired { order_id: order_id(), unproven }.into()
}

pub(super) fn abandoned() -> OrderStreamEvent {
    OrderAbandoned { order_id: order_id() }.into()
}

pub(super) fn revived(attempt: u8) -> OrderStreamEvent {
    OrderRevived { order_id: order_id(), pay_no: pay_no(attempt) }.into()
}

pub(super) fn refund_no(number: u8) -> RefundNo {
    RefundNo::new(order_id(), number).unwrap()
}

/// Money that goes back by a rule. What came late is given back at minute 40, and what is not owed when it is learned of.
pub(super) fn refund(number: u8, attempt: u8, trade_no: &str, amount: i64, cause: RefundCause) -> OrderStreamEvent {
    let requested_at = if cause == RefundCause::Late { 40 } else { 6 };
    requested(RefundRequested {
        refund_no: refund_no(number),
        order_id: order_id(),
        pay_no: pay_no(attempt),
        trade_no: trade_no.to_owned(),
        amount: units(amount),
        currency: Currency::Cny,
        cause,
        reason: None,
        requested_at: Some(minute(requested_at)),
    })
}

fn requested(event: RefundRequested) -> OrderStreamEvent {
    event.into()
}

/// Money that goes back at minute 50 because an operator wishes so.
pub(super) fn refund_wished(number: u8, amount: i64) -> OrderStreamEvent {
    requested(RefundRequested {
        refund_no: refund_no(number),
        order_id: order_id(),
        pay_no: pay_no(1),
        trade_no: "T1".to_owned(),
        amount: units(amount),
        currency: Currency::Cny,
        cause: RefundCause::Operator,
        reason: Some("ill".to_owned()),
        requested_at: Some(minute(50)),
    })
}

/// What stands on the stream when money has gone back, `whole` if nothing of what the order was paid with is left.
pub(super) fn refund_succeeded(number: u8, amount: i64, cause: RefundCause, minutes: i64, whole: bool) -> OrderStreamEvent {
    RefundSucceeded {
        refund_no: refund_no(number),
        refund_amount: units(amount),
        refunded_at: minute(minutes),
        cause,
        fully_refunded: whole,
        pay_no: pay_no(1),
        order_id: order_id(),
        order_type: OrderType::course(),
        out_business_id: "7231982345678900001".to_owned(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        amount: units(PRICE),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: "T1".to_owned(),
        paid_at: minute(5),
        items: vec![item(PRICE, 1)],
    }
    .into()
}

/// An order with one code on its way to the buyer's phone.
pub(super) fn pending() -> Vec<OrderStreamEvent> {
    vec![created(), issued(1, Channel::AlipayQr, 1), prepared(1)]
}

/// An order that its first attempt's capture `T1` paid.
pub(super) fn paid_order() -> Vec<OrderStreamEvent> {
    after(pending(), [confirmed(1, "T1"), paid(1)])
}

/// An order that expired when the channel had closed its first attempt.
pub(super) fn expired_order() -> Vec<OrderStreamEvent> {
    let end = [order_expiring(), closing(1, ClosingCause::OrderExpired), closed(1, ClosedProof::ChannelClosed), expired(false)];
    after(pending(), end)
}

pub(super) fn after(mut events: Vec<OrderStreamEvent>, more: impl IntoIterator<Item = OrderStreamEvent>) -> Vec<OrderStreamEvent> {
    events.extend(more);
    events
}
