use chrono::DateTime;

use super::*;
use crate::course_selection::Charge;
use crate::ids::{BuyerId, ProductId, SelectionId};
use crate::money::{Currency, MinorUnits};
use crate::order::{Client, OrderSource, OrderType};
use crate::scenario;

fn given(events: &[IdempotencyEvent]) -> scenario::Given<IdempotencyKey> {
    scenario::given(events)
}

fn order(number: &str) -> Intent {
    Intent::Order(OrderDraft {
        order_id: number.parse().unwrap(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        order_type: OrderType::course(),
        out_business_id: "7".to_owned(),
        source: OrderSource::CourseSelection,
        service: None,
        title: "Rust for beginners".to_owned(),
        description: None,
        items: vec![],
        amount: MinorUnits::new(0).unwrap(),
        currency: Currency::Cny,
        client: Client::Web,
        coupon: None,
        stock: vec![],
        hold_s: None,
    })
}

fn selection(number: &str) -> Intent {
    Intent::CourseSelection(CourseSelected {
        selection_id: SelectionId::parse(number).unwrap(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        course_id: ProductId::parse("course-rust-101").unwrap(),
        title: "Rust for beginners".to_owned(),
        charge: Charge::Free,
        price_amount: MinorUnits::new(0).unwrap(),
        currency: Currency::Cny,
        price_version: 1,
        starts_at: None,
        valid_days: None,
        selected_at: DateTime::UNIX_EPOCH,
    })
}

fn claim(intent: Intent) -> IdempotencyCommand {
    IdempotencyCommand::Claim { request_hash: "r".to_owned(), intent }
}

fn replace(generation: u32, intent: Intent) -> IdempotencyCommand {
    IdempotencyCommand::Replace { generation, request_hash: "r".to_owned(), intent, held_for: None }
}

fn redirect(number: &str) -> IdempotencyCommand {
    IdempotencyCommand::Redirect { resource_id: number.to_owned() }
}

fn claimed(generation: u32, intent: Intent) -> IdempotencyEvent {
    IdempotencyKeyClaimed { generation, request_hash: "r".to_owned(), intent }.into()
}

fn redirected(number: &str) -> IdempotencyEvent {
    IdempotencyKeyRedirected { resource_id: number.to_owned() }.into()
}

fn freed(generation: u32) -> IdempotencyEvent {
    IdempotencyKeyFreed { generation }.into()
}

#[test]
fn a_free_key_fixes_what_is_created() {
    given(&[]).when(claim(order("11"))).then([claimed(0, order("11"))]);
    given(&[]).when(claim(selection("21"))).then([claimed(0, selection("21"))]);
}

#[test]
fn a_claimed_key_is_not_claimed_again_whatever_the_content() {
    given(&[claimed(0, order("11"))]).when(claim(order("11"))).then_rejected(IdempotencyRejection::Claimed);
    given(&[claimed(0, order("11"))]).when(claim(order("12"))).then_rejected(IdempotencyRejection::Claimed);
    given(&[claimed(0, order("11")), redirected("12")]).when(claim(order("13"))).then_rejected(IdempotencyRejection::Claimed);
}

#[test]
fn a_claim_that_ended_unpaid_gives_way_to_the_next() {
    given(&[claimed(0, order("11"))]).when(replace(0, order("12"))).then([freed(0), claimed(1, order("12"))]);
    let second = [claimed(0, order("11")), freed(0), claimed(1, order("12"))];
    given(&second).when(replace(1, order("13"))).then([freed(1), claimed(2, order("13"))]);
}

#[test]
fn only_the_claim_that_ended_is_replaced() {
    let second = [claimed(0, order("11")), freed(0), claimed(1, order("12"))];
    given(&second).when(replace(0, order("13"))).then_rejected(IdempotencyRejection::Claimed);
    given(&second).when(replace(2, order("13"))).then_rejected(IdempotencyRejection::Claimed);
}

#[test]
fn nothing_is_replaced_or_redirected_where_nothing_is_claimed() {
    given(&[]).when(replace(0, order("11"))).then_rejected(IdempotencyRejection::Unclaimed);
    given(&[]).when(redirect("11")).then_rejected(IdempotencyRejection::Unclaimed);
    let free_again = [claimed(0, order("11")), freed(0)];
    given(&free_again).when(replace(0, order("12"))).then_rejected(IdempotencyRejection::Unclaimed);
    given(&free_again).when(redirect("12")).then_rejected(IdempotencyRejection::Unclaimed);
}

#[test]
fn a_freed_key_is_claimed_with_the_next_generation() {
    given(&[claimed(0, order("11")), freed(0)]).when(claim(order("12"))).then([claimed(1, order("12"))]);
}

#[test]
fn a_key_answers_with_what_existed_before_it() {
    given(&[claimed(0, order("11"))]).when(redirect("9")).then([redirected("9")]);
    given(&[claimed(0, order("11")), redirected("9")]).when(redirect("9")).then_nothing();
}

#[test]
fn a_key_that_answers_with_something_else_does_so_for_ever() {
    let elsewhere = [claimed(0, order("11")), redirected("9")];
    given(&elsewhere).when(redirect("8")).then_rejected(IdempotencyRejection::Redirected);
    given(&elsewhere).when(redirect("11")).then_rejected(IdempotencyRejection::Redirected);
}

#[test]
fn a_key_that_answers_with_its_own_may_turn_to_what_was_made_sooner() {
    let own = [claimed(0, order("11")), redirected("11")];
    given(&own).when(redirect("9")).then([redirected("9")]);
    // Whoever has looked for what was made sooner must look again.
    given(&own).when(redirect("11")).then([redirected("11")]);
}

#[test]
fn a_key_says_the_number_that_it_answers_with() {
    let number = |events: &[IdempotencyEvent]| given(events).state().resource_id();
    assert_eq!(number(&[]), None);
    assert_eq!(number(&[claimed(0, order("11"))]).as_deref(), Some("11"));
    assert_eq!(number(&[claimed(0, selection("21"))]).as_deref(), Some("21"));
    assert_eq!(number(&[claimed(0, order("11")), redirected("9")]).as_deref(), Some("9"));
    assert_eq!(number(&[claimed(0, order("11")), redirected("9"), freed(0)]), None);
    assert_eq!(number(&[claimed(0, order("11")), redirected("9"), freed(0), claimed(1, order("12"))]).as_deref(), Some("12"));
}

fn late(attempt: u8) -> PayNo {
    PayNo::new("11".parse().unwrap(), attempt).unwrap()
}

fn hold(number: &str, attempt: u8) -> IdempotencyCommand {
    IdempotencyCommand::Hold { resource_id: number.to_owned(), pay_no: late(attempt) }
}

fn held(attempt: u8) -> IdempotencyEvent {
    IdempotencyKeyHeld { generation: 0, pay_no: late(attempt) }.into()
}

#[test]
fn a_key_is_held_for_a_late_payment_of_what_it_created() {
    given(&[claimed(0, order("11"))]).when(hold("11", 1)).then([held(1)]);
    given(&[claimed(0, order("11")), held(1)]).when(hold("11", 1)).then_nothing();
    given(&[claimed(0, order("11")), held(1)]).when(hold("11", 2)).then([held(2)]);
}

#[test]
fn a_key_that_somebody_else_has_by_now_is_not_held() {
    let next = [claimed(0, order("11")), freed(0), claimed(1, order("12"))];
    given(&next).when(hold("11", 1)).then_rejected(IdempotencyRejection::Claimed);
    given(&[]).when(hold("11", 1)).then_rejected(IdempotencyRejection::Unclaimed);
}

#[test]
fn a_held_key_gives_way_only_to_who_knows_that_the_payment_revived_nothing() {
    let known = |held_for| IdempotencyCommand::Replace { generation: 0, request_hash: "r".to_owned(), intent: order("12"), held_for };
    let key = given(&[claimed(0, order("11")), held(1)]);
    key.when(known(None)).then_rejected(IdempotencyRejection::Claimed);
    key.when(known(Some(late(2)))).then_rejected(IdempotencyRejection::Claimed);
    key.when(known(Some(late(1)))).then([freed(0), claimed(1, order("12"))]);
    let replaced = given(&[claimed(0, order("11")), held(1), freed(0), claimed(1, order("12"))]);
    assert_eq!(replaced.state().held_for, None);
}
