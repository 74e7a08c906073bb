//! Money that a channel took, in every stage of the order.

use super::world::*;
use crate::channel::Channel::{AlipayQr, WechatNative};
use crate::order::*;
use crate::pay_record::*;

const DIFFERS: OrderRejection = OrderRejection::PayRecord(PayRecordRejection::AmountDiffers);

fn closing_order() -> Vec<OrderStreamEvent> {
    after(pending(), [order_cancelling(), closing(1, ClosingCause::OrderCancelled)])
}

fn cancelled_order() -> Vec<OrderStreamEvent> {
    after(closing_order(), [closed(1, ClosedProof::ChannelClosed), cancelled(false)])
}

/// The first attempt was left for another channel, and may still be paid.
fn switched() -> Vec<OrderStreamEvent> {
    after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)])
}

#[test]
fn the_money_that_is_owed_pays_the_order() {
    given(&pending()).when(record_capture(1, capture("T1"))).then([confirmed(1, "T1"), paid(1)]);
    let order = given(&paid_order());
    assert_eq!((order.state().status, order.state().payment_status()), (OrderStatus::Paid, PaymentStatus::Paid));
    assert_eq!(order.state().paid, Some((pay_no(1), minute(5))));
}

#[test]
fn money_counts_however_far_its_attempt_had_come() {
    let attempts = [
        vec![],
        vec![prepared(1)],
        vec![opened(1, 2)],
        vec![failed(1)],
        vec![prepared(1), closing(1, ClosingCause::ChannelSwitched)],
        vec![prepared(1), closed(1, ClosedProof::ChannelClosed)],
    ];
    for attempt in attempts {
        let order = after(vec![created(), issued(1, AlipayQr, 1)], attempt);
        given(&order).when(record_capture(1, capture("T1"))).then([confirmed(1, "T1"), paid(1)]);
    }
}

#[test]
fn money_for_an_attempt_that_was_left_pays_the_order() {
    let won = [confirmed(1, "T1"), paid(1), closed(2, ClosedProof::NeverShown)];
    given(&switched()).when(record_capture(1, capture("T1"))).then(won);
}

#[test]
fn a_payment_while_the_order_is_closing_wins() {
    given(&closing_order()).when(record_capture(1, capture("T1"))).then([confirmed(1, "T1"), paid(1)]);
    let won = given(&after(closing_order(), [confirmed(1, "T1"), paid(1)]));
    assert_eq!((won.state().end_cause, won.state().end_reason.as_deref()), (None, None));
    won.when(close(1, ClosingProof::ChannelClosed)).then_rejected(PayRecordRejection::WrongState.into());
    won.when(expire(EXPIRES)).then_nothing();
    won.when(cancel()).then_rejected(OrderRejection::AlreadyPaid);
}

#[test]
fn the_time_at_which_we_learn_of_it_stands_in_for_a_payments_time() {
    let untimed = Capture { paid_at: None, paid_at_offset: None, ..capture("T1") };
    let paid = OrderPaid { order_id: order_id(), pay_no: pay_no(1), paid_at: minute(6) };
    let confirmed = confirmed_as(1, AlipayQr, untimed.clone());
    given(&pending()).when(record_capture(1, untimed)).then([confirmed, paid.into()]);
}

#[test]
fn a_second_notification_changes_nothing() {
    given(&paid_order()).when(record_capture(1, capture("T1"))).then_nothing();
    let asked = Capture { learned_by: CaptureSource::Query, ..capture("T1") };
    given(&paid_order()).when(record_capture(1, asked)).then_nothing();
    given(&paid_order()).when(record_capture(1, wrong_capture("T1", CaptureSource::Query))).then_nothing();
}

#[test]
fn a_second_payment_of_the_same_attempt_goes_back() {
    given(&paid_order())
        .when(record_capture(1, capture("T2")))
        .then([surplus(1, SurplusReason::PaidTwice, capture("T2")), refund(1, 1, "T2", PRICE, RefundCause::PaidTwice)]);
}

#[test]
fn a_payment_of_another_attempt_goes_back_once_the_order_is_paid() {
    let paid_by_the_first = after(switched(), [confirmed(1, "T1"), paid(1)]);
    let twice = confirmed_surplus(2, "T2");
    given(&paid_by_the_first).when(record_capture(2, capture("T2"))).then(twice.clone());
    given(&after(paid_by_the_first, twice)).when(record_capture(2, capture("T2"))).then_nothing();
}

/// The surplus and refund of a payment through WeChat of an order that Alipay's capture paid.
fn confirmed_surplus(attempt: u8, trade_no: &str) -> Vec<OrderStreamEvent> {
    let surplus = SurplusPaymentReceived {
        pay_no: pay_no(attempt),
        order_id: order_id(),
        reason: SurplusReason::PaidTwice,
        amount: units(PRICE),
        currency: crate::money::Currency::Cny,
        channel: WechatNative,
        trade_no: trade_no.to_owned(),
        paid_at: minute(5),
        paid_at_offset: Some("+08:00".to_owned()),
        received_at: minute(6),
        learned_by: CaptureSource::Notification,
    };
    vec![PayRecordEvent::from(surplus).into(), refund(1, attempt, trade_no, PRICE, RefundCause::PaidTwice)]
}

