//! Sealing bytes so that only we can read or make them: links in codes, and what lies in tables.
//!
//! AES-256-GCM-SIV: unlike plain GCM it stays safe if a nonce comes twice, so tokens may also be made without
//! randomness where the same content has to give the same token.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::RngCore;

use crate::secret::{self, Secret};

/// Bytes of a key.
pub const KEY_LEN: usize = 32;

/// Bytes that sealing adds: key id, nonce and tag.
pub const OVERHEAD: usize = 1 + NONCE_LEN + 16;

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The text is no list of keys.
    #[error("line {line} of the key ring is not a number from 0 to 255 and {KEY_LEN} bytes in base64")]
    Unreadable {
        /// The line, counted from 1.
        line: usize,
    },
    /// One id names two keys.
    #[error("the key ring has two keys with the id {0}")]
    Repeated(u8),
    /// There is no key.
    #[error("the key ring holds no key")]
    Empty,
    /// The file cannot be read or written.
    #[error("the key ring's file cannot be read or written")]
    File(#[from] std::io::Error),
}

/// Keys by their ids. The one with the highest id seals; all of them open.
pub struct KeyRing {
    keys: RwLock<Keys>,
}

struct Keys {
    by_id: BTreeMap<u8, LessSafeKey>,
    sealing: u8,
}

impl KeyRing {
    /// A ring of these keys. Errors: `Empty`, `Repeated`.
    pub fn new(keys: impl IntoIterator<Item = (u8, Secret<[u8; KEY_LEN]>)>) -> Result<Self, KeyRingError> {
        let mut ring = BTreeMap::new();
        for (id, key) in keys {
            let key = UnboundKey::new(&AES_256_GCM_SIV, key.expose()).expect("a key of 32 bytes is what AES-256 takes");
            if ring.insert(id, LessSafeKey::new(key)).is_some() {
                return Err(KeyRingError::Repeated(id));
            }
        }
        let newest = *ring.keys().next_back().ok_or(KeyRingError::Empty)?;
        Ok(Self { keys: RwLock::new(Keys { by_id: ring, sealing: newest }) })
    }

    /// Opens with the keys of `newer` from now on, and with no others. It goes on sealing with the id that it sealed with, if
    /// `newer` has it, until [`KeyRing::seal_with_newest`]: other processes may not know a newer key yet.
    pub fn open_with(&self, newer: Self) {
        let Keys { by_id, sealing: newest } = newer.keys.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut keys = self.write();
        let sealing = if by_id.contains_key(&keys.sealing) { keys.sealing } else { newest };
        *keys = Keys { by_id, sealing };
    }

    /// Seals with the key of the highest id from now on.
    pub fn seal_with_newest(&self) {
        let mut keys = self.write();
        keys.sealing = keys.by_id.keys().next_back().copied().unwrap_or(keys.sealing);
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the ring that lies in `path`, or makes one with a new key there first, readable by its owner only.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyRingError> {
        let text = secret::read_or_create(path, || Ok::<_, KeyRingError>(Self::new_text()))?;
        text.expose().parse()
    }

    /// The text of a ring with one new key.
    pub fn new_text() -> Secret<String> {
        let mut key = [0; KEY_LEN];
        rand::rng().fill_bytes(&mut key);
        let mut text = String::new();
        writeln!(text, "1 {}", STANDARD.encode(key)).expect("writing to a string cannot fail");
        Secret::new(text)
    }

    /// Seals for `purpose`: opening it for another purpose fails. Every call gives another token.
    pub fn seal(&self, purpose: &str, plaintext: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.seal_bytes(purpose, plaintext))
    }

