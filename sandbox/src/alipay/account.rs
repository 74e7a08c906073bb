//! The one merchant account of the sandbox: ids, keys of which several hold at once, and the numbers that Alipay gives.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rand::Rng;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::sha2::Sha256;
use rsa::signature::Verifier;
use serde::{Deserialize, Serialize};

use super::certificates::{self, Authority};
use super::{AlipayCertificateFiles, AlipayCredentials, beijing, keys};
use crate::certificate::{ALWAYS, CertificateError};

/// Why the account cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No key could be made.
    #[error("an RSA key could not be made")]
    Key(#[source] rsa::Error),
    /// A kept key cannot be read, or a new one not be written.
    #[error("a private key is not PKCS#8 in PEM")]
    KeyText(#[source] rsa::pkcs8::Error),
    /// A public key cannot be written.
    #[error("a public key cannot be written")]
    PublicKeyText(#[source] rsa::pkcs8::spki::Error),
    /// A certificate cannot be issued.
    #[error("a certificate cannot be issued")]
    Certificate(#[from] CertificateError),
    /// What is kept has no key of a kind that is needed.
    #[error("the account has no {0}")]
    Missing(&'static str),
}

/// A private key, and what the authority certifies of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeyText {
    pub(super) private_key: String,
    /// The number of its certificate.
    pub(super) number: u64,
    /// When its certificate begins and ceases to hold, in seconds since 1970.
    pub(super) valid: (u64, u64),
}

impl KeyText {
    fn read(&self) -> Result<RsaPrivateKey, AccountError> {
        read(&self.private_key)
    }

    /// The serial of its certificate, which names the key in both modes.
    fn serial(&self) -> String {
        certificates::serial(self.number)
    }
}

/// What is kept of an account, in texts. Of each kind of key the one in use is last.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccountTexts {
    app_id: String,
    seller_id: String,
    /// What the authority signs certificates with. It stays when other keys change.
    root_private_key: String,
    applications: Vec<KeyText>,
    platform: Vec<KeyText>,
    /// Whether notifications and returns name the certificate that they are signed under.
    pub(super) names_certificates: bool,
}

impl AccountTexts {
    /// A new account with fresh keys. Takes up to some seconds of the processor.
    pub(crate) fn make() -> Result<Self, AccountError> {
        let (app, platform) = std::thread::scope(|scope| {
            let app = scope.spawn(keys::make_private_key);
            let platform = keys::make_private_key();
            (app.join(), platform)
        });
        let app = app.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Self::of(format!("2021{}", random_digits(12)), format!("2088{}", random_digits(12)), app, platform?))
    }

    /// An account with its first keys. The authority's own key is Alipay's first: both are thrown away together.
    pub(crate) fn of(app_id: String, seller_id: String, app_private_key: String, platform_private_key: String) -> Self {
        let first = |private_key, number| KeyText { private_key, number, valid: ALWAYS };
        Self {
            app_id,
            seller_id,
            root_private_key: platform_private_key.clone(),
            applications: vec![first(app_private_key, certificates::APPLICATION_NUMBER)],
            platform: vec![first(platform_private_key, certificates::ALIPAY_NUMBER)],
            names_certificates: false,
        }
    }

    /// Adds a key that Alipay signs with from now on, or one that is only known until it is used. Takes up to some seconds
    /// of the processor. Answers its serial.
    pub(super) fn add_platform_key(&mut self, valid: (u64, u64), is_used: bool) -> Result<String, AccountError> {
        let number = next_number(&self.platform, certificates::ALIPAY_NUMBER);
        let key = KeyText { private_key: keys::make_private_key()?, number, valid };
        let (serial, place) = (key.serial(), self.platform.len());
        self.platform.insert(if is_used { place } else { place.saturating_sub(1) }, key);
        Ok(serial)
    }

    /// Adds a key for the merchant to sign with; older ones stay good. Answers its serial.
    pub(super) fn add_application_key(&mut self, valid: (u64, u64)) -> Result<String, AccountError> {
        let number = next_number(&self.applications, certificates::APPLICATION_NUMBER);
        let key = KeyText { private_key: keys::make_private_key()?, number, valid };
        let serial = key.serial();
        self.applications.push(key);
        Ok(serial)
    }

    /// Signs with a known key of Alipay's from now on; false if there is none with that serial.
    pub(super) fn use_platform_key(&mut self, serial: &str) -> bool {
        let Some(place) = self.platform.iter().position(|key| key.serial() == serial) else { return false };
        let key = self.platform.remove(place);
        self.platform.push(key);
        true
    }

    /// Takes a key out of use; false if there is none with that serial, or if it is its owner's only one.
    pub(super) fn retire(&mut self, serial: &str) -> bool {
        let retired = [&mut self.platform, &mut self.applications].map(|keys| {
            let before = keys.len();
            if before > 1 {
                keys.retain(|key| key.serial() != serial);
            }
            before != keys.len()
        });
        retired.contains(&true)
    }
}

/// A number that no certificate of these keys has had: that of a retired one is not given again while newer ones stay.
fn next_number(keys: &[KeyText], first: u64) -> u64 {
    keys.iter().map(|key| key.number).max().map_or(first, |number| number + 1)
}

fn read(text: &str) -> Result<RsaPrivateKey, AccountError> {
    RsaPrivateKey::from_pkcs8_pem(text).map_err(AccountError::KeyText)
}

/// What the merchant signs with, as Alipay knows it.
struct Application {
    serial: String,
    key: VerifyingKey<Sha256>,
}

/// What is published of a key that Alipay signs with.
pub(super) struct Published {
    pub(super) serial: String,
    /// In PEM.
    pub(super) public_key: String,
    /// In PEM.
    pub(super) certificate: String,
    key: VerifyingKey<Sha256>,
}

/// The merchant account with its keys ready for use.
pub(crate) struct Account {
    texts: AccountTexts,
    pub(super) app_id: String,
    pub(super) seller_id: String,
    /// What Alipay signs with.
    pub(super) platform_key: SigningKey<Sha256>,
    /// What the merchant signs with; a forger signs notices with it, since any key but Alipay's will do.
    pub(super) app_key: SigningKey<Sha256>,
    applications: Vec<Application>,
    published: Vec<Published>,
    credentials: AlipayCredentials,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("app_id", &self.app_id).field("seller_id", &self.seller_id).finish_non_exhaustive()
    }
}

