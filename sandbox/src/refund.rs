//! Refunds: money that goes back from a paid trade, once for each number.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Money;

use crate::notification::Signer;
use crate::payment::{Notify, notification};
use crate::store::StoreError;
use crate::trade::{Standing, Trade};
use crate::{CHANGE_TRIES, Sandbox, SandboxError};

/// How a refund ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundOutcome {
    Succeeded,
    /// No money went.
    Closed,
    /// The money left the merchant and did not reach the buyer's card.
    Abnormal,
}

impl RefundOutcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Closed => "closed",
            Self::Abnormal => "abnormal",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Succeeded, Self::Closed, Self::Abnormal].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// Money that went back, or is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    /// The merchant's number of it, or the channel's own for one made on the channel's website.
    pub(crate) request_no: String,
    pub(crate) amount: Money,
    pub(crate) refunded_at: DateTime<Utc>,
    /// The channel's own number, where the wallet gives one.
    pub(crate) channel_no: Option<String>,
    pub(crate) outcome: RefundOutcome,
    /// Until then it is under way.
    pub(crate) settles_at: DateTime<Utc>,
    pub(crate) reason: Option<String>,
    /// Whether staff made it on the channel's website.
    pub(crate) is_by_staff: bool,
}

impl Refund {
    /// How it ended; none while it is under way.
    pub(crate) fn ended(&self, now: DateTime<Utc>) -> Option<RefundOutcome> {
        (now >= self.settles_at).then_some(self.outcome)
    }
}

/// A refund that somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct AskedRefund {
    pub(crate) request_no: String,
    pub(crate) amount: Money,
    pub(crate) channel_no: Option<String>,
    pub(crate) outcome: RefundOutcome,
    /// How long it is under way.
    pub(crate) lasts: TimeDelta,
    pub(crate) reason: Option<String>,
    pub(crate) is_by_staff: bool,
    pub(crate) notify: Notify,
    pub(crate) notify_url: Option<String>,
}

/// What a refund that was asked for comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refunded {
    /// The trade after it.
    pub(crate) trade: Trade,
    pub(crate) refund: Refund,
    /// Whether money moved now; false for the repeat of a refund that was made.
    pub(crate) is_new: bool,
}

/// Why nothing goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrefundable {
    /// No buyer has come, so the channel has no trade of that number.
    NoTrade,
    /// Nothing was paid.
    NotPaid,
    /// More than is left of the payment.
    TooMuch,
    /// The number was used for another amount.
    OtherAmount,
}

/// Why nothing went back.
#[derive(Debug)]
pub(crate) enum RefundError {
    Unrefundable(Unrefundable),
    Failed(SandboxError),
}

impl From<SandboxError> for RefundError {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for RefundError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Trade {
    /// The trade once `amount` more of it has gone back; wholly refunded, it is closed.
    pub(crate) fn refunded(&self, now: DateTime<Utc>, amount: Money) -> Result<Self, Unrefundable> {
        match (self.standing(now), self.paid_amount) {
            (Standing::Paid | Standing::Refunded, Some(paid)) => {
                let sum = self.refunded.checked_add(amount).ok();
                let sum = sum.filter(|sum| sum.amount_minor() <= paid.amount_minor()).ok_or(Unrefundable::TooMuch)?;
                Ok(Self { refunded: sum, refunded_at: Some(now), ..self.clone() })
            }
            (Standing::Coded | Standing::CodeExpired, _) => Err(Unrefundable::NoTrade),
            _ => Err(Unrefundable::NotPaid),
        }
    }
}

impl Sandbox {
    /// Gives `amount` of `trade` back under a number, once.
    pub(crate) async fn refund(&self, mut trade: Trade, request_no: &str, amount: Money, notify: Notify) -> Result<Refunded, RefundError> {
        let asked = AskedRefund {
            request_no: request_no.to_owned(),
            amount,
            channel_no: None,
            outcome: RefundOutcome::Succeeded,
            lasts: TimeDelta::zero(),
            reason: None,
            is_by_staff: false,
            notify,
            notify_url: trade.notify_url.clone(),
        };
        for _ in 0..CHANGE_TRIES {
            if let Some(refunded) = self.try_refund(&trade, &asked).await? {
                return Ok(refunded);
            }
            let again = self.store().trade(trade.wallet, &trade.out_trade_no).await?;
            trade = again.ok_or(RefundError::Unrefundable(Unrefundable::NoTrade))?;
        }
        Err(RefundError::Failed(SandboxError::Contended))
    }

