//! The routes over tables that were filled by hand: what is shown to whom, and every refusal.

mod audit;
mod course_selections;
mod description;
mod log;
mod orders;
mod pay_records;
mod postgres;
mod progress;
mod rows;
mod schema;
mod stage;
mod watch;
