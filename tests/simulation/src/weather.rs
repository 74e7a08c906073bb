use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chance::Chance;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The log.
    Log,
    /// The way to the channel.
    Channel,
    /// Tables: inbox, views, to-do list, catalogue, numbers.
    Tables,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::Log, Self::Channel, Self::Tables];
}

/// How likely faults are, now and in each place. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    chance: Chance,
    now: Arc<Mutex<Now>>,
}

#[derive(Debug, Default)]
struct Now {
    calm: bool,
    storms: Vec<Storm>,
    channel_refused: u32,
}

#[derive(Debug)]
struct Storm {
    place: Place,
    per_mille: u32,
    steps_left: u32,
}

/// Faults that come without a storm.
const BASE_PER_MILLE: u32 = 8;

impl Weather {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { chance, now: Arc::default() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call at `place` meets a fault.
    pub(crate) fn strikes(&self, place: Place) -> bool {
        let rate = {
            let now = self.now();
            let storm = now.storms.iter().filter(|storm| storm.place == place).map(|storm| storm.per_mille).max();
            if now.calm { 0 } else { storm.unwrap_or(BASE_PER_MILLE) }
        };
        rate > 0 && self.chance.per_mille(rate)
    }

    /// In so many of a thousand cases outside of the calm, which of them it is.
    pub(crate) fn trouble(&self, per_mille: u32) -> Option<u32> {
        if self.now().calm {
            return None;
        }
        Some(self.chance.below(1000)).filter(|drawn| *drawn < per_mille)
    }

    /// Whether the circuit to the channel is closed, so that new attempts may be begun.
    pub(crate) fn channel_available(&self) -> bool {
        self.now().channel_refused == 0
    }

    /// Begins a storm at `place` for so many steps.
    pub(crate) fn storm(&self, place: Place, per_mille: u32, steps: u32) {
        self.now().storms.push(Storm { place, per_mille, steps_left: steps });
    }

    /// Opens the circuit to the channel for so many steps.
    pub(crate) fn refuse_channel(&self, steps: u32) {
        self.now().channel_refused = steps;
    }

    /// One step nearer to the end of what goes on.
    pub(crate) fn pass(&self) {
        let mut now = self.now();
        now.channel_refused = now.channel_refused.saturating_sub(1);
        for storm in &mut now.storms {
            storm.steps_left = storm.steps_left.saturating_sub(1);
        }
        now.storms.retain(|storm| storm.steps_left > 0);
    }

    /// No fault at all, until [`Self::resume`].
    pub(crate) fn calm(&self) {
        *self.now() = Now { calm: true, ..Now::default() };
    }

    /// Faults come again.
    pub(crate) fn resume(&self) {
        self.now().calm = false;
    }
}
