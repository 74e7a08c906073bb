//! Refunds, and money that nobody asked for.

use domain::order::{
    OrderStreamEvent, OrderType, RefundAccepted, RefundCause, RefundFailed, RefundNeedsOperator, RefundObserved, RefundRequested,
    RefundRetried, RefundSettled, RefundSucceeded, SurplusResolved,
};
use domain::unknown_capture::{
    UnassignCause, UnknownCaptureAssigned, UnknownCaptureEvent, UnknownCaptureMatched, UnknownCaptureOutcome, UnknownCaptureReceived,
    UnknownCaptureRefunded, UnknownCaptureResolved, UnknownCaptureUnassigned,
};
use domain::{BuyerId, Channel, Currency, OrderId, RefundNo};

use super::{Stored, Story, at, fen, item, order_id, pay_no, selection_id};

/// The channel's number of the payment by which [`super::confirmed`] paid the first attempt.
pub(crate) fn paid_trade(order: OrderId) -> String {
    format!("trade-{order}-1")
}

/// The channel's number of [`super::surplus`] of the first attempt.
pub(crate) fn surplus_trade(order: OrderId) -> String {
    format!("surplus-{order}-1")
}

pub(crate) fn refund_no(order: OrderId, number: u8) -> RefundNo {
    RefundNo::new(order, number).unwrap()
}

/// The refund of what [`super::surplus`] tells of.
pub(crate) fn refund_requested(order: OrderId, attempt: u8) -> RefundRequested {
    let trade_no = format!("surplus-{order}-{attempt}");
    RefundRequested {
        pay_no: pay_no(order, attempt),
        trade_no,
        cause: RefundCause::PaidTwice,
        reason: None,
        ..refund_wished(order, 1, 9900)
    }
}

/// A refund of `amount` of what paid the order, as an operator wishes it.
pub(crate) fn refund_wished(order: OrderId, number: u8, amount: i64) -> RefundRequested {
    RefundRequested {
        refund_no: refund_no(order, number),
        order_id: order,
        pay_no: pay_no(order, 1),
        trade_no: paid_trade(order),
        amount: fen(amount),
        currency: Currency::Cny,
        cause: RefundCause::Operator,
        reason: Some("ill".to_owned()),
        requested_at: Some(at(160)),
    }
}

pub(crate) fn refund_accepted(order: OrderId, number: u8) -> RefundAccepted {
    RefundAccepted { refund_no: refund_no(order, number), order_id: order, pay_no: pay_no(order, 1) }
}

/// `amount` of what paid the order went back; it was an order for selection 2.
pub(crate) fn refund_succeeded(order: OrderId, number: u8, amount: i64, fully_refunded: bool) -> RefundSucceeded {
    RefundSucceeded {
        refund_no: refund_no(order, number),
        refund_amount: fen(amount),
        refunded_at: at(200),
        cause: RefundCause::Operator,
        fully_refunded,
        pay_no: pay_no(order, 1),
        order_id: order,
        order_type: OrderType::course(),
        out_business_id: selection_id(2).to_string(),
        buyer_id: BuyerId::parse("alice").unwrap(),
        amount: fen(9900),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: paid_trade(order),
        paid_at: at(100),
        items: vec![item("course-rust")],
    }
}

/// What [`super::surplus`] tells of went back.
pub(crate) fn surplus_refunded(order: OrderId, number: u8, amount: i64) -> RefundSucceeded {
    let trade_no = surplus_trade(order);
    RefundSucceeded { trade_no, cause: RefundCause::PaidTwice, paid_at: at(150), ..refund_succeeded(order, number, amount, false) }
}

pub(crate) fn refund_failed(order: OrderId, number: u8) -> RefundFailed {
    let code = "ACQ.TRADE_HAS_FINISHED".to_owned();
    RefundFailed { refund_no: refund_no(order, number), order_id: order, pay_no: pay_no(order, 1), code }
}

pub(crate) fn refund_needs_operator(order: OrderId, number: u8) -> RefundNeedsOperator {
    let code = "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned();
    RefundNeedsOperator { refund_no: refund_no(order, number), order_id: order, pay_no: pay_no(order, 1), code }
}

pub(crate) fn refund_retried(order: OrderId, number: u8) -> RefundRetried {
    let reason = "the balance is there".to_owned();
    RefundRetried { refund_no: refund_no(order, number), order_id: order, pay_no: pay_no(order, 1), reason }
}

pub(crate) fn refund_settled(order: OrderId, number: u8) -> RefundSettled {
    let reason = "by bank".to_owned();
    RefundSettled { refund_no: refund_no(order, number), order_id: order, pay_no: pay_no(order, 1), reason }
}

