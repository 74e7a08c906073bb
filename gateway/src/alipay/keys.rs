//! The application's private key and the keys that are accepted as Alipay's, read once at start.

use aws_lc_rs::rsa::{PublicEncryptingKey, PublicKey};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::certificate::{Certificate, CertificateError, Validity, judged};
use crate::rsa::{BadKey, PrivateKey, SigningFailed, der, public_key};

/// The smallest size of an Alipay key, in bits.
const ALIPAY_KEY_BITS: usize = 2048;

/// The most bytes that a signature may have: that of the largest key that is read.
const SIGNATURE_LIMIT: usize = 8192 / 8;

/// Why a text is not the key that it should be. It never holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is empty.
    #[error("it is missing")]
    Missing,
    /// Neither PEM nor base64, or not the structure of such a key.
    #[error("it is not readable as an RSA key in PEM or base64")]
    Unreadable,
    /// The key has another size.
    #[error("it is not an RSA key of 2048 bits")]
    WrongSize,
    /// The application's own public key stands where Alipay's should: every notification would be refused.
    #[error("it is the application's own public key, not Alipay's")]
    ApplicationKey,
}

impl From<BadKey> for KeyError {
    fn from(bad: BadKey) -> Self {
        match bad {
            BadKey::Missing => Self::Missing,
            BadKey::Unreadable => Self::Unreadable,
            BadKey::WrongSize => Self::WrongSize,
            BadKey::Ours => Self::ApplicationKey,
        }
    }
}

/// The application's private key.
pub(super) struct ApplicationKey(PrivateKey);

impl ApplicationKey {
    /// Reads a key in any of the forms that [`PrivateKey::read`] knows.
    pub(super) fn read(text: &str) -> Result<Self, KeyError> {
        Ok(Self(PrivateKey::read(text)?))
    }

    /// The signature of `message` in base64, SHA-256 with PKCS#1 v1.5 padding. Errors: the library failed.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String, SigningFailed> {
        self.0.sign(message)
    }
}

/// The most keys that are kept of certificates that were fetched.
const FETCHED_LIMIT: usize = 8;

/// Alipay's public keys that are accepted now; several while one follows another.
#[derive(Clone)]
pub(super) struct AlipayKeys(Vec<AlipayKey>);

/// One of them.
#[derive(Clone)]
pub(super) struct AlipayKey {
    key: ParsedPublicKey,
    certified: Option<Certified>,
    is_fetched: bool,
}

