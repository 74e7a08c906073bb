use domain::order::{EndCause, OrderAbandoned};

use super::*;
use crate::testing::*;

fn order_after(events: impl IntoIterator<Item = OrderStreamEvent>) -> OrderRow {
    let first = order_event(created(order_id(1), "course", "77"));
    let events = stream(&format!("order-{}", order_id(1)), [first].into_iter().chain(events.into_iter().map(order_event)));
    fold::<Orders>(None, &events).unwrap()
}

fn confirmed_event() -> OrderStreamEvent {
    PayRecordEvent::from(confirmed(order_id(1), 1, "course", "77")).into()
}

#[test]
fn a_new_order_awaits_its_payment() {
    let row = order_after([]);
    assert_eq!((row.status.as_str(), row.payment_status.as_str(), row.shipping_status.as_str()), ("awaiting_payment", "unpaid", "none"));
    assert_eq!((row.order_id, row.buyer_id.as_str(), row.service), (order_id(1).to_string(), "alice", None));
    assert_eq!((row.order_type.as_str(), row.out_business_id.as_str(), row.source.as_str()), ("course", "77", "course_selection"));
    assert_eq!((row.client.as_str(), row.amount, row.currency.as_str()), ("web", 9900, "CNY"));
    assert_eq!((row.created_at, row.expires_at), (Time(at(10)), Time(at(1810))));
    assert_eq!((row.paid_at, row.ended_at, row.paid_pay_no, row.trade_no, row.end_reason), (None, None, None, None, None));
    assert_eq!((row.revision, row.position, row.updated_at), (0, 1, Time(at(1001))));
}

#[test]
fn the_lines_are_shown_without_what_is_our_own_affair() {
    let items: serde_json::Value = serde_json::from_str(&order_after([]).items_json).unwrap();
    let line = serde_json::json!({
        "goods_id": "course-rust", "sku_id": "sku-1", "name": "Rust \"from\" the start", "quantity": 1, "unit_price_amount": 9900
    });
    assert_eq!(items, serde_json::json!([line]));
}

#[test]
fn what_a_coupon_took_off_is_shown_beside_what_is_owed() {
    let row = order_after([]);
    assert_eq!((row.amount, row.discount_amount, row.coupon_id), (9900, 0, None));
    let row = fold::<Orders>(None, &stream("order-1", [order_event(discounted(order_id(1), "goods", "1"))])).unwrap();
    assert_eq!((row.amount, row.discount_amount, row.coupon_id), (9400, 500, Some(coupon_id(order_id(2)).to_string())));
}

#[test]
fn goods_are_still_to_be_shipped() {
    let goods = stream("order-1", [order_event(created(order_id(1), "goods", "1"))]);
    assert_eq!(fold::<Orders>(None, &goods).unwrap().shipping_status, "unshipped");
}

#[test]
fn a_mixed_order_is_unshipped_if_any_of_its_lines_are_goods() {
    let of = |kind| {
        let mut event = created(order_id(4), "mixed", "4");
        let line = event.draft.items[0].clone();
        event.draft.items = vec![OrderItem { kind: Some(ProductKind::Material), ..line.clone() }];
        event.draft.items.push(OrderItem { kind, ..line });
        let events = stream("order-4", [order_event(event)]);
        fold::<Orders>(None, &events).unwrap().shipping_status
    };
    assert_eq!(of(Some(ProductKind::Goods)), "unshipped");
    assert_eq!([of(Some(ProductKind::Tutoring)), of(None)], ["none", "none"]);
}

#[test]
fn another_business_systems_order_tells_whose_it_is() {
    let mut event = created(order_id(1), "exam_fee", "e-1");
    event.draft.service = Some("exams".to_owned());
    event.draft.source = OrderSource::Business;
    event.draft.description = Some("spring".to_owned());
    let row = fold::<Orders>(None, &stream("order-1", [order_event(event)])).unwrap();
    assert_eq!((row.service.as_deref(), row.source.as_str(), row.description.as_deref()), (Some("exams"), "business", Some("spring")));
}

#[test]
fn a_payment_shows_when_and_by_what_it_was_paid() {
    let row = order_after([issued(order_id(1), 1).into(), confirmed_event(), paid(order_id(1), 1).into()]);
    assert_eq!((row.status.as_str(), row.payment_status.as_str()), ("paid", "paid"));
    assert_eq!((row.paid_at, row.paid_pay_no), (Some(Time(at(100))), Some(pay_no(order_id(1), 1).to_string())));
    assert_eq!(row.trade_no, Some(confirmed(order_id(1), 1, "course", "77").trade_no));
    assert_eq!((row.revision, row.position), (3, 4));
}

