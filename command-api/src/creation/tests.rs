use super::*;
use crate::testing::*;

mod business;
mod keys;
mod orders;
mod selections;

/// How often each kind of event of a natural or caller's key is on the log.
async fn key_events(world: &World) -> (usize, usize, usize) {
    let count = async |event_type| world.all(event_type).await.len();
    (count("IdempotencyKeyClaimed").await, count("IdempotencyKeyRedirected").await, count("IdempotencyKeyFreed").await)
}

async fn orders_made(world: &World) -> usize {
    world.all("OrderCreated").await.len()
}

async fn cancel(world: &World, caller: &crate::Caller, created: &Created) {
    let order_id = created.resource_id.parse().unwrap();
    let cancelled = world.commands.cancel_order(caller, order_id, None, None, None, CORRELATION).await.unwrap();
    assert!(cancelled.is_proven);
}
