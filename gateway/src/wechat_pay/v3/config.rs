//! What must be known to speak with WeChat Pay v3, checked whole before anything starts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chassis::secret::Secret;
use chrono::{DateTime, Utc};
use domain::Channel;
use reqwest::Url;
use serde::Deserialize;

use super::keys::{Certificate, KeyError, KeyExpiry, MerchantKey, PlatformKey, PlatformKeys};
use super::resource::ApiV3Key;
use super::verification::is_certificate_serial;
use crate::settings::{Flaw, address, digits, given, letters_and_digits, time_limit};

pub use crate::settings::{CALL_TIME_LIMIT, LONGEST_CALL_TIME_LIMIT};

/// How an id of a WeChat Pay public key begins.
pub const PUBLIC_KEY_ID_PREFIX: &str = "PUB_KEY_ID_";

/// How many bytes the API v3 key has.
const API_V3_KEY_LENGTH: usize = 32;

/// The longest id of a public key, in characters.
const PUBLIC_KEY_ID_LIMIT: usize = 128;

/// The domain that WeChat Pay's own hosts lie under.
const WECHAT_DOMAIN: &str = "qq.com";

/// The configuration as it is typed. Nothing of it is checked; see [`WechatPayConfig::new`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WechatPaySettings {
    /// Where requests go, for instance `https://api.mch.weixin.qq.com`; paths are put behind it.
    pub base_url: String,
    /// The merchant number.
    pub mchid: String,
    /// The application: official account, mini program or app, bound to the merchant number.
    pub appid: String,
    /// The application of payments from an app, where it is another one.
    #[serde(default)]
    pub app_appid: Option<String>,
    /// The application of payments from a mini program, where it is another one.
    #[serde(default)]
    pub mini_program_appid: Option<String>,
    /// The API v3 key: 32 characters, set on the merchant platform.
    pub api_v3_key: Secret<String>,
    /// API v3 keys that count beside it, while one follows another: the one that will be set on the merchant platform, or the
    /// one that was.
    #[serde(default)]
    pub other_api_v3_keys: Vec<Secret<String>>,
    /// The serial number of the merchant's API certificate, in hexadecimal.
    pub merchant_serial: String,
    /// The merchant's private key (`apiclient_key.pem`): RSA of 2048 bits, PKCS#8 or PKCS#1, PEM or base64.
    pub merchant_private_key: Secret<String>,
    /// The merchant's API certificate (`apiclient_cert.pem`). Not needed; given, key and serial number are compared with it.
    #[serde(default)]
    pub merchant_certificate: Option<String>,
    /// WeChat Pay's public keys, PEM or base64, by their ids. The answers are asked to be signed with the one whose id is
    /// last in the order of texts.
    #[serde(default)]
    pub public_keys: BTreeMap<String, String>,
    /// WeChat Pay's platform certificates, PEM or base64; several while one follows another.
    #[serde(default)]
    pub platform_certificates: Vec<String>,
    /// The authority that platform certificates must be issued by, PEM or base64; without one any issuer is taken.
    #[serde(default)]
    pub platform_authority: Option<String>,
    /// Whether platform certificates are fetched, and fetched again. Off for a merchant who has public keys alone.
    #[serde(default)]
    pub fetch_platform_certificates: bool,
    /// How long one call may take, in milliseconds; [`CALL_TIME_LIMIT`] unless given.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// A checked configuration. Printing it shows no key.
pub struct WechatPayConfig {
    pub(super) base_url: Url,
    pub(super) mchid: String,
    appid: String,
    app_appid: Option<String>,
    mini_program_appid: Option<String>,
    pub(super) api_v3_key: ApiV3Key,
    pub(super) merchant_serial: String,
    pub(super) merchant_key: MerchantKey,
    merchant_expiry: Option<KeyExpiry>,
    pub(super) platform_keys: PlatformKeys,
    pub(super) platform_authority: Option<Certificate>,
    /// The id of the public key that answers are asked to be signed with.
    pub(super) public_key_id: Option<String>,
    pub(super) fetch_platform_certificates: bool,
    pub(super) time_limit: Duration,
}

