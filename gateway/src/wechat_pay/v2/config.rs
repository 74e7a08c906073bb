//! What must be known to speak API v2, checked whole before anything starts. Without it the protocol is off.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use chassis::secret::Secret;
use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::Deserialize;

use super::certificate::{CertificateError, ClientCertificate};
use super::sign::{Digest, Signer};
use crate::settings::{Flaw, address, given, letters_and_digits, time_limit};

pub use crate::settings::{CALL_TIME_LIMIT, LONGEST_CALL_TIME_LIMIT};

/// The characters of an API key.
const API_KEY_LENGTH: usize = 32;

/// The longest name of a site, in characters; it is told to the channel with payments in a phone's browser.
const WAP_NAME_LIMIT: usize = 32;

/// The domain of WeChat Pay's own addresses.
const TENCENT_DOMAIN: &str = "weixin.qq.com";

/// The configuration as it is typed. Nothing of it is checked; see [`WechatPayV2Config::new`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WechatPayV2Settings {
    /// What the paths of calls are put behind, for instance `https://api.mch.weixin.qq.com`.
    pub base_url: String,
    /// The id of the official account or mini program that codes, pages inside WeChat and phones' browsers pay through.
    pub app_id: String,
    /// The id of the application that [`WechatAppV2`](domain::Channel::WechatAppV2) pays through; `app_id` unless given.
    #[serde(default)]
    pub mobile_app_id: Option<String>,
    /// The merchant's number.
    pub mch_id: String,
    /// The API keys of v2, 32 letters and digits each. The first signs and any verifies, while one follows another.
    pub api_keys: Vec<Secret<String>>,
    /// `MD5` or `HMAC-SHA256`, for what is sent and what comes alike.
    pub sign_type: String,
    /// The merchant's API certificate in PEM. Refunds need it and its key.
    #[serde(default)]
    pub client_certificate: Option<String>,
    /// The private key of the certificate in PEM.
    #[serde(default)]
    pub client_key: Option<Secret<String>>,
    /// The address of this server, which stands for the payer's where that is not known.
    pub server_ip: String,
    /// The site that payments in a phone's browser come from; such payments need it and its name.
    #[serde(default)]
    pub wap_url: Option<String>,
    /// The name of that site.
    #[serde(default)]
    pub wap_name: Option<String>,
    /// How long one call may take, in milliseconds; [`CALL_TIME_LIMIT`] unless given.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// A checked configuration. Printing it shows no key.
pub struct WechatPayV2Config {
    pub(super) base_url: Url,
    pub(super) app_id: String,
    pub(super) mobile_app_id: String,
    pub(super) mch_id: String,
    pub(super) signer: Signer,
    pub(super) certificate: Option<ClientCertificate>,
    pub(super) server_ip: IpAddr,
    pub(super) site: Option<Site>,
    pub(super) time_limit: Duration,
}

/// The site that payments in a phone's browser come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) url: String,
    pub(super) name: String,
}

/// What is wrong with the configuration. It names the member and holds no value of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WechatPayV2ConfigError {
    /// A member that must be given is not.
    #[error("{member} is missing")]
    Missing {
        /// The member's name in [`WechatPayV2Settings`].
        member: &'static str,
    },
    /// A member's value cannot be right.
    #[error("{member}: {expected}")]
    Invalid {
        /// The member's name in [`WechatPayV2Settings`].
        member: &'static str,
        /// What is expected of it.
        expected: &'static str,
    },
    /// The merchant's certificate cannot be used.
    #[error("client_certificate is refused")]
    Certificate(#[source] CertificateError),
}

impl From<Flaw> for WechatPayV2ConfigError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Missing { member } => Self::Missing { member },
            Flaw::Invalid { member, expected } => Self::Invalid { member, expected },
        }
    }
}

impl WechatPayV2ConfigError {
    /// The name in [`WechatPayV2Settings`] of the member that is wrong.
    pub fn member(&self) -> &'static str {
        match self {
            Self::Missing { member } | Self::Invalid { member, .. } => member,
            Self::Certificate(CertificateError::KeyUnreadable | CertificateError::OtherKey) => "client_key",
            Self::Certificate(_) => "client_certificate",
        }
    }
}

