use super::*;
use crate::testing::*;

fn record_after(events: impl IntoIterator<Item = PayRecordEvent>) -> PayRecordRow {
    let order = order_id(1);
    let first: [OrderStreamEvent; 2] = [created(order, "course", "77").into(), issued(order, 1).into()];
    let events = first.into_iter().chain(events.into_iter().map(Into::into)).map(order_event);
    let row = fold::<PayRecords>(None, &stream(&format!("order-{order}"), events)).unwrap();
    row.records[&pay_no(order, 1).to_string()].clone()
}

fn confirmation() -> PayRecordEvent {
    confirmed(order_id(1), 1, "course", "77").into()
}

#[test]
fn a_new_attempt_is_being_prepared() {
    let row = record_after([]);
    assert_eq!((row.pay_no, row.order_id), (pay_no(order_id(1), 1).to_string(), order_id(1).to_string()));
    assert_eq!((row.buyer_id.as_str(), row.service, row.status.as_str()), ("alice", None, "preparing"));
    assert_eq!((row.channel.as_str(), row.amount, row.currency.as_str()), ("alipay_qr", 9900, "CNY"));
    assert_eq!((row.subject.as_str(), row.expires_at, row.issued_at), ("Rust from zero", Time(at(1800)), Time(at(20))));
    assert_eq!((row.code_url, row.trade_no, row.failure_code), (None, None, None));
    assert_eq!((row.revision, row.position, row.updated_at), (1, 2, Time(at(1002))));
}

#[test]
fn where_no_channel_is_asked_the_order_names_subject_and_expiry() {
    let PayRecordEvent::PayRecordIssued(mut event) = issued(order_id(1), 1) else { unreachable!() };
    event.request = None;
    event.channel = domain::Channel::None;
    let events = [order_event(created(order_id(1), "course", "77")), order_event(PayRecordEvent::from(event))];
    let row = fold::<PayRecords>(None, &stream("order-1", events)).unwrap();
    let record = row.records.values().next().unwrap();
    assert_eq!((record.channel.as_str(), record.subject.as_str(), record.expires_at), ("none", "Rust 从零开始", Time(at(1810))));
}

