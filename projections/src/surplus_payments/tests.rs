use domain::OrderId;
use domain::order::RefundCause;
use domain::pay_record::{PayRecordEvent, SurplusReason};

use super::row::reason_word;
use super::*;
use crate::testing::*;

fn order() -> OrderId {
    order_id(1)
}

fn rows_after(events: impl IntoIterator<Item = OrderStreamEvent>) -> SurplusOfStream {
    let events = stream(&format!("order-{}", order()), events.into_iter().map(order_event));
    fold::<SurplusPayments>(None, &events).unwrap_or_default()
}

fn only(rows: SurplusOfStream) -> SurplusRow {
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_values().next().unwrap()
}

/// The surplus payment with its refund 1 requested, at revision 1, and then `events`.
fn surplus_after(events: impl IntoIterator<Item = OrderStreamEvent>) -> SurplusRow {
    let begun: [OrderStreamEvent; 2] = [surplus(order(), 1).into(), refund_requested(order(), 1).into()];
    only(rows_after(begun.into_iter().chain(events)))
}

fn late_after(events: impl IntoIterator<Item = OrderStreamEvent>) -> SurplusRow {
    let came: [OrderStreamEvent; 1] = [late(order(), 1).into()];
    only(rows_after(came.into_iter().chain(events)))
}

fn late_trade() -> String {
    format!("late-{}-1", order())
}

fn payment_of(trade_no: &str) -> OrderStreamEvent {
    let mut event = confirmed(order(), 1, "course", "77");
    trade_no.clone_into(&mut event.trade_no);
    PayRecordEvent::from(event).into()
}

fn late_refund(number: u8) -> OrderStreamEvent {
    let mut event = refund_wished(order(), number, 9900);
    (event.trade_no, event.cause) = (late_trade(), RefundCause::Late);
    event.into()
}

#[test]
fn money_that_was_not_owed_is_on_its_way_back() {
    let row = surplus_after([]);
    let surplus_id = format!("{}-{}", pay_no(order(), 1), surplus_trade(order()));
    assert_eq!((row.surplus_id, row.stream_id), (surplus_id, format!("order-{}", order())));
    assert_eq!((row.kind.as_str(), row.channel.as_str(), row.trade_no), ("paid_twice", "alipay_qr", surplus_trade(order())));
    assert_eq!((row.order_id, row.pay_no.clone()), (Some(order().to_string()), Some(pay_no(order(), 1).to_string())));
    assert_eq!((Some(row.out_trade_no), row.amount, row.currency.as_str()), (row.pay_no, 9900, "CNY"));
    assert_eq!((row.paid_at, row.received_at), (Some(Time(at(150))), Time(at(151))));
    assert_eq!((row.state.as_str(), row.refund_no), ("refunding", Some(refund_no(order(), 1).to_string())));
    assert_eq!((row.refund_status.as_deref(), row.refunded_amount, row.resolved_reason), (Some("requested"), 0, None));
    assert_eq!((row.revision, row.position), (1, 2));
}

#[test]
fn its_state_follows_its_refund() {
    let one = || order();
    for (events, state, status) in [
        (vec![refund_accepted(one(), 1).into()], "refunding", "processing"),
        (vec![surplus_refunded(one(), 1, 9900).into()], "refunded", "succeeded"),
        (vec![refund_failed(one(), 1).into()], "needs_operator", "failed"),
        (vec![refund_needs_operator(one(), 1).into()], "needs_operator", "needs_operator"),
        (vec![refund_needs_operator(one(), 1).into(), refund_retried(one(), 1).into()], "refunding", "requested"),
        (vec![refund_needs_operator(one(), 1).into(), surplus_refunded(one(), 1, 9900).into()], "refunded", "succeeded"),
        (vec![refund_failed(one(), 1).into(), surplus_refunded(one(), 1, 9900).into()], "refunded", "succeeded"),
    ] {
        let events: Vec<OrderStreamEvent> = events;
        let row = surplus_after(events.clone());
        assert_eq!((row.state.as_str(), row.refund_status.as_deref()), (state, Some(status)), "{events:?}");
    }
}

#[test]
fn what_becomes_of_another_refund_is_no_news() {
    let before = surplus_after([]);
    let others: [OrderStreamEvent; 5] = [
        refund_wished(order(), 2, 100).into(),
        refund_needs_operator(order(), 2).into(),
        refund_retried(order(), 2).into(),
        refund_succeeded(order(), 2, 9900, true).into(),
        surplus_resolved(order(), &paid_trade(order())).into(),
    ];
    assert_eq!(surplus_after(others), before);
}

#[test]
fn without_a_refund_number_an_operator_is_needed() {
    let row = only(rows_after([surplus(order(), 1).into()]));
    assert_eq!((row.state.as_str(), row.refund_no), ("needs_operator", None));
    assert_eq!(late_after([]).state, "open");
    let row = late_after([refund_wished(order(), 98, 1).into()]);
    assert_eq!((row.state.as_str(), row.refund_status), ("open", None));
    let row = late_after([refund_wished(order(), 99, 1).into()]);
    assert_eq!((row.state.as_str(), row.refund_status.as_deref()), ("needs_operator", Some("exhausted")));
    let row = late_after([late_refund(99)]);
    assert_eq!(row.state, "refunding", "the last number is its own");
}

