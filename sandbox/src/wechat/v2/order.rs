//! `unifiedorder` and `closeorder`.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Money};

use super::super::account::Account;
use super::super::order::{self, Closed, Prepay, Product, Unclosed, Unplaced};
use super::super::{beijing, numbers};
use super::signature::SignType;
use super::xml::Members;
use super::{Answer, Refusal, Unsuccessful, money, notify_url, optional, required};
use crate::Sandbox;
use crate::trade::{Trade, TradeStatus, Wallet};

const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_LIFE: TimeDelta = TimeDelta::days(15);
/// How old an order must be to be closed.
const LEAST_AGE: TimeDelta = TimeDelta::minutes(5);

/// Makes an order, or a new code for the same order.
pub(super) async fn order(sandbox: &Sandbox, account: &Account, members: &Members, sign_type: SignType) -> Result<Answer, Unsuccessful> {
    let trade = asked(sandbox, account, members, sign_type)?;
    let trade = order::place(sandbox, trade).await.map_err(unplaced)?;
    let prepay_id = trade.wechat.as_ref().map(|prepay| prepay.prepay_id.clone()).unwrap_or_default();
    let address = format!("{}?prepay_id={prepay_id}", sandbox.cashier_url(&trade.out_trade_no));
    let mut answer: Members = [("prepay_id".to_owned(), prepay_id), ("trade_type".to_owned(), trade.product_code.clone())].into();
    match trade.product_code.as_str() {
        "NATIVE" => drop(answer.insert("code_url".to_owned(), address)),
        "MWEB" => drop(answer.insert("mweb_url".to_owned(), address)),
        _ => {}
    }
    Ok(Answer::Members(answer))
}

fn unplaced(why: Unplaced) -> Unsuccessful {
    match why {
        Unplaced::Paid => Refusal::new("ORDERPAID", "该订单已支付").into(),
        Unplaced::Closed => Refusal::new("ORDERCLOSED", "该订单已关闭").into(),
        Unplaced::OtherContent => Refusal::new("OUT_TRADE_NO_USED", "201 商户订单号重复").into(),
        Unplaced::Failed(error) => error.into(),
    }
}

fn asked(sandbox: &Sandbox, account: &Account, members: &Members, sign_type: SignType) -> Result<Trade, Refusal> {
    let now = sandbox.now();
    let out_trade_no = required(members, "out_trade_no", 32)?;
    let is_number = |character: char| character.is_ascii_alphanumeric() || "_-|*@".contains(character);
    if out_trade_no.len() < 6 || !out_trade_no.chars().all(is_number) {
        return Err(Refusal::invalid("out_trade_no"));
    }
    let (product, openid) = product(members)?;
    if optional(members, "fee_type", 16)?.is_some_and(|fee_type| fee_type != "CNY") {
        return Err(Refusal::invalid("fee_type"));
    }
    if required(members, "spbill_create_ip", 64)?.parse::<std::net::IpAddr>().is_err() {
        return Err(Refusal::invalid("spbill_create_ip"));
    }
    let time_expire = time_expire(optional(members, "time_expire", 14)?.as_deref(), now)?;
    let (expires_at, code_expires_at) = order::ends(product, time_expire, now);
    Ok(Trade {
        wallet: Wallet::Wechat,
        out_trade_no,
        trade_no: None,
        status: TradeStatus::Coded,
        revision: 0,
        amount: money(members, "total_fee")?,
        paid_amount: None,
        refunded: Money::zero(Currency::Cny),
        product_code: product.trade_type().to_owned(),
        subject: required(members, "body", 127)?,
        body: optional(members, "detail", 6_000)?,
        passback_params: optional(members, "attach", 127)?,
        charset: "utf-8".to_owned(),
        notify_url: Some(notify_url(sandbox, required(members, "notify_url", 256)?)?),
        return_url: None,
        coded_at: now,
        code_expires_at,
        expires_at: Some(expires_at),
        life: expires_at - now,
        scanned_at: None,
        paid_at: None,
        closed_at: None,
        refunded_at: None,
        wechat: Some(Prepay {
            api: sign_type.api(),
            prepay_id: numbers::prepay_id(now),
            asked: order::digest(&content(members)),
            openid: openid.unwrap_or_else(|| account.credentials().openid.clone()),
        }),
    })
}