/// What a key's certificate says of it.
#[derive(Clone)]
struct Certified {
    serial: String,
    validity: Validity,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untrusted {
    /// None of the keys made it.
    #[error("the signature is not Alipay's")]
    Forged,
    /// It names a certificate that is none of the configured ones.
    #[error("the signature is under a certificate that is not configured")]
    UnknownCertificate,
    /// The certificate of the key that made it has expired.
    #[error("the signature is under a certificate that has expired")]
    Expired,
    /// The certificate of the key that made it is not valid yet.
    #[error("the signature is under a certificate that is not valid yet")]
    NotYetValid,
}

impl AlipayKeys {
    /// Reads each key. Errors: why, and the place of the first bad one (0 where there is none at all).
    pub(super) fn read<'a>(texts: impl IntoIterator<Item = &'a str>, application: &ApplicationKey) -> Result<Self, (usize, KeyError)> {
        let read = |(place, text)| match der(text).and_then(|der| public_key(&der, &application.0)) {
            Ok(key) => Ok(AlipayKey { key, certified: None, is_fetched: false }),
            Err(bad) => Err((place, bad.into())),
        };
        let keys = texts.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err((0, KeyError::Missing)) } else { Ok(Self(keys)) }
    }

    #[cfg(test)]
    pub(super) fn first(&self) -> &AlipayKey {
        &self.0[0]
    }

    /// How many keys there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Reads the certificates of several files, each with Alipay's first and those of its issuers after it, and follows each
    /// to one of `roots`. When they count is judged with every signature. Errors: why, and the place of the first bad file.
    pub(super) fn certified<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        roots: &[Certificate],
        application: &ApplicationKey,
    ) -> Result<Self, (usize, CertificateError)> {
        let read = |(place, text)| certified_key(text, roots, application).map_err(|error| (place, error));
        let keys = texts.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err((0, CertificateError::Missing)) } else { Ok(Self(keys)) }
    }

    /// Whether a certificate of that serial is among them.
    pub(super) fn knows(&self, serial: &str) -> bool {
        self.certificates().any(|(known, _)| known == serial)
    }

    /// Whether a certificate is made out to the holder of one of these keys, whose certificates are among `configured`.
    pub(super) fn is_held_like(&self, certificate: &Certificate, configured: &[Certificate]) -> bool {
        configured.iter().filter(|known| self.knows(&known.serial)).any(|known| certificate.has_holder_of(known))
    }

    /// The same keys and one that was fetched. Of those there are only so many: the oldest goes.
    pub(super) fn with_fetched(&self, key: AlipayKey) -> Self {
        let mut keys = self.0.clone();
        if keys.iter().filter(|key| key.is_fetched).count() >= FETCHED_LIMIT
            && let Some(oldest) = keys.iter().position(|key| key.is_fetched)
        {
            keys.remove(oldest);
        }
        keys.push(AlipayKey { is_fetched: true, ..key });
        Self(keys)
    }

    /// The serials of the certificates with the times in which they count; none in public-key mode.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (&str, Validity)> {
        self.0.iter().filter_map(|key| key.certified.as_ref()).map(|certified| (certified.serial.as_str(), certified.validity))
    }

    /// Whether one of the keys made this signature (base64, read strictly) of `message`, and counts at `now`. SHA-256 with
    /// PKCS#1 v1.5 is all that counts, whatever the message says of itself.
    ///
    /// `serial` is the certificate that the message names, if it names one; plain public keys have no serials.
    pub(super) fn verify(&self, message: &[u8], sign: &[u8], serial: Option<&str>, now: DateTime<Utc>) -> Result<(), Untrusted> {
        let is_named = |key: &&AlipayKey| match (&key.certified, serial) {
            (Some(certified), Some(serial)) => certified.serial == serial,
            (None, _) | (_, None) => true,
        };
        if !self.0.iter().any(|key| is_named(&key)) {
            return Err(Untrusted::UnknownCertificate);
        }
        let mut buffer = [0; SIGNATURE_LIMIT];
        let length = STANDARD.decode_slice(sign, &mut buffer).map_err(|_| Untrusted::Forged)?;
        let signature = buffer.get(..length).ok_or(Untrusted::Forged)?;
        let made = self.0.iter().filter(is_named).filter(|key| key.key.verify_sig(message, signature).is_ok());
        // One key may be certified more than once; the certificate that counts longest decides.
        let judged = made.map(|key| key.judge(now)).reduce(|one, other| if one.is_ok() { one } else { other });
        judged.unwrap_or(Err(Untrusted::Forged))
    }
}

impl AlipayKey {
    /// Whether its certificate counts at `now`. Errors: too early or too late.
    pub(super) fn check_time(&self, now: DateTime<Utc>) -> Result<(), CertificateError> {
        self.certified.as_ref().map_or(Ok(()), |certified| certified.validity.check(now))
    }

    fn judge(&self, now: DateTime<Utc>) -> Result<(), Untrusted> {
        let Some(certified) = &self.certified else { return Ok(()) };
        certified.validity.check(now).map_err(|error| match error {
            CertificateError::NotYetValid => Untrusted::NotYetValid,
            _ => Untrusted::Expired,
        })
    }
}

fn certified_key(text: &str, roots: &[Certificate], application: &ApplicationKey) -> Result<AlipayKey, CertificateError> {
    let certificates = Certificate::read_all(text)?;
    let (own, between) = certificates.split_first().ok_or(CertificateError::Missing)?;
    key_of(own, between, roots, application)
}

/// The key of a certificate of Alipay's that `between` lead to one of `roots`. When it counts is not looked at.
pub(super) fn key_of(
    own: &Certificate,
    between: &[Certificate],
    roots: &[Certificate],
    application: &ApplicationKey,
) -> Result<AlipayKey, CertificateError> {
    if own.is_for(application) {
        return Err(CertificateError::ApplicationCertificate);
    }
    let validity = judged(own, between, roots)?;
    let size = PublicEncryptingKey::from_der(&own.public_key).map_err(|_| CertificateError::NotRsa)?.key_size_bits();
    if size < ALIPAY_KEY_BITS {
        return Err(CertificateError::NotRsa);
    }
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &own.public_key).map_err(|_| CertificateError::NotRsa)?;
    Ok(AlipayKey { key, certified: Some(Certified { serial: own.serial.clone(), validity }), is_fetched: false })
}

impl Certificate {
    /// Whether it certifies the application's key.
    pub(super) fn is_for(&self, application: &ApplicationKey) -> bool {
        PublicKey::from_der(&self.public_key).is_ok_and(|numbers| numbers.as_ref() == application.0.public_key())
    }
}

#[cfg(test)]
mod tests;
