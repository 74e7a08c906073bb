//! What must be known to speak with Alipay, checked whole before anything starts.

use std::fmt;
use std::time::Duration;

use chassis::secret::Secret;
use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::Deserialize;

use super::certificate::{Certificate, CertificateError, Validity, root_serial};
use super::keys::{AlipayKeys, ApplicationKey, KeyError};
use crate::settings::{Flaw, address, digits, given, time_limit};

pub use crate::settings::{CALL_TIME_LIMIT, LONGEST_CALL_TIME_LIMIT};

/// The product codes of a code that a buyer scans; which of them is contracted, only the merchant knows.
pub const QR_PRODUCT_CODES: [&str; 2] = ["FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE"];

/// The product code of a payment in a desktop's browser (page.pay).
pub const PAGE_PRODUCT_CODE: &str = "FAST_INSTANT_TRADE_PAY";

/// The product code of a payment in a phone's browser (wap.pay).
pub const WAP_PRODUCT_CODE: &str = "QUICK_WAP_WAY";

/// The hosts that Alipay's own gateways lie under.
const ALIPAY_DOMAINS: [&str; 2] = ["alipay.com", "alipaydev.com"];

/// The configuration as it is typed. Nothing of it is checked; see [`AlipayConfig::new`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlipaySettings {
    /// Where requests go, for instance `https://openapi.alipay.com/gateway.do`.
    pub gateway_url: String,
    /// The application's id.
    pub app_id: String,
    /// The merchant's id (PID): 16 digits that begin with 2088.
    pub seller_id: String,
    /// The application's private key: RSA of 2048 bits, PKCS#8 or PKCS#1, PEM or base64.
    pub app_private_key: Secret<String>,
    /// Alipay's public keys, PEM or base64; several while one follows another. Not the application's public key.
    /// Empty in certificate mode.
    #[serde(default)]
    pub alipay_public_keys: Vec<String>,
    /// The certificates of certificate mode, instead of `alipay_public_keys`.
    #[serde(default)]
    pub certificates: Option<AlipayCertificates>,
    /// The contracted product of a code that a buyer scans, one of [`QR_PRODUCT_CODES`].
    pub product_code: String,
    /// How long one call may take, in milliseconds; [`CALL_TIME_LIMIT`] unless given.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// What certificate mode is configured with, as texts in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlipayCertificates {
    /// The application's certificate (`appCertPublicKey_….crt`), for the key pair of the application's private key.
    pub app_certificate: String,
    /// Alipay's certificates (`alipayCertPublicKey_RSA2.crt`), a text each, with those of its issuers after it; several while
    /// one follows another.
    pub alipay_certificates: Vec<String>,
    /// The root certificates (`alipayRootCert.crt`), whole and in the file's order: their joint serial is sent along.
    pub root_certificates: String,
}

/// A certificate that something depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInUse {
    /// The member that names its file: `app_certificate` or `alipay_certificates`.
    pub member: &'static str,
    /// Its serial, as Alipay writes it.
    pub serial: String,
    /// From when it counts.
    pub valid_from: DateTime<Utc>,
    /// Until when it counts.
    pub valid_until: DateTime<Utc>,
}

/// What certificate mode says of us in every request, and what a certificate that is fetched is measured by.
pub(super) struct Certified {
    application: Certificate,
    roots: String,
    /// What every certificate must lead to.
    pub(super) root_certificates: Vec<Certificate>,
    /// All that stand in the files of Alipay's certificates: its own and their issuers.
    pub(super) configured: Vec<Certificate>,
}

impl Certified {
    pub(super) fn app_serial(&self) -> &str {
        &self.application.serial
    }

    pub(super) fn root_serial(&self) -> &str {
        &self.roots
    }
}

/// A checked configuration. Printing it shows no key.
pub struct AlipayConfig {
    pub(super) gateway_url: Url,
    pub(super) app_id: String,
    pub(super) seller_id: String,
    pub(super) app_private_key: ApplicationKey,
    pub(super) alipay_keys: AlipayKeys,
    /// Only in certificate mode.
    pub(super) certified: Option<Certified>,
    pub(super) product_code: String,
    pub(super) time_limit: Duration,
}

