//! The rules of giving money back. A refund keeps its number and its sum until the channel's last word on it.

use chrono::{DateTime, Utc};

use super::commands::{OrderRejection, RefundCommand, RefundOutcome};
use super::events::{
    OrderCreated, OrderEvent, RefundAccepted, RefundCause, RefundFailed, RefundNeedsOperator, RefundObserved, RefundRequested,
    RefundRetried, RefundSettled, RefundSucceeded, SurplusResolved,
};
use super::state::Order;
use crate::ids::{PayNo, RefundNo};
use crate::money::{MinorUnits, Money};
use crate::pay_record::{KnownCapture, PayRecord};

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// It is to be asked for, or was asked for without an answer.
    Requested,
    /// The channel has taken it on.
    Processing,
    /// The money went back.
    Succeeded,
    /// It will not be made.
    Failed,
    /// The channel does not make it by itself.
    NeedsOperator,
}

impl RefundStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::NeedsOperator => "needs_operator",
        }
    }

    /// Whether the channel is to be asked for it or about it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Processing)
    }
}

/// A refund that was requested, or seen on the channel's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its number.
    pub refund_no: RefundNo,
    /// Of this pay record's money.
    pub pay_no: PayNo,
    /// Of this payment at the channel.
    pub trade_no: String,
    /// How much.
    pub amount: Money,
    /// Why.
    pub cause: RefundCause,
    /// What the operator who wished it said.
    pub reason: Option<String>,
    /// When it was requested.
    pub requested_at: Option<DateTime<Utc>>,
    /// How far it has come.
    pub status: RefundStatus,
    /// The channel's word for why it failed or needs an operator.
    pub code: Option<String>,
    /// How often an operator had it asked for anew.
    pub retries: u32,
}

impl Refund {
    /// Whether it gives back this payment. Two channels may use the same number for two payments.
    pub fn is_of(&self, pay_no: PayNo, trade_no: &str) -> bool {
        self.pay_no == pay_no && self.trade_no == trade_no
    }
}

impl Order {
    /// The refund with this number.
    pub fn refund(&self, refund_no: RefundNo) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.refund_no == refund_no)
    }

    /// The capture that paid the order, if one did.
    pub fn paid_capture(&self) -> Option<&KnownCapture> {
        let record = self.paid.and_then(|(pay_no, _)| self.pay_record(pay_no))?;
        let trade_no = record.confirmed_trade_no.as_ref()?;
        record.captures.iter().find(|capture| capture.trade_no == *trade_no)
    }

    /// What of a payment, known by its pay record and the channel's number, went back, in smallest units.
    pub fn refunded_of(&self, pay_no: PayNo, trade_no: &str) -> i64 {
        self.sum_of(pay_no, trade_no, |refund| refund.status == RefundStatus::Succeeded)
    }

    /// What of a payment went back or is to go back, in smallest units.
    pub fn reserved_of(&self, pay_no: PayNo, trade_no: &str) -> i64 {
        self.sum_of(pay_no, trade_no, |refund| refund.status != RefundStatus::Failed)
    }

    fn sum_of(&self, pay_no: PayNo, trade_no: &str, counts: impl Fn(&Refund) -> bool) -> i64 {
        let of_payment = self.refunds.iter().filter(|refund| refund.is_of(pay_no, trade_no));
        of_payment.filter(|refund| counts(refund)).fold(0, |sum: i64, refund| sum.saturating_add(refund.amount.amount_minor()))
    }
}

/// Begins to give a payment back. `None` where no refund number is left: it then stands without, for an operator to see.
pub(super) fn begin(order: &Order, created: &OrderCreated, of: &Payment, amount: Money, cause: RefundCause) -> Option<OrderEvent> {
    let order_id = created.draft.order_id;
    Some(
        RefundRequested {
            refund_no: next_number(order, created).ok()?,
            order_id,
            pay_no: of.pay_no,
            trade_no: of.trade_no.to_owned(),
            amount: amount.minor_units(),
            currency: amount.currency(),
            cause,
            reason: of.reason.clone(),
            requested_at: Some(of.now),
        }
        .into(),
    )
}

/// Of which payment money goes back, and on whose wish.
pub(super) struct Payment<'a> {
    pub(super) pay_no: PayNo,
    pub(super) trade_no: &'a str,
    pub(super) reason: Option<String>,
    pub(super) now: DateTime<Utc>,
}

