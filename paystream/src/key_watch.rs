//! Keys that change while the process runs: their files are read again every second.
//!
//! A key that is new is good at once, and is used only after all other processes had the time to read it too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chassis::identity::{SigningKey, TokenIssuer, TokenVerifier};
use chassis::problem::Chain;
use chassis::seal::KeyRing;
use chassis::secret::Secret;
use chassis::shutdown::Shutdown;
use tokio::time::Instant;

use crate::settings::Settings;
use crate::variables;

/// How often the files are read.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a new key is known here before it signs or seals: every process knows it by then.
const USED_AFTER: Duration = Duration::from_secs(5);

/// What the files' changes are told to.
pub(crate) struct KeyWatch {
    token_keys: Watched,
    seal_keys: Watched,
    issuer: Arc<TokenIssuer>,
    verifier: Arc<TokenVerifier>,
    ring: Arc<KeyRing>,
    /// The key to sign tokens with, and from when.
    next_signing: Option<(SigningKey, Instant)>,
    /// From when the newest key seals.
    next_sealing: Option<Instant>,
}

impl KeyWatch {
    /// Watches the files of `settings` for changes from now on.
    pub(crate) fn new(settings: &Settings, issuer: Arc<TokenIssuer>, verifier: Arc<TokenVerifier>, ring: Arc<KeyRing>) -> Self {
        let token_keys = Watched::new(variables::TOKEN_KEY_FILE, settings.token_key_file.clone());
        let seal_keys = Watched::new(variables::SEAL_KEYS_FILE, settings.seal_keys_file.clone());
        Self { token_keys, seal_keys, issuer, verifier, ring, next_signing: None, next_sealing: None }
    }

    /// Watches until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        loop {
            self.look(Instant::now()).await;
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn look(&mut self, now: Instant) {
        if let Some(keys) = self.token_keys.changed(SigningKey::all_from_pem).await {
            self.verifier.know(keys.iter().map(SigningKey::verifying_key));
            let first = keys.into_iter().next().filter(|first| first.key_id() != self.issuer.key().key_id());
            self.next_signing = first.map(|key| (key, now + USED_AFTER));
        }
        if let Some(ring) = self.seal_keys.changed(|text| text.expose().parse::<KeyRing>()).await {
            self.ring.open_with(ring);
            self.next_sealing = Some(now + USED_AFTER);
        }
        if let Some((key, _)) = self.next_signing.take_if(|(_, from)| *from <= now) {
            tracing::info!(key.id = key.key_id(), "tokens are signed with another key from now on");
            self.issuer.sign_with(key);
        }
        if self.next_sealing.take_if(|from| *from <= now).is_some() {
            self.ring.seal_with_newest();
        }
    }
}

/// A file of keys, and what it held when it was read last.
struct Watched {
    variable: &'static str,
    path: PathBuf,
    last: Option<Secret<String>>,
    is_told: bool,
}

impl Watched {
    fn new(variable: &'static str, path: PathBuf) -> Self {
        Self { variable, path, last: None, is_told: false }
    }

    /// What the file holds, if that is another text than before and one that can be read. What cannot be read is told of
    /// once, and the keys stay as they are.
    async fn changed<T, E: std::error::Error + 'static>(&mut self, read: impl FnOnce(&Secret<String>) -> Result<T, E>) -> Option<T> {
        let text = match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => Secret::new(text),
            Err(error) => return self.refused(&error),
        };
        // The first look finds a change too: the file may have changed since the start.
        if self.last.as_ref() == Some(&text) {
            self.is_told = false;
            return None;
        }
        let keys = match read(&text) {
            Ok(keys) => keys,
            Err(error) => return self.refused(&error),
        };
        self.is_told = false;
        self.last = Some(text);
        Some(keys)
    }

    fn refused<T>(&mut self, error: &(impl std::error::Error + 'static)) -> Option<T> {
        if !self.is_told {
            self.is_told = true;
            let (variable, file) = (self.variable, self.path.display());
            tracing::error!(error = %Chain(error), "{variable}: {file} cannot be read; the keys stay as they were");
        }
        None
    }
}
