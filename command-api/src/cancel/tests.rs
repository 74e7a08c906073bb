use chrono::TimeDelta;
use domain::pay_record::{ClosedProof, PayRecordStatus};
use gateway::Operation::{self, Close, Query};

use super::*;
use crate::testing::*;

async fn cancel(world: &World, caller: &Caller, order_id: OrderId) -> Result<Cancelled, CommandFailure> {
    world.commands.cancel_order(caller, order_id, None, None, None, CORRELATION).await
}

fn asked(operations: &[Operation]) -> Vec<(Operation, String)> {
    operations.iter().map(|operation| (*operation, "01".to_owned())).collect()
}

#[tokio::test]
async fn an_order_that_nobody_began_to_pay_ends_at_once() {
    let world = World::new().await;
    let order_id = world.order().await;
    let reason = Some("Chose another course".to_owned());
    let cancelled = world.commands.cancel_order(&alice(), order_id, reason, None, None, CORRELATION).await.unwrap();
    assert!(cancelled.is_proven && !cancelled.replayed);
    assert_eq!(cancelled.position.as_i64(), world.head().await);
    assert_eq!(world.order_types(order_id).await, ["OrderCreated", "OrderCancelled"]);
    let event = world.all("OrderCancelled").await.remove(0);
    assert_eq!((event["reason"].as_str(), event["unproven"].as_bool()), (Some("Chose another course"), Some(false)));
    assert_eq!(world.channel.asked(), []);
}

#[tokio::test]
async fn an_attempt_whose_code_nobody_saw_ends_with_its_order_and_without_asking() {
    let world = World::new().await;
    let pay_no = world.preparing().await;
    world.channel.asked();
    assert!(cancel(&world, &alice(), pay_no.order_id()).await.unwrap().is_proven);
    assert_eq!(world.record(pay_no).await.closed_proof, Some(ClosedProof::NeverShown));
    assert_eq!(world.channel.asked(), []);
}

#[tokio::test]
async fn an_unpaid_attempt_is_closed_at_its_channel_and_that_is_the_proof() {
    for state in [TradeState::AwaitingBuyer { trade_no: None }, TradeState::NotFound] {
        let world = World::new().await;
        let pay_no = world.pending().await;
        world.channel.asked();
        world.channel.queries(Ok(state));
        assert!(cancel(&world, &alice(), pay_no.order_id()).await.unwrap().is_proven);
        assert_eq!(world.channel.asked(), asked(&[Query, Close]), "it is asked before it is closed");
        let expected = ["OrderCreated", "PayRecordIssued", "PayRecordPrepared", "OrderClosing", "PayRecordClosing"];
        let types = world.order_types(pay_no.order_id()).await;
        assert_eq!(
            (&types[..5], &types[5..]),
            (&expected.map(str::to_owned)[..], &["PayRecordClosed", "OrderCancelled"].map(str::to_owned)[..])
        );
        assert_eq!(world.record(pay_no).await.closed_proof, Some(ClosedProof::ChannelClosed));
    }
}

#[tokio::test]
async fn what_the_channel_closed_before_needs_no_close() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.asked();
    world.channel.queries(Ok(TradeState::ClosedUnpaid));
    assert!(cancel(&world, &alice(), pay_no.order_id()).await.unwrap().is_proven);
    assert_eq!(world.channel.asked(), asked(&[Query]));
}

#[tokio::test]
async fn without_proof_the_order_is_closing_and_a_later_cancel_asks_again() {
    type Silence = fn(&ScriptedChannel);
    let silences: [Silence; 6] = [
        |channel| channel.queries(Err(unknown(Query))),
        |channel| channel.queries(Err(refused(Query))),
        |channel| channel.queries(Ok(TradeState::Unrecognised("TRADE_DREAMT".to_owned()))),
        |channel| channel.closes(Err(unknown(Close))),
        |channel| channel.closes(Err(refused(Close))),
        // The channel does not know the number, and its code could still be scanned.
        |channel| channel.closes(Ok(Closed::NotFound)),
    ];
    for (number, silence) in silences.into_iter().enumerate() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        silence(&world.channel);
        let cancelled = cancel(&world, &alice(), pay_no.order_id()).await.unwrap();
        assert!(!cancelled.is_proven, "silence {number}");
        assert_eq!(cancelled.position.as_i64(), world.head().await);
        assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Closing);
        assert_eq!(world.status(pay_no).await, PayRecordStatus::Closing);
        world.channel.asked();
        assert!(cancel(&world, &alice(), pay_no.order_id()).await.unwrap().is_proven);
        assert_eq!(world.channel.asked(), asked(&[Query, Close]));
        assert_eq!(world.all("OrderClosing").await.len(), 1);
    }
}

#[tokio::test]
async fn an_attempt_whose_code_is_long_over_and_that_the_channel_never_saw_is_proven_by_that() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.clock.advance(CODE_LIFE + TimeDelta::minutes(5));
    world.channel.asked();
    assert!(cancel(&world, &alice(), pay_no.order_id()).await.unwrap().is_proven);
    assert_eq!(world.record(pay_no).await.closed_proof, Some(ClosedProof::AbsentAfterGrace));
    assert_eq!(world.channel.asked(), asked(&[Query]), "what has ended is not closed once more");
}

