//! The sandbox's state in its own database.

mod movements;
mod refunds;
mod row;

use chrono::{DateTime, Utc};
use database::{Backend, Database, DatabaseError, Migration, Time, Transaction, Value, values};

use crate::alipay::AccountTexts;
use crate::fault::{Fault, Operation};
use crate::notification::{Attempted, Delivery, DeliveryStatus, Due, NewNotification, Pending};
use crate::trade::{Trade, Wallet};
use crate::wechat;
use row::{DeliveryRow, DueRow, TradeRow};

// None for Postgres: the state is one process's own and lies in a file, see Store::open.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "sandbox", sqlite: include_str!("../migrations/0001_sandbox.sql"), postgres: "" },
    Migration { version: 2, name: "refunds_and_pages", sqlite: include_str!("../migrations/0002_refunds_and_pages.sql"), postgres: "" },
    Migration { version: 3, name: "wechat_pay", sqlite: include_str!("../migrations/0003_wechat_pay.sql"), postgres: "" },
];

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the sandbox's database failed")]
    Database(#[from] DatabaseError),
    /// The state lies in a SQLite file of its own, and another database was given.
    #[error("the sandbox keeps its state in a SQLite file")]
    NoFile,
    /// A row holds what this program never writes.
    #[error("the sandbox's database holds an unreadable {0}")]
    Unreadable(&'static str),
    /// Something cannot be written as text.
    #[error("a value cannot be written")]
    Unwritable(#[from] serde_json::Error),
}

const ACCOUNT: &str = "alipay.account";
const APP_ID: &str = "alipay.app_id";
const SELLER_ID: &str = "alipay.seller_id";
const APP_PRIVATE_KEY: &str = "alipay.app_private_key";
const PLATFORM_PRIVATE_KEY: &str = "alipay.platform_private_key";
const WECHAT_ACCOUNT: &str = "wechat.account";
const CLOCK_OFFSET_MS: &str = "clock.offset_ms";

/// The state.
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Brings the tables up to date.
    pub(crate) async fn open(database: Database) -> Result<Self, StoreError> {
        if database.backend() != Backend::Sqlite {
            return Err(StoreError::NoFile);
        }
        database.migrate(MIGRATIONS).await?;
        Ok(Self { database })
    }

    /// Closes the file, whole.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// The merchant account, if it was made.
    pub(crate) async fn account(&self) -> Result<Option<AccountTexts>, StoreError> {
        if let Some(text) = self.setting(ACCOUNT).await? {
            return serde_json::from_str(&text).map(Some).map_err(|_| StoreError::Unreadable("account"));
        }
        // Before keys could change, they were kept one by one.
        let (Some(app_id), Some(seller_id), Some(app_private_key), Some(platform_private_key)) = (
            self.setting(APP_ID).await?,
            self.setting(SELLER_ID).await?,
            self.setting(APP_PRIVATE_KEY).await?,
            self.setting(PLATFORM_PRIVATE_KEY).await?,
        ) else {
            return Ok(None);
        };
        Ok(Some(AccountTexts::of(app_id, seller_id, app_private_key, platform_private_key)))
    }

    /// Keeps a new account and answers the one that is kept: of two at once the first stays.
    pub(crate) async fn keep_account(&self, texts: &AccountTexts) -> Result<AccountTexts, StoreError> {
        let sql = "insert into setting (name, value) values ($1, $2) on conflict (name) do nothing";
        self.database.execute(sql, values![ACCOUNT, serde_json::to_string(texts)?]).await?;
        self.account().await?.ok_or(StoreError::Unreadable("account"))
    }

    /// Keeps a changed account.
    pub(crate) async fn replace_account(&self, texts: &AccountTexts) -> Result<(), StoreError> {
        let sql = "insert into setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
        self.database.execute(sql, values![ACCOUNT, serde_json::to_string(texts)?]).await?;
        Ok(())
    }

    /// WeChat Pay's merchant account, if it was made.
    pub(crate) async fn wechat_account(&self) -> Result<Option<wechat::AccountTexts>, StoreError> {
        let text = self.setting(WECHAT_ACCOUNT).await?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Unreadable("account"))).transpose()
    }

    /// Keeps a new account and answers the one that is kept: of two at once the first stays.
    pub(crate) async fn keep_wechat_account(&self, texts: &wechat::AccountTexts) -> Result<wechat::AccountTexts, StoreError> {
        let sql = "insert into setting (name, value) values ($1, $2) on conflict (name) do nothing";
        self.database.execute(sql, values![WECHAT_ACCOUNT, serde_json::to_string(texts)?]).await?;
        self.wechat_account().await?.ok_or(StoreError::Unreadable("account"))
    }

    /// Keeps a changed account.
    pub(crate) async fn replace_wechat_account(&self, texts: &wechat::AccountTexts) -> Result<(), StoreError> {
        let sql = "update setting set value = $2 where name = $1";
        self.database.execute(sql, values![WECHAT_ACCOUNT, serde_json::to_string(texts)?]).await?;
        Ok(())
    }

    /// How far the clock runs ahead of the machine's, in milliseconds.
    pub(crate) async fn clock_offset_ms(&self) -> Result<i64, StoreError> {
        match self.setting(CLOCK_OFFSET_MS).await? {
            None => Ok(0),
            Some(text) => text.parse().map_err(|_| StoreError::Unreadable("clock offset")),
        }
    }

    /// Keeps how far the clock runs ahead.
    pub(crate) async fn keep_clock_offset_ms(&self, offset_ms: i64) -> Result<(), StoreError> {
        let sql = "insert into setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
        self.database.execute(sql, values![CLOCK_OFFSET_MS, offset_ms.to_string()]).await?;
        Ok(())
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "select value from setting where name = $1";
        let row: Option<(String,)> = self.database.fetch_optional(sql, values![name]).await?;
        Ok(row.map(|(value,)| value))
    }

    /// Keeps a new trade. False if its number is known.
    pub(crate) async fn insert_trade(&self, trade: &Trade) -> Result<bool, StoreError> {
        let sql = "insert into trade (wallet, out_trade_no, trade_no, status, revision, amount_minor, paid_amount_minor, subject, body, \
                   passback_params, charset, notify_url, coded_at, code_expires_at, expires_at, life_s, scanned_at, paid_at, closed_at, \
                   product_code, return_url, refunded_minor, refunded_at, wechat) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
                   $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) \
                   on conflict (wallet, out_trade_no) do nothing";
        let values = values![
            trade.wallet.as_str(),
            &trade.out_trade_no,
            trade.trade_no.clone(),
            trade.status.as_str(),
            trade.revision,
            trade.amount.amount_minor(),
            trade.paid_amount.map(domain::Money::amount_minor),
            &trade.subject,
            trade.body.clone(),
            trade.passback_params.clone(),
            &trade.charset,
            trade.notify_url.clone(),
            trade.coded_at,
            trade.code_expires_at,
            trade.expires_at,
            trade.life.num_seconds(),
            trade.scanned_at,
            trade.paid_at,
            trade.closed_at,
            &trade.product_code,
            trade.return_url.clone(),
            trade.refunded.amount_minor(),
            trade.refunded_at,
            wechat_text(trade)?,
        ];
        Ok(self.database.execute(sql, values).await? == 1)
    }

    /// The trade with a merchant's number.
    pub(crate) async fn trade(&self, wallet: Wallet, out_trade_no: &str) -> Result<Option<Trade>, StoreError> {
        let sql = "select * from trade where wallet = $1 and out_trade_no = $2";
        self.one_trade(sql, values![wallet.as_str(), out_trade_no]).await
    }

    /// The trade with a channel's number.
    pub(crate) async fn trade_by_trade_no(&self, wallet: Wallet, trade_no: &str) -> Result<Option<Trade>, StoreError> {
        let sql = "select * from trade where wallet = $1 and trade_no = $2";
        self.one_trade(sql, values![wallet.as_str(), trade_no]).await
    }

    /// WeChat Pay's order with the id that its newest code carries.
    pub(crate) async fn trade_by_prepay_id(&self, prepay_id: &str) -> Result<Option<Trade>, StoreError> {
        let sql = "select * from trade where wallet = 'wechat' and json_extract(wechat, '$.prepay_id') = $1";
        self.one_trade(sql, values![prepay_id]).await
    }

    /// The trade with a merchant's number, whosever it is; of several wallets' the newest.
    pub(crate) async fn trade_of_any_wallet(&self, out_trade_no: &str) -> Result<Option<Trade>, StoreError> {
        let sql = "select * from trade where out_trade_no = $1 order by trade_id desc limit 1";
        self.one_trade(sql, values![out_trade_no]).await
    }

    async fn one_trade(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Trade>, StoreError> {
        let row: Option<TradeRow> = self.database.fetch_optional(sql, values).await?;
        row.map(TradeRow::into_trade).transpose()
    }

    /// Keeps a changed trade. False if others have changed it since it was read.
    pub(crate) async fn replace_trade(&self, trade: &Trade) -> Result<bool, StoreError> {
        let (sql, values) = replacement(trade)?;
        Ok(self.database.execute(sql, values).await? == 1)
    }

    /// Keeps a changed trade with a notification of it, both or neither. False if others have changed the trade.
    pub(crate) async fn replace_trade_and_notify(&self, trade: &Trade, notification: &NewNotification) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let (sql, values) = replacement(trade)?;
        if transaction.execute(sql, values).await? != 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        insert_notification(&mut transaction, trade, notification).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Keeps a notification that changes nothing of its trade.
    pub(crate) async fn insert_notification(&self, trade: &Trade, notification: &NewNotification) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        insert_notification(&mut transaction, trade, notification).await?;
        Ok(transaction.commit().await?)
    }

    /// The notifications that will be sent, the next one first, at most `limit`.
    pub(crate) async fn pending(&self, limit: u32) -> Result<Vec<Pending>, StoreError> {
        let sql = "select notification_id, next_due_at from notification where next_due_at is not null order by next_due_at limit cast($1 as bigint)";
        let rows: Vec<(i64, Time)> = self.database.fetch_all(sql, values![limit]).await?;
        Ok(rows.into_iter().map(|(notification_id, Time(next_due_at))| Pending { notification_id, next_due_at }).collect())
    }

    /// A notification that will be sent; none if it will not be any more.
    pub(crate) async fn due(&self, notification_id: i64) -> Result<Option<Due>, StoreError> {
        let sql = "select n.protocol, n.genuine, n.probe, n.url, n.content_type, n.body, n.copies, n.attempts, n.attempts_allowed, n.first_due_at \
                   from notification n where n.notification_id = $1 and n.next_due_at is not null";
        let row: Option<DueRow> = self.database.fetch_optional(sql, values![notification_id]).await?;
        row.map(DueRow::into_due).transpose()
    }

    /// Keeps what became of a delivery.
    pub(crate) async fn record_attempt(&self, notification_id: i64, attempted: &Attempted) -> Result<(), StoreError> {
        let sql = "update notification set status = $2, attempts = $3, next_due_at = $4, last_outcome = $5 where notification_id = $1";
        let values = values![notification_id, attempted.status.as_str(), attempted.attempts, attempted.next_due_at, &attempted.outcome];
        self.database.execute(sql, values).await?;
        Ok(())
    }

    /// The notifications of a trade, the oldest first.
    pub(crate) async fn deliveries(&self, trade: &Trade) -> Result<Vec<Delivery>, StoreError> {
        let sql = "select n.notify_id, n.protocol, n.genuine, n.status, n.attempts, n.next_due_at, n.last_outcome, n.body from notification n \
                   join trade t on t.trade_id = n.trade_id where t.wallet = $1 and t.out_trade_no = $2 order by n.notification_id";
        let rows: Vec<DeliveryRow> = self.database.fetch_all(sql, values![trade.wallet.as_str(), &trade.out_trade_no]).await?;
        rows.into_iter().map(DeliveryRow::into_delivery).collect()
    }

    /// Adds a fault for the next `count` calls.
    pub(crate) async fn add_fault(&self, wallet: Option<Wallet>, operation: Operation, fault: Fault, count: u32) -> Result<(), StoreError> {
        let sql = "insert into fault (wallet, operation, fault, remaining) values ($1, $2, $3, $4)";
        let values = values![wallet.map(Wallet::as_str), operation.as_str(), fault.as_str(), count];
        self.database.execute(sql, values).await?;
        Ok(())
    }

    /// Uses up one call of the oldest fault that hits this one.
    pub(crate) async fn take_fault(&self, wallet: Wallet, operation: Operation) -> Result<Option<Fault>, StoreError> {
        // Most calls meet no fault, and reading that does not wait for the writer.
        let any = "select fault_id from fault where operation = $2 and remaining > 0 and (wallet is null or wallet = $1) limit 1";
        let found: Option<(i64,)> = self.database.fetch_optional(any, values![wallet.as_str(), operation.as_str()]).await?;
        if found.is_none() {
            return Ok(None);
        }
        let sql = "update fault set remaining = remaining - 1 where remaining > 0 and fault_id = (select min(fault_id) from fault \
                   where operation = $2 and remaining > 0 and (wallet is null or wallet = $1)) returning fault";
        let row: Option<(String,)> = self.database.fetch_optional(sql, values![wallet.as_str(), operation.as_str()]).await?;
        row.map(|(word,)| Fault::parse(&word).ok_or(StoreError::Unreadable("fault"))).transpose()
    }
}