#[test]
fn an_operator_deals_with_what_no_machine_ends() {
    let row = surplus_after([refund_failed(order(), 1).into(), surplus_resolved(order(), &surplus_trade(order())).into()]);
    assert_eq!((row.state.as_str(), row.resolved_reason.as_deref()), ("resolved", Some("given back in cash")));
    let row = surplus_after([surplus_resolved(order(), &surplus_trade(order())).into()]);
    assert_eq!(row.state, "refunding", "its refund is under way all the same");
    let went_back = [surplus_resolved(order(), &surplus_trade(order())).into(), surplus_refunded(order(), 1, 9900).into()];
    assert_eq!(surplus_after(went_back).state, "refunded", "that money went back is a fact");
}

#[test]
fn parts_that_went_back_on_the_channels_side_add_up() {
    let observed = |number, amount| -> [OrderStreamEvent; 2] {
        [refund_observed(order(), number, &surplus_trade(order()), amount).into(), surplus_refunded(order(), number, amount).into()]
    };
    let failed: [OrderStreamEvent; 1] = [refund_failed(order(), 1).into()];
    let row = surplus_after(failed.clone().into_iter().chain(observed(2, 4000)));
    assert_eq!((row.state.as_str(), row.refunded_amount), ("needs_operator", 4000));
    assert_eq!(row.refund_no, Some(refund_no(order(), 2).to_string()));
    let row = surplus_after(failed.into_iter().chain(observed(2, 4000)).chain(observed(3, 5900)));
    assert_eq!((row.state.as_str(), row.refunded_amount), ("refunded", 9900));
    let waiting: [OrderStreamEvent; 1] = [refund_needs_operator(order(), 1).into()];
    let row = surplus_after(waiting.into_iter().chain(observed(2, 4000)));
    assert_eq!(row.refund_no, Some(refund_no(order(), 1).to_string()), "what an operator can retry is shown");
    assert_eq!(row.refund_status.as_deref(), Some("needs_operator"));
}

#[test]
fn late_money_revives_its_order_or_goes_back() {
    let row = late_after([]);
    assert_eq!((row.kind.as_str(), row.state.as_str(), row.received_at), ("late", "open", Time(at(1900))));
    let revival = [revived(order(), 1).into(), payment_of(&late_trade()), paid(order(), 1).into()];
    let events = [late(order(), 1).into()].into_iter().chain(revival).filter(is_wanted);
    assert_eq!(only(rows_after(events)).state, "revived");
    assert_eq!(late_after([late_refund(1)]).state, "refunding");
    assert_eq!(late_after([payment_of("another")]).state, "open");
}

fn is_wanted(event: &OrderStreamEvent) -> bool {
    SurplusPayments::wanted().contains(&event.event_type())
}

#[test]
fn what_went_back_of_the_payment_that_revived_its_order_is_the_orders_affair() {
    let row = late_after([payment_of(&late_trade())]);
    assert_eq!(late_after([payment_of(&late_trade()), late_refund(1), refund_failed(order(), 1).into()]), row);
}

#[test]
fn money_that_no_pay_record_asked_for_needs_an_operator() {
    let events = stream("unknown_capture-alipay-T1", [unknown_capture("T1")]);
    let row = only(fold::<SurplusPayments>(None, &events).unwrap());
    assert_eq!(
        (row.surplus_id.as_str(), row.kind.as_str(), row.state.as_str()),
        ("unknown_capture-alipay-T1", "unmatched", "needs_operator")
    );
    assert_eq!((row.order_id, row.pay_no, row.out_trade_no.as_str()), (None, None, "OLD-7"));
    assert_eq!((row.channel.as_str(), row.trade_no.as_str(), row.amount), ("alipay", "T1", 500));
    assert_eq!((row.paid_at, row.received_at), (None, Time(at(170))));
}

fn unmatched_after(events: impl IntoIterator<Item = Stored>) -> SurplusRow {
    let events = stream("unknown_capture-alipay-T1", [unknown_capture("T1")].into_iter().chain(events));
    only(fold::<SurplusPayments>(None, &events).unwrap())
}

#[test]
fn unmatched_money_that_was_assigned_is_open_until_its_order_has_it() {
    let begun = unmatched_after([unknown_capture_assigned("T1", order())]);
    assert_eq!((begun.kind.as_str(), begun.state.as_str(), begun.resolved_reason.as_deref()), ("unmatched", "open", Some("paid by hand")));
    assert_eq!((begun.order_id.clone(), begun.pay_no.clone()), (Some(order().to_string()), Some(pay_no(order(), 1).to_string())));
    assert_eq!((begun.surplus_id.as_str(), begun.out_trade_no.as_str()), ("unknown_capture-alipay-T1", "OLD-7"));
    assert_eq!((begun.revision, begun.position), (1, 2));
    let row = unmatched_after([unknown_capture_assigned("T1", order()), unknown_capture_matched("T1", order())]);
    let ended = SurplusRow { state: "resolved".to_owned(), revision: 2, position: 3, ..begun };
    assert_eq!(row, ended);
}

