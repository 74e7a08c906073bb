//! An order as queries and notifications tell of it, and its closing.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::super::account::Account;
use super::super::beijing;
use super::super::order::{self, Unclosed, trade_state};
use super::answer::{Answer, Refusal, Unsuccessful};
use super::content;
use super::target::Number;
use crate::Sandbox;
use crate::trade::Trade;

#[expect(clippy::struct_field_names, reason = "transaction_id is WeChat Pay's own word")]
/// An order. What is only known of a paid one is left out before that.
#[derive(Debug, Serialize)]
pub(super) struct Transaction<'a> {
    amount: Amount,
    appid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_type: Option<&'static str>,
    mchid: &'a str,
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer<'a>>,
    promotion_detail: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    trade_state: &'static str,
    trade_state_desc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
}

/// Sums in fen.
#[derive(Debug, Serialize)]
struct Amount {
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_total: Option<i64>,
    total: i64,
}

#[derive(Debug, Serialize)]
struct Payer<'a> {
    openid: &'a str,
}

/// An order as it stands at `now`.
pub(super) fn transaction<'a>(account: &'a Account, trade: &'a Trade, now: DateTime<Utc>) -> Transaction<'a> {
    let state = trade_state(trade, now);
    let paid = trade.paid_amount.map(domain::Money::amount_minor);
    let if_paid = |text: &'a str| paid.map(|_| text);
    Transaction {
        amount: Amount {
            currency: "CNY",
            payer_currency: paid.map(|_| "CNY"),
            payer_total: paid,
            total: trade.total_amount().amount_minor(),
        },
        appid: &account.credentials().appid,
        attach: trade.passback_params.as_deref(),
        bank_type: paid.map(|_| "OTHERS"),
        mchid: &account.credentials().mchid,
        out_trade_no: &trade.out_trade_no,
        payer: trade.wechat.as_ref().and_then(|prepay| if_paid(&prepay.openid)).map(|openid| Payer { openid }),
        promotion_detail: [],
        success_time: trade.paid_at.map(beijing::rfc3339),
        trade_state: state.as_str(),
        trade_state_desc: state.description(),
        trade_type: if_paid(&trade.product_code),
        transaction_id: trade.trade_no.as_deref().and_then(if_paid),
    }
}

#[derive(Debug, Deserialize)]
struct Asker {
    mchid: Option<String>,
}

/// Checks that the merchant's number that was given is this merchant's.
fn is_own(account: &Account, mchid: Option<String>) -> Result<(), Refusal> {
    let mchid = content::required("mchid", mchid, 32)?;
    let unknown = || Refusal::new(StatusCode::BAD_REQUEST, "MCH_NOT_EXISTS", "商户号不存在");
    if mchid == account.credentials().mchid { Ok(()) } else { Err(unknown()) }
}

/// Answers where an order stands.
pub(super) async fn query(sandbox: &Sandbox, account: &Account, number: Number, uri: &Uri) -> Result<Answer, Unsuccessful> {
    let asker: Result<Query<Asker>, _> = Query::try_from_uri(uri);
    is_own(account, asker.ok().and_then(|Query(asker)| asker.mchid))?;
    let trade = match number {
        Number::Merchants(out_trade_no) => order::by_number(sandbox, &out_trade_no).await?,
        Number::Own(transaction_id) => order::by_transaction(sandbox, &transaction_id).await?,
    };
    let trade = trade.ok_or_else(Refusal::order_not_exist)?;
    Answer::of(&transaction(account, &trade, sandbox.now()))
}

/// Closes an unpaid order; doing so again is fine.
pub(super) async fn close(sandbox: &Sandbox, account: &Account, out_trade_no: &str, body: &[u8]) -> Result<Answer, Unsuccessful> {
    let asker: Asker = content::read(body)?;
    is_own(account, asker.mchid)?;
    match order::close(sandbox, out_trade_no, TimeDelta::zero()).await {
        Ok(_) => Ok(Answer::Nothing),
        Err(Unclosed::Unknown) => Err(Refusal::order_not_exist().into()),
        Err(Unclosed::Paid | Unclosed::TooEarly) => Err(Refusal::new(StatusCode::BAD_REQUEST, "ORDER_PAID", "该订单已支付").into()),
        Err(Unclosed::Failed(error)) => Err(error.into()),
    }
}
