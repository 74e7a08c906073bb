//! `/sandbox/trades/{out_trade_no}/refund`: what the merchant's staff give back on the channel's own website.

use std::sync::Arc;

use axum::extract::State;
use chassis::extract::{Json, Path};
use chassis::problem::{Code, Problem, field};
use domain::{Currency, Money};
use serde::Deserialize;

use super::problem;
use super::trades::{Shown, shown};
use crate::payment::Notify;
use crate::refund::{RefundError, Refunded, Unrefundable};
use crate::trade::{Trade, Wallet};
use crate::{Sandbox, alipay, wechat};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// In fen.
    amount: i64,
    /// What becomes of the notification, as with a payment.
    notify: Option<String>,
}

/// Gives money back under a number of the channel's own, and shows the trade.
pub(super) async fn refund(
    State(sandbox): State<Arc<Sandbox>>,
    Path(out_trade_no): Path<String>,
    Json(asked): Json<Asked>,
) -> Result<Json<Shown>, Problem> {
    let amount = Money::new(asked.amount, Currency::Cny).ok().filter(|amount| !amount.is_zero());
    let amount = amount.ok_or_else(|| Problem::invalid("amount", field::OUT_OF_RANGE, "must be at least 1 fen"))?;
    let notify = asked.notify.map_or(Ok(Notify::default()), |word| word.parse());
    // Nothing can be forged or mistaken about money that goes back here.
    let Ok(notify @ (Notify::Once | Notify::Never | Notify::Twice | Notify::Late(_))) = notify else { return Err(unknown_notify()) };
    let trade = sandbox.store().trade_of_any_wallet(&out_trade_no).await.map_err(|error| problem(&error.into()))?;
    let trade = trade.ok_or_else(Problem::not_found)?;
    let refunded = by_staff(&sandbox, trade, amount, notify).await.map_err(|error| match error {
        RefundError::Failed(error) => problem(&error),
        RefundError::Unrefundable(why) => unrefundable(why),
    })?;
    shown(&sandbox, refunded.trade).await.map_err(|error| problem(&error))
}

async fn by_staff(sandbox: &Sandbox, trade: Trade, amount: Money, notify: Notify) -> Result<Refunded, RefundError> {
    match trade.wallet {
        Wallet::Alipay => sandbox.refund(trade, &alipay::refund_no(sandbox.now()), amount, notify).await,
        Wallet::Wechat => wechat::refund_by_staff(sandbox, trade, amount, notify).await,
    }
}

fn unknown_notify() -> Problem {
    Problem::invalid("notify", field::UNKNOWN_VALUE, "must be once, never, twice or late:<milliseconds, at most 30 days>")
}

fn unrefundable(why: Unrefundable) -> Problem {
    let (detail, detail_zh) = match why {
        Unrefundable::NoTrade | Unrefundable::NotPaid => ("This trade is not paid.", "该交易未支付。"),
        Unrefundable::TooMuch | Unrefundable::OtherAmount => {
            ("Less is left of this trade than is to go back.", "退款金额超过该交易的可退余额。")
        }
    };
    Problem::new(Code::RefundExceedsPaid).detail(detail).detail_zh(detail_zh)
}
