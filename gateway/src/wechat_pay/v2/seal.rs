//! The encrypted member of refund notifications: AES-256 in ECB mode with PKCS#7 padding. It hides, and proves nothing.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sign::encryption_key;

/// The bytes of a block.
const BLOCK: usize = 16;

/// Why a member cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealError {
    /// Not base64, or not whole blocks.
    #[error("the encrypted member is cut off or no base64")]
    Malformed,
    /// What comes out has no padding: most likely the key is another merchant's.
    #[error("the encrypted member was encrypted with another key")]
    OtherKey,
}

/// Opens a member with the API key. Errors: nothing of it can be relied on.
pub(super) fn open(member: &str, api_key: &str) -> Result<Vec<u8>, SealError> {
    let mut bytes = STANDARD.decode(member).map_err(|_| SealError::Malformed)?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK) {
        return Err(SealError::Malformed);
    }
    let key = UnboundCipherKey::new(&AES_256, encryption_key(api_key).as_bytes()).and_then(DecryptingKey::ecb);
    let opened = key.and_then(|key| key.decrypt(&mut bytes, DecryptionContext::None).map(|opened| opened.len()));
    opened.map_err(|_| SealError::Malformed)?;
    let padding = padding(&bytes).ok_or(SealError::OtherKey)?;
    bytes.truncate(bytes.len() - padding);
    Ok(bytes)
}

/// How many bytes of the last block fill it up: each says how many there are.
fn padding(bytes: &[u8]) -> Option<usize> {
    let last = *bytes.last()?;
    let count = usize::from(last);
    let is_padded = (1..=BLOCK).contains(&count) && bytes.iter().rev().take(count).all(|byte| *byte == last) && count <= bytes.len();
    is_padded.then_some(count)
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::cipher::{EncryptingKey, PaddedBlockEncryptingKey};
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "3f1c0b5a7d9e48261b0c4d5e6f708192";

    fn cipher_key(api_key: &str) -> UnboundCipherKey {
        UnboundCipherKey::new(&AES_256, encryption_key(api_key).as_bytes()).unwrap()
    }

    /// What the channel makes of a text.
    pub(in crate::wechat_pay::v2) fn seal(text: &[u8], api_key: &str) -> String {
        let mut bytes = text.to_vec();
        PaddedBlockEncryptingKey::ecb_pkcs7(cipher_key(api_key)).unwrap().encrypt(&mut bytes).unwrap();
        STANDARD.encode(bytes)
    }

    /// Whole blocks as they are, without padding.
    fn seal_blocks(mut blocks: Vec<u8>) -> String {
        EncryptingKey::ecb(cipher_key(KEY)).unwrap().encrypt(&mut blocks).unwrap();
        STANDARD.encode(blocks)
    }

    #[test]
    fn what_was_sealed_is_opened() {
        for text in [&b""[..], b"1", &[7; 15], &[7; 16], &[7; 33]] {
            assert_eq!(open(&seal(text, KEY), KEY).as_deref(), Ok(text));
        }
    }

    #[test]
    fn another_key_shows_in_the_padding() {
        // By chance one key in some two hundred ends in a byte that looks like padding; this one does not.
        assert_eq!(open(&seal(b"<root/>", "0".repeat(32).as_str()), KEY), Err(SealError::OtherKey));
    }

    #[test]
    fn padding_is_checked_byte_by_byte() {
        let block = |end: &[u8]| [&vec![9; BLOCK - end.len()][..], end].concat();
        for end in [&[0][..], &[17], &[255], &[1, 3, 3], &[2, 2, 2, 3, 4], &[9, 16]] {
            assert_eq!(open(&seal_blocks(block(end)), KEY), Err(SealError::OtherKey), "{end:?}");
        }
        assert_eq!(open(&seal_blocks(vec![16; 16]), KEY).as_deref(), Ok(&b""[..]));
        assert_eq!(open(&seal_blocks(block(&[1])), KEY).map(|text| text.len()), Ok(15));
        assert_eq!(open(&seal_blocks([block(&[1]), vec![17; 16]].concat()), KEY), Err(SealError::OtherKey));
    }

    #[test]
    fn whatever_is_no_base64_of_whole_blocks_is_refused() {
        let whole = seal(b"text", KEY);
        for text in ["", "AAAA", "!!!!", "====", &whole[..whole.len() - 1], &whole[..20], &format!("{whole}\n"), &whole.replace('=', "")] {
            assert_eq!(open(text, KEY), Err(SealError::Malformed), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "[A-Za-z0-9+/= ]{0,80}") {
            let _ = (open(&STANDARD.encode(&bytes), KEY), open(&text, KEY));
        }

        #[test]
        fn every_text_survives(text in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(open(&seal(&text, KEY), KEY), Ok(text));
        }
    }
}
