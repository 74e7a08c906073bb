//! `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`.

use domain::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::answer::{self, Refusal, Unsuccessful};
use super::beijing;
use super::content::{self, Scalar, TradeName};
use super::notification::BUYER_LOGON_ID;
use super::query::named;
use crate::Sandbox;
use crate::payment::Notify;
use crate::refund::{Refund, RefundError, Refunded, Unrefundable};
use crate::trade::Trade;

const REQUEST_NO_LENGTH: usize = 64;
const REASON_LENGTH: usize = 256;

/// What a merchant asks to have in the answer.
const DETAILS: &str = "refund_detail_item_list";
const REFUND_TIME: &str = "gmt_refund_pay";

#[derive(Debug, Deserialize)]
pub(super) struct Content {
    out_trade_no: Option<Scalar>,
    trade_no: Option<Scalar>,
    refund_amount: Option<Scalar>,
    out_request_no: Option<Scalar>,
    refund_reason: Option<Scalar>,
    #[serde(default)]
    query_options: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct QueryContent {
    out_trade_no: Option<Scalar>,
    trade_no: Option<Scalar>,
    out_request_no: Option<Scalar>,
    #[serde(default)]
    query_options: Vec<String>,
}

#[derive(Serialize)]
struct Answered<'a> {
    buyer_logon_id: &'static str,
    fund_change: &'static str,
    gmt_refund_pay: String,
    out_trade_no: &'a str,
    /// The sum of all refunds of the trade.
    refund_fee: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_back_fee: Option<String>,
    trade_no: &'a str,
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    gmt_refund_pay: Option<String>,
    out_request_no: &'a str,
    out_trade_no: &'a str,
    refund_amount: String,
    refund_status: &'static str,
    total_amount: String,
    trade_no: &'a str,
}

/// What is answered about a number that no refund has: nothing but that the question was understood.
#[derive(Serialize)]
struct NotFound {}

/// Gives money back. A repeat answers what the first did, without `fund_change`: no money moved now.
pub(super) async fn refund(sandbox: &Sandbox, content: Content) -> Result<String, Unsuccessful> {
    let wants_details = content.query_options.iter().any(|option| option == DETAILS);
    let amount = amount(content.refund_amount)?;
    content::optional("refund_reason", content.refund_reason, REASON_LENGTH)?;
    let request_no = content::optional("out_request_no", content.out_request_no, REQUEST_NO_LENGTH)?;
    let trade = named(sandbox, TradeName { out_trade_no: content.out_trade_no, trade_no: content.trade_no }).await?;
    let request_no = request_no.map_or_else(|| number_of_a_whole_refund(&trade, amount), Ok)?;
    let refunded = sandbox.refund(trade, &request_no, amount, Notify::Once).await.map_err(unsuccessful)?;
    Ok(answered(&refunded, wants_details))
}

/// A refund of the whole needs no number of its own.
fn number_of_a_whole_refund(trade: &Trade, amount: Money) -> Result<String, Refusal> {
    if trade.paid_amount.is_some_and(|paid| paid != amount) {
        return Err(Refusal::new("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "部分退款须传入 out_request_no"));
    }
    Ok(trade.out_trade_no.clone())
}

fn answered(refunded: &Refunded, wants_details: bool) -> String {
    let Refunded { trade, refund, is_new } = refunded;
    answer::success(&Answered {
        buyer_logon_id: BUYER_LOGON_ID,
        fund_change: if *is_new { "Y" } else { "N" },
        gmt_refund_pay: beijing::text(refund.refunded_at),
        out_trade_no: &trade.out_trade_no,
        refund_fee: trade.refunded.major_text(),
        send_back_fee: wants_details.then(|| refund.amount.major_text()),
        trade_no: trade.trade_no.as_deref().unwrap_or_default(),
    })
}

/// Answers what became of a refund.
pub(super) async fn query(sandbox: &Sandbox, content: QueryContent) -> Result<String, Unsuccessful> {
    let request_no = content::required("out_request_no", content.out_request_no, REQUEST_NO_LENGTH)?;
    let trade = named(sandbox, TradeName { out_trade_no: content.out_trade_no, trade_no: content.trade_no }).await?;
    let Some(trade_no) = trade.trade_no.as_deref() else { return Err(Refusal::trade_not_exist().into()) };
    let wants_time = content.query_options.iter().any(|option| option == REFUND_TIME);
    let Some(refund) = sandbox.store().refund(&trade, &request_no).await? else { return Ok(answer::success(&NotFound {})) };
    Ok(answer::success(&found(&trade, trade_no, &refund, wants_time)))
}

fn found<'a>(trade: &'a Trade, trade_no: &'a str, refund: &'a Refund, wants_time: bool) -> Found<'a> {
    Found {
        gmt_refund_pay: wants_time.then(|| beijing::text(refund.refunded_at)),
        out_request_no: &refund.request_no,
        out_trade_no: &trade.out_trade_no,
        refund_amount: refund.amount.major_text(),
        refund_status: "REFUND_SUCCESS",
        total_amount: trade.total_amount().major_text(),
        trade_no,
    }
}

fn amount(value: Option<Scalar>) -> Result<Money, Refusal> {
    let text = content::required("refund_amount", value, 16)?;
    let amount = Money::parse_major(&text, Currency::Cny).map_err(|_| Refusal::invalid("refund_amount", "格式不正确"))?;
    if amount.is_zero() { Err(Refusal::invalid("refund_amount", "须大于零")) } else { Ok(amount) }
}

fn unsuccessful(error: RefundError) -> Unsuccessful {
    match error {
        RefundError::Failed(error) => error.into(),
        RefundError::Unrefundable(why) => refusal(why).into(),
    }
}

fn refusal(why: Unrefundable) -> Refusal {
    match why {
        Unrefundable::NoTrade => Refusal::trade_not_exist(),
        Unrefundable::NotPaid => Refusal::new("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"),
        Unrefundable::TooMuch => Refusal::new("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额超过可退金额"),
        Unrefundable::OtherAmount => Refusal::new("ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致"),
    }
}