    /// Seals for `purpose` so that equal content gives an equal token as long as the newest key stays.
    ///
    /// Whoever sees two such tokens learns whether they hold the same; nothing else.
    pub fn seal_equal(&self, purpose: &str, plaintext: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.sealed(purpose, plaintext, [0; NONCE_LEN]))
    }

    /// What [`KeyRing::seal`] puts into text, as bytes: key id, nonce, ciphertext, tag.
    pub fn seal_bytes(&self, purpose: &str, plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        self.sealed(purpose, plaintext, nonce)
    }

    /// What a token of [`KeyRing::seal`] or [`KeyRing::seal_equal`] holds; `None` if it was not made by a key of
    /// this ring for this purpose, exactly as it is.
    pub fn open(&self, purpose: &str, token: &str) -> Option<Vec<u8>> {
        self.open_bytes(purpose, &URL_SAFE_NO_PAD.decode(token).ok()?)
    }

    /// What [`KeyRing::seal_bytes`] sealed, or `None` as [`KeyRing::open`].
    pub fn open_bytes(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (&id, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = ciphertext.to_vec();
        let keys = self.read();
        let opened = keys.by_id.get(&id)?.open_in_place(Nonce::assume_unique_for_key(*nonce), aad(purpose), &mut buffer).ok()?.len();
        buffer.truncate(opened);
        Some(buffer)
    }

    fn sealed(&self, purpose: &str, plaintext: &[u8], nonce: [u8; NONCE_LEN]) -> Vec<u8> {
        let mut buffer = plaintext.to_vec();
        let keys = self.read();
        keys.by_id[&keys.sealing]
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(purpose), &mut buffer)
            .expect("what fits into memory is below the cipher's limit of 64 GiB");
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + buffer.len());
        sealed.push(keys.sealing);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut buffer);
        sealed
    }
}

fn aad(purpose: &str) -> Aad<&[u8]> {
    Aad::from(purpose.as_bytes())
}

/// Reads one key a line: its id, a space, 32 bytes in base64. Empty lines and lines with `#` are passed over.
impl FromStr for KeyRing {
    type Err = KeyRingError;

    fn from_str(text: &str) -> Result<Self, KeyRingError> {
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<_> =
            lines.map(|(index, line)| read_line(line).ok_or(KeyRingError::Unreadable { line: index + 1 })).collect::<Result<_, _>>()?;
        Self::new(keys)
    }
}

