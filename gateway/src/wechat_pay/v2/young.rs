//! The payments that were asked for a moment ago: the channel closes none of them yet.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// How long after it was asked for a payment cannot be closed.
pub(super) const CLOSABLE_AFTER: TimeDelta = TimeDelta::minutes(5);

/// The most numbers that are remembered. Who asks for more in five minutes hears of a refusal instead of "too early".
const LIMIT: usize = 16_384;

/// Numbers and when they were last asked for, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Young(Mutex<VecDeque<(DateTime<Utc>, String)>>);

impl Young {
    /// Remembers that a payment was asked for at `now`.
    pub(super) fn note(&self, out_trade_no: &str, now: DateTime<Utc>) {
        // Every state in between is one that may be left.
        let mut young = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |(asked_at, _): &(DateTime<Utc>, String)| *asked_at + CLOSABLE_AFTER <= now;
        while young.front().is_some_and(is_over) || young.len() >= LIMIT {
            young.pop_front();
        }
        young.push_back((now, out_trade_no.to_owned()));
    }

    /// Whether the payment was asked for so shortly before `now` that it cannot be closed.
    pub(super) fn holds(&self, out_trade_no: &str, now: DateTime<Utc>) -> bool {
        let young = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        young.iter().rev().any(|(asked_at, number)| number == out_trade_no && now < *asked_at + CLOSABLE_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_690_889 + seconds, 0).unwrap()
    }

    #[test]
    fn a_payment_is_young_for_five_minutes() {
        let young = Young::default();
        young.note("a", at(0));
        assert!(young.holds("a", at(0)) && young.holds("a", at(299)));
        assert!(!young.holds("a", at(300)) && !young.holds("b", at(0)));
        young.note("a", at(200));
        assert!(young.holds("a", at(499)) && !young.holds("a", at(500)));
    }

    #[test]
    fn what_is_no_longer_young_is_forgotten_and_so_is_the_oldest_of_too_many() {
        let young = Young::default();
        young.note("old", at(0));
        young.note("new", at(300));
        assert_eq!(young.0.lock().unwrap().len(), 1);
        (0..LIMIT).for_each(|number| young.note(&number.to_string(), at(301)));
        assert_eq!(young.0.lock().unwrap().len(), LIMIT);
        assert!(!young.holds("new", at(301)) && young.holds("0", at(301)));
    }
}
