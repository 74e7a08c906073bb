//! The course selection: which course a buyer chose. Whether it is active or has ended follows from its order and the
//! time, and is its consumer's row; the stream holds only the choice.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::ids::{BuyerId, ProductId, SelectionId};
use crate::money::{Currency, MinorUnits};
use crate::stored::stored_events;

stored_events! {
    /// What may happen to a course selection.
    CourseSelectionEvent {
        /// A buyer chose a course.
        CourseSelected = 1,
    }
}

/// Whether a course costs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// It takes no order.
    Free,
    /// It is opened by its order's payment.
    Paid,
}

/// A buyer chose a course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CourseSelected {
    /// The selection's number; a paid selection's order has it as `out_business_id`.
    pub selection_id: SelectionId,
    /// Who chose.
    pub buyer_id: BuyerId,
    /// Which course.
    pub course_id: ProductId,
    /// Its title when it was chosen.
    pub title: String,
    /// Whether it costs something.
    pub charge: Charge,
    /// Its price then, in smallest units.
    pub price_amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// The version of that price in the catalogue.
    pub price_version: i64,
    /// When the course begins, where it has a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// For how many days from its opening (or beginning) it may be used; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_days: Option<u32>,
    /// When it was chosen.
    pub selected_at: DateTime<Utc>,
}

impl CourseSelected {
    /// When the course may be used, once it is opened at `opened_at`: from, and until where it ends.
    pub fn open_period(&self, opened_at: DateTime<Utc>) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
        let starts_at = self.starts_at.map_or(opened_at, |starts_at| starts_at.max(opened_at));
        let ends_at = self.valid_days.and_then(|days| starts_at.checked_add_signed(TimeDelta::days(i64::from(days))));
        (starts_at, ends_at)
    }

    /// How the selection stands at `now`, if it was opened at `opened_at`.
    pub fn status(&self, opened_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> SelectionStatus {
        match opened_at.map(|opened_at| self.open_period(opened_at)) {
            None => SelectionStatus::Unpaid,
            Some((_, Some(ends_at))) if now >= ends_at => SelectionStatus::Ended,
            Some(_) => SelectionStatus::Active,
        }
    }
}

/// How a selection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionStatus {
    /// Its order is not paid.
    Unpaid,
    /// The course may be used.
    Active,
    /// The course's time is over.
    Ended,
}

impl SelectionStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }
}

/// What is true of a course selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CourseSelection {
    /// What was chosen, once it was.
    pub selected: Option<CourseSelected>,
}

/// A wish about a course selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourseSelectionCommand {
    /// Choose a course.
    Select(CourseSelected),
}

/// Why a wish about a course selection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CourseSelectionRejection {
    /// The number belongs to another choice.
    #[error("the course selection exists already")]
    AlreadySelected,
    /// What is free costs nothing, and what is paid costs something.
    #[error("the charge and the price do not agree")]
    WrongCharge,
}

impl Decider for CourseSelection {
    type State = Self;
    type Command = CourseSelectionCommand;
    type Event = CourseSelectionEvent;
    type Rejection = CourseSelectionRejection;

    fn decide(state: &Self, command: CourseSelectionCommand) -> Result<Vec<CourseSelectionEvent>, CourseSelectionRejection> {
        let CourseSelectionCommand::Select(wish) = command;
        let free = wish.price_amount.of(wish.currency).is_zero();
        if free != (wish.charge == Charge::Free) {
            return Err(CourseSelectionRejection::WrongCharge);
        }
        match &state.selected {
            None => Ok(vec![wish.into()]),
            Some(selected) if selected.buyer_id == wish.buyer_id && selected.course_id == wish.course_id => Ok(vec![]),
            Some(_) => Err(CourseSelectionRejection::AlreadySelected),
        }
    }

    fn evolve(mut state: Self, event: &CourseSelectionEvent) -> Self {
        let CourseSelectionEvent::CourseSelected(event) = event;
        state.selected = Some(event.clone());
        state
    }
}

#[cfg(test)]
mod tests;
