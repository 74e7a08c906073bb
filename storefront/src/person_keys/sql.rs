//! Persons' keys in a database, each sealed under the master key ring.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::ids::IdSource;
use chassis::seal::{KEY_LEN, KeyRing};
use chassis::secret::Secret;
use database::{Database, values};
use domain::BuyerId;
use uuid::Uuid;

use super::{Opened, PersonKey, PersonKeys, split};
use crate::StorefrontError;

/// How often a key is looked for or made: only an erasure between the two leads to another try.
const TRY_LIMIT: u32 = 8;

/// Persons' keys in the state's tables. Nothing of them is kept in memory, so that an erasure holds at once in every
/// process.
pub struct SqlPersonKeys {
    database: Database,
    master: Arc<KeyRing>,
    ids: Arc<dyn IdSource>,
    clock: Arc<dyn Clock>,
}

impl SqlPersonKeys {
    /// Keeps keys in the tables of `database`, an area `State` that was migrated, sealed under `master`.
    pub fn new(database: Database, master: Arc<KeyRing>, ids: Arc<dyn IdSource>, clock: Arc<dyn Clock>) -> Self {
        Self { database, master, ids, clock }
    }

    async fn live(&self, person: &BuyerId) -> Result<Option<PersonKey>, StorefrontError> {
        let row: Option<(String, Option<String>)> = self
            .database
            .fetch_optional(
                "select person_key_id, sealed_key from person_key where person_id = $1 and erased_at is null",
                values![person.as_str()],
            )
            .await?;
        let Some((person_key_id, Some(sealed_key))) = row else { return Ok(None) };
        let person_key_id = Uuid::try_parse(&person_key_id).map_err(|_| StorefrontError::Corrupt { table: "person_key" })?;
        self.unseal(person_key_id, &sealed_key).map(Some)
    }

    /// Makes the person's key, unless another caller just did.
    async fn make(&self, person: &BuyerId) -> Result<(), StorefrontError> {
        let (bytes, key) = PersonKey::make(self.ids.as_ref());
        let sealed_key = self.master.seal(&purpose(key.person_key_id), bytes.expose());
        self.database
            .execute(
                "insert into person_key (person_key_id, person_id, sealed_key, created_at) values ($1, $2, $3, $4)
                 on conflict (person_id) where erased_at is null do nothing",
                values![key.person_key_id.to_string(), person.as_str(), sealed_key, self.clock.now()],
            )
            .await?;
        Ok(())
    }

    fn unseal(&self, person_key_id: Uuid, sealed_key: &str) -> Result<PersonKey, StorefrontError> {
        let bytes = self.master.open(&purpose(person_key_id), sealed_key).ok_or(StorefrontError::Unopenable)?;
        let bytes: [u8; KEY_LEN] = bytes.try_into().map_err(|_| StorefrontError::Corrupt { table: "person_key" })?;
        Ok(PersonKey::from_bytes(person_key_id, Secret::new(bytes)))
    }
}

/// The key's id goes into its seal, so that no row can be given another row's key.
fn purpose(person_key_id: Uuid) -> String {
    format!("person_key/{person_key_id}")
}

#[async_trait]
impl PersonKeys for SqlPersonKeys {
    async fn seal(&self, person: &BuyerId, plaintext: &[u8]) -> Result<String, StorefrontError> {
        for _ in 0..TRY_LIMIT {
            if let Some(key) = self.live(person).await? {
                return Ok(key.seal(person, plaintext));
            }
            self.make(person).await?;
        }
        Err(StorefrontError::Corrupt { table: "person_key" })
    }

    async fn open(&self, person: &BuyerId, sealed: &str) -> Result<Opened, StorefrontError> {
        let (person_key_id, token) = split(sealed)?;
        let row: Option<(Option<String>,)> = self
            .database
            .fetch_optional(
                "select sealed_key from person_key where person_key_id = $1 and person_id = $2",
                values![person_key_id.to_string(), person.as_str()],
            )
            .await?;
        match row {
            None => Err(StorefrontError::Unopenable),
            Some((None,)) => Ok(Opened::Erased),
            Some((Some(sealed_key),)) => self.unseal(person_key_id, &sealed_key)?.open(person, token),
        }
    }

    async fn erase(&self, person: &BuyerId) -> Result<(), StorefrontError> {
        self.database
            .execute(
                "update person_key set sealed_key = null, erased_at = $2 where person_id = $1 and erased_at is null",
                values![person.as_str(), self.clock.now()],
            )
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chassis::clock::ManualClock;
    use chassis::ids::SystemIds;
    use database::testing::TestDatabase;

    use super::*;
    use crate::testing::{self, now};

    fn ring(key_ids: &[u8]) -> Arc<KeyRing> {
        Arc::new(KeyRing::new(key_ids.iter().map(|&id| (id, Secret::new([id; KEY_LEN])))).unwrap())
    }

    fn keys(database: Database, master: Arc<KeyRing>) -> SqlPersonKeys {
        let clock = Arc::new(ManualClock::new(now()));
        SqlPersonKeys::new(database, master, Arc::new(SystemIds::new(clock.clone())), clock)
    }

    async fn open(test: TestDatabase) -> (TestDatabase, SqlPersonKeys) {
        let database = testing::migrated(&test).await;
        (test, keys(database, ring(&[1])))
    }

    mod sqlite {
        use super::*;

        async fn keys() -> (TestDatabase, SqlPersonKeys) {
            open(TestDatabase::sqlite()).await
        }
        crate::person_keys::suite::person_keys_suite!(keys);
    }

    mod postgres {
        use super::*;

        async fn keys() -> (TestDatabase, SqlPersonKeys) {
            open(TestDatabase::postgres().await).await
        }
        crate::person_keys::suite::person_keys_suite!(keys);
    }

    #[tokio::test]
    async fn a_newer_master_key_opens_what_was_sealed_before_and_another_one_does_not() {
        let test = TestDatabase::sqlite();
        let database = testing::migrated(&test).await;
        let alice = "alice".parse().unwrap();
        let sealed = keys(database.clone(), ring(&[1])).seal(&alice, b"address").await.unwrap();
        let opened = keys(database.clone(), ring(&[1, 2])).open(&alice, &sealed).await.unwrap();
        assert_eq!(opened, Opened::Plain(b"address".to_vec()));
        let other = keys(database, ring(&[2])).open(&alice, &sealed).await;
        assert!(matches!(other, Err(StorefrontError::Unopenable)), "{other:?}");
    }

    #[tokio::test]
    async fn an_erased_key_lies_in_no_row() {
        let (_kept, keys) = open(TestDatabase::sqlite()).await;
        let alice = "alice".parse().unwrap();
        keys.seal(&alice, b"address").await.unwrap();
        keys.erase(&alice).await.unwrap();
        let rows: Vec<(i64,)> =
            keys.database.fetch_all("select count(*) from person_key where sealed_key is not null", values![]).await.unwrap();
        assert_eq!(rows, [(0,)]);
    }
}
