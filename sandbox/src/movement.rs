//! What moved in one day, as the channels' bills and statements tell it.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, Utc};
use domain::Money;

use crate::trade::Wallet;
use crate::{Sandbox, SandboxError};

/// What the channels keep of a payment, in parts of a thousand; of a refund they give as much back.
const FEE_PER_MILLE: i64 = 6;

/// Both wallets count days in Beijing.
const BEIJING_S: i32 = 8 * 3600;

/// Money that came or went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) wallet: Wallet,
    pub(crate) kind: MovementKind,
    pub(crate) trade_no: String,
    pub(crate) out_trade_no: String,
    pub(crate) subject: String,
    pub(crate) amount: Money,
    /// What the channel kept, in fen; negative for what it gave back.
    pub(crate) fee_minor: i64,
    /// When the buyer came.
    pub(crate) created_at: DateTime<Utc>,
    /// When the money moved.
    pub(crate) at: DateTime<Utc>,
}

/// Which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MovementKind {
    Payment,
    Refund { request_no: String },
}

impl Movement {
    /// What it adds to the merchant's money, fees aside, in fen.
    pub(crate) fn signed_minor(&self) -> i64 {
        match self.kind {
            MovementKind::Payment => self.amount.amount_minor(),
            MovementKind::Refund { .. } => -self.amount.amount_minor(),
        }
    }
}

/// What the channel keeps of a payment; negative for what it gives back of a refund. Rounded to the nearest fen.
pub(crate) fn fee_minor(kind: &MovementKind, amount: Money) -> i64 {
    let fee = (amount.amount_minor() * FEE_PER_MILLE + 500) / 1_000;
    match kind {
        MovementKind::Payment => fee,
        MovementKind::Refund { .. } => -fee,
    }
}

/// The first moment of a day in Beijing, and that of the next one; none where the calendar ends.
pub(crate) fn day(date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let beijing = FixedOffset::east_opt(BEIJING_S)?;
    let midnight = |date: NaiveDate| Some(date.and_time(NaiveTime::MIN).and_local_timezone(beijing).single()?.to_utc());
    Some((midnight(date)?, midnight(date.succ_opt()?)?))
}

impl Sandbox {
    /// What moved through a wallet on a day in Beijing, in the order of time.
    pub(crate) async fn movements(&self, wallet: Wallet, date: NaiveDate) -> Result<Vec<Movement>, SandboxError> {
        let Some((from, until)) = day(date) else { return Ok(Vec::new()) };
        Ok(self.store().movements(wallet, from, until).await?)
    }
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_beijing() {
        let (from, until) = day("2026-03-05".parse().unwrap()).unwrap();
        assert_eq!((from.to_rfc3339(), until.to_rfc3339()), ("2026-03-04T16:00:00+00:00".into(), "2026-03-05T16:00:00+00:00".into()));
        assert_eq!(day(NaiveDate::MAX), None);
    }

    #[test]
    fn fees_are_rounded_and_given_back() {
        let fee = |kind: &MovementKind, fen| fee_minor(kind, Money::new(fen, Currency::Cny).unwrap());
        assert_eq!((fee(&MovementKind::Payment, 19_900), fee(&MovementKind::Payment, 1)), (119, 0));
        assert_eq!(fee(&MovementKind::Refund { request_no: String::new() }, 3_000), -18);
    }
}
