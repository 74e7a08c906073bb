//! Giving money back: as much as was paid and no more, and each refund once.

use super::world::*;
use crate::channel::Channel::{AlipayQr, WechatNative};
use crate::decider::Decider;
use crate::order::*;
use crate::pay_record::*;

fn wish(amount: i64) -> OrderCommand {
    OrderCommand::Refund(RefundCommand::Request { amount: money(amount), reason: "ill".to_owned(), now: minute(50) })
}

fn record(number: u8, outcome: RefundOutcome) -> OrderCommand {
    record_after(0, number, outcome)
}

/// What was asked after so many retries.
fn record_after(retries: u32, number: u8, outcome: RefundOutcome) -> OrderCommand {
    OrderCommand::Refund(RefundCommand::Record { refund_no: refund_no(number), retries, outcome, now: minute(60) })
}

fn made() -> RefundOutcome {
    RefundOutcome::Succeeded { refunded_at: Some(minute(55)) }
}

fn refused() -> RefundOutcome {
    RefundOutcome::Failed { code: "ACQ.TRADE_HAS_FINISHED".to_owned() }
}

fn by_hand() -> RefundOutcome {
    RefundOutcome::NeedsOperator { code: "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned() }
}

fn retry(number: u8) -> OrderCommand {
    OrderCommand::Refund(RefundCommand::Retry { refund_no: refund_no(number), reason: "balance is there".to_owned() })
}

fn settle(number: u8) -> OrderCommand {
    OrderCommand::Refund(RefundCommand::Settle { refund_no: refund_no(number), reason: "by bank".to_owned(), now: minute(70) })
}

fn observe(trade_no: &str, total: i64) -> OrderCommand {
    let trade_no = trade_no.to_owned();
    OrderCommand::Refund(RefundCommand::Observe { pay_no: pay_no(1), trade_no, total: money(total), now: minute(80) })
}

fn resolve(attempt: u8, trade_no: &str) -> OrderCommand {
    let reason = "given back in cash".to_owned();
    OrderCommand::Refund(RefundCommand::ResolveSurplus { pay_no: pay_no(attempt), trade_no: trade_no.to_owned(), reason })
}

fn accepted(number: u8) -> OrderStreamEvent {
    RefundAccepted { refund_no: refund_no(number), order_id: order_id(), pay_no: pay_no(1) }.into()
}

fn has_failed(number: u8) -> OrderStreamEvent {
    let code = "ACQ.TRADE_HAS_FINISHED".to_owned();
    RefundFailed { refund_no: refund_no(number), order_id: order_id(), pay_no: pay_no(1), code }.into()
}

fn needs_operator(number: u8) -> OrderStreamEvent {
    let code = "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned();
    RefundNeedsOperator { refund_no: refund_no(number), order_id: order_id(), pay_no: pay_no(1), code }.into()
}

fn retried(number: u8) -> OrderStreamEvent {
    let reason = "balance is there".to_owned();
    RefundRetried { refund_no: refund_no(number), order_id: order_id(), pay_no: pay_no(1), reason }.into()
}

fn settled(number: u8) -> OrderStreamEvent {
    let reason = "by bank".to_owned();
    RefundSettled { refund_no: refund_no(number), order_id: order_id(), pay_no: pay_no(1), reason }.into()
}

fn observed(number: u8, amount: i64) -> OrderStreamEvent {
    RefundObserved {
        refund_no: refund_no(number),
        order_id: order_id(),
        pay_no: pay_no(1),
        trade_no: "T1".to_owned(),
        amount: units(amount),
        currency: crate::money::Currency::Cny,
        observed_at: minute(80),
    }
    .into()
}

/// The paid order with one refund of `amount` that an operator wished.
fn refunding(amount: i64) -> Vec<OrderStreamEvent> {
    after(paid_order(), [refund_wished(1, amount)])
}

#[test]
fn a_part_or_all_of_what_was_paid_goes_back_and_no_more() {
    let paid = given(&paid_order());
    paid.when(wish(1)).then([refund_wished(1, 1)]);
    paid.when(wish(PRICE)).then([refund_wished(1, PRICE)]);
    paid.when(wish(PRICE + 1)).then_rejected(OrderRejection::RefundExceedsPaid);
    paid.when(wish(0)).then_rejected(OrderRejection::RefundExceedsPaid);
}

#[test]
fn what_is_under_way_counts_and_what_failed_does_not() {
    for under_way in [vec![], vec![accepted(1)], vec![needs_operator(1)], vec![needs_operator(1), retried(1)]] {
        let order = given(&after(refunding(PRICE - 100), under_way));
        order.when(wish(100)).then([refund_wished(2, 100)]);
        order.when(wish(101)).then_rejected(OrderRejection::RefundExceedsPaid);
    }
    let failed = given(&after(refunding(PRICE), [has_failed(1)]));
    failed.when(wish(PRICE)).then([refund_wished(2, PRICE)]);
}

#[test]
fn an_order_that_was_not_paid_gives_nothing_back() {
    for unpaid in [pending(), expired_order(), after(expired_order(), [late(1, "T1")]), vec![created(), cancelled(false)]] {
        given(&unpaid).when(wish(1)).then_rejected(OrderRejection::RefundExceedsPaid);
    }
}

#[test]
fn after_the_last_number_no_refund_is_begun() {
    let all = after(paid_order(), (1..=99).map(|number| refund_wished(number, 1)));
    given(&all).when(wish(1)).then_rejected(OrderRejection::RefundsExhausted);
}

#[test]
fn what_the_channel_says_is_recorded_once() {
    let order = given(&refunding(100));
    order.when(record(1, RefundOutcome::Accepted)).then([accepted(1)]);
    order.when(record(1, made())).then([refund_succeeded(1, 100, RefundCause::Operator, 55, false)]);
    order.when(record(1, refused())).then([has_failed(1)]);
    order.when(record(1, by_hand())).then([needs_operator(1)]);
    order.when(record(2, made())).then_rejected(OrderRejection::UnknownRefund);
    let known = given(&after(refunding(100), [accepted(1)]));
    known.when(record(1, RefundOutcome::Accepted)).then_nothing();
    known.when(record(1, made())).then([refund_succeeded(1, 100, RefundCause::Operator, 55, false)]);
    let over = given(&after(refunding(100), [refund_succeeded(1, 100, RefundCause::Operator, 55, false)]));
    over.when(record(1, made())).then_nothing();
    over.when(record(1, by_hand())).then_nothing();
    over.when(record(1, refused())).then_rejected(OrderRejection::WrongState);
}

#[test]
fn money_that_went_back_after_a_refusal_went_back() {
    let order = given(&after(refunding(100), [has_failed(1)]));
    order.when(record(1, RefundOutcome::Accepted)).then_nothing();
    order.when(record(1, made())).then([refund_succeeded(1, 100, RefundCause::Operator, 55, false)]);
}

#[test]
fn the_last_part_makes_the_refund_whole() {
    let part = after(refunding(100), [refund_succeeded(1, 100, RefundCause::Operator, 55, false)]);
    assert_eq!(given(&part).state().payment_status(), PaymentStatus::PartiallyRefunded);
    let rest = after(part, [refund_wished(2, PRICE - 100)]);
    given(&rest).when(record(2, made())).then([refund_succeeded(2, PRICE - 100, RefundCause::Operator, 55, true)]);
    let whole = after(rest, [refund_succeeded(2, PRICE - 100, RefundCause::Operator, 55, true)]);
    assert_eq!(given(&whole).state().payment_status(), PaymentStatus::Refunded);
    assert_eq!(given(&refunding(PRICE)).state().payment_status(), PaymentStatus::Paid);
}

#[test]
fn what_nobody_owed_leaves_the_order_paid_when_it_went_back() {
    let twice =
        after(paid_order(), [surplus(1, SurplusReason::PaidTwice, capture("T2")), refund(1, 1, "T2", PRICE, RefundCause::PaidTwice)]);
    let went_back = Order::decide(given(&twice).state(), record(1, made())).unwrap();
    assert!(matches!(&went_back[..], [OrderStreamEvent::Order(OrderEvent::RefundSucceeded(event))]
        if !event.fully_refunded && event.trade_no == "T2" && event.cause == RefundCause::PaidTwice));
    assert_eq!(given(&after(twice, went_back)).state().payment_status(), PaymentStatus::Paid);
}

#[test]
fn an_operator_retries_or_settles_what_the_channel_does_not_make() {
    let order = given(&after(refunding(100), [needs_operator(1)]));
    order.when(retry(1)).then([retried(1)]);
    order.when(settle(1)).then([settled(1), refund_succeeded(1, 100, RefundCause::Operator, 70, false)]);
    let again = given(&after(refunding(100), [needs_operator(1), retried(1)]));
    again.when(retry(1)).then_nothing();
    again.when(settle(1)).then_rejected(OrderRejection::WrongState);
    let over = given(&after(refunding(100), [has_failed(1)]));
    over.when(retry(1)).then_rejected(OrderRejection::WrongState);
    over.when(settle(1)).then_rejected(OrderRejection::WrongState);
    given(&refunding(100)).when(retry(2)).then_rejected(OrderRejection::UnknownRefund);
    given(&refunding(100)).when(settle(2)).then_rejected(OrderRejection::UnknownRefund);
}

#[test]
fn what_the_channel_said_before_a_retry_does_not_undo_it() {
    let retried = given(&after(refunding(100), [needs_operator(1), retried(1)]));
    for stale in [by_hand(), refused(), RefundOutcome::Accepted] {
        retried.when(record(1, stale)).then_nothing();
    }
    retried.when(record_after(1, 1, by_hand())).then([needs_operator(1)]);
    retried.when(record(1, made())).then([refund_succeeded(1, 100, RefundCause::Operator, 55, false)]);
}

#[test]
fn money_that_went_back_on_the_channels_side_counts() {
    let order = given(&paid_order());
    order.when(observe("T1", 100)).then([observed(1, 100), refund_succeeded(1, 100, RefundCause::ChannelSide, 80, false)]);
    order.when(observe("T1", PRICE)).then([observed(1, PRICE), refund_succeeded(1, PRICE, RefundCause::ChannelSide, 80, true)]);
    order.when(observe("T1", 0)).then_nothing();
    order.when(observe("T9", 100)).then_rejected(OrderRejection::WrongState);
}

#[test]
fn what_our_own_refunds_explain_is_no_news() {
    let ours = after(refunding(100), [refund_succeeded(1, 100, RefundCause::Operator, 55, false)]);
    given(&ours).when(observe("T1", 100)).then_nothing();
    given(&ours).when(observe("T1", 150)).then([observed(2, 50), refund_succeeded(2, 50, RefundCause::ChannelSide, 80, false)]);
    let seen = after(ours, [observed(2, 50), refund_succeeded(2, 50, RefundCause::ChannelSide, 80, false)]);
    given(&seen).when(observe("T1", 150)).then_nothing();
    given(&seen).when(wish(PRICE - 149)).then_rejected(OrderRejection::RefundExceedsPaid);
}

#[test]
fn while_a_refund_of_ours_is_under_way_nothing_is_observed() {
    given(&refunding(100)).when(observe("T1", 100)).then_rejected(OrderRejection::RefundInFlight);
    given(&after(refunding(100), [accepted(1)])).when(observe("T1", 100)).then_rejected(OrderRejection::RefundInFlight);
}

#[test]
fn what_an_operator_made_on_the_channels_website_ends_the_refund_that_waited_for_it() {
    let waiting = given(&after(refunding(100), [needs_operator(1)]));
    waiting.when(observe("T1", 100)).then([refund_succeeded(1, 100, RefundCause::Operator, 80, false)]);
    waiting.when(observe("T1", 70)).then([observed(2, 70), refund_succeeded(2, 70, RefundCause::ChannelSide, 80, false)]);
}

#[test]
fn an_operator_resolves_what_nobody_owed_and_nothing_else() {
    let twice = after(paid_order(), [surplus(1, SurplusReason::PaidTwice, capture("T2"))]);
    let resolved =
        SurplusResolved { order_id: order_id(), pay_no: pay_no(1), trade_no: "T2".to_owned(), reason: "given back in cash".to_owned() };
    given(&twice).when(resolve(1, "T2")).then([resolved.clone().into()]);
    given(&after(twice.clone(), [resolved.into()])).when(resolve(1, "T2")).then_nothing();
    given(&twice).when(resolve(1, "T1")).then_rejected(OrderRejection::WrongState);
    given(&twice).when(resolve(1, "T3")).then_rejected(OrderRejection::WrongState);
    given(&twice).when(resolve(2, "T2")).then_rejected(OrderRejection::UnknownPayRecord);
}

#[test]
fn the_same_number_at_two_channels_is_counted_apart() {
    let other = [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2), prepared(2)];
    let both = after(after(pending(), other), [confirmed_as(1, AlipayQr, capture("T1")), paid(1)]);
    let both = after(both, [surplus(2, SurplusReason::PaidTwice, capture("T1")), refund(1, 2, "T1", PRICE, RefundCause::PaidTwice)]);
    given(&both).when(wish(PRICE)).then([refund_wished(2, PRICE)]);
}

