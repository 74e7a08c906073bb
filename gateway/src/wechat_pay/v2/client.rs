//! What a page inside WeChat, a mini program or an app hands to the wallet.

use chrono::{DateTime, Utc};
use domain::Channel;

use super::WechatPayV2Gateway;
use super::product::Product;
use super::request::is_nonce;
use super::sign::SIGN;
use crate::{ClientParameters, GatewayError, Operation};

/// The longest number of what was prepared, in characters.
const PREPAY_ID_LIMIT: usize = 128;

impl WechatPayV2Gateway {
    pub(super) fn sign_for_client(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        let asked = self.asked(Operation::ClientParameters);
        if channel != self.channel() {
            return Err(asked.refused("paystream.other_channel".to_owned()));
        }
        let is_word = (1..=PREPAY_ID_LIMIT).contains(&prepay_id.len()) && prepay_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word {
            return Err(asked.refused("paystream.invalid_prepay_id".to_owned()));
        }
        if !is_nonce(nonce) {
            return Err(asked.refused("paystream.invalid_nonce".to_owned()));
        }
        let config = &self.merchant.config;
        let app_id = self.merchant.app_id(self.product).to_owned();
        let (time, nonce) = (at.timestamp().to_string(), nonce.to_owned());
        let (mut members, sign) = match self.product {
            Product::Jsapi => {
                let members = vec![
                    ("appId", app_id),
                    ("timeStamp", time),
                    ("nonceStr", nonce),
                    ("package", format!("prepay_id={prepay_id}")),
                    ("signType", config.signer.digest().as_str().to_owned()),
                ];
                (members, "paySign")
            }
            Product::App => {
                let members = vec![
                    ("appid", app_id),
                    ("partnerid", config.mch_id.clone()),
                    ("prepayid", prepay_id.to_owned()),
                    ("package", "Sign=WXPay".to_owned()),
                    ("noncestr", nonce),
                    ("timestamp", time),
                ];
                (members, SIGN)
            }
            Product::Native | Product::H5 => return Err(asked.refused("paystream.no_client_parameters".to_owned())),
        };
        let signature = config.signer.sign(members.iter().map(|(name, value)| (*name, value.as_str())));
        members.push((sign, signature));
        Ok(ClientParameters { members })
    }
}

#[cfg(test)]
mod tests;