#[test]
fn unmatched_money_whose_assignment_failed_needs_an_operator_again() {
    let failed = || [unknown_capture_assigned("T1", order()), unknown_capture_unassigned("T1", order())];
    let row = unmatched_after(failed());
    assert_eq!((row.state.as_str(), row.resolved_reason, row.order_id, row.pay_no), ("needs_operator", None, None, None));
    assert_eq!((row.revision, row.position), (2, 3));
    let row = unmatched_after(failed().into_iter().chain([unknown_capture_refunded("T1", 500)]));
    assert_eq!((row.state.as_str(), row.refunded_amount), ("refunded", 500));
    let row = unmatched_after(failed().into_iter().chain([unknown_capture_assigned("T1", order())]));
    assert_eq!(row.state, "open");
    let row = unmatched_after(failed().into_iter().chain([unknown_capture_matched("T1", order())]));
    assert_eq!((row.state.as_str(), row.pay_no), ("resolved", Some(pay_no(order(), 1).to_string())), "whoever was at it said so later");
}

#[test]
fn what_went_back_of_unmatched_money_is_shown() {
    let row = unmatched_after([unknown_capture_refunded("T1", 200)]);
    assert_eq!((row.state.as_str(), row.refunded_amount, row.revision), ("needs_operator", 200, 1));
    let row = unmatched_after([unknown_capture_refunded("T1", 200), unknown_capture_refunded("T1", 500)]);
    assert_eq!((row.state.as_str(), row.refunded_amount), ("refunded", 500));
    let row = unmatched_after([unknown_capture_refunded("T1", 500), unknown_capture_resolved("T1")]);
    assert_eq!(row.state, "resolved");
    let row = unmatched_after([unknown_capture_assigned("T1", order()), unknown_capture_refunded("T1", 500)]);
    assert_eq!((row.state.as_str(), row.refunded_amount), ("open", 500), "its order will tell");
    let row = unmatched_after([unknown_capture_resolved("T1"), unknown_capture_refunded("T1", 200)]);
    assert_eq!((row.state.as_str(), row.refunded_amount), ("resolved", 200));
}

#[test]
fn unmatched_money_that_was_dealt_with_otherwise_has_a_reason_and_no_pay_record() {
    let row = unmatched_after([unknown_capture_resolved("T1")]);
    assert_eq!((row.state.as_str(), row.resolved_reason.as_deref()), ("resolved", Some("it was the canteen's")));
    assert_eq!((row.order_id, row.pay_no, row.revision, row.position), (None, None, 1, 2));
}

#[test]
fn what_an_operator_made_of_unmatched_money_is_taken_in_once() {
    let events = [unknown_capture("T1"), unknown_capture_assigned("T1", order())];
    let events = stream("unknown_capture-alipay-T1", events);
    let rows = fold::<SurplusPayments>(None, &events);
    assert_eq!(fold::<SurplusPayments>(rows.clone(), &events), rows);
    assert_eq!(fold::<SurplusPayments>(rows.clone(), &events[1..]), rows);
}

#[test]
fn an_order_without_such_money_has_no_row() {
    let events = [payment_of("T"), refund_wished(order(), 1, 9900).into(), refund_succeeded(order(), 1, 9900, true).into()];
    let events = stream("order-1", events.map(order_event));
    assert_eq!(fold::<SurplusPayments>(None, &events), None);
}

#[test]
fn several_payments_of_one_order_stand_beside_each_other() {
    let rows =
        rows_after([late(order(), 1).into(), payment_of(&late_trade()), surplus(order(), 2).into(), refund_requested(order(), 2).into()]);
    let states: Vec<_> = rows.values().map(|row| (row.state.as_str(), row.revision)).collect();
    assert_eq!(states, [("revived", 1), ("refunding", 3)]);
}

#[test]
fn what_was_seen_before_changes_nothing() {
    let events = [
        surplus(order(), 1).into(),
        refund_requested(order(), 1).into(),
        refund_observed(order(), 2, &surplus_trade(order()), 4000).into(),
        surplus_refunded(order(), 2, 4000).into(),
    ];
    let events = stream("order-1", events.map(|event: OrderStreamEvent| order_event(event)));
    let rows = fold::<SurplusPayments>(None, &events);
    assert_eq!(fold::<SurplusPayments>(rows.clone(), &events), rows);
    assert_eq!(fold::<SurplusPayments>(rows.clone(), &events[3..]), rows);
}

#[test]
fn every_reason_has_the_word_of_its_event() {
    for reason in [SurplusReason::PaidTwice, SurplusReason::AfterCancel, SurplusReason::AmountMismatch] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason_word(reason));
    }
}
