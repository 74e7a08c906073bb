//! What every store of a view promises, for each view.

use database::testing::TestDatabase;
use database::{Area, Database, values};
use domain::course_selection::Charge;
use domain::order::OrderStreamEvent;
use domain::pay_record::PayRecordEvent;
use event_store::RecordedEvent;

use super::*;
use crate::testing::*;
use crate::{Coupons, CourseSelections, MIGRATIONS, Orders, PayRecords, Points, Projector, Stocks, SurplusPayments};

async fn migrated(place: &TestDatabase) -> Database {
    let views = place.open(Area::Views).await.unwrap();
    views.migrate(MIGRATIONS).await.unwrap();
    views
}

fn position(number: i64) -> Position {
    Position::new(number).unwrap()
}

/// `events` are a row's whole story; `early` of them lie before the first commit.
async fn keeps_its_promises<P: Projector>(store: &dyn ViewStore<P::Row>, key: &str, events: &[RecordedEvent], early: usize)
where
    P::Row: PartialEq + std::fmt::Debug,
{
    let key = key.to_owned();
    let keys = [key.clone()];
    assert_eq!(store.checkpoint().await.unwrap(), Checkpoint::FIRST);
    assert_eq!(store.load(&keys).await.unwrap(), [], "an unknown key has no row");
    assert_eq!(store.load(&[]).await.unwrap(), []);

    let first = fold::<P>(None, &events[..early]).unwrap();
    let early_position = events[early - 1].position;
    let checkpoint = store.commit(vec![(key.clone(), first.clone())], Checkpoint::FIRST, early_position).await.unwrap();
    assert_eq!(checkpoint, Checkpoint { generation: 1, position: early_position });
    assert_eq!(store.checkpoint().await.unwrap(), checkpoint);
    assert_eq!(store.load(&keys).await.unwrap(), [(key.clone(), first.clone())], "a row comes back as it was written");

    let second = fold::<P>(Some(first.clone()), &events[early..]).unwrap();
    let last_position = events.last().unwrap().position;
    for wrong in [Checkpoint::FIRST, Checkpoint { generation: 2, ..checkpoint }, Checkpoint { position: last_position, ..checkpoint }] {
        let refused = store.commit(vec![(key.clone(), second.clone())], wrong, last_position).await;
        assert!(matches!(refused, Err(StoreError::Overtaken)), "from {wrong:?}: {refused:?}");
    }
    assert_eq!(store.checkpoint().await.unwrap(), checkpoint);
    assert_eq!(store.load(&keys).await.unwrap(), [(key.clone(), first)], "who was overtaken has written nothing");

    let moved = store.commit(vec![(key.clone(), second.clone())], checkpoint, last_position).await.unwrap();
    let empty = store.commit(Vec::new(), moved, position(1000)).await.unwrap();
    assert_eq!(empty, Checkpoint { generation: 1, position: position(1000) }, "a page without effect moves the checkpoint");
    assert_eq!(store.load(&[key.clone(), "0".to_owned()]).await.unwrap(), [(key, second)]);
}

fn order_story() -> Vec<RecordedEvent> {
    let order = order_id(1);
    let confirmed = PayRecordEvent::from(confirmed(order, 2, "course", "77"));
    let events = [
        order_event(created(order, "course", "77")),
        order_event(issued(order, 1)),
        order_event(prepared(order, 1)),
        order_event(record_closed(order, 1)),
        order_event(issued(order, 2)),
        order_event(confirmed),
        order_event(paid(order, 2)),
    ];
    stream(&format!("order-{order}"), events)
}

fn selection_story() -> Vec<RecordedEvent> {
    let payment = PayRecordEvent::from(confirmed(order_id(1), 1, "course", &selection_id(1).to_string()));
    let mut refund = refund_succeeded(order_id(1), 1, 9900, true);
    refund.out_business_id = selection_id(1).to_string();
    stream("course_selection-1", [selection_event(selected(1, Charge::Paid)), order_event(payment), order_event(refund)])
}

fn refund_story() -> Vec<RecordedEvent> {
    let order = order_id(1);
    let events: [OrderStreamEvent; 5] = [
        created(order, "course", "77").into(),
        issued(order, 1).into(),
        refund_wished(order, 1, 4000).into(),
        refund_needs_operator(order, 1).into(),
        refund_succeeded(order, 1, 4000, false).into(),
    ];
    stream(&format!("order-{order}"), events.map(order_event))
}

fn surplus_story() -> Vec<RecordedEvent> {
    let order = order_id(1);
    let events: [OrderStreamEvent; 4] = [
        surplus(order, 1).into(),
        refund_requested(order, 1).into(),
        refund_failed(order, 1).into(),
        surplus_resolved(order, &surplus_trade(order)).into(),
    ];
    stream(&format!("order-{order}"), events.map(order_event))
}

fn point_story() -> Vec<RecordedEvent> {
    let payment = PayRecordEvent::from(confirmed(order_id(1), 1, "course", "77"));
    stream("order-1", [order_event(payment), order_event(refund_succeeded(order_id(1), 1, 9900, true))])
}

fn stock_story() -> Vec<RecordedEvent> {
    let order = order_id(1);
    let events = [stock_event(stock_received(5)), stock_event(stock_reserved(order, 2)), stock_event(stock_sold(order, 2))];
    stream("stock-sku-1", events)
}

fn coupon_story() -> Vec<RecordedEvent> {
    let (first, later) = (order_id(1), order_id(2));
    let events =
        [coupon_event(coupon_granted(first)), coupon_event(coupon_reserved(first, later)), coupon_event(coupon_released(first, later))];
    stream(&format!("coupon-{}", coupon_id(first)), events)
}

