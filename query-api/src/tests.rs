//! The routes over tables that were filled by hand: what is shown to whom, and every refusal.

mod audit;
mod coupons;
mod course_selections;
mod description;
mod entitlements;
mod log;
mod orders;
mod parked;
mod pay_records;
mod points;
mod postgres;
mod progress;
mod refunds;
mod rows;
mod schema;
mod stage;
mod stock;
mod surplus_payments;
mod watch;
