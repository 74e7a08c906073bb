//! WeChat Pay's old protocol, and the fixed codes of products.

use std::collections::BTreeMap;

use aes::Aes256;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, KeyInit as _};
use axum::Router;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use rsa::sha2::Sha256;
use serde_json::json;
use tokio::net::TcpListener;

use crate::merchant::{Merchant, hex};
use crate::notifications::{Receiver, Reply};
use crate::world::{json_of, problem_of};

type Members = BTreeMap<String, String>;

fn members(pairs: &[(&str, &str)]) -> Members {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sign(members: &Members, key: &str) -> String {
    let signed = members.iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    let text = signed.flat_map(|(name, value)| [name, "=", value, "&"]).collect::<String>() + "key=" + key;
    if members.get("sign_type").is_some_and(|sign_type| sign_type == "HMAC-SHA256") {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()).unwrap().chain_update(text.as_bytes());
        return hex(&mac.finalize().into_bytes()).to_uppercase();
    }
    hex(&Md5::digest(text.as_bytes())).to_uppercase()
}

fn xml(members: &Members) -> String {
    let parts = members.iter().flat_map(|(name, value)| ["<", name, "><![CDATA[", value, "]]></", name, ">"]);
    let members: String = parts.collect();
    format!("<xml>{members}</xml>")
}

/// Reads what the sandbox writes.
fn read(text: &str) -> Members {
    let mut rest = text.split_once('>').unwrap().1;
    let mut members = Members::new();
    while let Some((name, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once("><![CDATA[")) {
        let (value, after) = after.split_once(&format!("]]></{name}>")).unwrap();
        members.insert(name.to_owned(), value.to_owned());
        rest = after;
    }
    members
}

async fn send(merchant: &Merchant, path: &str, body: String) -> String {
    let response = merchant.world.client.post(format!("{}{path}", merchant.credentials.base_url)).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

/// A signed call whose answer must be signed.
async fn call(merchant: &Merchant, path: &str, pairs: &[(&str, &str)]) -> Members {
    let credentials = &merchant.credentials;
    let mut asked = members(&[("appid", &credentials.appid), ("mch_id", &credentials.mchid), ("nonce_str", "n")]);
    asked.extend(members(pairs));
    asked.insert("sign".to_owned(), sign(&asked, &credentials.api_v2_key));
    let answered = read(&send(merchant, path, xml(&asked)).await);
    let mut signed = answered.clone();
    signed.extend(asked.get("sign_type").map(|sign_type| ("sign_type".to_owned(), sign_type.clone())));
    let expected = if asked.contains_key("sign_type") {
        sign_without_type(&answered, &credentials.api_v2_key)
    } else {
        sign(&answered, &credentials.api_v2_key)
    };
    assert_eq!(answered["sign"], expected, "{answered:?}");
    answered
}

/// The HMAC of an answer that does not say how it is signed.
fn sign_without_type(members: &Members, key: &str) -> String {
    let signed = members.iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    let text = signed.flat_map(|(name, value)| [name, "=", value, "&"]).collect::<String>() + "key=" + key;
    hex(&<Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()).unwrap().chain_update(text.as_bytes()).finalize().into_bytes())
        .to_uppercase()
}

fn order<'a>(number: &'a str, notify_url: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("body", "编程课程"),
        ("out_trade_no", number),
        ("total_fee", "19900"),
        ("spbill_create_ip", "127.0.0.1"),
        ("notify_url", notify_url),
        ("trade_type", "NATIVE"),
        ("product_id", "P1"),
        ("attach", " a&b "),
    ]
}

