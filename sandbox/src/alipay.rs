//! Alipay's side: its gateway, the trades behind it and the notifications it sends.
//!
//! Source: the rules of Alipay's `gateway.do` protocol with `RSA2`, in public-key mode and in certificate mode: the calls that
//! name certificates are answered under them.

mod account;
mod answer;
mod asked;
mod beijing;
mod bill;
mod certificates;
mod charset;
mod close;
mod content;
mod control;
mod credentials;
mod download;
mod form;
mod gateway;
mod keys;
mod notification;
mod page;
mod precreate;
mod query;
mod refund;
mod request;
mod signature;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use chrono::TimeDelta;

pub use account::AccountError;
pub(crate) use account::{Account, AccountTexts, refund_no, trade_no};
pub use certificates::AlipayCertificateFiles;
pub use credentials::AlipayCredentials;
pub(crate) use notification::{Signer, compose};
pub(crate) use page::return_address;

use crate::Sandbox;
use crate::trade::Standing;

/// How many times a notification is delivered at most.
pub(crate) const NOTIFY_ATTEMPTS: u32 = 8;

/// The waits between the deliveries of a notification.
pub(crate) const NOTIFY_LADDER: [TimeDelta; NOTIFY_ATTEMPTS as usize - 1] = [
    TimeDelta::minutes(4),
    TimeDelta::minutes(10),
    TimeDelta::minutes(10),
    TimeDelta::hours(1),
    TimeDelta::hours(2),
    TimeDelta::hours(6),
    TimeDelta::hours(15),
];

/// The largest request that the gateway reads, in bytes.
const REQUEST_LIMIT: usize = 256 * 1024;

/// The routes that a merchant's Alipay SDK calls.
pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/alipay/gateway.do", get(gateway::gateway).post(gateway::gateway))
        .route("/sandbox/alipay/bills/{date}", get(bill::download))
        .merge(control::routes())
}

/// The whole body of an acknowledgement; nothing may stand around it.
pub(crate) const ACKNOWLEDGEMENT: &[u8] = b"success";

/// Alipay's word for where a trade stands; none while it has no trade.
pub(crate) fn trade_status(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Coded | Standing::CodeExpired => None,
        Standing::AwaitingBuyer => Some("WAIT_BUYER_PAY"),
        Standing::Closed | Standing::Refunded => Some("TRADE_CLOSED"),
        Standing::Paid => Some("TRADE_SUCCESS"),
    }
}
