//! The clock as a port: everything that needs the time is handed one.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time in UTC, in whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock, moved ahead by an offset that only a test's clock route changes.
#[derive(Debug, Default)]
pub struct SystemClock {
    offset_ms: AtomicI64,
}

impl SystemClock {
    /// Moves the clock ahead by `advance_ms` from now on.
    pub fn advance(&self, advance_ms: i64) {
        self.offset_ms.fetch_add(advance_ms, Ordering::Relaxed);
    }

    /// How far ahead of the machine's clock this one runs, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// Runs this far ahead of the machine's clock from now on, in milliseconds.
    pub fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> DateTime<Utc> {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        let machine = DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC);
        machine + TimeDelta::milliseconds(self.offset_ms())
    }
}

/// A clock that stands still until it is moved, for tests and the simulation.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `at`.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self { micros: AtomicI64::new(at.timestamp_micros()) }
    }

    /// Shows `at` from now on.
    pub fn set(&self, at: DateTime<Utc>) {
        self.micros.store(at.timestamp_micros(), Ordering::Relaxed);
    }

    /// Moves on by `by`, or back if it is negative.
    pub fn advance(&self, by: TimeDelta) {
        self.micros.fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::Relaxed)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_runs_ahead_by_its_offset() {
        let (ahead, plain) = (SystemClock::default(), SystemClock::default());
        ahead.advance(3_600_000);
        ahead.advance(1_000);
        assert_eq!(ahead.offset_ms(), 3_601_000);
        let distance = ahead.now() - plain.now();
        assert!((distance - TimeDelta::milliseconds(3_601_000)).abs() < TimeDelta::minutes(1), "{distance}");
        ahead.set_offset_ms(0);
        assert_eq!(ahead.offset_ms(), 0);
    }

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let start = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
        let clock = ManualClock::new(start);
        assert_eq!((clock.now(), clock.now()), (start, start));
        clock.advance(TimeDelta::seconds(-5));
        assert_eq!(clock.now(), start - TimeDelta::seconds(5));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }
}
