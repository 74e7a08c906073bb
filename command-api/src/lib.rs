//! The write side: one command handler, the commands, what scanners, browsers and channels reach, process managers.

mod aggregate;
mod attempts;
mod caller;
mod cancel;
mod channels;
mod checkout;
mod coupons;
mod creation;
mod failure;
pub mod handler;
mod held;
mod inbox;
mod late_payments;
mod links;
mod native_callback;
mod notices;
mod orders;
mod parked;
mod pay_records;
mod payer;
pub mod process_managers;
mod reconcile;
mod refunds;
mod render;
mod renewal;
mod routes;
mod selections;
mod service;
mod settle;
mod stock;
pub mod streams;
#[cfg(test)]
mod testing;
mod text;
mod wallet;

pub use caller::{Caller, CallerKey};
pub use cancel::Cancelled;
pub use channels::{Channels, ConfiguredChannel};
pub use checkout::Pages;
pub use coupons::CouponRule;
pub use creation::Created;
pub use failure::CommandFailure;
pub use held::Held;
pub use inbox::{
    CleanedUp, INBOX_MIGRATIONS, KeptNotice, MemoryInbox, NoticeAction, NoticeDesk, NoticeFilter, NoticeInbox, NoticeState, OperatorAct,
    SqlInbox, StoredNotice, UNVERIFIED_RETENTION, Unmatched, VERIFIED_RETENTION,
};
pub use links::Links;
pub use notices::{NoticeAnswer, NoticeFailure, NoticeVerdict, Unverified};
pub use orders::{BusinessItem, BusinessOrder, OrderRequest};
pub use parked::{ParkedActed, ParkedActs, ParkedCommand, ParkedFailure, ParkedOutcome, ParkedReply, ParkedWish};
pub use pay_records::PayWish;
pub use payer::Payer;
pub use reconcile::{
    DayState, Discrepancy, DiscrepancyKind, MemoryStatementBook, Movement, Reconciliation, STATEMENT_MIGRATION, SqlStatementBook,
    StatementBook, StatementDay,
};
pub use refunds::{OperatorChoice, RefundAnswer, RefundWish};
pub use renewal::Renewed;
pub use routes::{ApiState, PARKED_PATH, parked_routes, routes};
pub use service::{CommandConfig, Commands, Ports};
pub use stock::{StockAnswer, StockChange};
pub use text::UnfitText;
pub use wallet::Wallet;
