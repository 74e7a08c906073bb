use std::sync::Arc;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine};
use chassis::seal::KeyRing;
use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Time, Transaction, values};
use domain::{Currency, Money};
use gateway::RawNotification;
use serde::{Deserialize, Serialize};

use super::desk::UNMATCHED;
use super::{
    CLEAN_UP_LIMIT, CleanedUp, KeptNotice, MAX_UNVERIFIED_BODY, NoticeAction, NoticeDesk, NoticeFilter, NoticeInbox, NoticeState,
    OperatorAct, StoredNotice, UNVERIFIED_RETENTION, Unmatched, VERIFIED_RETENTION,
};

/// The inbox in the state database.
pub struct SqlInbox {
    database: Database,
    keys: Arc<KeyRing>,
    unverified_quota_bytes: i64,
}

/// What is sealed of a notice.
#[derive(Serialize, Deserialize)]
struct Sealed {
    headers: Vec<(String, String)>,
    body: String,
}

const PURPOSE: &str = "notice-inbox";
/// The ring is measured, which reads all of it, only so often.
pub(super) const PRUNE_EVERY: i64 = 64;

/// Deletes the unverified notices that do not fit the quota: the newest stay.
const PRUNE: &str = "delete from notice_inbox where is_authentic = 0 and notice_inbox_id <= coalesce((select max(notice_inbox_id) from \
     (select notice_inbox_id, sum(byte_count) over (order by notice_inbox_id desc) as bytes_so_far \
      from notice_inbox where is_authentic = 0) as newest where bytes_so_far > $1), 0)";

/// Deletes settled notices of one kind that came last before a time, the oldest first.
const DROP_OLD: &str = "delete from notice_inbox where notice_inbox_id in (select notice_inbox_id from notice_inbox \
     where is_authentic = $1 and state = 'settled' and last_received_at < $2 order by notice_inbox_id limit cast($3 as bigint))";

/// Whether an operator dismissed the notice before what it tells proved to be money that matches nothing, as
/// `StoredNotice::is_dismissed_too_soon` says it.
macro_rules! too_soon {
    () => {
        "notice_inbox.action = 'dismissed' and notice_inbox.verdict <> 'unknown_order' \
         and excluded.verdict = 'unknown_order' and excluded.state = 'open'"
    };
}

/// Whether an operator has ended the notice.
macro_rules! ended {
    () => {
        "coalesce(notice_inbox.action, '') in ('assigned', 'dismissed')"
    };
}

/// Keeps a genuine notice, or writes what was made of its repeat into its row.
const KEEP_AUTHENTIC: &str = concat!(
    "insert into notice_inbox (wallet, repeat_key, is_authentic, out_trade_no, trade_no, amount, currency, news, verdict, state, sealed, \
     byte_count, times_seen, first_received_at, last_received_at) \
     values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12) \
     on conflict (wallet, repeat_key) do update set times_seen = notice_inbox.times_seen + 1, \
     last_received_at = excluded.last_received_at, verdict = case when ",
    too_soon!(),
    " then excluded.verdict when ",
    ended!(),
    " or (notice_inbox.state = 'settled' and excluded.state = 'open') then notice_inbox.verdict else excluded.verdict end, \
     state = case when ",
    too_soon!(),
    " then excluded.state when ",
    ended!(),
    " or notice_inbox.state = 'settled' then 'settled' else excluded.state end, action = case when ",
    too_soon!(),
    " then null else notice_inbox.action end"
);

macro_rules! notices {
    ($which:literal) => {
        concat!(
            "select notice_inbox_id, wallet, is_authentic, out_trade_no, trade_no, amount, currency, news, verdict, state, times_seen, \
             first_received_at, last_received_at, action, action_by, action_at, action_reason, assigned_pay_no from notice_inbox where ",
            $which
        )
    };
}

impl SqlInbox {
    /// Unverified notices take at most so many bytes by default.
    pub const DEFAULT_UNVERIFIED_QUOTA_BYTES: i64 = 16 * 1024 * 1024;

    /// An inbox in `database`, sealed with `keys`, that keeps at most `unverified_quota_bytes` of unverified notices.
    pub fn new(database: Database, keys: Arc<KeyRing>, unverified_quota_bytes: i64) -> Self {
        Self { database, keys, unverified_quota_bytes }
    }

    fn sealed(&self, notice: &KeptNotice) -> Vec<u8> {
        let body = if notice.is_authentic { &notice.body[..] } else { &notice.body[..notice.body.len().min(MAX_UNVERIFIED_BODY)] };
        let headers = notice.headers.iter().map(|(name, value)| (name.clone(), BASE64_STANDARD.encode(value))).collect();
        let raw = serde_json::to_vec(&Sealed { headers, body: BASE64_STANDARD.encode(body) });
        let raw = raw.unwrap_or_else(|error| unreachable!("text in a struct is JSON: {error}"));
        self.keys.seal_bytes(PURPOSE, &raw)
    }

