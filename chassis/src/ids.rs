//! Where new ids and random bytes come from, as a port: tests and the simulation hand in a seeded one.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use uuid::{Builder, Uuid};

use crate::clock::Clock;

/// Makes ids and random bytes.
pub trait IdSource: Send + Sync {
    /// A new id of a fact: a UUIDv7 of the clock's time.
    fn event_id(&self) -> Uuid;

    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes of a source.
pub fn random_bytes<const N: usize>(source: &dyn IdSource) -> [u8; N] {
    let mut bytes = [0; N];
    source.fill(&mut bytes);
    bytes
}

/// The id of what follows from `cause` under `name`: always the same one (UUIDv5), so that doing it again is seen.
pub fn derived_id(cause: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&cause, name.as_bytes())
}

/// Ids that nobody can guess, from the operating system's randomness.
pub struct SystemIds {
    clock: Arc<dyn Clock>,
}

impl SystemIds {
    /// Ids with the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl IdSource for SystemIds {
    fn event_id(&self) -> Uuid {
        id_of_time(self.clock.as_ref(), &random_bytes(self))
    }

    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// Ids that are the same for the same seed and the same times. Guessable: for tests and the simulation only.
pub struct SeededIds {
    clock: Arc<dyn Clock>,
    random: Mutex<StdRng>,
}

impl SeededIds {
    /// Ids with the time of `clock`, otherwise determined by `seed`.
    pub fn new(seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self { clock, random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }
}

impl IdSource for SeededIds {
    fn event_id(&self) -> Uuid {
        id_of_time(self.clock.as_ref(), &random_bytes(self))
    }

    fn fill(&self, bytes: &mut [u8]) {
        // A panic elsewhere cannot leave the generator in a state that matters.
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

fn id_of_time(clock: &dyn Clock, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(clock.now().timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::clock::ManualClock;

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap()))
    }

    #[test]
    fn an_event_id_is_a_version_seven_of_the_clocks_time() {
        let clock = clock();
        let ids = SystemIds::new(clock.clone());
        let (first, second) = (ids.event_id(), ids.event_id());
        assert_ne!(first, second);
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.get_timestamp().unwrap().to_unix(), (1_700_000_000, 0));
        clock.advance(TimeDelta::milliseconds(1));
        assert!(ids.event_id() > first.max(second));
    }

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
        let ids = |seed| {
            let source = SeededIds::new(seed, clock());
            (source.event_id(), source.event_id(), random_bytes::<5>(&source))
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        assert_ne!(ids(1).0, ids(1).1);
    }

    #[test]
    fn a_derived_id_depends_on_cause_and_name_alone() {
        let cause = Uuid::from_u128(7);
        assert_eq!(derived_id(cause, "close"), derived_id(cause, "close"));
        assert_ne!(derived_id(cause, "close"), derived_id(cause, "open"));
        assert_ne!(derived_id(cause, "close"), derived_id(Uuid::from_u128(8), "close"));
        assert_eq!(derived_id(cause, "close").get_version_num(), 5);
    }
}
