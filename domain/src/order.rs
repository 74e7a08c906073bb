//! The order: what is owed, its pay records, and how it ends. All of it lies on one stream, `order-{order_id}`.

mod attempt;
mod commands;
mod decide;
mod ending;
mod events;
mod refund;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub use attempt::wallet_subject;
pub use commands::{Attempt, EndCause, OrderCommand, OrderRejection, RefundCommand, RefundOutcome};
pub use events::{
    AppliedCoupon, Client, IdempotencyKeyRecorded, OrderAbandoned, OrderCancelled, OrderClosing, OrderCreated, OrderDraft, OrderEvent,
    OrderExpired, OrderPaid, OrderRevived, OrderSource, OrderType, RefundAccepted, RefundCause, RefundFailed, RefundNeedsOperator,
    RefundObserved, RefundRequested, RefundRetried, RefundSettled, RefundSucceeded, SurplusResolved,
};
pub use refund::{Refund, RefundStatus};
pub use state::{KeyUse, Order, OrderStatus, PaymentStatus};
pub use stream::OrderStreamEvent;
