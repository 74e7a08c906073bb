use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{FollowerError, Leases};

/// How long a worker has its part for itself without saying so again.
const LEASE: TimeDelta = TimeDelta::seconds(15);

/// How long before its end the lease is prolonged.
const MARGIN: TimeDelta = TimeDelta::seconds(10);

/// The lease by which one worker at a time does a piece of work. It saves double work and nothing else.
pub struct LeasedWork {
    leases: Arc<dyn Leases>,
    name: String,
    holder: String,
    held_until: Mutex<Option<DateTime<Utc>>>,
}

impl LeasedWork {
    /// The lease `name`, for instance `points p07`; `holder` names this worker, the same after a restart.
    pub fn new(leases: Arc<dyn Leases>, name: String, holder: String) -> Self {
        Self { leases, name, holder, held_until: Mutex::new(None) }
    }

    /// Whether the work is this worker's now. What it knows to hold for a while it does not ask about.
    pub async fn is_held(&self, now: DateTime<Utc>) -> Result<bool, FollowerError> {
        let known = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was put back knows nothing.
        if known.is_some_and(|until| (now + MARGIN..=now + LEASE).contains(&until)) {
            return Ok(true);
        }
        let until = now + LEASE;
        let acquired = self.leases.try_acquire(&self.name, &self.holder, now, until).await;
        let held = acquired.map_err(|error| FollowerError::Work(Box::new(error)))?;
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = held.then_some(until);
        Ok(held)
    }

    /// Gives the lease back before its end. Where another has it by now, it stays that other's.
    pub async fn give_back(&self) -> Result<(), FollowerError> {
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.leases.release(&self.name, &self.holder).await.map_err(|error| FollowerError::Work(Box::new(error)))
    }
}
