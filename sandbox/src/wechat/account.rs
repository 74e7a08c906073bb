//! The one merchant account of the sandbox's WeChat Pay: ids, keys and certificates, of which several hold at once.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::{SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::sha2::Sha256;
use serde::{Deserialize, Serialize};

use super::certificate::{self, LIFE};
use super::credentials::{PlatformCertificate, WechatCredentials};
use super::{BASE, numbers};
use crate::certificate::CertificateError;

const KEY_BITS: usize = 2048;

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
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Certificate(#[from] CertificateError),
    /// What is kept has no key of a kind that is needed.
    #[error("the account has no {0}")]
    Missing(&'static str),
}

/// A private key and what is published of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeyText {
    /// A certificate's serial number, or the id of a public key.
    pub(super) serial: String,
    pub(super) private_key: String,
    /// None for a bare public key.
    pub(super) certificate: Option<CertificateText>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CertificateText {
    pub(super) pem: String,
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

/// What notifications are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignedBy {
    PublicKey,
    PlatformCertificate,
    /// Now with the one, now with the other, as while a merchant moves from certificates to the public key.
    Either,
}

/// What is kept of an account. Of each kind of key the newest is last.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccountTexts {
    pub(super) appid: String,
    pub(super) app_secret: String,
    pub(super) mchid: String,
    pub(super) openid: String,
    pub(super) api_v3_key: String,
    pub(super) api_v2_key: String,
    pub(super) merchant: Vec<KeyText>,
    pub(super) platform: Vec<KeyText>,
    pub(super) public_keys: Vec<KeyText>,
    pub(super) notifications: SignedBy,
    /// Where notifications of refunds go that no program has asked for.
    pub(super) refund_notify_url: Option<String>,
}

impl AccountTexts {
    /// A new account with fresh keys. Takes up to some seconds of the processor.
    pub(crate) fn make(now: DateTime<Utc>) -> Result<Self, AccountError> {
        let (mchid, appid) = (format!("1900{}", numbers::digits(6)), format!("wx{}", numbers::lower_hex(16)));
        let (merchant, platform, public_key) = std::thread::scope(|scope| {
            let merchant = scope.spawn(make_key);
            let public_key = scope.spawn(make_key);
            let platform = make_key();
            (merchant.join(), platform, public_key.join())
        });
        let [merchant, public_key] = [merchant, public_key].map(|key| key.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let platform = platform?;
        Ok(Self {
            merchant: vec![certified(&mchid, &merchant?, &platform, now, LIFE)?],
            platform: vec![certified(PLATFORM_HOLDER, &platform, &platform, now, LIFE)?],
            public_keys: vec![public(&public_key?)?],
            appid,
            app_secret: numbers::lower_hex(32),
            mchid,
            openid: format!("o{}", numbers::nonce(27)),
            api_v3_key: numbers::nonce(32),
            api_v2_key: numbers::nonce(32),
            notifications: SignedBy::PublicKey,
            refund_notify_url: None,
        })
    }

    /// Adds a platform certificate, which is used from now on or only listed; older ones stay good.
    pub(super) fn add_platform_certificate(&mut self, now: DateTime<Utc>, life: TimeDelta, is_used: bool) -> Result<String, AccountError> {
        let key = make_key()?;
        Ok(added(&mut self.platform, certified(PLATFORM_HOLDER, &key, &key, now, life)?, is_used))
    }

    /// Adds a public key, which is used from now on or only published; older ones answer to requests that name them.
    pub(super) fn add_public_key(&mut self, is_used: bool) -> Result<String, AccountError> {
        Ok(added(&mut self.public_keys, public(&make_key()?)?, is_used))
    }

    /// Signs with a known key from now on; false if there is none with that serial.
    pub(super) fn use_key(&mut self, serial: &str) -> bool {
        for keys in [&mut self.platform, &mut self.public_keys] {
            if let Some(place) = keys.iter().position(|key| key.serial == serial) {
                let key = keys.remove(place);
                keys.push(key);
                return true;
            }
        }
        false
    }

    /// Adds a merchant certificate; older ones stay good.
    pub(super) fn add_merchant_certificate(&mut self, now: DateTime<Utc>, life: TimeDelta) -> Result<String, AccountError> {
        let issuer = self.platform.last().or(self.merchant.last()).ok_or(AccountError::Missing("platform certificate"))?;
        let issuer = read(&issuer.private_key)?;
        Ok(added(&mut self.merchant, certified(&self.mchid, &make_key()?, &issuer, now, life)?, true))
    }

    /// Takes a key out of use; false if there is none with that serial, or if it is the merchant's only one.
    pub(super) fn retire(&mut self, serial: &str) -> bool {
        let before = self.merchant.len() + self.platform.len() + self.public_keys.len();
        if self.merchant.len() > 1 {
            self.merchant.retain(|key| key.serial != serial);
        }
        // Something must be left to sign with.
        if self.platform.len() + self.public_keys.len() > 1 {
            self.platform.retain(|key| key.serial != serial);
            self.public_keys.retain(|key| key.serial != serial);
        }
        before != self.merchant.len() + self.platform.len() + self.public_keys.len()
    }
}

const PLATFORM_HOLDER: &str = "Sandbox Tenpay.com sign";

fn added(keys: &mut Vec<KeyText>, key: KeyText, is_used: bool) -> String {
    let (serial, place) = (key.serial.clone(), keys.len());
    keys.insert(if is_used { place } else { place.saturating_sub(1) }, key);
    serial
}

fn make_key() -> Result<RsaPrivateKey, AccountError> {
    RsaPrivateKey::new(&mut OsRng, KEY_BITS).map_err(AccountError::Key)
}

fn read(text: &str) -> Result<RsaPrivateKey, AccountError> {
    RsaPrivateKey::from_pkcs8_pem(text).map_err(AccountError::KeyText)
}

fn written(key: &RsaPrivateKey) -> Result<String, AccountError> {
    key.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.to_string()).map_err(AccountError::KeyText)
}

