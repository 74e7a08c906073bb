use super::world::*;
use crate::channel::Channel;
use crate::ids::{PayNo, ProductId};
use crate::money::{Currency, Money};
use crate::order::*;
use crate::pay_record::*;

#[test]
fn what_is_owed_is_recorded() {
    given(&[]).when(create(draft(vec![item(PRICE, 1)], PRICE))).then([created()]);
}

#[test]
fn several_lines_are_owed_together() {
    let wish = draft(vec![item(100, 3), item(50, 2)], 400);
    given(&[]).when(create(wish.clone())).then([created_with(wish)]);
}

#[test]
fn an_order_is_created_once() {
    let wish = create(draft(vec![item(PRICE, 1)], PRICE));
    given(&[created()]).when(wish.clone()).then_rejected(OrderRejection::AlreadyCreated);
    given(&paid_order()).when(wish.clone()).then_rejected(OrderRejection::AlreadyCreated);
    given(&expired_order()).when(wish).then_rejected(OrderRejection::AlreadyCreated);
}

#[test]
fn an_abandoned_number_makes_no_order() {
    given(&[abandoned()]).when(create(draft(vec![item(PRICE, 1)], PRICE))).then_rejected(OrderRejection::Ended);
}

#[test]
fn a_sum_that_is_not_the_lines_is_refused() {
    for sum in [PRICE - 1, PRICE + 1, 0] {
        given(&[]).when(create(draft(vec![item(PRICE, 1)], sum))).then_rejected(OrderRejection::WrongSum);
    }
    given(&[]).when(create(draft(vec![], PRICE))).then_rejected(OrderRejection::WrongSum);
}

#[test]
fn lines_that_are_more_than_an_amount_may_be_are_refused() {
    let too_many = vec![item(Money::MAX_MINOR, 1), item(1, 1)];
    given(&[]).when(create(draft(too_many, Money::MAX_MINOR))).then_rejected(OrderRejection::WrongSum);
    given(&[]).when(create(draft(vec![item(Money::MAX_MINOR, u32::MAX)], PRICE))).then_rejected(OrderRejection::WrongSum);
}

#[test]
fn an_order_that_owes_nothing_is_paid_as_it_is_made() {
    let wish = draft(vec![item(0, 1)], 0);
    let number = pay_no(1);
    let issued = PayRecordIssued {
        pay_no: number,
        order_id: order_id(),
        channel: Channel::None,
        amount: units(0),
        currency: Currency::Cny,
        request: None,
        by_scan: false,
        issued_at: minute(0),
    };
    let confirmed = PaymentConfirmed {
        pay_no: number,
        order_id: order_id(),
        order_type: OrderType::course(),
        out_business_id: wish.out_business_id.clone(),
        buyer_id: wish.buyer_id.clone(),
        amount: units(0),
        currency: Currency::Cny,
        channel: Channel::None,
        trade_no: number.to_string(),
        paid_at: minute(0),
        paid_at_offset: None,
        received_at: minute(0),
        learned_by: CaptureSource::NothingToPay,
        items: wish.items.clone(),
    };
    given(&[]).when(create(wish.clone())).then([
        created_with(wish),
        PayRecordEvent::from(issued).into(),
        PayRecordEvent::from(confirmed).into(),
        OrderPaid { order_id: order_id(), pay_no: number, paid_at: minute(0) }.into(),
    ]);
}

#[test]
fn nothing_but_its_creation_is_asked_of_an_order_that_is_not() {
    let wishes = [
        attempt(Channel::AlipayQr, 1),
        reattempt(1, Channel::AlipayQr, 1),
        record_prepared(1),
        record_refused(1),
        open(1, 1),
        record_capture(1, capture("T1")),
        close(1, ClosingProof::ChannelClosed),
        cancel(),
        expire(EXPIRES),
        revive(1),
        refund_late(1),
    ];
    for wish in wishes {
        given(&[]).when(wish.clone()).then_rejected(OrderRejection::Unknown);
        given(&[abandoned()]).when(wish).then_rejected(OrderRejection::Unknown);
    }
}

#[test]
fn what_is_asked_of_an_attempt_that_is_not_is_refused() {
    let wishes = [
        reattempt(2, Channel::AlipayQr, 1),
        record_prepared(2),
        record_refused(2),
        open(2, 1),
        record_capture(2, capture("T1")),
        close(2, ClosingProof::ChannelClosed),
    ];
    for wish in wishes {
        given(&pending()).when(wish).then_rejected(OrderRejection::UnknownPayRecord);
    }
    given(&expired_order()).when(revive(2)).then_rejected(OrderRejection::UnknownPayRecord);
    given(&expired_order()).when(refund_late(2)).then_rejected(OrderRejection::UnknownPayRecord);
}

