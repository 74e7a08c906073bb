//! Times and ratios in whole numbers, so that a figure is the same wherever it is made and shown.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// How long each of many things took, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds one.
    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds all of `other`.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The middle and the far end; zeros where there is nothing.
    pub(crate) fn percentiles(mut self) -> Percentiles {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0.get(rank).copied().unwrap_or_default()
        };
        Percentiles { p50_us: at(50), p99_us: at(99), max_us: at(100) }
    }
}

/// What half, 99 of 100, and all were done within, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "each is a time and names its unit, also in JSON")]
pub(crate) struct Percentiles {
    /// Half of them.
    pub(crate) p50_us: u32,
    /// 99 of 100.
    pub(crate) p99_us: u32,
    /// All.
    pub(crate) max_us: u32,
}

/// Microseconds, shown as milliseconds with two places.
pub(crate) struct Ms(pub(crate) u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0 + 5) / 10;
        write!(f, "{}.{:02} ms", hundredths / 100, hundredths % 100)
    }
}

/// How many times one figure is another, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Hundredths(pub(crate) u64);

impl Hundredths {
    /// `part` of `whole`, rounded; 0 where `whole` is 0.
    pub(crate) fn of(part: u64, whole: u64) -> Self {
        let hundredths = (u128::from(part) * 100 + u128::from(whole) / 2).checked_div(u128::from(whole));
        Self(hundredths.and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// How many a second, rounded down.
pub(crate) fn per_second(count: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// The one in the middle; of an even number the lower. 0 where there is none.
pub(crate) fn median(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        micros.into_iter().for_each(|micros| latencies.add(Duration::from_micros(micros)));
        latencies
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let all = latencies((1..=200).rev()).percentiles();
        assert_eq!(all, Percentiles { p50_us: 100, p99_us: 198, max_us: 200 });
        assert_eq!(latencies([7]).percentiles(), Percentiles { p50_us: 7, p99_us: 7, max_us: 7 });
        assert_eq!(latencies([]).percentiles(), Percentiles { p50_us: 0, p99_us: 0, max_us: 0 });
    }

    #[test]
    fn joined_times_are_all_counted() {
        let mut all = latencies([1, 2]);
        all.join(latencies([3]));
        assert_eq!((all.count(), all.percentiles().max_us), (3, 3));
    }

    #[test]
    fn a_ratio_is_rounded_to_hundredths() {
        assert_eq!(Hundredths::of(2, 3).to_string(), "0.67");
        assert_eq!(Hundredths::of(41_000, 8_000).to_string(), "5.13");
        assert_eq!(Hundredths::of(1, 0), Hundredths(0));
    }

    #[test]
    fn microseconds_are_shown_as_milliseconds() {
        assert_eq!([0, 4, 5, 1_234, 60_000].map(|micros| Ms(micros).to_string()), ["0.00 ms", "0.00 ms", "0.01 ms", "1.23 ms", "60.00 ms"]);
    }

    #[test]
    fn rates_and_medians_are_whole_numbers() {
        assert_eq!(per_second(3, Duration::from_secs(2)), 1);
        assert_eq!(per_second(3, Duration::ZERO), 3_000_000);
        assert_eq!((median(vec![3, 1, 2]), median(vec![4, 1, 3, 2]), median(Vec::new())), (2, 2, 0));
    }
}