impl Account {
    /// Reads the keys of a kept account and certifies them. `public_url` is where the sandbox is reached. Takes some
    /// milliseconds of the processor for each key.
    pub(crate) fn open(texts: AccountTexts, public_url: &str) -> Result<Self, AccountError> {
        let authority = Authority::new(read(&texts.root_private_key)?);
        let published = texts.platform.iter().map(|key| published(key, &texts, &authority)).collect::<Result<Vec<_>, _>>()?;
        let application = |key: &KeyText| Ok(Application { serial: key.serial(), key: VerifyingKey::new(key.read()?.to_public_key()) });
        let applications = texts.applications.iter().map(application).collect::<Result<Vec<_>, AccountError>>()?;
        let newest = texts.applications.last().ok_or(AccountError::Missing("key of the application"))?;
        let platform = texts.platform.last().ok_or(AccountError::Missing("key of Alipay"))?;
        let current = published.last().ok_or(AccountError::Missing("key of Alipay"))?;
        Ok(Self {
            app_id: texts.app_id.clone(),
            seller_id: texts.seller_id.clone(),
            app_key: SigningKey::new(newest.read()?),
            platform_key: SigningKey::new(platform.read()?),
            credentials: credentials(&texts, newest, current, &authority, public_url)?,
            applications,
            published,
            texts,
        })
    }

    pub(crate) fn texts(&self) -> &AccountTexts {
        &self.texts
    }

