//! What buyers and testers do to a trade: scan it, pay it, and choose what becomes of its notification.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Money;

use crate::notification::{Message, NewNotification, Protocol, Signer};
use crate::refund::Refund;
use crate::store::StoreError;
use crate::trade::{Trade, TradeStatus, Unpayable, Wallet};
use crate::{CHANGE_TRIES, Sandbox, SandboxError, alipay, wechat};

/// What becomes of the notification of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Notify {
    /// Sent at once, and repeated until it is acknowledged.
    #[default]
    Once,
    /// Signed and lost.
    Never,
    /// Like `Once`, but the first delivery comes as two at the same moment.
    Twice,
    /// Like `Once`, but the first delivery waits so long by the sandbox's clock.
    Late(TimeDelta),
    /// Nothing is paid; a notice that says so comes once, signed with another key than the channel's.
    Forged,
    /// Another amount is paid than was asked for, and signed.
    WrongAmount,
    /// Like `Once`, but the first delivery's signature is wrong on purpose, as WeChat Pay tests its merchants.
    SignTest,
}

/// The longest that a notification can be told to wait.
const LONGEST_LATE_MS: i64 = 30 * 24 * 3600 * 1000;

/// The word is none of those that say what becomes of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownNotify;

impl FromStr for Notify {
    type Err = UnknownNotify;

    fn from_str(word: &str) -> Result<Self, UnknownNotify> {
        match word {
            "once" => Ok(Self::Once),
            "never" => Ok(Self::Never),
            "twice" => Ok(Self::Twice),
            "forged" => Ok(Self::Forged),
            "wrong_amount" => Ok(Self::WrongAmount),
            "sign_test" => Ok(Self::SignTest),
            _ => word.strip_prefix("late:").and_then(late).map(Self::Late).ok_or(UnknownNotify),
        }
    }
}

fn late(digits: &str) -> Option<TimeDelta> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let milliseconds: i64 = digits.parse().ok().filter(|_| is_plain)?;
    (milliseconds <= LONGEST_LATE_MS).then(|| TimeDelta::milliseconds(milliseconds))
}

/// Why nothing was paid.
#[derive(Debug)]
pub(crate) enum PayError {
    UnknownTrade,
    Unpayable(Unpayable),
    Failed(SandboxError),
}

impl From<SandboxError> for PayError {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for PayError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Sandbox {
    /// A buyer scans the code: the trade exists from here on. Answers the trade as it stands, also where it cannot be paid.
    /// `return_url` is where the buyer's browser wants to go afterwards, where the page's address says so.
    pub(crate) async fn scan(&self, out_trade_no: &str, return_url: Option<&str>) -> Result<Option<Trade>, SandboxError> {
        for _ in 0..CHANGE_TRIES {
            let Some(trade) = self.store().trade_of_any_wallet(out_trade_no).await? else { return Ok(None) };
            let now = self.now();
            let return_url = return_url.filter(|url| trade.wallet == Wallet::Wechat && self.config().may_notify(url));
            let scanned = trade.scanned(now, || trade_no(trade.wallet, now));
            let scanned = scanned.map(|scanned| Trade { return_url: return_url.map(str::to_owned).or(scanned.return_url), ..scanned });
            match scanned {
                Ok(scanned) if scanned == trade => return Ok(Some(trade)),
                Ok(scanned) if self.store().replace_trade(&scanned).await? => return Ok(Some(scanned)),
                Ok(_) => {}
                Err(_) => return Ok(Some(trade)),
            }
        }
        Err(SandboxError::Contended)
    }

    /// A buyer pays, or a forger says so. Answers the trade after it.
    pub(crate) async fn pay(&self, out_trade_no: &str, notify: Notify) -> Result<Trade, PayError> {
        for _ in 0..CHANGE_TRIES {
            let trade = self.store().trade_of_any_wallet(out_trade_no).await?.ok_or(PayError::UnknownTrade)?;
            let now = self.now();
            if notify == Notify::Forged {
                self.forge(&trade, now).await?;
                return Ok(trade);
            }
            let amount = if notify == Notify::WrongAmount { wrong(trade.amount) } else { trade.amount };
            let paid = trade.paid(now, || trade_no(trade.wallet, now), amount).map_err(PayError::Unpayable)?;
            let message = self.compose(&paid, None, now, Signer::Channel).await?;
            let notification = notification(message, paid.notify_url.clone(), notify, now);
            if self.store().replace_trade_and_notify(&paid, &notification).await? {
                tracing::info!(sandbox.out_trade_no = paid.out_trade_no, "a trade was paid in the sandbox");
                self.wake();
                return Ok(paid);
            }
        }
        Err(PayError::Failed(SandboxError::Contended))
    }

