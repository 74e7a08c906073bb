//! Payments and refunds of a span of time.

use chrono::{DateTime, Utc};
use database::{Time, values};
use domain::{Currency, Money};

use super::{Store, StoreError};
use crate::movement::{Movement, MovementKind, fee_minor};
use crate::trade::Wallet;

type MovementRow = (String, String, String, i64, Option<String>, Time, Time);

impl Store {
    /// What moved through a wallet from one moment until before another, in the order of time.
    pub(crate) async fn movements(&self, wallet: Wallet, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Movement>, StoreError> {
        let sql = "select trade_no, out_trade_no, subject, amount_minor, request_no, created_at, at from ( \
                   select t.trade_no, t.out_trade_no, t.subject, t.paid_amount_minor as amount_minor, null as request_no, \
                   coalesce(t.scanned_at, t.coded_at) as created_at, t.paid_at as at, t.trade_id as first, 0 as second from trade t \
                   where t.wallet = $1 and t.status = 'paid' and t.paid_at >= $2 and t.paid_at < $3 \
                   union all \
                   select t.trade_no, t.out_trade_no, t.subject, r.amount_minor, r.request_no, coalesce(t.scanned_at, t.coded_at), \
                   r.refunded_at, t.trade_id, r.refund_id from refund r join trade t on t.trade_id = r.trade_id \
                   where t.wallet = $1 and r.outcome <> 'closed' and r.refunded_at >= $2 and r.refunded_at < $3) order by at, first, second";
        let rows: Vec<MovementRow> = self.database.fetch_all(sql, values![wallet.as_str(), from, until]).await?;
        rows.into_iter().map(|row| movement(wallet, row)).collect()
    }
}

fn movement(wallet: Wallet, row: MovementRow) -> Result<Movement, StoreError> {
    let (trade_no, out_trade_no, subject, amount_minor, request_no, Time(created_at), Time(at)) = row;
    let amount = Money::new(amount_minor, Currency::Cny).map_err(|_| StoreError::Unreadable("amount"))?;
    let kind = request_no.map_or(MovementKind::Payment, |request_no| MovementKind::Refund { request_no });
    let fee_minor = fee_minor(&kind, amount);
    Ok(Movement { wallet, kind, trade_no, out_trade_no, subject, amount, fee_minor, created_at, at })
}
