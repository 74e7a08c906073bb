//! WeChat Pay API v3: JSON, RSA signatures in both directions, and content that is encrypted.
//!
//! Source: WeChat Pay's pages for merchants, API v3.

mod certificates;
mod channel;
mod client;
mod config;
mod content;
mod json;
mod keys;
mod notification;
mod outcome;
mod parameters;
mod probe;
mod refund;
mod resource;
mod signing;
pub(super) mod statement;
mod time;
mod transport;
mod verification;
mod wire;

use chrono::TimeDelta;

pub use certificates::{CERTIFICATES_KEEP, CERTIFICATES_RETRY, CertificatesError, CertificatesFetched};
pub use channel::WechatPayGateway;
pub use client::{WechatPayClient, WechatPayStartError};
pub use config::{
    CALL_TIME_LIMIT, LONGEST_CALL_TIME_LIMIT, PUBLIC_KEY_ID_PREFIX, WechatPayConfig, WechatPayConfigError, WechatPaySettings,
};
pub use keys::{KeyError, KeyExpiry};
pub use notification::NOTIFICATION_LIMIT;
pub use probe::{ProbeError, Probed};
pub use statement::FundAccount;

/// How long a code that was asked for can be scanned, and how long a prepay id can be used; `time_expire` may end it sooner.
pub const CODE_LIFE: TimeDelta = TimeDelta::hours(2);

/// How long the address of a page for a phone's browser can be opened.
pub const LINK_LIFE: TimeDelta = TimeDelta::minutes(5);

/// The longest word of WeChat Pay's that is passed on, in characters.
const WORD_LIMIT: usize = 64;

/// A word that can be logged and stored.
fn word(text: &str) -> String {
    let is_allowed = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    text.chars().filter(is_allowed).take(WORD_LIMIT).collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
