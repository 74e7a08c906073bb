//! Refunds: how often, how soon and how late money may go back, and what becomes of it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Money;

use super::numbers;
use crate::fault::Fault;
use crate::payment::Notify;
use crate::refund::{AskedRefund, Refund, RefundError, RefundOutcome, Refunded, Unrefundable};
use crate::store::StoreError;
use crate::trade::{Trade, Wallet};
use crate::{CHANGE_TRIES, Sandbox, SandboxError};

/// How long after the payment money may go back.
const PERIOD: TimeDelta = TimeDelta::days(365);
/// How long two refunds of one order must be apart.
const LEAST_WAIT: TimeDelta = TimeDelta::minutes(1);
/// How many refunds an order may have.
const MOST_REFUNDS: usize = 50;
/// How long a refund with the fault `slow` is under way.
const SLOW: TimeDelta = TimeDelta::hours(1);
/// How long a notification with the fault `notice_late` waits: long enough for another refund to overtake it.
const LATE_NOTICE: TimeDelta = TimeDelta::minutes(5);

/// What a merchant asks for.
pub(super) struct Wanted {
    pub(super) request_no: String,
    pub(super) amount: Money,
    /// What the merchant believes was paid.
    pub(super) total: Money,
    pub(super) reason: Option<String>,
    pub(super) notify_url: Option<String>,
    /// How it is to go wrong.
    pub(super) fault: Option<Fault>,
}

/// A rule about refunds that holds for the order as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// The payment is too long ago.
    Period,
    /// There are too many refunds.
    Count,
    /// The last one was just now.
    Interval,
}

/// Why nothing goes back.
#[derive(Debug)]
pub(super) enum NotRefunded {
    Unrefundable(Unrefundable),
    Limited(Limit),
    /// The number is that of another order's refund, or the sum that the merchant believes was paid was not.
    Inconsistent,
    Failed(SandboxError),
}

