//! What the channel answered to an attempt, and the buyer's way to its page.

use super::world::*;
use crate::channel::Channel::{AlipayQr, AlipayWap, WechatNative};
use crate::order::*;
use crate::pay_record::*;

const NOT_SO: OrderRejection = OrderRejection::PayRecord(PayRecordRejection::WrongState);

fn unanswered() -> Vec<OrderStreamEvent> {
    vec![created(), issued(1, AlipayQr, 1)]
}

fn closing_order() -> Vec<OrderStreamEvent> {
    after(pending(), [order_cancelling(), closing(1, ClosingCause::OrderCancelled)])
}

#[test]
fn the_channels_code_is_recorded_once() {
    given(&unanswered()).when(record_prepared(1)).then([prepared(1)]);
    given(&pending()).when(record_prepared(1)).then_nothing();
}

#[test]
fn a_code_that_comes_after_the_attempts_end_is_not_shown() {
    given(&after(unanswered(), [closed(1, ClosedProof::NeverShown)])).when(record_prepared(1)).then_rejected(NOT_SO);
    given(&after(unanswered(), [failed(1)])).when(record_prepared(1)).then_rejected(NOT_SO);
    given(&closing_order()).when(record_prepared(1)).then_rejected(NOT_SO);
    given(&paid_order()).when(record_prepared(1)).then_rejected(NOT_SO);
}

#[test]
fn the_channels_refusal_is_recorded_once() {
    given(&unanswered()).when(record_refused(1)).then([failed(1)]);
    given(&after(unanswered(), [failed(1)])).when(record_refused(1)).then_nothing();
}

#[test]
fn what_was_shown_or_ended_is_not_refused_any_more() {
    given(&pending()).when(record_refused(1)).then_rejected(NOT_SO);
    given(&closing_order()).when(record_refused(1)).then_rejected(NOT_SO);
    given(&paid_order()).when(record_refused(1)).then_rejected(NOT_SO);
    given(&after(unanswered(), [closed(1, ClosedProof::NeverShown)])).when(record_refused(1)).then_rejected(NOT_SO);
}

#[test]
fn a_buyer_who_goes_to_the_channels_page_is_recorded_once() {
    let form = [created(), issued(1, AlipayWap, 1)];
    given(&form).when(open(1, 2)).then([opened(1, 2)]);
    given(&after(form.to_vec(), [opened(1, 2)])).when(open(1, 3)).then_nothing();
    given(&pending()).when(open(1, 2)).then([opened(1, 2)]);
}

#[test]
fn no_form_is_given_out_with_less_than_two_minutes_left() {
    let form = vec![created(), issued(1, AlipayWap, 1)];
    given(&form).when(open(1, EXPIRES - 2)).then([opened(1, EXPIRES - 2)]);
    given(&form).when(open(1, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
    given(&after(form, [opened(1, 2)])).when(open(1, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
}

#[test]
fn a_page_of_an_order_or_attempt_that_is_over_is_not_opened() {
    given(&paid_order()).when(open(1, 7)).then_rejected(OrderRejection::AlreadyPaid);
    given(&expired_order()).when(open(1, 7)).then_rejected(OrderRejection::Ended);
    given(&closing_order()).when(open(1, 7)).then_rejected(OrderRejection::Ended);
    given(&after(unanswered(), [failed(1)])).when(open(1, 2)).then_rejected(NOT_SO);
    let switched = after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
    given(&switched).when(open(1, 3)).then_rejected(NOT_SO);
}

#[test]
fn the_newest_and_the_live_record_are_found() {
    let switched = given(&after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]));
    let number = |record: Option<&PayRecord>| record.and_then(|record| record.issued.as_ref()).map(|issued| issued.pay_no);
    let order = switched.state();
    assert_eq!(number(order.newest_pay_record()), Some(pay_no(2)));
    assert_eq!(number(order.live_pay_record(WechatNative)), Some(pay_no(2)));
    assert_eq!(number(order.live_pay_record(AlipayQr)), None);
    assert_eq!(number(order.pay_record(pay_no(1))), Some(pay_no(1)));
}
