use chrono::TimeDelta;
use domain::pay_record::PaymentConfirmed;

use super::table::SelectionColumns;
use super::*;
use crate::StoreError;
use crate::testing::*;

fn paid_selection() -> Stored {
    selection_event(selected(1, Charge::Paid))
}

fn payment(order_type: &str) -> PaymentConfirmed {
    confirmed(order_id(5), 1, order_type, &selection_id(1).to_string())
}

fn row_after(events: impl IntoIterator<Item = Stored>) -> SelectionRow {
    fold::<CourseSelections>(None, &stream("course_selection-1", events)).unwrap()
}

#[test]
fn a_paid_course_waits_for_its_payment() {
    let row = row_after([paid_selection()]);
    assert_eq!((row.selected.clone(), row.opened.clone()), (selected(1, Charge::Paid), None));
    assert_eq!((row.revision, row.position, row.course_table_row()), (0, 1, None));
}

#[test]
fn a_free_course_stands_in_the_table_at_once() {
    let row = row_after([selection_event(selected(1, Charge::Free))]).course_table_row().unwrap();
    assert_eq!((row.selection_id, row.course_id.as_str(), row.order_id), (selection_id(1).to_string(), "course-rust", None));
    assert_eq!((row.opened_at, row.starts_at), (Time(at(1)), Time(at(1))));
    assert_eq!(row.ends_at, Some(Time(at(1) + TimeDelta::days(365))));
}

#[test]
fn a_payment_opens_its_selection() {
    let row = row_after([paid_selection(), order_event(PayRecordEvent::from(payment("course")))]);
    let course = row.course_table_row().unwrap();
    assert_eq!((course.order_id, course.buyer_id.as_str()), (Some(order_id(5).to_string()), "alice"));
    assert_eq!((course.opened_at, course.starts_at), (Time(at(100)), Time(at(100))));
    assert_eq!(course.ends_at, Some(Time(at(100) + TimeDelta::days(365))));
    assert_eq!((row.revision, row.position, course.position), (0, 2, 2));
}

#[test]
fn a_course_that_has_not_begun_counts_its_days_from_its_beginning() {
    let mut event = selected(1, Charge::Paid);
    event.starts_at = Some(at(500_000));
    event.valid_days = Some(30);
    let row = row_after([selection_event(event), order_event(PayRecordEvent::from(payment("course")))]).course_table_row().unwrap();
    assert_eq!((row.opened_at, row.starts_at), (Time(at(100)), Time(at(500_000))));
    assert_eq!(row.ends_at, Some(Time(at(500_000) + TimeDelta::days(30))));
}

#[test]
fn a_course_without_an_end_has_none() {
    let mut event = selected(1, Charge::Paid);
    event.valid_days = None;
    let row = row_after([selection_event(event), order_event(PayRecordEvent::from(payment("course")))]);
    assert_eq!(row.course_table_row().unwrap().ends_at, None);
}

#[test]
fn a_second_message_of_the_payment_changes_nothing() {
    let once = [paid_selection(), order_event(PayRecordEvent::from(payment("course")))];
    let row = row_after(once.clone());
    let again = once.into_iter().chain([order_event(PayRecordEvent::from(payment("course")))]);
    assert_eq!(row_after(again), row);
}

#[test]
fn another_orders_payment_does_not_open_it_again() {
    let first = order_event(PayRecordEvent::from(payment("course")));
    let row = row_after([paid_selection(), first.clone()]);
    let mut other = confirmed(order_id(6), 1, "course", &selection_id(1).to_string());
    other.paid_at = at(999);
    assert_eq!(row_after([paid_selection(), first, order_event(PayRecordEvent::from(other))]), row);
}

#[test]
fn a_selection_that_is_told_again_stays_open() {
    let row = row_after([paid_selection(), order_event(PayRecordEvent::from(payment("course")))]);
    assert_eq!(fold::<CourseSelections>(Some(row.clone()), &stream("course_selection-1", [paid_selection()])), Some(row));
}

