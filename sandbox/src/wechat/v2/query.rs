//! `orderquery`, and an order as its answer and notifications tell of it.

use super::super::beijing;
use super::super::order::{self, trade_state};
use super::xml::Members;
use super::{Answer, Refusal, Unsuccessful, optional};
use crate::Sandbox;
use crate::store::StoreError;
use crate::trade::Trade;

/// Answers where an order stands.
pub(super) async fn query(sandbox: &Sandbox, members: &Members) -> Result<Answer, Unsuccessful> {
    let trade = named(sandbox, members).await?.ok_or_else(Refusal::order_not_exist)?;
    let state = trade_state(&trade, sandbox.now());
    let mut answer = paid(&trade);
    for (name, value) in [
        ("out_trade_no", trade.out_trade_no.as_str()),
        ("total_fee", &trade.total_amount().amount_minor().to_string()),
        ("trade_state", state.as_str()),
        ("trade_state_desc", state.description()),
    ] {
        answer.insert(name.to_owned(), value.to_owned());
    }
    Ok(Answer::Members(answer))
}

/// The order that a message names by WeChat Pay's number or by the merchant's.
pub(super) async fn named(sandbox: &Sandbox, members: &Members) -> Result<Option<Trade>, Unsuccessful> {
    let found: Result<Option<Trade>, StoreError> = match (optional(members, "transaction_id", 32)?, optional(members, "out_trade_no", 32)?)
    {
        (Some(transaction_id), _) => order::by_transaction(sandbox, &transaction_id).await,
        (None, Some(out_trade_no)) => order::by_number(sandbox, &out_trade_no).await,
        (None, None) => return Err(Refusal::new("LACK_PARAMS", "缺少参数out_trade_no").into()),
    };
    Ok(found?)
}

/// What is known of a payment; nothing before it.
pub(super) fn paid(trade: &Trade) -> Members {
    let (Some(paid), Some(paid_at), Some(prepay)) = (trade.paid_amount, trade.paid_at, &trade.wechat) else { return Members::new() };
    let fen = paid.amount_minor().to_string();
    let mut members: Members = [
        ("openid", prepay.openid.as_str()),
        ("is_subscribe", "N"),
        ("trade_type", &trade.product_code),
        ("bank_type", "OTHERS"),
        ("total_fee", &fen),
        ("settlement_total_fee", &fen),
        ("fee_type", "CNY"),
        ("cash_fee", &fen),
        ("cash_fee_type", "CNY"),
        ("transaction_id", trade.trade_no.as_deref().unwrap_or_default()),
        ("out_trade_no", &trade.out_trade_no),
        ("time_end", &beijing::compact(paid_at)),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(attach) = &trade.passback_params {
        members.insert("attach".to_owned(), attach.clone());
    }
    members
}
