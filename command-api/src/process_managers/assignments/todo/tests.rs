use chrono::DateTime;
use database::testing::TestDatabase;
use database::{Area, Migration};

use super::*;
use crate::process_managers::TODO_MIGRATIONS;

fn stream(number: u8) -> StreamId {
    StreamId::parse(&format!("unknown_capture-alipay-T{number}")).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

fn position(position: i64) -> Position {
    Position::new(position).unwrap()
}

fn touched(number: u8, at_position: i64, look_at: i64) -> TouchedAssignment {
    TouchedAssignment { stream_id: stream(number), position: position(at_position), touched_at: at(at_position), look_at: at(look_at) }
}

fn looked(number: u8, at_position: i64, next_at: Option<i64>) -> LookedAssignment {
    LookedAssignment { stream_id: stream(number), position: position(at_position), next_at: next_at.map(at) }
}

async fn due(todo: &dyn AssignmentTodo, now: i64) -> Vec<(StreamId, i64)> {
    let due = todo.due(at(now), 10).await.unwrap();
    due.into_iter()
        .map(|money| {
            assert_eq!(money.touched_at, at(money.position.as_i64()));
            (money.stream_id, money.position.as_i64())
        })
        .collect()
}

/// What every adapter of the list keeps to.
async fn suite(todo: &dyn AssignmentTodo) {
    let first = todo.checkpoint().await.unwrap();
    assert_eq!(first, Checkpoint::FIRST);
    todo.advance(first, position(3), &[touched(1, 1, 50), touched(2, 2, 20), touched(1, 3, 60)]).await.unwrap();
    assert_eq!(due(todo, 19).await, []);
    assert_eq!(due(todo, 50).await, [(stream(2), 2), (stream(1), 3)], "what waits longest first; the earliest look counts");
    assert_eq!(todo.due(at(99), 1).await.unwrap().len(), 1);

    // Another process that read before has lost, and changed nothing.
    assert!(matches!(todo.advance(first, position(4), &[touched(3, 4, 0)]).await, Err(TodoError::Overtaken)));
    assert_eq!(due(todo, 99).await.len(), 2);

    // Looked at: later again, or gone; an event brings it forward, and back.
    todo.looked(&[looked(1, 3, Some(80)), looked(2, 2, None)]).await.unwrap();
    assert_eq!((due(todo, 79).await, due(todo, 80).await), (vec![], vec![(stream(1), 3)]));
    let second = todo.checkpoint().await.unwrap();
    assert_eq!(second.position, position(3));
    todo.advance(second, position(5), &[touched(1, 5, 70), touched(2, 4, 71)]).await.unwrap();
    assert_eq!(due(todo, 71).await, [(stream(1), 5), (stream(2), 4)]);

    // What happened while it was looked at is looked at too, and neither put off nor forgotten.
    todo.looked(&[looked(1, 3, Some(500)), looked(2, 2, None)]).await.unwrap();
    assert_eq!(due(todo, 71).await, [(stream(1), 5), (stream(2), 4)]);
    todo.looked(&[looked(1, 5, None), looked(2, 4, None), looked(9, 9, Some(1))]).await.unwrap();
    assert_eq!(due(todo, 999).await, []);
    todo.looked(&[]).await.unwrap();
}

#[tokio::test]
async fn the_list_in_memory_keeps_to_the_suite() {
    suite(&MemoryAssignmentTodo::default()).await;
}

#[tokio::test]
async fn the_list_in_sqlite_keeps_to_the_suite() {
    on(&TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn the_list_in_postgres_keeps_to_the_suite() {
    on(&TestDatabase::postgres().await).await;
}

async fn on(place: &TestDatabase) {
    let database = place.open(Area::Views).await.unwrap();
    let checkpoints = Migration {
        version: 1,
        name: "views",
        sqlite: include_str!("../../../../../migrations/views/sqlite/0001_views.sql"),
        postgres: include_str!("../../../../../migrations/views/postgres/0001_views.sql"),
    };
    database.migrate(&[&[checkpoints], &TODO_MIGRATIONS[..]].concat()).await.unwrap();
    suite(&SqlAssignmentTodo::new(database)).await;
}