fn next_number(order: &Order, created: &OrderCreated) -> Result<RefundNo, OrderRejection> {
    let number = u8::try_from(order.refunds.len() + 1).map_err(|_| OrderRejection::RefundsExhausted)?;
    RefundNo::new(created.draft.order_id, number).map_err(|_| OrderRejection::RefundsExhausted)
}

pub(super) fn decide(order: &Order, created: &OrderCreated, command: RefundCommand) -> Result<Vec<OrderEvent>, OrderRejection> {
    match command {
        RefundCommand::Request { amount, reason, now } => request(order, created, amount, reason, now),
        RefundCommand::Record { refund_no, retries, outcome, now } => {
            let refund = order.refund(refund_no).ok_or(OrderRejection::UnknownRefund)?;
            // What the channel did not do before an operator had it asked anew says nothing of what it does now.
            let is_stale = refund.retries != retries && !matches!(outcome, RefundOutcome::Succeeded { .. });
            if is_stale { Ok(vec![]) } else { record(order, created, refund, outcome, now) }
        }
        RefundCommand::Retry { refund_no, reason } => retry(order, created, refund_no, reason),
        RefundCommand::Settle { refund_no, reason, now } => settle(order, created, refund_no, reason, now),
        RefundCommand::Observe { pay_no, trade_no, total, now } => observe(order, created, pay_no, &trade_no, total, now),
        RefundCommand::ObserveOne { pay_no, trade_no, amount, refunded_at, now } => {
            let seen_at = SeenAt { refunded_at: refunded_at.unwrap_or(now), now };
            observe_one(order, created, pay_no, &trade_no, amount, seen_at)
        }
        RefundCommand::ResolveSurplus { pay_no, trade_no, reason } => resolve(order, created, pay_no, trade_no, reason),
    }
}

fn request(
    order: &Order,
    created: &OrderCreated,
    amount: Money,
    reason: String,
    now: DateTime<Utc>,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let (Some((pay_no, _)), Some(capture)) = (order.paid, order.paid_capture()) else { return Err(OrderRejection::RefundExceedsPaid) };
    let asked = order.reserved_of(pay_no, &capture.trade_no).checked_add(amount.amount_minor()).ok_or(OrderRejection::RefundExceedsPaid)?;
    if amount.is_zero() || amount.currency() != capture.amount.currency() || asked > capture.amount.amount_minor() {
        return Err(OrderRejection::RefundExceedsPaid);
    }
    next_number(order, created)?;
    let of = Payment { pay_no, trade_no: &capture.trade_no, reason: Some(reason), now };
    Ok(begin(order, created, &of, amount, RefundCause::Operator).into_iter().collect())
}

fn record(
    order: &Order,
    created: &OrderCreated,
    refund: &Refund,
    outcome: RefundOutcome,
    now: DateTime<Utc>,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let (order_id, refund_no, pay_no) = (created.draft.order_id, refund.refund_no, refund.pay_no);
    match (refund.status, outcome) {
        (RefundStatus::Succeeded, RefundOutcome::Failed { .. }) => Err(OrderRejection::WrongState),
        (RefundStatus::Succeeded, _) => Ok(vec![]),
        // Money that went back went back, also after the channel has said that it would not.
        (_, RefundOutcome::Succeeded { refunded_at }) => Ok(vec![succeeded(order, created, refund, refunded_at.unwrap_or(now))?]),
        (RefundStatus::Failed, _) => Ok(vec![]),
        (_, RefundOutcome::Failed { code }) => Ok(vec![RefundFailed { refund_no, order_id, pay_no, code }.into()]),
        (RefundStatus::Requested, RefundOutcome::Accepted) => Ok(vec![RefundAccepted { refund_no, order_id, pay_no }.into()]),
        (RefundStatus::Requested | RefundStatus::Processing, RefundOutcome::NeedsOperator { code }) => {
            Ok(vec![RefundNeedsOperator { refund_no, order_id, pay_no, code }.into()])
        }
        (RefundStatus::Processing | RefundStatus::NeedsOperator, _) => Ok(vec![]),
    }
}