#[test]
fn a_cancel_shows_its_reason_and_its_end() {
    let wish = closing(order_id(1), EndCause::Cancel, Some("too dear"));
    let row = order_after([wish.clone().into()]);
    assert_eq!((row.status.as_str(), row.end_reason.as_deref(), row.ended_at), ("closing", Some("too dear"), None));
    let row = order_after([wish.into(), cancelled(order_id(1), Some("too dear")).into()]);
    assert_eq!((row.status.as_str(), row.end_reason.as_deref()), ("cancelled", Some("too dear")));
    assert_eq!(row.ended_at, Some(Time(at(1003))));
}

#[test]
fn an_expired_order_that_is_revived_has_not_ended() {
    let row = order_after([expired(order_id(1)).into()]);
    assert_eq!((row.status.as_str(), row.ended_at), ("expired", Some(Time(at(1002)))));
    let row = order_after([expired(order_id(1)).into(), revived(order_id(1), 1).into()]);
    assert_eq!((row.status.as_str(), row.ended_at, row.payment_status.as_str()), ("awaiting_payment", None, "unpaid"));
    let row = order_after([expired(order_id(1)).into(), revived(order_id(1), 1).into(), confirmed_event(), paid(order_id(1), 1).into()]);
    assert_eq!((row.status.as_str(), row.ended_at), ("paid", None));
}

#[test]
fn every_event_of_the_stream_moves_the_revision() {
    let before = order_after([]);
    let after = order_after([key_recorded().into(), issued(order_id(1), 1).into(), prepared(order_id(1), 1).into()]);
    assert_eq!((after.revision, after.position, after.updated_at), (3, 4, Time(at(1004))));
    let same = OrderRow { revision: before.revision, position: before.position, updated_at: before.updated_at, ..after };
    assert_eq!(same, before);
}

#[test]
fn money_that_is_not_owed_leaves_the_order_paid() {
    let paid_order = [issued(order_id(1), 1).into(), confirmed_event(), paid(order_id(1), 1).into()];
    let surplus_events = [surplus(order_id(1), 1).into(), refund_requested(order_id(1), 1).into()];
    let row = order_after(paid_order.into_iter().chain(surplus_events));
    assert_eq!((row.status.as_str(), row.payment_status.as_str(), row.revision), ("paid", "paid", 5));
    assert_eq!(row.trade_no, Some(confirmed(order_id(1), 1, "course", "77").trade_no));
}

#[test]
fn what_was_seen_before_changes_nothing() {
    let events = [order_event(created(order_id(1), "course", "77")), order_event(confirmed_event()), order_event(paid(order_id(1), 1))];
    let events = stream("order-1", events);
    let row = fold::<Orders>(None, &events);
    assert_eq!(fold::<Orders>(row.clone(), &events), row);
    assert_eq!(fold::<Orders>(row.clone(), &events[1..2]), row);
}

#[test]
fn an_abandoned_number_is_no_order() {
    let abandoned = stream("order-1", [order_event(OrderAbandoned { order_id: order_id(1) })]);
    assert_eq!(fold::<Orders>(None, &abandoned), None);
}

#[test]
fn what_happens_to_an_unknown_order_is_not_passed_over() {
    let unknown = Err(Unready { what: "order", key: order_id(1).to_string() });
    let events: [OrderStreamEvent; 8] = [
        closing(order_id(1), EndCause::Cancel, None).into(),
        paid(order_id(1), 1).into(),
        expired(order_id(1)).into(),
        cancelled(order_id(1), None).into(),
        revived(order_id(1), 1).into(),
        refund_requested(order_id(1), 1).into(),
        issued(order_id(1), 1).into(),
        confirmed_event(),
    ];
    for event in events {
        assert_eq!(Orders::ready(None, &event), unknown, "{}", event.event_type());
    }
    assert_eq!(Orders::ready(None, &key_recorded().into()), Ok(()));
}

#[test]
fn a_key_of_another_stream_concerns_no_order() {
    let recorded = stream("stock-1", [order_event(key_recorded())]);
    assert_eq!(Orders::key(&key_recorded().into(), &recorded[0]), None);
}

