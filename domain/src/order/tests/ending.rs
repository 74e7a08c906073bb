//! Ending unpaid: only when it is known, for each attempt, that nobody can pay it.

use super::world::*;
use crate::channel::Channel::{AlipayQr, AlipayWap, WechatNative};
use crate::order::*;
use crate::pay_record::*;

const NOT_SO: OrderRejection = OrderRejection::PayRecord(PayRecordRejection::WrongState);

/// Hours after the order's expiry, in minutes after its creation.
fn hours_after_expiry(hours: i64) -> i64 {
    EXPIRES + 60 * hours
}

fn cancelling() -> Vec<OrderStreamEvent> {
    after(pending(), [order_cancelling(), closing(1, ClosingCause::OrderCancelled)])
}

fn expiring() -> Vec<OrderStreamEvent> {
    after(pending(), [order_expiring(), closing(1, ClosingCause::OrderExpired)])
}

#[test]
fn an_order_without_an_attempt_ends_at_once() {
    given(&[created()]).when(cancel()).then([cancelled(false)]);
    given(&[created()]).when(expire(EXPIRES)).then([expired(false)]);
}

#[test]
fn an_order_whose_attempts_nobody_saw_ends_at_once() {
    let unseen = [created(), issued(1, AlipayQr, 1)];
    given(&unseen).when(cancel()).then([closed(1, ClosedProof::NeverShown), cancelled(false)]);
    given(&unseen).when(expire(EXPIRES)).then([closed(1, ClosedProof::NeverShown), expired(false)]);
    let refused = [created(), issued(1, AlipayQr, 1), failed(1)];
    given(&refused).when(cancel()).then([cancelled(false)]);
    given(&refused).when(expire(EXPIRES)).then([expired(false)]);
}

#[test]
fn an_order_that_can_still_be_paid_is_closing_first() {
    given(&pending()).when(cancel()).then([order_cancelling(), closing(1, ClosingCause::OrderCancelled)]);
    given(&pending()).when(expire(EXPIRES)).then([order_expiring(), closing(1, ClosingCause::OrderExpired)]);
    let opened = [created(), issued(1, AlipayWap, 1), opened(1, 2)];
    given(&opened).when(cancel()).then([order_cancelling(), closing(1, ClosingCause::OrderCancelled)]);
    let switched = after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
    given(&switched).when(cancel()).then([order_cancelling(), closed(2, ClosedProof::NeverShown)]);
}

#[test]
fn an_order_does_not_expire_before_its_time() {
    given(&pending()).when(expire(EXPIRES - 1)).then_rejected(OrderRejection::WrongState);
}

#[test]
fn an_end_that_was_wished_or_has_come_is_not_wished_twice() {
    given(&cancelling()).when(cancel()).then_nothing();
    given(&expiring()).when(cancel()).then_nothing();
    given(&[created(), cancelled(false)]).when(cancel()).then_nothing();
    given(&cancelling()).when(expire(EXPIRES)).then_nothing();
    given(&expiring()).when(expire(EXPIRES + 1)).then_nothing();
    for over in [vec![created(), cancelled(false)], expired_order(), paid_order()] {
        given(&over).when(expire(hours_after_expiry(25))).then_nothing();
    }
}

#[test]
fn an_order_that_is_paid_or_expired_is_not_cancelled() {
    given(&paid_order()).when(cancel()).then_rejected(OrderRejection::AlreadyPaid);
    given(&expired_order()).when(cancel()).then_rejected(OrderRejection::Ended);
}

#[test]
fn the_channels_word_ends_the_attempt_and_with_the_last_one_the_order() {
    let proof = closed(1, ClosedProof::ChannelClosed);
    given(&cancelling()).when(close(1, ClosingProof::ChannelClosed)).then([proof.clone(), cancelled(false)]);
    given(&expiring()).when(close(1, ClosingProof::ChannelClosed)).then([proof.clone(), expired(false)]);
    let two_live = after(
        pending(),
        [
            closing(1, ClosingCause::ChannelSwitched),
            issued(2, WechatNative, 2),
            prepared(2),
            order_expiring(),
            closing(2, ClosingCause::OrderExpired),
        ],
    );
    given(&two_live).when(close(1, ClosingProof::ChannelClosed)).then([proof.clone()]);
    let last_one = after(two_live, [proof]);
    given(&last_one).when(close(2, ClosingProof::ChannelClosed)).then([closed(2, ClosedProof::ChannelClosed), expired(false)]);
}

#[test]
fn an_attempt_that_ends_leaves_an_order_that_is_not_to_end_payable() {
    given(&pending()).when(close(1, ClosingProof::ChannelClosed)).then([closed(1, ClosedProof::ChannelClosed)]);
    let order = given(&after(pending(), [closed(1, ClosedProof::ChannelClosed)]));
    assert_eq!(order.state().status, OrderStatus::AwaitingPayment);
}

#[test]
fn an_attempt_ends_once() {
    given(&expired_order()).when(close(1, ClosingProof::ChannelClosed)).then_nothing();
    given(&expired_order()).when(close(1, absent_at(0))).then_nothing();
    let refused = [created(), issued(1, AlipayQr, 1), failed(1)];
    given(&refused).when(close(1, ClosingProof::ChannelClosed)).then_nothing();
}

#[test]
fn an_attempt_that_was_paid_is_not_closed() {
    given(&paid_order()).when(close(1, ClosingProof::ChannelClosed)).then_rejected(NOT_SO);
    given(&after(expired_order(), [late(1, "T1")])).when(close(1, ClosingProof::ChannelClosed)).then_rejected(NOT_SO);
}

