//! The merchant's private key, and WeChat Pay's keys by their serial number or id.

mod certificate;
mod platform;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::secret::Secret;

pub(super) use certificate::Certificate;
pub use platform::KeyExpiry;
pub(super) use platform::{PlatformKey, PlatformKeys};

/// The size of a merchant's key, in bytes. WeChat Pay certifies no other.
const MERCHANT_KEY_BYTES: usize = 2048 / 8;

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

/// The merchant's private key.
pub(super) struct MerchantKey(RsaKeyPair);

impl MerchantKey {
    /// Reads PKCS#8 or PKCS#1, as PEM or as base64, with blanks and line breaks. The structure decides, not the label.
    pub(super) fn read(text: &str) -> Result<Self, KeyError> {
        let der = der(text)?;
        let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).map_err(|_| KeyError::Unreadable)?;
        if pair.public_modulus_len() == MERCHANT_KEY_BYTES { Ok(Self(pair)) } else { Err(KeyError::WrongSize) }
    }

    /// The signature of `message` in base64, SHA-256 with PKCS#1 v1.5 padding. Errors: the library failed.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String, SigningFailed> {
        let mut signature = [0; MERCHANT_KEY_BYTES];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| SigningFailed)?;
        Ok(STANDARD.encode(signature))
    }

    /// Reads what WeChat Pay encrypted for the merchant (RSAES-OAEP with SHA-1, base64); `None` if it is nothing of the kind.
    pub(super) fn decrypt(&self, ciphertext: &str) -> Option<Secret<String>> {
        let ciphertext = STANDARD.decode(ciphertext).ok().filter(|bytes| bytes.len() == MERCHANT_KEY_BYTES)?;
        let der: Pkcs8V1Der<'_> = self.0.as_der().ok()?;
        let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?).ok()?;
        let mut plaintext = [0; MERCHANT_KEY_BYTES];
        let plaintext = key.decrypt(&OAEP_SHA1_MGF1SHA1, &ciphertext, &mut plaintext, None).ok()?;
        Some(Secret::new(str::from_utf8(plaintext).ok()?.to_owned()))
    }

    /// Modulus and exponent, for comparison.
    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

/// The cryptographic library did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library did not sign")]
pub(super) struct SigningFailed;

/// The bytes of a key's or certificate's text: what stands between the armour's lines if there are any, else all of it.
fn der(text: &str) -> Result<Vec<u8>, KeyError> {
    if text.trim().is_empty() {
        return Err(KeyError::Missing);
    }
    let base64 = match text.split_once("-----BEGIN ") {
        None => text,
        Some((_, rest)) => {
            let (_, rest) = rest.split_once("-----").ok_or(KeyError::Unreadable)?;
            rest.split_once("-----END ").ok_or(KeyError::Unreadable)?.0
        }
    };
    let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).map_err(|_| KeyError::Unreadable)
}

#[cfg(test)]
mod tests;