#[test]
fn another_orders_pay_number_is_no_attempt_of_this_one() {
    let other = PayNo::new("1".parse().unwrap(), 1).unwrap();
    let wish = OrderCommand::RecordCapture { pay_no: other, capture: capture("T1") };
    given(&pending()).when(wish).then_rejected(OrderRejection::UnknownPayRecord);
}

#[test]
fn a_callers_key_is_remembered_with_what_it_did() {
    let event = IdempotencyKeyRecorded { key_hash: "k".to_owned(), request_hash: "r".to_owned(), pay_no: Some(pay_no(1)), refund_no: None };
    let order = given(&after(pending(), [event.into()]));
    let key_use = KeyUse { request_hash: "r".to_owned(), pay_no: Some(pay_no(1)), refund_no: None };
    assert_eq!(order.state().keys.get("k"), Some(&key_use));
}

#[test]
fn a_line_with_a_variant_is_owed_like_any_other() {
    let line = OrderItem { sku_id: Some("book-1-red".parse().unwrap()), goods_id: ProductId::parse("book-1").unwrap(), ..item(70, 2) };
    let wish = draft(vec![line], 140);
    given(&[]).when(create(wish.clone())).then([created_with(wish)]);
}

#[test]
fn an_order_type_is_a_short_lower_case_word() {
    for word in ["course", "a", "x9_y", &"z".repeat(32)] {
        assert_eq!(OrderType::parse(word).unwrap().as_str(), word);
    }
    for word in ["", "Course", "9x", "_x", "a-b", "a b", " a", "课程", &"z".repeat(33)] {
        assert!(OrderType::parse(word).is_err(), "{word:?}");
        assert!(serde_json::from_value::<OrderType>(serde_json::json!(word)).is_err(), "{word:?}");
    }
    assert_eq!(OrderType::course(), OrderType::parse("course").unwrap());
}

#[test]
fn another_business_system_cannot_take_paystreams_own_order_types() {
    for word in OrderType::BUILT_IN {
        assert!(OrderType::parse(word).is_ok() && OrderType::parse_foreign(word).is_err(), "{word}");
    }
    assert_eq!(OrderType::parse_foreign("exam_fee").unwrap().as_str(), "exam_fee");
    assert!(OrderType::parse_foreign("Exam").is_err());
}

#[test]
fn a_status_has_the_contracts_word() {
    use OrderStatus::*;
    let words = [AwaitingPayment, Closing, Paid, Cancelled, Expired].map(OrderStatus::as_str);
    assert_eq!(words, ["awaiting_payment", "closing", "paid", "cancelled", "expired"]);
    assert_eq!([Cancelled, Expired, Abandoned].map(OrderStatus::ended_unpaid), [true; 3]);
    assert_eq!([Uncreated, AwaitingPayment, Closing, Paid].map(OrderStatus::ended_unpaid), [false; 4]);
    assert_eq!([PaymentStatus::Unpaid, PaymentStatus::Paid].map(PaymentStatus::as_str), ["unpaid", "paid"]);
}

#[test]
fn a_coupon_takes_off_what_it_says_and_never_more_than_is_owed() {
    let coupon = |discount| Some(AppliedCoupon { coupon_id: "coupon-1".parse().unwrap(), discount_amount: units(discount) });
    let wish = OrderDraft { coupon: coupon(40), ..draft(vec![item(70, 2)], 100) };
    given(&[]).when(create(wish.clone())).then([created_with(wish)]);
    let more = OrderDraft { coupon: coupon(141), ..draft(vec![item(70, 2)], 0) };
    given(&[]).when(create(more)).then_rejected(OrderRejection::WrongSum);
    let wrong = OrderDraft { coupon: coupon(40), ..draft(vec![item(70, 2)], 140) };
    given(&[]).when(create(wrong)).then_rejected(OrderRejection::WrongSum);
}

#[test]
fn an_order_that_was_never_made_can_be_given_up_and_then_never_is_made() {
    let order_id = order_id();
    let abandon = || OrderCommand::Abandon { order_id };
    let abandoned = OrderStreamEvent::Order(OrderAbandoned { order_id }.into());
    given(&[]).when(abandon()).then([abandoned.clone()]);
    given(std::slice::from_ref(&abandoned)).when(abandon()).then_nothing();
    given(&[abandoned]).when(create(draft(vec![item(70, 2)], 140))).then_rejected(OrderRejection::Ended);
    given(&[created()]).when(abandon()).then_rejected(OrderRejection::AlreadyCreated);
}
