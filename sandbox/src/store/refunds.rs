//! Refunds as they are kept.

use chrono::{DateTime, Utc};
use database::{Time, values};
use domain::{Currency, Money};
use sqlx::FromRow;

use super::row::TradeRow;
use super::{Store, StoreError, insert_notification, replacement};
use crate::notification::NewNotification;
use crate::refund::{Refund, RefundOutcome};
use crate::trade::{Trade, Wallet};

#[derive(FromRow)]
struct RefundRow {
    request_no: String,
    refund_amount_minor: i64,
    refund_made_at: Time,
    channel_no: Option<String>,
    outcome: String,
    settles_at: Option<Time>,
    reason: Option<String>,
    by_staff: i64,
}

/// A refund with its trade. Their columns have different names wherever both are read.
#[derive(FromRow)]
struct WholeRow {
    #[sqlx(flatten)]
    trade: TradeRow,
    #[sqlx(flatten)]
    refund: RefundRow,
}

impl Store {
    /// Keeps a refund with the trade that it was made from and a notification of it, all or nothing. False if others have
    /// changed the trade since it was read.
    pub(crate) async fn keep_refund(&self, trade: &Trade, refund: &Refund, notification: &NewNotification) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let (sql, values) = replacement(trade)?;
        if transaction.execute(sql, values).await? != 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        let sql = "insert into refund (trade_id, request_no, amount_minor, refunded_at, channel_no, outcome, settles_at, reason, by_staff) \
                   values ((select trade_id from trade where wallet = $1 and out_trade_no = $2), $3, $4, $5, $6, $7, $8, $9, $10)";
        let values = values![
            trade.wallet.as_str(),
            &trade.out_trade_no,
            &refund.request_no,
            refund.amount.amount_minor(),
            refund.refunded_at,
            refund.channel_no.clone(),
            refund.outcome.as_str(),
            refund.settles_at,
            refund.reason.clone(),
            refund.is_by_staff,
        ];
        transaction.execute(sql, values).await?;
        insert_notification(&mut transaction, trade, notification).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The refunds of a trade, the oldest first.
    pub(crate) async fn refunds(&self, trade: &Trade) -> Result<Vec<Refund>, StoreError> {
        let sql = "select r.request_no, r.amount_minor as refund_amount_minor, r.refunded_at as refund_made_at, r.channel_no, r.outcome, \
                   r.settles_at, r.reason, r.by_staff from refund r join trade t on t.trade_id = r.trade_id \
                   where t.wallet = $1 and t.out_trade_no = $2 order by r.refund_id";
        let rows: Vec<RefundRow> = self.database.fetch_all(sql, values![trade.wallet.as_str(), &trade.out_trade_no]).await?;
        rows.into_iter().map(into_refund).collect()
    }

    /// The refund of a trade with this number.
    pub(crate) async fn refund(&self, trade: &Trade, request_no: &str) -> Result<Option<Refund>, StoreError> {
        let sql = "select r.request_no, r.amount_minor as refund_amount_minor, r.refunded_at as refund_made_at, r.channel_no, r.outcome, \
                   r.settles_at, r.reason, r.by_staff from refund r join trade t on t.trade_id = r.trade_id \
                   where t.wallet = $1 and t.out_trade_no = $2 and r.request_no = $3";
        let values = values![trade.wallet.as_str(), &trade.out_trade_no, request_no];
        let row: Option<RefundRow> = self.database.fetch_optional(sql, values).await?;
        row.map(into_refund).transpose()
    }

    /// The refund with a number of the merchant's or the channel's, whichever trade it is of; with its trade.
    pub(crate) async fn refund_of_wallet(&self, wallet: Wallet, number: &str) -> Result<Option<(Trade, Refund)>, StoreError> {
        let sql = "select t.*, r.request_no, r.amount_minor as refund_amount_minor, r.refunded_at as refund_made_at, r.channel_no, \
                   r.outcome, r.settles_at, r.reason, r.by_staff from refund r join trade t on t.trade_id = r.trade_id \
                   where t.wallet = $1 and (r.request_no = $2 or r.channel_no = $2) order by r.refund_id limit 1";
        let row: Option<WholeRow> = self.database.fetch_optional(sql, values![wallet.as_str(), number]).await?;
        row.map(into_whole).transpose()
    }

    /// What went back between two moments, the later one left out, in order; with the trades.
    pub(crate) async fn refunds_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<(Trade, Refund)>, StoreError> {
        let sql = "select t.*, r.request_no, r.amount_minor as refund_amount_minor, r.refunded_at as refund_made_at, r.channel_no, \
                   r.outcome, r.settles_at, r.reason, r.by_staff from refund r join trade t on t.trade_id = r.trade_id \
                   where r.refunded_at >= $1 and r.refunded_at < $2 order by r.refunded_at, r.refund_id";
        let rows: Vec<WholeRow> = self.database.fetch_all(sql, values![from, until]).await?;
        rows.into_iter().map(into_whole).collect()
    }

    /// The trades of every wallet that were paid between two moments, the later one left out, in order.
    pub(crate) async fn paid_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Trade>, StoreError> {
        let sql = "select * from trade where paid_at >= $1 and paid_at < $2 order by paid_at, trade_id";
        let rows: Vec<TradeRow> = self.database.fetch_all(sql, values![from, until]).await?;
        rows.into_iter().map(TradeRow::into_trade).collect()
    }
}

fn into_whole(row: WholeRow) -> Result<(Trade, Refund), StoreError> {
    Ok((row.trade.into_trade()?, into_refund(row.refund)?))
}

fn into_refund(row: RefundRow) -> Result<Refund, StoreError> {
    let refunded_at = row.refund_made_at.0;
    Ok(Refund {
        request_no: row.request_no,
        amount: Money::new(row.refund_amount_minor, Currency::Cny).map_err(|_| StoreError::Unreadable("amount"))?,
        refunded_at,
        channel_no: row.channel_no,
        outcome: RefundOutcome::parse(&row.outcome).ok_or(StoreError::Unreadable("refund outcome"))?,
        settles_at: row.settles_at.map_or(refunded_at, |time| time.0),
        reason: row.reason,
        is_by_staff: row.by_staff != 0,
    })
}