fn read_line(line: &str) -> Option<(u8, Secret<[u8; KEY_LEN]>)> {
    let (id, key) = line.split_once(' ')?;
    let key: [u8; KEY_LEN] = STANDARD.decode(key.trim()).ok()?.try_into().ok()?;
    Some((id.parse().ok()?, Secret::new(key)))
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("key_ids", &self.read().by_id.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[u8]) -> KeyRing {
        KeyRing::new(ids.iter().map(|&id| (id, Secret::new([id; KEY_LEN])))).unwrap()
    }

    #[test]
    fn what_was_sealed_can_be_opened() {
        let ring = ring(&[1]);
        for plaintext in [&b""[..], b"723100000000000001", &[0xff; 5000]] {
            assert_eq!(ring.open("pay", &ring.seal("pay", plaintext)).unwrap(), plaintext);
            assert_eq!(ring.open("pay", &ring.seal_equal("pay", plaintext)).unwrap(), plaintext);
            let sealed = ring.seal_bytes("inbox", plaintext);
            assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            assert_eq!(ring.open_bytes("inbox", &sealed).unwrap(), plaintext);
        }
    }

    #[test]
    fn another_purpose_opens_nothing() {
        let ring = ring(&[1]);
        assert_eq!(ring.open("checkout", &ring.seal("pay", b"7")), None);
        assert_eq!(ring.open("checkout", &ring.seal_equal("pay", b"7")), None);
    }

    #[test]
    fn a_change_of_any_bit_opens_nothing() {
        let ring = ring(&[1, 2]);
        let sealed = ring.seal_bytes("pay", b"723100000000000001");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ring.open_bytes("pay", &changed), None, "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert_eq!(ring.open_bytes("pay", &sealed[..len]), None, "length {len}");
        }
    }

    #[test]
    fn what_is_no_token_opens_nothing() {
        let ring = ring(&[1]);
        let token = ring.seal("pay", b"7");
        for text in ["", "!", "AQ", &format!("{token}="), &format!("{token}A"), &format!(" {token}")] {
            assert_eq!(ring.open("pay", text), None, "{text}");
        }
    }

    #[test]
    fn a_token_can_stand_in_an_address_as_it_is() {
        let token = ring(&[1]).seal("pay", &[0xfb; 100]);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    }

    #[test]
    fn equal_tokens_come_only_where_they_were_asked_for() {
        let ring = ring(&[1]);
        assert_ne!(ring.seal("pay", b"7"), ring.seal("pay", b"7"));
        assert_eq!(ring.seal_equal("pay", b"7"), ring.seal_equal("pay", b"7"));
        assert_ne!(ring.seal_equal("pay", b"7"), ring.seal_equal("pay", b"8"));
        assert_ne!(ring.seal_equal("pay", b"7"), ring.seal_equal("checkout", b"7"));
    }

    #[test]
    fn the_newest_key_seals_and_the_older_ones_still_open() {
        let (old, both, new) = (ring(&[1]), ring(&[1, 2]), ring(&[2]));
        let (before, after) = (old.seal("pay", b"7"), both.seal("pay", b"7"));
        assert_eq!(both.open("pay", &before).unwrap(), b"7");
        assert_eq!(new.open("pay", &after).unwrap(), b"7");
        assert_eq!(new.open("pay", &before), None);
        assert_eq!(old.open("pay", &after), None);
    }

    #[test]
    fn a_newer_ring_opens_at_once_and_seals_when_it_is_told_to() {
        let (running, newer) = (ring(&[1]), ring(&[1, 2]));
        let theirs = newer.seal("pay", b"7");
        assert_eq!(running.open("pay", &theirs), None);
        running.open_with(newer);
        assert_eq!(running.open("pay", &theirs).unwrap(), b"7");
        let ours = running.seal("pay", b"8");
        assert_eq!(ring(&[1]).open("pay", &ours).unwrap(), b"8", "another process knows the old key alone");
        running.seal_with_newest();
        let ours = running.seal("pay", b"9");
        assert_eq!((ring(&[1]).open("pay", &ours), ring(&[2]).open("pay", &ours).unwrap()), (None, b"9".to_vec()));
        // A ring without the key that seals leaves no choice.
        running.open_with(ring(&[3]));
        assert_eq!(ring(&[3]).open("pay", &running.seal("pay", b"10")).unwrap(), b"10");
        assert_eq!(running.open("pay", &theirs), None);
    }

    #[test]
    fn a_ring_needs_keys_with_ids_of_their_own() {
        assert!(matches!(KeyRing::new([]), Err(KeyRingError::Empty)));
        let twice = [(3, Secret::new([1; KEY_LEN])), (3, Secret::new([2; KEY_LEN]))];
        assert!(matches!(KeyRing::new(twice), Err(KeyRingError::Repeated(3))));
    }

    #[test]
    fn a_rings_text_is_read_and_a_wrong_line_is_named() {
        let text = format!("# keys\n\n{}\n2 {}\n", KeyRing::new_text().expose(), STANDARD.encode([7; KEY_LEN]));
        assert_eq!(format!("{:?}", text.parse::<KeyRing>().unwrap()), "KeyRing { key_ids: [1, 2], .. }");
        for wrong in ["1", "256 AAAA", "1 AAAA", "x AAAA", "1 !"] {
            let read = format!("# keys\n{wrong}").parse::<KeyRing>();
            assert!(matches!(read, Err(KeyRingError::Unreadable { line: 2 })), "{wrong}");
        }
        assert!(matches!("# none".parse::<KeyRing>(), Err(KeyRingError::Empty)));
    }

    #[test]
    fn a_second_start_opens_what_the_first_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal_keys");
        let token = KeyRing::load_or_create(&path).unwrap().seal("pay", b"7");
        assert_eq!(KeyRing::load_or_create(&path).unwrap().open("pay", &token).unwrap(), b"7");
    }
}