#[test]
fn every_source_and_client_has_the_word_of_its_event() {
    for source in [OrderSource::CourseSelection, OrderSource::Product, OrderSource::Business] {
        assert_eq!(serde_json::to_value(source).unwrap(), source_word(source));
    }
    for client in [Client::Web, Client::App, Client::H5, Client::MiniProgram, Client::OfficialAccount] {
        assert_eq!(serde_json::to_value(client).unwrap(), client_word(client));
    }
}

fn paid_and(events: impl IntoIterator<Item = OrderStreamEvent>) -> OrderRow {
    let paid: [OrderStreamEvent; 3] = [issued(order_id(1), 1).into(), confirmed_event(), paid(order_id(1), 1).into()];
    order_after(paid.into_iter().chain(events))
}

#[test]
fn what_went_back_of_the_payment_is_told_in_part_and_whole() {
    let order = order_id(1);
    let requested = paid_and([refund_wished(order, 1, 4000).into(), refund_accepted(order, 1).into()]);
    assert_eq!((requested.payment_status.as_str(), requested.refunded_amount), ("paid", 0), "only what went back counts");
    let part: [OrderStreamEvent; 2] = [refund_wished(order, 1, 4000).into(), refund_succeeded(order, 1, 4000, false).into()];
    let row = paid_and(part.clone());
    assert_eq!((row.payment_status.as_str(), row.refunded_amount, row.status.as_str()), ("partially_refunded", 4000, "paid"));
    let rest: [OrderStreamEvent; 2] = [refund_wished(order, 2, 5900).into(), refund_succeeded(order, 2, 5900, true).into()];
    let row = paid_and(part.into_iter().chain(rest));
    assert_eq!((row.payment_status.as_str(), row.refunded_amount, row.status.as_str()), ("refunded", 9900, "paid"));
}

#[test]
fn what_was_not_owed_goes_back_without_a_word_about_the_order() {
    let order = order_id(1);
    let row = paid_and([surplus(order, 1).into(), refund_requested(order, 1).into(), surplus_refunded(order, 1, 9900).into()]);
    assert_eq!((row.payment_status.as_str(), row.refunded_amount), ("paid", 0));
    let mut other_record = refund_succeeded(order, 1, 9900, false);
    other_record.pay_no = pay_no(order, 2);
    assert_eq!(paid_and([other_record.into()]).refunded_amount, 0, "two channels may use the same number");
    let never_paid = order_after([refund_succeeded(order, 1, 9900, false).into()]);
    assert_eq!((never_paid.payment_status.as_str(), never_paid.refunded_amount), ("unpaid", 0));
}

#[test]
fn the_payment_status_is_the_domains() {
    let order = order_id(1);
    let all: [OrderStreamEvent; 9] = [
        created(order, "course", "77").into(),
        issued(order, 1).into(),
        confirmed_event(),
        paid(order, 1).into(),
        refund_wished(order, 1, 4000).into(),
        refund_succeeded(order, 1, 4000, false).into(),
        refund_wished(order, 2, 5900).into(),
        refund_failed(order, 2).into(),
        refund_succeeded(order, 2, 5900, true).into(),
    ];
    for count in 1..=all.len() {
        let events = &all[..count];
        let domains = <domain::order::Order as domain::Decider>::fold(domain::order::Order::default(), events);
        let row = fold::<Orders>(None, &stream("order-1", events.iter().cloned().map(order_event))).unwrap();
        assert_eq!(row.payment_status, domains.payment_status().as_str(), "after {count} events");
    }
}

#[test]
fn an_order_that_was_closing_and_then_paid_has_no_reason_to_end() {
    let order = order_id(1);
    let cancel = closing(order, EndCause::Cancel, Some("changed my mind"));
    let events: [OrderStreamEvent; 3] = [created(order, "course", "77").into(), cancel.into(), paid(order, 1).into()];
    let events = stream("order-1", events.map(order_event));
    let row = fold::<Orders>(None, &events[..2]).unwrap();
    assert_eq!((row.status.as_str(), row.end_reason.as_deref()), ("closing", Some("changed my mind")));
    let row = fold::<Orders>(Some(row), &events[2..]).unwrap();
    assert_eq!((row.status.as_str(), row.end_reason, row.ended_at), ("paid", None, None));
}

#[test]
fn a_callers_key_counts_in_the_revision() {
    let order = order_id(1);
    let events: [OrderStreamEvent; 2] = [created(order, "course", "77").into(), key_recorded().into()];
    let row = fold::<Orders>(None, &stream("order-1", events.map(order_event))).unwrap();
    assert!(Orders::wanted().contains(&"IdempotencyKeyRecorded"));
    assert_eq!((row.revision, row.position), (1, 2));
}
