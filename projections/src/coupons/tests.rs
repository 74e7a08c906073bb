use domain::OrderId;

use super::*;
use crate::testing::*;

/// The order that the coupon was granted for.
fn first() -> OrderId {
    order_id(1)
}

/// A later order.
fn later() -> OrderId {
    order_id(2)
}

fn rows_of(events: impl IntoIterator<Item = CouponEvent>) -> Vec<RecordedEvent> {
    let events = [coupon_granted(first()).into()].into_iter().chain(events);
    stream(&format!("coupon-{}", coupon_id(first())), events.map(|event: CouponEvent| coupon_event(event)))
}

/// The coupon after it was granted and these.
fn row_after(events: impl IntoIterator<Item = CouponEvent>) -> CouponRow {
    fold::<Coupons>(None, &rows_of(events)).unwrap()
}

fn standing(events: impl IntoIterator<Item = CouponEvent>) -> (String, Option<String>) {
    let row = row_after(events);
    (row.status, row.used_by)
}

fn nobodys(status: &str) -> (String, Option<String>) {
    (status.to_owned(), None)
}

fn of_later(status: &str) -> (String, Option<String>) {
    (status.to_owned(), Some(later().to_string()))
}

#[test]
fn what_was_granted_can_be_used() {
    let row = row_after([]);
    assert_eq!((row.coupon_id, row.buyer_id.as_str(), row.order_id), (format!("C{}", first()), "alice", first().to_string()));
    assert_eq!((row.discount_amount, row.least_amount, row.currency.as_str()), (500, 2000, "CNY"));
    assert_eq!((row.status.as_str(), row.used_by), ("usable", None));
    assert_eq!((row.granted_at, row.expires_at), (Time(at(102)), Time(at(9000))));
    assert_eq!((row.revision, row.position), (0, 1));
}

#[test]
fn an_order_holds_it_until_it_is_paid_or_ends() {
    let held = || CouponEvent::from(coupon_reserved(first(), later()));
    assert_eq!(standing([held()]), of_later("reserved"));
    assert_eq!(standing([held(), coupon_used(first(), later()).into()]), of_later("used"));
    assert_eq!(standing([held(), coupon_released(first(), later()).into()]), nobodys("usable"));
    assert_eq!(standing([coupon_used(first(), later()).into()]), of_later("used"), "an order may have paid with it all the same");
}

#[test]
fn it_goes_back_with_the_money_that_it_was_granted_for() {
    assert_eq!(standing([coupon_withdrawn(first()).into()]), nobodys("withdrawn"));
}

#[test]
fn who_has_it_in_an_order_keeps_it_there() {
    let forfeit = || [CouponEvent::from(coupon_reserved(first(), later())), coupon_withdrawn(first()).into()];
    assert_eq!(standing(forfeit()), of_later("reserved"));
    assert_eq!(standing(forfeit().into_iter().chain([coupon_used(first(), later()).into()])), of_later("used"));
    let let_go = [coupon_released(first(), later()).into(), coupon_withdrawn(first()).into()];
    assert_eq!(standing(forfeit().into_iter().chain(let_go)), nobodys("withdrawn"));
}

#[test]
fn what_was_seen_before_changes_nothing() {
    let events = rows_of([coupon_reserved(first(), later()).into(), coupon_used(first(), later()).into()]);
    let row = fold::<Coupons>(None, &events);
    assert_eq!(fold::<Coupons>(row.clone(), &events), row);
    assert_eq!(fold::<Coupons>(row.clone(), &events[1..2]), row);
    assert_eq!(row.map(|row| (row.revision, row.position)), Some((2, 3)));
}

#[test]
fn nothing_happens_to_a_coupon_that_was_never_granted() {
    let events: [CouponEvent; 4] = [
        coupon_reserved(first(), later()).into(),
        coupon_released(first(), later()).into(),
        coupon_used(first(), later()).into(),
        coupon_withdrawn(first()).into(),
    ];
    for event in events {
        let unknown = Unready { what: "coupon", key: coupon_id(first()).to_string() };
        assert_eq!(Coupons::ready(None, &event), Err(unknown));
        let row = row_after([]);
        assert_eq!(Coupons::ready(Some(&row), &event), Ok(()));
    }
}

#[test]
fn every_event_of_the_stream_is_wanted_and_another_stream_is_none_of_it() {
    assert_eq!(Coupons::wanted().len(), CouponEvent::STORED.len());
    let recorded = stream("stock-1", [coupon_event(coupon_granted(first()))]);
    let event = Coupons::read(&recorded[0]).unwrap();
    assert_eq!(Coupons::key(&event, &recorded[0]), None);
}