impl From<StoreError> for NotRefunded {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RefundError> for NotRefunded {
    fn from(error: RefundError) -> Self {
        match error {
            RefundError::Unrefundable(why) => Self::Unrefundable(why),
            RefundError::Failed(error) => Self::Failed(error),
        }
    }
}

/// Takes a refund in. A repeat answers what the first came to.
pub(super) async fn take(sandbox: &Sandbox, mut trade: Trade, wanted: Wanted) -> Result<Refunded, NotRefunded> {
    if let Some((other, _)) = sandbox.store().refund_of_wallet(Wallet::Wechat, &wanted.request_no).await?
        && other.out_trade_no != trade.out_trade_no
    {
        return Err(NotRefunded::Inconsistent);
    }
    let asked = asked(sandbox.now(), &wanted);
    for _ in 0..CHANGE_TRIES {
        if trade.paid_amount.is_some_and(|paid| paid != wanted.total) {
            return Err(NotRefunded::Inconsistent);
        }
        let known = sandbox.store().refunds(&trade).await?;
        if !known.iter().any(|refund| refund.request_no == wanted.request_no) {
            within_limits(&trade, &known, sandbox.now()).map_err(NotRefunded::Limited)?;
        }
        if let Some(refunded) = sandbox.try_refund(&trade, &asked).await? {
            return Ok(refunded);
        }
        let again = super::order::by_number(sandbox, &trade.out_trade_no).await?;
        trade = again.ok_or(NotRefunded::Unrefundable(Unrefundable::NoTrade))?;
    }
    Err(NotRefunded::Failed(SandboxError::Contended))
}

fn asked(now: DateTime<Utc>, wanted: &Wanted) -> AskedRefund {
    AskedRefund {
        request_no: wanted.request_no.clone(),
        amount: wanted.amount,
        channel_no: Some(numbers::refund_id(now)),
        outcome: match wanted.fault {
            Some(Fault::RefundClosed) => RefundOutcome::Closed,
            Some(Fault::RefundAbnormal) => RefundOutcome::Abnormal,
            _ => RefundOutcome::Succeeded,
        },
        lasts: if wanted.fault == Some(Fault::RefundSlow) { SLOW } else { TimeDelta::zero() },
        reason: wanted.reason.clone(),
        is_by_staff: false,
        notify: if wanted.fault == Some(Fault::NoticeLate) { Notify::Late(LATE_NOTICE) } else { Notify::Once },
        notify_url: wanted.notify_url.clone(),
    }
}

/// Whether one more refund may be asked for now.
fn within_limits(trade: &Trade, known: &[Refund], now: DateTime<Utc>) -> Result<(), Limit> {
    if trade.paid_at.is_some_and(|paid_at| now >= paid_at + PERIOD) {
        return Err(Limit::Period);
    }
    if known.len() >= MOST_REFUNDS {
        return Err(Limit::Count);
    }
    if known.last().is_some_and(|last| now < last.refunded_at + LEAST_WAIT) {
        return Err(Limit::Interval);
    }
    Ok(())
}

/// What the merchant's staff give back on WeChat Pay's website, under a number of the channel's own. The notification goes
/// where the merchant has set on that website, if anywhere.
pub(crate) async fn by_staff(sandbox: &Sandbox, mut trade: Trade, amount: Money, notify: Notify) -> Result<Refunded, RefundError> {
    let number = numbers::refund_id(sandbox.now());
    let asked = AskedRefund {
        request_no: number.clone(),
        amount,
        channel_no: Some(number),
        outcome: RefundOutcome::Succeeded,
        lasts: TimeDelta::zero(),
        reason: None,
        is_by_staff: true,
        notify,
        notify_url: sandbox.wechat().refund_notify_url().map(str::to_owned),
    };
    for _ in 0..CHANGE_TRIES {
        if let Some(refunded) = sandbox.try_refund(&trade, &asked).await? {
            return Ok(refunded);
        }
        let again = super::order::by_number(sandbox, &trade.out_trade_no).await?;
        trade = again.ok_or(RefundError::Unrefundable(Unrefundable::NoTrade))?;
    }
    Err(RefundError::Failed(SandboxError::Contended))
}

/// WeChat Pay's word for where a refund stands.
pub(super) fn status(refund: &Refund, now: DateTime<Utc>) -> &'static str {
    match refund.ended(now) {
        None => "PROCESSING",
        Some(RefundOutcome::Succeeded) => "SUCCESS",
        Some(RefundOutcome::Closed) => "CLOSED",
        Some(RefundOutcome::Abnormal) => "ABNORMAL",
    }
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::super::order::tests::ordered;
    use super::*;
    use crate::trade::tests::{at, number};

    fn refund(seconds: i64) -> Refund {
        Refund {
            request_no: "R1".to_owned(),
            amount: Money::new(1, Currency::Cny).unwrap(),
            refunded_at: at(seconds),
            channel_no: None,
            outcome: RefundOutcome::Abnormal,
            settles_at: at(seconds + 10),
            reason: None,
            is_by_staff: false,
        }
    }

    #[test]
    fn refunds_of_an_order_are_a_minute_apart_at_most_fifty_and_within_a_year() {
        let trade = ordered().paid(at(5), number, ordered().amount).unwrap();
        assert_eq!(within_limits(&trade, &[], at(6)), Ok(()));
        assert_eq!(within_limits(&trade, &[refund(10)], at(69)), Err(Limit::Interval));
        assert_eq!(within_limits(&trade, &[refund(10)], at(70)), Ok(()));
        assert_eq!(within_limits(&trade, &vec![refund(10); 50], at(1_000)), Err(Limit::Count));
        assert_eq!(within_limits(&trade, &[], at(365 * 86_400 + 4)), Ok(()));
        assert_eq!(within_limits(&trade, &[], at(365 * 86_400 + 5)), Err(Limit::Period));
    }

    #[test]
    fn a_refund_is_under_way_until_it_settles() {
        assert_eq!((status(&refund(0), at(9)), status(&refund(0), at(10))), ("PROCESSING", "ABNORMAL"));
    }
}