fn retry(order: &Order, created: &OrderCreated, refund_no: RefundNo, reason: String) -> Result<Vec<OrderEvent>, OrderRejection> {
    let refund = order.refund(refund_no).ok_or(OrderRejection::UnknownRefund)?;
    match refund.status {
        RefundStatus::NeedsOperator => {
            Ok(vec![RefundRetried { refund_no, order_id: created.draft.order_id, pay_no: refund.pay_no, reason }.into()])
        }
        RefundStatus::Requested | RefundStatus::Processing => Ok(vec![]),
        RefundStatus::Succeeded | RefundStatus::Failed => Err(OrderRejection::WrongState),
    }
}

fn settle(
    order: &Order,
    created: &OrderCreated,
    refund_no: RefundNo,
    reason: String,
    now: DateTime<Utc>,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let refund = order.refund(refund_no).ok_or(OrderRejection::UnknownRefund)?;
    let (_, capture) = capture_of(order, refund.pay_no, &refund.trade_no)?;
    let back = order.refunded_of(refund.pay_no, &refund.trade_no).saturating_add(refund.amount.amount_minor());
    match refund.status {
        // So much cannot have gone back another way: what was seen at the channel is this one. Asking again ends it.
        RefundStatus::NeedsOperator if back > capture.amount.amount_minor() => Err(OrderRejection::RefundExceedsPaid),
        RefundStatus::NeedsOperator => Ok(vec![
            RefundSettled { refund_no, order_id: created.draft.order_id, pay_no: refund.pay_no, reason }.into(),
            succeeded(order, created, refund, now)?,
        ]),
        // Asked twice, it is done already.
        RefundStatus::Succeeded => Ok(vec![]),
        RefundStatus::Requested | RefundStatus::Processing | RefundStatus::Failed => Err(OrderRejection::WrongState),
    }
}

/// `total` is all that went back of the payment so far, as the channel says. What our own refunds explain is no news.
fn observe(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    trade_no: &str,
    total: Money,
    now: DateTime<Utc>,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    capture_of(order, pay_no, trade_no)?;
    let of_payment = |refund: &&Refund| refund.is_of(pay_no, trade_no);
    let news = total.amount_minor().saturating_sub(order.refunded_of(pay_no, trade_no));
    let Some(news) = MinorUnits::new(news).ok().filter(|units| units.as_i64() > 0) else { return Ok(vec![]) };
    if order.refunds.iter().filter(of_payment).any(|refund| refund.status.is_open()) {
        return Err(OrderRejection::RefundInFlight);
    }
    seen_beside(order, created, pay_no, trade_no, news.of(total.currency()), SeenAt { refunded_at: now, now })
}

/// One refund is told of by itself: what is under way has a number of its own and does not explain it.
fn observe_one(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    trade_no: &str,
    amount: Money,
    seen_at: SeenAt,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let (_, capture) = capture_of(order, pay_no, trade_no)?;
    let back = order.refunded_of(pay_no, trade_no).checked_add(amount.amount_minor());
    let is_possible = back.is_some_and(|back| back <= capture.amount.amount_minor());
    if amount.is_zero() || amount.currency() != capture.amount.currency() || !is_possible {
        return Err(OrderRejection::RefundExceedsPaid);
    }
    seen_beside(order, created, pay_no, trade_no, amount, seen_at)
}

/// When the channel gave money back, and when we learned of it.
#[derive(Clone, Copy)]
struct SeenAt {
    refunded_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

/// Money that went back beside our own refunds.
fn seen_beside(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    trade_no: &str,
    amount: Money,
    SeenAt { refunded_at, now }: SeenAt,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    // An operator has made on the channel's website what the channel did not make for us.
    let by_hand =
        |refund: &&Refund| refund.is_of(pay_no, trade_no) && refund.status == RefundStatus::NeedsOperator && refund.amount == amount;
    if let Some(refund) = order.refunds.iter().find(by_hand) {
        return Ok(vec![succeeded(order, created, refund, refunded_at)?]);
    }
    let refund_no = next_number(order, created)?;
    let observed = RefundObserved {
        refund_no,
        order_id: created.draft.order_id,
        pay_no,
        trade_no: trade_no.to_owned(),
        amount: amount.minor_units(),
        currency: amount.currency(),
        observed_at: now,
    };
    let refund = seen(&observed);
    let observed = observed.into();
    Ok(vec![observed, succeeded(order, created, &refund, refunded_at)?])
}

fn resolve(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    trade_no: String,
    reason: String,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let (record, capture) = capture_of(order, pay_no, &trade_no)?;
    if record.confirmed_trade_no.as_ref() == Some(&capture.trade_no) {
        return Err(OrderRejection::WrongState);
    }
    if order.resolved_surpluses.contains(&(pay_no, trade_no.clone())) {
        return Ok(vec![]);
    }
    Ok(vec![SurplusResolved { order_id: created.draft.order_id, pay_no, trade_no, reason }.into()])
}

fn capture_of<'a>(order: &'a Order, pay_no: PayNo, trade_no: &str) -> Result<(&'a PayRecord, &'a KnownCapture), OrderRejection> {
    let record = order.pay_record(pay_no).ok_or(OrderRejection::UnknownPayRecord)?;
    let capture = record.captures.iter().find(|capture| capture.trade_no == trade_no);
    capture.map(|capture| (record, capture)).ok_or(OrderRejection::WrongState)
}