    /// What the merchant holds.
    pub(crate) fn credentials(&self) -> &AlipayCredentials {
        &self.credentials
    }

    /// The keys that a request may be signed with: the one that it names, or all where it names none.
    pub(super) fn application_keys(&self, serial: Option<&str>) -> impl Iterator<Item = &VerifyingKey<Sha256>> {
        let named = move |application: &&Application| serial.is_none_or(|serial| application.serial == serial);
        self.applications.iter().filter(named).map(|application| &application.key)
    }

    /// What is published of the key with a serial; none if there is no such key.
    pub(super) fn published(&self, serial: &str) -> Option<&Published> {
        self.published.iter().find(|published| published.serial == serial)
    }

    /// Whether any of Alipay's keys made a signature.
    pub(super) fn has_signed(&self, bytes: &[u8], signature: &Signature) -> bool {
        self.published.iter().any(|published| published.key.verify(bytes, signature).is_ok())
    }

    /// The serial of the certificate that notifications and returns are signed under, if they name it.
    pub(super) fn named_certificate(&self) -> Option<&str> {
        self.texts.names_certificates.then_some(self.credentials.certificates.alipay_cert_sn.as_str())
    }
}

fn published(key: &KeyText, texts: &AccountTexts, authority: &Authority) -> Result<Published, AccountError> {
    let private = key.read()?;
    let public = private.to_public_key();
    Ok(Published {
        serial: key.serial(),
        public_key: public.to_public_key_pem(LineEnding::LF).map_err(AccountError::PublicKeyText)?,
        certificate: authority.certify_alipay(&texts.seller_id, &private, key)?,
        key: VerifyingKey::new(public),
    })
}

fn credentials(
    texts: &AccountTexts,
    application: &KeyText,
    alipay: &Published,
    authority: &Authority,
    public_url: &str,
) -> Result<AlipayCredentials, AccountError> {
    let app = application.read()?;
    let app_private_der = app.to_pkcs8_der().map_err(AccountError::KeyText)?;
    let alipay_public_der = alipay.key.as_ref().to_public_key_der().map_err(AccountError::PublicKeyText)?;
    Ok(AlipayCredentials {
        app_id: texts.app_id.clone(),
        seller_id: texts.seller_id.clone(),
        gateway_url: format!("{public_url}/sandbox/alipay/gateway.do"),
        sign_type: "RSA2".to_owned(),
        product_code: "QR_CODE_OFFLINE".to_owned(),
        app_private_key: application.private_key.clone(),
        app_private_key_base64: STANDARD.encode(app_private_der.as_bytes()),
        app_public_key: app.to_public_key().to_public_key_pem(LineEnding::LF).map_err(AccountError::PublicKeyText)?,
        alipay_public_key: alipay.public_key.clone(),
        alipay_public_key_base64: STANDARD.encode(alipay_public_der.as_bytes()),
        certificates: AlipayCertificateFiles {
            app_certificate: authority.certify_application(&texts.app_id, &texts.seller_id, &app, application)?,
            alipay_certificate: alipay.certificate.clone(),
            root_certificate: authority.certificate()?,
            app_cert_sn: application.serial(),
            alipay_cert_sn: alipay.serial.clone(),
            alipay_root_cert_sn: certificates::serial(certificates::ROOT_NUMBER),
        },
    })
}

/// A new trade number: 28 digits that begin with the day in Beijing.
pub(crate) fn trade_no(now: DateTime<Utc>) -> String {
    format!("{}2200{}", beijing::digits(now).0, random_digits(16))
}

/// A new number of a notification: 34 digits that begin with the day in Beijing.
pub(super) fn notify_id(now: DateTime<Utc>) -> String {
    let (day, time) = beijing::digits(now);
    format!("{day}00222{time}{}", random_digits(15))
}

/// A new number of a refund that was made on Alipay's website: 30 digits that begin with the day in Beijing.
pub(crate) fn refund_no(now: DateTime<Utc>) -> String {
    let (day, time) = beijing::digits(now);
    format!("{day}{time}{}", random_digits(16))
}

