//! Which events other services see, and their JSON Schemas. The rest (keys, claims) stays inside.

use schemars::{JsonSchema, Schema};

use crate::coupon::{CouponGranted, CouponReleased, CouponReserved, CouponUsed, CouponWithdrawn};
use crate::course_selection::CourseSelected;
use crate::order::{
    OrderAbandoned, OrderCancelled, OrderClosing, OrderCreated, OrderExpired, OrderPaid, OrderRevived, RefundAccepted, RefundFailed,
    RefundNeedsOperator, RefundObserved, RefundRequested, RefundRetried, RefundSettled, RefundSucceeded, SurplusResolved,
};
use crate::pay_record::{
    LatePaymentReceived, PayRecordClosed, PayRecordClosing, PayRecordFailed, PayRecordIssued, PayRecordOpened, PayRecordPrepared,
    PaymentConfirmed, SurplusPaymentReceived,
};
use crate::stock::{StockAdjusted, StockReceived, StockReleased, StockReserved, StockSold};
use crate::unknown_capture::{UnknownCaptureAssigned, UnknownCaptureReceived, UnknownCaptureResolved};

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
        published::<UnknownCaptureAssigned>("UnknownCaptureAssigned", "unknown_capture"),
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
    ]
}