#[tokio::test]
async fn a_payment_that_the_channel_tells_of_wins() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let refused = cancel(&world, &alice(), pay_no.order_id()).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::AlreadyPaid))));
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Paid);
    assert_eq!(world.all("OrderCancelled").await.len(), 0);
}

#[tokio::test]
async fn a_payment_that_comes_between_the_question_and_the_close_wins() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    world.channel.closes(Ok(Closed::StateForbids));
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.channel.asked();
    let refused = cancel(&world, &alice(), pay_no.order_id()).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::AlreadyPaid))));
    assert_eq!(world.channel.asked(), asked(&[Query, Close, Query]));
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Paid);
}

#[tokio::test]
async fn a_payment_of_another_amount_does_not_keep_the_order_open() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", 1)));
    assert!(cancel(&world, &alice(), pay_no.order_id()).await.unwrap().is_proven);
    assert_eq!(world.all("RefundRequested").await[0]["cause"], "amount_mismatch");
}

#[tokio::test]
async fn a_channel_that_is_no_longer_configured_gives_no_proof() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let cancelled = world.without_channels().cancel_order(&alice(), pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    assert!(!cancelled.is_proven);
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Closing);
}

#[tokio::test]
async fn every_live_attempt_is_asked_about() {
    let world = World::new().await;
    let first = world.pending().await;
    world.clock.advance(CODE_LIFE);
    world.attempt(first.order_id()).await;
    world.channel.asked();
    world.channel.queries(Err(unknown(Query)));
    world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    assert!(!cancel(&world, &alice(), first.order_id()).await.unwrap().is_proven);
    let numbers: Vec<(Operation, String)> = world.channel.asked();
    assert_eq!(numbers, [(Query, "01".to_owned()), (Query, "02".to_owned()), (Close, "02".to_owned())]);
}

#[tokio::test]
async fn a_paid_and_an_expired_order_are_not_cancelled_and_a_cancelled_one_stays_so() {
    let world = World::new().await;
    let paid = world.pending().await;
    world.pay(paid).await;
    let refused = cancel(&world, &alice(), paid.order_id()).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::AlreadyPaid))));

    let order_id = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap().0.resource_id.parse().unwrap();
    cancel(&world, &alice(), order_id).await.unwrap();
    let head = world.head().await;
    assert!(cancel(&world, &alice(), order_id).await.unwrap().is_proven);
    assert_eq!(world.head().await, head);

    let order_id = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap().0.resource_id.parse().unwrap();
    world.clock.advance(ORDER_LIFE);
    let (context, now) = (Context::of_caller(&alice(), CORRELATION), world.commands.now());
    let expire = |order: &Order| Order::decide(order, OrderCommand::Expire { now });
    world.commands.orders.execute(&streams::order(order_id), &context, expire).await.unwrap();
    assert!(matches!(cancel(&world, &alice(), order_id).await, Err(CommandFailure::Order(OrderRejection::Ended))));
}

#[tokio::test]
async fn only_its_buyer_its_service_and_an_operator_cancel_an_order() {
    let world = World::new().await;
    let order_id = world.order().await;
    for caller in [buyer("bob"), service()] {
        assert!(matches!(cancel(&world, &caller, order_id).await, Err(CommandFailure::NotFound)), "{caller:?}");
    }
    assert!(matches!(cancel(&world, &alice(), OrderId::parse("12345").unwrap()).await, Err(CommandFailure::NotFound)));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated"]);
    assert!(cancel(&world, &Caller::Operator("oscar".to_owned()), order_id).await.unwrap().is_proven);
    let cancelled = world.events(&streams::order(order_id)).await.pop().unwrap();
    assert_eq!(cancelled.metadata.actor, "operator:oscar");
}

#[tokio::test]
async fn a_key_is_answered_again_and_other_content_refused() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let order_id = pay_no.order_id();
    let with = async |content, revision| {
        world.commands.cancel_order(&alice(), order_id, None, Some(&key("k", content)), revision, CORRELATION).await
    };
    world.channel.queries(Err(unknown(Query)));
    assert!(matches!(with("a", Some(1)).await, Err(CommandFailure::Stale)));
    let first = with("a", Some(2)).await.unwrap();
    assert!(!first.is_proven && !first.replayed);
    let again = with("a", Some(2)).await.unwrap();
    assert!(!again.is_proven && again.replayed && again.position == first.position, "what the key was answered");
    assert!(matches!(with("b", None).await, Err(CommandFailure::KeyReused)));
    assert_eq!(world.all("IdempotencyKeyRecorded").await.len(), 1);
}

#[tokio::test]
async fn a_key_that_comes_with_two_contents_at_once_is_taken_for_one_of_them() {
    let world = World::new().await;
    let order_id = world.order().await;
    let other = world.other_process();
    world.log.meanwhile("order-", async move {
        let used = key("k", "a");
        other.cancel_order(&alice(), order_id, None, Some(&used), None, CORRELATION).await.unwrap();
    });
    let refused = world.commands.cancel_order(&alice(), order_id, None, Some(&key("k", "b")), None, CORRELATION).await;
    assert!(matches!(refused, Err(CommandFailure::KeyReused)));
}