#[test]
fn the_channels_ignorance_proves_nothing_while_the_code_can_be_used_and_five_minutes_more() {
    for asked in [2, EXPIRES, EXPIRES + 4] {
        given(&pending()).when(close(1, absent_at(asked))).then_nothing();
        given(&expiring()).when(close(1, absent_at(asked))).then_nothing();
    }
    let proof = closed(1, ClosedProof::AbsentAfterGrace);
    given(&pending()).when(close(1, absent_at(EXPIRES + 5))).then([proof.clone()]);
    given(&expiring()).when(close(1, absent_at(EXPIRES + 5))).then([proof.clone(), expired(false)]);
    given(&cancelling()).when(close(1, absent_at(EXPIRES + 5))).then([proof, cancelled(false)]);
}

#[test]
fn the_codes_own_life_counts_where_it_is_shorter_than_the_orders() {
    let short = [created(), issued(1, AlipayQr, 1), prepared_until(1, 10)];
    given(&short).when(close(1, absent_at(14))).then_nothing();
    given(&short).when(close(1, absent_at(15))).then([closed(1, ClosedProof::AbsentAfterGrace)]);
    let long = [created(), issued(1, AlipayQr, 1), prepared_until(1, EXPIRES + 90)];
    given(&long).when(close(1, absent_at(EXPIRES + 5))).then([closed(1, ClosedProof::AbsentAfterGrace)]);
}

#[test]
fn the_channels_ignorance_of_an_opened_page_proves_nothing_before_the_grace() {
    let opened = [created(), issued(1, AlipayWap, 1), opened(1, 2)];
    given(&opened).when(close(1, absent_at(EXPIRES + 4))).then_nothing();
    given(&opened).when(close(1, absent_at(EXPIRES + 5))).then([closed(1, ClosedProof::AbsentAfterGrace)]);
}

#[test]
fn the_channels_ignorance_of_what_nobody_saw_is_proof_at_once() {
    let unseen = [created(), issued(1, AlipayQr, 1)];
    given(&unseen).when(close(1, absent_at(2))).then([closed(1, ClosedProof::NeverShown)]);
}

#[test]
fn an_attempt_that_is_not_to_end_does_not_end_without_proof() {
    given(&pending()).when(close(1, ClosingProof::Unproven)).then_rejected(NOT_SO);
    given(&[created(), issued(1, AlipayQr, 1)]).when(close(1, ClosingProof::Unproven)).then_rejected(NOT_SO);
}

#[test]
fn a_channel_that_says_nothing_for_a_day_holds_the_order_no_longer() {
    let day = hours_after_expiry(24);
    given(&expiring()).when(stop_waiting(day - 1)).then_nothing();
    given(&expiring()).when(stop_waiting(day)).then([closed(1, ClosedProof::Unproven), expired(true)]);
    given(&cancelling()).when(stop_waiting(day)).then([closed(1, ClosedProof::Unproven), cancelled(true)]);
}

#[test]
fn the_day_begins_with_the_end_of_the_last_live_code() {
    let short = after(
        vec![created(), issued(1, AlipayQr, 1), prepared_until(1, 10)],
        [order_cancelling(), closing(1, ClosingCause::OrderCancelled)],
    );
    given(&short).when(stop_waiting(10 + 24 * 60 - 1)).then_nothing();
    given(&short).when(stop_waiting(10 + 24 * 60)).then([closed(1, ClosedProof::Unproven), cancelled(true)]);
}

#[test]
fn an_order_says_that_an_earlier_attempt_ended_without_proof() {
    let left = after(pending(), [closing(1, ClosingCause::ChannelSwitched)]);
    given(&left).when(close(1, ClosingProof::Unproven)).then([closed(1, ClosedProof::Unproven)]);
    let unproven = after(left, [closed(1, ClosedProof::Unproven)]);
    given(&unproven).when(cancel()).then([cancelled(true)]);
    given(&unproven).when(expire(EXPIRES)).then([expired(true)]);
}

#[test]
fn money_that_comes_after_an_end_without_proof_is_late() {
    let unproven = after(expiring(), [closed(1, ClosedProof::Unproven), expired(true)]);
    given(&unproven).when(record_capture(1, capture("T1"))).then([late(1, "T1")]);
}

#[test]
fn the_wait_is_not_over_while_nothing_is_closing() {
    let day = hours_after_expiry(24);
    given(&pending()).when(stop_waiting(day)).then_nothing();
    given(&expired_order()).when(stop_waiting(day)).then_nothing();
}

#[test]
fn payment_begins_to_end_the_other_attempts() {
    let switched = after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2), prepared(2)]);
    given(&switched).when(record_capture(1, capture("T1"))).then([confirmed(1, "T1"), paid(1), closing(2, ClosingCause::OrderPaid)]);
    let unseen = after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
    given(&unseen).when(record_capture(1, capture("T1"))).then([confirmed(1, "T1"), paid(1), closed(2, ClosedProof::NeverShown)]);
}

#[test]
fn an_attempt_left_over_by_a_payment_is_waited_for_a_day() {
    let left =
        after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2), prepared(2), confirmed(1, "T1"), paid(1)]);
    let left = after(left, [closing(2, ClosingCause::OrderPaid)]);
    given(&left).when(stop_waiting(hours_after_expiry(24) - 1)).then_nothing();
    given(&left).when(stop_waiting(hours_after_expiry(24))).then([closed(2, ClosedProof::Unproven)]);
    given(&left).when(close(2, ClosingProof::ChannelClosed)).then([closed(2, ClosedProof::ChannelClosed)]);
}
