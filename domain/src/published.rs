//! Which events other services see, and their JSON Schemas. The rest (keys, claims) stays inside.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema};

use crate::coupon::{CouponEvent, CouponGranted, CouponReleased, CouponReserved, CouponUsed, CouponWithdrawn};
use crate::course_selection::{CourseSelected, CourseSelectionEvent};
use crate::idempotency::IdempotencyEvent;
use crate::operations::{OperationEvent, ParkedActDone, ParkedActLapsed, ParkedActRequested};
use crate::order::{
    OrderAbandoned, OrderCancelled, OrderClosing, OrderCreated, OrderEvent, OrderExpired, OrderPaid, OrderRevived, RefundAccepted,
    RefundFailed, RefundNeedsOperator, RefundObserved, RefundRequested, RefundRetried, RefundSettled, RefundSucceeded, SurplusResolved,
};
use crate::pay_record::{
    LatePaymentReceived, PayRecordClosed, PayRecordClosing, PayRecordEvent, PayRecordFailed, PayRecordIssued, PayRecordOpened,
    PayRecordPrepared, PaymentConfirmed, SurplusPaymentReceived,
};
use crate::stock::{StockAdjusted, StockEvent, StockReceived, StockReleased, StockReserved, StockSold};
use crate::stored::{StoredFormError, UPCASTERS, upcast};
use crate::unknown_capture::{
    UnknownCaptureAssigned, UnknownCaptureEvent, UnknownCaptureMatched, UnknownCaptureOutcome, UnknownCaptureReceived,
    UnknownCaptureRefunded, UnknownCaptureResolved, UnknownCaptureUnassigned,
};

/// One published event.
pub struct PublishedEvent {
    /// Its stored name, and the subject's.
    pub event_type: &'static str,
    /// The aggregate that it belongs to.
    pub aggregate: &'static str,
    /// The JSON Schema of its body.
    pub schema: fn() -> Schema,
}

fn published<T: JsonSchema>(event_type: &'static str, aggregate: &'static str) -> PublishedEvent {
    PublishedEvent { event_type, aggregate, schema: || schemars::schema_for!(T) }
}

/// Every published event.
pub fn events() -> Vec<PublishedEvent> {
    vec![
        published::<OrderCreated>("OrderCreated", "order"),
        published::<OrderAbandoned>("OrderAbandoned", "order"),
        published::<OrderClosing>("OrderClosing", "order"),
        published::<OrderPaid>("OrderPaid", "order"),
        published::<OrderExpired>("OrderExpired", "order"),
        published::<OrderCancelled>("OrderCancelled", "order"),
        published::<OrderRevived>("OrderRevived", "order"),
        published::<RefundRequested>("RefundRequested", "pay_record"),
        published::<RefundAccepted>("RefundAccepted", "pay_record"),
        published::<RefundSucceeded>("RefundSucceeded", "pay_record"),
        published::<RefundFailed>("RefundFailed", "pay_record"),
        published::<RefundNeedsOperator>("RefundNeedsOperator", "pay_record"),
        published::<RefundRetried>("RefundRetried", "pay_record"),
        published::<RefundSettled>("RefundSettled", "pay_record"),
        published::<RefundObserved>("RefundObserved", "pay_record"),
        published::<SurplusResolved>("SurplusResolved", "pay_record"),
        published::<PayRecordIssued>("PayRecordIssued", "pay_record"),
        published::<PayRecordPrepared>("PayRecordPrepared", "pay_record"),
        published::<PayRecordOpened>("PayRecordOpened", "pay_record"),
        published::<PayRecordFailed>("PayRecordFailed", "pay_record"),
        published::<PayRecordClosing>("PayRecordClosing", "pay_record"),
        published::<PayRecordClosed>("PayRecordClosed", "pay_record"),
        published::<PaymentConfirmed>("PaymentConfirmed", "pay_record"),
        published::<SurplusPaymentReceived>("SurplusPaymentReceived", "pay_record"),
        published::<LatePaymentReceived>("LatePaymentReceived", "pay_record"),
        published::<UnknownCaptureReceived>("UnknownCaptureReceived", "unknown_capture"),
        published::<UnknownCaptureRefunded>("UnknownCaptureRefunded", "unknown_capture"),
        published::<UnknownCaptureAssigned>("UnknownCaptureAssigned", "unknown_capture"),
        published::<UnknownCaptureMatched>("UnknownCaptureMatched", "unknown_capture"),
        published::<UnknownCaptureUnassigned>("UnknownCaptureUnassigned", "unknown_capture"),
        published::<UnknownCaptureResolved>("UnknownCaptureResolved", "unknown_capture"),
        published::<StockReceived>("StockReceived", "stock"),
        published::<StockReserved>("StockReserved", "stock"),
        published::<StockReleased>("StockReleased", "stock"),
        published::<StockSold>("StockSold", "stock"),
        published::<StockAdjusted>("StockAdjusted", "stock"),
        published::<CouponGranted>("CouponGranted", "coupon"),
        published::<CouponReserved>("CouponReserved", "coupon"),
        published::<CouponReleased>("CouponReleased", "coupon"),
        published::<CouponUsed>("CouponUsed", "coupon"),
        published::<CouponWithdrawn>("CouponWithdrawn", "coupon"),
        published::<CourseSelected>("CourseSelected", "course_selection"),
        published::<ParkedActRequested>("ParkedActRequested", "operations"),
        published::<ParkedActDone>("ParkedActDone", "operations"),
        published::<ParkedActLapsed>("ParkedActLapsed", "operations"),
    ]
}

