//! A key of its own for each person: what events and views hold of a person is sealed under it, and erasing the key
//! erases all of it at once, wherever it stands.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::ids::{IdSource, random_bytes};
use chassis::seal::{KEY_LEN, KeyRing};
use chassis::secret::Secret;
use domain::BuyerId;
use uuid::Uuid;

use crate::StorefrontError;

mod memory;
mod sql;
#[cfg(test)]
mod suite;

pub use memory::MemoryPersonKeys;
pub use sql::SqlPersonKeys;

/// Seals and opens what is known of persons.
#[async_trait]
pub trait PersonKeys: Send + Sync {
    /// Seals `plaintext` under the person's key, which is made if there is none. The text names the key and is safe
    /// to store anywhere; it is about 100 characters longer than base64 of the plaintext.
    async fn seal(&self, person: &BuyerId, plaintext: &[u8]) -> Result<String, StorefrontError>;

    /// Opens what [`PersonKeys::seal`] made for the same person. Errors: `Unopenable` for any other text.
    async fn open(&self, person: &BuyerId, sealed: &str) -> Result<Opened, StorefrontError>;

    /// Makes everything that was sealed for the person so far unreadable for ever. What is sealed later gets a new
    /// key. Erasing again, or erasing someone unknown, changes nothing.
    async fn erase(&self, person: &BuyerId) -> Result<(), StorefrontError>;
}

/// What lay in a sealed text.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    /// What was sealed.
    Plain(Vec<u8>),
    /// The person's key was erased.
    Erased,
}

impl Opened {
    /// What was sealed, as text; `None` once erased. Errors: `Unopenable` if it was no text.
    pub fn into_text(self) -> Result<Option<String>, StorefrontError> {
        match self {
            Self::Plain(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| StorefrontError::Unopenable),
            Self::Erased => Ok(None),
        }
    }
}

/// Shows only whether there is something: it is about a person.
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(***)",
            Self::Erased => "Erased",
        })
    }
}

/// One person's key and the id that sealed texts name it by.
#[derive(Clone)]
struct PersonKey {
    person_key_id: Uuid,
    ring: Arc<KeyRing>,
}

impl PersonKey {
    /// A new key: the bytes to keep, and the key to use.
    fn make(ids: &dyn IdSource) -> (Secret<[u8; KEY_LEN]>, Self) {
        let bytes = Secret::new(random_bytes::<KEY_LEN>(ids));
        let key = Self::from_bytes(ids.event_id(), bytes.clone());
        (bytes, key)
    }

    fn from_bytes(person_key_id: Uuid, bytes: Secret<[u8; KEY_LEN]>) -> Self {
        let ring = KeyRing::new([(0, bytes)]).expect("a ring of one key is neither empty nor has it two keys of one id");
        Self { person_key_id, ring: Arc::new(ring) }
    }

    fn seal(&self, person: &BuyerId, plaintext: &[u8]) -> String {
        format!("{}.{}", self.person_key_id, self.ring.seal(&purpose(person), plaintext))
    }

    fn open(&self, person: &BuyerId, token: &str) -> Result<Opened, StorefrontError> {
        self.ring.open(&purpose(person), token).map(Opened::Plain).ok_or(StorefrontError::Unopenable)
    }
}

/// The person's name goes into the seal, so that a text put into another person's event does not open there.
fn purpose(person: &BuyerId) -> String {
    format!("person/{person}")
}

/// The key's id and the rest of a sealed text.
fn split(sealed: &str) -> Result<(Uuid, &str), StorefrontError> {
    let (person_key_id, token) = sealed.split_once('.').ok_or(StorefrontError::Unopenable)?;
    let person_key_id = Uuid::try_parse(person_key_id).map_err(|_| StorefrontError::Unopenable)?;
    Ok((person_key_id, token))
}