#[test]
fn a_record_that_paid_its_order_stays_confirmed_whatever_else_comes() {
    let twice = after(paid_order(), [surplus(1, SurplusReason::PaidTwice, capture("T2"))]);
    let record = given(&twice).state().pay_record(pay_no(1)).cloned().unwrap();
    assert_eq!((record.status, record.captures.len()), (PayRecordStatus::Confirmed, 2));
    assert_eq!(record.confirmed_trade_no.as_deref(), Some("T1"));
}

#[test]
fn a_payment_after_the_cancel_goes_back() {
    given(&cancelled_order())
        .when(record_capture(1, capture("T1")))
        .then([surplus(1, SurplusReason::AfterCancel, capture("T1")), refund(1, 1, "T1", PRICE, RefundCause::AfterCancel)]);
}

#[test]
fn a_notification_of_another_sum_changes_nothing() {
    let forged = wrong_capture("T1", CaptureSource::Notification);
    for order in [pending(), closing_order(), cancelled_order(), expired_order()] {
        given(&order).when(record_capture(1, forged.clone())).then_rejected(DIFFERS);
    }
    let second = wrong_capture("T2", CaptureSource::Notification);
    given(&paid_order()).when(record_capture(1, second)).then_rejected(DIFFERS);
}

#[test]
fn another_sum_that_the_channel_answers_to_a_query_goes_back() {
    let odd = wrong_capture("T2", CaptureSource::Query);
    let back = [surplus(1, SurplusReason::AmountMismatch, odd.clone()), refund(1, 1, "T2", 1, RefundCause::AmountMismatch)];
    for order in [pending(), cancelled_order(), expired_order(), paid_order()] {
        given(&order).when(record_capture(1, odd.clone())).then(back.clone());
    }
}

#[test]
fn an_order_that_got_another_sum_can_still_be_paid() {
    let odd = wrong_capture("T1", CaptureSource::Query);
    let events = [surplus(1, SurplusReason::AmountMismatch, odd), refund(1, 1, "T1", 1, RefundCause::AmountMismatch)];
    let order = after(pending(), events);
    given(&order).when(attempt(AlipayQr, 7)).then([issued(2, AlipayQr, 7)]);
    given(&order).when(record_capture(1, capture("T2"))).then([confirmed(1, "T2"), paid(1)]);
}

#[test]
fn another_sum_for_the_last_live_attempt_ends_an_order_that_waited_for_it() {
    let odd = wrong_capture("T1", CaptureSource::Query);
    let back = [surplus(1, SurplusReason::AmountMismatch, odd.clone()), refund(1, 1, "T1", 1, RefundCause::AmountMismatch)];
    let cancelling = given(&closing_order());
    cancelling.when(record_capture(1, odd.clone())).then(after(back.to_vec(), [cancelled(false)]));
    let expiring = after(pending(), [order_expiring(), closing(1, ClosingCause::OrderExpired)]);
    given(&expiring).when(record_capture(1, odd.clone())).then(after(back.to_vec(), [expired(false)]));
    let two_live = after(switched(), [order_cancelling(), closed(2, ClosedProof::NeverShown)]);
    given(&two_live).when(record_capture(1, odd.clone())).then(after(back.to_vec(), [cancelled(false)]));
    let other_live = after(switched(), [prepared(2), order_cancelling(), closing(2, ClosingCause::OrderCancelled)]);
    given(&other_live).when(record_capture(1, odd)).then(back);
}

#[test]
fn refunds_are_numbered_in_their_order() {
    let mut events = paid_order();
    for number in 1..=3 {
        let trade_no = format!("T{}", number + 1);
        let more = [surplus(1, SurplusReason::PaidTwice, capture(&trade_no)), refund(number, 1, &trade_no, PRICE, RefundCause::PaidTwice)];
        given(&events).when(record_capture(1, capture(&trade_no))).then(more.clone());
        events = after(events, more);
    }
    let numbers: Vec<String> = given(&events).state().refunds.iter().map(|refund| refund.refund_no.to_string()).collect();
    assert_eq!(numbers, ["7231982345678901234R01", "7231982345678901234R02", "7231982345678901234R03"]);
}

fn ninety_nine_refunds(order: Vec<OrderStreamEvent>, reason: SurplusReason, cause: RefundCause) -> Vec<OrderStreamEvent> {
    let returned = (1..=99).flat_map(|number| {
        let odd = wrong_capture(&format!("S{number}"), CaptureSource::Query);
        [surplus(1, reason, odd), refund(number, 1, &format!("S{number}"), 1, cause)]
    });
    after(order, returned)
}

#[test]
fn money_stays_recorded_where_no_refund_number_is_left() {
    let order = given(&ninety_nine_refunds(paid_order(), SurplusReason::AmountMismatch, RefundCause::AmountMismatch));
    order.when(record_capture(1, capture("T2"))).then([surplus(1, SurplusReason::PaidTwice, capture("T2"))]);
}

#[test]
fn another_sum_never_revives_an_order_even_where_it_could_not_go_back() {
    let odd = wrong_capture("T1", CaptureSource::Query);
    let order = ninety_nine_refunds(expired_order(), SurplusReason::AmountMismatch, RefundCause::AmountMismatch);
    let order = after(order, [surplus(1, SurplusReason::AmountMismatch, odd)]);
    given(&order).when(revive(1)).then_rejected(OrderRejection::WrongState);
}