/// The suite over every view; `store` makes a view's empty store.
macro_rules! suite {
    ($store:expr) => {{
        keeps_its_promises::<Orders>(&$store(|views| SqlViewStore::<Orders>::new(views)), &order_id(1).to_string(), &order_story(), 3)
            .await;
        let pay_records: Vec<_> = order_story().into_iter().filter(|event| event.event_type != "OrderPaid").collect();
        let store = $store(|views| SqlViewStore::<PayRecords>::new(views));
        keeps_its_promises::<PayRecords>(&store, &order_id(1).to_string(), &pay_records, 4).await;
        let store = $store(|views| SqlViewStore::<CourseSelections>::new(views));
        keeps_its_promises::<CourseSelections>(&store, &selection_id(1).to_string(), &selection_story(), 2).await;
        let store = $store(|views| SqlViewStore::<SurplusPayments>::new(views));
        keeps_its_promises::<SurplusPayments>(&store, &format!("order-{}", order_id(1)), &surplus_story(), 2).await;
        let store = $store(|views| SqlViewStore::<Points>::new(views));
        keeps_its_promises::<Points>(&store, &order_id(1).to_string(), &point_story(), 1).await;
        let store = $store(|views| SqlViewStore::<Stocks>::new(views));
        keeps_its_promises::<Stocks>(&store, "sku-1", &stock_story(), 2).await;
        let store = $store(|views| SqlViewStore::<Coupons>::new(views));
        keeps_its_promises::<Coupons>(&store, coupon_id(order_id(1)).as_str(), &coupon_story(), 2).await;
    }};
}

fn in_memory<R>(_: impl FnOnce(Database) -> SqlViewStore<R>) -> MemoryViewStore<R::Row>
where
    R: Projector,
{
    MemoryViewStore::default()
}

#[tokio::test]
async fn views_in_memory_keep_their_promises() {
    suite!(in_memory);
}

#[tokio::test]
async fn views_in_sqlite_keep_their_promises() {
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    suite!(|make| in_database(&views, make));
}

#[tokio::test]
async fn views_in_postgres_keep_their_promises() {
    let place = TestDatabase::postgres().await;
    let views = migrated(&place).await;
    suite!(|make| in_database(&views, make));
}

#[tokio::test]
async fn refunds_come_back_as_they_were_written() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        let store = SqlViewStore::<PayRecords>::new(views.clone());
        keeps_its_promises::<PayRecords>(&store, &order_id(1).to_string(), &refund_story(), 3).await;
    }
}

#[tokio::test]
async fn a_course_whose_money_went_back_leaves_the_course_table() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        let store = SqlViewStore::<CourseSelections>::new(views.clone());
        let (key, events) = (selection_id(1).to_string(), selection_story());
        let courses = async || views.fetch_one::<(i64,)>("select count(*) from course_table_view", values![]).await.unwrap().0;
        let open = fold::<CourseSelections>(None, &events[..2]).unwrap();
        let checkpoint = store.commit(vec![(key.clone(), open.clone())], Checkpoint::FIRST, position(2)).await.unwrap();
        assert_eq!(courses().await, 1);
        let ended = fold::<CourseSelections>(Some(open), &events[2..]).unwrap();
        store.commit(vec![(key, ended)], checkpoint, position(3)).await.unwrap();
        assert_eq!(courses().await, 0, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn points_that_were_taken_but_never_given_are_told_and_not_guessed() {
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    let store = SqlViewStore::<Points>::new(views.clone());
    let (key, row) = (order_id(1).to_string(), fold::<Points>(None, &point_story()).unwrap());
    store.commit(vec![(key.clone(), row)], Checkpoint::FIRST, position(2)).await.unwrap();
    views.execute("delete from point_entry_view where cause = 'payment'", values![]).await.unwrap();
    let damaged = store.load(&[key]).await;
    assert!(matches!(damaged, Err(StoreError::Damaged { table: "point_entry_view", .. })), "{damaged:?}");
}

fn in_database<S>(views: &Database, make: impl FnOnce(Database) -> S) -> S {
    make(views.clone())
}

#[tokio::test]
async fn of_two_workers_that_commit_at_once_one_wins() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        let row = fold::<Orders>(None, &order_story()).unwrap();
        let workers: Vec<_> = (0..6)
            .map(|_| {
                let store = SqlViewStore::<Orders>::new(views.clone());
                let rows = vec![(row.order_id.clone(), row.clone())];
                tokio::spawn(async move { store.commit(rows, Checkpoint::FIRST, position(7)).await })
            })
            .collect();
        let mut won = 0;
        for worker in workers {
            match worker.await.unwrap() {
                Ok(_) => won += 1,
                Err(StoreError::Overtaken) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(won, 1, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn a_pay_record_without_its_order_is_told_and_not_guessed() {
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    let store = SqlViewStore::<PayRecords>::new(views.clone());
    let pay_records: Vec<_> = order_story().into_iter().filter(|event| event.event_type != "OrderPaid").collect();
    let row = fold::<PayRecords>(None, &pay_records).unwrap();
    let key = row.order.order_id.clone();
    store.commit(vec![(key.clone(), row)], Checkpoint::FIRST, position(7)).await.unwrap();
    views.execute("delete from pay_record_order", values![]).await.unwrap();
    let damaged = store.load(&[key]).await;
    assert!(matches!(damaged, Err(StoreError::Damaged { table: "pay_record_order", .. })), "{damaged:?}");
}

#[tokio::test]
async fn tables_that_are_not_there_are_an_error() {
    let place = TestDatabase::sqlite();
    let store = SqlViewStore::<Orders>::new(place.open(Area::Views).await.unwrap());
    assert!(matches!(store.checkpoint().await, Err(StoreError::Database(_))));
}
