use domain::OrderId;

use super::*;
use crate::testing::*;

fn order() -> OrderId {
    order_id(2)
}

fn payment() -> Stored {
    order_event(PayRecordEvent::from(confirmed(order(), 1, "course", "77")))
}

fn refund(number: u8, amount: i64, fully_refunded: bool) -> Stored {
    order_event(refund_succeeded(order(), number, amount, fully_refunded))
}

/// What the order gave after those of the events that concern it.
fn points_after(events: impl IntoIterator<Item = Stored>) -> Option<PointsOfOrder> {
    let events = stream(&format!("order-{}", order()), events);
    let concern = |recorded: &RecordedEvent| Points::key(&Points::read(recorded).unwrap(), recorded).is_some();
    fold::<Points>(None, &events.into_iter().filter(concern).collect::<Vec<_>>())
}

#[test]
fn an_order_that_is_paid_gives_ten_points() {
    let row = points_after([payment()]).unwrap();
    let given = &row.given;
    assert_eq!((given.entry_id.clone(), given.order_id.clone()), (format!("{}-payment", order()), order().to_string()));
    assert_eq!((given.buyer_id.as_str(), given.cause.as_str(), given.points), ("alice", "payment", 10));
    assert_eq!((given.entered_at, given.position, row.taken), (Time(at(100)), 1, None));
}

#[test]
fn an_order_that_owed_nothing_gives_them_too() {
    let mut event = confirmed(order(), 1, "course", "77");
    event.amount = domain::MinorUnits::new(0).unwrap();
    assert_eq!(points_after([order_event(PayRecordEvent::from(event))]).unwrap().given.points, 10);
}

#[test]
fn they_are_taken_back_when_all_that_was_paid_went_back() {
    assert_eq!(points_after([payment(), refund(1, 4000, false)]).unwrap().taken, None, "a part takes nothing");
    let row = points_after([payment(), refund(1, 4000, false), refund(2, 5900, true)]).unwrap();
    let taken = row.taken.unwrap();
    assert_eq!((taken.entry_id, taken.buyer_id.as_str()), (format!("{}-refund", order()), "alice"));
    assert_eq!((taken.cause.as_str(), taken.points, row.given.points), ("refund", -10, 10));
    assert_eq!((taken.entered_at, taken.position), (Time(at(200)), 3));
}

#[test]
fn what_is_told_again_changes_nothing() {
    let once = [payment(), refund(1, 9900, true)];
    let row = points_after(once.clone());
    assert_eq!(points_after(once.clone().into_iter().chain(once)), row);
    assert_eq!(points_after([payment(), payment()]), points_after([payment()]));
}

#[test]
fn what_was_not_owed_takes_no_points() {
    let row = points_after([payment(), order_event(surplus_refunded(order(), 1, 9900))]).unwrap();
    assert_eq!(row.taken, None);
}

#[test]
fn a_refund_never_overtakes_its_payment() {
    let recorded = stream("order-2", [refund(1, 9900, true)]);
    let event = Points::read(&recorded[0]).unwrap();
    assert_eq!(Points::ready(None, &event), Err(Unready { what: "the payment of order", key: order().to_string() }));
    let row = points_after([payment()]);
    assert_eq!(Points::ready(row.as_ref(), &event), Ok(()));
}

#[test]
fn mixed_orders_give_points_and_lose_them_as_any_other() {
    let mixed = || confirmed(order(), 1, "mixed", "77");
    assert_eq!(points_after([order_event(PayRecordEvent::from(mixed()))]).unwrap().given.points, 10);
    let order_type = mixed().order_type;
    let back = RefundSucceeded { order_type, ..refund_succeeded(order(), 1, 9900, true) };
    let row = points_after([order_event(PayRecordEvent::from(mixed())), order_event(back)]).unwrap();
    assert_eq!(row.taken.map(|taken| taken.points), Some(-10));
    for event_type in ["PaymentConfirmed", "RefundSucceeded"] {
        let subject = format!("paystream.v1.pay_record.{event_type}.mixed.p07");
        assert!(Points::subjects().iter().any(|filter| filter.admits(&subject)), "{event_type}");
    }
}