#[test]
fn payments_of_other_business_concern_no_selection() {
    let recorded = stream("order-5", [order_event(PayRecordEvent::from(payment("exam_fee")))]);
    let event = CourseSelections::read(&recorded[0]).unwrap();
    assert_eq!(CourseSelections::key(&event, &recorded[0]), None);
}

#[test]
fn a_payment_for_an_unknown_selection_is_not_passed_over() {
    let recorded = stream("order-5", [order_event(PayRecordEvent::from(payment("course")))]);
    let event = CourseSelections::read(&recorded[0]).unwrap();
    let unknown = Unready { what: "course selection", key: selection_id(1).to_string() };
    assert_eq!(CourseSelections::ready(None, &event), Err(unknown));
}

#[test]
fn a_row_survives_its_columns() {
    let mut dated = selected(1, Charge::Paid);
    dated.starts_at = Some(at(500_000));
    for events in [
        vec![paid_selection()],
        vec![selection_event(dated)],
        vec![selection_event(selected(1, Charge::Free))],
        vec![paid_selection(), order_event(PayRecordEvent::from(payment("course")))],
        vec![paid_selection(), order_event(PayRecordEvent::from(payment("course"))), refund("course", true)],
    ] {
        let row = row_after(events);
        assert_eq!(SelectionRow::try_from(SelectionColumns::from(&row)).unwrap(), row);
    }
}

#[test]
fn a_damaged_row_is_told_and_not_guessed() {
    let columns = SelectionColumns::from(&row_after([paid_selection()]));
    for (column, damaged) in columns.each_damaged() {
        let error = SelectionRow::try_from(damaged).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { column: found, .. } if found == column), "{column}: {error}");
    }
}

fn refund_of(number: i64, order_type: &str, fully_refunded: bool) -> Stored {
    let mut event = refund_succeeded(order_id(number), 1, 9900, fully_refunded);
    event.order_type = OrderType::parse(order_type).unwrap();
    event.out_business_id = selection_id(1).to_string();
    order_event(event)
}

fn refund(order_type: &str, fully_refunded: bool) -> Stored {
    refund_of(5, order_type, fully_refunded)
}

fn open() -> [Stored; 2] {
    [paid_selection(), order_event(PayRecordEvent::from(payment("course")))]
}

#[test]
fn a_selection_ends_when_all_that_was_paid_went_back() {
    let row = row_after(open().into_iter().chain([refund("course", true)]));
    assert_eq!((row.refunded_at, row.course_table_row(), row.position), (Some(at(200)), None, 3));
    assert_eq!(row.opened.unwrap().order_id, Some(order_id(5).to_string()), "which order it was stays known");
}

#[test]
fn a_part_and_other_business_concern_no_selection() {
    for other in [refund("course", false), refund("exam_fee", true)] {
        let recorded = stream("order-5", [other]);
        let event = CourseSelections::read(&recorded[0]).unwrap();
        assert_eq!(CourseSelections::key(&event, &recorded[0]), None);
    }
}

#[test]
fn another_orders_refund_does_not_end_it() {
    let row = row_after(open());
    assert_eq!(row_after(open().into_iter().chain([refund_of(6, "course", true)])), row);
    let free = || selection_event(selected(1, Charge::Free));
    assert_eq!(row_after([free(), refund("course", true)]), row_after([free()]));
}

#[test]
fn what_ended_stays_ended_whatever_is_told_again() {
    let ended: Vec<_> = open().into_iter().chain([refund("course", true)]).collect();
    let row = row_after(ended.clone());
    assert_eq!(row_after(ended.clone().into_iter().chain(ended)), row);
    let mut other = confirmed(order_id(6), 1, "course", &selection_id(1).to_string());
    other.paid_at = at(999);
    let again = order_event(PayRecordEvent::from(other));
    assert_eq!(row_after(open().into_iter().chain([refund("course", true), again])), row);
}

#[test]
fn a_refund_for_an_unknown_selection_is_not_passed_over() {
    let recorded = stream("order-5", [refund("course", true)]);
    let event = CourseSelections::read(&recorded[0]).unwrap();
    let unknown = Unready { what: "course selection", key: selection_id(1).to_string() };
    assert_eq!(CourseSelections::ready(None, &event), Err(unknown));
}
