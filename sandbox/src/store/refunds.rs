//! Refunds as they are kept.

use database::{Time, values};
use domain::{Currency, Money};

use super::{Store, StoreError, insert_notification, replacement};
use crate::notification::NewNotification;
use crate::refund::Refund;
use crate::trade::Trade;

type RefundRow = (String, i64, Time);

impl Store {
    /// Keeps a refund with the trade that it was made from and a notification of it, all or nothing. False if others have
    /// changed the trade since it was read.
    pub(crate) async fn keep_refund(&self, trade: &Trade, refund: &Refund, notification: &NewNotification) -> Result<bool, StoreError> {
        let mut transaction = self.database.begin().await?;
        let (sql, values) = replacement(trade);
        if transaction.execute(sql, values).await? != 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        let sql = "insert into refund (trade_id, request_no, amount_minor, refunded_at) \
                   values ((select trade_id from trade where wallet = $1 and out_trade_no = $2), $3, $4, $5)";
        let amount_minor = refund.amount.amount_minor();
        let values = values![trade.wallet.as_str(), &trade.out_trade_no, &refund.request_no, amount_minor, refund.refunded_at];
        transaction.execute(sql, values).await?;
        insert_notification(&mut transaction, trade, notification).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The refunds of a trade, the oldest first.
    pub(crate) async fn refunds(&self, trade: &Trade) -> Result<Vec<Refund>, StoreError> {
        let sql = "select r.request_no, r.amount_minor, r.refunded_at from refund r join trade t on t.trade_id = r.trade_id \
                   where t.wallet = $1 and t.out_trade_no = $2 order by r.refund_id";
        let rows: Vec<RefundRow> = self.database.fetch_all(sql, values![trade.wallet.as_str(), &trade.out_trade_no]).await?;
        rows.into_iter().map(into_refund).collect()
    }

    /// The refund of a trade with this number.
    pub(crate) async fn refund(&self, trade: &Trade, request_no: &str) -> Result<Option<Refund>, StoreError> {
        let sql = "select r.request_no, r.amount_minor, r.refunded_at from refund r join trade t on t.trade_id = r.trade_id \
                   where t.wallet = $1 and t.out_trade_no = $2 and r.request_no = $3";
        let values = values![trade.wallet.as_str(), &trade.out_trade_no, request_no];
        let row: Option<RefundRow> = self.database.fetch_optional(sql, values).await?;
        row.map(into_refund).transpose()
    }
}

fn into_refund((request_no, amount_minor, Time(refunded_at)): RefundRow) -> Result<Refund, StoreError> {
    let amount = Money::new(amount_minor, Currency::Cny).map_err(|_| StoreError::Unreadable("amount"))?;
    Ok(Refund { request_no, amount, refunded_at })
}
