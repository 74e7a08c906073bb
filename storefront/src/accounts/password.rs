//! Passwords: argon2id, on threads of their own, a few at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use chassis::secret::Secret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many passwords are worked on at once: each takes a core for some ten milliseconds and 19 MiB of memory.
const RUNNING_LIMIT: usize = 2;

/// How many may wait for that, including those being worked on.
const QUEUE_LIMIT: usize = 32;

/// Bytes of salt.
const SALT_LEN: usize = 16;

/// What a password is compared with where there is no account, so that the answer takes as long. It has the same
/// parameters as new hashes, and no known password leads to an output of 32 zero bytes.
const STAND_IN: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password was not worked on.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many are waiting; nothing was done.
    #[error("too many passwords wait to be worked on")]
    Busy,
    /// A stored hash is not of the form that this program writes, or the thread was lost.
    #[error("the password could not be worked on")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Hashes and compares passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    queue: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Passwords {
    /// Nothing waits yet. Clones share one queue; a process needs one.
    pub fn new() -> Self {
        Self { queue: Arc::new(Semaphore::new(QUEUE_LIMIT)), running: Arc::new(Semaphore::new(RUNNING_LIMIT)) }
    }

    /// The text to keep of a password, in the PHC string format.
    pub async fn hash(&self, password: Secret<String>) -> Result<Secret<String>, PasswordError> {
        self.work(move || hash(password.expose()).map(Secret::new)).await
    }

    /// Whether `password` led to `kept`. Takes as long without a kept hash, and the answer is then no.
    pub async fn matches(&self, password: Secret<String>, kept: Option<Secret<String>>) -> Result<bool, PasswordError> {
        self.work(move || {
            let has_account = kept.is_some();
            let kept = kept.unwrap_or_else(|| Secret::new(STAND_IN.to_owned()));
            Ok(matches(password.expose(), kept.expose())? && has_account)
        })
        .await
    }

    async fn work<T, F>(&self, work: F) -> Result<T, PasswordError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
    {
        let permits = self.permits().await?;
        let done = tokio::task::spawn_blocking(move || {
            // The permits go with the work: a caller that goes away does not make room for more of it.
            let _permits = permits;
            work()
        });
        done.await.map_err(|error| PasswordError::Failed(error.into()))?.map_err(|error| PasswordError::Failed(error.into()))
    }

    async fn permits(&self) -> Result<[OwnedSemaphorePermit; 2], PasswordError> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|error| PasswordError::Failed(error.into()))?;
        Ok([queued, running])
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(&rand::random::<[u8; SALT_LEN]>())?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
}

fn matches(password: &str, kept: &str) -> Result<bool, argon2::password_hash::Error> {
    match Argon2::default().verify_password(password.as_bytes(), &PasswordHash::new(kept)?) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let passwords = Passwords::new();
        let kept = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(passwords.matches(secret("correct horse"), Some(kept.clone())).await.unwrap());
        for wrong in ["", "correct hors", "Correct horse", "correct horse "] {
            assert!(!passwords.matches(secret(wrong), Some(kept.clone())).await.unwrap(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_same_password_is_kept_differently_each_time() {
        let passwords = Passwords::new();
        let (one, two) = (passwords.hash(secret("same")).await.unwrap(), passwords.hash(secret("same")).await.unwrap());
        assert_ne!(one, two);
        assert!(one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[tokio::test]
    async fn without_an_account_no_password_matches_and_the_work_is_the_same() {
        assert!(!Passwords::new().matches(secret("anything"), None).await.unwrap());
        let parameters = |text: &str| text.rsplitn(3, '$').nth(2).map(str::to_owned);
        let kept = hash("anything").unwrap();
        assert_eq!(parameters(STAND_IN), parameters(&kept));
        assert_eq!(STAND_IN.len(), kept.len());
    }

    #[tokio::test]
    async fn a_hash_of_another_form_is_a_failure_and_not_a_no() {
        for kept in ["", "plain", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA"] {
            let judged = Passwords::new().matches(secret("x"), Some(secret(kept))).await;
            assert!(matches!(judged, Err(PasswordError::Failed(_))), "{kept}: {judged:?}");
        }
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_turned_away_at_once() {
        let passwords = Passwords::new();
        let waiting = Arc::clone(&passwords.queue).acquire_many_owned(32).await.unwrap();
        assert!(matches!(passwords.matches(secret("x"), None).await, Err(PasswordError::Busy)));
        drop(waiting);
        assert!(!passwords.matches(secret("x"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_queue_as_it_was() {
        let passwords = Passwords::new();
        let running = Arc::clone(&passwords.running).acquire_many_owned(2).await.unwrap();
        let waiting = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.matches(secret("x"), None).await }
        });
        while passwords.queue.available_permits() == QUEUE_LIMIT {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.queue.available_permits(), QUEUE_LIMIT);
        drop(running);
    }
}
