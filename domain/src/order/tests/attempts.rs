use super::world::*;
use crate::channel::Channel::{AlipayPage, AlipayQr, WechatNative};
use crate::order::*;
use crate::pay_record::*;

#[test]
fn beginning_to_pay_records_all_that_the_channel_is_sent() {
    given(&[created()]).when(attempt(AlipayQr, 1)).then([issued(1, AlipayQr, 1)]);
}

#[test]
fn a_live_attempt_of_the_channel_is_answered_and_no_other_made() {
    given(&[created(), issued(1, AlipayQr, 1)]).when(attempt(AlipayQr, 2)).then_nothing();
    given(&pending()).when(attempt(AlipayQr, 2)).then_nothing();
    given(&pending()).when(attempt(AlipayQr, EXPIRES - 1)).then_nothing();
    let opened = [created(), issued(1, AlipayQr, 1), opened(1, 2)];
    given(&opened).when(attempt(AlipayQr, 3)).then_nothing();
}

#[test]
fn a_live_code_is_not_answered_once_the_orders_time_is_over() {
    let outlives = [created(), issued(1, AlipayQr, 1), prepared_until(1, EXPIRES + 60)];
    given(&outlives).when(attempt(AlipayQr, EXPIRES)).then_rejected(OrderRejection::Expiring);
    given(&[created(), issued(1, AlipayQr, 1)]).when(attempt(AlipayQr, EXPIRES)).then_rejected(OrderRejection::Expiring);
}

#[test]
fn a_dead_code_is_ended_and_the_next_attempt_made() {
    let dead = [created(), issued(1, AlipayQr, 1), prepared_until(1, 10)];
    given(&dead).when(attempt(AlipayQr, 10)).then([closing(1, ClosingCause::CodeExpired), issued(2, AlipayQr, 10)]);
}