/// What is wrong with the configuration. It names the member and holds no value of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WechatPayConfigError {
    /// A member that must be given is not.
    #[error("{member} is missing")]
    Missing {
        /// The member's name in [`WechatPaySettings`].
        member: &'static str,
    },
    /// A member's value cannot be right.
    #[error("{member}: {expected}")]
    Invalid {
        /// The member's name in [`WechatPaySettings`].
        member: &'static str,
        /// What is expected of it.
        expected: &'static str,
    },
    /// A key or certificate cannot be used.
    #[error("{member}, number {number}, is refused")]
    Key {
        /// The member's name in [`WechatPaySettings`].
        member: &'static str,
        /// Which one, counted from 1.
        number: usize,
        /// Why.
        #[source]
        source: KeyError,
    },
}

impl From<Flaw> for WechatPayConfigError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Missing { member } => Self::Missing { member },
            Flaw::Invalid { member, expected } => Self::Invalid { member, expected },
        }
    }
}

impl WechatPayConfigError {
    /// The name in [`WechatPaySettings`] of the member that is wrong.
    pub fn member(&self) -> &'static str {
        match self {
            Self::Missing { member } | Self::Invalid { member, .. } | Self::Key { member, .. } => member,
        }
    }
}

impl WechatPayConfig {
    /// Checks every member and reads the keys; certificates must count at `now`. Errors: the first member that is missing
    /// or wrong.
    pub fn new(settings: &WechatPaySettings, now: DateTime<Utc>) -> Result<Self, WechatPayConfigError> {
        let merchant_key =
            MerchantKey::read(settings.merchant_private_key.expose()).map_err(|source| key("merchant_private_key", 1, source))?;
        let merchant_serial = merchant_serial(&settings.merchant_serial)?;
        let certificate = settings.merchant_certificate.as_deref();
        let merchant_expiry = certificate
            .map(|text| merchant_certificate(text, &merchant_serial, &merchant_key, now))
            .transpose()
            .map_err(|source| key("merchant_certificate", 1, source))?;
        let platform_authority = settings
            .platform_authority
            .as_deref()
            .map(|text| authority(text, now))
            .transpose()
            .map_err(|source| key("platform_authority", 1, source))?;
        let platform_keys = platform_keys(settings, platform_authority.as_ref(), &merchant_key, now)?;
        Ok(Self {
            base_url: address("base_url", &settings.base_url, &[WECHAT_DOMAIN], "https is expected for a host of WeChat Pay")?,
            mchid: digits("mchid", &settings.mchid)?,
            appid: letters_and_digits("appid", &settings.appid)?,
            app_appid: settings.app_appid.as_deref().map(|value| letters_and_digits("app_appid", value)).transpose()?,
            mini_program_appid: settings
                .mini_program_appid
                .as_deref()
                .map(|value| letters_and_digits("mini_program_appid", value))
                .transpose()?,
            api_v3_key: api_v3_keys(settings)?,
            merchant_serial,
            merchant_key,
            merchant_expiry,
            platform_keys,
            platform_authority,
            public_key_id: settings.public_keys.keys().next_back().cloned(),
            fetch_platform_certificates: settings.fetch_platform_certificates,
            time_limit: time_limit(settings.timeout_ms)?,
        })
    }

    /// Where requests go.
    pub fn base_url(&self) -> &str {
        self.base_url.as_str()
    }

    /// The application that a channel's payments are made for.
    pub(super) fn appid_of(&self, channel: Channel) -> &str {
        let other = match channel {
            Channel::WechatApp => self.app_appid.as_deref(),
            Channel::WechatMiniProgram => self.mini_program_appid.as_deref(),
            _ => None,
        };
        other.unwrap_or(&self.appid)
    }

    /// Whether an application is one of ours.
    pub(super) fn is_our_appid(&self, appid: &str) -> bool {
        [Some(&self.appid), self.app_appid.as_ref(), self.mini_program_appid.as_ref()].into_iter().flatten().any(|ours| ours == appid)
    }

    /// The end of the merchant certificate's time, where it is configured.
    pub fn merchant_expiry(&self) -> Option<&KeyExpiry> {
        self.merchant_expiry.as_ref()
    }
}

impl fmt::Debug for WechatPayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPayConfig")
            .field("base_url", &self.base_url.as_str())
            .field("mchid", &self.mchid)
            .field("appid", &self.appid)
            .field("app_appid", &self.app_appid)
            .field("mini_program_appid", &self.mini_program_appid)
            .field("api_v3_key", &"***")
            .field("merchant_serial", &self.merchant_serial)
            .field("merchant_key", &"***")
            .field("platform_keys", &self.platform_keys)
            .field("platform_authority", &self.platform_authority.is_some())
            .field("public_key_id", &self.public_key_id)
            .field("fetch_platform_certificates", &self.fetch_platform_certificates)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