fn observe_one(trade_no: &str, amount: i64) -> OrderCommand {
    let (pay_no, trade_no) = (pay_no(1), trade_no.to_owned());
    let refunded_at = Some(minute(75));
    OrderCommand::Refund(RefundCommand::ObserveOne { pay_no, trade_no, amount: money(amount), refunded_at, now: minute(80) })
}

#[test]
fn one_refund_of_the_channels_own_is_recorded_beside_ours() {
    let order = given(&refunding(100));
    let seen = |number, amount, whole| [observed(number, amount), refund_succeeded(number, amount, RefundCause::ChannelSide, 75, whole)];
    order.when(observe_one("T1", 50)).then(seen(2, 50, false));
    // What is under way has a number of its own: it explains nothing, and reserves nothing of what the channel has done.
    order.when(observe_one("T1", PRICE)).then(seen(2, PRICE, true));
    order.when(observe_one("T1", PRICE + 1)).then_rejected(OrderRejection::RefundExceedsPaid);
    order.when(observe_one("T1", 0)).then_rejected(OrderRejection::RefundExceedsPaid);
    order.when(observe_one("T2", 50)).then_rejected(OrderRejection::WrongState);
    let most = given(&after(refunding(100), seen(2, PRICE - 10, false)));
    most.when(observe_one("T1", 10)).then(seen(3, 10, true));
    most.when(observe_one("T1", 11)).then_rejected(OrderRejection::RefundExceedsPaid);
}

#[test]
fn one_refund_made_by_hand_ends_the_one_that_waited_for_it() {
    let order = given(&after(refunding(100), [needs_operator(1)]));
    order.when(observe_one("T1", 100)).then([refund_succeeded(1, 100, RefundCause::Operator, 75, false)]);
    order.when(observe_one("T1", 99)).then([observed(2, 99), refund_succeeded(2, 99, RefundCause::ChannelSide, 75, false)]);
}
