//! `alipay.trade.close`: ends a trade that nobody has paid.

use serde::Serialize;

use super::answer::{self, Refusal, Unsuccessful};
use super::content::TradeName;
use super::query::named;
use crate::trade::{Trade, Uncloseable};
use crate::{CHANGE_TRIES, Sandbox, SandboxError};

#[derive(Serialize)]
struct Closed<'a> {
    out_trade_no: &'a str,
    trade_no: &'a str,
}

/// Closes a trade that awaits its buyer. A code that nobody scanned is no trade, and stays payable.
pub(super) async fn close(sandbox: &Sandbox, name: TradeName) -> Result<String, Unsuccessful> {
    let mut trade = named(sandbox, name).await?;
    for _ in 0..CHANGE_TRIES {
        let closed = trade.closed(sandbox.now()).map_err(refusal)?;
        if sandbox.store().replace_trade(&closed).await? {
            tracing::info!(sandbox.out_trade_no = closed.out_trade_no, "the sandbox's Alipay closed a trade");
            return Ok(answered(&closed));
        }
        let again = sandbox.store().trade(trade.wallet, &trade.out_trade_no).await?;
        trade = again.ok_or_else(Refusal::trade_not_exist)?;
    }
    Err(SandboxError::Contended.into())
}

fn answered(trade: &Trade) -> String {
    answer::success(&Closed { out_trade_no: &trade.out_trade_no, trade_no: trade.trade_no.as_deref().unwrap_or_default() })
}

fn refusal(uncloseable: Uncloseable) -> Refusal {
    match uncloseable {
        Uncloseable::NoTrade => Refusal::trade_not_exist(),
        Uncloseable::NotAwaitingBuyer => Refusal::new("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"),
    }
}
