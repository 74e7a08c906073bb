//! The read side: one select a route over the views, live updates, codes as images, the log for auditors, and the
//! description of the whole public API.
//!
//! It owns the shapes of its rows; `migrations/views` is the contract with whoever fills them.

mod access;
mod after;
mod audit;
mod coupons;
mod course_selections;
mod entitlements;
mod etag;
mod failure;
mod money;
mod openapi;
mod orders;
mod pace;
mod page;
mod parked;
mod pay_records;
mod points;
mod progress;
mod refunds;
mod routes;
mod state;
mod stock;
mod surplus_payments;
#[cfg(test)]
mod tests;

pub use openapi::openapi;
pub use progress::{Behind, Follower, ViewProgress, WAIT_LIMIT};
pub use routes::routes;
pub use state::{PayUrl, QueryPorts, QueryState};
