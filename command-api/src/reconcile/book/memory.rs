use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use database::DatabaseError;

use super::{DayState, StatementBook, StatementDay};
use crate::wallet::Wallet;

/// By day, and within one in the reverse of the wallets' words, so that the list is the map backwards.
type Days = BTreeMap<(NaiveDate, std::cmp::Reverse<&'static str>), StatementDay>;

/// The book in memory, for the simulation and for tests.
#[derive(Debug, Default)]
pub struct MemoryStatementBook {
    days: Mutex<Days>,
}

impl MemoryStatementBook {
    fn with<T>(&self, work: impl FnOnce(&mut Days) -> T) -> T {
        work(&mut self.days.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(wallet: Wallet, date: NaiveDate) -> (NaiveDate, std::cmp::Reverse<&'static str>) {
    (date, std::cmp::Reverse(wallet.as_str()))
}

#[async_trait]
impl StatementBook for MemoryStatementBook {
    async fn oldest(&self, wallet: Wallet) -> Result<Option<NaiveDate>, DatabaseError> {
        Ok(self.with(|days| days.values().find(|day| day.wallet == wallet).map(|day| day.date)))
    }

    async fn kept_since(&self, wallet: Wallet, from: NaiveDate) -> Result<BTreeSet<NaiveDate>, DatabaseError> {
        let is_asked_for = |day: &&StatementDay| day.wallet == wallet && day.date >= from;
        Ok(self.with(|days| days.values().filter(is_asked_for).map(|day| day.date).collect()))
    }

    async fn begin(&self, day: StatementDay) -> Result<(), DatabaseError> {
        self.with(|days| {
            days.entry(key(day.wallet, day.date)).or_insert(day);
        });
        Ok(())
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<StatementDay>, DatabaseError> {
        let is_due = |day: &&StatementDay| day.state == DayState::Open && day.next_at.is_some_and(|at| at <= now);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.with(|days| days.values().filter(is_due).take(limit).cloned().collect()))
    }

    async fn replace_open(&self, day: StatementDay, as_read: &StatementDay) -> Result<bool, DatabaseError> {
        Ok(self.with(|days| {
            let is_as_read = |kept: &&mut StatementDay| {
                kept.state == DayState::Open && (kept.tries, kept.looked_at) == (as_read.tries, as_read.looked_at)
            };
            days.get_mut(&key(day.wallet, day.date)).filter(is_as_read).map(|kept| *kept = day).is_some()
        }))
    }

    async fn put(&self, day: StatementDay) -> Result<(), DatabaseError> {
        self.with(|days| days.insert(key(day.wallet, day.date), day));
        Ok(())
    }

    async fn page(
        &self,
        state: Option<DayState>,
        after: Option<(NaiveDate, Wallet)>,
        limit: u32,
    ) -> Result<Vec<StatementDay>, DatabaseError> {
        let after = after.map(|(date, wallet)| key(wallet, date));
        let is_behind = |place: &(NaiveDate, std::cmp::Reverse<&'static str>)| after.as_ref().is_none_or(|after| place < after);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.with(|days| {
            let behind = days.iter().rev().filter(|(place, _)| is_behind(place)).map(|(_, day)| day);
            behind.filter(|day| state.is_none_or(|state| day.state == state)).take(limit).cloned().collect()
        }))
    }
}
