//! Ed25519 keys for signing and verifying tokens.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};

use crate::secret::{self, Secret};

/// The base64 characters of one line of PEM.
const PEM_LINE: usize = 64;

/// The last line of a private key's PEM.
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no Ed25519 key in PKCS#8 PEM.
    #[error("this is no Ed25519 private key in PKCS#8 PEM")]
    Unreadable,
    /// The machine could make no key.
    #[error("no Ed25519 key could be made")]
    Ungenerated,
    /// The file cannot be read or written.
    #[error("the key's file cannot be read or written")]
    File(#[from] std::io::Error),
}

/// The half of a key that signs.
pub struct SigningKey {
    pub(super) encoding: EncodingKey,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// Makes a new key.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Ungenerated)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::Ungenerated)?;
        Ok(Self::new(EncodingKey::from_ed_der(document.as_ref()), &pair))
    }

    /// Reads a PKCS#8 PEM text. Errors: `Unreadable`.
    pub fn from_pem(pem: &Secret<String>) -> Result<Self, KeyError> {
        let encoding = EncodingKey::from_ed_pem(pem.expose().as_bytes()).map_err(|_| KeyError::Unreadable)?;
        let pair = Ed25519KeyPair::from_pkcs8(encoding.inner()).map_err(|_| KeyError::Unreadable)?;
        Ok(Self::new(encoding, &pair))
    }

    /// Reads several PKCS#8 PEM texts, one after another: the first is the one to sign with, the others are known still or
    /// already. Errors: `Unreadable`, also where there is none.
    pub fn all_from_pem(pem: &Secret<String>) -> Result<Vec<Self>, KeyError> {
        let texts = pem.expose().split_inclusive(PEM_END).filter(|text| !text.trim().is_empty());
        let keys = texts.map(|text| Self::from_pem(&Secret::new(text.to_owned()))).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Unreadable) } else { Ok(keys) }
    }

    /// Reads the keys that lie in `path`, as [`Self::all_from_pem`], or makes one there first, readable by its owner only.
    pub fn load_or_create(path: &Path) -> Result<Vec<Self>, KeyError> {
        let pem = secret::read_or_create(path, || Self::generate().map(|key| key.to_pem()))?;
        Self::all_from_pem(&pem)
    }

    /// The key as PKCS#8 PEM.
    pub fn to_pem(&self) -> Secret<String> {
        let text = STANDARD.encode(self.encoding.inner());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(PEM_LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str(PEM_END);
        pem.push('\n');
        Secret::new(pem)
    }

    /// The half that verifies.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// The key's id, which tokens carry as `kid`.
    pub fn key_id(&self) -> &str {
        self.verifying.key_id()
    }

    fn new(encoding: EncodingKey, pair: &Ed25519KeyPair) -> Self {
        Self { encoding, verifying: VerifyingKey::from_bytes(pair.public_key().as_ref()) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

/// The half of a key that verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(super) decoding: DecodingKey,
    key_id: String,
}

impl VerifyingKey {
    /// The key's id: the RFC 7638 thumbprint of its public half, so that two keys never share one.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    fn from_bytes(public: &[u8]) -> Self {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
        let key_id = URL_SAFE_NO_PAD.encode(digest(&SHA256, jwk.as_bytes()));
        Self { decoding: DecodingKey::from_ed_der(public), key_id }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(key.key_id(), again.key_id());
        assert_eq!(key.to_pem(), again.to_pem());
        assert_ne!(key.key_id(), SigningKey::generate().unwrap().key_id());
    }

    #[test]
    fn a_published_key_is_read_and_has_its_published_thumbprint() {
        // The private key and thumbprint of RFC 8037, appendix A, put into PKCS#8.
        let pem =
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem(&Secret::new(pem.to_owned())).unwrap();
        assert_eq!(key.key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn another_text_is_no_key() {
        let swapped = SigningKey::generate().unwrap().to_pem().expose().replace("PRIVATE", "PUBLIC");
        for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &swapped] {
            let read = SigningKey::from_pem(&Secret::new(text.to_owned()));
            assert!(matches!(read, Err(KeyError::Unreadable)), "{text}");
        }
    }

    #[test]
    fn a_second_start_finds_the_key_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token_key.pem");
        let [first, second] = [(); 2].map(|()| SigningKey::load_or_create(&path).unwrap());
        assert_eq!((first.len(), first[0].key_id()), (1, second[0].key_id()));
    }

    #[test]
    fn several_keys_of_one_text_are_read_in_its_order_and_a_wrong_one_spoils_all() {
        let keys = [(); 3].map(|()| SigningKey::generate().unwrap());
        let text = keys.iter().map(|key| key.to_pem().expose().clone()).collect::<Vec<_>>().join("\n");
        let read = SigningKey::all_from_pem(&Secret::new(format!("\n{text}\n"))).unwrap();
        let ids = |keys: &[SigningKey]| keys.iter().map(|key| key.key_id().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&read), ids(&keys));
        for wrong in [String::new(), format!("{text}rest"), text.replacen("PRIVATE", "PUBLIC", 1)] {
            assert!(matches!(SigningKey::all_from_pem(&Secret::new(wrong)), Err(KeyError::Unreadable)));
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token_key.pem");
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::Unreadable)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_key_shows_nothing_but_its_id() {
        let key = SigningKey::generate().unwrap();
        let shown = format!("{key:?} {:?} {:?}", key.verifying_key(), key.to_pem());
        assert!(shown.contains(key.key_id()) && !shown.contains("PRIVATE"));
    }
}