#[tokio::test]
async fn an_order_is_made_paid_told_and_given_back() {
    for hmac in [false, true] {
        let (merchant, mut receiver) =
            (Merchant::start().await, Receiver::start(Reply::Text("<xml><return_code>SUCCESS</return_code></xml>")).await);
        let with = |mut pairs: Vec<(&'static str, String)>| {
            if hmac {
                pairs.push(("sign_type", "HMAC-SHA256".to_owned()));
            }
            pairs
        };
        let url = receiver.url.clone();
        let asked = with(
            order("100001", &url)
                .into_iter()
                .map(|(name, value)| (name, value.to_owned()))
                .map(|(name, value)| (leak(name), value))
                .collect(),
        );
        let pairs: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let prepaid = call(&merchant, "/pay/unifiedorder", &pairs).await;
        assert_eq!((prepaid["result_code"].as_str(), prepaid["trade_type"].as_str()), ("SUCCESS", "NATIVE"));
        assert!(merchant.page(&prepaid["code_url"]).await.contains("<form"));
        let named = [("out_trade_no", "100001")];
        assert_eq!(call(&merchant, "/pay/orderquery", &named).await["trade_state"], "NOTPAY");
        merchant.world.pay("100001", "once").await;
        assert_eq!(merchant.deliver().await, 1);
        let told = read(&receiver.arrived().remove(0).1);
        let key = &merchant.credentials.api_v2_key;
        assert_eq!(told["sign"], if hmac { sign_without_type(&told, key) } else { sign(&told, key) });
        assert_eq!((told["total_fee"].as_str(), told["attach"].as_str(), told["result_code"].as_str()), ("19900", " a&b ", "SUCCESS"));
        assert_eq!(merchant.world.trade("100001").await["deliveries"][0]["status"], "delivered");
        assert_eq!(call(&merchant, "/pay/orderquery", &named).await["trade_state"], "SUCCESS");
        assert_eq!(call(&merchant, "/pay/unifiedorder", &pairs).await["err_code"], "ORDERPAID");
        let refund =
            [("out_trade_no", "100001"), ("out_refund_no", "R1"), ("total_fee", "19900"), ("refund_fee", "100"), ("notify_url", &url)];
        assert_eq!(call(&merchant, "/secapi/pay/refund", &refund).await["result_code"], "SUCCESS");
        let found = call(&merchant, "/pay/refundquery", &named).await;
        assert_eq!(
            (found["refund_count"].as_str(), found["out_refund_no_0"].as_str(), found["refund_status_0"].as_str()),
            ("1", "R1", "SUCCESS")
        );
        merchant.deliver().await;
        let refunded = opened(&read(&receiver.arrived().remove(0).1)["req_info"], key);
        assert_eq!(
            (refunded["out_refund_no"].as_str(), refunded["refund_status"].as_str(), refunded["refund_fee"].as_str()),
            ("R1", "SUCCESS", "100")
        );
    }
}

/// A name that lives as long as the tests.
fn leak(name: &str) -> &'static str {
    ["body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type", "product_id", "attach"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap()
}

/// What a notification of a refund holds.
fn opened(req_info: &str, key: &str) -> Members {
    let mut bytes = STANDARD.decode(req_info).unwrap();
    let key = hex(&Md5::digest(key.as_bytes()));
    let cipher = Aes256::new(GenericArray::from_slice(key.as_bytes()));
    bytes.chunks_exact_mut(16).for_each(|block| cipher.decrypt_block(GenericArray::from_mut_slice(block)));
    let padding = usize::from(*bytes.last().unwrap());
    read(str::from_utf8(&bytes[..bytes.len() - padding]).unwrap())
}

#[tokio::test]
async fn messages_that_are_not_the_merchants_are_turned_away_unsigned() {
    let merchant = Merchant::start().await;
    let credentials = &merchant.credentials;
    let mut asked =
        members(&[("appid", &credentials.appid), ("mch_id", &credentials.mchid), ("nonce_str", "n"), ("out_trade_no", "100001")]);
    asked.insert("sign".to_owned(), sign(&asked, "another key"));
    for body in [String::new(), "text".to_owned(), "<xml></xml>".to_owned(), xml(&asked), format!("<!DOCTYPE a>{}", xml(&asked))] {
        let answered = read(&send(&merchant, "/pay/orderquery", body.clone()).await);
        assert_eq!(answered["return_code"], "FAIL", "{body}");
        assert!(!answered.contains_key("sign") && !answered.contains_key("result_code"));
    }
}

