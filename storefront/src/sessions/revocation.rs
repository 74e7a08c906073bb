//! Which access tokens were revoked, known to every process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::health::{Check, Finding};
use chassis::identity::RevokedTokens;
use chassis::problem::Chain;
use chassis::shutdown::Shutdown;
use chrono::{DateTime, TimeDelta, Utc};
use database::Database;

use super::rows::{self, Revoked};
use crate::StorefrontError;

/// Within this time every process knows of a revocation.
pub const KNOWN_WITHIN: TimeDelta = TimeDelta::seconds(5);

/// How often the table is read.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The revoked tokens, in memory, read anew every few seconds by [`RevocationList::run`].
pub struct RevocationList {
    database: Database,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
}

struct Known {
    /// When each token ends by itself.
    tokens: HashMap<String, DateTime<Utc>>,
    read_at: DateTime<Utc>,
}

impl RevocationList {
    /// Reads the list for the first time, from an area `State` that was migrated.
    pub async fn load(database: Database, clock: Arc<dyn Clock>) -> Result<Self, StorefrontError> {
        let known = RwLock::new(Known { tokens: HashMap::new(), read_at: clock.now() });
        let list = Self { database, clock, known };
        list.poll().await?;
        Ok(list)
    }

    /// Reads the list now.
    pub async fn poll(&self) -> Result<(), StorefrontError> {
        let now = self.clock.now();
        let revoked = rows::revoked(&self.database, now).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Merged, not replaced: a token that this process revoked while the table was read stays revoked.
        known.tokens.extend(revoked);
        known.tokens.retain(|_, expires_at| *expires_at > rows::forgotten_before(now));
        known.read_at = now;
        Ok(())
    }

    /// Reads the list every few seconds until `shutdown`.
    pub async fn run(&self, shutdown: &Shutdown) {
        self.run_every(POLL_INTERVAL, shutdown).await;
    }

    pub(super) async fn run_every(&self, interval: Duration, shutdown: &Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(interval) => {}
            }
            if let Err(error) = self.poll().await {
                tracing::warn!(error = %Chain(&error), "the list of revoked tokens was not read");
            }
        }
    }

    /// Knows of these at once, because this process revoked them.
    pub(super) fn note(&self, revoked: Vec<Revoked>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).tokens.extend(revoked);
    }
}

impl RevokedTokens for RevocationList {
    fn is_revoked(&self, token_id: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).tokens.contains_key(token_id)
    }
}

/// Missing where the list cannot be read: this process might take a token that was revoked elsewhere.
#[async_trait]
impl Check for RevocationList {
    async fn check(&self) -> Finding {
        let read_at = self.known.read().unwrap_or_else(PoisonError::into_inner).read_at;
        // Also a leap of the clock makes the list look old; reading it tells the two apart.
        if self.clock.now() - read_at <= KNOWN_WITHIN || self.poll().await.is_ok() {
            return Finding::Ready;
        }
        Finding::Missing("the list of revoked tokens cannot be read".to_owned())
    }
}
