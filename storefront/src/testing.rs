//! What the storefront's tests share.

use std::sync::Arc;

use chassis::clock::ManualClock;
use chassis::identity::{SigningKey, TokenIssuer, TokenVerifier};
use chassis::ids::SystemIds;
use chrono::{DateTime, Utc};
use database::testing::TestDatabase;
use database::{Area, Database};

use crate::accounts::Passwords;
use crate::sessions::{RevocationList, SessionConfig, SessionParts, Sessions};

/// The time at which tests begin.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap()
}

/// The test's database with the storefront's tables.
pub(crate) async fn migrated(test: &TestDatabase) -> Database {
    let database = test.open(Area::State).await.unwrap();
    database.migrate(crate::MIGRATIONS).await.unwrap();
    database
}

/// One process that knows of sessions, with the demo's accounts and products.
pub(crate) struct Process {
    pub(crate) database: Database,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) revoked: Arc<RevocationList>,
    pub(crate) verifier: Arc<TokenVerifier>,
    pub(crate) issuer: Arc<TokenIssuer>,
    pub(crate) sessions: Arc<Sessions>,
}

impl Process {
    pub(crate) async fn start(test: &TestDatabase, config: &SessionConfig) -> Self {
        let database = migrated(test).await;
        crate::demo::load(&database, now()).await.unwrap();
        Self::with(database, SigningKey::generate().unwrap(), config).await
    }

    /// Another process beside this one, on the same database and key, with a clock of its own.
    pub(crate) async fn beside(&self) -> Self {
        let key = SigningKey::from_pem(&self.issuer.key().to_pem()).unwrap();
        Self::with(self.database.clone(), key, &SessionConfig::default()).await
    }

    async fn with(database: Database, key: SigningKey, config: &SessionConfig) -> Self {
        let clock = Arc::new(ManualClock::new(now()));
        let revoked = Arc::new(RevocationList::load(database.clone(), clock.clone()).await.unwrap());
        let verifier = TokenVerifier::new([key.verifying_key()], "us", "our-api", clock.clone()).with_revoked(revoked.clone());
        let issuer = Arc::new(TokenIssuer::new(key, "us", "our-api", clock.clone()));
        let parts = SessionParts {
            database: database.clone(),
            passwords: Passwords::new(),
            issuer: issuer.clone(),
            revoked: revoked.clone(),
            ids: Arc::new(SystemIds::new(clock.clone())),
            clock: clock.clone(),
        };
        let sessions = Arc::new(Sessions::new(parts, config));
        Self { database, clock, revoked, verifier: Arc::new(verifier), issuer, sessions }
    }
}