#[test]
fn choosing_another_channel_ends_the_first_as_far_as_it_was_shown() {
    given(&pending()).when(attempt(WechatNative, 2)).then([closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
    let unshown = [created(), issued(1, AlipayQr, 1)];
    given(&unshown).when(attempt(WechatNative, 2)).then([closed(1, ClosedProof::NeverShown), issued(2, WechatNative, 2)]);
    let opened = [created(), issued(1, AlipayQr, 1), opened(1, 1)];
    given(&opened).when(attempt(WechatNative, 2)).then([closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
}

#[test]
fn a_page_that_was_never_opened_gives_way_and_one_whose_form_is_out_is_watched() {
    let page = [created(), issued(1, AlipayPage, 1)];
    given(&page).when(attempt(AlipayPage, EXPIRES - 2)).then_nothing();
    given(&page).when(attempt(AlipayPage, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
    given(&page).when(attempt(AlipayQr, 2)).then([closed(1, ClosedProof::NeverShown), issued(2, AlipayQr, 2)]);
    given(&page).when(open(1, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
    let opened = [created(), issued(1, AlipayPage, 1), opened(1, 2)];
    given(&opened).when(attempt(AlipayQr, 3)).then([closing(1, ClosingCause::ChannelSwitched), issued(2, AlipayQr, 3)]);
}

#[test]
fn going_back_to_the_first_channel_makes_a_third_attempt() {
    let switched = after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
    given(&switched).when(attempt(AlipayQr, 3)).then([closed(2, ClosedProof::NeverShown), issued(3, AlipayQr, 3)]);
}

#[test]
fn an_attempt_that_the_channel_refused_or_that_ended_is_followed_by_a_new_one() {
    given(&[created(), issued(1, AlipayQr, 1), failed(1)]).when(attempt(AlipayQr, 2)).then([issued(2, AlipayQr, 2)]);
    let ended = after(pending(), [closed(1, ClosedProof::ChannelClosed)]);
    given(&ended).when(attempt(AlipayQr, 2)).then([issued(2, AlipayQr, 2)]);
}

#[test]
fn no_attempt_is_made_with_less_than_two_minutes_left() {
    given(&[created()]).when(attempt(AlipayQr, EXPIRES - 2)).then([issued(1, AlipayQr, EXPIRES - 2)]);
    given(&[created()]).when(attempt(AlipayQr, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
    given(&[created()]).when(attempt(AlipayQr, EXPIRES + 1)).then_rejected(OrderRejection::Expiring);
    given(&pending()).when(attempt(WechatNative, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
    let dead = [created(), issued(1, AlipayQr, 1), prepared_until(1, 10)];
    given(&dead).when(attempt(AlipayQr, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
}

#[test]
fn an_order_that_is_paid_or_ended_begins_no_attempt() {
    given(&paid_order()).when(attempt(AlipayQr, 7)).then_rejected(OrderRejection::AlreadyPaid);
    given(&expired_order()).when(attempt(AlipayQr, 7)).then_rejected(OrderRejection::Ended);
    given(&[created(), cancelled(false)]).when(attempt(AlipayQr, 7)).then_rejected(OrderRejection::Ended);
    let order_closing = after(pending(), [order_cancelling(), closing(1, ClosingCause::OrderCancelled)]);
    given(&order_closing).when(attempt(AlipayQr, 7)).then_rejected(OrderRejection::Ended);
}

fn ninety_nine_attempts() -> Vec<OrderStreamEvent> {
    let refused = (1..99).flat_map(|number| [issued(number, AlipayQr, 1), failed(number)]);
    after(vec![created()], refused.chain([issued(99, AlipayQr, 1), prepared(99)]))
}

#[test]
fn after_the_last_number_no_attempt_is_made_and_the_live_one_stays_payable() {
    let exhausted = given(&ninety_nine_attempts());
    exhausted.when(attempt(WechatNative, 2)).then_rejected(OrderRejection::AttemptsExhausted);
    exhausted.when(attempt(AlipayQr, 2)).then_nothing();
    exhausted.when(record_capture(99, capture("T1"))).then([confirmed(99, "T1"), paid(99)]);
}

#[test]
fn an_attempt_without_an_outcome_is_ended_and_the_next_number_taken() {
    let unanswered = given(&[created(), issued(1, AlipayQr, 1)]);
    unanswered.when(reattempt(1, AlipayQr, 2)).then([closed(1, ClosedProof::NeverShown), issued(2, AlipayQr, 2)]);
}

#[test]
fn an_attempt_with_an_outcome_is_not_taken_up_again() {
    given(&pending()).when(reattempt(1, AlipayQr, 2)).then_nothing();
    given(&[created(), issued(1, AlipayQr, 1), failed(1)]).when(reattempt(1, AlipayQr, 2)).then_nothing();
    let taken_up = [created(), issued(1, AlipayQr, 1), closed(1, ClosedProof::NeverShown), issued(2, AlipayQr, 2)];
    given(&taken_up).when(reattempt(1, AlipayQr, 3)).then_nothing();
}

#[test]
fn an_attempt_without_an_outcome_ends_also_where_none_may_follow() {
    let ended = [closed(1, ClosedProof::NeverShown)];
    given(&[created(), issued(1, AlipayQr, 1)]).when(reattempt(1, AlipayQr, EXPIRES - 1)).then(ended);
    let last_of_99 = after(ninety_nine_attempts()[..197].to_vec(), [issued(99, AlipayQr, 1)]);
    given(&last_of_99).when(reattempt(99, AlipayQr, 2)).then([closed(99, ClosedProof::NeverShown)]);
    let paid_by_the_first =
        after(pending(), [closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2), confirmed(1, "T1"), paid(1)]);
    given(&paid_by_the_first).when(reattempt(2, WechatNative, 7)).then([closed(2, ClosedProof::NeverShown)]);
}

#[test]
fn a_title_is_shown_without_what_the_channel_signs_with() {
    assert_eq!(wallet_subject("Rust for beginners"), "Rust for beginners");
    assert_eq!(wallet_subject("a&total_amount=1/2"), "a total_amount 1 2");
    assert_eq!(wallet_subject(" x\ty\r\nz\u{7f} "), "x y  z");
    assert_eq!(wallet_subject("课程"), "课程");
    assert_eq!(wallet_subject("&=/"), "");
}

#[test]
fn a_title_is_shown_up_to_128_characters() {
    assert_eq!(wallet_subject(&"课".repeat(129)), "课".repeat(128));
    assert_eq!(wallet_subject(&"课".repeat(128)), "课".repeat(128));
}

#[test]
fn a_title_of_nothing_that_may_be_shown_leaves_the_orders_number() {
    let titled = |title: &str| OrderDraft { title: title.to_owned(), ..draft(vec![item(PRICE, 1)], PRICE) };
    let order = given(&[created_with(titled("&=/"))]);
    order.when(attempt(AlipayQr, 1)).then([issued_as(1, AlipayQr, 1, "7231982345678901234")]);
    let order = given(&[created_with(titled("Rust & C/C++ = fun"))]);
    order.when(attempt(AlipayQr, 1)).then([issued_as(1, AlipayQr, 1, "Rust   C C++   fun")]);
}

#[test]
fn what_wechat_pay_gave_and_what_has_died_is_not_replaced_but_given_anew() {
    let dead = [created(), issued(1, WechatNative, 1), prepared_until(1, 10)];
    given(&dead).when(attempt(WechatNative, 9)).then_nothing();
    given(&dead).when(attempt(WechatNative, 10)).then_nothing();
    given(&dead).when(attempt(WechatNative, EXPIRES - 1)).then_rejected(OrderRejection::Expiring);
    let renewed = |asked: i64, until: i64| OrderCommand::RecordPrepared {
        pay_no: pay_no(1),
        prepared: code(),
        asked_at: minute(asked),
        expires_at: minute(until),
        replaces: None,
    };
    given(&dead).when(renewed(10, 20)).then([prepared_until(1, 20)]);
    given(&dead).when(renewed(9, 20)).then_nothing();
    given(&dead).when(renewed(10, 10)).then_nothing();
}

#[test]
fn of_two_who_renew_at_once_the_one_who_has_seen_the_others_takes_its_place() {
    let alive = [created(), issued(1, WechatNative, 1), prepared_until(1, 30)];
    let renewed = |replaces: Option<Prepared>| OrderCommand::RecordPrepared {
        pay_no: pay_no(1),
        prepared: code(),
        asked_at: minute(11),
        expires_at: minute(31),
        replaces,
    };
    given(&alive).when(renewed(Some(code()))).then([prepared_until(1, 31)]);
    given(&after(alive.to_vec(), [prepared_until(1, 31)])).when(renewed(Some(code()))).then_nothing();
    given(&alive).when(renewed(None)).then_nothing();
    given(&alive).when(renewed(Some(Prepared::Code { code_url: "weixin://an-earlier-one".to_owned() }))).then_nothing();
}

#[test]
fn an_attempt_for_another_payer_takes_the_place_of_the_live_one() {
    let live = [created(), issued(1, WechatNative, 1), prepared(1)];
    let replacing = |pay_no| OrderCommand::Attempt(Attempt { replaces: Some(pay_no), ..paying_by(WechatNative, 2) });
    given(&live).when(replacing(pay_no(1))).then([closing(1, ClosingCause::ChannelSwitched), issued(2, WechatNative, 2)]);
    given(&live).when(replacing(pay_no(7))).then_nothing();
}

#[test]
fn scans_begin_so_many_attempts_and_whoever_chooses_is_not_counted() {
    let scanned = |number, minutes| match issued(number, AlipayQr, minutes) {
        OrderStreamEvent::PayRecord(PayRecordEvent::PayRecordIssued(event)) => {
            OrderStreamEvent::PayRecord(PayRecordIssued { by_scan: true, ..event }.into())
        }
        other => other,
    };
    let scan = OrderCommand::Attempt(Attempt { by_scan: true, ..paying_by(AlipayQr, 2) });
    let of = |count: u8| after(vec![created()], (1..=count).flat_map(|number| [scanned(number, 1), failed(number)]));
    let most = u8::try_from(Order::MOST_SCANS).unwrap();
    given(&of(most)).when(scan.clone()).then_rejected(OrderRejection::AttemptsExhausted);
    given(&of(most)).when(attempt(AlipayQr, 2)).then([issued(most + 1, AlipayQr, 2)]);
    given(&of(most - 1)).when(scan).then([scanned(most, 2)]);
}