impl WechatPayV2Config {
    /// Checks every member and reads the certificate. Errors: the first member that is missing or wrong.
    pub fn new(settings: &WechatPayV2Settings) -> Result<Self, WechatPayV2ConfigError> {
        let app_id = letters_and_digits("app_id", &settings.app_id)?;
        let mobile_app_id = settings.mobile_app_id.as_deref().map(|value| letters_and_digits("mobile_app_id", value)).transpose()?;
        let mch_id = letters_and_digits("mch_id", &settings.mch_id)?;
        Ok(Self {
            base_url: address("base_url", &settings.base_url, &[TENCENT_DOMAIN], "https is expected for an address of WeChat Pay")?,
            mobile_app_id: mobile_app_id.unwrap_or_else(|| app_id.clone()),
            app_id,
            signer: signer(settings)?,
            certificate: certificate(settings)?,
            mch_id,
            server_ip: given("server_ip", &settings.server_ip)?
                .parse()
                .map_err(|_| WechatPayV2ConfigError::Invalid { member: "server_ip", expected: "an IP address is expected" })?,
            site: site(settings)?,
            time_limit: time_limit(settings.timeout_ms)?,
        })
    }

    /// What the paths of calls are put behind.
    pub fn base_url(&self) -> &str {
        self.base_url.as_str()
    }

    /// When the merchant's certificate, if there is one, is no longer taken.
    pub fn certificate_expires_at(&self) -> Option<DateTime<Utc>> {
        self.certificate.as_ref().map(|certificate| certificate.expires_at)
    }

    /// The serial number of the merchant's certificate, if there is one, in upper-case hexadecimal.
    pub fn certificate_serial(&self) -> Option<&str> {
        self.certificate.as_ref().map(|certificate| certificate.serial.as_str())
    }

    /// Whether an application is one that we pay through.
    pub(super) fn is_our_app(&self, app_id: &str) -> bool {
        app_id == self.app_id || app_id == self.mobile_app_id
    }

    /// Whether payments in a phone's browser can be asked for.
    pub fn has_site(&self) -> bool {
        self.site.is_some()
    }

    /// Whether refunds can be asked for: at WeChat Pay itself only with the merchant's certificate.
    pub fn can_refund(&self) -> bool {
        self.certificate.is_some() || self.base_url.scheme() == "http"
    }
}

impl fmt::Debug for WechatPayV2Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPayV2Config")
            .field("base_url", &self.base_url.as_str())
            .field("app_id", &self.app_id)
            .field("mobile_app_id", &self.mobile_app_id)
            .field("mch_id", &self.mch_id)
            .field("signer", &self.signer)
            .field("certificate_expires_at", &self.certificate.as_ref().map(|certificate| certificate.expires_at))
            .field("server_ip", &self.server_ip)
            .field("site", &self.site)
            .field("time_limit", &self.time_limit)
            .finish()
    }
}

fn invalid(member: &'static str, expected: &'static str) -> WechatPayV2ConfigError {
    WechatPayV2ConfigError::Invalid { member, expected }
}

fn signer(settings: &WechatPayV2Settings) -> Result<Signer, WechatPayV2ConfigError> {
    let member = "api_keys";
    if settings.api_keys.is_empty() {
        return Err(WechatPayV2ConfigError::Missing { member });
    }
    // A blank or a byte order mark that came with a copied key would make every signature fail.
    let is_key = |key: &str| key.len() == API_KEY_LENGTH && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !settings.api_keys.iter().all(|key| is_key(key.expose())) {
        return Err(invalid(member, "32 letters and digits are expected of each key"));
    }
    let member = "sign_type";
    let digest = Digest::parse(given(member, &settings.sign_type)?).ok_or(invalid(member, "MD5 or HMAC-SHA256 is expected"))?;
    Ok(Signer::new(digest, settings.api_keys.clone()))
}

fn certificate(settings: &WechatPayV2Settings) -> Result<Option<ClientCertificate>, WechatPayV2ConfigError> {
    match (&settings.client_certificate, &settings.client_key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(WechatPayV2ConfigError::Missing { member: "client_key" }),
        (None, Some(_)) => Err(WechatPayV2ConfigError::Missing { member: "client_certificate" }),
        (Some(certificate), Some(key)) => {
            ClientCertificate::read(certificate, key.expose()).map(Some).map_err(WechatPayV2ConfigError::Certificate)
        }
    }
}

fn site(settings: &WechatPayV2Settings) -> Result<Option<Site>, WechatPayV2ConfigError> {
    match (&settings.wap_url, &settings.wap_name) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(WechatPayV2ConfigError::Missing { member: "wap_name" }),
        (None, Some(_)) => Err(WechatPayV2ConfigError::Missing { member: "wap_url" }),
        (Some(url), Some(name)) => {
            let url = given("wap_url", url)?;
            let is_site = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !is_site {
                return Err(invalid("wap_url", "an http or https URL is expected"));
            }
            let name = given("wap_name", name)?;
            if name.chars().count() > WAP_NAME_LIMIT || name.chars().any(char::is_control) {
                return Err(invalid("wap_name", "at most 32 characters are expected"));
            }
            Ok(Some(Site { url: url.to_owned(), name: name.to_owned() }))
        }
    }
}

#[cfg(test)]
mod tests;
