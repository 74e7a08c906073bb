//! Alipay's live configuration: with public keys or with certificates, and the products that are contracted.

use chassis::clock::{Clock, SystemClock};
use chassis::secret::Secret;
use domain::Channel;
use gateway::alipay::{AlipayCertificates, AlipayConfig, AlipayConfigError, AlipaySettings, CertificateError, KeyError};

use super::{SettingError, invalid, list};
use crate::variables::{self, Typed};

/// What is asked for in both modes.
const REQUIRED: [&str; 3] = [variables::ALIPAY_APP_ID, variables::ALIPAY_SELLER_ID, variables::ALIPAY_APP_PRIVATE_KEY_FILE];

/// What certificate mode asks for beside it, all of it.
const CERTIFICATES: [&str; 3] = [variables::ALIPAY_APP_CERT_FILE, variables::ALIPAY_CERT_FILES, variables::ALIPAY_ROOT_CERT_FILE];

/// What may be left out.
const OPTIONAL: [&str; 2] = [variables::ALIPAY_GATEWAY_URL, variables::ALIPAY_PRODUCT_CODE];

/// The products by their words.
const PRODUCTS: [(&str, Channel); 3] = [("qr", Channel::AlipayQr), ("page", Channel::AlipayPage), ("wap", Channel::AlipayWap)];

/// Alipay's live configuration: all of it or none.
pub(super) fn live(typed: &Typed) -> Result<Option<AlipaySettings>, SettingError> {
    let is_given = |variable: &&str| typed.get(variable).is_some();
    if !REQUIRED.iter().chain(&CERTIFICATES).chain(&OPTIONAL).chain(&[variables::ALIPAY_PUBLIC_KEY_FILES]).any(is_given) {
        return Ok(None);
    }
    let files = Files::named(typed)?;
    let required = |variable: &'static str| typed.get(variable).ok_or(SettingError::Missing { variable });
    let settings = AlipaySettings {
        gateway_url: typed.get(variables::ALIPAY_GATEWAY_URL).unwrap_or("https://openapi.alipay.com/gateway.do").to_owned(),
        app_id: required(variables::ALIPAY_APP_ID)?.to_owned(),
        seller_id: required(variables::ALIPAY_SELLER_ID)?.to_owned(),
        app_private_key: Secret::new(read(variables::ALIPAY_APP_PRIVATE_KEY_FILE, &files.private_key)?),
        alipay_public_keys: read_all(variables::ALIPAY_PUBLIC_KEY_FILES, &files.public_keys)?,
        certificates: files.certificates()?,
        product_code: typed.get(variables::ALIPAY_PRODUCT_CODE).unwrap_or("FACE_TO_FACE_PAYMENT").to_owned(),
        timeout_ms: None,
    };
    let config = AlipayConfig::new(&settings);
    let checked = config.and_then(|config| config.check_dates(SystemClock::default().now()));
    checked.map_err(|error| files.refused(&error, &settings))?;
    Ok(Some(settings))
}

/// The products that can be paid through. A product that is not contracted shows the buyer an error of Alipay's, so a live
/// merchant names those that go beyond a code to scan; the sandbox has all of them.
pub(super) fn products(typed: &Typed, is_live: bool) -> Result<Vec<Channel>, SettingError> {
    let Some(words) = typed.get(variables::ALIPAY_PRODUCTS) else {
        let all = PRODUCTS.map(|(_, channel)| channel);
        return Ok(if is_live { vec![Channel::AlipayQr] } else { all.to_vec() });
    };
    let known = |word: &String| PRODUCTS.iter().find(|(known, _)| known == word).map(|(_, channel)| *channel);
    let products: Option<Vec<Channel>> = list(Some(words)).iter().map(known).collect();
    let expected = "qr, page and wap, those that are contracted, separated by commas";
    products.filter(|products| !products.is_empty()).ok_or_else(|| invalid(variables::ALIPAY_PRODUCTS, expected))
}

/// The files of keys and certificates.
struct Files {
    private_key: String,
    public_keys: Vec<String>,
    app_certificate: Option<String>,
    alipay_certificates: Vec<String>,
    root_certificates: Option<String>,
}

