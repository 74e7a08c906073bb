//! `refund` and `refundquery`.

use chrono::{DateTime, Utc};

use super::super::beijing;
use super::super::refund::{Limit, NotRefunded, Wanted, take};
use super::query::named;
use super::xml::Members;
use super::{Answer, Refusal, Unsuccessful, money, notify_url, optional, required};
use crate::Sandbox;
use crate::fault::Fault;
use crate::refund::{Refund, RefundOutcome, Refunded, Unrefundable};
use crate::trade::{Trade, Wallet};

/// Takes a refund in; that is all that the answer says.
pub(super) async fn refund(sandbox: &Sandbox, members: &Members, fault: Option<Fault>) -> Result<Answer, Unsuccessful> {
    let request_no = required(members, "out_refund_no", 64)?;
    let is_number = |character: char| character.is_ascii_alphanumeric() || "_-|*@".contains(character);
    if !request_no.chars().all(is_number) {
        return Err(Refusal::invalid("out_refund_no").into());
    }
    let wanted = Wanted {
        request_no,
        amount: money(members, "refund_fee")?,
        total: money(members, "total_fee")?,
        reason: optional(members, "refund_desc", 80)?,
        notify_url: optional(members, "notify_url", 256)?.map(|url| notify_url(sandbox, url)).transpose()?,
        fault,
    };
    let trade = named(sandbox, members).await?.ok_or_else(Refusal::order_not_exist)?;
    let Refunded { trade, refund, .. } = take(sandbox, trade, wanted).await.map_err(not_refunded)?;
    let (back, total) = (refund.amount.amount_minor().to_string(), trade.total_amount().amount_minor().to_string());
    let answer = [
        ("transaction_id", trade.trade_no.unwrap_or_default()),
        ("out_trade_no", trade.out_trade_no),
        ("out_refund_no", refund.request_no),
        ("refund_id", refund.channel_no.unwrap_or_default()),
        ("refund_fee", back.clone()),
        ("cash_refund_fee", back),
        ("total_fee", total.clone()),
        ("cash_fee", total),
        ("refund_channel", String::new()),
    ];
    Ok(Answer::Members(answer.map(|(name, value)| (name.to_owned(), value)).into()))
}

fn not_refunded(why: NotRefunded) -> Unsuccessful {
    match why {
        NotRefunded::Failed(error) => error.into(),
        NotRefunded::Unrefundable(Unrefundable::NoTrade | Unrefundable::NotPaid) => Refusal::new("ERROR", "订单未支付").into(),
        NotRefunded::Unrefundable(Unrefundable::TooMuch) => Refusal::new("ERROR", "累计退款金额大于支付金额").into(),
        NotRefunded::Unrefundable(Unrefundable::OtherAmount) | NotRefunded::Inconsistent => {
            Refusal::new("ERROR", "订单金额或退款金额与之前请求不一致，请核实后再试").into()
        }
        NotRefunded::Limited(Limit::Period) => Refusal::new("TRADE_OVERDUE", "订单已经超过可退款的最大期限").into(),
        NotRefunded::Limited(Limit::Count) => Refusal::new("ERROR", "部分退款次数超过限制").into(),
        NotRefunded::Limited(Limit::Interval) => Refusal::new("INVALID_REQ_TOO_MUCH", "请求退款过于频繁，请稍后再试").into(),
    }
}

/// WeChat Pay's word in the old protocol for where a refund stands.
pub(super) fn status(refund: &Refund, now: DateTime<Utc>) -> &'static str {
    match refund.ended(now) {
        None => "PROCESSING",
        Some(RefundOutcome::Succeeded) => "SUCCESS",
        Some(RefundOutcome::Closed) => "REFUNDCLOSE",
        Some(RefundOutcome::Abnormal) => "CHANGE",
    }
}

/// Answers what became of one refund, or of all of an order.
pub(super) async fn query(sandbox: &Sandbox, members: &Members) -> Result<Answer, Unsuccessful> {
    let unknown = || Refusal::new("REFUNDNOTEXIST", "退款订单查询失败");
    let number = optional(members, "refund_id", 64)?.or(optional(members, "out_refund_no", 64)?);
    let (trade, refunds) = if let Some(number) = number {
        let (trade, refund) = sandbox.store().refund_of_wallet(Wallet::Wechat, &number).await?.ok_or_else(unknown)?;
        (trade, vec![refund])
    } else {
        let trade = named(sandbox, members).await?.ok_or_else(Refusal::order_not_exist)?;
        let refunds = sandbox.store().refunds(&trade).await?;
        (trade, refunds)
    };
    if refunds.is_empty() {
        return Err(unknown().into());
    }
    Ok(Answer::Members(told(&trade, &refunds, sandbox.now())))
}

fn told(trade: &Trade, refunds: &[Refund], now: DateTime<Utc>) -> Members {
    let total = trade.total_amount().amount_minor().to_string();
    let mut members: Members = [
        ("transaction_id", trade.trade_no.clone().unwrap_or_default()),
        ("out_trade_no", trade.out_trade_no.clone()),
        ("total_fee", total.clone()),
        ("cash_fee", total),
        ("fee_type", "CNY".to_owned()),
        ("refund_count", refunds.len().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (place, refund) in refunds.iter().enumerate() {
        let status = status(refund, now);
        for (name, value) in [
            ("out_refund_no", refund.request_no.clone()),
            ("refund_id", refund.channel_no.clone().unwrap_or_default()),
            ("refund_channel", "ORIGINAL".to_owned()),
            ("refund_fee", refund.amount.amount_minor().to_string()),
            ("refund_status", status.to_owned()),
            ("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS".to_owned()),
            ("refund_recv_accout", "支付用户的零钱".to_owned()),
        ] {
            members.insert(format!("{name}_{place}"), value);
        }
        if status == "SUCCESS" {
            members.insert(format!("refund_success_time_{place}"), beijing::plain(refund.settles_at));
        }
    }
    members
}
