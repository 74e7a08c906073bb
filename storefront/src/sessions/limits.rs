//! How often may be tried.

use std::net::IpAddr;

use chassis::rate_limit::RateLimiter;
use chrono::{DateTime, Utc};

use super::SessionError;
use crate::accounts::Username;

/// Limits of this process. Each is also how many may come at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Wrong passwords for one name in a minute; then the name has to wait, whoever asks. Right ones do not count, so
    /// that nobody is kept out by signing in often.
    pub failures_per_name_per_minute: u32,
    /// Sign-ins and refreshes from one address in a minute, whether they succeed or not.
    pub attempts_per_address_per_minute: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { failures_per_name_per_minute: 10, attempts_per_address_per_minute: 120 }
    }
}

pub(super) struct Limits {
    failures: RateLimiter,
    attempts: RateLimiter,
}

impl Limits {
    pub(super) fn new(limits: &SessionLimits) -> Self {
        let per_minute = |count: u32| RateLimiter::per_minute(count, count);
        Self { failures: per_minute(limits.failures_per_name_per_minute), attempts: per_minute(limits.attempts_per_address_per_minute) }
    }

    /// Errors: `TooMany` from this address. Where no address is known there is nothing to count by.
    pub(super) fn count_attempt(&self, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<(), SessionError> {
        address.map_or(Ok(()), |address| self.attempts.check(network(address), now).map_err(SessionError::TooMany))
    }

    /// Errors: `TooMany` wrong passwords for this name.
    pub(super) fn look_at_failures(&self, username: Option<&Username>, now: DateTime<Utc>) -> Result<(), SessionError> {
        username.map_or(Ok(()), |username| self.failures.peek(username, now).map_err(SessionError::TooMany))
    }

    /// Counts a wrong password. Errors: `TooMany` if others came while this one was compared.
    pub(super) fn count_failure(&self, username: Option<&Username>, now: DateTime<Utc>) -> Result<(), SessionError> {
        username.map_or(Ok(()), |username| self.failures.check(username, now).map_err(SessionError::TooMany))
    }
}

/// What counts as one address: of IPv6 the first 64 bits, since one customer has all addresses behind them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_networks_addresses_count_together() {
        assert_eq!(network(address("2001:db8:1:2:3::4")), network(address("2001:db8:1:2::5")));
        assert_ne!(network(address("2001:db8:1:2::5")), network(address("2001:db8:1:3::5")));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_ne!(network(address("192.0.2.1")), network(address("192.0.2.2")));
    }

    #[test]
    fn without_address_or_name_nothing_is_counted() {
        let limits = Limits::new(&SessionLimits { failures_per_name_per_minute: 1, attempts_per_address_per_minute: 1 });
        for _ in 0..3 {
            let now = DateTime::UNIX_EPOCH;
            assert!(limits.count_attempt(None, now).is_ok() && limits.count_failure(None, now).is_ok());
        }
    }
}
