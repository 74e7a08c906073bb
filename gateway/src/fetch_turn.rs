//! When keys that a message names may be asked for: one at a time, and not again for a while after it was in vain.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// How long nothing is asked for after it was in vain: anybody can send a notification under a made-up serial.
pub(crate) const FETCH_RETRY: TimeDelta = TimeDelta::seconds(10);

/// Who has named a key that is not known. Each has a turn of its own, so that made-up notifications keep no answer from being
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// An answer to a call of ours, over our own connection.
    Answer,
    /// A notification, which anybody may have sent.
    Notification,
}

/// The turns of both.
#[derive(Debug, Default)]
pub(crate) struct FetchTurns {
    answers: FetchTurn,
    notifications: FetchTurn,
}

/// One of them.
#[derive(Debug, Default)]
pub(crate) struct FetchTurn {
    in_vain_at: Mutex<Option<DateTime<Utc>>>,
    /// Held while keys are on their way, so that all who want them wait for the one fetch.
    pub(crate) held: tokio::sync::Mutex<()>,
}

impl FetchTurns {
    pub(crate) fn of(&self, by: NamedBy) -> &FetchTurn {
        match by {
            NamedBy::Answer => &self.answers,
            NamedBy::Notification => &self.notifications,
        }
    }
}

impl FetchTurn {
    /// Whether keys may be asked for at `now`.
    pub(crate) fn may_ask(&self, now: DateTime<Utc>) -> bool {
        let in_vain_at = *self.in_vain_at.lock().unwrap_or_else(PoisonError::into_inner);
        in_vain_at.is_none_or(|at| now - at >= FETCH_RETRY)
    }

    /// They could not be fetched, or are not what they were fetched for.
    pub(crate) fn in_vain(&self, now: DateTime<Utc>) {
        *self.in_vain_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}
