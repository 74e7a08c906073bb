//! Native mode 1: codes of products, and the callback that tells of a scan.
//!
//! Source: WeChat Pay's page of Native, mode 1.

use chrono::{DateTime, Utc};
use form_urlencoded::byte_serialize;

use super::answer::{FAIL, SUCCESS, text};
use super::request::{is_nonce, product_number, sendable};
use super::sign::SIGN;
use super::{WechatPayV2Gateway, notification, xml};
use crate::{GatewayError, NotificationRefusal, Operation, ProductCodes, ProductScan, ScanAnswer};

/// The page of the wallet that a code leads to.
const PAGE: &str = "weixin://wxpay/bizpayurl";

/// The longest text that the buyer reads, in bytes.
const SHOWN_LIMIT: usize = 128;

impl ProductCodes for WechatPayV2Gateway {
    fn product_link(&self, product_id: &str, at: DateTime<Utc>, nonce: &str) -> Result<String, GatewayError> {
        let asked = self.asked(Operation::Precreate);
        product_number(product_id).map_err(|broken| asked.unsendable(broken))?;
        if !is_nonce(nonce) {
            return Err(asked.refused("paystream.invalid_nonce".to_owned()));
        }
        let config = &self.merchant.config;
        let time = at.timestamp().to_string();
        let members = [
            ("appid", config.app_id.as_str()),
            ("mch_id", config.mch_id.as_str()),
            ("nonce_str", nonce),
            ("product_id", product_id),
            ("time_stamp", time.as_str()),
        ];
        // Signed bare, and encoded in the link only.
        let sign = config.signer.sign(members);
        let encoded = |(name, value): (&str, &str)| format!("{name}={}", byte_serialize(value.as_bytes()).collect::<String>());
        let query: Vec<_> = members.into_iter().chain([(SIGN, sign.as_str())]).map(encoded).collect();
        Ok(format!("{PAGE}?{}", query.join("&")))
    }

    fn read_scan(&self, body: &[u8]) -> Result<ProductScan, NotificationRefusal> {
        let config = &self.merchant.config;
        let members = notification::parsed(body)?;
        notification::verified(&members, config)?;
        let member = |name: &str| text(&members, name).map(str::to_owned).ok_or(NotificationRefusal::Incomplete);
        if member("appid")? != config.app_id {
            return Err(NotificationRefusal::AppIdMismatch);
        }
        if member("mch_id")? != config.mch_id {
            return Err(NotificationRefusal::MerchantIdMismatch);
        }
        Ok(ProductScan { openid: member("openid")?, product_id: member("product_id")?, nonce: member("nonce_str")? })
    }

    fn scan_reply(&self, answer: &ScanAnswer, nonce: &str) -> String {
        let shown;
        let (result_code, own) = match answer {
            ScanAnswer::Prepared { prepay_id } => (SUCCESS, ("prepay_id", prepay_id.as_str())),
            ScanAnswer::Declined { shown: text } => {
                shown = sendable(text, SHOWN_LIMIT);
                (FAIL, ("err_code_des", shown.as_str()))
            }
        };
        let config = &self.merchant.config;
        let members = [
            ("return_code", SUCCESS),
            ("appid", config.app_id.as_str()),
            ("mch_id", config.mch_id.as_str()),
            ("nonce_str", nonce),
            ("result_code", result_code),
            own,
        ];
        let sign = config.signer.sign(members);
        xml::write(members.into_iter().chain([(SIGN, sign.as_str())]))
    }

    fn scan_refusal(&self) -> &'static str {
        notification::REFUSED
    }
}

#[cfg(test)]
mod tests;
