//! What buyers do that no code address can: scan the fixed code of a product (Native mode 1), and pay inside WeChat or an app.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use chassis::extract::Json;
use chassis::problem::{Code, Problem, field};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::order::{TradeState, trade_state};
use super::v2::signature::{self as digest, SignType};
use super::v2::xml::{self, Members};
use super::{BASE, numbers, signature};
use crate::Sandbox;
use crate::control::problem;
use crate::trade::Trade;

/// The longest answer of a merchant that is read.
const ANSWER_LIMIT: usize = 64 * 1024;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route(&format!("{BASE}/scan"), post(scan)).route(&format!("{BASE}/client-pay"), post(client_pay))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    /// What the code of a product holds.
    qr_content: String,
    /// Who scans; without it the sandbox's buyer.
    openid: Option<String>,
    /// The address that the merchant has set on the platform's website; without it that of the shop at the sandbox's address.
    callback_url: Option<String>,
}

/// What a scan came to.
#[derive(Debug, Serialize)]
struct Scanned {
    /// What was posted to the merchant.
    callback: String,
    /// The merchant's status and words; none without an answer.
    status: Option<u16>,
    answer: Option<String>,
    /// Whether the answer is signed with the key.
    is_signed: bool,
    members: Members,
    /// The order that the buyer is led to; none if the merchant refused, or what it answered cannot be used.
    out_trade_no: Option<String>,
    cashier_url: Option<String>,
}

/// Posts what WeChat Pay posts when the fixed code of a product is scanned, and shows what the merchant made of it.
async fn scan(State(sandbox): State<Arc<Sandbox>>, Json(scan): Json<Scan>) -> Result<Json<Scanned>, Problem> {
    let account = sandbox.wechat();
    let (product_id, sign_type) = product_of(&account, &scan.qr_content).ok_or_else(|| {
        Problem::invalid(
            "qr_content",
            field::INVALID,
            "must be the code of a product: weixin://wxpay/bizpayurl?… with a signature that holds",
        )
    })?;
    let own = || format!("{}/wechat/native-callback", sandbox.config().public_url);
    let url = scan.callback_url.unwrap_or_else(own);
    if !sandbox.config().may_notify(&url) {
        return Err(Problem::invalid("callback_url", field::INVALID, "must be an address on this machine, unless configured"));
    }
    let callback = callback(&account, &product_id, scan.openid, sign_type);
    let request = sandbox.client().post(&url).header("content-type", "text/xml").body(callback.clone());
    let (status, answer) = match request.send().await {
        Ok(response) => (Some(response.status().as_u16()), response.text().await.ok().filter(|text| text.len() <= ANSWER_LIMIT)),
        Err(_) => (None, None),
    };
    let members = answer.as_deref().and_then(|text| xml::read(text.as_bytes(), "xml")).unwrap_or_default();
    let is_signed = digest::verify(&members, &account.credentials().api_v2_key, sign_type);
    let trade = if is_signed { led_to(&sandbox, &account, &members).await? } else { None };
    let cashier_url = trade.as_ref().map(|trade| cashier_url(&sandbox, trade));
    Ok(Json(Scanned { callback, status, answer, is_signed, members, out_trade_no: trade.map(|trade| trade.out_trade_no), cashier_url }))
}

fn cashier_url(sandbox: &Sandbox, trade: &Trade) -> String {
    let prepay_id = trade.wechat.as_ref().map_or("", |prepay| prepay.prepay_id.as_str());
    format!("{}?prepay_id={prepay_id}", sandbox.cashier_url(&trade.out_trade_no))
}

/// The product that a code names, and the digest that it is signed with; none unless it is this merchant's and signed.
fn product_of(account: &Account, content: &str) -> Option<(String, SignType)> {
    let url = Url::parse(content).ok().filter(|url| url.scheme() == "weixin" && content.starts_with("weixin://wxpay/bizpayurl?"))?;
    let members: Members = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let credentials = account.credentials();
    let sign_type = SignType::of_length(members.get("sign")?.len())?;
    let is_own = members.get("appid") == Some(&credentials.appid) && members.get("mch_id") == Some(&credentials.mchid);
    let is_whole = members.len() == 6 && members.contains_key("time_stamp") && members.contains_key("nonce_str");
    let is_signed = digest::verify(&members, &credentials.api_v2_key, sign_type);
    let product_id = members.get("product_id").filter(|_| is_own && is_whole && is_signed)?;
    Some((product_id.clone(), sign_type))
}

