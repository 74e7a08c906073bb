mod pages;

use std::sync::Arc;

use chrono::TimeDelta;
use domain::order::OrderStatus;
use domain::pay_record::ClosedProof;
use followers::{Follower, FollowerError, LogFeed, MemoryLeases, Progress};
use futures_util::FutureExt;
use gateway::Operation::{self, Close, Precreate, Query};

use super::*;
use crate::process_managers::{AttemptPatience, MemoryOrderTodo, OrderUpkeep};
use crate::testing::*;

const PATIENCE: TimeDelta = TimeDelta::seconds(30);

fn manager_of(world: &World, commands: Commands) -> OrderUpkeep {
    let feed = LogFeed::new(world.log.clone(), OrderUpkeep::events());
    let (todo, leases) = (Arc::new(MemoryOrderTodo::default()), Arc::new(MemoryLeases::default()));
    OrderUpkeep::new(commands, Arc::new(feed), todo, leases, "one".to_owned(), AttemptPatience(PATIENCE))
}

/// A manager with an empty list, in a process of its own.
fn manager(world: &World) -> OrderUpkeep {
    manager_of(world, world.other_process())
}

async fn run(manager: &OrderUpkeep) -> Progress {
    manager.run_once().await.unwrap()
}

fn asked(operations: &[(Operation, &str)]) -> Vec<(Operation, String)> {
    operations.iter().map(|(operation, attempt)| (*operation, (*attempt).to_owned())).collect()
}

/// An attempt whose process died while the channel was asked, a while ago.
async fn orphan(world: &World) -> PayNo {
    let order_id = world.order().await;
    world.channel.meanwhile(std::future::pending());
    assert!(world.try_attempt(order_id, None).now_or_never().is_none(), "it never comes back from the channel");
    world.channel.asked();
    world.clock.advance(PATIENCE);
    PayNo::new(order_id, 1).unwrap()
}

#[tokio::test]
async fn what_the_channel_never_heard_of_ends_and_the_next_number_is_tried() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    let progress = run(&manager(&world)).await;
    assert!(progress.caught_up && progress.position.as_i64() > 0);
    assert_eq!(world.channel.asked(), asked(&[(Query, "01"), (Precreate, "02")]), "it is asked before anything is done");
    let (old, next) = (world.record(pay_no).await, world.record(PayNo::new(pay_no.order_id(), 2).unwrap()).await);
    assert_eq!((old.status, old.closed_proof), (PayRecordStatus::Closed, Some(ClosedProof::NeverShown)));
    assert_eq!(next.status, PayRecordStatus::Pending);
    let shown = world.try_attempt(pay_no.order_id(), None).await.unwrap();
    assert_eq!(shown.pay_no.attempt(), 2);
}

#[tokio::test]
async fn its_events_follow_from_the_intent_that_they_finish() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    run(&manager(&world)).await;
    let events = world.events(&streams::order(pay_no.order_id())).await;
    let issued = events.iter().find(|event| event.event_type == "PayRecordIssued").unwrap();
    let derived = &events[2..];
    assert_eq!(derived.len(), 3);
    for event in derived {
        assert_eq!(event.event_id.get_version_num(), 5);
        assert_eq!(event.metadata.causation_id, Some(issued.event_id));
        assert_eq!((event.metadata.actor.as_str(), event.metadata.source.as_str()), ("process:order_upkeep", "process-managers"));
    }
}

#[tokio::test]
async fn an_attempt_younger_than_the_patience_is_left_to_its_own_process() {
    let world = World::new().await;
    orphan(&world).await;
    world.clock.advance(TimeDelta::microseconds(-1));
    let manager = manager(&world);
    run(&manager).await;
    assert_eq!(world.channel.asked(), []);
    world.clock.advance(TimeDelta::microseconds(1));
    run(&manager).await;
    assert_eq!(world.channel.asked().len(), 2);
}

