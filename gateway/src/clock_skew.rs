//! How far a channel's clock is ahead of ours, as the header `Date` of its answers tells.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// No answer has named its time yet.
const UNKNOWN: i64 = i64::MIN;

/// The skew at the last answer that named its time, in milliseconds.
pub(crate) struct ClockSkew(AtomicI64);

impl ClockSkew {
    /// Nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }

    /// To about a second; `None` before an answer has named its time.
    pub(crate) fn get(&self) -> Option<TimeDelta> {
        let skew_ms = self.0.load(Ordering::Relaxed);
        if skew_ms == UNKNOWN { None } else { TimeDelta::try_milliseconds(skew_ms) }
    }

    /// Notes the value of a header `Date` that came at `now`. One that names no time changes nothing.
    pub(crate) fn note(&self, date: Option<&str>, now: DateTime<Utc>) {
        if let Some(theirs) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
            self.0.store((theirs.to_utc() - now).num_milliseconds(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-05T06:08:09Z".parse().unwrap()
    }

    #[test]
    fn nothing_is_known_before_an_answer_names_its_time() {
        let skew = ClockSkew::new();
        assert_eq!(skew.get(), None);
        skew.note(None, now());
        skew.note(Some("yesterday"), now());
        assert_eq!(skew.get(), None);
    }

    #[test]
    fn the_last_time_counts_and_what_names_none_changes_nothing() {
        let skew = ClockSkew::new();
        skew.note(Some("Thu, 05 Mar 2026 06:09:14 GMT"), now());
        assert_eq!(skew.get(), Some(TimeDelta::seconds(65)));
        skew.note(Some("Thu, 05 Mar 2026 06:08:00 GMT"), now());
        skew.note(Some(""), now());
        assert_eq!(skew.get(), Some(TimeDelta::seconds(-9)));
    }
}