fn callback(account: &Account, product_id: &str, openid: Option<String>, sign_type: SignType) -> String {
    let credentials = account.credentials();
    let mut members: Members = [
        ("appid", credentials.appid.clone()),
        ("openid", openid.unwrap_or_else(|| credentials.openid.clone())),
        ("mch_id", credentials.mchid.clone()),
        ("is_subscribe", "N".to_owned()),
        ("nonce_str", numbers::nonce(32)),
        ("product_id", product_id.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let sign = digest::sign(&members, &credentials.api_v2_key, sign_type);
    members.insert("sign".to_owned(), sign);
    xml::written(&members)
}

/// The order that a merchant's answer leads the buyer to.
async fn led_to(sandbox: &Sandbox, account: &Account, members: &Members) -> Result<Option<Trade>, Problem> {
    let is = |name: &str, value: &str| members.get(name).is_some_and(|found| found == value);
    let credentials = account.credentials();
    let is_taken = is("return_code", "SUCCESS") && is("result_code", "SUCCESS");
    if !is_taken || !is("appid", &credentials.appid) || !is("mch_id", &credentials.mchid) {
        return Ok(None);
    }
    match members.get("prepay_id") {
        None => Ok(None),
        Some(prepay_id) => payable(sandbox, prepay_id).await,
    }
}

/// The unpaid order of a prepay id that still holds.
async fn payable(sandbox: &Sandbox, prepay_id: &str) -> Result<Option<Trade>, Problem> {
    let trade = sandbox.store().trade_by_prepay_id(prepay_id).await.map_err(|error| problem(&error.into()))?;
    let now = sandbox.now();
    Ok(trade.filter(|trade| trade_state(trade, now) == TradeState::NotPay && now < trade.code_expires_at))
}

/// What a program hands to WeChat to pay with, by its members' own names.
type Parameters = BTreeMap<String, String>;

/// Where the buyer is led.
#[derive(Debug, Serialize)]
struct Led {
    out_trade_no: String,
    cashier_url: String,
}

/// Plays WeChat's own client: takes what a page inside WeChat, a mini program or an app calls it with, checks the signature,
/// and leads to the cashier.
async fn client_pay(State(sandbox): State<Arc<Sandbox>>, Json(parameters): Json<Parameters>) -> Result<Json<Led>, Problem> {
    let account = sandbox.wechat();
    let prepay_id = signed_prepay_id(&account, &parameters);
    let prepay_id =
        prepay_id.ok_or_else(|| Problem::invalid("paySign", field::INVALID, "is missing, or no signature of these parameters"))?;
    let trade = payable(&sandbox, &prepay_id).await?.ok_or_else(|| Problem::new(Code::NotPayable))?;
    Ok(Json(Led { cashier_url: cashier_url(&sandbox, &trade), out_trade_no: trade.out_trade_no }))
}

/// The prepay id of parameters that are signed: by the merchant's key (`RSA`), or with the old protocol's.
fn signed_prepay_id(account: &Account, parameters: &Parameters) -> Option<String> {
    let text = |name: &str| parameters.get(name).map(String::as_str);
    let credentials = account.credentials();
    let (appid, prepay_id, lines, sign) = if let Some(package) = text("paySign").and(text("package")) {
        (text("appId")?, package.strip_prefix("prepay_id=")?, [text("appId")?, text("timeStamp")?, text("nonceStr")?, package], "paySign")
    } else {
        let prepay_id =
            text("prepayid").filter(|_| text("package") == Some("Sign=WXPay") && text("partnerid") == Some(&credentials.mchid))?;
        (text("appid")?, prepay_id, [text("appid")?, text("timestamp")?, text("noncestr")?, prepay_id], "sign")
    };
    let given = text(sign)?;
    let is_signed = match SignType::of_length(given.len()) {
        None => {
            let key = account.merchant_key(&credentials.merchant_serial)?;
            signature::verify(key, &signature::lines(&lines.map(str::as_bytes)), given)
        }
        Some(sign_type) => {
            let mut members: Members = parameters.clone();
            members.remove(sign);
            digest::sign(&members, &credentials.api_v2_key, sign_type) == given
        }
    };
    (is_signed && appid == credentials.appid).then(|| prepay_id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account;
    use super::*;

    #[test]
    fn only_the_merchants_own_signed_code_names_a_product() {
        let account = account();
        let credentials = account.credentials();
        let mut members: Members =
            [("appid", &credentials.appid), ("mch_id", &credentials.mchid)].map(|(name, value)| (name.to_owned(), value.clone())).into();
        for (name, value) in [("nonce_str", "n"), ("product_id", "p&1"), ("time_stamp", "1772690889")] {
            members.insert(name.to_owned(), value.to_owned());
        }
        let content = |members: &Members, sign: &str| {
            let mut url = Url::parse("weixin://wxpay/bizpayurl").unwrap();
            url.query_pairs_mut().extend_pairs(members).append_pair("sign", sign);
            url.to_string()
        };
        for sign_type in [SignType::Md5, SignType::HmacSha256] {
            let sign = digest::sign(&members, &credentials.api_v2_key, sign_type);
            assert_eq!(product_of(&account, &content(&members, &sign)), Some(("p&1".to_owned(), sign_type)));
        }
        assert_eq!(product_of(&account, &content(&members, &"A".repeat(32))), None);
        assert_eq!(product_of(&account, "http://127.0.0.1/"), None);
    }
}