    fn unsealed(&self, sealed: &[u8]) -> Option<RawNotification> {
        let raw: Sealed = serde_json::from_slice(&self.keys.open_bytes(PURPOSE, sealed)?).ok()?;
        let headers = raw.headers.into_iter().map(|(name, value)| Some((name, BASE64_STANDARD.decode(value).ok()?)));
        Some(RawNotification { headers: headers.collect::<Option<_>>()?, body: BASE64_STANDARD.decode(raw.body).ok()? })
    }

    async fn keep_authentic(&self, notice: &KeptNotice, sealed: Vec<u8>, bytes: i64) -> Result<(), DatabaseError> {
        let (amount, currency) = amount_columns(notice.amount);
        let values = values![
            notice.wallet,
            notice.repeat_key(),
            notice.out_trade_no.clone(),
            notice.trade_no.clone(),
            amount,
            currency,
            notice.news,
            &notice.verdict,
            notice.state.as_str(),
            sealed,
            bytes,
            notice.received_at,
        ];
        self.database.execute(KEEP_AUTHENTIC, values).await?;
        Ok(())
    }

    /// Each unverified one has a row of its own, and nothing that it says is repeated anywhere.
    async fn keep_unverified(&self, notice: &KeptNotice, sealed: Vec<u8>, bytes: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let sql = "insert into notice_inbox (wallet, repeat_key, is_authentic, verdict, state, sealed, byte_count, times_seen, \
                   first_received_at, last_received_at) values ($1, null, 0, $2, $3, $4, $5, 1, $6, $6) returning notice_inbox_id";
        let values = values![notice.wallet, &notice.verdict, notice.state.as_str(), sealed, bytes, notice.received_at];
        let (inserted,): (i64,) = transaction.fetch_one(sql, values).await?;
        let dropped = if inserted % PRUNE_EVERY == 0 { self.prune(&mut transaction).await? } else { 0 };
        transaction.commit().await?;
        count_dropped("quota", dropped);
        Ok(())
    }

    async fn prune(&self, transaction: &mut Transaction) -> Result<u64, DatabaseError> {
        transaction.execute(PRUNE, values![self.unverified_quota_bytes]).await
    }
}

fn amount_columns(amount: Option<Money>) -> (Option<i64>, Option<String>) {
    (amount.map(Money::amount_minor), amount.map(|amount| amount.currency().code().to_owned()))
}

fn count_dropped(cause: &'static str, count: u64) {
    metrics::counter!("paystream_notices_dropped_total", "cause" => cause).increment(count);
}

#[async_trait]
impl NoticeInbox for SqlInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        let sealed = self.sealed(&notice);
        let bytes = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
        if notice.is_authentic {
            self.keep_authentic(&notice, sealed, bytes).await
        } else {
            self.keep_unverified(&notice, sealed, bytes).await
        }
    }

    fn desk(&self) -> Option<&dyn NoticeDesk> {
        Some(self)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    notice_inbox_id: i64,
    wallet: String,
    is_authentic: i64,
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    news: Option<String>,
    verdict: String,
    state: String,
    times_seen: i64,
    first_received_at: Time,
    last_received_at: Time,
    action: Option<String>,
    action_by: Option<String>,
    action_at: Option<Time>,
    action_reason: Option<String>,
    assigned_pay_no: Option<String>,
}

impl From<Row> for StoredNotice {
    fn from(row: Row) -> Self {
        let currency = row.currency.and_then(|code| Currency::parse(&code).ok());
        let action = row.action.and_then(|word| NoticeAction::read(&word, row.assigned_pay_no.as_deref()));
        let act = action.zip(row.action_at).map(|(action, at)| OperatorAct {
            action,
            by: row.action_by.unwrap_or_default(),
            at: at.into(),
            reason: row.action_reason.unwrap_or_default(),
        });
        Self {
            notice_id: row.notice_inbox_id,
            wallet: row.wallet,
            is_authentic: row.is_authentic == 1,
            out_trade_no: row.out_trade_no,
            trade_no: row.trade_no,
            amount: row.amount.zip(currency).and_then(|(amount, currency)| Money::new(amount, currency).ok()),
            news: row.news,
            verdict: row.verdict,
            state: NoticeState::parse(&row.state).unwrap_or(NoticeState::Open),
            times_seen: u64::try_from(row.times_seen).unwrap_or_default(),
            first_received_at: row.first_received_at.into(),
            last_received_at: row.last_received_at.into(),
            act,
        }
    }
}

