//! Notifications: verified on their bytes, decrypted, read, then compared with who we are.
//!
//! Source: WeChat Pay v3, notifications of payments and of refunds.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::client::WechatPayClient;
use super::json::{self, JsonError};
use super::refund::state;
use super::resource::{Resource, ResourceError};
use super::verification::{SignedHeaders, Unverified};
use super::wire::{BadSum, RefundTold, Trade, at, filled, sum};
use crate::{News, Notification, NotificationRefusal, RawNotification};

/// The largest notification that is read, in bytes. Real ones have one or two thousand.
pub const NOTIFICATION_LIMIT: usize = 256 * 1024;

/// The only kind of content.
const ENCRYPTED: &str = "encrypt-resource";

const PAID: &str = "TRANSACTION.SUCCESS";

/// How every event of a refund begins; what follows is the refund's state.
const REFUND: &str = "REFUND.";

/// A notification as it is sent; what it tells is encrypted.
#[derive(Deserialize)]
pub(super) struct Envelope {
    #[serde(default)]
    id: Option<String>,
    pub(super) event_type: String,
    resource_type: String,
    pub(super) resource: Content,
}

#[derive(Deserialize)]
pub(super) struct Content {
    #[serde(default)]
    original_type: Option<String>,
    #[serde(flatten)]
    pub(super) sealed: Resource,
}

impl From<Unverified> for NotificationRefusal {
    fn from(error: Unverified) -> Self {
        match error {
            Unverified::MissingHeader => Self::MissingHeader,
            Unverified::BadHeader => Self::BadHeader,
            Unverified::OtherAlgorithm => Self::SignTypeNotAllowed,
            Unverified::ClockSkew => Self::ClockSkew,
            Unverified::UnknownSerial => Self::UnknownSerial,
            Unverified::ExpiredKey => Self::CertificateExpired,
            Unverified::Probe => Self::SignatureProbe,
            Unverified::BadSignature => Self::BadSignature,
        }
    }
}

impl From<JsonError> for NotificationRefusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Unreadable => Self::Malformed,
            JsonError::Duplicate => Self::DuplicateParam,
            JsonError::Shape => Self::Incomplete,
        }
    }
}

impl From<ResourceError> for NotificationRefusal {
    fn from(error: ResourceError) -> Self {
        match error {
            ResourceError::Algorithm => Self::AlgorithmNotAllowed,
            ResourceError::Nonce => Self::BadNonce,
            ResourceError::Ciphertext => Self::BadCiphertext,
            ResourceError::Tag => Self::Undecryptable,
        }
    }
}

impl From<BadSum> for NotificationRefusal {
    fn from(error: BadSum) -> Self {
        match error {
            BadSum::Amount => Self::BadAmount,
            BadSum::Currency => Self::CurrencyMismatch,
        }
    }
}

/// Verifies a notification and reads its outside, whatever it tells and whomever it is for.
pub(super) fn verified(
    raw: &RawNotification,
    received_at: DateTime<Utc>,
    client: &WechatPayClient,
) -> Result<Envelope, NotificationRefusal> {
    if raw.body.len() > NOTIFICATION_LIMIT {
        return Err(NotificationRefusal::TooLarge);
    }
    let headers = SignedHeaders::read(&raw.headers)?;
    headers.verify(&raw.body, &client.keys(), received_at)?;
    Ok(json::read(&raw.body)?)
}

/// Reads a notification. Errors: the first check that fails.
pub(super) fn read(
    raw: &RawNotification,
    received_at: DateTime<Utc>,
    client: &WechatPayClient,
) -> Result<Notification, NotificationRefusal> {
    let envelope = verified(raw, received_at, client)?;
    let of_type = |expected: &str| match envelope.resource.original_type.as_deref() {
        Some(named) if named != expected => Err(NotificationRefusal::Contradictory),
        _ if envelope.resource_type != ENCRYPTED => Err(NotificationRefusal::Contradictory),
        _ => client.config.api_v3_key.open(&envelope.resource.sealed).map_err(NotificationRefusal::from),
    };
    let notify_id = filled(envelope.id.as_ref()).ok_or(NotificationRefusal::Incomplete);
    match envelope.event_type.as_str() {
        PAID => paid(&of_type("transaction")?, notify_id?, client),
        event => match event.strip_prefix(REFUND) {
            Some(told @ ("SUCCESS" | "CLOSED" | "ABNORMAL")) => refund(&of_type("refund")?, told, notify_id?, client),
            // Another product's, or one that did not exist yet.
            _ => Err(NotificationRefusal::UnknownType),
        },
    }
}

fn paid(content: &[u8], notify_id: &str, client: &WechatPayClient) -> Result<Notification, NotificationRefusal> {
    let trade: Trade = json::read(content)?;
    if trade.mchid.as_deref() != Some(&client.config.mchid) {
        return Err(NotificationRefusal::MerchantIdMismatch);
    }
    if !trade.appid.as_deref().is_some_and(|appid| client.config.is_our_appid(appid)) {
        return Err(NotificationRefusal::AppIdMismatch);
    }
    match trade.state.as_deref() {
        // A refund may have begun before a late repeat was written.
        Some("SUCCESS" | "REFUND") => {}
        Some("NOTPAY" | "CLOSED" | "REVOKED" | "USERPAYING" | "PAYERROR") => return Err(NotificationRefusal::Contradictory),
        _ => return Err(NotificationRefusal::UnknownStatus),
    }
    let amount = trade.amount.as_ref().ok_or(NotificationRefusal::BadAmount)?;
    // Unlike with refunds, the pages always name the currency.
    if amount.currency.is_none() {
        return Err(NotificationRefusal::CurrencyMismatch);
    }
    Ok(Notification {
        notify_id: notify_id.to_owned(),
        out_trade_no: number(trade.out_trade_no.as_ref())?,
        trade_no: number(trade.transaction_id.as_ref())?,
        amount: amount.sum()?,
        news: News::Paid { paid_at: at(trade.success_time.as_ref()), is_final: false },
        query_first: false,
    })
}

fn refund(content: &[u8], event: &str, notify_id: &str, client: &WechatPayClient) -> Result<Notification, NotificationRefusal> {
    let told: RefundTold = json::read(content)?;
    // No app is named, and no currency: number and sums are compared with the refund.
    if told.mchid.as_deref() != Some(&client.config.mchid) {
        return Err(NotificationRefusal::MerchantIdMismatch);
    }
    let word = filled(told.refund_status.as_ref()).ok_or(NotificationRefusal::Incomplete)?;
    let news_state = state(word, &told).ok_or(NotificationRefusal::UnknownStatus)?;
    if word != event {
        return Err(NotificationRefusal::Contradictory);
    }
    let amount = told.amount.as_ref().ok_or(NotificationRefusal::BadAmount)?;
    let total = sum(amount.total, amount.currency.as_deref())?;
    let refunded = sum(amount.refund, amount.currency.as_deref())?;
    if refunded.amount_minor() > total.amount_minor() {
        return Err(NotificationRefusal::BadAmount);
    }
    Ok(Notification {
        notify_id: notify_id.to_owned(),
        out_trade_no: number(told.out_trade_no.as_ref())?,
        trade_no: number(told.transaction_id.as_ref())?,
        amount: total,
        news: News::Refund { refund_no: number(told.out_refund_no.as_ref())?, amount: refunded, state: news_state },
        query_first: false,
    })
}

fn number(text: Option<&String>) -> Result<String, NotificationRefusal> {
    filled(text).map(str::to_owned).ok_or(NotificationRefusal::Incomplete)
}

#[cfg(test)]
mod tests;
