//! A consumer whose effect shows if it took place twice, or in another order.

use domain::stored::StoredFormError;
use event_store::RecordedEvent;
use followers::SubjectFilter;
use projections::{ConsumerProjector, Projector, Unready};
use serde_json::Value;

/// What was taken of an order, in the order in which it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallyRow {
    pub(crate) payments: Vec<i64>,
    pub(crate) refunds: Vec<i64>,
    /// When a refund that gave all back was taken before any payment.
    pub(crate) is_overtaken: bool,
}

/// What the tally reads of an event.
pub(crate) struct TallyFact {
    order_id: String,
    is_payment: bool,
    is_whole: bool,
}

/// The consumer that writes down each payment and refund.
pub(crate) enum Tally {}

/// The events that it wants.
pub(crate) const WANTED: [&str; 2] = ["PaymentConfirmed", "RefundSucceeded"];

impl ConsumerProjector for Tally {
    const REBUILD_NAME: &'static str = "tally:rebuild";

    fn subjects() -> Vec<SubjectFilter> {
        WANTED.map(|event_type| SubjectFilter { aggregate: "pay_record", event_type, order_type: None }).to_vec()
    }
}

impl Projector for Tally {
    type Row = TallyRow;
    type Event = TallyFact;

    const NAME: &'static str = "tally";

    fn wanted() -> Vec<&'static str> {
        WANTED.to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<TallyFact, StoredFormError> {
        let malformed = |source| StoredFormError::Malformed { event_type: recorded.event_type.clone(), source };
        let data: Value = serde_json::from_str(&recorded.data).map_err(malformed)?;
        Ok(TallyFact {
            order_id: data["order_id"].as_str().unwrap_or_default().to_owned(),
            is_payment: recorded.event_type == WANTED[0],
            is_whole: data["fully_refunded"].as_bool().unwrap_or(false),
        })
    }

    fn key(event: &TallyFact, _: &RecordedEvent) -> Option<String> {
        Some(event.order_id.clone())
    }

    fn ready(row: Option<&TallyRow>, event: &TallyFact) -> Result<(), Unready> {
        let is_paid = row.is_some_and(|row| !row.payments.is_empty());
        if event.is_whole && !is_paid { Err(Unready { what: "the payment of order", key: event.order_id.clone() }) } else { Ok(()) }
    }

    /// Not the same when it is told twice, unlike those of the product: what comes twice must not come here.
    fn evolve(row: Option<TallyRow>, event: &TallyFact, recorded: &RecordedEvent) -> Option<TallyRow> {
        let mut row = row.unwrap_or_default();
        row.is_overtaken |= event.is_whole && row.payments.is_empty();
        let list = if event.is_payment { &mut row.payments } else { &mut row.refunds };
        list.push(recorded.position.as_i64());
        Some(row)
    }
}
