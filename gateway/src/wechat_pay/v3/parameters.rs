//! What a page inside WeChat, a mini program or an app hands to WeChat to pay, signed by the merchant.

use chrono::{DateTime, Utc};
use domain::Channel;

use super::config::WechatPayConfig;
use super::signing::lines;
use crate::ClientParameters;
use crate::rsa::SigningFailed;

/// The members for a page inside WeChat and for a mini program. Names are in camel case, and WeChat minds the case.
pub(super) fn jsapi(
    config: &WechatPayConfig,
    channel: Channel,
    prepay_id: &str,
    at: DateTime<Utc>,
    nonce: &str,
) -> Result<ClientParameters, SigningFailed> {
    let appid = config.appid_of(channel);
    let timestamp = at.timestamp().to_string();
    let package = format!("prepay_id={prepay_id}");
    let sign = config.merchant_key.sign(lines(&[appid, &timestamp, nonce, &package]).as_bytes())?;
    Ok(ClientParameters {
        members: vec![
            ("appId", appid.to_owned()),
            ("timeStamp", timestamp),
            ("nonceStr", nonce.to_owned()),
            ("package", package),
            ("signType", "RSA".to_owned()),
            ("paySign", sign),
        ],
    })
}

/// The members for an app. Here the bare id is signed, and `package` says nothing.
pub(super) fn app(config: &WechatPayConfig, prepay_id: &str, at: DateTime<Utc>, nonce: &str) -> Result<ClientParameters, SigningFailed> {
    let appid = config.appid_of(Channel::WechatApp);
    let timestamp = at.timestamp().to_string();
    let sign = config.merchant_key.sign(lines(&[appid, &timestamp, nonce, prepay_id]).as_bytes())?;
    Ok(ClientParameters {
        members: vec![
            ("appid", appid.to_owned()),
            ("partnerid", config.mchid.clone()),
            ("prepayid", prepay_id.to_owned()),
            ("package", "Sign=WXPay".to_owned()),
            ("noncestr", nonce.to_owned()),
            ("timestamp", timestamp),
            ("sign", sign),
        ],
    })
}
