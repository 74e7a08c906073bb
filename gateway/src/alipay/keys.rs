//! The application's private key and Alipay's public keys, read once at start.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{PublicEncryptingKey, PublicKey};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The size of an application key, in bytes. Alipay takes no other for RSA2.
const APPLICATION_KEY_BYTES: usize = 2048 / 8;

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

/// The application's private key.
pub(super) struct ApplicationKey(RsaKeyPair);

impl ApplicationKey {
    /// Reads PKCS#8 or PKCS#1, as PEM or as base64, with blanks and line breaks. The structure decides, not the label.
    pub(super) fn read(text: &str) -> Result<Self, KeyError> {
        let der = der(text)?;
        let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).map_err(|_| KeyError::Unreadable)?;
        if pair.public_modulus_len() == APPLICATION_KEY_BYTES { Ok(Self(pair)) } else { Err(KeyError::WrongSize) }
    }

    /// The signature of `message` in base64, SHA-256 with PKCS#1 v1.5 padding. Errors: the library failed.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String, SigningFailed> {
        let mut signature = [0; APPLICATION_KEY_BYTES];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| SigningFailed)?;
        Ok(STANDARD.encode(signature))
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

/// The cryptographic library did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request could not be signed")]
pub(super) struct SigningFailed;

/// Alipay's public keys that are accepted now; several while one follows another.
pub(super) struct AlipayKeys(Vec<ParsedPublicKey>);

impl AlipayKeys {
    /// Reads each key. Errors: why, and the place of the first bad one (0 where there is none at all).
    pub(super) fn read<'a>(texts: impl IntoIterator<Item = &'a str>, application: &ApplicationKey) -> Result<Self, (usize, KeyError)> {
        let read = |(place, text)| alipay_key(text, application).map_err(|error| (place, error));
        let keys = texts.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err((0, KeyError::Missing)) } else { Ok(Self(keys)) }
    }

    /// How many keys there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether one of the keys made this signature (base64, read strictly) of `message`. SHA-256 with PKCS#1 v1.5 is all
    /// that counts, whatever the message says of itself.
    pub(super) fn verify(&self, message: &[u8], sign: &[u8]) -> bool {
        let mut buffer = [0; SIGNATURE_LIMIT];
        let Ok(length) = STANDARD.decode_slice(sign, &mut buffer) else { return false };
        let Some(signature) = buffer.get(..length) else { return false };
        self.0.iter().any(|key| key.verify_sig(message, signature).is_ok())
    }
}

fn alipay_key(text: &str, application: &ApplicationKey) -> Result<ParsedPublicKey, KeyError> {
    let der = der(text)?;
    let key = PublicEncryptingKey::from_der(&der).map_err(|_| KeyError::Unreadable)?;
    if key.key_size_bits() < ALIPAY_KEY_BITS {
        return Err(KeyError::WrongSize);
    }
    let numbers = PublicKey::from_der(&der).map_err(|_| KeyError::Unreadable)?;
    if numbers.as_ref() == application.public_key() {
        return Err(KeyError::ApplicationKey);
    }
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).map_err(|_| KeyError::Unreadable)
}

/// The bytes of a key's text: what stands between the armour's lines if there are any, else all of it.
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
