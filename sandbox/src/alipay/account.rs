//! The one merchant account of the sandbox: ids, keys, and the numbers that Alipay gives.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rand::Rng;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::{SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::sha2::Sha256;

use super::certificates;
use super::{AlipayCredentials, beijing, keys};
use crate::certificate::CertificateError;

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
}

/// What is kept of an account, in texts.
#[derive(Clone)]
pub(crate) struct AccountTexts {
    pub(crate) app_id: String,
    pub(crate) seller_id: String,
    pub(crate) app_private_key: String,
    pub(crate) platform_private_key: String,
}

impl AccountTexts {
    /// A new account with fresh keys. Takes up to some seconds of the processor.
    pub(crate) fn make() -> Result<Self, AccountError> {
        let (app, platform) = std::thread::scope(|scope| {
            let app = scope.spawn(keys::make_private_key);
            let platform = keys::make_private_key();
            (app.join(), platform)
        });
        Ok(Self {
            app_id: format!("2021{}", random_digits(12)),
            seller_id: format!("2088{}", random_digits(12)),
            app_private_key: app.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?,
            platform_private_key: platform?,
        })
    }
}

/// The merchant account with its keys ready for use.
pub(crate) struct Account {
    pub(super) app_id: String,
    pub(super) seller_id: String,
    /// What Alipay signs with.
    pub(super) platform_key: SigningKey<Sha256>,
    /// What Alipay's own signatures are verified with.
    pub(super) platform_public_key: VerifyingKey<Sha256>,
    /// What the merchant signs with; a forger signs notices with it, since any key but Alipay's will do.
    pub(super) app_key: SigningKey<Sha256>,
    /// What the merchant's requests are verified with.
    pub(super) app_public_key: VerifyingKey<Sha256>,
    credentials: AlipayCredentials,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("app_id", &self.app_id).field("seller_id", &self.seller_id).finish_non_exhaustive()
    }
}

impl Account {
    /// Reads the keys of a kept account. `public_url` is where the sandbox is reached.
    pub(crate) fn open(texts: AccountTexts, public_url: &str) -> Result<Self, AccountError> {
        let read = |text: &str| RsaPrivateKey::from_pkcs8_pem(text).map_err(AccountError::KeyText);
        let (app, platform) = (read(&texts.app_private_key)?, read(&texts.platform_private_key)?);
        let credentials = credentials(&texts, &app, &platform, public_url)?;
        Ok(Self {
            app_id: texts.app_id,
            seller_id: texts.seller_id,
            app_public_key: VerifyingKey::new(app.to_public_key()),
            app_key: SigningKey::new(app),
            platform_public_key: VerifyingKey::new(platform.to_public_key()),
            platform_key: SigningKey::new(platform),
            credentials,
        })
    }

    /// What the merchant holds.
    pub(crate) fn credentials(&self) -> &AlipayCredentials {
        &self.credentials
    }
}

fn credentials(
    texts: &AccountTexts,
    app: &RsaPrivateKey,
    platform: &RsaPrivateKey,
    public_url: &str,
) -> Result<AlipayCredentials, AccountError> {
    let pem = |key: &RsaPrivateKey| key.to_public_key().to_public_key_pem(LineEnding::LF).map_err(AccountError::PublicKeyText);
    let alipay_public_der = platform.to_public_key().to_public_key_der().map_err(AccountError::PublicKeyText)?;
    let app_private_der = app.to_pkcs8_der().map_err(AccountError::KeyText)?;
    Ok(AlipayCredentials {
        app_id: texts.app_id.clone(),
        seller_id: texts.seller_id.clone(),
        gateway_url: format!("{public_url}/sandbox/alipay/gateway.do"),
        sign_type: "RSA2".to_owned(),
        product_code: "QR_CODE_OFFLINE".to_owned(),
        app_private_key: texts.app_private_key.clone(),
        app_private_key_base64: STANDARD.encode(app_private_der.as_bytes()),
        app_public_key: pem(app)?,
        alipay_public_key: pem(platform)?,
        alipay_public_key_base64: STANDARD.encode(alipay_public_der.as_bytes()),
        certificates: certificates::issue(&texts.app_id, &texts.seller_id, app, platform)?,
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
    fn no_key_is_ever_printed() {
        let account = account();
        let printed = format!("{account:?} {:?}", account.credentials());
        assert!(!printed.contains("PRIVATE KEY") && !printed.contains("MII"), "{printed}");
    }

    #[test]
    fn a_damaged_key_is_an_error() {
        let texts = AccountTexts { platform_private_key: "nonsense".to_owned(), ..texts() };
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