#[async_trait]
impl NoticeDesk for SqlInbox {
    async fn page(&self, filter: &NoticeFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredNotice>, DatabaseError> {
        let before = before.unwrap_or(i64::MAX);
        let (state, verdict) = (filter.state.map(NoticeState::as_str), filter.verdict.as_deref());
        // One text for each way of asking, so that each has its index.
        let (sql, values) = match (state, verdict) {
            (None, None) => {
                (notices!("notice_inbox_id < $1 order by notice_inbox_id desc limit cast($2 as bigint)"), values![before, limit])
            }
            (Some(state), None) => (
                notices!("notice_inbox_id < $1 and state = $3 order by notice_inbox_id desc limit cast($2 as bigint)"),
                values![before, limit, state],
            ),
            (None, Some(verdict)) => (
                notices!("notice_inbox_id < $1 and verdict = $3 order by notice_inbox_id desc limit cast($2 as bigint)"),
                values![before, limit, verdict],
            ),
            (Some(state), Some(verdict)) => (
                notices!("notice_inbox_id < $1 and state = $3 and verdict = $4 order by notice_inbox_id desc limit cast($2 as bigint)"),
                values![before, limit, state, verdict],
            ),
        };
        let rows: Vec<Row> = self.database.fetch_all(sql, values).await?;
        Ok(rows.into_iter().map(StoredNotice::from).collect())
    }

    async fn find(&self, notice_id: i64) -> Result<Option<StoredNotice>, DatabaseError> {
        let row: Option<Row> = self.database.fetch_optional(notices!("notice_inbox_id = $1"), values![notice_id]).await?;
        Ok(row.map(StoredNotice::from))
    }

    async fn raw(&self, notice_id: i64) -> Result<Option<RawNotification>, DatabaseError> {
        let sql = "select sealed from notice_inbox where notice_inbox_id = $1";
        let sealed: Option<(Vec<u8>,)> = self.database.fetch_optional(sql, values![notice_id]).await?;
        Ok(sealed.and_then(|(sealed,)| self.unsealed(&sealed)))
    }

    async fn judged(&self, before: &StoredNotice, judged: &KeptNotice, act: &OperatorAct) -> Result<(), DatabaseError> {
        let repeat_key = judged.is_authentic.then(|| judged.repeat_key());
        let (amount, currency) = amount_columns(judged.amount);
        // A repeat that was kept meanwhile has the key already.
        let sql = "update notice_inbox set is_authentic = case when is_authentic = 1 then 1 else $2 end, \
                   repeat_key = case when repeat_key is not null then repeat_key when exists (select 1 from notice_inbox as other \
                   where other.wallet = notice_inbox.wallet and other.repeat_key = $3) then null else $3 end, \
                   out_trade_no = coalesce($4, out_trade_no), trade_no = coalesce($5, trade_no), amount = coalesce($6, amount), \
                   currency = coalesce($7, currency), news = coalesce($14, news), verdict = $8, state = $9, action = $10, \
                   action_by = $11, action_at = $12, action_reason = $13, assigned_pay_no = null \
                   where notice_inbox_id = $1 and coalesce(action, '') not in ('assigned', 'dismissed') \
                   and ($9 = 'settled' or (state = $15 and verdict = $16 and coalesce(action, '') = $17))";
        let values = values![
            before.notice_id,
            judged.is_authentic,
            repeat_key,
            judged.out_trade_no.clone(),
            judged.trade_no.clone(),
            amount,
            currency,
            &judged.verdict,
            judged.state.as_str(),
            act.action.as_str(),
            &act.by,
            act.at,
            &act.reason,
            judged.news,
            before.state.as_str(),
            &before.verdict,
            before.act.as_ref().map_or("", |act| act.action.as_str()),
        ];
        self.database.execute(sql, values).await?;
        Ok(())
    }

    async fn end(&self, notice_id: Option<i64>, act: &OperatorAct, money: Option<Unmatched<'_>>) -> Result<(), DatabaseError> {
        let sql = "update notice_inbox set state = 'settled', action = $2, action_by = $3, action_at = $4, action_reason = $5, \
                   assigned_pay_no = $6 where notice_inbox_id = $1 \
                   or (state = 'open' and verdict = $7 and wallet = $8 and trade_no = $9)";
        let pay_no = act.action.pay_no().map(|pay_no| pay_no.to_string());
        let (wallet, trade_no) = (money.map(|money| money.wallet), money.map(|money| money.trade_no));
        let values = values![notice_id, act.action.as_str(), &act.by, act.at, &act.reason, pay_no, UNMATCHED, wallet, trade_no];
        self.database.execute(sql, values).await?;
        Ok(())
    }

    async fn clean_up(&self, now: DateTime<Utc>) -> Result<CleanedUp, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let mut by_age = 0;
        for (is_authentic, retention) in [(false, UNVERIFIED_RETENTION), (true, VERIFIED_RETENTION)] {
            by_age += transaction.execute(DROP_OLD, values![is_authentic, now - retention, CLEAN_UP_LIMIT]).await?;
        }
        let by_quota = self.prune(&mut transaction).await?;
        transaction.commit().await?;
        count_dropped("age", by_age);
        count_dropped("quota", by_quota);
        Ok(CleanedUp { by_age, by_quota })
    }
}
