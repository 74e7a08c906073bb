use chrono::TimeDelta;

use super::*;
use crate::scenario;

fn given(events: &[CouponEvent]) -> scenario::Given<Coupon> {
    scenario::given(events)
}

fn day(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::days(days)
}

fn coupon_id() -> CouponId {
    CouponId::parse("C7231982345678901000").unwrap()
}

fn order(number: u8) -> OrderId {
    OrderId::parse(&format!("72319823456789{number:05}")).unwrap()
}

fn pay_no(number: u8) -> PayNo {
    PayNo::new(order(number), 1).unwrap()
}

fn ann() -> BuyerId {
    BuyerId::parse("ann").unwrap()
}

fn fen(amount: i64) -> Money {
    Money::new(amount, Currency::Cny).unwrap()
}

fn granted() -> CouponGranted {
    CouponGranted {
        coupon_id: coupon_id(),
        buyer_id: ann(),
        order_id: order(0),
        discount_amount: fen(500).minor_units(),
        least_amount: fen(2_000).minor_units(),
        currency: Currency::Cny,
        granted_at: day(0),
        expires_at: day(90),
    }
}

fn wish(number: u8) -> CouponReserved {
    CouponReserved { coupon_id: coupon_id(), order_id: order(number), pay_no: None, check_at: day(1) }
}

fn late_wish(number: u8) -> CouponReserved {
    CouponReserved { pay_no: Some(pay_no(number)), ..wish(number) }
}

fn reserve(wish: CouponReserved) -> CouponCommand {
    CouponCommand::Reserve { wish, buyer_id: ann(), sum: fen(2_000), now: day(1) }
}

fn release(number: u8, held_for: Option<PayNo>) -> CouponCommand {
    CouponCommand::Release { order_id: order(number), held_for: vec![held_for] }
}

fn released(number: u8) -> CouponEvent {
    CouponReleased { coupon_id: coupon_id(), order_id: order(number) }.into()
}

fn used(number: u8) -> CouponEvent {
    CouponUsed { coupon_id: coupon_id(), order_id: order(number) }.into()
}

fn withdrawn() -> CouponEvent {
    CouponWithdrawn { coupon_id: coupon_id(), order_id: order(0) }.into()
}

fn use_it(number: u8) -> CouponCommand {
    CouponCommand::Use { order_id: order(number) }
}

#[test]
fn it_is_granted_once() {
    given(&[]).when(CouponCommand::Grant(granted())).then([granted().into()]);
    given(&[granted().into()]).when(CouponCommand::Grant(granted())).then_nothing();
    given(&[granted().into(), withdrawn()]).when(CouponCommand::Grant(granted())).then_nothing();
}

#[test]
fn its_owner_sets_it_against_an_order_that_is_large_enough_in_time() {
    let coupon = [granted().into()];
    given(&coupon).when(reserve(wish(1))).then([wish(1).into()]);
    let refused = |command| given(&coupon).when(command).then_rejected(CouponRejection::NotUsable);
    let bob = BuyerId::parse("bob").unwrap();
    refused(CouponCommand::Reserve { wish: wish(1), buyer_id: bob, sum: fen(2_000), now: day(1) });
    refused(CouponCommand::Reserve { wish: wish(1), buyer_id: ann(), sum: fen(1_999), now: day(1) });
    refused(CouponCommand::Reserve { wish: wish(1), buyer_id: ann(), sum: fen(2_000), now: day(90) });
    given(&[]).when(reserve(wish(1))).then_rejected(CouponRejection::NotUsable);
}