pub(crate) fn refund_observed(order: OrderId, number: u8, trade_no: &str, amount: i64) -> RefundObserved {
    RefundObserved {
        refund_no: refund_no(order, number),
        order_id: order,
        pay_no: pay_no(order, 1),
        trade_no: trade_no.to_owned(),
        amount: fen(amount),
        currency: Currency::Cny,
        observed_at: at(180),
    }
}

pub(crate) fn surplus_resolved(order: OrderId, trade_no: &str) -> SurplusResolved {
    let reason = "given back in cash".to_owned();
    SurplusResolved { order_id: order, pay_no: pay_no(order, 1), trade_no: trade_no.to_owned(), reason }
}

/// Money that no pay record asked for.
pub(crate) fn unknown_capture(trade_no: &str) -> Stored {
    let event = UnknownCaptureEvent::from(UnknownCaptureReceived {
        wallet: "alipay".to_owned(),
        trade_no: trade_no.to_owned(),
        out_trade_no: "OLD-7".to_owned(),
        amount: fen(500),
        currency: Currency::Cny,
        paid_at: None,
        paid_at_offset: None,
        received_at: at(170),
    });
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

pub(crate) fn unknown_capture_refunded(trade_no: &str, refunded: i64) -> Stored {
    let event = UnknownCaptureEvent::from(UnknownCaptureRefunded {
        wallet: "alipay".to_owned(),
        trade_no: trade_no.to_owned(),
        refunded_amount: fen(refunded),
        currency: Currency::Cny,
        received_at: at(171),
    });
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

pub(crate) fn unknown_capture_matched(trade_no: &str, order_id: OrderId) -> Stored {
    outcome(UnknownCaptureMatched { wallet: "alipay".to_owned(), trade_no: trade_no.to_owned(), pay_no: pay_no(order_id, 1) })
}

pub(crate) fn unknown_capture_unassigned(trade_no: &str, order_id: OrderId) -> Stored {
    let (wallet, trade_no) = ("alipay".to_owned(), trade_no.to_owned());
    outcome(UnknownCaptureUnassigned { wallet, trade_no, pay_no: pay_no(order_id, 1), cause: UnassignCause::WentBack })
}

fn outcome(outcome: impl Into<UnknownCaptureOutcome>) -> Stored {
    let event = outcome.into();
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

/// It belongs to the order's first attempt.
pub(crate) fn unknown_capture_assigned(trade_no: &str, order: OrderId) -> Stored {
    outcome(UnknownCaptureAssigned {
        wallet: "alipay".to_owned(),
        trade_no: trade_no.to_owned(),
        pay_no: pay_no(order, 1),
        reason: "paid by hand".to_owned(),
        command_key: None,
    })
}

/// It is not ours.
pub(crate) fn unknown_capture_resolved(trade_no: &str) -> Stored {
    let (wallet, reason) = ("alipay".to_owned(), "it was the canteen's".to_owned());
    outcome(UnknownCaptureResolved { wallet, trade_no: trade_no.to_owned(), reason, command_key: None })
}

impl Story {
    pub(crate) async fn unknown_capture(&self, trade_no: &str) {
        self.append(&format!("unknown_capture-alipay-{trade_no}"), [unknown_capture(trade_no)]).await;
    }

    /// What operators make of unmatched money: `T1` belongs to an order, `T2` to nobody, and of `T3` nothing is said.
    pub(super) async fn unknown_captures(&self) {
        self.unknown_capture("T2").await;
        self.append("unknown_capture-alipay-T1", [unknown_capture_assigned("T1", order_id(4))]).await;
        self.unknown_capture("T3").await;
        self.append("unknown_capture-alipay-T2", [unknown_capture_resolved("T2")]).await;
    }

    /// What becomes of the refunds of order 2, which paid selection 2: its surplus is refused, all of its price goes back.
    pub(super) async fn refunds(&self) {
        let order = order_id(2);
        let appends: [Vec<OrderStreamEvent>; 7] = [
            vec![refund_accepted(order, 1).into()],
            vec![refund_failed(order, 1).into()],
            vec![refund_wished(order, 2, 4000).into()],
            vec![refund_needs_operator(order, 2).into()],
            vec![refund_retried(order, 2).into(), refund_succeeded(order, 2, 4000, false).into()],
            vec![refund_observed(order, 3, &paid_trade(order), 5900).into(), refund_succeeded(order, 3, 5900, true).into()],
            vec![surplus_resolved(order, &surplus_trade(order)).into()],
        ];
        for events in appends {
            self.order(order, events).await;
        }
    }
}
