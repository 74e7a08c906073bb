//! Ordering: a code, an address or an id with which a buyer pays.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Money};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::account::Account;
use super::super::order::{self, Api, Prepay, Product, Unplaced};
use super::super::{beijing, numbers};
use super::answer::{Answer, Refusal, Unsuccessful};
use super::content::{self, Amount};
use crate::Sandbox;
use crate::trade::{Trade, TradeStatus, Wallet};

const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_LIFE: TimeDelta = TimeDelta::days(15);
const DESCRIPTION_LENGTH: usize = 127;
const ATTACH_LENGTH: usize = 128;
const OPENID_LENGTH: usize = 128;

#[derive(Debug, Deserialize)]
struct Content {
    appid: Option<String>,
    mchid: Option<String>,
    description: Option<String>,
    out_trade_no: Option<String>,
    time_expire: Option<String>,
    attach: Option<String>,
    notify_url: Option<String>,
    amount: Option<Amount>,
    payer: Option<Payer>,
    scene_info: Option<Scene>,
}

#[derive(Debug, Deserialize)]
struct Payer {
    openid: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Scene {
    payer_client_ip: Option<String>,
    h5_info: Option<H5>,
}

#[derive(Debug, Deserialize)]
struct H5 {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Makes an order, or a new code for the same order.
pub(super) async fn prepay(sandbox: &Sandbox, account: &Account, product: Product, body: &[u8]) -> Result<Answer, Unsuccessful> {
    let whole: Value = content::read(body)?;
    let asked = asked(sandbox, account, product, &whole, content::read(body)?)?;
    let trade = order::place(sandbox, asked).await.map_err(unplaced)?;
    let prepay_id = trade.wechat.as_ref().map_or("", |prepay| prepay.prepay_id.as_str());
    let address = || format!("{}?prepay_id={prepay_id}", sandbox.cashier_url(&trade.out_trade_no));
    Answer::of(&match product {
        Product::Native => json!({"code_url": address()}),
        Product::H5 => json!({"h5_url": address()}),
        Product::Jsapi | Product::App => json!({"prepay_id": prepay_id}),
    })
}

fn unplaced(why: Unplaced) -> Unsuccessful {
    match why {
        Unplaced::Paid => Refusal::new(StatusCode::BAD_REQUEST, "ORDER_PAID", "该订单已支付").into(),
        Unplaced::Closed => Refusal::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭").into(),
        Unplaced::OtherContent => Refusal::new(StatusCode::FORBIDDEN, "OUT_TRADE_NO_USED", "商户订单号重复").into(),
        Unplaced::Failed(error) => error.into(),
    }
}

/// Checks that a member names this merchant.
pub(super) fn same(member: &'static str, given: Option<String>, own: &str) -> Result<(), Refusal> {
    let given = content::required(member, given, 32)?;
    if given == own { Ok(()) } else { Err(Refusal::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "商户号与appid不匹配")) }
}

fn asked(sandbox: &Sandbox, account: &Account, product: Product, whole: &Value, content: Content) -> Result<Trade, Refusal> {
    let (credentials, now) = (account.credentials(), sandbox.now());
    same("appid", content.appid, &credentials.appid)?;
    same("mchid", content.mchid, &credentials.mchid)?;
    let out_trade_no = content::number("out_trade_no", content.out_trade_no, (6, 32), "_-|*")?;
    let amount = content.amount.ok_or_else(|| Refusal::invalid("amount", "为必填项"))?;
    content::currency(amount.currency.as_deref())?;
    let openid = payer(product, content.payer)?.unwrap_or_else(|| credentials.openid.clone());
    scene(product, content.scene_info.as_ref())?;
    let (expires_at, code_expires_at) = order::ends(product, time_expire(content.time_expire.as_deref(), now)?, now);
    let notify_url = content::required("notify_url", content.notify_url, 255)?;
    Ok(Trade {
        wallet: Wallet::Wechat,
        out_trade_no,
        trade_no: None,
        status: TradeStatus::Coded,
        revision: 0,
        amount: content::money("amount/total", amount.total)?,
        paid_amount: None,
        refunded: Money::zero(Currency::Cny),
        product_code: product.trade_type().to_owned(),
        subject: content::required("description", content.description, DESCRIPTION_LENGTH)?,
        body: None,
        passback_params: content::optional("attach", content.attach, ATTACH_LENGTH)?,
        charset: "utf-8".to_owned(),
        notify_url: Some(content::notify_url(sandbox, notify_url)?),
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
            api: Api::V3,
            prepay_id: numbers::prepay_id(now),
            // Members in the order of their names, whatever the order they came in.
            asked: order::digest(&format!("{} {whole}", product.trade_type())),
            openid,
        }),
    })
}

fn payer(product: Product, payer: Option<Payer>) -> Result<Option<String>, Refusal> {
    let openid = payer.and_then(|payer| payer.openid);
    match product {
        Product::Jsapi => content::required("payer/openid", openid, OPENID_LENGTH).map(Some),
        Product::Native | Product::H5 | Product::App => Ok(None),
    }
}

fn scene(product: Product, scene: Option<&Scene>) -> Result<(), Refusal> {
    if product != Product::H5 {
        return Ok(());
    }
    if scene.and_then(|scene| scene.payer_client_ip.as_deref()).is_none_or(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
        return Err(Refusal::invalid("scene_info/payer_client_ip", "为必填项，须为 IP 地址"));
    }
    let kind = scene.and_then(|scene| scene.h5_info.as_ref()).and_then(|h5| h5.kind.as_deref());
    if !matches!(kind, Some("Wap" | "iOS" | "Android")) {
        return Err(Refusal::invalid("scene_info/h5_info/type", "须为 Wap、iOS 或 Android"));
    }
    Ok(())
}

fn time_expire(text: Option<&str>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let at = beijing::parse_rfc3339(text).ok_or_else(|| Refusal::invalid("time_expire", "须为 RFC 3339 格式"))?;
    if (SHORTEST_LIFE..=LONGEST_LIFE).contains(&(at - now)) {
        Ok(Some(at))
    } else {
        Err(Refusal::invalid("time_expire", "须在 1 分钟到 15 天之后"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::tests::at;

    #[test]
    fn the_last_moment_is_a_minute_to_fifteen_days_ahead() {
        let expire = |seconds| time_expire(Some(&beijing::rfc3339(at(seconds))), at(0));
        assert_eq!((expire(60), expire(15 * 86_400)), (Ok(Some(at(60))), Ok(Some(at(15 * 86_400)))));
        assert!(expire(59).is_err() && expire(15 * 86_400 + 1).is_err() && time_expire(Some("20260305143809"), at(0)).is_err());
        assert_eq!(time_expire(None, at(0)), Ok(None));
    }

    #[test]
    fn only_h5_needs_a_scene() {
        let read = |text| serde_json::from_str::<Scene>(text).unwrap();
        let good = read(r#"{"payer_client_ip":"127.0.0.1","h5_info":{"type":"Wap"}}"#);
        assert!(scene(Product::H5, Some(&good)).is_ok() && scene(Product::Native, None).is_ok());
        for bad in ["{}", r#"{"payer_client_ip":"x","h5_info":{"type":"Wap"}}"#, r#"{"payer_client_ip":"::1","h5_info":{"type":"wap"}}"#] {
            assert!(scene(Product::H5, Some(&read(bad))).is_err(), "{bad}");
        }
        assert!(scene(Product::H5, None).is_err());
    }
}
