//! Encrypted parts of notifications and of the certificates' list: AES-256-GCM under the APIv3 key.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::numbers;

const NONCE_LENGTH: usize = 12;

/// An encrypted part.
#[derive(Debug, Serialize)]
pub(super) struct Sealed {
    pub(super) algorithm: &'static str,
    pub(super) nonce: String,
    pub(super) associated_data: &'static str,
    pub(super) ciphertext: String,
}

/// The text could not be encrypted.
#[derive(Debug, thiserror::Error)]
#[error("a text could not be encrypted")]
pub struct SealError;

/// Encrypts a text. `key` has 32 bytes.
pub(super) fn seal(key: &str, associated_data: &'static str, text: &str) -> Result<Sealed, SealError> {
    let key: [u8; 32] = key.as_bytes().try_into().map_err(|_| SealError)?;
    let nonce = numbers::nonce(NONCE_LENGTH);
    let payload = Payload { msg: text.as_bytes(), aad: associated_data.as_bytes() };
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key));
    let ciphertext = cipher.encrypt(Nonce::from_slice(nonce.as_bytes()), payload).map_err(|_| SealError)?;
    Ok(Sealed { algorithm: "AEAD_AES_256_GCM", nonce, associated_data, ciphertext: STANDARD.encode(ciphertext) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_key_and_its_data() {
        let key = "0123456789abcdef0123456789ABCDEF";
        let sealed = seal(key, "transaction", "文字").unwrap();
        let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key.as_bytes()));
        let open = |aad: &str| {
            let ciphertext = STANDARD.decode(&sealed.ciphertext).unwrap();
            cipher.decrypt(Nonce::from_slice(sealed.nonce.as_bytes()), Payload { msg: &ciphertext, aad: aad.as_bytes() })
        };
        assert_eq!(open("transaction").unwrap(), "文字".as_bytes());
        assert!(open("refund").is_err());
        assert!(seal("short", "", "x").is_err());
    }
}