/// What is wrong with the configuration. It names the member and holds no value of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlipayConfigError {
    /// A member that must be given is not.
    #[error("{member} is missing")]
    Missing {
        /// The member's name in [`AlipaySettings`].
        member: &'static str,
    },
    /// A member's value cannot be right.
    #[error("{member}: {expected}")]
    Invalid {
        /// The member's name in [`AlipaySettings`].
        member: &'static str,
        /// What is expected of it.
        expected: &'static str,
    },
    /// The application's private key is no usable key.
    #[error("app_private_key is refused")]
    AppPrivateKey(#[source] KeyError),
    /// One of Alipay's public keys is no usable key, or there is none.
    #[error("alipay_public_keys, number {number}, is refused")]
    AlipayPublicKey {
        /// Which one, counted from 1.
        number: usize,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A certificate is not usable, or there is none.
    #[error("{member}, number {number}, is refused")]
    Certificate {
        /// The member's name in [`AlipayCertificates`].
        member: &'static str,
        /// Which one, counted from 1.
        number: usize,
        /// Why.
        #[source]
        source: CertificateError,
    },
}

impl From<Flaw> for AlipayConfigError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Missing { member } => Self::Missing { member },
            Flaw::Invalid { member, expected } => Self::Invalid { member, expected },
        }
    }
}

impl AlipayConfigError {
    /// The name in [`AlipaySettings`] of the member that is wrong.
    pub fn member(&self) -> &'static str {
        match self {
            Self::Missing { member } | Self::Invalid { member, .. } | Self::Certificate { member, .. } => member,
            Self::AppPrivateKey(_) => "app_private_key",
            Self::AlipayPublicKey { .. } => "alipay_public_keys",
        }
    }
}

impl AlipayConfig {
    /// Checks every member and reads the keys. Errors: the first member that is missing or wrong.
    pub fn new(settings: &AlipaySettings) -> Result<Self, AlipayConfigError> {
        let app_private_key = ApplicationKey::read(settings.app_private_key.expose()).map_err(AlipayConfigError::AppPrivateKey)?;
        let (alipay_keys, certified) = match &settings.certificates {
            None => (public_keys(settings, &app_private_key)?, None),
            Some(_) if !settings.alipay_public_keys.is_empty() => {
                let expected = "public keys and certificates exclude each other";
                return Err(AlipayConfigError::Invalid { member: "alipay_public_keys", expected });
            }
            Some(certificates) => {
                let (keys, certified) = certificate_mode(certificates, &app_private_key)?;
                (keys, Some(certified))
            }
        };
        Ok(Self {
            gateway_url: address("gateway_url", &settings.gateway_url, &ALIPAY_DOMAINS, "https is expected for a gateway of Alipay")?,
            app_id: digits("app_id", &settings.app_id)?,
            seller_id: seller_id(&settings.seller_id)?,
            app_private_key,
            alipay_keys,
            certified,
            product_code: product_code(&settings.product_code)?,
            time_limit: time_limit(settings.timeout_ms)?,
        })
    }

    /// The contracted product, for the pay record to store with its request.
    pub fn product_code(&self) -> &str {
        &self.product_code
    }

    /// The certificates that are configured, the application's first; none in public-key mode.
    pub fn certificates(&self) -> Vec<CertificateInUse> {
        self.certificates_with(&self.alipay_keys)
    }

    /// The application's certificate and those of `keys`.
    pub(super) fn certificates_with(&self, keys: &AlipayKeys) -> Vec<CertificateInUse> {
        let in_use = |member, serial: &str, validity: Validity| CertificateInUse {
            member,
            serial: serial.to_owned(),
            valid_from: validity.from,
            valid_until: validity.until,
        };
        let own = self.certified.iter().map(|certified| in_use(APP_CERTIFICATE, certified.app_serial(), certified.application.validity));
        own.chain(keys.certificates().map(|(serial, validity)| in_use(ALIPAY_CERTIFICATES, serial, validity))).collect()
    }

