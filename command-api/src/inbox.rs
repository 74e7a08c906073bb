//! Where notifications are kept as they came, sealed: those that prove genuine with retention, the others in a ring
//! with a byte quota, so that nobody can fill the disk by sending rubbish.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chassis::seal::KeyRing;
use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Migration, values};
use serde::Serialize;
use sha2::{Digest, Sha256};

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
    /// One word for what was made of it, for instance `confirmed`, `bad_signature`.
    pub verdict: String,
    /// Header names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl KeptNotice {
    /// What repeats of it with the same verdict have in common: the channel's id; its text where it names none.
    fn repeat_key(&self) -> String {
        let id = self.notify_id.clone().unwrap_or_else(|| format!("{:x}", Sha256::digest(&self.body)));
        format!("{id}/{}", self.verdict)
    }
}

/// Keeps notifications.
#[async_trait]
pub trait NoticeInbox: Send + Sync {
    /// Keeps a notification, durably. A genuine repeat with the same verdict is counted, not kept again.
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError>;
}

/// The table of the inbox.
pub const INBOX_MIGRATION: Migration = Migration {
    version: 2,
    name: "notice_inbox",
    sqlite: include_str!("../../migrations/state/sqlite/0002_notice_inbox.sql"),
    postgres: include_str!("../../migrations/state/postgres/0002_notice_inbox.sql"),
};

/// The inbox in the state database.
pub struct SqlInbox {
    database: Database,
    keys: Arc<KeyRing>,
    unverified_quota_bytes: i64,
}

/// What is sealed of a notice.
#[derive(Serialize)]
struct Raw<'n> {
    headers: Vec<(&'n str, String)>,
    body: String,
}

const PURPOSE: &str = "notice-inbox";
/// The ring is measured, which reads all of it, only so often.
const PRUNE_EVERY: i64 = 64;
/// Of an unverified notice no more than this is kept.
const MAX_UNVERIFIED_BODY: usize = 16 * 1024;

impl SqlInbox {
    /// Unverified notices take at most so many bytes by default.
    pub const DEFAULT_UNVERIFIED_QUOTA_BYTES: i64 = 16 * 1024 * 1024;

    /// An inbox in `database`, sealed with `keys`, that keeps at most `unverified_quota_bytes` of unverified notices.
    pub fn new(database: Database, keys: Arc<KeyRing>, unverified_quota_bytes: i64) -> Self {
        Self { database, keys, unverified_quota_bytes }
    }

    fn sealed(&self, notice: &KeptNotice) -> Vec<u8> {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let body = if notice.is_authentic { &notice.body[..] } else { &notice.body[..notice.body.len().min(MAX_UNVERIFIED_BODY)] };
        let headers = notice.headers.iter().map(|(name, value)| (name.as_str(), BASE64_STANDARD.encode(value))).collect();
        let raw = serde_json::to_vec(&Raw { headers, body: BASE64_STANDARD.encode(body) });
        let raw = raw.unwrap_or_else(|error| unreachable!("text in a struct is JSON: {error}"));
        self.keys.seal_bytes(PURPOSE, &raw)
    }
}

#[async_trait]
impl NoticeInbox for SqlInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        let sealed = self.sealed(&notice);
        let bytes = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
        // Repeats of a genuine notice share its key; each unverified one has a key of its own.
        let repeat_key = notice.is_authentic.then(|| notice.repeat_key());
        if notice.is_authentic {
            self.database
                .execute(
                    "insert into notice_inbox (wallet, repeat_key, is_authentic, out_trade_no, verdict, sealed, byte_count, times_seen, first_received_at, last_received_at) \
                     values ($1, $2, 1, $3, $4, $5, $6, 1, $7, $7) \
                     on conflict (wallet, repeat_key) do update set times_seen = notice_inbox.times_seen + 1, last_received_at = excluded.last_received_at",
                    values![notice.wallet, repeat_key, notice.out_trade_no, &notice.verdict, sealed, bytes, notice.received_at],
                )
                .await?;
            return Ok(());
        }
        let mut transaction = self.database.begin().await?;
        let (inserted,): (i64,) = transaction
            .fetch_one(
                "insert into notice_inbox (wallet, repeat_key, is_authentic, out_trade_no, verdict, sealed, byte_count, times_seen, first_received_at, last_received_at) \
                 values ($1, null, 0, $2, $3, $4, $5, 1, $6, $6) returning notice_inbox_id",
                values![notice.wallet, notice.out_trade_no, &notice.verdict, sealed, bytes, notice.received_at],
            )
            .await?;
        if inserted % PRUNE_EVERY != 0 {
            return transaction.commit().await;
        }
        // The newest that fit the quota stay.
        transaction
            .execute(
                "delete from notice_inbox where is_authentic = 0 and notice_inbox_id <= coalesce((select max(notice_inbox_id) from \
                 (select notice_inbox_id, sum(byte_count) over (order by notice_inbox_id desc) as bytes_so_far \
                  from notice_inbox where is_authentic = 0) as newest where bytes_so_far > $1), 0)",
                values![self.unverified_quota_bytes],
            )
            .await?;
        transaction.commit().await
    }
}

/// The inbox in memory, for the simulation and for tests.
#[derive(Debug, Default)]
pub struct MemoryInbox {
    kept: Mutex<Vec<KeptNotice>>,
}

impl MemoryInbox {
    /// What was kept, in order; repeats too.
    pub fn kept(&self) -> Vec<KeptNotice> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl NoticeInbox for MemoryInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
