use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::{Certificate, KeyError, MerchantKey};
use crate::rsa::{der, public_key};

/// The most bytes that a signature may have: that of the largest key that is read.
const SIGNATURE_LIMIT: usize = 8192 / 8;

/// When a key or certificate stops counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyExpiry {
    /// Its serial number.
    pub serial: String,
    /// The end of its time.
    pub expires_at: DateTime<Utc>,
}

/// One key that WeChat Pay signs with.
#[derive(Clone)]
pub(in super::super) struct PlatformKey {
    key: ParsedPublicKey,
    /// The end of its certificate's time; a public key has none.
    not_after: Option<DateTime<Utc>>,
}

impl PlatformKey {
    /// Reads a WeChat Pay public key, PEM or base64.
    pub(in super::super) fn read(text: &str, merchant: &MerchantKey) -> Result<Self, KeyError> {
        Ok(Self { key: public_key(&der(text)?, &merchant.0)?, not_after: None })
    }

    /// The key of a certificate that was checked.
    pub(in super::super) fn of_certificate(certificate: &Certificate, merchant: &MerchantKey) -> Result<Self, KeyError> {
        Ok(Self { key: public_key(certificate.public_key(), &merchant.0)?, not_after: Some(certificate.not_after) })
    }

    /// The same key, counting no longer than `until`.
    pub(in super::super) fn until(self, until: DateTime<Utc>) -> Self {
        Self { not_after: Some(self.not_after.map_or(until, |not_after| not_after.min(until))), ..self }
    }

    /// Whether its time is over.
    pub(in super::super) fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.not_after.is_some_and(|not_after| now > not_after)
    }

    /// Whether it made this signature (base64, read strictly) of `message`: SHA-256 with PKCS#1 v1.5, whatever the message
    /// says of itself.
    pub(in super::super) fn verify(&self, message: &[u8], sign: &[u8]) -> bool {
        let mut buffer = [0; SIGNATURE_LIMIT];
        let Ok(length) = STANDARD.decode_slice(sign, &mut buffer) else { return false };
        buffer.get(..length).is_some_and(|signature| self.key.verify_sig(message, signature).is_ok())
    }
}

/// The keys that WeChat Pay may sign with now, by what stands in the header `Wechatpay-Serial`.
#[derive(Clone, Default)]
pub(in super::super) struct PlatformKeys(BTreeMap<String, PlatformKey>);

impl PlatformKeys {
    /// The key of that serial number or id.
    pub(in super::super) fn get(&self, serial: &str) -> Option<&PlatformKey> {
        self.0.get(serial)
    }

    /// Adds a key, in place of one of the same serial.
    pub(in super::super) fn insert(&mut self, serial: String, key: PlatformKey) {
        self.0.insert(serial, key);
    }

    /// Leaves out certificates whose time is over.
    pub(in super::super) fn drop_expired(&mut self, now: DateTime<Utc>) {
        self.0.retain(|_, key| !key.has_expired(now));
    }

    /// Whether there is none at all.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The serials of the certificates among these that are not among `others`.
    pub(in super::super) fn certificates_beyond(&self, others: &Self) -> Vec<String> {
        let is_new = |(serial, key): &(&String, &PlatformKey)| key.not_after.is_some() && others.get(serial).is_none();
        self.0.iter().filter(is_new).map(|(serial, _)| serial.clone()).collect()
    }

    /// The certificates and the end of their time.
    pub(in super::super) fn expiries(&self) -> Vec<KeyExpiry> {
        let expiry =
            |(serial, key): (&String, &PlatformKey)| key.not_after.map(|expires_at| KeyExpiry { serial: serial.clone(), expires_at });
        self.0.iter().filter_map(expiry).collect()
    }
}

impl fmt::Debug for PlatformKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
