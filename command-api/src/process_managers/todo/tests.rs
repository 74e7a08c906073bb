use database::Area;
use database::testing::TestDatabase;

use super::*;

fn number(last: u8) -> OrderId {
    OrderId::parse(&format!("72319823456789012{last:02}")).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

fn position(position: i64) -> Position {
    Position::new(position).unwrap()
}

fn touched(order: u8, at_position: i64, look_at: i64) -> Touched {
    Touched {
        order_id: number(order),
        position: position(at_position),
        touched_at: at(at_position),
        look_at: at(look_at),
        reserved: vec![],
    }
}

fn looked(order: u8, at_position: i64, next_at: Option<i64>, asked_at: Option<i64>) -> Looked {
    let asked = asked_at.map(|asked_at| (at(asked_at), position(at_position)));
    Looked { order_id: number(order), position: position(at_position), next_at: next_at.map(at), asked }
}

async fn due(todo: &dyn OrderTodo, now: i64) -> Vec<(OrderId, i64, Option<(DateTime<Utc>, Position)>)> {
    let due = todo.due(at(now), 10).await.unwrap();
    due.into_iter().map(|order| (order.order_id, order.position.as_i64(), order.asked)).collect()
}

/// What every adapter of the list keeps to.
async fn suite(todo: &dyn OrderTodo) {
    let first = todo.checkpoint().await.unwrap();
    assert_eq!(first, Checkpoint::FIRST);
    todo.advance(first, position(3), &[touched(1, 1, 50), touched(2, 2, 20), touched(1, 3, 60)]).await.unwrap();
    assert_eq!(due(todo, 19).await, []);
    assert_eq!(due(todo, 50).await, [(number(2), 2, None), (number(1), 3, None)], "who waits longest first; the earliest look counts");
    assert_eq!(todo.due(at(99), 1).await.unwrap().len(), 1);

    // Another process that read before has lost, and changed nothing.
    assert!(matches!(todo.advance(first, position(4), &[touched(3, 4, 0)]).await, Err(TodoError::Overtaken)));
    assert_eq!(due(todo, 99).await.len(), 2);

    // Looked at: later again, with what was asked; an event brings it forward and keeps that.
    todo.looked(&[looked(1, 3, Some(80), Some(51)), looked(2, 2, None, None)]).await.unwrap();
    assert_eq!(due(todo, 79).await, []);
    assert_eq!(due(todo, 80).await, [(number(1), 3, Some((at(51), position(3))))]);
    let second = todo.checkpoint().await.unwrap();
    assert_eq!(second.position, position(3));
    todo.advance(second, position(5), &[touched(1, 5, 70), touched(2, 4, 71)]).await.unwrap();
    assert_eq!(due(todo, 71).await, [(number(1), 5, Some((at(51), position(3)))), (number(2), 4, None)]);

    // What happened while it was looked at is looked at too, and neither put off nor forgotten.
    todo.looked(&[looked(1, 3, Some(500), Some(72)), looked(2, 2, None, None)]).await.unwrap();
    assert_eq!(due(todo, 71).await, [(number(1), 5, Some((at(72), position(3)))), (number(2), 4, None)]);
    todo.looked(&[looked(1, 5, None, None), looked(2, 4, None, None), looked(9, 9, Some(1), None)]).await.unwrap();
    assert_eq!(due(todo, 999).await, []);

    // What stock is held for an order is known until it is looked at, whatever else happens to it.
    let third = todo.checkpoint().await.unwrap();
    let held = |name: &str| Held::parse(name).unwrap();
    let skus = vec![held("stock-mug-black"), held("stock-mug-white")];
    let coupon = Touched { reserved: vec![held("coupon-C1"), held("stock-mug-white")], ..touched(4, 7, 2) };
    let stock = Touched { reserved: skus.clone(), ..touched(4, 6, 1) };
    todo.advance(third, position(7), &[stock, coupon]).await.unwrap();
    let reserved = todo.due(at(1), 10).await.unwrap().remove(0).reserved;
    let all = [skus, vec![held("coupon-C1")]].concat();
    assert_eq!(reserved, all);
    let fourth = todo.checkpoint().await.unwrap();
    let again = Touched { reserved: vec![held("coupon-C1")], ..touched(4, 8, 3) };
    todo.advance(fourth, position(8), &[again]).await.unwrap();
    assert_eq!(todo.due(at(1), 10).await.unwrap().remove(0).reserved, all);
}

#[tokio::test]
async fn the_list_in_memory_keeps_to_the_suite() {
    suite(&MemoryOrderTodo::default()).await;
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
    database.migrate(&[&[checkpoints], &TODO_MIGRATIONS[..]].concat()).await.unwrap();
    suite(&SqlOrderTodo::new(database)).await;
}
