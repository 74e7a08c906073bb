//! The merchant's private key, and WeChat Pay's keys by their serial number or id.

mod certificate;
mod platform;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::secret::Secret;

pub(super) use certificate::Certificate;
pub use platform::KeyExpiry;
pub(super) use platform::{PlatformKey, PlatformKeys};

use crate::rsa::{BadKey, PRIVATE_KEY_BYTES, PrivateKey, SigningFailed};

/// Why a text is not the key or certificate that it should be. It never holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is empty.
    #[error("it is missing")]
    Missing,
    /// Neither PEM nor base64, or not the structure that is expected.
    #[error("it is not readable as what it should be, in PEM or base64")]
    Unreadable,
    /// The key has another size.
    #[error("its key is not an RSA key of a size that is accepted")]
    WrongSize,
    /// The merchant's own public key stands where WeChat Pay's should: every answer would be refused.
    #[error("it is the merchant's own key, not WeChat Pay's")]
    MerchantKey,
    /// The certificate is not of the private key beside it.
    #[error("its key is not the one of the private key")]
    NotThePair,
    /// The certificate has another serial number than is configured beside it.
    #[error("it has another serial number")]
    OtherSerial,
    /// The certificate was not issued by the configured authority.
    #[error("it is not issued by the configured authority")]
    OtherIssuer,
    /// The certificate's time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// The certificate's time is over.
    #[error("it has expired")]
    Expired,
}

impl From<BadKey> for KeyError {
    fn from(bad: BadKey) -> Self {
        match bad {
            BadKey::Missing => Self::Missing,
            BadKey::Unreadable => Self::Unreadable,
            BadKey::WrongSize => Self::WrongSize,
            BadKey::Ours => Self::MerchantKey,
        }
    }
}

/// The merchant's private key.
pub(super) struct MerchantKey(PrivateKey);

impl MerchantKey {
    /// Reads a key in any of the forms that [`PrivateKey::read`] knows.
    pub(super) fn read(text: &str) -> Result<Self, KeyError> {
        Ok(Self(PrivateKey::read(text)?))
    }

    /// The signature of `message` in base64, SHA-256 with PKCS#1 v1.5 padding. Errors: the library failed.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String, SigningFailed> {
        self.0.sign(message)
    }

    /// Reads what WeChat Pay encrypted for the merchant (RSAES-OAEP with SHA-1, base64); `None` if it is nothing of the kind.
    pub(super) fn decrypt(&self, ciphertext: &str) -> Option<Secret<String>> {
        let ciphertext = STANDARD.decode(ciphertext).ok().filter(|bytes| bytes.len() == PRIVATE_KEY_BYTES)?;
        let der: Pkcs8V1Der<'_> = self.0.pair().as_der().ok()?;
        let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?).ok()?;
        let mut plaintext = [0; PRIVATE_KEY_BYTES];
        let plaintext = key.decrypt(&OAEP_SHA1_MGF1SHA1, &ciphertext, &mut plaintext, None).ok()?;
        Some(Secret::new(str::from_utf8(plaintext).ok()?.to_owned()))
    }

    /// Modulus and exponent, for comparison.
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }
}

#[cfg(test)]
mod tests;