#[tokio::test]
async fn running_again_adds_nothing_and_asks_only_whether_the_next_one_was_paid() {
    let world = World::new().await;
    orphan(&world).await;
    let manager = manager(&world);
    run(&manager).await;
    let head = world.head().await;
    world.channel.asked();
    for _ in 0..3 {
        run(&manager).await;
        world.clock.advance(TimeDelta::minutes(1));
    }
    // Another one makes its own list from the log, which is thrown away at any time.
    let fresh = self::manager(&world);
    run(&fresh).await;
    assert_eq!(world.head().await, head);
    assert!(world.channel.asked().into_iter().all(|question| question == (Query, "02".to_owned())));
}

#[tokio::test]
async fn two_managers_at_once_end_the_attempt_once_and_take_one_number() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    let other = manager(&world);
    world.log.meanwhile("order-", async move {
        run(&other).await;
    });
    run(&manager(&world)).await;
    assert!(world.log.is_done());
    let types = world.order_types(pay_no.order_id()).await;
    assert_eq!(types, ["OrderCreated", "PayRecordIssued", "PayRecordClosed", "PayRecordIssued", "PayRecordPrepared"]);
}

#[tokio::test]
async fn what_its_own_death_leaves_behind_is_taken_up_like_any_other() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    world.channel.meanwhile(async {});
    world.channel.meanwhile(std::future::pending());
    assert!(manager(&world).run_once().now_or_never().is_none(), "it dies while the channel makes the second code");
    world.clock.advance(PATIENCE);
    world.channel.asked();
    run(&manager(&world)).await;
    assert_eq!(world.channel.asked(), asked(&[(Query, "02"), (Precreate, "03")]));
    assert_eq!(world.status(PayNo::new(pay_no.order_id(), 3).unwrap()).await, PayRecordStatus::Pending);
}

#[tokio::test]
async fn a_code_that_never_reached_us_is_closed_at_the_channel_before_the_next_is_asked_for() {
    for closed in [Closed::Done, Closed::NotFound] {
        let world = World::new().await;
        let pay_no = orphan(&world).await;
        world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: Some("trade-1".to_owned()) }));
        world.channel.closes(Ok(closed));
        run(&manager(&world)).await;
        assert_eq!(world.channel.asked(), asked(&[(Query, "01"), (Close, "01"), (Precreate, "02")]));
        assert_eq!(world.status(pay_no).await, PayRecordStatus::Closed);
    }
}

#[tokio::test]
async fn money_that_came_for_it_is_recorded_and_nothing_else_is_begun() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    run(&manager(&world)).await;
    assert_eq!(world.channel.asked(), asked(&[(Query, "01")]));
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Paid);
}

#[tokio::test]
async fn money_that_came_just_before_the_close_is_recorded() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    world.channel.closes(Ok(Closed::StateForbids));
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    run(&manager(&world)).await;
    assert_eq!(world.channel.asked(), asked(&[(Query, "01"), (Close, "01"), (Query, "01")]));
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Paid);
}

#[tokio::test]
async fn what_the_channel_closed_ends_and_a_state_that_nobody_knows_is_left() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    let manager = manager(&world);
    world.channel.queries(Ok(TradeState::Unrecognised("TRADE_DREAMT".to_owned())));
    run(&manager).await;
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Preparing);
    world.clock.advance(TimeDelta::seconds(10));
    world.channel.queries(Ok(TradeState::ClosedUnpaid));
    run(&manager).await;
    assert_eq!(world.record(pay_no).await.closed_proof, Some(ClosedProof::ChannelClosed));
    assert_eq!(world.channel.asked(), asked(&[(Query, "01"), (Query, "01")]));
}

#[tokio::test]
async fn a_channel_that_does_not_answer_keeps_the_attempt_for_the_next_rung() {
    let silences: [fn(&ScriptedChannel); 4] = [
        |channel| channel.queries(Err(unknown(Query))),
        |channel| channel.queries(Err(refused(Query))),
        |channel| {
            channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
            channel.closes(Err(unknown(Close)));
        },
        |channel| channel.set_available(false),
    ];
    for silence in silences {
        let world = World::new().await;
        let pay_no = orphan(&world).await;
        let manager = manager(&world);
        silence(&world.channel);
        let head = world.head().await;
        run(&manager).await;
        assert_eq!((world.head().await, world.status(pay_no).await), (head, PayRecordStatus::Preparing));
        world.channel.set_available(true);
        world.clock.advance(TimeDelta::seconds(10));
        run(&manager).await;
        assert_eq!(world.status(pay_no).await, PayRecordStatus::Closed);
    }
}