fn random_digits(count: usize) -> String {
    let mut random = rand::rng();
    (0..count).map(|_| char::from(random.random_range(b'0'..=b'9'))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// The texts of one account for all tests, since making keys takes long.
    fn texts() -> AccountTexts {
        static TEXTS: OnceLock<AccountTexts> = OnceLock::new();
        TEXTS.get_or_init(|| AccountTexts::make().unwrap()).clone()
    }

    pub(crate) fn account() -> Account {
        Account::open(texts(), "http://127.0.0.1:8080").unwrap()
    }

    #[test]
    fn an_account_opens_to_the_same_keys_again() {
        let texts = texts();
        let open = || Account::open(texts.clone(), "http://127.0.0.1:8080").unwrap();
        assert_eq!(open().credentials(), open().credentials());
        assert_eq!((texts.app_id.len(), texts.seller_id.len()), (16, 16));
        assert!(texts.seller_id.starts_with("2088"));
        assert_ne!(open().credentials().app_public_key, open().credentials().alipay_public_key);
    }

    #[test]
    fn keys_change_one_by_one_and_older_ones_stay_known() {
        let (old, mut texts) = (account(), texts());
        let later = texts.add_platform_key(ALWAYS, false).unwrap();
        let known = Account::open(texts.clone(), "http://x").unwrap();
        assert_eq!(known.credentials().alipay_public_key, old.credentials().alipay_public_key, "it is not used yet");
        assert_ne!(known.published(&later).unwrap().public_key, old.credentials().alipay_public_key);
        assert!(texts.use_platform_key(&later) && !texts.use_platform_key("none"));
        let application = texts.add_application_key(ALWAYS).unwrap();
        let new = Account::open(texts.clone(), "http://x").unwrap();
        assert_eq!((&new.credentials().certificates.alipay_cert_sn, &new.credentials().certificates.app_cert_sn), (&later, &application));
        let old_serials = &old.credentials().certificates;
        assert!(new.published(&old_serials.alipay_cert_sn).is_some() && new.application_keys(Some(&old_serials.app_cert_sn)).count() == 1);
        assert_eq!((new.application_keys(None).count(), new.application_keys(Some("none")).count()), (2, 0));
        assert_eq!(new.credentials().certificates.root_certificate, old_serials.root_certificate);
        assert!(texts.retire(&old_serials.alipay_cert_sn) && texts.retire(&old_serials.app_cert_sn));
        assert!(!texts.retire(&later) && !texts.retire(&application) && !texts.retire("none"), "something must be left");
        let kept: AccountTexts = serde_json::from_str(&serde_json::to_string(&texts).unwrap()).unwrap();
        let last = Account::open(kept, "http://x").unwrap();
        assert!(last.published(&old_serials.alipay_cert_sn).is_none());
        assert_eq!(last.credentials().app_private_key, new.credentials().app_private_key);
    }

    #[test]
    fn no_key_is_ever_printed() {
        let account = account();
        let printed = format!("{account:?} {:?}", account.credentials());
        assert!(!printed.contains("PRIVATE KEY") && !printed.contains("MII"), "{printed}");
    }

    #[test]
    fn a_damaged_key_is_an_error() {
        let mut texts = texts();
        texts.platform[0].private_key = "nonsense".to_owned();
        assert!(matches!(Account::open(texts, "http://x"), Err(AccountError::KeyText(_))));
    }

    #[test]
    fn numbers_have_alipays_length_and_begin_with_beijings_day() {
        let now = "2026-03-05T23:08:09Z".parse().unwrap();
        assert_eq!((trade_no(now).len(), notify_id(now).len(), refund_no(now).len()), (28, 34, 30));
        assert!(trade_no(now).starts_with("20260306") && notify_id(now).starts_with("2026030600222070809"));
        assert_ne!(trade_no(now), trade_no(now));
    }
}
