use super::*;
use crate::testing::*;

fn row_after(events: impl IntoIterator<Item = StockEvent>) -> StockRow {
    fold::<Stocks>(None, &stream("stock-sku-1", events.into_iter().map(stock_event))).unwrap()
}

/// In the house, held and sold after those.
fn books(events: impl IntoIterator<Item = StockEvent>) -> (i64, i64, i64) {
    let row = row_after(events);
    (row.on_hand, row.reserved, row.sold)
}

#[test]
fn what_came_in_is_in_the_house() {
    let row = row_after([stock_received(5).into()]);
    let expected = StockRow { sku_id: "sku-1".to_owned(), on_hand: 5, reserved: 0, sold: 0, revision: 0, position: 1 };
    assert_eq!(row, expected);
}

#[test]
fn a_count_sets_the_books() {
    assert_eq!(books([stock_received(5).into(), stock_adjusted(-2).into()]), (3, 0, 0));
    assert_eq!(books([stock_adjusted(4).into()]), (4, 0, 0), "a count may be the first that is heard of it");
}

#[test]
fn what_is_held_is_sold_or_comes_back() {
    let held: [StockEvent; 2] = [stock_received(5).into(), stock_reserved(order_id(1), 2).into()];
    assert_eq!(books(held.clone()), (5, 2, 0));
    let back = held.clone().into_iter().chain([stock_released(order_id(1), 2, false).into()]);
    assert_eq!(books(back), (5, 0, 0));
    let sold: Vec<StockEvent> = held.into_iter().chain([stock_sold(order_id(1), 2).into()]).collect();
    assert_eq!(books(sold.clone()), (3, 0, 2));
    let returned = sold.into_iter().chain([stock_released(order_id(1), 2, true).into()]);
    assert_eq!(books(returned), (5, 0, 0));
}

#[test]
fn each_order_holds_its_own() {
    let events = [
        stock_received(5).into(),
        stock_reserved(order_id(1), 2).into(),
        stock_reserved(order_id(2), 3).into(),
        stock_sold(order_id(2), 3).into(),
    ];
    let row = row_after(events);
    assert_eq!((row.on_hand, row.reserved, row.sold), (2, 2, 3));
    assert_eq!((row.revision, row.position), (3, 4));
}

#[test]
fn what_was_seen_before_changes_nothing() {
    let events: [StockEvent; 3] = [stock_received(5).into(), stock_reserved(order_id(1), 2).into(), stock_sold(order_id(1), 2).into()];
    let events = stream("stock-sku-1", events.map(stock_event));
    let row = fold::<Stocks>(None, &events);
    assert_eq!(fold::<Stocks>(row.clone(), &events), row);
    assert_eq!(fold::<Stocks>(row.clone(), &events[1..]), row);
}

#[test]
fn every_event_of_the_stream_is_wanted_and_another_stream_is_none_of_it() {
    assert_eq!(Stocks::wanted().len(), StockEvent::STORED.len());
    let recorded = stream("coupon-C1", [stock_event(stock_received(5))]);
    let event = Stocks::read(&recorded[0]).unwrap();
    assert_eq!(Stocks::key(&event, &recorded[0]), None);
}
