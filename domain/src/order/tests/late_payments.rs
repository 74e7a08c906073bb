//! Money that comes after the order expired: the order is revived by it, or it goes back; never both.

use super::world::*;
use crate::channel::Channel::AlipayQr;
use crate::order::*;
use crate::pay_record::*;

fn late_order() -> Vec<OrderStreamEvent> {
    after(expired_order(), [late(1, "T1")])
}

fn revived_order() -> Vec<OrderStreamEvent> {
    after(late_order(), [revived(1), confirmed(1, "T1"), paid(1)])
}

/// Two attempts ended when the order expired, and both were paid late.
fn late_twice() -> Vec<OrderStreamEvent> {
    let attempts = [
        closed(1, ClosedProof::ChannelClosed),
        issued(2, AlipayQr, 2),
        prepared(2),
        order_expiring(),
        closing(2, ClosingCause::OrderExpired),
        closed(2, ClosedProof::ChannelClosed),
        expired(false),
    ];
    after(pending(), attempts.into_iter().chain([late(1, "T1"), late(2, "T2")]))
}

#[test]
fn a_payment_after_expiry_is_only_recorded() {
    given(&expired_order()).when(record_capture(1, capture("T1"))).then([late(1, "T1")]);
    given(&late_order()).when(record_capture(1, capture("T1"))).then_nothing();
    let order = given(&late_order());
    assert_eq!((order.state().status, order.state().payment_status()), (OrderStatus::Expired, PaymentStatus::Unpaid));
}

#[test]
fn a_late_payment_revives_the_order() {
    given(&late_order()).when(revive(1)).then([revived(1), confirmed(1, "T1"), paid(1)]);
    let order = given(&revived_order());
    assert_eq!((order.state().status, order.state().end_cause), (OrderStatus::Paid, None));
    assert_eq!(order.state().pay_record(pay_no(1)).unwrap().captures.len(), 1);
}

#[test]
fn a_revival_repeated_changes_nothing() {
    given(&revived_order()).when(revive(1)).then_nothing();
    given(&revived_order()).when(record_capture(1, capture("T1"))).then_nothing();
}

#[test]
fn a_late_payment_goes_back_once() {
    let back = refund(1, 1, "T1", PRICE, RefundCause::Late);
    given(&late_order()).when(refund_late(1)).then([back.clone()]);
    given(&after(late_order(), [back])).when(refund_late(1)).then_nothing();
}

#[test]
fn what_went_back_revives_nothing() {
    let returned = after(late_order(), [refund(1, 1, "T1", PRICE, RefundCause::Late)]);
    given(&returned).when(revive(1)).then_rejected(OrderRejection::WrongState);
}

#[test]
fn what_revived_the_order_does_not_go_back() {
    given(&revived_order()).when(refund_late(1)).then_rejected(OrderRejection::AlreadyPaid);
}

#[test]
fn an_expired_order_without_money_is_neither_revived_nor_refunded() {
    given(&expired_order()).when(revive(1)).then_rejected(OrderRejection::WrongState);
    given(&expired_order()).when(refund_late(1)).then_nothing();
}

#[test]
fn only_an_expired_order_is_revived() {
    given(&pending()).when(revive(1)).then_rejected(OrderRejection::WrongState);
    let cancelled_order = after(pending(), [closed(1, ClosedProof::ChannelClosed), cancelled(false)]);
    given(&cancelled_order).when(revive(1)).then_rejected(OrderRejection::WrongState);
    given(&cancelled_order).when(refund_late(1)).then_rejected(OrderRejection::WrongState);
    given(&pending()).when(refund_late(1)).then_rejected(OrderRejection::WrongState);
}

#[test]
fn an_order_paid_by_another_attempt_is_not_revived_and_the_late_money_goes_back() {
    let paid_by_the_second = after(late_twice(), [revived(2), confirmed(2, "T2"), paid(2)]);
    given(&paid_by_the_second).when(revive(1)).then_rejected(OrderRejection::AlreadyPaid);
    given(&paid_by_the_second).when(refund_late(1)).then([refund(1, 1, "T1", PRICE, RefundCause::Late)]);
    given(&paid_by_the_second).when(refund_late(2)).then_rejected(OrderRejection::AlreadyPaid);
}

#[test]
fn all_late_payments_of_an_attempt_go_back_at_once() {
    let both = after(late_order(), [late(1, "T2")]);
    let back = [refund(1, 1, "T1", PRICE, RefundCause::Late), refund(2, 1, "T2", PRICE, RefundCause::Late)];
    given(&both).when(refund_late(1)).then(back.clone());
    given(&after(both.clone(), back)).when(refund_late(1)).then_nothing();
    let one = refund(1, 1, "T1", PRICE, RefundCause::Late);
    given(&after(both, [one])).when(refund_late(1)).then([refund(2, 1, "T2", PRICE, RefundCause::Late)]);
}

#[test]
fn two_late_payments_of_one_attempt_pay_once_and_one_goes_back() {
    let both = after(late_order(), [late(1, "T2")]);
    given(&both).when(revive(1)).then([revived(1), confirmed(1, "T1"), paid(1)]);
    let paid_by_one = after(both, [revived(1), confirmed(1, "T1"), paid(1)]);
    given(&paid_by_one).when(revive(1)).then_rejected(OrderRejection::AlreadyPaid);
    given(&paid_by_one).when(refund_late(1)).then([refund(1, 1, "T2", PRICE, RefundCause::Late)]);
    let settled = after(paid_by_one, [refund(1, 1, "T2", PRICE, RefundCause::Late)]);
    given(&settled).when(revive(1)).then_nothing();
    given(&settled).when(refund_late(1)).then_rejected(OrderRejection::AlreadyPaid);
}

#[test]
fn two_late_payments_of_one_attempt_both_go_back() {
    let both = after(late_order(), [late(1, "T2"), refund(1, 1, "T1", PRICE, RefundCause::Late)]);
    given(&both).when(refund_late(1)).then([refund(2, 1, "T2", PRICE, RefundCause::Late)]);
}

#[test]
fn the_same_number_at_two_channels_is_two_payments() {
    let both = after(late_twice()[..late_twice().len() - 1].to_vec(), [late(2, "T1")]);
    let one_back = after(both, [refund(1, 1, "T1", PRICE, RefundCause::Late)]);
    given(&one_back).when(refund_late(2)).then([refund(2, 2, "T1", PRICE, RefundCause::Late)]);
}

#[test]
fn a_payment_after_the_revival_is_paid_twice() {
    given(&revived_order())
        .when(record_capture(1, capture("T2")))
        .then([surplus(1, SurplusReason::PaidTwice, capture("T2")), refund(1, 1, "T2", PRICE, RefundCause::PaidTwice)]);
}