    /// Whether calls can be made and answers be believed at `now`, as far as certificates go. Errors: the application's
    /// certificate does not count now, or none of Alipay's does; then why the first one does not.
    pub fn check_dates(&self, now: DateTime<Utc>) -> Result<(), AlipayConfigError> {
        let error = |member, source| AlipayConfigError::Certificate { member, number: 1, source };
        if let Some(certified) = &self.certified {
            certified.application.validity.check(now).map_err(|source| error(APP_CERTIFICATE, source))?;
        }
        let checks: Vec<_> = self.alipay_keys.certificates().map(|(_, validity)| validity.check(now)).collect();
        match checks.first() {
            Some(Err(first)) if checks.iter().all(Result::is_err) => Err(error(ALIPAY_CERTIFICATES, *first)),
            _ => Ok(()),
        }
    }

    /// Where requests go.
    pub fn gateway_url(&self) -> &str {
        self.gateway_url.as_str()
    }
}

impl fmt::Debug for AlipayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlipayConfig")
            .field("gateway_url", &self.gateway_url.as_str())
            .field("app_id", &self.app_id)
            .field("seller_id", &self.seller_id)
            .field("app_private_key", &"***")
            .field("alipay_keys", &self.alipay_keys.count())
            .field("certificates", &self.certificates())
            .field("product_code", &self.product_code)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

const APP_CERTIFICATE: &str = "app_certificate";
const ALIPAY_CERTIFICATES: &str = "alipay_certificates";

fn public_keys(settings: &AlipaySettings, application: &ApplicationKey) -> Result<AlipayKeys, AlipayConfigError> {
    let texts = settings.alipay_public_keys.iter().map(String::as_str);
    AlipayKeys::read(texts, application).map_err(|(place, source)| AlipayConfigError::AlipayPublicKey { number: place + 1, source })
}

fn certificate_mode(texts: &AlipayCertificates, application: &ApplicationKey) -> Result<(AlipayKeys, Certified), AlipayConfigError> {
    let error = |member, place: usize, source| AlipayConfigError::Certificate { member, number: place + 1, source };
    let own = Certificate::read_all(&texts.app_certificate).map_err(|source| error(APP_CERTIFICATE, 0, source))?.swap_remove(0);
    if !own.is_for(application) {
        return Err(error(APP_CERTIFICATE, 0, CertificateError::OtherKey));
    }
    let member = "root_certificates";
    let roots = Certificate::read_all(&texts.root_certificates).map_err(|source| error(member, 0, source))?;
    if roots.iter().all(|root| !root.is_signed_with_rsa()) {
        return Err(error(member, 0, CertificateError::NotRsa));
    }
    let certificates = texts.alipay_certificates.iter().map(String::as_str);
    let keys =
        AlipayKeys::certified(certificates, &roots, application).map_err(|(place, source)| error(ALIPAY_CERTIFICATES, place, source))?;
    let configured = texts.alipay_certificates.iter().flat_map(|text| Certificate::read_all(text).unwrap_or_default()).collect();
    Ok((keys, Certified { application: own, roots: root_serial(&roots), root_certificates: roots, configured }))
}

fn seller_id(value: &str) -> Result<String, AlipayConfigError> {
    let member = "seller_id";
    let id = digits(member, value)?;
    if id.len() == 16 && id.starts_with("2088") {
        Ok(id)
    } else {
        Err(AlipayConfigError::Invalid { member, expected: "16 digits that begin with 2088 are expected" })
    }
}

fn product_code(value: &str) -> Result<String, AlipayConfigError> {
    let member = "product_code";
    let code = given(member, value)?;
    if QR_PRODUCT_CODES.contains(&code) {
        Ok(code.to_owned())
    } else {
        Err(AlipayConfigError::Invalid { member, expected: "FACE_TO_FACE_PAYMENT or QR_CODE_OFFLINE is expected" })
    }
}

#[cfg(test)]
mod tests;