#[test]
fn it_takes_off_what_it_says_and_never_more_than_the_sum() {
    let coupon = given(&[granted().into()]);
    assert_eq!(coupon.state().discount(&ann(), fen(2_000), day(1)), Some(fen(500)));
    assert_eq!(coupon.state().discount(&ann(), fen(1_999), day(1)), None);
    assert_eq!(coupon.state().discount(&ann(), fen(2_000), day(90)), None);
    let dear = CouponGranted { discount_amount: fen(9_000).minor_units(), ..granted() };
    assert_eq!(given(&[dear.into()]).state().discount(&ann(), fen(2_000), day(1)), Some(fen(2_000)));
    assert_eq!(given(&[granted().into(), wish(1).into()]).state().discount(&ann(), fen(2_000), day(1)), None);
}

#[test]
fn it_is_held_for_one_order() {
    let held = [granted().into(), wish(1).into()];
    given(&held).when(reserve(wish(1))).then_nothing();
    given(&held).when(reserve(wish(2))).then_rejected(CouponRejection::NotUsable);
    given(&held).when(reserve(late_wish(1))).then([released(1), late_wish(1).into()]);
}

#[test]
fn it_comes_back_when_its_order_ends_unpaid() {
    let held = [granted().into(), wish(1).into()];
    given(&held).when(release(1, None)).then([released(1)]);
    given(&held).when(release(2, None)).then_nothing();
    let free = [granted().into(), wish(1).into(), released(1)];
    given(&free).when(release(1, None)).then_nothing();
    given(&free).when(reserve(wish(2))).then([wish(2).into()]);
}

#[test]
fn what_is_held_for_a_late_payment_is_not_let_go_with_the_order() {
    let held = [granted().into(), late_wish(1).into()];
    given(&held).when(release(1, None)).then_nothing();
    given(&held).when(release(1, Some(pay_no(1)))).then([released(1)]);
    let late = CouponCommand::Reserve { wish: late_wish(1), buyer_id: ann(), sum: fen(2_000), now: day(91) };
    given(&[granted().into()]).when(late).then([late_wish(1).into()]);
}

#[test]
fn it_is_used_once() {
    let held = [granted().into(), wish(1).into()];
    given(&held).when(use_it(1)).then([used(1)]);
    let spent = [granted().into(), wish(1).into(), used(1)];
    given(&spent).when(use_it(1)).then_nothing();
    given(&spent).when(use_it(2)).then_rejected(CouponRejection::NotUsable);
    given(&spent).when(reserve(wish(2))).then_rejected(CouponRejection::NotUsable);
    given(&spent).when(release(1, None)).then_nothing();
    given(&held).when(use_it(2)).then_rejected(CouponRejection::NotUsable);
    given(&[granted().into()]).when(use_it(1)).then([used(1)]);
}

#[test]
fn it_goes_back_with_the_payment_that_it_was_granted_for_unless_it_was_used() {
    given(&[granted().into()]).when(CouponCommand::Withdraw).then([withdrawn()]);
    given(&[]).when(CouponCommand::Withdraw).then_nothing();
    let gone = [granted().into(), withdrawn()];
    given(&gone).when(CouponCommand::Withdraw).then_nothing();
    given(&gone).when(reserve(wish(1))).then_rejected(CouponRejection::NotUsable);
    given(&[granted().into(), wish(1).into(), used(1)]).when(CouponCommand::Withdraw).then_nothing();
}

#[test]
fn one_that_is_withdrawn_while_it_is_held_stays_in_its_order_and_is_gone_after_it() {
    let held = [granted().into(), wish(1).into()];
    given(&held).when(CouponCommand::Withdraw).then([withdrawn()]);
    let forfeit = [granted().into(), wish(1).into(), withdrawn()];
    given(&forfeit).when(CouponCommand::Withdraw).then_nothing();
    given(&forfeit).when(use_it(1)).then([used(1)]);
    given(&forfeit).when(release(1, None)).then([released(1), withdrawn()]);
    given(&forfeit).when(reserve(late_wish(1))).then_rejected(CouponRejection::NotUsable);
    let gone = [granted().into(), wish(1).into(), withdrawn(), released(1), withdrawn()];
    given(&gone).when(reserve(wish(2))).then_rejected(CouponRejection::NotUsable);
}