/// The fact that `refund` went back, with all that consumers need.
fn succeeded(order: &Order, created: &OrderCreated, refund: &Refund, refunded_at: DateTime<Utc>) -> Result<OrderEvent, OrderRejection> {
    let (record, capture) = capture_of(order, refund.pay_no, &refund.trade_no)?;
    let issued = record.issued.as_ref().ok_or(OrderRejection::UnknownPayRecord)?;
    let paid_the_order =
        order.paid.is_some_and(|(pay_no, _)| pay_no == refund.pay_no) && record.confirmed_trade_no.as_ref() == Some(&capture.trade_no);
    let back = order.refunded_of(refund.pay_no, &refund.trade_no).saturating_add(refund.amount.amount_minor());
    let draft = &created.draft;
    Ok(RefundSucceeded {
        refund_no: refund.refund_no,
        refund_amount: refund.amount.minor_units(),
        refunded_at,
        cause: refund.cause,
        fully_refunded: paid_the_order && back >= capture.amount.amount_minor(),
        pay_no: refund.pay_no,
        order_id: draft.order_id,
        order_type: draft.order_type.clone(),
        out_business_id: draft.out_business_id.clone(),
        buyer_id: draft.buyer_id.clone(),
        amount: capture.amount.minor_units(),
        currency: capture.amount.currency(),
        channel: issued.channel,
        trade_no: capture.trade_no.clone(),
        paid_at: capture.paid_at,
        items: draft.items.clone(),
    }
    .into())
}

fn seen(event: &RefundObserved) -> Refund {
    Refund {
        refund_no: event.refund_no,
        pay_no: event.pay_no,
        trade_no: event.trade_no.clone(),
        amount: event.amount.of(event.currency),
        cause: RefundCause::ChannelSide,
        reason: None,
        requested_at: Some(event.observed_at),
        // RefundSucceeded stands right behind it, in the same append.
        status: RefundStatus::Processing,
        code: None,
        retries: 0,
    }
}

/// The order's refunds after `event`.
pub(super) fn evolve(refunds: &mut Vec<Refund>, event: &OrderEvent) {
    let mut change = |refund_no: RefundNo, status: RefundStatus, code: Option<&String>| {
        if let Some(refund) = refunds.iter_mut().find(|refund| refund.refund_no == refund_no) {
            refund.status = status;
            refund.code = code.cloned();
            refund.retries += u32::from(status == RefundStatus::Requested);
        }
    };
    match event {
        OrderEvent::RefundRequested(event) => refunds.push(Refund {
            refund_no: event.refund_no,
            pay_no: event.pay_no,
            trade_no: event.trade_no.clone(),
            amount: event.amount.of(event.currency),
            cause: event.cause,
            reason: event.reason.clone(),
            requested_at: event.requested_at,
            status: RefundStatus::Requested,
            code: None,
            retries: 0,
        }),
        OrderEvent::RefundObserved(event) => refunds.push(seen(event)),
        OrderEvent::RefundAccepted(event) => change(event.refund_no, RefundStatus::Processing, None),
        OrderEvent::RefundSucceeded(event) => change(event.refund_no, RefundStatus::Succeeded, None),
        OrderEvent::RefundFailed(event) => change(event.refund_no, RefundStatus::Failed, Some(&event.code)),
        OrderEvent::RefundNeedsOperator(event) => change(event.refund_no, RefundStatus::NeedsOperator, Some(&event.code)),
        OrderEvent::RefundRetried(event) => change(event.refund_no, RefundStatus::Requested, None),
        // RefundSucceeded says the rest.
        _ => {}
    }
}
