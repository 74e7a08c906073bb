//! How often something may be asked for.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;

use crate::problem::{Code, Problem};

/// How many keys a limiter remembers unless told otherwise; about 100 bytes each.
pub const KEY_LIMIT: usize = 50_000;

/// A bucket of tokens per key: a burst up to its capacity, then a steady rate.
///
/// Only the keys asked for most recently are remembered, as hashes, so that neither memory grows without bound nor
/// addresses of people stay in it. Time is whatever the caller passes.
pub struct RateLimiter {
    capacity: i64,
    interval_us: i64,
    hasher: RandomState,
    /// When each key's bucket will be full again, in microseconds since the epoch.
    full_at_us: Mutex<LruCache<u64, i64>>,
}

/// The bucket is empty: how long to wait for the next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Whole seconds, at least 1.
    pub seconds: u32,
}

impl RateLimiter {
    /// `capacity` at once, then `tokens` in each `per`. All three count at least as 1 (microsecond, for `per`).
    pub fn new(capacity: u32, tokens: u32, per: TimeDelta) -> Self {
        Self::with_key_limit(capacity, tokens, per, NonZeroUsize::new(KEY_LIMIT).unwrap_or(NonZeroUsize::MIN))
    }

    /// `capacity` at once, then `tokens` in each second.
    pub fn per_second(capacity: u32, tokens: u32) -> Self {
        Self::new(capacity, tokens, TimeDelta::seconds(1))
    }

    /// `capacity` at once, then `tokens` in each minute.
    pub fn per_minute(capacity: u32, tokens: u32) -> Self {
        Self::new(capacity, tokens, TimeDelta::minutes(1))
    }

    /// Like [`RateLimiter::new`], and remembers `key_limit` keys.
    pub fn with_key_limit(capacity: u32, tokens: u32, per: TimeDelta, key_limit: NonZeroUsize) -> Self {
        let per_us = per.num_microseconds().unwrap_or(i64::MAX);
        Self {
            capacity: i64::from(capacity.max(1)),
            interval_us: (per_us / i64::from(tokens.max(1))).max(1),
            hasher: RandomState::new(),
            full_at_us: Mutex::new(LruCache::new(key_limit)),
        }
    }

    /// Takes one token of `key`. Errors: none is left.
    pub fn check(&self, key: impl Hash, now: DateTime<Utc>) -> Result<(), RetryAfter> {
        let key = self.hasher.hash_one(key);
        let now_us = now.timestamp_micros();
        let mut buckets = self.full_at_us.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at_us = self.after_one_more(buckets.get(&key).copied(), now_us)?;
        buckets.put(key, full_at_us);
        Ok(())
    }

    /// Like [`RateLimiter::check`] without taking a token, where only what comes after should count.
    pub fn peek(&self, key: impl Hash, now: DateTime<Utc>) -> Result<(), RetryAfter> {
        let key = self.hasher.hash_one(key);
        let full_at_us = self.full_at_us.lock().unwrap_or_else(PoisonError::into_inner).peek(&key).copied();
        self.after_one_more(full_at_us, now.timestamp_micros()).map(drop)
    }

    fn after_one_more(&self, full_at_us: Option<i64>, now_us: i64) -> Result<i64, RetryAfter> {
        let span_us = self.interval_us.saturating_mul(self.capacity);
        // A clock that went back leaves buckets ahead of it: none is emptier than empty.
        let full_at_us = full_at_us.unwrap_or(now_us).clamp(now_us, now_us.saturating_add(span_us));
        let wait_us = full_at_us.saturating_add(self.interval_us).saturating_sub(now_us.saturating_add(span_us));
        if wait_us > 0 {
            let seconds = u32::try_from(wait_us.saturating_add(999_999) / 1_000_000).unwrap_or(u32::MAX);
            return Err(RetryAfter { seconds: seconds.max(1) });
        }
        Ok(full_at_us.saturating_add(self.interval_us))
    }
}

