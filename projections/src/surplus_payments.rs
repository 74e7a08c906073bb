//! Money that was not owed, or came too late, and what became of it.
//!
//! What belongs to an order stands on its stream, with the refund that gives it back; money that no pay record asked for has
//! a stream of its own. One key of this view is such a stream. Most orders have no row.

use std::collections::BTreeMap;

use database::Time;
use domain::order::OrderStreamEvent;
use domain::stored::StoredFormError;
use domain::unknown_capture::{UnknownCaptureEvent, UnknownCaptureOutcome, UnknownCaptureStreamEvent};
use event_store::RecordedEvent;

use crate::projector::revision;
use crate::{Projector, Unready};

mod fate;
mod row;
mod table;
#[cfg(test)]
mod tests;

pub use row::SurplusRow;
pub(crate) use table::TABLE;

/// What a stream tells of money that was not owed: rows of `surplus_payment_view`, by their ids.
pub type SurplusOfStream = BTreeMap<String, SurplusRow>;

/// What the view listens to.
#[derive(Clone, Debug)]
pub enum SurplusFact {
    /// Of an order: that money came, that it was taken after all, or how far a refund has come.
    Order(OrderStreamEvent),
    /// Of money that no pay record asked for: that it came, or what an operator made of it.
    Unmatched(UnknownCaptureStreamEvent),
}

/// The view of money that was not owed.
#[derive(Debug)]
pub enum SurplusPayments {}

/// The stored events of money that no pay record asked for.
const UNMATCHED: [&[(&str, u16)]; 2] = [UnknownCaptureEvent::STORED, UnknownCaptureOutcome::STORED];

/// The events that the view wants of an order's stream.
const OF_ORDERS: [&str; 11] = [
    "SurplusPaymentReceived",
    "LatePaymentReceived",
    "PaymentConfirmed",
    "RefundRequested",
    "RefundAccepted",
    "RefundSucceeded",
    "RefundFailed",
    "RefundNeedsOperator",
    "RefundRetried",
    "RefundObserved",
    "SurplusResolved",
];

fn unmatched_events() -> impl Iterator<Item = &'static str> {
    UNMATCHED.into_iter().flatten().map(|(name, _)| *name)
}

impl Projector for SurplusPayments {
    type Row = SurplusOfStream;
    type Event = SurplusFact;

    const NAME: &'static str = "surplus_payments";

    fn wanted() -> Vec<&'static str> {
        unmatched_events().chain(OF_ORDERS).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<SurplusFact, StoredFormError> {
        let (event_type, version, data) = (recorded.event_type.as_str(), recorded.schema_version, recorded.data.as_str());
        if unmatched_events().any(|name| name == event_type) {
            return Ok(SurplusFact::Unmatched(UnknownCaptureStreamEvent::from_stored(event_type, version, data)?));
        }
        Ok(SurplusFact::Order(OrderStreamEvent::from_stored(event_type, version, data)?))
    }

    fn key(_: &SurplusFact, recorded: &RecordedEvent) -> Option<String> {
        Some(recorded.stream_id.as_str().to_owned())
    }

    // Every row begins with its own event, and what follows is on the same stream.
    fn ready(_: Option<&SurplusOfStream>, _: &SurplusFact) -> Result<(), Unready> {
        Ok(())
    }

    fn evolve(row: Option<SurplusOfStream>, event: &SurplusFact, recorded: &RecordedEvent) -> Option<SurplusOfStream> {
        let known = row.is_some();
        let mut rows = row.unwrap_or_default();
        if let Some(first) = SurplusRow::first(event, recorded) {
            rows.entry(first.surplus_id.clone()).or_insert(first);
        } else {
            for row in rows.values_mut().filter(|row| row.revision < revision(recorded)) {
                row.evolved(event, recorded);
            }
        }
        (known || !rows.is_empty()).then_some(rows)
    }
}

/// A time as a column.
fn column(time: chrono::DateTime<chrono::Utc>) -> Time {
    time.into()
}
