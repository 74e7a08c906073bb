//! RSA keys as both channels hand them out, and signatures with SHA-256 and PKCS#1 v1.5 padding.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{PublicEncryptingKey, PublicKey};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The size of a private key of ours, in bytes. No channel takes another.
pub(crate) const PRIVATE_KEY_BYTES: usize = 2048 / 8;

/// The smallest size of a channel's key, in bits.
const PUBLIC_KEY_BITS: usize = 2048;

/// Why a text is no private key of ours, or no public key of a channel's. It never holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadKey {
    /// The text is empty.
    Missing,
    /// Neither PEM nor base64, or not the structure of such a key.
    Unreadable,
    /// The key has another size.
    WrongSize,
    /// It is our own public key where a channel's should be.
    Ours,
}

/// A private key of ours, of 2048 bits.
pub(crate) struct PrivateKey(RsaKeyPair);

impl PrivateKey {
    /// Reads PKCS#8 or PKCS#1, as PEM or as base64, with blanks and line breaks. The structure decides, not the label.
    pub(crate) fn read(text: &str) -> Result<Self, BadKey> {
        let der = der(text)?;
        let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).map_err(|_| BadKey::Unreadable)?;
        if pair.public_modulus_len() == PRIVATE_KEY_BYTES { Ok(Self(pair)) } else { Err(BadKey::WrongSize) }
    }

    /// The signature of `message` in base64. Errors: the library failed.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, SigningFailed> {
        let mut signature = [0; PRIVATE_KEY_BYTES];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| SigningFailed)?;
        Ok(STANDARD.encode(signature))
    }

    /// Modulus and exponent, for comparison.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Both halves, for what is not signing.
    pub(crate) fn pair(&self) -> &RsaKeyPair {
        &self.0
    }
}

/// A channel's public key, from its bytes. Errors: any but `Missing`; our own is the one of `ours`.
pub(crate) fn public_key(der: &[u8], ours: &PrivateKey) -> Result<ParsedPublicKey, BadKey> {
    let key = PublicEncryptingKey::from_der(der).map_err(|_| BadKey::Unreadable)?;
    if key.key_size_bits() < PUBLIC_KEY_BITS {
        return Err(BadKey::WrongSize);
    }
    let numbers = PublicKey::from_der(der).map_err(|_| BadKey::Unreadable)?;
    if numbers.as_ref() == ours.public_key() {
        return Err(BadKey::Ours);
    }
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| BadKey::Unreadable)
}

/// The cryptographic library did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library did not sign")]
pub(crate) struct SigningFailed;

/// The bytes of a key's or certificate's text: what stands between the armour's lines if there are any, else all of it.
/// Errors: the text is missing or unreadable.
pub(crate) fn der(text: &str) -> Result<Vec<u8>, BadKey> {
    if text.trim().is_empty() {
        return Err(BadKey::Missing);
    }
    let base64 = match text.split_once("-----BEGIN ") {
        None => text,
        Some((_, rest)) => {
            let (_, rest) = rest.split_once("-----").ok_or(BadKey::Unreadable)?;
            rest.split_once("-----END ").ok_or(BadKey::Unreadable)?.0
        }
    };
    let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).map_err(|_| BadKey::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_and_blanks_are_left_aside() {
        for text in
            ["AQID", " AQ\r\nID\n", "-----BEGIN X-----\nAQ\nID\n-----END X-----\n", "said before\n-----BEGIN X-----AQID-----END Y-----"]
        {
            assert_eq!(der(text), Ok(vec![1, 2, 3]), "{text}");
        }
    }

    #[test]
    fn what_is_empty_and_what_is_neither_armour_nor_base64_differ() {
        for text in ["", " \r\n\t"] {
            assert_eq!(der(text), Err(BadKey::Missing), "{text:?}");
        }
        for text in ["AQI", "AQ-D", "\u{feff}AQID", "-----BEGIN X", "-----BEGIN X-----AQID", "-----BEGIN X-----A*ID-----END X-----"] {
            assert_eq!(der(text), Err(BadKey::Unreadable), "{text:?}");
        }
    }
}
