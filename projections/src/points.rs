//! Points: a consumer of PaymentConfirmed and RefundSucceeded.
//!
//! Each order that is paid gives its buyer ten points, once, whatever it cost. They are taken back, once, when all that was
//! paid has gone back: so an order never takes more than it gave. A balance is the sum of the entries.

use database::Time;
use domain::order::{OrderEvent, OrderStreamEvent, RefundSucceeded};
use domain::pay_record::{PayRecordEvent, PaymentConfirmed};
use domain::stored::StoredFormError;
use event_store::RecordedEvent;
use followers::SubjectFilter;

use crate::{ConsumerProjector, Projector, Unready};

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::TABLE;

/// What an order that is paid gives.
pub const POINTS_OF_AN_ORDER: i64 = 10;

/// A row of `point_entry_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct PointEntryRow {
    pub entry_id: String,
    pub order_id: String,
    pub buyer_id: String,
    pub cause: String,
    pub points: i64,
    pub entered_at: Time,
    pub position: i64,
}

/// What an order gave, and what was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsOfOrder {
    /// The entry of its payment.
    pub given: PointEntryRow,
    /// The entry of its refund, once all that was paid went back.
    pub taken: Option<PointEntryRow>,
}

/// What the consumer listens to.
#[derive(Clone, Debug)]
pub enum PointFact {
    /// An order was paid, of whatever business.
    Paid(PaymentConfirmed),
    /// Money went back.
    Refunded(RefundSucceeded),
    /// Something else, which does not concern it.
    Other,
}

/// The consumer that keeps points.
#[derive(Debug)]
pub enum Points {}

impl ConsumerProjector for Points {
    const REBUILD_NAME: &'static str = "points:rebuild";

    fn subjects() -> Vec<SubjectFilter> {
        ["PaymentConfirmed", "RefundSucceeded"]
            .map(|event_type| SubjectFilter { aggregate: "pay_record", event_type, order_type: None })
            .to_vec()
    }
}

impl Projector for Points {
    type Row = PointsOfOrder;
    type Event = PointFact;

    const NAME: &'static str = "points";

    fn wanted() -> Vec<&'static str> {
        vec!["PaymentConfirmed", "RefundSucceeded"]
    }

    fn read(recorded: &RecordedEvent) -> Result<PointFact, StoredFormError> {
        Ok(match OrderStreamEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)? {
            OrderStreamEvent::PayRecord(PayRecordEvent::PaymentConfirmed(event)) => PointFact::Paid(event),
            OrderStreamEvent::Order(OrderEvent::RefundSucceeded(event)) => PointFact::Refunded(event),
            _ => PointFact::Other,
        })
    }

    fn key(event: &PointFact, _: &RecordedEvent) -> Option<String> {
        match event {
            PointFact::Paid(event) => Some(event.order_id.to_string()),
            PointFact::Refunded(event) => event.fully_refunded.then(|| event.order_id.to_string()),
            PointFact::Other => None,
        }
    }

    /// A refund never overtakes its payment: it waits for it.
    fn ready(row: Option<&PointsOfOrder>, event: &PointFact) -> Result<(), Unready> {
        match (row, event) {
            (None, PointFact::Refunded(event)) => Err(Unready { what: "the payment of order", key: event.order_id.to_string() }),
            _ => Ok(()),
        }
    }

    fn evolve(row: Option<PointsOfOrder>, event: &PointFact, recorded: &RecordedEvent) -> Option<PointsOfOrder> {
        match (row, event) {
            (None, PointFact::Paid(event)) => {
                let (order_id, buyer_id) = (event.order_id.to_string(), event.buyer_id.as_str());
                let given = PointEntryRow::new(&order_id, buyer_id, "payment", POINTS_OF_AN_ORDER, event.paid_at.into(), recorded);
                Some(PointsOfOrder { given, taken: None })
            }
            (Some(mut row), PointFact::Refunded(event)) if row.taken.is_none() => {
                let given = &row.given;
                let at = event.refunded_at.into();
                row.taken = Some(PointEntryRow::new(&given.order_id, &given.buyer_id, "refund", -given.points, at, recorded));
                Some(row)
            }
            (row, _) => row,
        }
    }
}

impl PointEntryRow {
    fn new(order_id: &str, buyer_id: &str, cause: &str, points: i64, entered_at: Time, recorded: &RecordedEvent) -> Self {
        Self {
            entry_id: format!("{order_id}-{cause}"),
            order_id: order_id.to_owned(),
            buyer_id: buyer_id.to_owned(),
            cause: cause.to_owned(),
            points,
            entered_at,
            position: recorded.position.as_i64(),
        }
    }
}
