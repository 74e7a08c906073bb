//! Course selections and the course table: a consumer of PaymentConfirmed and RefundSucceeded.
//!
//! What it needs of the selection it keeps in its own row, from CourseSelected. A payment opens an unpaid selection once;
//! told again, or of another kind of business, it changes nothing. When all that was paid went back, the selection ends,
//! once and for good: only by the order that opened it, and not by a part.

use chrono::{DateTime, Utc};
use database::Time;
use domain::course_selection::{Charge, CourseSelected, CourseSelectionEvent};
use domain::order::{OrderEvent, OrderStreamEvent, OrderType, RefundSucceeded};
use domain::pay_record::{PayRecordEvent, PaymentConfirmed};
use domain::stored::StoredFormError;
use event_store::RecordedEvent;
use followers::SubjectFilter;

use crate::projector::revision;
use crate::{ConsumerProjector, Projector, Unready};

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::{SelectionColumns, TABLE, TABLE_OF_COURSES};

/// A course selection and whether it was opened: a row of `course_selection_view`, and of `course_table_view` while open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionRow {
    /// What was chosen.
    pub selected: CourseSelected,
    /// Its opening; absent while it is unpaid.
    pub opened: Option<Opened>,
    /// When all that was paid for it went back; absent unless it did.
    pub refunded_at: Option<DateTime<Utc>>,
    /// The last revision of the selection's own stream that was applied.
    pub revision: i64,
    /// The log position of the last event applied.
    pub position: i64,
}

/// How a selection was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The order whose payment did it; absent where the course is free.
    pub order_id: Option<String>,
    /// When it was paid, as the channel says; when it was chosen, where it is free.
    pub opened_at: DateTime<Utc>,
}

/// A row of `course_table_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct CourseTableRow {
    pub selection_id: String,
    pub buyer_id: String,
    pub course_id: String,
    pub title: String,
    pub order_id: Option<String>,
    pub opened_at: Time,
    pub starts_at: Time,
    pub ends_at: Option<Time>,
    pub position: i64,
}

/// What the consumer listens to.
#[derive(Clone, Debug)]
pub enum SelectionFact {
    /// A buyer chose a course.
    Selected(CourseSelected),
    /// An order was paid, of whatever business.
    Paid(PaymentConfirmed),
    /// Money of an order went back, of whatever business.
    Refunded(RefundSucceeded),
    /// Something else, which does not concern it.
    Other,
}

/// The consumer that keeps course selections and the course table.
#[derive(Debug)]
pub enum CourseSelections {}

impl ConsumerProjector for CourseSelections {
    const REBUILD_NAME: &'static str = "course_selections:rebuild";

    fn subjects() -> Vec<SubjectFilter> {
        let of_courses = |event_type| SubjectFilter { aggregate: "pay_record", event_type, order_type: Some("course") };
        let selected = SubjectFilter { aggregate: "course_selection", event_type: "CourseSelected", order_type: None };
        vec![selected, of_courses("PaymentConfirmed"), of_courses("RefundSucceeded")]
    }
}

impl Projector for CourseSelections {
    type Row = SelectionRow;
    type Event = SelectionFact;

    const NAME: &'static str = "course_selections";

    fn wanted() -> Vec<&'static str> {
        vec!["CourseSelected", "PaymentConfirmed", "RefundSucceeded"]
    }

    fn read(recorded: &RecordedEvent) -> Result<SelectionFact, StoredFormError> {
        let (event_type, version, data) = (recorded.event_type.as_str(), recorded.schema_version, recorded.data.as_str());
        if event_type != "CourseSelected" {
            return Ok(match OrderStreamEvent::from_stored(event_type, version, data)? {
                OrderStreamEvent::PayRecord(PayRecordEvent::PaymentConfirmed(event)) => SelectionFact::Paid(event),
                OrderStreamEvent::Order(OrderEvent::RefundSucceeded(event)) => SelectionFact::Refunded(event),
                _ => SelectionFact::Other,
            });
        }
        let CourseSelectionEvent::CourseSelected(event) = CourseSelectionEvent::from_stored(event_type, version, data)?;
        Ok(SelectionFact::Selected(event))
    }

    fn key(event: &SelectionFact, _: &RecordedEvent) -> Option<String> {
        match event {
            SelectionFact::Selected(event) => Some(event.selection_id.to_string()),
            SelectionFact::Paid(event) => (event.order_type == OrderType::course()).then(|| event.out_business_id.clone()),
            SelectionFact::Refunded(event) => {
                (event.fully_refunded && event.order_type == OrderType::course()).then(|| event.out_business_id.clone())
            }
            SelectionFact::Other => None,
        }
    }

    /// A payment waits for its selection, and a refund for its payment: a broker may bring them the other way round.
    fn ready(row: Option<&SelectionRow>, event: &SelectionFact) -> Result<(), Unready> {
        match (row, event) {
            (None, SelectionFact::Paid(event)) => Err(Unready { what: "course selection", key: event.out_business_id.clone() }),
            (None, SelectionFact::Refunded(event)) => Err(Unready { what: "course selection", key: event.out_business_id.clone() }),
            (Some(row), SelectionFact::Refunded(event)) if row.opened.is_none() => {
                Err(Unready { what: "the payment of order", key: event.order_id.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn evolve(row: Option<SelectionRow>, event: &SelectionFact, recorded: &RecordedEvent) -> Option<SelectionRow> {
        match (row, event) {
            (None, SelectionFact::Selected(event)) => Some(SelectionRow::selected(event, recorded)),
            (Some(mut row), SelectionFact::Paid(event)) if row.opened.is_none() => {
                row.opened = Some(Opened { order_id: Some(event.order_id.to_string()), opened_at: event.paid_at });
                row.position = recorded.position.as_i64();
                Some(row)
            }
            (Some(mut row), SelectionFact::Refunded(event)) if row.is_open_by(&event.order_id.to_string()) => {
                row.refunded_at = Some(event.refunded_at);
                row.position = recorded.position.as_i64();
                Some(row)
            }
            (row, _) => row,
        }
    }
}

impl SelectionRow {
    fn selected(event: &CourseSelected, recorded: &RecordedEvent) -> Self {
        let free = event.charge == Charge::Free;
        Self {
            selected: event.clone(),
            opened: free.then_some(Opened { order_id: None, opened_at: event.selected_at }),
            refunded_at: None,
            revision: revision(recorded),
            position: recorded.position.as_i64(),
        }
    }

    /// Whether that order's payment opened it, and nothing has ended it since.
    fn is_open_by(&self, order_id: &str) -> bool {
        let opened_by = self.opened.as_ref().and_then(|opened| opened.order_id.as_deref());
        self.refunded_at.is_none() && opened_by == Some(order_id)
    }

    /// Its place in the learner's course table; none while it is unpaid, and after its money went back.
    pub fn course_table_row(&self) -> Option<CourseTableRow> {
        let opened = self.opened.as_ref().filter(|_| self.refunded_at.is_none())?;
        let (starts_at, ends_at) = self.selected.open_period(opened.opened_at);
        Some(CourseTableRow {
            selection_id: self.selected.selection_id.to_string(),
            buyer_id: self.selected.buyer_id.as_str().to_owned(),
            course_id: self.selected.course_id.as_str().to_owned(),
            title: self.selected.title.clone(),
            order_id: opened.order_id.clone(),
            opened_at: opened.opened_at.into(),
            starts_at: starts_at.into(),
            ends_at: ends_at.map(Time::from),
            position: self.position,
        })
    }
}
