use chrono::TimeDelta;
use domain::course_selection::Charge;
use domain::{Currency, Money};

use super::*;
use crate::refunds::RefundWish;

async fn select(world: &World, buyer_id: &str, course_id: &str, key: Option<&CallerKey>) -> Result<Created, CommandFailure> {
    let selected = world.commands.select_course(&buyer_id_of(buyer_id), &product(course_id), key, CORRELATION).await;
    selected.map(|(created, _)| created)
}

async fn status(world: &World, created: &Created) -> SelectionStatus {
    let stream_id = streams::course_selection(created.resource_id.parse().unwrap());
    let standing = world.commands.selections.load(&stream_id).await.unwrap();
    world.commands.selection_status(standing.state.selected.as_ref().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_selection_says_who_chose_what_for_how_much() {
    let world = World::new().await;
    for (course_id, price, charge) in [("course-rust", COURSE_PRICE, Charge::Paid), ("course-free", 0, Charge::Free)] {
        let chosen = world.commands.select_course(&buyer_id_of("alice"), &product(course_id), None, CORRELATION).await;
        let (created, standing) = chosen.unwrap();
        let selected = standing.state.selected.as_ref().unwrap();
        assert_eq!((selected.buyer_id.as_str(), selected.course_id.as_str()), ("alice", course_id));
        assert_eq!((selected.price_amount.as_i64(), selected.charge, selected.valid_days), (price, charge, Some(30)));
        assert_eq!((selected.selection_id.to_string(), created.position), (created.resource_id, standing.position));
    }
}

#[tokio::test]
async fn choosing_a_course_again_answers_the_live_selection() {
    let world = World::new().await;
    let first = select(&world, "alice", "course-rust", None).await.unwrap();
    let head = world.head().await;
    let again = select(&world, "alice", "course-rust", None).await.unwrap();
    assert_eq!(again, Created { is_new: false, ..first.clone() });
    assert_eq!(world.head().await, head);
    let others = select(&world, "bob", "course-rust", None).await.unwrap();
    let other_course = select(&world, "alice", "course-free", None).await.unwrap();
    assert!(others.is_new && other_course.is_new && others.resource_id != first.resource_id);
}

#[tokio::test]
async fn a_selection_whose_price_has_changed_is_still_the_live_one() {
    let world = World::new().await;
    let first = select(&world, "alice", "course-rust", None).await.unwrap();
    world.change("course-rust", |draft| draft.price = Money::new(1, Currency::Cny).unwrap()).await;
    assert_eq!(select(&world, "alice", "course-rust", None).await.unwrap().resource_id, first.resource_id);
}

#[tokio::test]
async fn a_selection_whose_course_has_ended_is_followed_by_a_new_one() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let first = select(&world, "alice", "course-rust", None).await.unwrap();
    assert_eq!(status(&world, &first).await, SelectionStatus::Unpaid);
    world.pay(pay_no).await;
    assert_eq!(status(&world, &first).await, SelectionStatus::Active);

    world.clock.set(paid_at() + TimeDelta::days(30) - TimeDelta::seconds(1));
    assert!(!select(&world, "alice", "course-rust", None).await.unwrap().is_new);
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(status(&world, &first).await, SelectionStatus::Ended);
    let second = select(&world, "alice", "course-rust", None).await.unwrap();
    assert!(second.is_new && second.resource_id != first.resource_id);
    assert_eq!(status(&world, &second).await, SelectionStatus::Unpaid);
}

#[tokio::test]
async fn a_free_course_is_active_at_once_and_may_be_chosen_again_when_it_has_ended() {
    let world = World::new().await;
    let first = select(&world, "alice", "course-free", None).await.unwrap();
    assert_eq!(status(&world, &first).await, SelectionStatus::Active);
    world.clock.advance(TimeDelta::days(30));
    assert!(select(&world, "alice", "course-free", None).await.unwrap().is_new);
}

#[tokio::test]
async fn an_unpaid_selection_never_ends_and_outlives_its_cancelled_order() {
    let world = World::new().await;
    let order_id = world.order().await;
    let first = select(&world, "alice", "course-rust", None).await.unwrap();
    world.commands.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap();
    world.clock.advance(TimeDelta::days(400));
    let again = select(&world, "alice", "course-rust", None).await.unwrap();
    assert_eq!((again.resource_id, again.is_new), (first.resource_id, false));
    assert_ne!(world.order().await, order_id, "it can be bought again");
}

#[tokio::test]
async fn what_is_no_course_not_sold_or_not_there_is_not_selected() {
    let world = World::new().await;
    let no_course = select(&world, "alice", "notes", None).await;
    assert!(matches!(no_course, Err(CommandFailure::Invalid { field: "course_id", code: "not_a_course", .. })));
    let withdrawn = select(&world, "alice", "course-withdrawn", None).await;
    assert!(matches!(withdrawn, Err(CommandFailure::Invalid { field: "course_id", code: "not_on_sale", .. })));
    assert!(matches!(select(&world, "alice", "course-go", None).await, Err(CommandFailure::NotFound)));
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn a_key_replays_its_selection_even_after_that_has_ended() {
    let world = World::new().await;
    let key = key("k", "course-free");
    let first = select(&world, "alice", "course-free", Some(&key)).await.unwrap();
    world.clock.advance(TimeDelta::days(31));
    let next = select(&world, "alice", "course-free", None).await.unwrap();
    let again = select(&world, "alice", "course-free", Some(&key)).await.unwrap();
    assert_eq!(again, Created { replayed: true, ..first });
    assert_ne!(again.resource_id, next.resource_id);
    let reused = select(&world, "alice", "course-rust", Some(&super::key("k", "course-rust"))).await;
    assert!(matches!(reused, Err(CommandFailure::KeyReused)));
}

#[tokio::test]
async fn a_selection_that_was_claimed_before_a_crash_is_made_by_the_retry() {
    let world = World::new().await;
    world.log.next("course_selection-", Fault::Unavailable);
    select(&world, "alice", "course-rust", Some(&key("k", "c"))).await.unwrap_err();
    let claimed = world.all("IdempotencyKeyClaimed").await;
    let made = select(&world, "alice", "course-rust", Some(&key("k", "c"))).await.unwrap();
    assert_eq!(claimed[0]["intent"]["course_selection"]["selection_id"], made.resource_id.as_str());
    assert_eq!(world.all("CourseSelected").await.len(), 1);
}

#[tokio::test]
async fn a_seat_that_went_back_with_its_money_can_be_chosen_and_bought_anew() {
    let world = World::new().await;
    let first = select(&world, "alice", "course-rust", None).await.unwrap();
    let pay_no = world.pending().await;
    world.pay(pay_no).await;
    assert_eq!(status(&world, &first).await, SelectionStatus::Active);
    let operator = crate::Caller::Operator("olivia".to_owned());
    let wish = RefundWish { amount: Money::new(COURSE_PRICE, Currency::Cny).unwrap(), reason: "ill".to_owned() };
    let order_id = pay_no.order_id();
    let refund_no = world.commands.request_refund(&operator, order_id, wish, None, None, CORRELATION).await.unwrap().refund_no;
    assert_eq!(status(&world, &first).await, SelectionStatus::Active, "not before it has gone back");
    world.channel.refunds(Ok(gateway::RefundState::Succeeded { refunded_at: None }));
    let context = Context::of_caller(&operator, CORRELATION);
    world.commands.drive_refund(&context, refund_no).await.unwrap();
    assert_eq!(status(&world, &first).await, SelectionStatus::Ended);
    let anew = select(&world, "alice", "course-rust", None).await.unwrap();
    assert_ne!(anew.resource_id, first.resource_id);
    assert_ne!(world.order().await, order_id);
}
