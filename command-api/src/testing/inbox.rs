use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::DatabaseError;
use gateway::RawNotification;

use crate::{CleanedUp, KeptNotice, MemoryInbox, NoticeDesk, NoticeFilter, NoticeInbox, OperatorAct, StoredNotice, Unmatched};

/// The inbox in memory, which fails as often as it is told.
#[derive(Default)]
pub(crate) struct ScriptedInbox {
    kept: MemoryInbox,
    failing: AtomicUsize,
}

impl ScriptedInbox {
    /// So many writes fail from now on, and change nothing.
    pub(crate) fn fail(&self, count: usize) {
        self.failing.store(count, Ordering::SeqCst);
    }

    pub(crate) fn kept(&self) -> Vec<KeptNotice> {
        self.kept.kept()
    }

    /// The verdicts of what was kept, in order.
    pub(crate) fn verdicts(&self) -> Vec<String> {
        self.kept().into_iter().map(|notice| notice.verdict).collect()
    }

    fn write(&self) -> Result<(), DatabaseError> {
        let fails = self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        if fails.is_ok() { Err(DatabaseError::TransactionFailed) } else { Ok(()) }
    }
}

#[async_trait]
impl NoticeInbox for ScriptedInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        self.write()?;
        self.kept.keep(notice).await
    }

    fn desk(&self) -> Option<&dyn NoticeDesk> {
        Some(self)
    }
}

#[async_trait]
impl NoticeDesk for ScriptedInbox {
    async fn page(&self, filter: &NoticeFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredNotice>, DatabaseError> {
        self.kept.page(filter, before, limit).await
    }

    async fn find(&self, notice_id: i64) -> Result<Option<StoredNotice>, DatabaseError> {
        self.kept.find(notice_id).await
    }

    async fn raw(&self, notice_id: i64) -> Result<Option<RawNotification>, DatabaseError> {
        self.kept.raw(notice_id).await
    }

    async fn judged(&self, before: &StoredNotice, judged: &KeptNotice, act: &OperatorAct) -> Result<(), DatabaseError> {
        self.write()?;
        self.kept.judged(before, judged, act).await
    }

    async fn end(&self, notice_id: Option<i64>, act: &OperatorAct, money: Option<Unmatched<'_>>) -> Result<(), DatabaseError> {
        self.write()?;
        self.kept.end(notice_id, act, money).await
    }

    async fn clean_up(&self, now: DateTime<Utc>) -> Result<CleanedUp, DatabaseError> {
        self.kept.clean_up(now).await
    }
}
