use super::*;
use crate::scenario;

fn given(events: &[CourseSelectionEvent]) -> scenario::Given<CourseSelection> {
    scenario::given(events)
}

fn day(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::days(days)
}

fn paid_course() -> CourseSelected {
    CourseSelected {
        selection_id: SelectionId::parse("7231982345678900001").unwrap(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        course_id: ProductId::parse("course-rust-101").unwrap(),
        title: "Rust for beginners".to_owned(),
        charge: Charge::Paid,
        price_amount: MinorUnits::new(19_900).unwrap(),
        currency: Currency::Cny,
        price_version: 3,
        starts_at: None,
        valid_days: None,
        selected_at: day(0),
    }
}

fn free_course() -> CourseSelected {
    CourseSelected { charge: Charge::Free, price_amount: MinorUnits::new(0).unwrap(), ..paid_course() }
}

fn select(wish: CourseSelected) -> CourseSelectionCommand {
    CourseSelectionCommand::Select(wish)
}

#[test]
fn a_choice_is_recorded() {
    given(&[]).when(select(paid_course())).then([paid_course().into()]);
    given(&[]).when(select(free_course())).then([free_course().into()]);
}

#[test]
fn the_same_choice_again_changes_nothing() {
    given(&[paid_course().into()]).when(select(paid_course())).then_nothing();
    let later = CourseSelected { selected_at: day(1), ..paid_course() };
    given(&[paid_course().into()]).when(select(later)).then_nothing();
}

#[test]
fn a_number_belongs_to_one_choice() {
    let other_course = CourseSelected { course_id: ProductId::parse("course-go-101").unwrap(), ..paid_course() };
    given(&[paid_course().into()]).when(select(other_course)).then_rejected(CourseSelectionRejection::AlreadySelected);
    let other_buyer = CourseSelected { buyer_id: BuyerId::parse("buyer-2").unwrap(), ..paid_course() };
    given(&[paid_course().into()]).when(select(other_buyer)).then_rejected(CourseSelectionRejection::AlreadySelected);
}

#[test]
fn what_is_free_costs_nothing_and_what_is_paid_costs_something() {
    let free_with_a_price = CourseSelected { charge: Charge::Free, ..paid_course() };
    given(&[]).when(select(free_with_a_price)).then_rejected(CourseSelectionRejection::WrongCharge);
    let paid_without_a_price = CourseSelected { charge: Charge::Paid, ..free_course() };
    given(&[]).when(select(paid_without_a_price)).then_rejected(CourseSelectionRejection::WrongCharge);
}

#[test]
fn a_course_without_dates_is_open_for_ever() {
    assert_eq!(paid_course().open_period(day(3)), (day(3), None));
}

#[test]
fn a_course_is_open_for_its_days_from_its_opening() {
    let course = CourseSelected { valid_days: Some(90), ..paid_course() };
    assert_eq!(course.open_period(day(3)), (day(3), Some(day(93))));
}

#[test]
fn a_course_that_begins_later_is_open_from_its_beginning() {
    let course = CourseSelected { starts_at: Some(day(10)), valid_days: Some(90), ..paid_course() };
    assert_eq!(course.open_period(day(3)), (day(10), Some(day(100))));
    assert_eq!(course.open_period(day(20)), (day(20), Some(day(110))));
}

#[test]
fn days_beyond_the_calendar_are_for_ever() {
    let course = CourseSelected { valid_days: Some(u32::MAX), ..paid_course() };
    assert_eq!(course.open_period(day(3)), (day(3), None));
}

#[test]
fn a_selection_is_unpaid_until_it_is_opened_and_ends_with_its_days() {
    let course = CourseSelected { valid_days: Some(90), ..paid_course() };
    assert_eq!(course.status(None, day(500)), SelectionStatus::Unpaid);
    assert_eq!(course.status(Some(day(3)), day(3)), SelectionStatus::Active);
    assert_eq!(course.status(Some(day(3)), day(93) - TimeDelta::microseconds(1)), SelectionStatus::Active);
    assert_eq!(course.status(Some(day(3)), day(93)), SelectionStatus::Ended);
    assert_eq!(paid_course().status(Some(day(3)), day(90_000)), SelectionStatus::Active);
}

#[test]
fn a_status_has_the_contracts_word() {
    let words = [SelectionStatus::Unpaid, SelectionStatus::Active, SelectionStatus::Ended].map(SelectionStatus::as_str);
    assert_eq!(words, ["unpaid", "active", "ended"]);
}
