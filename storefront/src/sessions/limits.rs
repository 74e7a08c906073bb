//! How often may be tried.

use chassis::client_address::ClientAddress;
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
    pub(super) fn count_attempt(&self, address: ClientAddress, now: DateTime<Utc>) -> Result<(), SessionError> {
        address.network().map_or(Ok(()), |network| self.attempts.check(network, now).map_err(SessionError::TooMany))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_address_or_name_nothing_is_counted() {
        let limits = Limits::new(&SessionLimits { failures_per_name_per_minute: 1, attempts_per_address_per_minute: 1 });
        for _ in 0..3 {
            let now = DateTime::UNIX_EPOCH;
            assert!(limits.count_attempt(ClientAddress(None), now).is_ok() && limits.count_failure(None, now).is_ok());
        }
    }
}
