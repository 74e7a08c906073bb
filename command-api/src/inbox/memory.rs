use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::DatabaseError;
use gateway::RawNotification;

use super::desk::UNMATCHED;
use super::{
    CleanedUp, KeptNotice, MAX_UNVERIFIED_BODY, NoticeDesk, NoticeFilter, NoticeInbox, NoticeState, OperatorAct, StoredNotice,
    UNVERIFIED_RETENTION, Unmatched, VERIFIED_RETENTION,
};

/// The inbox in memory, for the simulation and for tests. It has no quota.
#[derive(Debug, Default)]
pub struct MemoryInbox {
    drawer: Mutex<Drawer>,
}

#[derive(Debug, Default)]
struct Drawer {
    kept: Vec<KeptNotice>,
    rows: Vec<Row>,
    last_id: i64,
}

#[derive(Debug)]
struct Row {
    stored: StoredNotice,
    repeat_key: Option<String>,
    raw: RawNotification,
}

impl MemoryInbox {
    /// What was kept, in order; repeats too.
    pub fn kept(&self) -> Vec<KeptNotice> {
        self.drawer().kept.clone()
    }

    fn drawer(&self) -> MutexGuard<'_, Drawer> {
        self.drawer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredNotice {
    /// Takes over what was made of it now, unless nothing is to be done about it any more.
    fn take(&mut self, judged: &KeptNotice) {
        if self.is_dismissed_too_soon(judged) {
            self.act = None;
            self.state = NoticeState::Open;
        }
        if self.state == NoticeState::Open || judged.state == NoticeState::Settled && !self.is_ended() {
            self.verdict.clone_from(&judged.verdict);
            self.state = judged.state;
        }
    }
}

#[async_trait]
impl NoticeInbox for MemoryInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        let mut drawer = self.drawer();
        drawer.kept.push(notice.clone());
        let repeat_key = notice.is_authentic.then(|| notice.repeat_key());
        if let Some(row) = drawer.rows.iter_mut().find(|row| repeat_key.is_some() && row.repeat_key == repeat_key) {
            row.stored.times_seen += 1;
            row.stored.last_received_at = notice.received_at;
            row.stored.take(&notice);
            return Ok(());
        }
        drawer.last_id += 1;
        let stored = StoredNotice {
            notice_id: drawer.last_id,
            wallet: notice.wallet.to_owned(),
            is_authentic: notice.is_authentic,
            out_trade_no: notice.out_trade_no,
            trade_no: notice.trade_no,
            amount: notice.amount,
            news: notice.news.map(str::to_owned),
            verdict: notice.verdict,
            state: notice.state,
            times_seen: 1,
            first_received_at: notice.received_at,
            last_received_at: notice.received_at,
            act: None,
        };
        let mut body = notice.body;
        if !notice.is_authentic {
            body.truncate(MAX_UNVERIFIED_BODY);
        }
        drawer.rows.push(Row { stored, repeat_key, raw: RawNotification { headers: notice.headers, body } });
        Ok(())
    }

    fn desk(&self) -> Option<&dyn NoticeDesk> {
        Some(self)
    }
}

#[async_trait]
impl NoticeDesk for MemoryInbox {
    async fn page(&self, filter: &NoticeFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredNotice>, DatabaseError> {
        let drawer = self.drawer();
        let wanted = |stored: &&StoredNotice| {
            before.is_none_or(|before| stored.notice_id < before)
                && filter.state.is_none_or(|state| stored.state == state)
                && filter.verdict.as_ref().is_none_or(|verdict| stored.verdict == *verdict)
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(drawer.rows.iter().rev().map(|row| &row.stored).filter(wanted).take(limit).cloned().collect())
    }

    async fn find(&self, notice_id: i64) -> Result<Option<StoredNotice>, DatabaseError> {
        Ok(self.drawer().rows.iter().find(|row| row.stored.notice_id == notice_id).map(|row| row.stored.clone()))
    }

    async fn raw(&self, notice_id: i64) -> Result<Option<RawNotification>, DatabaseError> {
        Ok(self.drawer().rows.iter().find(|row| row.stored.notice_id == notice_id).map(|row| row.raw.clone()))
    }

    async fn judged(&self, before: &StoredNotice, judged: &KeptNotice, act: &OperatorAct) -> Result<(), DatabaseError> {
        let mut drawer = self.drawer();
        let notice_id = before.notice_id;
        let repeat_key = judged.is_authentic.then(|| judged.repeat_key());
        let is_taken = drawer.rows.iter().any(|row| row.repeat_key == repeat_key && row.stored.notice_id != notice_id);
        let Some(row) = drawer.rows.iter_mut().find(|row| row.stored.notice_id == notice_id) else { return Ok(()) };
        let is_stale = judged.state == NoticeState::Open
            && (row.stored.state, &row.stored.verdict, &row.stored.act) != (before.state, &before.verdict, &before.act);
        if row.stored.is_ended() || is_stale {
            return Ok(());
        }
        row.repeat_key = row.repeat_key.take().or(repeat_key.filter(|_| !is_taken));
        let before = row.stored.clone();
        row.stored = StoredNotice {
            is_authentic: before.is_authentic || judged.is_authentic,
            out_trade_no: judged.out_trade_no.clone().or(before.out_trade_no),
            trade_no: judged.trade_no.clone().or(before.trade_no),
            amount: judged.amount.or(before.amount),
            news: judged.news.map(str::to_owned).or(before.news),
            verdict: judged.verdict.clone(),
            state: judged.state,
            act: Some(act.clone()),
            ..before
        };
        Ok(())
    }

    async fn end(&self, notice_id: Option<i64>, act: &OperatorAct, money: Option<Unmatched<'_>>) -> Result<(), DatabaseError> {
        let mut drawer = self.drawer();
        let tells_of_it = |other: &StoredNotice| {
            let same = |money: Unmatched<'_>| other.wallet == money.wallet && other.trade_no.as_deref() == Some(money.trade_no);
            other.verdict == UNMATCHED && other.state == NoticeState::Open && money.is_some_and(same)
        };
        for row in &mut drawer.rows {
            if Some(row.stored.notice_id) == notice_id || tells_of_it(&row.stored) {
                row.stored.state = NoticeState::Settled;
                row.stored.act = Some(act.clone());
            }
        }
        Ok(())
    }

    async fn clean_up(&self, now: DateTime<Utc>) -> Result<CleanedUp, DatabaseError> {
        let mut drawer = self.drawer();
        let before = drawer.rows.len();
        drawer.rows.retain(|row| {
            let retention = if row.stored.is_authentic { VERIFIED_RETENTION } else { UNVERIFIED_RETENTION };
            row.stored.last_received_at >= now - retention || row.stored.state == NoticeState::Open
        });
        let dropped = before - drawer.rows.len();
        Ok(CleanedUp { by_age: u64::try_from(dropped).unwrap_or(u64::MAX), by_quota: 0 })
    }
}
