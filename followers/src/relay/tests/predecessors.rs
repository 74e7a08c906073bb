//! What the log says of the message before, compared with a reading of the whole log.

use std::collections::BTreeMap;

use super::super::predecessors::{Ahead, Predecessors};
use super::*;
use event_store::ReadError;

/// A log in which some subjects are seen all the time, some once in a while, and one never after its beginning.
async fn long_log(world: World) -> World {
    world.append("order-0", &[("OrderCreated", r#"{"order_type":"material"}"#), ("OrderPaid", "{}")]).await;
    world.append("stock-tea", &[("StockAdjusted", "{}")]).await;
    for number in 1..700 {
        let order_type = if number % 97 == 0 { "goods" } else { "course" };
        let created = format!(r#"{{"order_type":"{order_type}"}}"#);
        world.append(&format!("order-{number}"), &[("OrderCreated", &created), ("IdempotencyKeyRecorded", "{}")]).await;
        if number > 20 {
            world.append(&format!("order-{}", number - 20), &[("OrderPaid", "{}")]).await;
        }
        if number % 50 == 0 {
            world.append("stock-tea", &[("StockReceived", "{}")]).await;
        }
    }
    world
}

/// For each position of a published event, its subject, its type and the position before it.
async fn told_by_the_whole_log(world: &World, subjects: &Subjects) -> BTreeMap<Position, (String, String, Option<Position>)> {
    let (mut last, mut told) = (BTreeMap::<String, Position>::new(), BTreeMap::new());
    for event in world.log.read_all(Position::START, 100_000).await.unwrap() {
        if let Some(subject) = subjects.of(&event).await.unwrap() {
            let previous = last.insert(subject.clone(), event.position);
            told.insert(event.position, (subject, event.event_type, previous));
        }
    }
    told
}

#[tokio::test]
async fn from_wherever_it_goes_on_the_message_before_is_the_logs() {
    goes_on_anywhere(long_log(World::new().await).await).await;
    goes_on_anywhere(long_log(World::with_gaps().await).await).await;
}

async fn goes_on_anywhere(world: World) {
    let subjects = Subjects::new(Arc::<MemoryEventStore>::clone(&world.log));
    let told = told_by_the_whole_log(&world, &subjects).await;
    let head = world.log.head().await.unwrap().as_i64();
    let mut known = Predecessors::default();
    // Forwards a little, back to the beginning, far ahead, and back a little.
    for (turn, at) in [(1, head / 2), (2, head / 2 + 40), (3, 0), (4, head - 30), (5, head - 31), (6, head - 200)] {
        let place = told.range(..=Position::new(at).unwrap()).next_back().map_or(Position::START, |(position, _)| *position);
        known.go_to(place, LINEAGE, world.log.as_ref(), &subjects).await.unwrap();
        let mut reached = place;
        // What is on its way when the broker is lost is forgotten; what has arrived is not.
        for arrives in [false, true, false] {
            let mut ahead = Ahead::new(&mut known, world.log.as_ref(), &subjects);
            let mut end = reached;
            let following = (std::ops::Bound::Excluded(reached), std::ops::Bound::Unbounded);
            for (position, (subject, event_type, previous)) in told.range(following).take(60) {
                let answer = ahead.follow(subject, event_type, *position).await.unwrap();
                assert_eq!(answer, *previous, "turn {turn}, position {position}, {subject}");
                end = *position;
            }
            if arrives {
                ahead.arrived(end);
                reached = end;
            }
        }
    }
}

#[tokio::test]
async fn a_subject_of_long_ago_and_one_never_seen_are_found_in_a_log_that_was_not_followed() {
    let world = long_log(World::new().await).await;
    let end = world.log.head().await.unwrap();
    let paid = |stream: &str| subject_of("order", "OrderPaid", "material", &StreamId::parse(stream).unwrap());
    let (seen, unseen) = ("order-0", "order-7");
    assert_ne!(paid(seen), paid(unseen));
    let subjects = Subjects::new(Arc::<MemoryEventStore>::clone(&world.log));
    let mut known = Predecessors::default();
    known.go_to(end, LINEAGE, world.log.as_ref(), &subjects).await.unwrap();
    let mut ahead = Ahead::new(&mut known, world.log.as_ref(), &subjects);
    assert_eq!(ahead.follow(&paid(seen), "OrderPaid", end).await.unwrap(), Position::new(3));
    assert_eq!(ahead.follow(&paid(unseen), "OrderPaid", end).await.unwrap(), None);
}

/// A log that nobody can read.
struct Unreadable;

#[async_trait::async_trait]
impl LogReader for Unreadable {
    async fn read_stream(&self, _: &StreamId, _: u64, _: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        Err(ReadError::Unavailable("nobody reads it".into()))
    }

    async fn read_all(&self, _: Position, _: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        Err(ReadError::Unavailable("nobody reads it".into()))
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Err(ReadError::Unavailable("nobody reads it".into()))
    }

    fn appended(&self) -> tokio::sync::watch::Receiver<Position> {
        tokio::sync::watch::channel(Position::START).1
    }
}

#[tokio::test]
async fn nothing_is_forgotten_where_only_what_stays_inside_lies_behind_the_last_message() {
    let world = World::new().await;
    world.append("order-1", &[("OrderCreated", r#"{"order_type":"course"}"#), ("IdempotencyKeyRecorded", "{}")]).await;
    let subjects = Subjects::new(Arc::<MemoryEventStore>::clone(&world.log));
    let subject = subject_of("order", "OrderCreated", "course", &StreamId::parse("order-1").unwrap());
    let (message, end) = (Position::new(2).unwrap(), world.log.head().await.unwrap());
    let mut known = Predecessors::default();
    known.go_to(Position::new(1).unwrap(), LINEAGE, world.log.as_ref(), &subjects).await.unwrap();
    let mut ahead = Ahead::new(&mut known, world.log.as_ref(), &subjects);
    assert_eq!(ahead.follow(&subject, "OrderCreated", message).await.unwrap(), None);
    ahead.arrived(end);
    // Its next session begins behind the stream's last message.
    known.go_to(message, LINEAGE, &Unreadable, &subjects).await.unwrap();
    let mut ahead = Ahead::new(&mut known, &Unreadable, &subjects);
    assert_eq!(ahead.follow(&subject, "OrderCreated", Position::new(9).unwrap()).await.unwrap(), Some(message));
    // A stream that has lost that message, too, is another matter.
    known.go_to(Position::new(1).unwrap(), LINEAGE, &Unreadable, &subjects).await.unwrap();
    let mut ahead = Ahead::new(&mut known, world.log.as_ref(), &subjects);
    assert_eq!(ahead.follow(&subject, "OrderCreated", message).await.unwrap(), None);
}

#[tokio::test]
async fn another_lineage_is_another_log() {
    let (world, other) = (World::new().await, World::new().await);
    world.append("stock-tea", &[("StockReceived", "{}"); 3]).await;
    other.append("stock-milk", &[("StockReceived", "{}"); 3]).await;
    other.append("stock-tea", &[("StockReceived", "{}")]).await;
    let mut known = Predecessors::default();
    let mut previous = Vec::new();
    for (world, lineage) in [(&world, LINEAGE), (&other, OTHER_LINEAGE)] {
        let subjects = Subjects::new(Arc::<MemoryEventStore>::clone(&world.log));
        known.go_to(Position::new(4).unwrap(), lineage, world.log.as_ref(), &subjects).await.unwrap();
        let mut ahead = Ahead::new(&mut known, world.log.as_ref(), &subjects);
        let subject = subject_of("stock", "StockReceived", "none", &StreamId::parse("stock-tea").unwrap());
        previous.push(ahead.follow(&subject, "StockReceived", Position::new(5).unwrap()).await.unwrap());
    }
    assert_ne!(part_of(&StreamId::parse("stock-tea").unwrap()), part_of(&StreamId::parse("stock-milk").unwrap()));
    assert_eq!(previous, [Position::new(4), None]);
}