impl Files {
    fn named(typed: &Typed) -> Result<Self, SettingError> {
        let is_certified = CERTIFICATES.iter().any(|variable| typed.get(variable).is_some());
        let beside: &[&'static str] = if is_certified { &CERTIFICATES } else { &[variables::ALIPAY_PUBLIC_KEY_FILES] };
        if let Some(variable) = REQUIRED.iter().chain(beside).copied().find(|variable| typed.get(variable).is_none()) {
            return Err(SettingError::Missing { variable });
        }
        if is_certified && typed.get(variables::ALIPAY_PUBLIC_KEY_FILES).is_some() {
            return Err(invalid(
                variables::ALIPAY_PUBLIC_KEY_FILES,
                "nothing beside certificates: an application has keys or certificates",
            ));
        }
        let one = |variable: &str| typed.get(variable).map(str::to_owned);
        Ok(Self {
            private_key: one(variables::ALIPAY_APP_PRIVATE_KEY_FILE).unwrap_or_default(),
            public_keys: list(typed.get(variables::ALIPAY_PUBLIC_KEY_FILES)),
            app_certificate: one(variables::ALIPAY_APP_CERT_FILE),
            alipay_certificates: list(typed.get(variables::ALIPAY_CERT_FILES)),
            root_certificates: one(variables::ALIPAY_ROOT_CERT_FILE),
        })
    }

    fn certificates(&self) -> Result<Option<AlipayCertificates>, SettingError> {
        let (Some(own), Some(roots)) = (&self.app_certificate, &self.root_certificates) else { return Ok(None) };
        Ok(Some(AlipayCertificates {
            app_certificate: read(variables::ALIPAY_APP_CERT_FILE, own)?,
            alipay_certificates: read_all(variables::ALIPAY_CERT_FILES, &self.alipay_certificates)?,
            root_certificates: read(variables::ALIPAY_ROOT_CERT_FILE, roots)?,
        }))
    }

    /// The adapter's own check names the member and, of keys, the reason; here the variable and the file are named.
    fn refused(&self, error: &AlipayConfigError, settings: &AlipaySettings) -> SettingError {
        let numbered =
            |files: &[String], number: usize| files.get(number.saturating_sub(1)).cloned().unwrap_or_else(|| "no file".to_owned());
        let expected = match error {
            AlipayConfigError::AppPrivateKey(reason) => format!("{}: {reason}", self.private_key),
            AlipayConfigError::AlipayPublicKey { number, source } => {
                let text = settings.alipay_public_keys.get(number.saturating_sub(1)).map_or("", String::as_str);
                format!("{}: {}", numbered(&self.public_keys, *number), reason_of_key(*source, text))
            }
            AlipayConfigError::Certificate { member, number, source } => {
                let file = match *member {
                    "app_certificate" => self.app_certificate.clone().unwrap_or_default(),
                    "root_certificates" => self.root_certificates.clone().unwrap_or_default(),
                    _ => numbered(&self.alipay_certificates, *number),
                };
                format!("{file}: {}", reason_of_certificate(member, *source))
            }
            other => other.to_string(),
        };
        invalid(variable_of(error.member()), expected)
    }
}

fn read(variable: &'static str, path: &str) -> Result<String, SettingError> {
    std::fs::read_to_string(path).map_err(|source| SettingError::KeyFile { variable, path: path.to_owned(), source })
}

fn read_all(variable: &'static str, paths: &[String]) -> Result<Vec<String>, SettingError> {
    paths.iter().map(|path| read(variable, path)).collect()
}

/// Why a text is no public key of Alipay's. What its armour calls it says more than that it cannot be read.
fn reason_of_key(error: KeyError, text: &str) -> String {
    let label = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----")).map(|(label, _)| label);
    match (error, label) {
        (KeyError::Unreadable, Some(label)) if !label.ends_with("PUBLIC KEY") => format!("it is a {label}, not a public key"),
        (KeyError::Unreadable | KeyError::WrongSize, _) => "it is no RSA public key of at least 2048 bits in PEM or base64".to_owned(),
        (other, _) => other.to_string(),
    }
}

fn reason_of_certificate(member: &str, error: CertificateError) -> String {
    match (member, error) {
        ("root_certificates", CertificateError::NotRsa) => "none of them is signed with RSA".to_owned(),
        (_, other) => other.to_string(),
    }
}

fn variable_of(member: &str) -> &'static str {
    match member {
        "gateway_url" => variables::ALIPAY_GATEWAY_URL,
        "app_id" => variables::ALIPAY_APP_ID,
        "seller_id" => variables::ALIPAY_SELLER_ID,
        "app_private_key" => variables::ALIPAY_APP_PRIVATE_KEY_FILE,
        "app_certificate" => variables::ALIPAY_APP_CERT_FILE,
        "alipay_certificates" => variables::ALIPAY_CERT_FILES,
        "root_certificates" => variables::ALIPAY_ROOT_CERT_FILE,
        "product_code" => variables::ALIPAY_PRODUCT_CODE,
        "timeout_ms" => variables::CHANNEL_TIMEOUT_MS,
        _ => variables::ALIPAY_PUBLIC_KEY_FILES,
    }
}
