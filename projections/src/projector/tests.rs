use domain::course_selection::Charge;
use domain::pay_record::PayRecordEvent;
use followers::{Feed, LogFeed};

use super::*;
use crate::testing::*;
use crate::{CourseSelections, MemoryViewStore, OrderRow, Orders, SelectionRow};

fn page(events: Vec<RecordedEvent>) -> Page {
    let reached = events.last().map_or(Position::START, |event| event.position);
    Page { events, reached, caught_up: true, unknown: 0 }
}

fn orders() -> (MemoryViewStore<OrderRow>, Projection<Orders, MemoryViewStore<OrderRow>>) {
    let store = MemoryViewStore::default();
    (store.clone(), Projection::new(store))
}

fn order_events(count: usize) -> Vec<RecordedEvent> {
    let order = order_id(1);
    let events = [order_event(created(order, "course", "77")), order_event(issued(order, 1)), order_event(prepared(order, 1))];
    stream(&format!("order-{order}"), events.into_iter().take(count))
}

#[tokio::test]
async fn events_before_one_that_cannot_be_read_are_kept_and_it_stands_before_it() {
    let (store, projection) = orders();
    let mut events = order_events(3);
    events[2].data = "{".to_owned();
    let applied = projection.apply(Checkpoint::FIRST, &page(events.clone())).await.unwrap();
    assert_eq!((applied.events, applied.checkpoint.position), (2, events[1].position));
    assert_eq!(store.get(&order_id(1).to_string()).unwrap().revision, 1);

    let stands = projection.apply(applied.checkpoint, &page(events[2..].to_vec())).await;
    assert!(matches!(stands, Err(EffectError::Undecodable { ref event_type, .. }) if event_type == "PayRecordPrepared"), "{stands:?}");
    assert_eq!(projection.checkpoint().await.unwrap(), applied.checkpoint);
}

#[tokio::test]
async fn a_shape_of_the_future_stops_the_view_too() {
    let (_, projection) = orders();
    let mut events = order_events(1);
    events[0].schema_version = 99;
    let stands = projection.apply(Checkpoint::FIRST, &page(events)).await;
    assert!(matches!(stands, Err(EffectError::Undecodable { .. })), "{stands:?}");
}

#[tokio::test]
async fn a_payment_for_an_unknown_selection_is_tried_again_until_the_selection_is_known() {
    let store = MemoryViewStore::<SelectionRow>::default();
    let projection = Projection::<CourseSelections, _>::new(store.clone());
    let selection = selection_id(1).to_string();
    let payment = PayRecordEvent::from(confirmed(order_id(1), 1, "course", &selection));
    let payment = page(stream("order-1", [order_event(payment)]));
    for _ in 0..2 {
        let refused = projection.apply(Checkpoint::FIRST, &payment).await;
        assert!(matches!(refused, Err(EffectError::Refused { ref event_type, .. }) if event_type == "PaymentConfirmed"), "{refused:?}");
        assert_eq!((store.rows(), projection.checkpoint().await.unwrap()), (Vec::new(), Checkpoint::FIRST));
    }

    let selected = page(stream("course_selection-1", [selection_event(selected(1, Charge::Paid))]));
    let checkpoint = projection.apply(Checkpoint::FIRST, &selected).await.unwrap().checkpoint;
    projection.apply(checkpoint, &payment).await.unwrap();
    assert!(store.get(&selection).unwrap().opened.is_some());
}

#[tokio::test]
async fn a_worker_with_an_old_checkpoint_changes_nothing() {
    let (store, projection) = orders();
    projection.apply(Checkpoint::FIRST, &page(order_events(1))).await.unwrap();
    let before = store.rows();
    let late = projection.apply(Checkpoint::FIRST, &page(order_events(3))).await;
    assert!(matches!(late, Err(EffectError::Overtaken)), "{late:?}");
    assert_eq!(store.rows(), before);
}

#[tokio::test]
async fn events_of_other_streams_move_the_checkpoint_only() {
    let (store, projection) = orders();
    let recorded = stream("stock-1", [order_event(key_recorded())]);
    let applied = projection.apply(Checkpoint::FIRST, &page(recorded)).await.unwrap();
    assert_eq!((applied.events, applied.checkpoint.position.as_i64(), store.rows()), (1, 1, Vec::new()));
}

#[tokio::test]
async fn the_feed_of_a_view_passes_over_what_nobody_knows() {
    let story = Story::new();
    story.append("order-1", [("OrderTeleported".to_owned(), 1, "{}".to_owned())]).await;
    let feed = LogFeed::new(story.reader(), Orders::wanted());
    let page = feed.page(Position::START, 10).await.unwrap();
    assert_eq!((page.events.len(), page.unknown, page.reached.as_i64()), (0, 1, 1));
}
