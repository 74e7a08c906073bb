use domain::order::OrderRejection;

use super::*;
use crate::testing::*;

async fn give(world: &World, caller: &Caller, order_id: OrderId, key: Option<&CallerKey>) -> Result<AggregateCode, CommandFailure> {
    world.commands.give_aggregate_code(caller, order_id, key, None, CORRELATION).await
}

#[tokio::test]
async fn an_order_has_one_code_of_its_own_and_no_attempt_before_a_scan() {
    let world = World::new().await;
    let order_id = world.order().await;
    let first = give(&world, &alice(), order_id, None).await.unwrap();
    let again = give(&world, &Caller::CheckoutLink, order_id, None).await.unwrap();
    assert_eq!((first.is_new, again.is_new, first.replayed, again.replayed), (true, false, false, false));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated", "IdempotencyKeyRecorded"]);
    assert!(world.channel.asked().is_empty() && world.load(order_id).await.pay_records.is_empty());
}

#[tokio::test]
async fn the_same_key_answers_what_it_answered_and_other_content_is_refused() {
    let world = World::new().await;
    let order_id = world.order().await;
    let key = |content: &str| CallerKey::new("alice", "POST pay-records", "k1", content);
    let first = give(&world, &alice(), order_id, Some(&key("aggregate"))).await.unwrap();
    let again = give(&world, &alice(), order_id, Some(&key("aggregate"))).await.unwrap();
    assert_eq!((first.is_new, first.replayed, again.is_new, again.replayed), (true, false, true, true));
    assert!(matches!(give(&world, &alice(), order_id, Some(&key("other"))).await, Err(CommandFailure::KeyReused)));
    let other = CallerKey::new("alice", "POST pay-records", "k2", "aggregate");
    let found = give(&world, &alice(), order_id, Some(&other)).await.unwrap();
    let found_again = give(&world, &alice(), order_id, Some(&other)).await.unwrap();
    assert_eq!((found.is_new, found.replayed, found_again.is_new, found_again.replayed), (false, false, false, true));
}

#[tokio::test]
async fn no_code_is_given_for_what_cannot_be_paid_or_is_anothers() {
    let world = World::new().await;
    let order_id = world.order().await;
    let bob = Caller::Buyer(buyer_id_of("bob"));
    assert!(matches!(give(&world, &bob, order_id, None).await, Err(CommandFailure::NotFound)));
    let without = world.without_channels().give_aggregate_code(&alice(), order_id, None, None, CORRELATION).await;
    assert!(matches!(without, Err(CommandFailure::ChannelNotConfigured)));
    world.commands.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap();
    let ended = give(&world, &alice(), order_id, None).await;
    assert!(matches!(ended, Err(CommandFailure::Order(OrderRejection::Ended))), "{ended:?}");
}
