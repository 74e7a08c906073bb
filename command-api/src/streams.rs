//! Which streams the aggregates lie on, and how their events are read from and written to them.

use chrono::NaiveDate;
use domain::coupon::{Coupon, CouponEvent};
use domain::course_selection::{CourseSelection, CourseSelectionEvent};
use domain::decider::Decider;
use domain::idempotency::{IdempotencyEvent, IdempotencyKey};
use domain::operations::{OperationEvent, Operations};
use domain::order::{Order, OrderStreamEvent};
use domain::stock::{Stock, StockEvent};
use domain::stored::StoredFormError;
use domain::unknown_capture::{UnknownCapture, UnknownCaptureStreamEvent};
use domain::{CouponId, OrderId, SelectionId, SkuId};
use event_store::StreamId;
use sha2::{Digest, Sha256};

/// An aggregate whose events lie on streams of their own.
pub trait Aggregate: Decider<State = Self, Event: Clone + Send + Sync> + Clone + Default + Send + Sync + 'static {
    /// The stored name, the number of the shape and the exact JSON of an event.
    fn written(event: &Self::Event) -> (&'static str, u16, String);

    /// Reads a stored event.
    fn read(event_type: &str, schema_version: u16, data: &str) -> Result<Self::Event, StoredFormError>;
}

macro_rules! aggregate {
    ($state:ty, $event:ty) => {
        impl Aggregate for $state {
            fn written(event: &$event) -> (&'static str, u16, String) {
                (event.event_type(), event.schema_version(), event.to_json())
            }
            fn read(event_type: &str, schema_version: u16, data: &str) -> Result<$event, StoredFormError> {
                <$event>::from_stored(event_type, schema_version, data)
            }
        }
    };
}
aggregate!(Order, OrderStreamEvent);
aggregate!(CourseSelection, CourseSelectionEvent);
aggregate!(IdempotencyKey, IdempotencyEvent);
aggregate!(Coupon, CouponEvent);
aggregate!(Stock, StockEvent);
aggregate!(UnknownCapture, UnknownCaptureStreamEvent);
aggregate!(Operations, OperationEvent);

/// The stream of an order and its pay records.
pub fn order(order_id: OrderId) -> StreamId {
    visible(&format!("order-{order_id}"))
}

/// The stream of a course selection.
pub fn course_selection(selection_id: SelectionId) -> StreamId {
    visible(&format!("course_selection-{selection_id}"))
}

/// The stream of a SKU's stock.
pub fn stock(sku_id: &SkuId) -> StreamId {
    visible(&format!("stock-{sku_id}"))
}

/// The stream of a coupon.
pub fn coupon(coupon_id: &CouponId) -> StreamId {
    visible(&format!("coupon-{coupon_id}"))
}

/// The stream of a key with this hash.
pub fn idempotency(key_hash: &str) -> StreamId {
    visible(&format!("idempotency-{key_hash}"))
}

/// The stream of a capture that matches no pay record. A channel's number that is no plain word is hashed.
pub fn unknown_capture(wallet: &str, trade_no: &str) -> StreamId {
    StreamId::parse(&format!("unknown_capture-{wallet}-{trade_no}"))
        .unwrap_or_else(|| visible(&format!("unknown_capture-{wallet}-{}", hash(&[trade_no]))))
}

/// The stream of what operators did on a day (UTC) that belongs to no other stream.
pub fn operations(date: NaiveDate) -> StreamId {
    visible(&format!("operations-{date}"))
}

/// SHA-256 over `parts`, each with its length before it so that no two lists have the same bytes; lower-case hex.
pub fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    format!("{:x}", hasher.finalize())
}

fn visible(name: &str) -> StreamId {
    StreamId::parse(name).unwrap_or_else(|| unreachable!("ids and hashes are short visible text: {name}"))
}

#[cfg(test)]
mod tests;