/// The change of a trade that is still at the revision that `trade` was made from.
fn replacement(trade: &Trade) -> Result<(&'static str, Vec<Value>), StoreError> {
    let sql = "update trade set trade_no = $4, status = $5, paid_amount_minor = $6, expires_at = $7, scanned_at = $8, paid_at = $9, \
               closed_at = $10, refunded_minor = $11, refunded_at = $12, code_expires_at = $13, return_url = $14, wechat = $15, revision = revision + 1 where wallet = $1 and out_trade_no = $2 and revision = $3";
    let values = values![
        trade.wallet.as_str(),
        &trade.out_trade_no,
        trade.revision,
        trade.trade_no.clone(),
        trade.status.as_str(),
        trade.paid_amount.map(domain::Money::amount_minor),
        trade.expires_at,
        trade.scanned_at,
        trade.paid_at,
        trade.closed_at,
        trade.refunded.amount_minor(),
        trade.refunded_at,
        trade.code_expires_at,
        trade.return_url.clone(),
        wechat_text(trade)?,
    ];
    Ok((sql, values))
}

fn wechat_text(trade: &Trade) -> Result<Option<String>, StoreError> {
    Ok(trade.wechat.as_ref().map(serde_json::to_string).transpose()?)
}

async fn insert_notification(transaction: &mut Transaction, trade: &Trade, notification: &NewNotification) -> Result<(), StoreError> {
    let sql = "insert into notification (trade_id, notify_id, genuine, url, content_type, body, status, copies, attempts_allowed, \
               first_due_at, next_due_at, protocol, probe) values ((select trade_id from trade where wallet = $1 and out_trade_no = $2), \
               $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)";
    let first_due_at: Option<DateTime<Utc>> = notification.first_due_at;
    let status = if first_due_at.is_some() { DeliveryStatus::Pending } else { DeliveryStatus::Withheld };
    let values = values![
        trade.wallet.as_str(),
        &trade.out_trade_no,
        &notification.message.notify_id,
        notification.is_genuine,
        notification.url.clone(),
        &notification.message.content_type,
        &notification.message.body,
        status.as_str(),
        notification.copies,
        notification.attempts_allowed,
        first_due_at,
        notification.protocol.as_str(),
        notification.is_probe,
    ];
    transaction.execute(sql, values).await?;
    Ok(())
}
