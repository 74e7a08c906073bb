//! What may happen in Paystream and what is true: pure decisions over orders, pay records and course selections.
//!
//! No async, no input or output, no clock, no HTTP and no SQL: time is an argument, money is whole numbers.

pub mod channel;
pub mod coupon;
pub mod course_selection;
pub mod decider;
pub mod idempotency;
pub mod ids;
pub mod money;
pub mod operations;
pub mod order;
pub mod pay_record;
mod product_kind;
pub mod published;
#[cfg(test)]
mod scenario;
mod schema;
pub mod stock;
pub mod stored;
pub mod unknown_capture;

pub use channel::Channel;
pub use decider::Decider;
pub use ids::{BuyerId, CouponId, OrderId, PayNo, ProductId, RefundNo, SelectionId, SkuId};
pub use money::{Currency, MinorUnits, Money};
pub use product_kind::ProductKind;
