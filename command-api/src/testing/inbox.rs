use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use database::DatabaseError;

use crate::{KeptNotice, MemoryInbox, NoticeInbox};

/// The inbox in memory, which fails as often as it is told.
#[derive(Default)]
pub(crate) struct ScriptedInbox {
    kept: MemoryInbox,
    failing: AtomicUsize,
}

impl ScriptedInbox {
    /// So many notifications are not kept from now on.
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
}

#[async_trait]
impl NoticeInbox for ScriptedInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        let fails = self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        if fails.is_ok() { Err(DatabaseError::TransactionFailed) } else { self.kept.keep(notice).await }
    }
}
