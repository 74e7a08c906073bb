//! Asynchronous notifications: verified on their bytes, then read, then compared with who we are.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{Currency, Money};

use super::charset::Charset;
use super::config::AlipayConfig;
use super::form::{Empty, Form, FormError};
use super::keys::{AlipayKeys, Untrusted};
use super::request::SIGN_TYPE;
use crate::{News, Notification, NotificationRefusal, beijing};

/// The largest notification that is read, in bytes. Real ones have two or three thousand.
pub const NOTIFICATION_LIMIT: usize = 256 * 1024;

/// The one kind of notification about a payment.
const PAYMENT: &str = "trade_status_sync";

impl From<FormError> for NotificationRefusal {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Malformed => Self::Malformed,
            FormError::Duplicate => Self::DuplicateParam,
        }
    }
}

impl From<Untrusted> for NotificationRefusal {
    fn from(error: Untrusted) -> Self {
        match error {
            Untrusted::Forged => Self::BadSignature,
            Untrusted::UnknownCertificate => Self::UnknownSerial,
            Untrusted::Expired => Self::CertificateExpired,
            Untrusted::NotYetValid => Self::CertificateNotYetValid,
        }
    }
}

/// Reads the form that came at `now` and verifies it, whatever it says and whomever it is for.
pub(super) fn verified<'a>(body: &'a [u8], keys: &AlipayKeys, now: DateTime<Utc>) -> Result<Form<'a>, NotificationRefusal> {
    if body.len() > NOTIFICATION_LIMIT {
        return Err(NotificationRefusal::Malformed);
    }
    let form = Form::read(body)?;
    let sign = form.get("sign").ok_or(NotificationRefusal::MissingSign)?;
    if form.get("sign_type").is_some_and(|sign_type| sign_type != SIGN_TYPE.as_bytes()) {
        return Err(NotificationRefusal::SignTypeNotAllowed);
    }
    let serial = form.get("alipay_cert_sn").and_then(|serial| str::from_utf8(serial).ok());
    let by_alipay = |empty| keys.verify(&form.canonical(&["sign", "sign_type"], empty), sign, serial, now);
    // Whether members without a value are signed is documented both ways; neither way can hide one that counts.
    let verified = match by_alipay(Empty::Kept) {
        Err(Untrusted::Forged) if form.has_empty() => by_alipay(Empty::Dropped),
        verified => verified,
    };
    verified.map(|()| form).map_err(NotificationRefusal::from)
}

/// The certificate that a notification names, whoever wrote it.
pub(super) fn named_certificate(body: &[u8]) -> Option<String> {
    let form = Form::read(Some(body).filter(|body| body.len() <= NOTIFICATION_LIMIT)?).ok()?;
    str::from_utf8(form.get("alipay_cert_sn")?).ok().map(str::to_owned)
}

/// Reads a notification. Errors: the first check that fails, in the order of the refusals' list.
pub(super) fn read(
    body: &[u8],
    config: &AlipayConfig,
    keys: &AlipayKeys,
    received_at: DateTime<Utc>,
) -> Result<Notification, NotificationRefusal> {
    let form = verified(body, keys, received_at)?;
    if form.get("notify_type").is_none_or(<[u8]>::is_empty) {
        return Err(NotificationRefusal::NotANotification);
    }
    let members = Members { form: &form, charset: charset(&form)? };
    let is = |name: &str, expected: &str| members.text(name).as_deref() == Some(expected);
    if !is("notify_type", PAYMENT) {
        return Err(NotificationRefusal::UnknownType);
    }
    if !is("app_id", &config.app_id) {
        return Err(NotificationRefusal::AppIdMismatch);
    }
    let has_seller = form.get("seller_id").is_some();
    if has_seller && !is("seller_id", &config.seller_id) {
        return Err(NotificationRefusal::SellerIdMismatch);
    }
    let status = members.text("trade_status").and_then(|status| Status::parse(&status)).ok_or(NotificationRefusal::UnknownStatus)?;
    let amount = members.amount("total_amount")?.ok_or(NotificationRefusal::BadAmount)?;
    let number = |name: &str| members.text(name).map(Cow::into_owned).ok_or(NotificationRefusal::Incomplete);
    Ok(Notification {
        notify_id: number("notify_id")?,
        out_trade_no: number("out_trade_no")?,
        trade_no: number("trade_no")?,
        amount,
        news: members.news(status, amount)?,
        query_first: !has_seller || form.is_ambiguous(),
    })
}

/// The character set that the notification names, if all of it is in that set.
fn charset(form: &Form<'_>) -> Result<Charset, NotificationRefusal> {
    let charset = form.get("charset").map_or(Some(Charset::Utf8), Charset::parse).ok_or(NotificationRefusal::BadCharset)?;
    // Members without a value may not be signed, so whoever passes the message on may have added them.
    let is_text = |bytes: &[u8]| charset.decode(bytes).is_some();
    if form.iter().all(|(name, value)| value.is_empty() || (is_text(name) && is_text(value))) {
        Ok(charset)
    } else {
        Err(NotificationRefusal::BadCharset)
    }
}

/// Where a trade stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    AwaitingBuyer,
    Success,
    Finished,
    Closed,
}

impl Status {
    /// Reads the value of `trade_status`; `None` for one that this version does not know.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "WAIT_BUYER_PAY" => Some(Self::AwaitingBuyer),
            "TRADE_SUCCESS" => Some(Self::Success),
            "TRADE_FINISHED" => Some(Self::Finished),
            "TRADE_CLOSED" => Some(Self::Closed),
            _ => None,
        }
    }
}

struct Members<'a, 'b> {
    form: &'b Form<'a>,
    charset: Charset,
}

impl Members<'_, '_> {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.charset.decode(self.form.get(name)?)
    }

    fn amount(&self, name: &str) -> Result<Option<Money>, NotificationRefusal> {
        let amount = self.text(name).map(|text| Money::parse_major(&text, Currency::Cny));
        amount.transpose().map_err(|_| NotificationRefusal::BadAmount)
    }

    fn news(&self, status: Status, amount: Money) -> Result<News, NotificationRefusal> {
        let refunded = self.amount("refund_fee")?.filter(|refunded| !refunded.is_zero());
        if refunded.is_some_and(|refunded| refunded.amount_minor() > amount.amount_minor()) {
            return Err(NotificationRefusal::BadAmount);
        }
        let refund =
            |total: Money| News::Refunded { total, whole: total == amount, refund_no: self.text("out_biz_no").map(Cow::into_owned) };
        Ok(match (status, refunded) {
            (Status::AwaitingBuyer, None) => News::AwaitingBuyer,
            (Status::Success | Status::Finished, None) => News::Paid {
                paid_at: self.text("gmt_payment").and_then(|text| beijing::parse_spaced(&text)),
                is_final: status == Status::Finished,
            },
            (Status::Success | Status::Finished, Some(total)) => refund(total),
            (Status::Closed, Some(total)) if total == amount => refund(total),
            (Status::Closed, None) if self.form.get("gmt_payment").is_none() && self.form.get("out_biz_no").is_none() => News::ClosedUnpaid,
            // Closed after a payment whose refunds do not add up, or refunded before it was paid: two members disagree.
            (Status::Closed, _) | (Status::AwaitingBuyer, Some(_)) => News::Unclear,
        })
    }
}

#[cfg(test)]
mod tests;
