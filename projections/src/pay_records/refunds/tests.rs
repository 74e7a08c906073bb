use domain::OrderId;
use domain::order::OrderStreamEvent;

use super::*;
use crate::testing::*;
use crate::{PayRecords, Projector};

fn first() -> [OrderStreamEvent; 2] {
    [created(order_id(1), "course", "77").into(), issued(order_id(1), 1).into()]
}

fn order_after(events: impl IntoIterator<Item = OrderStreamEvent>) -> PayRecordsOfOrder {
    let events = first().into_iter().chain(events).map(order_event);
    fold::<PayRecords>(None, &stream(&format!("order-{}", order_id(1)), events)).unwrap()
}

/// Refund 1 after it was requested, at revision 2, and after `events`.
fn refund_after(events: impl IntoIterator<Item = OrderStreamEvent>) -> RefundRow {
    let requested: OrderStreamEvent = refund_wished(order(), 1, 4000).into();
    order_after([requested].into_iter().chain(events)).refunds[&refund_no(order(), 1).to_string()].clone()
}

fn order() -> OrderId {
    order_id(1)
}

#[test]
fn a_refund_that_was_requested_tells_of_what_and_why() {
    let row = refund_after([]);
    assert_eq!((row.refund_no, row.order_id), (refund_no(order(), 1).to_string(), order().to_string()));
    assert_eq!((row.buyer_id.as_str(), row.service, row.status.as_str()), ("alice", None, "requested"));
    assert_eq!((row.pay_no, row.trade_no), (pay_no(order(), 1).to_string(), paid_trade(order())));
    assert_eq!((row.amount, row.currency.as_str(), row.cause.as_str(), row.reason.as_deref()), (4000, "CNY", "operator", Some("ill")));
    assert_eq!((row.requested_at, row.refunded_at, row.code), (Time(at(160)), None, None));
    assert_eq!((row.revision, row.position, row.updated_at), (2, 3, Time(at(1003))));
}

#[test]
fn a_request_without_a_time_has_the_logs() {
    let mut event = refund_wished(order(), 1, 1);
    event.requested_at = None;
    let row = order_after([event.into()]).refunds.into_values().next().unwrap();
    assert_eq!(row.requested_at, Time(at(1003)));
}

#[test]
fn each_word_of_the_channel_is_shown() {
    assert_eq!(refund_after([refund_accepted(order(), 1).into()]).status, "processing");
    let row = refund_after([refund_accepted(order(), 1).into(), refund_succeeded(order(), 1, 4000, false).into()]);
    assert_eq!((row.status.as_str(), row.refunded_at, row.revision), ("succeeded", Some(Time(at(200))), 4));
    let row = refund_after([refund_failed(order(), 1).into()]);
    assert_eq!((row.status.as_str(), row.code.as_deref(), row.refunded_at), ("failed", Some("ACQ.TRADE_HAS_FINISHED"), None));
    let row = refund_after([refund_needs_operator(order(), 1).into()]);
    assert_eq!((row.status.as_str(), row.code.as_deref()), ("needs_operator", Some("ACQ.SELLER_BALANCE_NOT_ENOUGH")));
}

#[test]
fn what_an_operator_did_takes_the_channels_word_away() {
    let row = refund_after([refund_needs_operator(order(), 1).into(), refund_retried(order(), 1).into()]);
    assert_eq!((row.status.as_str(), row.code), ("requested", None));
    let settled =
        [refund_needs_operator(order(), 1).into(), refund_settled(order(), 1).into(), refund_succeeded(order(), 1, 4000, false).into()];
    let row = refund_after(settled.clone().into_iter().take(2));
    assert_eq!((row.status.as_str(), row.revision), ("needs_operator", 4), "RefundSucceeded says the rest");
    let row = refund_after(settled);
    assert_eq!((row.status.as_str(), row.code, row.refunded_at), ("succeeded", None, Some(Time(at(200)))));
}

#[test]
fn money_that_went_back_after_a_refusal_went_back() {
    let row = refund_after([refund_failed(order(), 1).into(), refund_succeeded(order(), 1, 4000, false).into()]);
    assert_eq!((row.status.as_str(), row.code), ("succeeded", None));
}

#[test]
fn a_refund_of_the_channels_own_side_is_one() {
    let row = order_after([refund_observed(order(), 1, &paid_trade(order()), 700).into(), refund_succeeded(order(), 1, 700, false).into()]);
    let row = row.refunds.into_values().next().unwrap();
    assert_eq!((row.cause.as_str(), row.status.as_str(), row.amount, row.reason), ("channel_side", "succeeded", 700, None));
    assert_eq!((row.requested_at, row.refunded_at), (Time(at(180)), Some(Time(at(200)))));
}

#[test]
fn refunds_of_one_order_do_not_touch_each_other() {
    let row = order_after([refund_wished(order(), 1, 100).into(), refund_wished(order(), 2, 200).into(), refund_failed(order(), 2).into()]);
    let states: Vec<_> = row.refunds.values().map(|refund| (refund.status.as_str(), refund.amount, refund.revision)).collect();
    assert_eq!(states, [("requested", 100, 2), ("failed", 200, 4)]);
    assert_eq!(row.records.values().map(|record| record.revision).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_was_seen_before_changes_nothing() {
    let events = [refund_wished(order(), 1, 100).into(), refund_failed(order(), 1).into()];
    let events: Vec<_> = first().into_iter().chain(events).map(order_event).collect();
    let events = stream(&format!("order-{}", order()), events);
    let row = fold::<PayRecords>(None, &events);
    assert_eq!(fold::<PayRecords>(row.clone(), &events), row);
    assert_eq!(fold::<PayRecords>(row.clone(), &events[2..3]), row);
}

#[test]
fn what_happens_to_an_unknown_order_or_refund_is_not_passed_over() {
    let unknown_order = Err(Unready { what: "order", key: order().to_string() });
    assert_eq!(PayRecords::ready(None, &refund_wished(order(), 1, 100).into()), unknown_order);
    let row = order_after([]);
    let unknown_refund = Err(Unready { what: "refund", key: refund_no(order(), 1).to_string() });
    assert_eq!(PayRecords::ready(Some(&row), &refund_failed(order(), 1).into()), unknown_refund);
    for begins in [refund_wished(order(), 1, 100).into(), refund_observed(order(), 1, "T", 100).into()] {
        assert_eq!(PayRecords::ready(Some(&row), &begins), Ok(()));
    }
}

#[test]
fn every_event_about_a_refund_is_wanted_and_every_cause_has_the_word_of_its_event() {
    use RefundCause::{AfterCancel, AmountMismatch, ChannelSide, Late, Operator, PaidTwice};
    let wanted = PayRecords::wanted();
    let named = OrderEvent::STORED.iter().map(|(name, _)| *name).filter(|name| name.starts_with("Refund"));
    for name in named {
        assert!(wanted.contains(&name), "{name}");
    }
    for cause in [PaidTwice, AfterCancel, AmountMismatch, Late, Operator, ChannelSide] {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause_word(cause));
    }
}
