//! Notifications of payments: read as flat XML, verified on their members, then compared with who we are.
//!
//! Source: WeChat Pay's page of the result of a payment.

use domain::{Currency, Money};

use super::answer::{FAIL, SUCCESS, fen, text};
use super::config::WechatPayV2Config;
use super::product::Product;
use super::sign::SignatureError;
use super::xml::{self, Members, XmlError};
use super::{WechatPayV2, refund_notification};
use crate::{News, Notification, NotificationRefusal, NotificationReply, RawNotification, Receipt, beijing};

/// The body that tells the channel not to send it again.
pub(super) const DURABLE: &str = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

/// The body that tells the channel to send it again.
pub(super) const REFUSED: &str = "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[REFUSED]]></return_msg></xml>";

impl From<XmlError> for NotificationRefusal {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::TooLarge | XmlError::Malformed => Self::Malformed,
            XmlError::Unsafe => Self::UnsafeXml,
            XmlError::Duplicate => Self::DuplicateParam,
        }
    }
}

impl From<SignatureError> for NotificationRefusal {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Missing => Self::MissingSign,
            SignatureError::OtherDigest => Self::SignTypeNotAllowed,
            SignatureError::Forged => Self::BadSignature,
        }
    }
}

/// Reads the members, whoever wrote them.
pub(super) fn parsed(body: &[u8]) -> Result<Members, NotificationRefusal> {
    Ok(xml::read(body, xml::ROOT)?)
}

/// The members, if the channel signed them, whatever they say and whomever they are for.
pub(super) fn verified<'a>(members: &'a Members, config: &WechatPayV2Config) -> Result<&'a Members, NotificationRefusal> {
    config.signer.verify(members)?;
    Ok(members)
}

/// What goes back to the channel.
pub(super) fn reply(receipt: Receipt) -> NotificationReply {
    let body = match receipt {
        Receipt::Durable => DURABLE,
        Receipt::Refused => REFUSED,
    };
    NotificationReply { status: 200, content_type: "text/xml; charset=utf-8", body }
}

impl WechatPayV2 {
    /// Reads a notification of a payment or, known by its encrypted member, of a refund. Errors: the first check that fails.
    pub(super) fn read_notification(&self, raw: &RawNotification) -> Result<Notification, NotificationRefusal> {
        let members = parsed(&raw.body)?;
        match text(&members, refund_notification::SEALED) {
            Some(sealed) => refund_notification::read(&members, sealed, &self.config),
            None => self.payment(verified(&members, &self.config)?),
        }
    }

    fn payment(&self, members: &Members) -> Result<Notification, NotificationRefusal> {
        if text(members, "return_code") != Some(SUCCESS) {
            return Err(NotificationRefusal::UnknownStatus);
        }
        let product = text(members, "trade_type").and_then(Product::parse);
        let app_id = text(members, "appid");
        let is_ours = match product {
            Some(product) => app_id == Some(self.app_id(product)),
            None => app_id.is_some_and(|app_id| self.config.is_our_app(app_id)),
        };
        if !is_ours {
            return Err(NotificationRefusal::AppIdMismatch);
        }
        if text(members, "mch_id") != Some(&self.config.mch_id) {
            return Err(NotificationRefusal::MerchantIdMismatch);
        }
        let number = |name: &str| text(members, name).map(str::to_owned).ok_or(NotificationRefusal::Incomplete);
        let result_code = number("result_code")?;
        let (out_trade_no, trade_no) = (number("out_trade_no")?, number("transaction_id")?);
        Ok(Notification {
            // The channel gives notifications no id; a payment is told of once for each result.
            notify_id: format!("{result_code}-{trade_no}"),
            amount: amount(members, "total_fee")?,
            news: match result_code.as_str() {
                SUCCESS => News::Paid { paid_at: text(members, "time_end").and_then(beijing::parse_compact), is_final: false },
                // An attempt that failed: the payment can still be made.
                FAIL => News::AwaitingBuyer,
                _ => return Err(NotificationRefusal::UnknownStatus),
            },
            // Paid by a product that we never ask for.
            query_first: product.is_none(),
            out_trade_no,
            trade_no,
        })
    }
}

/// An amount in fen. Errors: `CurrencyMismatch`, `BadAmount`.
pub(super) fn amount(members: &Members, name: &str) -> Result<Money, NotificationRefusal> {
    if text(members, "fee_type").is_some_and(|code| Currency::parse(code).is_err()) {
        return Err(NotificationRefusal::CurrencyMismatch);
    }
    text(members, name).and_then(fen).ok_or(NotificationRefusal::BadAmount)
}

#[cfg(test)]
mod tests;