fn key(member: &'static str, number: usize, source: KeyError) -> WechatPayConfigError {
    WechatPayConfigError::Key { member, number, source }
}

fn merchant_certificate(text: &str, serial: &str, merchant: &MerchantKey, now: DateTime<Utc>) -> Result<KeyExpiry, KeyError> {
    let certificate = Certificate::read(text)?;
    certificate.check_pair(merchant)?;
    if certificate.serial != serial {
        return Err(KeyError::OtherSerial);
    }
    certificate.check_time(now)?;
    Ok(KeyExpiry { serial: certificate.serial, expires_at: certificate.not_after })
}

fn authority(text: &str, now: DateTime<Utc>) -> Result<Certificate, KeyError> {
    let certificate = Certificate::read(text)?;
    certificate.check_time(now)?;
    Ok(certificate)
}

fn platform_keys(
    settings: &WechatPaySettings,
    authority: Option<&Certificate>,
    merchant: &MerchantKey,
    now: DateTime<Utc>,
) -> Result<PlatformKeys, WechatPayConfigError> {
    let mut keys = PlatformKeys::default();
    for (place, (id, text)) in settings.public_keys.iter().enumerate() {
        let member = "public_keys";
        if !is_public_key_id(id) {
            return Err(WechatPayConfigError::Invalid { member, expected: "ids that begin with PUB_KEY_ID_ are expected" });
        }
        let read = PlatformKey::read(text, merchant).map_err(|source| key(member, place + 1, source))?;
        keys.insert(id.clone(), read);
    }
    for (place, text) in settings.platform_certificates.iter().enumerate() {
        let (serial, read) = certified(text, authority, merchant, now).map_err(|source| key("platform_certificates", place + 1, source))?;
        keys.insert(serial, read);
    }
    // Without any key nothing that comes can be believed, unless one can be fetched.
    if keys.is_empty() && !settings.fetch_platform_certificates {
        return Err(WechatPayConfigError::Missing { member: "public_keys" });
    }
    Ok(keys)
}

/// The key of a platform certificate that counts now, and its serial number.
pub(super) fn certified(
    text: &str,
    authority: Option<&Certificate>,
    merchant: &MerchantKey,
    now: DateTime<Utc>,
) -> Result<(String, PlatformKey), KeyError> {
    let certificate = Certificate::read(text)?;
    authority.map_or(Ok(()), |authority| certificate.check_issuer(authority))?;
    certificate.check_time(now)?;
    let key = PlatformKey::of_certificate(&certificate, merchant)?;
    Ok((certificate.serial, key))
}

fn is_public_key_id(id: &str) -> bool {
    let is_allowed = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    id.len() <= PUBLIC_KEY_ID_LIMIT && id.strip_prefix(PUBLIC_KEY_ID_PREFIX).is_some_and(is_allowed)
}

fn merchant_serial(value: &str) -> Result<String, WechatPayConfigError> {
    let member = "merchant_serial";
    let serial = given(member, value)?.to_ascii_uppercase();
    if is_certificate_serial(&serial) {
        Ok(serial)
    } else {
        Err(WechatPayConfigError::Invalid { member, expected: "a serial number in hexadecimal is expected" })
    }
}

fn api_v3_keys(settings: &WechatPaySettings) -> Result<ApiV3Key, WechatPayConfigError> {
    let first = api_v3_key(settings.api_v3_key.expose())?;
    settings.other_api_v3_keys.iter().try_fold(first, |keys, other| Ok(keys.beside(api_v3_key(other.expose())?)))
}

fn api_v3_key(value: &str) -> Result<ApiV3Key, WechatPayConfigError> {
    let member = "api_v3_key";
    let key = given(member, value)?;
    let is_key = key.len() == API_V3_KEY_LENGTH && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let invalid = WechatPayConfigError::Invalid { member, expected: "32 letters and digits are expected" };
    if is_key { ApiV3Key::new(key.as_bytes()).ok_or(invalid) } else { Err(invalid) }
}

#[cfg(test)]
mod tests;
