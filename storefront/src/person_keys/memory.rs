//! Persons' keys in memory, for the simulation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chassis::ids::IdSource;
use domain::BuyerId;
use uuid::Uuid;

use super::{Opened, PersonKey, PersonKeys, split};
use crate::StorefrontError;

/// Persons' keys in memory, gone with the process.
pub struct MemoryPersonKeys {
    ids: Arc<dyn IdSource>,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    live: HashMap<BuyerId, PersonKey>,
    /// Every key's person, also of the erased ones.
    persons: HashMap<Uuid, BuyerId>,
}

impl MemoryPersonKeys {
    /// No keys yet; new ones come from `ids`.
    pub fn new(ids: Arc<dyn IdSource>) -> Self {
        Self { ids, keys: Mutex::default() }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        // A panic cannot leave a key half written.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PersonKeys for MemoryPersonKeys {
    async fn seal(&self, person: &BuyerId, plaintext: &[u8]) -> Result<String, StorefrontError> {
        let mut keys = self.keys();
        if let Some(key) = keys.live.get(person) {
            return Ok(key.seal(person, plaintext));
        }
        let (_, key) = PersonKey::make(self.ids.as_ref());
        keys.persons.insert(key.person_key_id, person.clone());
        let sealed = key.seal(person, plaintext);
        keys.live.insert(person.clone(), key);
        Ok(sealed)
    }

    async fn open(&self, person: &BuyerId, sealed: &str) -> Result<Opened, StorefrontError> {
        let (person_key_id, token) = split(sealed)?;
        let keys = self.keys();
        if keys.persons.get(&person_key_id) != Some(person) {
            return Err(StorefrontError::Unopenable);
        }
        match keys.live.get(person) {
            Some(key) if key.person_key_id == person_key_id => key.open(person, token),
            _ => Ok(Opened::Erased),
        }
    }

    async fn erase(&self, person: &BuyerId) -> Result<(), StorefrontError> {
        self.keys().live.remove(person);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use chassis::clock::ManualClock;
    use chassis::ids::SeededIds;
    use chrono::DateTime;

    use super::*;

    fn open() -> Ready<((), MemoryPersonKeys)> {
        let ids = SeededIds::new(1, Arc::new(ManualClock::new(DateTime::UNIX_EPOCH)));
        ready(((), MemoryPersonKeys::new(Arc::new(ids))))
    }

    crate::person_keys::suite::person_keys_suite!(open);
}
