//! The sandbox from outside: over HTTP, as a merchant, a buyer's phone and a test use it.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

mod cashier;
mod control;
mod faults;
mod gateway;
mod notifications;
mod pages;
mod refunds;
mod restart;
mod world;