#[tokio::test]
async fn an_order_closes_after_five_minutes_and_a_number_stands_for_one_content() {
    let merchant = Merchant::start().await;
    let asked = order("100001", "http://127.0.0.1:9/n");
    let first = call(&merchant, "/pay/unifiedorder", &asked).await;
    let second = call(&merchant, "/pay/unifiedorder", &asked).await;
    assert_ne!(first["code_url"], second["code_url"]);
    let mut dearer = asked.clone();
    dearer[2].1 = "1";
    assert_eq!(call(&merchant, "/pay/unifiedorder", &dearer).await["err_code"], "OUT_TRADE_NO_USED");
    let named = [("out_trade_no", "100001")];
    assert_eq!(call(&merchant, "/pay/closeorder", &named).await["err_code"], "INVALID_REQUEST");
    merchant.world.advance(300_000).await;
    assert_eq!(call(&merchant, "/pay/closeorder", &named).await["result_code"], "SUCCESS");
    assert_eq!(call(&merchant, "/pay/closeorder", &named).await["err_code"], "ORDERCLOSED");
    assert_eq!(call(&merchant, "/pay/unifiedorder", &asked).await["err_code"], "ORDERCLOSED");
    assert_eq!(call(&merchant, "/pay/orderquery", &[("out_trade_no", "100009")]).await["err_code"], "ORDERNOTEXIST");
    assert_eq!(call(&merchant, "/pay/refundquery", &named).await["err_code"], "REFUNDNOTEXIST");
    assert_eq!(call(&merchant, "/pay/unifiedorder", &[("body", "x")]).await["err_code"], "LACK_PARAMS");
}

#[tokio::test]
async fn a_refund_by_staff_is_told_in_the_old_form() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Status(200)).await);
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    merchant.world.pay("100001", "never").await;
    json_of(merchant.world.post("/sandbox/wechat/settings", json!({"refund_notify_url": receiver.url})).await, 200).await;
    json_of(merchant.world.post("/sandbox/trades/100001/refund", json!({"amount": 100})).await, 200).await;
    merchant.deliver().await;
    let told = opened(&read(&receiver.arrived().remove(0).1)["req_info"], &merchant.credentials.api_v2_key);
    assert_eq!((told["refund_request_source"].as_str(), told["refund_fee"].as_str()), ("VENDOR_PLATFORM", "100"));
}

#[tokio::test]
async fn a_scan_of_a_products_code_asks_the_merchant_and_leads_to_its_order() {
    let merchant = Merchant::start().await;
    let credentials = merchant.credentials.clone();
    let prepaid = call(&merchant, "/pay/unifiedorder", &order("100001", "http://127.0.0.1:9/n")).await;
    let key = credentials.api_v2_key.clone();
    let answer = {
        let mut answer =
            members(&[("return_code", "SUCCESS"), ("result_code", "SUCCESS"), ("nonce_str", "n"), ("prepay_id", &prepaid["prepay_id"])]);
        answer.extend(members(&[("appid", &credentials.appid), ("mch_id", &credentials.mchid)]));
        answer.insert("sign".to_owned(), sign(&answer, &key));
        xml(&answer)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback_url = format!("http://{}/native", listener.local_addr().unwrap());
    let shop = Router::new().route(
        "/native",
        post(async move |body: String| {
            let asked = read(&body);
            if asked["sign"] == sign(&asked, &key) && asked["product_id"] == "P1" { answer } else { "<xml></xml>".to_owned() }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, shop).await });
    let mut code = members(&[
        ("appid", &credentials.appid),
        ("mch_id", &credentials.mchid),
        ("nonce_str", "n"),
        ("product_id", "P1"),
        ("time_stamp", "1"),
    ]);
    code.insert("sign".to_owned(), sign(&code, &credentials.api_v2_key));
    let query = code.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let qr_content = format!("weixin://wxpay/bizpayurl?{query}");
    let scan = json!({"qr_content": qr_content, "callback_url": callback_url});
    let scanned = json_of(merchant.world.post("/sandbox/wechat/scan", scan).await, 200).await;
    assert_eq!((&scanned["is_signed"], &scanned["out_trade_no"]), (&json!(true), &json!("100001")), "{scanned}");
    assert!(merchant.page(scanned["cashier_url"].as_str().unwrap()).await.contains("<form"));
    let forged = json!({"qr_content": qr_content.replace("P1", "P2"), "callback_url": callback_url});
    problem_of(merchant.world.post("/sandbox/wechat/scan", forged).await, 422, "invalid").await;
}
