//! WeChat Pay's keys: listed, changed while everything runs, and wrong on purpose.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::merchant::Merchant;
use crate::notifications::{Receiver, Reply};
use crate::world::{json_of, problem_of};

async fn rotate(merchant: &Merchant, key: &str) -> String {
    let changed = json_of(merchant.world.post("/sandbox/wechat/keys/rotate", json!({"key": key})).await, 200).await;
    changed["serial"].as_str().unwrap_or_default().to_owned()
}

async fn signed_by(merchant: &Merchant, which: &str) {
    json_of(merchant.world.post("/sandbox/wechat/settings", json!({"notifications_signed_by": which})).await, 200).await;
}

/// Makes and pays an order, and answers the headers and body of its notice.
async fn notice(merchant: &Merchant, receiver: &mut Receiver, number: &str) -> (HeaderMap, String) {
    merchant.native(number, &receiver.url).await;
    merchant.world.pay(number, "once").await;
    merchant.deliver().await;
    (receiver.headers().await.pop().unwrap(), receiver.arrived().remove(0).1)
}

#[tokio::test]
async fn certificates_are_listed_encrypted_and_two_hold_after_a_change() {
    let mut merchant = Merchant::start().await;
    rotate(&merchant, "platform_certificate").await;
    merchant.credentials = merchant.world.sandbox.credentials().wechat;
    let listed = merchant.call("GET", "/v3/certificates", &Value::Null).await.json();
    let listed: Vec<_> = listed["data"].as_array().unwrap().iter().collect();
    let held = &merchant.credentials.platform_certificates;
    assert_eq!((listed.len(), held.len()), (2, 2));
    for (listed, held) in listed.iter().zip(held) {
        assert_eq!(listed["serial_no"], held.serial);
        assert_eq!(merchant.open(&listed["encrypt_certificate"]), held.certificate);
        assert!(listed["expire_time"].as_str().unwrap() > listed["effective_time"].as_str().unwrap());
    }
    for held in held {
        json_of(merchant.world.post("/sandbox/wechat/keys/retire", json!({"serial": held.serial})).await, 200).await;
    }
    merchant.call("GET", "/v3/certificates", &Value::Null).await.assert_refused(404, "RESOURCE_NOT_EXISTS");
    let only = json!({"serial": merchant.credentials.public_key_id});
    problem_of(merchant.world.post("/sandbox/wechat/keys/retire", only).await, 422, "invalid").await;
}

#[tokio::test]
async fn an_answer_is_signed_with_the_key_that_the_request_names() {
    let merchant = Merchant::start().await;
    let address = format!("/v3/pay/transactions/out-trade-no/100001?mchid={}", merchant.credentials.mchid);
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    let certificate = merchant.credentials.platform_certificates[0].serial.clone();
    for (named, by) in [
        (None, &certificate),
        (Some(&certificate), &certificate),
        (Some(&merchant.credentials.public_key_id), &merchant.credentials.public_key_id),
    ] {
        let authorization = merchant.authorization("GET", &address, "", merchant.world.now().timestamp());
        let answered = merchant.send("GET", &address, "", &authorization, named.map(String::as_str)).await;
        assert_eq!(answered.headers["wechatpay-serial"], by.as_str());
        assert!(merchant.is_signed(&answered.headers, &answered.text));
    }
}

#[tokio::test]
async fn notices_are_signed_with_the_kind_of_key_that_is_set_and_with_the_newest() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    signed_by(&merchant, "platform_certificate").await;
    let newest = rotate(&merchant, "platform_certificate").await;
    let (headers, body) = notice(&merchant, &mut receiver, "100001").await;
    assert_eq!(headers["wechatpay-serial"], newest.as_str());
    assert!(merchant.is_signed(&headers, &body));
    signed_by(&merchant, "public_key").await;
    let newest = rotate(&merchant, "public_key").await;
    let (headers, body) = notice(&merchant, &mut receiver, "100002").await;
    assert_eq!(headers["wechatpay-serial"], newest.as_str());
    assert!(newest.starts_with("PUB_KEY_ID_") && merchant.is_signed(&headers, &body));
}

#[tokio::test]
async fn a_key_that_is_announced_signs_only_when_it_is_used() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    let before = merchant.credentials.public_key_id.clone();
    let wish = json!({"key": "public_key", "use": "later"});
    let announced = json_of(merchant.world.post("/sandbox/wechat/keys/rotate", wish).await, 200).await;
    assert!(announced["published"].as_str().unwrap().contains("PUBLIC KEY"));
    assert_eq!(announced["wechat"]["public_key_id"], before);
    assert_eq!(notice(&merchant, &mut receiver, "100001").await.0["wechatpay-serial"], before.as_str());
    json_of(merchant.world.post("/sandbox/wechat/keys/use", json!({"serial": announced["serial"]})).await, 200).await;
    let (headers, _) = notice(&merchant, &mut receiver, "100002").await;
    assert_eq!(headers["wechatpay-serial"], announced["serial"].as_str().unwrap());
    for (place, body) in [("use", json!({"serial": "none"})), ("rotate", json!({"key": "api_v3_key", "use": "later"}))] {
        problem_of(merchant.world.post(&format!("/sandbox/wechat/keys/{place}"), body).await, 422, "invalid").await;
    }
}

#[tokio::test]
async fn the_merchants_own_keys_change_too() {
    let (mut merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    let old = merchant.credentials.clone();
    rotate(&merchant, "merchant_certificate").await;
    rotate(&merchant, "api_v3_key").await;
    assert_eq!(merchant.query("100001").await.status, 404, "the old certificate still holds");
    merchant.credentials = merchant.world.sandbox.credentials().wechat;
    assert_ne!((&merchant.credentials.merchant_serial, &merchant.credentials.api_v3_key), (&old.merchant_serial, &old.api_v3_key));
    assert_eq!(merchant.query("100001").await.status, 404);
    let (_, body) = notice(&merchant, &mut receiver, "100001").await;
    assert_eq!(merchant.read(&body).0, "TRANSACTION.SUCCESS");
    json_of(merchant.world.post("/sandbox/wechat/keys/retire", json!({"serial": old.merchant_serial})).await, 200).await;
    let new = std::mem::replace(&mut merchant.credentials, old);
    merchant.query("100001").await.assert_refused(401, "SIGN_ERROR");
    merchant.credentials = new;
    let merchant = Merchant { world: merchant.world.restarted().await, ..merchant };
    assert_eq!(merchant.world.sandbox.credentials().wechat.merchant_serial, merchant.credentials.merchant_serial);
}

#[tokio::test]
async fn a_probe_comes_once_and_the_real_notice_after_it() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Status(401)).await);
    merchant.native("100001", &receiver.url).await;
    merchant.world.pay("100001", "sign_test").await;
    merchant.deliver().await;
    let probe = receiver.headers().await.remove(0);
    assert!(probe["wechatpay-signature"].to_str().unwrap().starts_with("WECHATPAY/SIGNTEST/"));
    assert_eq!(merchant.deliver().await, 0, "the next comes after fifteen seconds");
    receiver.answer(Reply::Success).await;
    merchant.world.advance(15_000).await;
    assert_eq!(merchant.deliver().await, 1);
    let (headers, arrived) = (receiver.headers().await.pop().unwrap(), receiver.arrived());
    assert_eq!((arrived.len(), &arrived[0].1), (2, &arrived[1].1));
    assert!(merchant.is_signed(&headers, &arrived[1].1) && headers["wechatpay-timestamp"] != probe["wechatpay-timestamp"]);
    assert_eq!(merchant.world.trade("100001").await["deliveries"][0]["status"], "delivered");
}