#[test]
fn a_code_can_be_scanned() {
    let row = record_after([prepared(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.code_url.as_deref()), ("pending", Some("https://qr.example/1")));
    assert_eq!(row.code_expires_at, Some(Time(at(7200))));
}

#[test]
fn a_page_that_was_opened_can_be_paid() {
    assert_eq!(record_after([record_opened(order_id(1), 1)]).status, "pending");
}

#[test]
fn a_refusal_shows_the_channels_word() {
    let row = record_after([failed(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.failure_code.as_deref()), ("failed", Some("ACQ.SYSTEM_ERROR")));
}

#[test]
fn an_end_shows_its_cause_and_its_proof() {
    let row = record_after([record_closing(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.closing_cause.as_deref(), row.closed_proof), ("closing", Some("order_cancelled"), None));
    let row = record_after([record_closing(order_id(1), 1), record_closed(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.closed_proof.as_deref()), ("closed", Some("channel_closed")));
}

#[test]
fn a_payment_shows_the_channels_number_and_time() {
    let row = record_after([prepared(order_id(1), 1), confirmation()]);
    assert_eq!((row.status.as_str(), row.trade_no), ("confirmed", Some(confirmed(order_id(1), 1, "course", "77").trade_no)));
    assert_eq!((row.paid_at, row.received_at), (Some(Time(at(100))), Some(Time(at(101)))));
    assert_eq!((row.paid_at_offset.as_deref(), row.revision), (Some("+08:00"), 3));
}

#[test]
fn a_confirmed_record_stays_so_whatever_else_the_channel_took() {
    let row = record_after([confirmation(), surplus(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.trade_no), ("confirmed", Some(confirmed(order_id(1), 1, "course", "77").trade_no)));
}

#[test]
fn money_that_nobody_owed_is_surplus() {
    let row = record_after([record_closed(order_id(1), 1), surplus(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.trade_no), ("surplus", Some(format!("surplus-{}-1", order_id(1)))));
    assert_eq!((row.paid_at, row.paid_at_offset.as_deref()), (Some(Time(at(150))), Some("+08:00")));
}

#[test]
fn late_money_is_surplus_until_the_order_is_revived() {
    let row = record_after([late(order_id(1), 1)]);
    assert_eq!((row.status.as_str(), row.trade_no), ("surplus", Some(format!("late-{}-1", order_id(1)))));
    let row = record_after([late(order_id(1), 1), surplus(order_id(1), 1)]);
    assert_eq!(row.trade_no, Some(format!("late-{}-1", order_id(1))), "the first that came is shown");
    let row = record_after([late(order_id(1), 1), confirmation()]);
    assert_eq!((row.status.as_str(), row.trade_no), ("confirmed", Some(confirmed(order_id(1), 1, "course", "77").trade_no)));
}

#[test]
fn attempts_of_one_order_do_not_touch_each_other() {
    let order = order_id(1);
    let events: [OrderStreamEvent; 5] = [
        created(order, "course", "77").into(),
        issued(order, 1).into(),
        failed(order, 1).into(),
        issued(order, 2).into(),
        prepared(order, 2).into(),
    ];
    let row = fold::<PayRecords>(None, &stream("order-1", events.map(order_event))).unwrap();
    let states: Vec<_> = row.records.values().map(|record| (record.status.as_str(), record.revision)).collect();
    assert_eq!(states, [("failed", 2), ("pending", 4)]);
}

#[test]
fn what_was_seen_before_changes_nothing() {
    let order = order_id(1);
    let events = [created(order, "course", "77").into(), issued(order, 1).into(), prepared(order, 1).into(), confirmation().into()];
    let events = stream("order-1", events.map(|event: OrderStreamEvent| order_event(event)));
    let row = fold::<PayRecords>(None, &events);
    assert_eq!(fold::<PayRecords>(row.clone(), &events), row);
    assert_eq!(fold::<PayRecords>(row.clone(), &events[1..3]), row);
}

#[test]
fn what_happens_to_an_unknown_order_or_attempt_is_not_passed_over() {
    let unknown_order = Err(Unready { what: "order", key: order_id(1).to_string() });
    assert_eq!(PayRecords::ready(None, &issued(order_id(1), 1).into()), unknown_order);
    let row = fold::<PayRecords>(None, &stream("order-1", [order_event(created(order_id(1), "course", "77"))]));
    let unknown_attempt = Err(Unready { what: "pay record", key: pay_no(order_id(1), 1).to_string() });
    assert_eq!(PayRecords::ready(row.as_ref(), &prepared(order_id(1), 1).into()), unknown_attempt);
    assert_eq!(PayRecords::ready(row.as_ref(), &issued(order_id(1), 1).into()), Ok(()));
}

#[test]
fn every_cause_and_proof_has_the_word_of_its_event() {
    use ClosingCause::{ChannelSwitched, CodeExpired, OrderCancelled, OrderExpired, OrderPaid};
    for cause in [OrderCancelled, OrderExpired, ChannelSwitched, CodeExpired, OrderPaid] {
        assert_eq!(serde_json::to_value(cause).unwrap(), closing_cause_word(cause));
    }
    for proof in [ClosedProof::ChannelClosed, ClosedProof::NeverShown, ClosedProof::AbsentAfterGrace, ClosedProof::Unproven] {
        assert_eq!(serde_json::to_value(proof).unwrap(), closed_proof_word(proof));
    }
}

#[test]
fn the_orders_revision_counts_every_event_of_its_stream() {
    let order = order_id(1);
    let events: [OrderStreamEvent; 6] = [
        created(order, "course", "77").into(),
        issued(order, 1).into(),
        key_recorded().into(),
        confirmation().into(),
        paid(order, 1).into(),
        key_recorded().into(),
    ];
    let events = stream("order-1", events.map(order_event));
    for (length, last) in (1..=events.len()).zip(0..) {
        assert!(PayRecords::wanted().contains(&events[length - 1].event_type.as_str()));
        let row = fold::<PayRecords>(None, &events[..length]).unwrap();
        assert_eq!((row.order.revision, row.order.position), (last, last + 1));
        let again = fold::<PayRecords>(Some(row.clone()), &events[..length]);
        assert_eq!(again, Some(row));
    }
}