    /// Sends a notice that looks as if the trade were paid, whatever it is, and changes nothing else.
    async fn forge(&self, trade: &Trade, now: DateTime<Utc>) -> Result<(), SandboxError> {
        let pretended = Trade {
            trade_no: trade.trade_no.clone().or_else(|| Some(trade_no(trade.wallet, now))),
            status: TradeStatus::Paid,
            paid_amount: Some(trade.amount),
            scanned_at: trade.scanned_at.or(Some(now)),
            paid_at: Some(now),
            closed_at: None,
            refunded: Money::zero(trade.amount.currency()),
            refunded_at: None,
            ..trade.clone()
        };
        let message = self.compose(&pretended, None, now, Signer::Forger).await?;
        let notification = notification(message, trade.notify_url.clone(), Notify::Forged, now);
        self.store().insert_notification(trade, &notification).await?;
        tracing::info!(sandbox.out_trade_no = trade.out_trade_no, "a forged notice was made in the sandbox");
        self.wake();
        Ok(())
    }

    /// Writes and signs the notification of a trade as it stands at `now`; with `refund`, of that refund.
    pub(crate) async fn compose(
        &self,
        trade: &Trade,
        refund: Option<&Refund>,
        now: DateTime<Utc>,
        signer: Signer,
    ) -> Result<(Message, Protocol), SandboxError> {
        let (alipay, wechat, trade, refund) = (self.alipay(), self.wechat(), trade.clone(), refund.cloned());
        tokio::task::spawn_blocking(move || match trade.wallet {
            Wallet::Alipay => {
                let signer = match signer {
                    Signer::Channel => alipay::Signer::Alipay,
                    Signer::Forger => alipay::Signer::Forger,
                };
                Ok((alipay::compose(&alipay, &trade, refund.as_ref(), now, signer)?, Protocol::Alipay))
            }
            Wallet::Wechat => wechat::compose(&wechat, &trade, refund.as_ref(), now, signer),
        })
        .await?
    }
}

fn trade_no(wallet: Wallet, now: DateTime<Utc>) -> String {
    match wallet {
        Wallet::Alipay => alipay::trade_no(now),
        Wallet::Wechat => wechat::transaction_id(now),
    }
}

/// A fen more than was asked for, or a fen less at the very top.
fn wrong(amount: Money) -> Money {
    let off_by = |fen| Money::new(amount.amount_minor() + fen, amount.currency());
    off_by(1).or_else(|_| off_by(-1)).unwrap_or(amount)
}

/// The notification of what became of a trade, and what becomes of it.
pub(crate) fn notification(
    (message, protocol): (Message, Protocol),
    url: Option<String>,
    notify: Notify,
    now: DateTime<Utc>,
) -> NewNotification {
    let is_sent = notify != Notify::Never && url.is_some();
    let first_due_at = match notify {
        Notify::Late(by) => now + by,
        _ => now,
    };
    NewNotification {
        message,
        protocol,
        is_genuine: notify != Notify::Forged,
        is_probe: notify == Notify::SignTest,
        url,
        copies: if notify == Notify::Twice { 2 } else { 1 },
        // A forger does not know of ladders.
        attempts_allowed: if notify == Notify::Forged { 1 } else { protocol.attempts() },
        first_due_at: is_sent.then_some(first_due_at),
    }
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::*;

    #[test]
    fn every_word_of_the_contract_is_known() {
        let words = [
            ("once", Notify::Once),
            ("never", Notify::Never),
            ("twice", Notify::Twice),
            ("forged", Notify::Forged),
            ("wrong_amount", Notify::WrongAmount),
            ("sign_test", Notify::SignTest),
            ("late:0", Notify::Late(TimeDelta::zero())),
            ("late:1500", Notify::Late(TimeDelta::milliseconds(1500))),
        ];
        for (word, expected) in words {
            assert_eq!(word.parse(), Ok(expected), "{word}");
        }
        for word in ["", "ONCE", "late", "late:", "late:-1", "late:+1", "late:1s", "late:99999999999999999999", "late:2592000001"] {
            assert_eq!(word.parse::<Notify>(), Err(UnknownNotify), "{word}");
        }
    }

    #[test]
    fn a_wrong_amount_is_always_another_amount() {
        for minor in [1, 19_900, Money::MAX_MINOR] {
            let amount = Money::new(minor, Currency::Cny).unwrap();
            assert_ne!(wrong(amount), amount);
        }
    }
}
