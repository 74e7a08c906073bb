//! Money that was not owed, or came too late, and what became of it.
//!
//! What belongs to an order stands on its stream, with the refund that gives it back; money that no pay record asked for has
//! a stream of its own. One key of this view is such a stream. Most orders have no row.

use std::collections::BTreeMap;

use database::Time;
use domain::order::OrderStreamEvent;
use domain::stored::StoredFormError;
use domain::unknown_capture::{UnknownCaptureEvent, UnknownCaptureReceived};
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
    /// Of money that no pay record asked for.
    Unmatched(UnknownCaptureReceived),
}

/// The view of money that was not owed.
#[derive(Debug)]
pub enum SurplusPayments {}

const UNMATCHED: &str = "UnknownCaptureReceived";

impl Projector for SurplusPayments {
    type Row = SurplusOfStream;
    type Event = SurplusFact;

    const NAME: &'static str = "surplus_payments";

    fn wanted() -> Vec<&'static str> {
        vec![
            UNMATCHED,
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
        ]
    }

    fn read(recorded: &RecordedEvent) -> Result<SurplusFact, StoredFormError> {
        let (event_type, version, data) = (recorded.event_type.as_str(), recorded.schema_version, recorded.data.as_str());
        if event_type == UNMATCHED {
            let UnknownCaptureEvent::UnknownCaptureReceived(event) = UnknownCaptureEvent::from_stored(event_type, version, data)?;
            return Ok(SurplusFact::Unmatched(event));
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
        let first = match event {
            SurplusFact::Unmatched(event) => Some(SurplusRow::unmatched(event, recorded)),
            SurplusFact::Order(event) => SurplusRow::first(event, recorded),
        };
        if let Some(first) = first {
            rows.entry(first.surplus_id.clone()).or_insert(first);
        } else if let SurplusFact::Order(event) = event {
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
