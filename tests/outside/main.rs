//! The system from outside: the built program, over HTTP, with real servers and a real browser.
//!
//! Each module is one theme and each test a sentence. A test that changes what others see (it counts the events of the
//! whole log, kills the process, breaks its disk) has a Paystream of its own; the others share one per theme.
#![expect(clippy::unwrap_used, reason = "a test's helper that cannot go on has failed the test")]

mod access;
mod alipay_products;
mod bad_input;
mod compose;
mod configuration;
mod consumers;
mod consumers_in_trouble;
mod contract_check;
mod coupons;
mod dark;
mod doctor;
mod documents;
mod forgeries;
mod harness;
mod idempotency;
mod ids;
mod key_rotation;
mod kill_points;
mod kill_under_load;
mod kurrentdb;
mod lifecycle;
mod notices;
mod operators_inbox;
mod other_consumers;
mod packages;
mod page_payment;
mod paid_twice;
mod parked;
mod postgres_roles;
mod product_codes;
mod qr_images;
mod rebuild;
mod relay;
mod roles;
mod sdks;
mod shop_in_browser;
mod source_defects;
mod start_up;
mod stock;
mod stopping;
mod store_faults;
mod two_processes;
mod view_down;
mod views;
mod wechat;
