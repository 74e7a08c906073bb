//! Where notifications are kept as they came, sealed: those that prove genuine with retention, the others in a ring
//! with a byte quota, so that nobody can fill the disk by sending rubbish.

mod desk;
mod memory;
mod sql;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use database::{DatabaseError, Migration};
use domain::Money;
use sha2::{Digest, Sha256};

pub use desk::{CleanedUp, NoticeAction, NoticeDesk, NoticeFilter, NoticeState, OperatorAct, StoredNotice, Unmatched};
pub use memory::MemoryInbox;
pub use sql::SqlInbox;

/// A notification as it came, with what was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNotice {
    /// The wallet that it names, for instance `alipay`.
    pub wallet: &'static str,
    /// Whether its signature holds.
    pub is_authentic: bool,
    /// The channel's id of it; repeats have the same. `None` where it could not be read.
    pub notify_id: Option<String>,
    /// Our number in it, where it could be read.
    pub out_trade_no: Option<String>,
    /// The channel's number in it, where it could be read.
    pub trade_no: Option<String>,
    /// The payment's amount in it, where it could be read.
    pub amount: Option<Money>,
    /// What it tells, in a word of ours, where it could be read.
    pub news: Option<&'static str>,
    /// What of the payment went back so far, where it tells of that.
    pub refunded: Option<Money>,
    /// One word for what was made of it, for instance `recorded`, `bad_signature`.
    pub verdict: String,
    /// Whether an operator is to look at it.
    pub state: NoticeState,
    /// Header names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl KeptNotice {
    /// What all repeats of a genuine notification have in common: all that it says. Where it could not be read, its text.
    ///
    /// The channel's id alone would not do: one signed text may be split in two ways that have it in common.
    fn repeat_key(&self) -> String {
        let mut hasher = Sha256::new();
        let mut take = |part: &[u8]| {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        };
        if let Some(notify_id) = &self.notify_id {
            for said in [Some(notify_id), self.out_trade_no.as_ref(), self.trade_no.as_ref()] {
                take(said.map_or(&[], |said| said.as_bytes()));
            }
            take(self.news.unwrap_or_default().as_bytes());
            for amount in [self.amount, self.refunded] {
                take(amount.map_or_else(String::new, |amount| format!("{}{}", amount.amount_minor(), amount.currency().code())).as_bytes());
            }
        } else {
            take(&self.body);
        }
        format!("{:x}", hasher.finalize())
    }
}

/// Keeps notifications.
#[async_trait]
pub trait NoticeInbox: Send + Sync {
    /// Keeps a notification, durably. A repeat of a genuine one is counted, not kept again: it brings its verdict, unless
    /// that would take back that nothing is to be done about the notification. One that an operator dismissed before its
    /// money was known is opened again once it is.
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError>;

    /// Where operators work on what is kept; `None` for an inbox that none of them works on.
    fn desk(&self) -> Option<&dyn NoticeDesk> {
        None
    }
}

/// The tables of the inbox.
pub const INBOX_MIGRATIONS: [Migration; 2] = [
    Migration {
        version: 2,
        name: "notice_inbox",
        sqlite: include_str!("../../migrations/state/sqlite/0002_notice_inbox.sql"),
        postgres: include_str!("../../migrations/state/postgres/0002_notice_inbox.sql"),
    },
    Migration {
        version: 5,
        name: "notice_operations",
        sqlite: include_str!("../../migrations/state/sqlite/0005_notice_operations.sql"),
        postgres: include_str!("../../migrations/state/postgres/0005_notice_operations.sql"),
    },
];

/// Of an unverified notice no more than this is kept.
const MAX_UNVERIFIED_BODY: usize = 16 * 1024;

/// How long a notification that does not prove genuine is kept, where the quota has room for it.
pub const UNVERIFIED_RETENTION: TimeDelta = TimeDelta::days(30);

/// How long a genuine notification is kept that needs nothing any more. What it told stands on the log for good; one that an
/// operator is to look at is never dropped.
pub const VERIFIED_RETENTION: TimeDelta = TimeDelta::days(400);

/// The most notifications that one clean-up drops for their age, of each kind.
const CLEAN_UP_LIMIT: u32 = 1_000;

#[cfg(test)]
mod tests;