    /// One try of a refund; none if others have changed the trade since it was read.
    pub(crate) async fn try_refund(&self, trade: &Trade, asked: &AskedRefund) -> Result<Option<Refunded>, RefundError> {
        if let Some(refund) = self.store().refund(trade, &asked.request_no).await? {
            let is_same = refund.amount == asked.amount;
            let repeated = Refunded { trade: trade.clone(), refund, is_new: false };
            return if is_same { Ok(Some(repeated)) } else { Err(RefundError::Unrefundable(Unrefundable::OtherAmount)) };
        }
        let now = self.now();
        let refunded = trade.refunded(now, asked.amount).map_err(RefundError::Unrefundable)?;
        let refunded = if asked.outcome == RefundOutcome::Closed { trade.clone() } else { refunded };
        let settles_at = now + asked.lasts;
        let refund = Refund {
            request_no: asked.request_no.clone(),
            amount: asked.amount,
            refunded_at: now,
            channel_no: asked.channel_no.clone(),
            outcome: asked.outcome,
            settles_at,
            reason: asked.reason.clone(),
            is_by_staff: asked.is_by_staff,
        };
        let message = self.compose(&refunded, Some(&refund), settles_at, Signer::Channel).await?;
        let notification = notification(message, asked.notify_url.clone(), asked.notify, settles_at);
        if !self.store().keep_refund(&refunded, &refund, &notification).await? {
            return Ok(None);
        }
        tracing::info!(sandbox.out_trade_no = refunded.out_trade_no, "money went back in the sandbox");
        self.wake();
        Ok(Some(Refunded { trade: refunded, refund, is_new: true }))
    }
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::*;
    use crate::trade::Unpayable;
    use crate::trade::tests::{at, coded, number};

    fn fen(amount_minor: i64) -> Money {
        Money::new(amount_minor, Currency::Cny).unwrap()
    }

    fn paid() -> Trade {
        coded().paid(at(90), number, coded().amount).unwrap()
    }

    #[test]
    fn parts_add_up_and_leave_the_trade_paid() {
        let trade = paid().refunded(at(100), fen(3_000)).unwrap().refunded(at(110), fen(5_000)).unwrap();
        assert_eq!((trade.refunded, trade.refunded_at, trade.standing(at(111))), (fen(8_000), Some(at(110)), Standing::Paid));
        assert_eq!(trade.ended_at(at(111)), None);
    }

    #[test]
    fn the_whole_closes_the_trade_and_keeps_when_it_was_paid() {
        let trade = paid().refunded(at(100), fen(19_900)).unwrap();
        assert_eq!((trade.standing(at(101)), trade.ended_at(at(101))), (Standing::Refunded, Some(at(100))));
        assert_eq!((trade.paid_at, trade.paid_amount), (Some(at(90)), Some(fen(19_900))));
        assert_eq!(trade.paid(at(102), number, fen(19_900)), Err(Unpayable::AlreadyPaid));
    }

    #[test]
    fn no_more_goes_back_than_was_paid() {
        assert_eq!(paid().refunded(at(100), fen(19_901)), Err(Unrefundable::TooMuch));
        let trade = paid().refunded(at(100), fen(19_900)).unwrap();
        assert_eq!(trade.refunded(at(101), fen(1)), Err(Unrefundable::TooMuch));
    }

    #[test]
    fn what_was_not_paid_is_not_given_back() {
        let scanned = coded().scanned(at(60), number).unwrap();
        assert_eq!(scanned.refunded(at(61), fen(1)), Err(Unrefundable::NotPaid));
        assert_eq!(scanned.closed(at(61)).unwrap().refunded(at(62), fen(1)), Err(Unrefundable::NotPaid));
        assert_eq!(coded().refunded(at(1), fen(1)), Err(Unrefundable::NoTrade));
        assert_eq!(coded().refunded(at(8_000), fen(1)), Err(Unrefundable::NoTrade));
    }
}