impl From<RetryAfter> for Problem {
    fn from(wait: RetryAfter) -> Self {
        Self::new(Code::RateLimited).retry_after(wait.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_burst_is_taken_up_to_the_capacity() {
        let limiter = RateLimiter::per_second(3, 1);
        for _ in 0..3 {
            assert_eq!(limiter.check("a", at(0)), Ok(()));
        }
        assert_eq!(limiter.check("a", at(0)), Err(RetryAfter { seconds: 1 }));
    }

    #[test]
    fn then_tokens_come_back_at_the_rate() {
        let limiter = RateLimiter::per_second(2, 2);
        assert!(limiter.check("a", at(0)).is_ok() && limiter.check("a", at(0)).is_ok());
        assert!(limiter.check("a", at(499)).is_err());
        assert!(limiter.check("a", at(500)).is_ok());
        assert!(limiter.check("a", at(500)).is_err());
        assert!(limiter.check("a", at(60_000)).is_ok() && limiter.check("a", at(60_000)).is_ok());
        assert!(limiter.check("a", at(60_000)).is_err());
    }

    #[test]
    fn asking_in_vain_costs_nothing() {
        let limiter = RateLimiter::per_second(1, 1);
        assert!(limiter.check("a", at(0)).is_ok());
        for ms in 1..1000 {
            assert!(limiter.check("a", at(ms)).is_err());
        }
        assert!(limiter.check("a", at(1000)).is_ok());
    }

    #[test]
    fn the_wait_is_told_in_whole_seconds_rounded_up() {
        let limiter = RateLimiter::per_minute(1, 2);
        assert!(limiter.check("a", at(0)).is_ok());
        assert_eq!(limiter.check("a", at(1)), Err(RetryAfter { seconds: 30 }));
        assert_eq!(limiter.check("a", at(29_500)), Err(RetryAfter { seconds: 1 }));
    }

    #[test]
    fn keys_have_buckets_of_their_own() {
        let limiter = RateLimiter::per_second(1, 1);
        assert!(limiter.check(("learner", "10.0.0.1"), at(0)).is_ok());
        assert!(limiter.check(("learner", "10.0.0.2"), at(0)).is_ok());
        assert!(limiter.check(("learner", "10.0.0.1"), at(0)).is_err());
    }

    #[test]
    fn looking_takes_no_token() {
        let limiter = RateLimiter::per_second(1, 1);
        assert!(limiter.peek("a", at(0)).is_ok() && limiter.peek("a", at(0)).is_ok());
        assert!(limiter.check("a", at(0)).is_ok());
        assert_eq!(limiter.peek("a", at(0)), Err(RetryAfter { seconds: 1 }));
        assert!(limiter.peek("a", at(1000)).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_never_makes_anybody_wait_longer_than_an_empty_bucket() {
        let limiter = RateLimiter::per_second(2, 1);
        assert!(limiter.check("a", at(3_600_000)).is_ok());
        assert_eq!(limiter.check("a", at(0)), Err(RetryAfter { seconds: 1 }));
    }

    #[test]
    fn only_the_keys_asked_for_last_are_remembered() {
        let limiter = RateLimiter::with_key_limit(1, 1, TimeDelta::hours(1), NonZeroUsize::new(2).unwrap());
        for key in ["a", "b", "c"] {
            assert!(limiter.check(key, at(0)).is_ok());
        }
        assert!(limiter.check("c", at(0)).is_err() && limiter.check("b", at(0)).is_err());
        assert!(limiter.check("a", at(0)).is_ok());
    }

    #[test]
    fn senseless_limits_let_one_through() {
        let limiter = RateLimiter::new(0, 0, TimeDelta::zero());
        assert!(limiter.check("a", at(0)).is_ok());
        let endless = RateLimiter::new(u32::MAX, 1, TimeDelta::MAX);
        assert!(endless.check("a", at(0)).is_ok());
    }

    #[test]
    fn waiting_is_a_problem_that_names_the_time() {
        let problem = Problem::from(RetryAfter { seconds: 30 });
        assert_eq!((problem.code, problem.retry_after_s), (Code::RateLimited, Some(30)));
    }
}