/// The names of all events that this version stores, published or not, and the number of today's shape of each.
pub fn stored_shapes() -> impl Iterator<Item = (&'static str, u16)> {
    let stored = [
        OrderEvent::STORED,
        PayRecordEvent::STORED,
        CourseSelectionEvent::STORED,
        StockEvent::STORED,
        CouponEvent::STORED,
        IdempotencyEvent::STORED,
        UnknownCaptureEvent::STORED,
        UnknownCaptureOutcome::STORED,
        OperationEvent::STORED,
    ];
    stored.into_iter().flatten().copied()
}

/// What is published of a stored event: its content in today's shape, as exact JSON. Where it was stored in that shape, it is
/// the stored text itself.
///
/// Errors: a name or a shape that this version does not know, or content that is not what they promise.
pub fn body<'a>(event_type: &str, schema_version: u16, data: &'a str) -> Result<Cow<'a, str>, StoredFormError> {
    let Some((_, today)) = stored_shapes().find(|(name, _)| *name == event_type) else {
        return Err(StoredFormError::UnknownType { event_type: event_type.to_owned() });
    };
    if schema_version == today {
        return Ok(Cow::Borrowed(data));
    }
    let too_new = || StoredFormError::TooNew { event_type: event_type.to_owned(), schema_version };
    if schema_version > today || schema_version == 0 {
        return Err(too_new());
    }
    let malformed = |source| StoredFormError::Malformed { event_type: event_type.to_owned(), source };
    let content = serde_json::from_str(data).map_err(malformed)?;
    let content = upcast(UPCASTERS, event_type, schema_version, today, content).ok_or_else(too_new)?;
    serde_json::to_string(&content).map(Cow::Owned).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_stored_in_todays_shape_is_published_byte_for_byte() {
        let data = "{ \"order_id\" : \"7\" }";
        assert!(matches!(body("OrderPaid", 1, data), Ok(Cow::Borrowed(same)) if same == data));
    }

    #[test]
    fn an_unknown_name_and_an_unknown_shape_are_not_published() {
        assert!(matches!(body("OrderEaten", 1, "{}"), Err(StoredFormError::UnknownType { .. })));
        assert!(matches!(body("OrderPaid", 9, "{}"), Err(StoredFormError::TooNew { schema_version: 9, .. })));
        assert!(matches!(body("OrderPaid", 0, "{}"), Err(StoredFormError::TooNew { schema_version: 0, .. })));
    }

    #[test]
    fn every_published_event_is_stored_and_stands_in_the_list_once() {
        let stored: HashSet<_> = stored_shapes().map(|(name, _)| name).collect();
        let published = events();
        assert!(published.iter().all(|event| stored.contains(event.event_type)));
        assert_eq!(published.iter().map(|event| event.event_type).collect::<HashSet<_>>().len(), published.len());
    }
}