#[tokio::test]
async fn an_open_circuit_breaker_is_not_even_asked() {
    let world = World::new().await;
    orphan(&world).await;
    world.channel.set_available(false);
    run(&manager(&world)).await;
    assert_eq!(world.channel.asked(), []);
}

#[tokio::test]
async fn an_attempt_that_cannot_be_taken_up_does_not_hold_up_the_others() {
    let world = World::new().await;
    let first = orphan(&world).await;
    let (created, _) = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap();
    world.channel.precreates(Err(unknown(Precreate)));
    let second = world.attempt(created.resource_id.parse().unwrap()).await;
    world.clock.advance(PATIENCE);
    world.channel.asked();
    world.append_from_the_future(&streams::order(first.order_id())).await;
    let failed = manager(&world).run_once().await;
    assert!(matches!(failed, Err(FollowerError::Work(_))), "what cannot be read is told");
    assert_eq!(world.status(second).await, PayRecordStatus::Closed);

    let world = World::new().await;
    let first = orphan(&world).await;
    run(&manager_of(&world, world.without_channels())).await;
    assert_eq!(world.status(first).await, PayRecordStatus::Preparing);
}

#[tokio::test]
async fn an_order_without_time_left_gets_no_next_attempt() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    world.clock.advance(ORDER_LIFE);
    run(&manager(&world)).await;
    assert_eq!(world.channel.asked(), [], "its code was never shown, and the order is over");
    let types = world.order_types(pay_no.order_id()).await;
    assert_eq!(types, ["OrderCreated", "PayRecordIssued", "PayRecordClosed", "OrderExpired"]);
}

#[tokio::test]
async fn a_channel_that_refuses_the_next_attempt_fails_that_one() {
    let world = World::new().await;
    let pay_no = orphan(&world).await;
    world.channel.precreates(Err(refused(Precreate)));
    run(&manager(&world)).await;
    assert_eq!(world.status(PayNo::new(pay_no.order_id(), 2).unwrap()).await, PayRecordStatus::Failed);
}

#[tokio::test]
async fn attempts_with_an_outcome_and_attempts_that_ask_no_channel_are_not_taken_up() {
    let world = World::new().await;
    world.pending().await;
    world.create(&alice(), of_product("gift", None, 1), None).await.unwrap();
    let (created, _) = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap();
    world.channel.precreates(Err(refused(Precreate)));
    world.try_attempt(created.resource_id.parse().unwrap(), None).await.unwrap_err();
    world.clock.advance(PATIENCE);
    world.channel.asked();
    let manager = manager(&world);
    run(&manager).await;
    assert_eq!(world.channel.asked(), asked(&[(Query, "01")]), "only whether the pending one was paid");
    assert_eq!(manager.lag().await.unwrap().events, 0);
}

#[tokio::test]
async fn it_acts_only_when_it_has_caught_up() {
    let world = World::new().await;
    orphan(&world).await;
    for _ in 0..200 {
        world.create(&alice(), of_product("notes", None, 1), None).await.unwrap();
    }
    let manager = manager(&world);
    assert!(!run(&manager).await.caught_up);
    assert_eq!(world.channel.asked(), []);
    assert!(run(&manager).await.caught_up);
    assert_eq!(world.channel.asked().len(), 2);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_moves_nothing() {
    let world = World::new().await;
    orphan(&world).await;
    let manager = manager(&world);
    world.log.fail_reads(1);
    assert!(matches!(manager.run_once().await, Err(FollowerError::Feed(_))));
    assert_eq!(world.channel.asked(), []);
    run(&manager).await;
    assert_eq!(world.channel.asked().len(), 2);
}
