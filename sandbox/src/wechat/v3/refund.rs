//! Refunds: taken in, asked for, and told of.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::account::Account;
use super::super::beijing;
use super::super::order::{by_number, by_transaction};
use super::super::refund::{Limit, NotRefunded, Wanted, status, take};
use super::answer::{Answer, Refusal, Unsuccessful};
use super::content::{self, Amount};
use crate::Sandbox;
use crate::fault::Fault;
use crate::refund::{Refund, RefundOutcome, Refunded, Unrefundable};
use crate::trade::{Trade, Wallet};

const REASON_LENGTH: usize = 80;
const ACCOUNT: &str = "支付用户零钱";

#[derive(Debug, Deserialize)]
struct Content {
    transaction_id: Option<String>,
    out_trade_no: Option<String>,
    out_refund_no: Option<String>,
    reason: Option<String>,
    notify_url: Option<String>,
    amount: Option<Amount>,
}

/// A refund as it is answered.
#[derive(Debug, Serialize)]
struct Answered<'a> {
    amount: Sums,
    channel: &'static str,
    create_time: String,
    funds_account: &'static str,
    out_refund_no: &'a str,
    out_trade_no: &'a str,
    promotion_detail: [(); 0],
    refund_id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    transaction_id: &'a str,
    user_received_account: &'static str,
}

/// In fen.
#[derive(Debug, Serialize)]
struct Sums {
    currency: &'static str,
    discount_refund: i64,
    payer_refund: i64,
    payer_total: i64,
    refund: i64,
    settlement_refund: i64,
    settlement_total: i64,
    total: i64,
}

/// A refund as a notification tells of it.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    mchid: &'a str,
    out_trade_no: &'a str,
    transaction_id: &'a str,
    out_refund_no: &'a str,
    refund_id: &'a str,
    refund_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    user_received_account: &'static str,
    amount: ToldSums,
}

/// In fen.
#[derive(Debug, Serialize)]
struct ToldSums {
    total: i64,
    refund: i64,
    payer_total: i64,
    payer_refund: i64,
}

/// Takes a refund in. That it was taken is all that the answer to the first call says.
pub(super) async fn refund(sandbox: &Sandbox, body: &[u8], fault: Option<Fault>) -> Result<Answer, Unsuccessful> {
    let content: Content = content::read(body)?;
    let amount = content.amount.ok_or_else(|| Refusal::invalid("amount", "为必填项"))?;
    let currency = content::required("amount/currency", amount.currency, 16)?;
    content::currency(Some(&currency))?;
    let wanted = Wanted {
        request_no: content::number("out_refund_no", content.out_refund_no, (1, 64), "_-|*@")?,
        amount: content::money("amount/refund", amount.refund)?,
        total: content::money("amount/total", amount.total)?,
        reason: content::optional("reason", content.reason, REASON_LENGTH)?,
        notify_url: content.notify_url.map(|url| content::notify_url(sandbox, url)).transpose()?,
        fault,
    };
    let trade = match (content.transaction_id, content.out_trade_no) {
        (Some(transaction_id), _) => by_transaction(sandbox, &transaction_id).await?,
        (None, Some(out_trade_no)) => by_number(sandbox, &out_trade_no).await?,
        (None, None) => return Err(Refusal::invalid("out_trade_no", "与 transaction_id 二选一").into()),
    };
    let refunded = take(sandbox, trade.ok_or_else(unknown)?, wanted).await.map_err(not_refunded)?;
    let Refunded { trade, refund, is_new } = &refunded;
    Answer::of(&answered(trade, refund, if *is_new { "PROCESSING" } else { status(refund, sandbox.now()) }, sandbox.now()))
}

/// Answers what became of a refund.
pub(super) async fn query(sandbox: &Sandbox, request_no: &str) -> Result<Answer, Unsuccessful> {
    let known = sandbox.store().refund_of_wallet(Wallet::Wechat, request_no).await?;
    let (trade, refund) = known
        .filter(|(_, refund)| refund.request_no == request_no)
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "退款单不存在"))?;
    Answer::of(&answered(&trade, &refund, status(&refund, sandbox.now()), sandbox.now()))
}

fn success_time(refund: &Refund, now: DateTime<Utc>) -> Option<String> {
    (refund.ended(now) == Some(RefundOutcome::Succeeded)).then(|| beijing::rfc3339(refund.settles_at))
}

fn answered<'a>(trade: &'a Trade, refund: &'a Refund, status: &'a str, now: DateTime<Utc>) -> Answered<'a> {
    let (total, back) = (trade.total_amount().amount_minor(), refund.amount.amount_minor());
    Answered {
        amount: Sums {
            currency: "CNY",
            discount_refund: 0,
            payer_refund: back,
            payer_total: total,
            refund: back,
            settlement_refund: back,
            settlement_total: total,
            total,
        },
        channel: "ORIGINAL",
        create_time: beijing::rfc3339(refund.refunded_at),
        funds_account: "AVAILABLE",
        out_refund_no: &refund.request_no,
        out_trade_no: &trade.out_trade_no,
        promotion_detail: [],
        refund_id: refund.channel_no.as_deref().unwrap_or_default(),
        status,
        success_time: if status == "SUCCESS" { success_time(refund, now) } else { None },
        transaction_id: trade.trade_no.as_deref().unwrap_or_default(),
        user_received_account: ACCOUNT,
    }
}

/// A refund as it stands at `now`, for a notification.
pub(super) fn told<'a>(account: &'a Account, trade: &'a Trade, refund: &'a Refund, now: DateTime<Utc>) -> Told<'a> {
    let (total, back) = (trade.total_amount().amount_minor(), refund.amount.amount_minor());
    Told {
        mchid: &account.credentials().mchid,
        out_trade_no: &trade.out_trade_no,
        transaction_id: trade.trade_no.as_deref().unwrap_or_default(),
        out_refund_no: &refund.request_no,
        refund_id: refund.channel_no.as_deref().unwrap_or_default(),
        refund_status: status(refund, now),
        success_time: success_time(refund, now),
        user_received_account: ACCOUNT,
        amount: ToldSums { total, refund: back, payer_total: total, payer_refund: back },
    }
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "订单不存在")
}

fn not_refunded(why: NotRefunded) -> Unsuccessful {
    let invalid = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message);
    match why {
        NotRefunded::Failed(error) => error.into(),
        NotRefunded::Unrefundable(Unrefundable::NoTrade | Unrefundable::NotPaid) => invalid("订单未支付，不能退款").into(),
        NotRefunded::Unrefundable(Unrefundable::TooMuch) => invalid("累计退款金额大于订单金额").into(),
        NotRefunded::Unrefundable(Unrefundable::OtherAmount) | NotRefunded::Inconsistent => {
            invalid("订单金额或退款金额与之前请求不一致，请核实后再试").into()
        }
        NotRefunded::Limited(Limit::Period) => invalid("订单已超过可退款的最大期限").into(),
        NotRefunded::Limited(Limit::Count) => invalid("部分退款次数超过限制").into(),
        NotRefunded::Limited(Limit::Interval) => Refusal::too_often().into(),
    }
}
