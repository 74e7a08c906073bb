use std::sync::Arc;

use chassis::clock::ManualClock;
use chrono::DateTime;
use event_store::{EventStore, ExpectedRevision, MemoryEventStore, Metadata, NewEvent, StreamId};

use super::*;

mod interleaved;
mod pipeline;
mod predecessors;

const LINEAGE: Uuid = Uuid::from_u128(0xaaaa);
const OTHER_LINEAGE: Uuid = Uuid::from_u128(0xbbbb);

/// A log, a broker, and what is needed to make relays between them.
struct World {
    log: Arc<MemoryEventStore>,
    broker: Arc<MemoryStream>,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new() -> Self {
        Self::on(MemoryEventStore::new(Arc::new(|| DateTime::UNIX_EPOCH))).await
    }

    /// With a log whose positions are places, as KurrentDB's are.
    async fn with_gaps() -> Self {
        Self::on(MemoryEventStore::with_gaps(Arc::new(|| DateTime::UNIX_EPOCH), 97)).await
    }

    async fn on(log: MemoryEventStore) -> Self {
        let log = Arc::new(log);
        lineage::ensure(log.as_ref(), LINEAGE).await.unwrap();
        Self { log, broker: Arc::default(), clock: Arc::new(ManualClock::new(DateTime::UNIX_EPOCH)) }
    }

    fn relay(&self) -> Relay {
        Relay::new(
            Arc::<MemoryEventStore>::clone(&self.log),
            Arc::<MemoryStream>::clone(&self.broker),
            Arc::<ManualClock>::clone(&self.clock),
        )
    }

    /// Appends to a stream, behind what is there.
    async fn append(&self, stream: &str, events: &[(&str, &str)]) {
        let stream_id = StreamId::parse(stream).unwrap();
        let there = self.log.read_stream(&stream_id, 0, 1000).await.unwrap();
        let expected = there.last().map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::Exactly(last.revision));
        let head = self.log.head().await.unwrap().as_i64();
        let events = events.iter().enumerate().map(|(number, (event_type, data))| NewEvent {
            event_id: Uuid::from_u128(u128::try_from(head).unwrap() * 1000 + u128::try_from(number).unwrap() + 1),
            event_type: (*event_type).to_owned(),
            schema_version: 1,
            data: (*data).to_owned(),
            metadata: Metadata {
                correlation_id: Uuid::nil(),
                causation_id: None,
                actor: "buyer:alice".to_owned(),
                source: "test".to_owned(),
            },
        });
        self.log.append(&stream_id, expected, events.collect()).await.unwrap();
    }

    /// `count` orders of three events each, the second of which stays inside.
    async fn orders(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let created = ("OrderCreated", r#"{"order_type":"course"}"#);
            self.append(&format!("order-{number}"), &[created, ("IdempotencyKeyRecorded", "{}"), ("OrderPaid", "{}")]).await;
        }
    }

    fn published(&self) -> Vec<i64> {
        self.broker.messages().iter().map(|message| message.position.as_i64()).collect()
    }

    /// The positions of all events that are to be published.
    async fn due(&self) -> Vec<i64> {
        let events = self.log.read_all(Position::START, 100_000).await.unwrap();
        let inside = ["IdempotencyKeyRecorded", LINEAGE_STARTED];
        events.into_iter().filter(|event| !inside.contains(&event.event_type.as_str())).map(|event| event.position.as_i64()).collect()
    }
}

/// Runs until it is caught up.
async fn catch_up(relay: &Relay) {
    for _ in 0..1000 {
        match relay.run_once().await {
            Ok(Progress { caught_up: true, .. }) => return,
            Ok(_) | Err(FollowerError::Overtaken) => {}
            Err(error) => assert!(relay.trouble().unwrap().contains("no answer in time"), "{}", Chain(&error)),
        }
    }
    panic!("it does not catch up");
}

fn value<'a>(message: &'a Outgoing, name: &str) -> Option<&'a str> {
    message.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn each_published_event_goes_out_once_and_in_the_logs_order() {
    let world = World::new().await;
    world.orders(0..1000).await;
    let relay = world.relay();
    catch_up(&relay).await;
    assert_eq!(world.published(), world.due().await);
    assert_eq!(world.published().len(), 2000);
    catch_up(&relay).await;
    assert_eq!(world.published().len(), 2000);
}