/// What is asked for, without what differs in every message.
fn content(members: &Members) -> String {
    let same = members.iter().filter(|(name, _)| !matches!(name.as_str(), "nonce_str" | "sign"));
    same.flat_map(|(name, value)| [name, "=", value, "\n"]).collect()
}

fn product(members: &Members) -> Result<(Product, Option<String>), Refusal> {
    match required(members, "trade_type", 16)?.as_str() {
        "NATIVE" => required(members, "product_id", 32).map(|_| (Product::Native, None)),
        "JSAPI" => required(members, "openid", 128).map(|openid| (Product::Jsapi, Some(openid))),
        "APP" => Ok((Product::App, None)),
        "MWEB" => {
            let scene = required(members, "scene_info", 256)?;
            let scene: serde_json::Value = serde_json::from_str(&scene).map_err(|_| Refusal::invalid("scene_info"))?;
            if scene["h5_info"]["type"].is_string() { Ok((Product::H5, None)) } else { Err(Refusal::invalid("scene_info")) }
        }
        _ => Err(Refusal::invalid("trade_type")),
    }
}

fn time_expire(text: Option<&str>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let at = beijing::parse_compact(text).filter(|at| (SHORTEST_LIFE..=LONGEST_LIFE).contains(&(*at - now)));
    at.map(Some).ok_or_else(|| Refusal::new("INVALID_REQUEST", "time_expire时间过短，刷卡至少1分钟，其他5分钟"))
}

/// Closes an unpaid order that is five minutes old.
pub(super) async fn close(sandbox: &Sandbox, members: &Members) -> Result<Answer, Unsuccessful> {
    let out_trade_no = required(members, "out_trade_no", 32)?;
    match order::close(sandbox, &out_trade_no, LEAST_AGE).await {
        Ok(Closed::Now) => Ok(Answer::Members([("result_msg".to_owned(), "OK".to_owned())].into())),
        Ok(Closed::Already) => Err(Refusal::new("ORDERCLOSED", "订单已关闭，无法重复关闭").into()),
        Err(Unclosed::Unknown) => Err(Refusal::order_not_exist().into()),
        Err(Unclosed::Paid) => Err(Refusal::new("ORDERPAID", "订单已支付，不能发起关单").into()),
        Err(Unclosed::TooEarly) => Err(Refusal::new("INVALID_REQUEST", "订单生成后不能马上调用关单接口，最短调用时间间隔为5分钟").into()),
        Err(Unclosed::Failed(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(pairs: &[(&str, &str)]) -> Members {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_product_needs_its_own_members() {
        let found = |pairs: &[(&str, &str)]| product(&members(pairs)).map(|(product, _)| product).map_err(|refusal| refusal.err_code);
        assert_eq!(found(&[("trade_type", "NATIVE"), ("product_id", "1")]), Ok(Product::Native));
        assert_eq!(found(&[("trade_type", "NATIVE")]), Err("LACK_PARAMS"));
        assert_eq!(found(&[("trade_type", "JSAPI")]), Err("LACK_PARAMS"));
        assert_eq!(found(&[("trade_type", "MWEB"), ("scene_info", r#"{"h5_info":{"type":"Wap"}}"#)]), Ok(Product::H5));
        assert_eq!(found(&[("trade_type", "MWEB"), ("scene_info", "{")]), Err("PARAM_ERROR"));
        assert_eq!(found(&[("trade_type", "MICROPAY")]), Err("PARAM_ERROR"));
    }

    #[test]
    fn a_repeat_is_known_whatever_its_nonce() {
        let first = members(&[("body", "a"), ("nonce_str", "1"), ("sign", "x")]);
        assert_eq!(content(&first), content(&members(&[("body", "a"), ("nonce_str", "2")])));
        assert_ne!(content(&first), content(&members(&[("body", "b")])));
    }
}
