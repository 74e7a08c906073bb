//! Calls that change nothing, by which a configuration is tried.

use super::certificates::Failed;
use super::client::{Answer, Call, CallError, WechatPayClient};
use super::keys::KeyError;

/// A number that no payment of ours has.
const NO_PAYMENT: &str = "000000";

/// What the calls have shown of a configuration in which nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Whether an answer came that a configured key verifies. WeChat Pay signs no refusals, and a merchant without platform
    /// certificates and without business has nothing to ask for that is not refused.
    pub is_key_proven: bool,
    /// The serials of platform certificates that count now and that are not configured; empty where they are fetched anyhow.
    pub not_configured: Vec<String>,
}

/// What is wrong with a configuration, as the calls tell it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nobody there speaks WeChat Pay's protocol.
    #[error("WeChat Pay does not answer")]
    Silent,
    /// The merchant number, its certificate's serial or its key is not known there, with WeChat Pay's word for it.
    #[error("WeChat Pay refuses the merchant, its certificate or its key: {0}")]
    Merchant(String),
    /// An answer was not signed by a configured key, or not lately.
    #[error("an answer is not proven to be WeChat Pay's: {0}")]
    Signature(String),
    /// The platform certificates are encrypted under another API v3 key.
    #[error("it is not the API v3 key of the merchant platform: platform certificates cannot be decrypted with it")]
    ApiV3Key,
    /// A platform certificate was issued by another authority than the configured one.
    #[error("a platform certificate was not issued by this authority")]
    Authority,
    /// The platform certificates cannot be used for another reason.
    #[error("the platform certificates cannot be used: {0}")]
    Certificates(String),
}

impl WechatPayClient {
    /// Asks about a payment that does not exist, which tells whether WeChat Pay knows the merchant's key; then for the platform
    /// certificates, whose list is signed, and encrypted under the API v3 key. The answers also tell the channel's time, see
    /// [`WechatPayClient::clock_skew`].
    pub async fn probe(&self) -> Result<Probed, ProbeError> {
        let mchid = &self.config.mchid;
        let call = Call::get(format!("/v3/pay/transactions/out-trade-no/{NO_PAYMENT}?mchid={mchid}"));
        match self.call_once(&call).await {
            // What a call too many, or a bad moment there, says of a payment is of no interest here.
            Ok(Answer::Verified { .. } | Answer::Error { status: 404 | 429 | 500.., code: Some(_) }) => {}
            Ok(Answer::Error { code: Some(code), .. }) => return Err(ProbeError::Merchant(code)),
            Err(CallError::Unverified(why)) => return Err(ProbeError::Signature(why.to_string())),
            Ok(Answer::Error { code: None, .. }) | Err(_) => return Err(ProbeError::Silent),
        }
        let (_, is_key_proven) = self.fetch().await.map_err(|failed| failed.told())?;
        let config = &self.config;
        let fetched = if config.fetch_platform_certificates { Vec::new() } else { self.keys().certificates_beyond(&config.platform_keys) };
        Ok(Probed { is_key_proven, not_configured: fetched })
    }
}

impl Failed {
    fn told(&self) -> ProbeError {
        match self {
            Self::Call(_) => ProbeError::Silent,
            Self::Refused(code) => ProbeError::Merchant(code.clone()),
            Self::Resource(_) => ProbeError::ApiV3Key,
            Self::Unverified(why) => ProbeError::Signature(why.to_string()),
            Self::Certificate(KeyError::OtherIssuer) => ProbeError::Authority,
            Self::Certificate(why) => ProbeError::Certificates(why.to_string()),
            other => ProbeError::Certificates(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
