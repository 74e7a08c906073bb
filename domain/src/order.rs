//! The order: what is owed, its pay records, and how it ends. All of it lies on one stream, `order-{order_id}`.

mod attempt;
mod commands;
mod decide;
mod ending;
mod events;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub use attempt::wallet_subject;
pub use commands::{Attempt, EndCause, OrderCommand, OrderRejection};
pub use events::{
    Client, IdempotencyKeyRecorded, OrderAbandoned, OrderCancelled, OrderClosing, OrderCreated, OrderDraft, OrderEvent, OrderExpired,
    OrderPaid, OrderRevived, OrderSource, OrderType, RefundCause, RefundRequested,
};
pub use state::{KeyUse, Order, OrderStatus, PaymentStatus, Refund};
pub use stream::OrderStreamEvent;
