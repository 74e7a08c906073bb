//! `alipay.trade.query`: what became of a trade.

use serde::Serialize;

use super::answer::{self, Refusal, Unsuccessful};
use super::beijing;
use super::content::{Number, TradeName};
use super::notification::{BUYER_ID, BUYER_LOGON_ID};
use crate::Sandbox;
use crate::store::StoreError;
use crate::trade::{Trade, Wallet};

#[derive(Serialize)]
struct Fund {
    amount: String,
    fund_channel: &'static str,
}

#[derive(Serialize)]
struct Queried<'a> {
    buyer_logon_id: &'static str,
    buyer_pay_amount: String,
    buyer_user_id: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fund_bill_list: Vec<Fund>,
    invoice_amount: String,
    out_trade_no: &'a str,
    point_amount: &'static str,
    receipt_amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_pay_date: Option<String>,
    total_amount: String,
    trade_no: &'a str,
    trade_status: &'static str,
}

/// Answers where a trade stands. Before a scan there is none.
pub(super) async fn query(sandbox: &Sandbox, name: TradeName) -> Result<String, Unsuccessful> {
    let trade = named(sandbox, name).await?;
    let (Some(trade_no), Some(trade_status)) = (trade.trade_no.as_deref(), super::trade_status(trade.standing(sandbox.now()))) else {
        return Err(Refusal::trade_not_exist().into());
    };
    let paid = trade.paid_amount.map(domain::Money::major_text);
    let paid_or_nothing = || paid.clone().unwrap_or_else(|| "0.00".to_owned());
    Ok(answer::success(&Queried {
        buyer_logon_id: BUYER_LOGON_ID,
        buyer_pay_amount: paid_or_nothing(),
        buyer_user_id: BUYER_ID,
        fund_bill_list: paid.iter().map(|amount| Fund { amount: amount.clone(), fund_channel: "ALIPAYACCOUNT" }).collect(),
        invoice_amount: paid_or_nothing(),
        out_trade_no: &trade.out_trade_no,
        point_amount: "0.00",
        receipt_amount: paid_or_nothing(),
        send_pay_date: trade.paid_at.map(beijing::text),
        total_amount: trade.total_amount().major_text(),
        trade_no,
        trade_status,
    }))
}

/// The trade that a call is about.
pub(super) async fn named(sandbox: &Sandbox, name: TradeName) -> Result<Trade, Unsuccessful> {
    let number = name.number().ok_or_else(|| Refusal::invalid("out_trade_no", "与 trade_no 不能同时为空"))?;
    let trade = look_up(sandbox, &number).await?;
    trade.ok_or_else(|| Refusal::trade_not_exist().into())
}

async fn look_up(sandbox: &Sandbox, number: &Number) -> Result<Option<Trade>, StoreError> {
    match number {
        Number::Own(trade_no) => sandbox.store().trade_by_trade_no(Wallet::Alipay, trade_no).await,
        Number::Merchants(out_trade_no) => sandbox.store().trade(Wallet::Alipay, out_trade_no).await,
    }
}