fn certified(
    holder: &str,
    key: &RsaPrivateKey,
    issuer: &RsaPrivateKey,
    now: DateTime<Utc>,
    life: TimeDelta,
) -> Result<KeyText, AccountError> {
    let made = certificate::make(holder, key, issuer, now, life)?;
    let certificate = CertificateText { pem: made.pem, not_before: made.not_before, not_after: made.not_after };
    Ok(KeyText { serial: made.serial, private_key: written(key)?, certificate: Some(certificate) })
}

fn public(key: &RsaPrivateKey) -> Result<KeyText, AccountError> {
    Ok(KeyText { serial: format!("PUB_KEY_ID_{}", numbers::digits(32)), private_key: written(key)?, certificate: None })
}

/// A key that WeChat Pay signs with, by the serial that its signatures name.
#[derive(Clone)]
pub(super) struct ChannelKey {
    pub(super) serial: String,
    pub(super) key: SigningKey<Sha256>,
}

/// The merchant account with its keys ready for use.
pub(crate) struct Account {
    texts: AccountTexts,
    /// What requests are verified with, by the serial that they name.
    merchant: Vec<(String, VerifyingKey<Sha256>)>,
    platform: Vec<ChannelKey>,
    public_keys: Vec<ChannelKey>,
    /// A forger signs with it: any key but WeChat Pay's will do.
    forger: SigningKey<Sha256>,
    credentials: WechatCredentials,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl Account {
    /// Reads the keys of a kept account. `public_url` is where the sandbox is reached.
    pub(crate) fn open(texts: AccountTexts, public_url: &str) -> Result<Self, AccountError> {
        let signing = |key: &KeyText| Ok(ChannelKey { serial: key.serial.clone(), key: SigningKey::new(read(&key.private_key)?) });
        let verifying = |key: &KeyText| Ok((key.serial.clone(), VerifyingKey::new(read(&key.private_key)?.to_public_key())));
        let merchant = texts.merchant.last().ok_or(AccountError::Missing("merchant certificate"))?;
        Ok(Self {
            forger: SigningKey::new(read(&merchant.private_key)?),
            merchant: texts.merchant.iter().map(verifying).collect::<Result<_, AccountError>>()?,
            platform: texts.platform.iter().map(signing).collect::<Result<_, AccountError>>()?,
            public_keys: texts.public_keys.iter().map(signing).collect::<Result<_, AccountError>>()?,
            credentials: credentials(&texts, merchant, public_url)?,
            texts,
        })
    }

    pub(crate) fn texts(&self) -> &AccountTexts {
        &self.texts
    }

    /// What the merchant holds.
    pub(crate) fn credentials(&self) -> &WechatCredentials {
        &self.credentials
    }

    /// The key that a request's serial number names.
    pub(super) fn merchant_key(&self, serial: &str) -> Option<&VerifyingKey<Sha256>> {
        self.merchant.iter().find(|(known, _)| known == serial).map(|(_, key)| key)
    }

    /// The key that an answer is signed with: the one that the request names, else the newest certificate's. None if it names
    /// one that is not known.
    pub(super) fn answering_key(&self, named: Option<&str>) -> Option<&ChannelKey> {
        match named {
            Some(serial) => self.public_keys.iter().chain(&self.platform).find(|key| key.serial == serial),
            None => self.platform.last().or(self.public_keys.last()),
        }
    }

    /// The key that the next notification is signed with.
    pub(super) fn notifying_key(&self) -> Option<&ChannelKey> {
        let is_by_public_key = match self.texts.notifications {
            SignedBy::PublicKey => true,
            SignedBy::PlatformCertificate => false,
            SignedBy::Either => rand::random(),
        };
        let (first, second) = (self.public_keys.last(), self.platform.last());
        if is_by_public_key { first.or(second) } else { second.or(first) }
    }

    /// Where notifications of refunds go that no program has asked for.
    pub(super) fn refund_notify_url(&self) -> Option<&str> {
        self.texts.refund_notify_url.as_deref()
    }

    /// What is published of the key with a serial: a public key, or a certificate, in PEM.
    pub(super) fn published(&self, serial: &str) -> Option<String> {
        let keys = self.texts.platform.iter().chain(&self.texts.public_keys).chain(&self.texts.merchant);
        let key = keys.into_iter().find(|key| key.serial == serial)?;
        match &key.certificate {
            Some(certificate) => Some(certificate.pem.clone()),
            None => read(&key.private_key).ok()?.to_public_key().to_public_key_pem(LineEnding::LF).ok(),
        }
    }

    pub(super) fn forger(&self) -> &SigningKey<Sha256> {
        &self.forger
    }
}

fn credentials(texts: &AccountTexts, merchant: &KeyText, public_url: &str) -> Result<WechatCredentials, AccountError> {
    let pem = |key: &KeyText| key.certificate.as_ref().map_or_else(String::new, |certificate| certificate.pem.clone());
    let (public_key_id, public_key) = match texts.public_keys.last() {
        None => (String::new(), String::new()),
        Some(key) => {
            let public = read(&key.private_key)?.to_public_key();
            (key.serial.clone(), public.to_public_key_pem(LineEnding::LF).map_err(AccountError::PublicKeyText)?)
        }
    };
    let published = |key: &KeyText| PlatformCertificate { serial: key.serial.clone(), certificate: pem(key) };
    Ok(WechatCredentials {
        appid: texts.appid.clone(),
        app_secret: texts.app_secret.clone(),
        mchid: texts.mchid.clone(),
        base_url: format!("{public_url}{BASE}"),
        api_v3_key: texts.api_v3_key.clone(),
        api_v2_key: texts.api_v2_key.clone(),
        merchant_serial: merchant.serial.clone(),
        merchant_private_key: merchant.private_key.clone(),
        merchant_certificate: pem(merchant),
        public_key_id,
        public_key,
        platform_certificates: texts.platform.iter().map(published).collect(),
        oauth_authorize_url: format!("{public_url}{BASE}/oauth2/authorize"),
        oauth_access_token_url: format!("{public_url}{BASE}/sns/oauth2/access_token"),
        openid: texts.openid.clone(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// The texts of one account for all tests, since making keys takes long.
    pub(in super::super) fn texts() -> AccountTexts {
        static TEXTS: OnceLock<AccountTexts> = OnceLock::new();
        TEXTS.get_or_init(|| AccountTexts::make("2026-03-05T06:08:09Z".parse().unwrap()).unwrap()).clone()
    }

    pub(in super::super) fn account() -> Account {
        Account::open(texts(), "http://127.0.0.1:8080").unwrap()
    }

    #[test]
    fn an_account_opens_to_the_same_credentials_again() {
        let kept: AccountTexts = serde_json::from_str(&serde_json::to_string(&texts()).unwrap()).unwrap();
        let again = Account::open(kept, "http://127.0.0.1:8080").unwrap();
        assert_eq!(account().credentials(), again.credentials());
        let credentials = again.credentials();
        assert_eq!((credentials.appid.len(), credentials.mchid.len(), credentials.openid.len()), (18, 10, 28));
        assert_eq!((credentials.api_v3_key.len(), credentials.api_v2_key.len(), credentials.public_key_id.len()), (32, 32, 43));
    }

    #[test]
    fn no_secret_is_ever_printed() {
        let account = account();
        let printed = format!("{account:?} {:?}", account.credentials());
        let credentials = account.credentials();
        for secret in [&credentials.api_v3_key, &credentials.api_v2_key, &credentials.app_secret, &credentials.merchant_private_key] {
            assert!(!printed.contains(secret.as_str()), "{printed}");
        }
    }

    #[test]
    fn new_keys_are_used_and_old_ones_stay_known() {
        let now = "2026-03-05T06:08:09Z".parse().unwrap();
        let mut texts = texts();
        let old = account();
        let (merchant, platform) =
            (texts.add_merchant_certificate(now, LIFE).unwrap(), texts.add_platform_certificate(now, LIFE, true).unwrap());
        let later = texts.add_public_key(false).unwrap();
        let public_key = texts.add_public_key(true).unwrap();
        let new = Account::open(texts.clone(), "http://x").unwrap();
        assert!(new.merchant_key(&merchant).is_some() && new.merchant_key(&old.credentials().merchant_serial).is_some());
        assert_eq!(new.answering_key(None).unwrap().serial, platform);
        assert_eq!(new.notifying_key().unwrap().serial, public_key);
        assert!(new.answering_key(Some(&old.credentials().public_key_id)).is_some());
        assert!(new.answering_key(Some("PUB_KEY_ID_0")).is_none());
        assert_eq!(new.credentials().platform_certificates.len(), 2);
        assert!(texts.retire(&old.credentials().merchant_serial) && !texts.retire(&merchant) && !texts.retire("none"));
        assert!(texts.use_key(&later) && !texts.use_key(&merchant));
        assert_eq!(Account::open(texts.clone(), "http://x").unwrap().notifying_key().unwrap().serial, later);
        assert!(texts.retire(&platform) && texts.retire(&public_key));
    }

    #[test]
    fn a_damaged_key_is_an_error() {
        let mut texts = texts();
        texts.platform[0].private_key = "nonsense".to_owned();
        assert!(matches!(Account::open(texts, "http://x"), Err(AccountError::KeyText(_))));
    }
}
