use database::Area;
use database::testing::TestDatabase;
use domain::OrderId;

use super::*;

fn item(attempt: u8, issued_at_s: i64) -> TodoItem {
    let order_id = OrderId::parse("7231982345678901234").unwrap();
    TodoItem {
        pay_no: PayNo::new(order_id, attempt).unwrap(),
        issued_event_id: Uuid::from_u128(u128::from(attempt)),
        issued_at: DateTime::from_timestamp(issued_at_s, 0).unwrap(),
    }
}

fn at(position: i64) -> Position {
    Position::new(position).unwrap()
}

/// What every adapter of the list keeps to.
async fn suite(todo: &dyn AttemptTodo) {
    let until = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let first = todo.checkpoint().await.unwrap();
    assert_eq!(first, Checkpoint::FIRST);

    let (one, two, three) = (item(1, 30), item(2, 10), item(3, 20));
    let added = [&one, &two, &three].map(|item| TodoChange::Add(item.clone()));
    todo.advance(first, at(3), &added).await.unwrap();
    assert_eq!(todo.due(until(25), 10).await.unwrap(), [two.clone(), three.clone()], "oldest first, and none that is too young");
    assert_eq!(todo.due(until(99), 1).await.unwrap(), std::slice::from_ref(&two));

    // Another process that read before has lost, and changed nothing.
    let lost = todo.advance(first, at(4), &[TodoChange::Remove(one.pay_no)]).await;
    assert!(matches!(lost, Err(TodoError::Overtaken)));
    assert_eq!(todo.due(until(99), 10).await.unwrap().len(), 3);

    let second = todo.checkpoint().await.unwrap();
    assert_eq!(second.position, at(3));
    let gone = item(4, 5);
    let changes = [TodoChange::Remove(two.pay_no), TodoChange::Add(gone.clone()), TodoChange::Remove(gone.pay_no)];
    todo.advance(second, at(6), &changes).await.unwrap();
    assert_eq!(todo.due(until(99), 10).await.unwrap(), [three, one]);
}

#[tokio::test]
async fn the_list_in_memory_keeps_to_the_suite() {
    suite(&MemoryAttemptTodo::default()).await;
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
        sqlite: include_str!("../../../../migrations/views/sqlite/0001_views.sql"),
        postgres: include_str!("../../../../migrations/views/postgres/0001_views.sql"),
    };
    database.migrate(&[checkpoints, UNFINISHED_ATTEMPT_MIGRATION]).await.unwrap();
    suite(&SqlAttemptTodo::new(database)).await;
}
