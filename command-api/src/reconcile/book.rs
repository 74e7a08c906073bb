//! What came of each day's reconciliation, kept for operators. It is plain state: whoever throws it away has the days
//! compared again, which changes nothing that is on the log already.

mod memory;
mod row;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use database::{DatabaseError, Migration};

use super::Reconciliation;
use super::days::look_again_at;
use crate::wallet::Wallet;

pub use memory::MemoryStatementBook;
pub use sql::SqlStatementBook;

/// How far a day has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    /// The channel gave no statement yet, or did not answer when it was asked about a line; it is asked again.
    Open,
    /// Statement and log agree.
    Matched,
    /// They do not.
    Different,
    /// The channel gave none for so long that it is asked no more.
    Missing,
}

impl DayState {
    const ALL: [Self; 4] = [Self::Open, Self::Matched, Self::Different, Self::Missing];

    /// The word for rows and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Matched => "matched",
            Self::Different => "different",
            Self::Missing => "missing",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The word for a channel that did not answer.
pub(crate) const UNAVAILABLE: &str = "channel_unavailable";

/// A day of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementDay {
    /// Whose statement.
    pub wallet: Wallet,
    /// The day, as the channel counts days.
    pub date: NaiveDate,
    /// How far it has come.
    pub state: DayState,
    /// How often the channel was asked in vain, since the day was compared by hand last.
    pub tries: u32,
    /// When it is asked next; `None` where it is not.
    pub next_at: Option<DateTime<Utc>>,
    /// Why there is nothing to compare with, or why lines are to be asked about again, in one word.
    pub word: Option<String>,
    /// What came of it.
    pub result: Option<Reconciliation>,
    /// When this was written.
    pub looked_at: DateTime<Utc>,
}

impl StatementDay {
    /// A day whose statement the channel has from `ready_at` on.
    pub fn open(wallet: Wallet, date: NaiveDate, ready_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let (state, next_at) = (DayState::Open, Some(ready_at));
        Self { wallet, date, state, tries: 0, next_at, word: None, result: None, looked_at: now }
    }

    /// A day that was compared. Where the channel did not answer about a line it stays open, for as long as statements are
    /// waited for: that money may be missing on the log. It was asked in vain `tries` times then, this one included; by hand, 0.
    pub fn compared(result: Reconciliation, tries: u32, now: DateTime<Utc>) -> Self {
        let (wallet, date, is_whole) = (result.wallet, result.date, result.unanswered == 0);
        let tries = if is_whole { 0 } else { tries };
        let next_at = if is_whole { None } else { look_again_at(wallet, date, tries, now) };
        let state = match next_at {
            Some(_) => DayState::Open,
            None if result.discrepancies.is_empty() => DayState::Matched,
            None => DayState::Different,
        };
        let word = (!is_whole).then(|| UNAVAILABLE.to_owned());
        Self { wallet, date, state, tries, next_at, word, result: Some(result), looked_at: now }
    }
}

/// Keeps what came of each day.
#[async_trait]
pub trait StatementBook: Send + Sync {
    /// The oldest day of a wallet that is kept.
    async fn oldest(&self, wallet: Wallet) -> Result<Option<NaiveDate>, DatabaseError>;

    /// The days of a wallet that are kept, from `from` on.
    async fn kept_since(&self, wallet: Wallet, from: NaiveDate) -> Result<BTreeSet<NaiveDate>, DatabaseError>;

    /// Keeps a day unless it is kept already.
    async fn begin(&self, day: StatementDay) -> Result<(), DatabaseError>;

    /// The open days that are due, the oldest first, at most `limit`.
    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<StatementDay>, DatabaseError>;

    /// Keeps how an open day stands now, unless somebody else has written it since it was read `as_read`. Answers whether it
    /// was kept.
    async fn replace_open(&self, day: StatementDay, as_read: &StatementDay) -> Result<bool, DatabaseError>;

    /// Keeps how a day stands now, however it stood.
    async fn put(&self, day: StatementDay) -> Result<(), DatabaseError>;

    /// The days in a state, or all, the newest first: at most `limit` of those that come after `after` in that order, by day
    /// and, within one, by the wallet's word.
    async fn page(
        &self,
        state: Option<DayState>,
        after: Option<(NaiveDate, Wallet)>,
        limit: u32,
    ) -> Result<Vec<StatementDay>, DatabaseError>;
}

/// The table of days, a step of the state area.
pub const STATEMENT_MIGRATION: Migration = Migration {
    version: 6,
    name: "statement_day",
    sqlite: include_str!("../../../migrations/state/sqlite/0006_statement_day.sql"),
    postgres: include_str!("../../../migrations/state/postgres/0006_statement_day.sql"),
};