#[tokio::test]
async fn a_message_carries_what_the_contract_says() {
    let world = World::new().await;
    world.append("order-7231", &[("OrderCreated", r#"{"order_type":"goods"}"#), ("OrderPaid", r#"{ "order_id" : "7231" }"#)]).await;
    world.append("stock-tea", &[("StockReceived", "{}"), ("StockReceived", "{}")]).await;
    catch_up(&world.relay()).await;
    let messages = world.broker.messages();
    let part = part_of(&StreamId::parse("order-7231").unwrap());
    assert_eq!(messages[1].subject, format!("paystream.v1.order.OrderPaid.goods.{part}"));
    assert_eq!(messages[1].body, r#"{ "order_id" : "7231" }"#);
    let expected = [
        (header::CE_TYPE, "OrderPaid"),
        (header::CE_SOURCE, "/paystream"),
        (header::CE_SUBJECT, "order-7231"),
        (header::CE_TIME, "1970-01-01T00:00:00.000000Z"),
        (header::CE_SPECVERSION, "1.0"),
        (header::POSITION, "3"),
        (header::STREAM, "order-7231"),
        (header::REVISION, "1"),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&messages[1], name), Some(expected), "{name}");
    }
    assert_eq!(value(&messages[1], header::LINEAGE), Some(LINEAGE.to_string().as_str()));
    assert_eq!(value(&messages[1], header::PREVIOUS), None);
    let stock = part_of(&StreamId::parse("stock-tea").unwrap());
    assert_eq!(messages[2].subject, format!("paystream.v1.stock.StockReceived.none.{stock}"));
    assert_eq!(messages[3].subject, messages[2].subject);
    assert_eq!((value(&messages[2], header::PREVIOUS), value(&messages[3], header::PREVIOUS)), (None, Some("4")));
}

/// As `sha256sum` tells it, the first byte is 0xea for `7231` and 0x2f for `stock-tea`.
#[test]
fn the_part_comes_from_the_orders_number_else_from_the_streams_name() {
    let part = |stream: &str| part_of(&StreamId::parse(stream).unwrap()).to_string();
    assert_eq!(part("order-7231"), "p10");
    assert_eq!(part("stock-tea"), "p15");
}

#[tokio::test]
async fn an_orders_type_is_read_from_its_stream_after_a_restart() {
    let world = World::new().await;
    world.append("order-1", &[("OrderCreated", r#"{"order_type":"material"}"#)]).await;
    world.append("order-2", &[("OrderAbandoned", "{}")]).await;
    world.append("order-3", &[("OrderCreated", r#"{"order_type":"not a.word"}"#)]).await;
    catch_up(&world.relay()).await;
    world.append("order-1", &[("OrderPaid", "{}")]).await;
    catch_up(&world.relay()).await;
    let types: Vec<_> = world.broker.messages().iter().map(|message| message.subject.split('.').nth(4).unwrap().to_owned()).collect();
    assert_eq!(types, ["material", "none", "none", "material"]);
}

#[tokio::test]
async fn the_message_before_is_named_across_restarts() {
    let world = World::new().await;
    world.append("stock-tea", &[("StockReceived", "{}"), ("StockSold", "{}")]).await;
    catch_up(&world.relay()).await;
    world.append("stock-tea", &[("StockReceived", "{}"), ("StockReceived", "{}")]).await;
    catch_up(&world.relay()).await;
    let previous: Vec<_> = world.broker.messages().iter().map(|message| value(message, header::PREVIOUS).map(str::to_owned)).collect();
    assert_eq!(previous, [None, None, Some("2".to_owned()), Some("4".to_owned())]);
}

#[tokio::test]
async fn a_relay_goes_on_after_a_restart_where_positions_have_gaps() {
    let world = World::with_gaps().await;
    for orders in [0..40, 40..41, 41..80] {
        world.orders(orders).await;
        catch_up(&world.relay()).await;
    }
    assert_eq!(world.published(), world.due().await);
    let mut last = std::collections::HashMap::new();
    for message in world.broker.messages() {
        let before = last.insert(message.subject.clone(), message.position.to_string());
        assert_eq!(value(&message, header::PREVIOUS).map(str::to_owned), before);
    }
}

#[tokio::test]
async fn a_lost_stream_is_filled_again_although_nothing_is_appended() {
    let world = World::new().await;
    world.orders(0..20).await;
    let relay = world.relay();
    catch_up(&relay).await;
    let before = world.broker.messages();
    world.broker.lose();
    world.clock.advance(LOOK_INTERVAL);
    assert!(!relay.run_once().await.unwrap().caught_up);
    catch_up(&relay).await;
    assert!(world.broker.messages() == before);
}

#[tokio::test]
async fn an_emptied_and_a_truncated_stream_are_filled_again() {
    let world = World::new().await;
    world.orders(0..20).await;
    let relay = world.relay();
    catch_up(&relay).await;
    let before = world.broker.messages();
    for damage in [MemoryStream::purge as fn(&MemoryStream), |broker| broker.truncate(7)] {
        damage(&world.broker);
        world.clock.advance(LOOK_INTERVAL);
        relay.run_once().await.unwrap();
        catch_up(&relay).await;
        assert!(world.broker.messages() == before);
    }
}

#[tokio::test]
async fn a_stream_that_ends_elsewhere_is_noticed_by_the_next_message() {
    let world = World::new().await;
    world.orders(0..5).await;
    let relay = world.relay();
    catch_up(&relay).await;
    world.broker.truncate(3);
    world.orders(5..6).await;
    assert!(matches!(relay.run_once().await, Err(FollowerError::Overtaken)));
    assert_eq!(relay.trouble(), None);
    catch_up(&relay).await;
    assert_eq!(world.published(), world.due().await);
}

#[tokio::test]
async fn lost_and_doubled_and_unacknowledged_messages_are_each_published_once() {
    let world = World::new().await;
    world.orders(0..300).await;
    let relay = world.relay();
    for fault in [Fault::Lost, Fault::LostAck, Fault::Duplicate, Fault::Refused] {
        world.broker.befall([Fault::None; 10].into_iter().chain([fault]));
        relay.run_once().await.unwrap_err();
    }
    catch_up(&relay).await;
    assert_eq!(world.published(), world.due().await);
}

#[tokio::test]
async fn of_two_relays_each_event_is_published_once() {
    let world = World::new().await;
    let relays = [world.relay(), world.relay()];
    for round in 0..30 {
        world.orders(round * 3..round * 3 + 3).await;
        // Whoever comes second finds its place taken, and reads the stream's end.
        drop(relays[round % 2].run_once().await);
        drop(relays[(round + 1) % 2].run_once().await);
    }
    catch_up(&relays[0]).await;
    catch_up(&relays[1]).await;
    assert_eq!(world.published(), world.due().await);
}

#[tokio::test]
async fn a_relay_that_is_dropped_in_a_run_loses_and_doubles_nothing() {
    let world = World::new().await;
    world.orders(0..50).await;
    let relay = world.relay();
    for polls in 1..40 {
        let mut run = relay.run_once();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..polls {
            if run.as_mut().poll(&mut context).is_ready() {
                break;
            }
        }
        drop(run);
    }
    catch_up(&relay).await;
    assert_eq!(world.published(), world.due().await);
}

#[tokio::test]
async fn another_lineage_is_refused_until_the_stream_is_deleted() {
    let world = World::new().await;
    world.orders(0..3).await;
    let relay = world.relay();
    catch_up(&relay).await;
    lineage::renew(world.log.as_ref(), OTHER_LINEAGE).await.unwrap();
    world.orders(3..4).await;
    assert!(matches!(relay.run_once().await, Err(FollowerError::Overtaken)));
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains(&LINEAGE.to_string()), "{:?}", relay.trouble());
    assert_eq!(world.published().len(), 6);
    world.broker.lose();
    catch_up(&relay).await;
    assert_eq!(relay.trouble(), None);
    assert_eq!(world.published(), world.due().await);
    assert!(world.broker.messages().iter().all(|message| value(message, header::LINEAGE) == Some(OTHER_LINEAGE.to_string().as_str())));
}

#[tokio::test]
async fn a_stream_that_is_ahead_of_the_log_is_refused() {
    let (restored, ahead) = (World::new().await, World::new().await);
    ahead.orders(0..3).await;
    catch_up(&ahead.relay()).await;
    restored.orders(0..1).await;
    let relay = Relay::new(
        Arc::<MemoryEventStore>::clone(&restored.log),
        Arc::<MemoryStream>::clone(&ahead.broker),
        Arc::<ManualClock>::clone(&ahead.clock),
    );
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("lineage renew"), "{:?}", relay.trouble());
    assert_eq!(ahead.published().len(), 6);
}

#[tokio::test]
async fn a_message_of_somebody_else_at_the_end_is_refused() {
    let world = World::new().await;
    world.orders(0..1).await;
    let message = Outgoing { subject: "paystream.v1.x".to_owned(), headers: Vec::new(), body: "{}".to_owned(), position: Position::START };
    world.broker.push(message);
    let relay = world.relay();
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("not published by a relay"));
}

#[tokio::test]
async fn a_full_broker_a_refusal_and_a_time_out_are_told_apart() {
    let world = World::new().await;
    world.orders(0..10).await;
    let relay = world.relay();
    world.broker.set_room(Some(4));
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("the broker is full"), "{:?}", relay.trouble());
    assert_eq!(world.published(), world.due().await[..4]);
    world.broker.set_room(None);
    world.broker.befall([Fault::Refused]);
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("the broker refused"), "{:?}", relay.trouble());
    world.broker.befall([Fault::Lost]);
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("no answer in time"), "{:?}", relay.trouble());
    catch_up(&relay).await;
    assert_eq!((relay.trouble(), world.published()), (None, world.due().await));
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_left_to_its_relay() {
    let world = World::new().await;
    world.orders(0..1).await;
    world.append("order-0", &[("OrderWeighed", "{}")]).await;
    world.orders(1..2).await;
    let relay = world.relay();
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("OrderWeighed"), "{:?}", relay.trouble());
    assert_eq!(world.published(), world.due().await[..2]);
}

#[tokio::test]
async fn a_log_without_a_lineage_is_not_published() {
    let log = Arc::new(MemoryEventStore::new(Arc::new(|| DateTime::UNIX_EPOCH)));
    let relay = Relay::new(log, Arc::<MemoryStream>::default(), Arc::new(ManualClock::new(DateTime::UNIX_EPOCH)));
    relay.run_once().await.unwrap_err();
    assert!(relay.trouble().unwrap().contains("no lineage"));
}

#[tokio::test]
async fn its_lag_is_what_lies_behind_the_last_message() {
    let world = World::new().await;
    world.orders(0..2).await;
    let relay = world.relay();
    assert_eq!(relay.lag().await.unwrap().events, 7);
    catch_up(&relay).await;
    assert_eq!(relay.lag().await.unwrap(), Lag::default());
}
