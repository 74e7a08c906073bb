use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use followers::{FollowerError, LeaseError, Leases};

/// The lease by which one process manager of several acts.
pub(super) struct Turn {
    name: &'static str,
    /// How long a process has the work for itself without saying so again.
    length: TimeDelta,
    leases: Arc<dyn Leases>,
    holder: String,
}

impl Turn {
    pub(super) fn new(name: &'static str, length: TimeDelta, leases: Arc<dyn Leases>, holder: String) -> Self {
        Self { name, length, leases, holder }
    }

    /// Takes it from `now` on, or keeps it; whether it is this one's.
    pub(super) async fn take(&self, now: DateTime<Utc>) -> Result<bool, FollowerError> {
        self.leases.try_acquire(self.name, &self.holder, now, now + self.length).await.map_err(work)
    }

    /// Lets another have it.
    pub(super) async fn give_back(&self) -> Result<(), FollowerError> {
        self.leases.release(self.name, &self.holder).await.map_err(work)
    }
}

fn work(error: LeaseError) -> FollowerError {
    FollowerError::Work(Box::new(error))
}
