//! What a merchant of this sandbox holds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A certificate that WeChat Pay signs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformCertificate {
    /// Its serial number, upper-case hexadecimal.
    pub serial: String,
    /// The certificate in PEM.
    pub certificate: String,
}

/// What a merchant of this sandbox's WeChat Pay holds, throwaway values all: they open nothing but this sandbox.
///
/// Printing it shows no secret; serialising it does, since that is how a merchant gets it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WechatCredentials {
    /// The application's id.
    pub appid: String,
    /// The application's secret, for OAuth.
    pub app_secret: String,
    /// The merchant's number.
    pub mchid: String,
    /// Where calls go, in the place of `https://api.mch.weixin.qq.com`.
    pub base_url: String,
    /// The key of notifications and platform certificates: 32 characters, used as bytes.
    pub api_v3_key: String,
    /// The key of the old protocol: 32 characters.
    pub api_v2_key: String,
    /// The serial number of the merchant's certificate, upper-case hexadecimal.
    pub merchant_serial: String,
    /// The merchant's private key, PKCS#8 in PEM.
    pub merchant_private_key: String,
    /// The merchant's certificate in PEM.
    pub merchant_certificate: String,
    /// The id of WeChat Pay's public key, `PUB_KEY_ID_…`.
    pub public_key_id: String,
    /// WeChat Pay's public key in PEM.
    pub public_key: String,
    /// The certificates that WeChat Pay signs with, the newest last.
    pub platform_certificates: Vec<PlatformCertificate>,
    /// Where a browser inside WeChat is sent for the buyer's id, in the place of
    /// `https://open.weixin.qq.com/connect/oauth2/authorize`.
    pub oauth_authorize_url: String,
    /// Where the code that comes back is exchanged, in the place of `https://api.weixin.qq.com/sns/oauth2/access_token`.
    pub oauth_access_token_url: String,
    /// The id of the sandbox's buyer.
    pub openid: String,
}

impl fmt::Debug for WechatCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatCredentials")
            .field("appid", &self.appid)
            .field("mchid", &self.mchid)
            .field("base_url", &self.base_url)
            .field("merchant_serial", &self.merchant_serial)
            .field("public_key_id", &self.public_key_id)
            .field("secrets", &"***")
            .finish_non_exhaustive()
    }
}
