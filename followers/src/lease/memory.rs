use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{LeaseError, Leases};

/// Leases of one process, for the simulation.
#[derive(Debug, Default)]
pub struct MemoryLeases {
    held: Mutex<BTreeMap<String, (String, DateTime<Utc>)>>,
}

#[async_trait]
impl Leases for MemoryLeases {
    async fn try_acquire(&self, name: &str, holder: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, LeaseError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let free = held.get(name).is_none_or(|(other, leased_until)| other == holder || *leased_until <= now);
        if free {
            held.insert(name.to_owned(), (holder.to_owned(), until));
        }
        Ok(free)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(name).is_some_and(|(other, _)| other == holder) {
            held.remove(name);
        }
        Ok(())
    }
}
