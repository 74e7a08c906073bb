//! The sandbox from outside: over HTTP, as a merchant, a buyer's phone and a test use it.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

mod alipay_keys;
mod bills;
mod cashier;
mod certificates;
mod control;
mod faults;
mod gateway;
mod merchant;
mod notifications;
mod pages;
mod refunds;
mod restart;
mod wechat;
mod wechat_keys;
mod wechat_v2;
mod world;
