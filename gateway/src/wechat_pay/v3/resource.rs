//! Encrypted members of notifications and of the certificate list: AES-256-GCM under the API v3 key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The one algorithm that is accepted.
pub(super) const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// How many bytes the tag behind the text has.
const TAG_LENGTH: usize = 16;

/// An encrypted member as it stands in a message.
#[derive(Clone, Deserialize)]
pub(super) struct Resource {
    pub(super) algorithm: String,
    /// Text and tag, in base64.
    pub(super) ciphertext: String,
    pub(super) nonce: String,
    /// Missing is the same as empty.
    #[serde(default)]
    pub(super) associated_data: Option<String>,
}

/// Why a member is not readable. It holds nothing of what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResourceError {
    /// Another algorithm than [`ALGORITHM`].
    #[error("another algorithm than AEAD_AES_256_GCM")]
    Algorithm,
    /// The nonce has another length than 12 bytes.
    #[error("the nonce does not have 12 bytes")]
    Nonce,
    /// Not base64, or too short to hold a tag.
    #[error("the ciphertext is not base64 of a text and its tag")]
    Ciphertext,
    /// The tag does not fit: another key, or changed on the way.
    #[error("the tag does not fit")]
    Tag,
}

/// The API v3 key, and others that count beside it while one follows another. The tag tells which of them it was.
pub(super) struct ApiV3Key {
    key: LessSafeKey,
    others: Vec<LessSafeKey>,
}

impl ApiV3Key {
    /// The key, if it has 32 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Some(Self { key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?), others: Vec::new() })
    }

    /// The same key, and beside it those of `other`.
    pub(super) fn beside(mut self, other: Self) -> Self {
        self.others.push(other.key);
        self.others.extend(other.others);
        self
    }

    /// Decrypts a member and checks its tag.
    pub(super) fn open(&self, resource: &Resource) -> Result<Vec<u8>, ResourceError> {
        if resource.algorithm != ALGORITHM {
            return Err(ResourceError::Algorithm);
        }
        let nonce: [u8; NONCE_LEN] = resource.nonce.as_bytes().try_into().map_err(|_| ResourceError::Nonce)?;
        let mut bytes = STANDARD.decode(&resource.ciphertext).map_err(|_| ResourceError::Ciphertext)?;
        if bytes.len() < TAG_LENGTH {
            return Err(ResourceError::Ciphertext);
        }
        let associated_data = resource.associated_data.as_deref().unwrap_or_default();
        let open = |key: &LessSafeKey, bytes: &mut Vec<u8>| {
            let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated_data.as_bytes()), bytes);
            let length = opened.map_err(|_| ResourceError::Tag)?.len();
            bytes.truncate(length);
            Ok(())
        };
        for other in &self.others {
            // What a wrong key leaves is not the ciphertext any more.
            let mut copy = bytes.clone();
            if open(other, &mut copy).is_ok() {
                return Ok(copy);
            }
        }
        open(&self.key, &mut bytes)?;
        Ok(bytes)
    }

    /// Encrypts as WeChat Pay does.
    #[cfg(test)]
    pub(super) fn seal(&self, text: &[u8], nonce: &str, associated_data: &str) -> Resource {
        let mut bytes = text.to_vec();
        let unique = Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap();
        self.key.seal_in_place_append_tag(unique, Aad::from(associated_data.as_bytes()), &mut bytes).unwrap();
        Resource {
            algorithm: ALGORITHM.to_owned(),
            ciphertext: STANDARD.encode(bytes),
            nonce: nonce.to_owned(),
            associated_data: Some(associated_data.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &[u8; 32] = b"9f86d081884c7d659a2feaa0c55ad015";

    fn key() -> ApiV3Key {
        ApiV3Key::new(KEY).unwrap()
    }

    fn sealed() -> Resource {
        key().seal(br#"{"a":1}"#, "fdasfjihihih", "transaction")
    }

    fn refused(change: impl FnOnce(&mut Resource)) -> ResourceError {
        let mut resource = sealed();
        change(&mut resource);
        key().open(&resource).unwrap_err()
    }

    #[test]
    fn what_was_sealed_is_opened() {
        assert_eq!(key().open(&sealed()).as_deref(), Ok(br#"{"a":1}"#.as_slice()));
    }

    #[test]
    fn what_any_of_several_keys_has_sealed_is_opened() {
        let other = || ApiV3Key::new(&[b'b'; 32]).unwrap();
        let third = ApiV3Key::new(&[b'c'; 32]).unwrap();
        let both = other().beside(key());
        let sealed_by_other = other().seal(b"x", "fdasfjihihih", "");
        assert_eq!((both.open(&sealed()).is_ok(), both.open(&sealed_by_other).as_deref()), (true, Ok(b"x".as_slice())));
        assert_eq!(both.open(&third.seal(b"x", "fdasfjihihih", "")), Err(ResourceError::Tag));
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        for length in [0, 16, 31, 33, 64] {
            assert!(ApiV3Key::new(&vec![b'a'; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_nonce_of_another_length_is_an_error() {
        for nonce in ["", "fdasfjihihi", "fdasfjihihihh", "fdasfjihihihfdasfjihihih", "一二三四"] {
            let expected = if nonce.len() == 12 { ResourceError::Tag } else { ResourceError::Nonce };
            assert_eq!(refused(|resource| resource.nonce = nonce.to_owned()), expected, "{nonce}");
        }
    }

    #[test]
    fn a_ciphertext_without_a_whole_tag_is_an_error() {
        for length in 0..16 {
            assert_eq!(refused(|resource| resource.ciphertext = STANDARD.encode(vec![7; length])), ResourceError::Ciphertext);
        }
        assert_eq!(refused(|resource| resource.ciphertext = STANDARD.encode([7; 16])), ResourceError::Tag);
        assert_eq!(refused(|resource| resource.ciphertext = "***".to_owned()), ResourceError::Ciphertext);
        assert_eq!(refused(|resource| resource.ciphertext.insert(4, '\n')), ResourceError::Ciphertext);
    }

    #[test]
    fn another_algorithm_is_an_error() {
        for algorithm in ["", "AEAD_SM4_GCM", "aead_aes_256_gcm", "AES-256-CBC"] {
            assert_eq!(refused(|resource| resource.algorithm = algorithm.to_owned()), ResourceError::Algorithm, "{algorithm}");
        }
    }

    #[test]
    fn other_associated_data_is_an_error() {
        for other in [None, Some(String::new()), Some("refund".to_owned())] {
            assert_eq!(refused(|resource| resource.associated_data = other), ResourceError::Tag);
        }
    }

    proptest! {
        #[test]
        fn no_member_makes_it_panic(algorithm in "(AEAD_AES_256_GCM|.{0,8})", ciphertext in "[A-Za-z0-9+/=]{0,64}|.{0,32}", nonce in ".{0,16}|[a-z]{12}", data in prop::option::of(".{0,16}")) {
            let resource = Resource { algorithm, ciphertext, nonce, associated_data: data };
            prop_assert!(key().open(&resource).is_err());
        }

        #[test]
        fn one_changed_bit_is_noticed(place in 0_usize..23, bit in 0_u32..8) {
            let mut resource = sealed();
            let mut bytes = STANDARD.decode(&resource.ciphertext).unwrap();
            bytes[place] ^= 1 << bit;
            resource.ciphertext = STANDARD.encode(bytes);
            prop_assert_eq!(key().open(&resource), Err(ResourceError::Tag));
        }
    }
}
