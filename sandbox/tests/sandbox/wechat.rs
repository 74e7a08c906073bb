//! WeChat Pay's APIv3 as a merchant and its SDK use it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value, json};

use crate::merchant::{Merchant, hex};
use crate::notifications::{Receiver, Reply};
use crate::world::{json_of, problem_of};

#[tokio::test]
async fn a_payment_is_told_encrypted_and_signed_and_a_query_says_the_same() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Status(204)).await);
    let code_url = merchant.native("100001", &receiver.url).await;
    let unpaid = merchant.query("100001").await.json();
    assert_eq!((&unpaid["trade_state"], &unpaid["amount"]["total"]), (&json!("NOTPAY"), &json!(19_900)));
    assert!(unpaid.get("transaction_id").is_none() && unpaid.get("success_time").is_none());
    assert!(merchant.page(&code_url).await.contains("<form"));
    let paid = merchant.world.pay("100001", "once").await;
    assert_eq!((&paid["trade_status"], merchant.deliver().await), (&json!("SUCCESS"), 1));
    let (content_type, body) = receiver.arrived().remove(0);
    let headers = receiver.headers().await.remove(0);
    assert_eq!(content_type, "application/json");
    assert_eq!(headers["wechatpay-serial"], merchant.credentials.public_key_id.as_str());
    assert!(merchant.is_signed(&headers, &body) && !merchant.is_signed(&headers, &format!("{body} ")));
    let (event, told) = merchant.read(&body);
    let queried = merchant.query("100001").await.json();
    assert_eq!((event.as_str(), &told), ("TRANSACTION.SUCCESS", &queried));
    for (member, value) in [
        ("trade_state", json!("SUCCESS")),
        ("trade_type", json!("NATIVE")),
        ("attach", json!("a b")),
        ("mchid", json!(merchant.credentials.mchid)),
        ("appid", json!(merchant.credentials.appid)),
        ("payer", json!({"openid": merchant.credentials.openid})),
        ("transaction_id", paid["trade_no"].clone()),
    ] {
        assert_eq!(told[member], value, "{member}");
    }
    let by_own_number = format!("/v3/pay/transactions/id/{}?mchid={}", paid["trade_no"].as_str().unwrap(), merchant.credentials.mchid);
    assert_eq!(merchant.call("GET", &by_own_number, &Value::Null).await.json(), queried);
    let shown = merchant.world.trade("100001").await;
    assert_eq!((&shown["notification"], &shown["deliveries"][0]["status"]), (&json!(body), &json!("delivered")));
    let headers: HeaderMap = (&serde_json::from_value::<std::collections::HashMap<String, String>>(shown["notification_headers"].clone())
        .unwrap())
        .try_into()
        .unwrap();
    assert!(merchant.is_signed(&headers, &body));
}

#[tokio::test]
async fn a_call_that_is_not_the_merchants_is_answered_401() {
    let merchant = Merchant::start().await;
    let (now, address) =
        (merchant.world.now().timestamp(), format!("/v3/pay/transactions/out-trade-no/1?mchid={}", merchant.credentials.mchid));
    let good = merchant.authorization("GET", &address, "", now);
    let other_serial = good.replace(&merchant.credentials.merchant_serial, &"A".repeat(40));
    for (authorization, body) in [
        (String::new(), ""),
        ("Bearer x".to_owned(), ""),
        ("WECHATPAY2-SHA256-RSA2048 mchid=\"1\"".to_owned(), ""),
        (merchant.authorization("GET", &address, "", now - 310), ""),
        (merchant.authorization("GET", &address, "", now + 310), ""),
        (merchant.authorization("POST", &address, "", now), ""),
        (merchant.authorization("GET", "/v3/pay/transactions/out-trade-no/1", "", now), ""),
        (good.replace(&format!("mchid=\"{}\"", merchant.credentials.mchid), "mchid=\"1\""), ""),
        (other_serial, ""),
        (good.clone(), "x"),
    ] {
        let answered = merchant.send("GET", &address, body, &authorization, None).await;
        answered.assert_refused(401, "SIGN_ERROR");
    }
    merchant.send("GET", &address, "", &good, None).await.assert_refused(404, "ORDER_NOT_EXIST");
    let whole = merchant.authorization("GET", &format!("/sandbox/wechat{address}"), "", now);
    merchant.send("GET", &address, "", &whole, None).await.assert_refused(404, "ORDER_NOT_EXIST");
    merchant.send("GET", &address, "", &good, Some("PUB_KEY_ID_0")).await.assert_refused(400, "PARAM_ERROR");
    let bare = merchant.world.client.get(format!("{}{address}", merchant.credentials.base_url)).header("authorization", &good).send().await;
    assert_eq!(bare.unwrap().status(), 400);
}

#[tokio::test]
async fn a_repeat_gets_a_new_code_and_the_old_one_leads_nowhere() {
    let merchant = Merchant::start().await;
    let first = merchant.native("100001", "http://127.0.0.1:9/n").await;
    let second = merchant.native("100001", "http://127.0.0.1:9/n").await;
    assert_ne!(first, second);
    assert!(merchant.page(&first).await.contains("expired") && merchant.page(&second).await.contains("<form"));
    let mut dearer = merchant.order("100001", "http://127.0.0.1:9/n");
    dearer["amount"]["total"] = json!(1);
    merchant.call("POST", "/v3/pay/transactions/native", &dearer).await.assert_refused(403, "OUT_TRADE_NO_USED");
    let same = merchant.order("100001", "http://127.0.0.1:9/n");
    merchant.call("POST", "/v3/pay/transactions/app", &same).await.assert_refused(403, "OUT_TRADE_NO_USED");
    assert_eq!((merchant.close("100001").await.status, merchant.close("100001").await.status), (204, 204));
    assert_eq!(merchant.query("100001").await.json()["trade_state"], "CLOSED");
    merchant.call("POST", "/v3/pay/transactions/native", &same).await.assert_refused(400, "ORDER_CLOSED");
    problem_of(merchant.world.post("/sandbox/trades/100001/pay", json!({})).await, 409, "not_payable").await;
    merchant.close("999999").await.assert_refused(404, "ORDER_NOT_EXIST");
    merchant.native("100002", "http://127.0.0.1:9/n").await;
    merchant.world.pay("100002", "never").await;
    merchant.close("100002").await.assert_refused(400, "ORDER_PAID");
}

#[tokio::test]
async fn codes_live_two_hours_and_h5_addresses_five_minutes() {
    let merchant = Merchant::start().await;
    let code = merchant.native("100001", "http://127.0.0.1:9/n").await;
    let mut h5 = merchant.order("100002", "http://127.0.0.1:9/n");
    h5["scene_info"] = json!({"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}});
    let address = merchant.call("POST", "/v3/pay/transactions/h5", &h5).await.json()["h5_url"].as_str().unwrap().to_owned();
    merchant.world.advance(299_000).await;
    let led = format!("{address}&redirect_url=http%3A%2F%2F127.0.0.1%3A9%2Fback");
    assert!(merchant.page(&led).await.contains("<form"));
    merchant.world.advance(2_000).await;
    assert!(merchant.page(&code).await.contains("<form"), "the other order's code still holds");
    let third = merchant.native("100003", "http://127.0.0.1:9/n").await;
    merchant.world.advance(7_200_000).await;
    assert!(merchant.page(&third).await.contains("expired"));
    assert_eq!(merchant.query("100003").await.json()["trade_state"], "NOTPAY");
    assert!(merchant.page(&merchant.native("100003", "http://127.0.0.1:9/n").await).await.contains("<form"));
    // Scanned in time, an order is payable to its own end, and leads back.
    let paid = merchant.world.client.post(&led).send().await.unwrap();
    assert_eq!(paid.headers()["location"], "http://127.0.0.1:9/back");
}

#[tokio::test]
async fn bad_orders_are_refused_by_member() {
    let merchant = Merchant::start().await;
    for (member, value, code) in [
        ("appid", json!("wx0"), "APPID_MCHID_NOT_MATCH"),
        ("mchid", json!("1"), "APPID_MCHID_NOT_MATCH"),
        ("out_trade_no", json!("12345"), "PARAM_ERROR"),
        ("out_trade_no", json!("1".repeat(33)), "PARAM_ERROR"),
        ("out_trade_no", json!("12345/"), "PARAM_ERROR"),
        ("description", json!(""), "PARAM_ERROR"),
        ("description", json!("文".repeat(128)), "PARAM_ERROR"),
        ("notify_url", json!("http://127.0.0.1:9/n?a=1"), "PARAM_ERROR"),
        ("notify_url", json!("http://example.com/n"), "PARAM_ERROR"),
        ("time_expire", json!("2026-03-05 14:08:09"), "PARAM_ERROR"),
        ("time_expire", json!("2020-03-05T14:08:09+08:00"), "PARAM_ERROR"),
        ("amount", json!({"total": 0}), "PARAM_ERROR"),
        ("amount", json!({"total": "19900"}), "PARAM_ERROR"),
        ("amount", json!({"total": 1, "currency": "USD"}), "PARAM_ERROR"),
    ] {
        let mut order = merchant.order("100001", "http://127.0.0.1:9/n");
        order[member] = value;
        merchant.call("POST", "/v3/pay/transactions/native", &order).await.assert_refused(400, code);
    }
    let order = merchant.order("100001", "http://127.0.0.1:9/n");
    for product in ["jsapi", "h5"] {
        merchant.call("POST", &format!("/v3/pay/transactions/{product}"), &order).await.assert_refused(400, "PARAM_ERROR");
    }
    merchant.call("POST", "/v3/pay/transactions/card", &order).await.assert_refused(404, "RESOURCE_NOT_EXISTS");
    merchant.query("100001").await.assert_refused(404, "ORDER_NOT_EXIST");
}

#[tokio::test]
async fn refunds_are_taken_once_a_minute_apart_and_told() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    merchant.refund("R1", 3_000, &receiver.url).await.assert_refused(400, "INVALID_REQUEST");
    merchant.world.pay("100001", "never").await;
    let taken = merchant.refund("R1", 3_000, &receiver.url).await.json();
    assert_eq!(
        (&taken["status"], &taken["amount"]["refund"], &taken["channel"]),
        (&json!("PROCESSING"), &json!(3_000), &json!("ORIGINAL"))
    );
    assert_eq!(merchant.refund("R1", 3_000, &receiver.url).await.json()["refund_id"], taken["refund_id"]);
    merchant.refund("R1", 3_001, &receiver.url).await.assert_refused(400, "INVALID_REQUEST");
    merchant.refund("R2", 1, &receiver.url).await.assert_refused(429, "FREQUENCY_LIMITED");
    assert_eq!((merchant.refund_status("R1").await, merchant.deliver().await), (json!("SUCCESS"), 1));
    let (event, told) = merchant.read(&receiver.arrived().remove(0).1);
    assert_eq!((event.as_str(), &told["out_refund_no"], &told["amount"]["refund"]), ("REFUND.SUCCESS", &json!("R1"), &json!(3_000)));
    assert!(told.get("appid").is_none() && told["success_time"].is_string());
    assert_eq!(merchant.query("100001").await.json()["trade_state"], "REFUND");
    merchant.world.advance(60_000).await;
    merchant.refund("R2", 16_901, &receiver.url).await.assert_refused(400, "INVALID_REQUEST");
    assert_eq!(merchant.refund("R2", 16_900, &receiver.url).await.status, 200);
    merchant.call("GET", "/v3/refund/domestic/refunds/R9", &Value::Null).await.assert_refused(404, "RESOURCE_NOT_EXISTS");
    assert_eq!(merchant.world.trade("100001").await["refunded_amount"], 19_900);
}

#[tokio::test]
async fn refunds_end_slowly_without_money_or_at_a_dead_card_on_demand() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    merchant.world.pay("100001", "never").await;
    let mut events = Vec::new();
    for (number, fault, status) in [("R1", "slow", "PROCESSING"), ("R2", "closed", "CLOSED"), ("R3", "abnormal", "ABNORMAL")] {
        merchant.fault("refund", fault).await;
        assert_eq!(merchant.refund(number, 100, &receiver.url).await.json()["status"], "PROCESSING");
        assert_eq!(merchant.refund_status(number).await, status);
        merchant.deliver().await;
        events.extend(receiver.arrived().iter().map(|(_, body)| merchant.read(body).0));
        merchant.world.advance(61_000).await;
    }
    assert_eq!(events, ["REFUND.CLOSED", "REFUND.ABNORMAL"]);
    assert_eq!(merchant.world.trade("100001").await["refunded_amount"], 200, "a closed refund moves nothing");
    merchant.world.advance(3_600_000).await;
    assert_eq!((merchant.refund_status("R1").await, merchant.deliver().await), (json!("SUCCESS"), 1));
    assert_eq!(merchant.read(&receiver.arrived().remove(0).1).0, "REFUND.SUCCESS");
}

#[tokio::test]
async fn a_late_notice_of_a_refund_is_overtaken_by_the_next() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    merchant.world.pay("100001", "never").await;
    merchant.fault("refund", "notice_late").await;
    merchant.refund("R1", 100, &receiver.url).await;
    merchant.world.advance(61_000).await;
    merchant.refund("R2", 100, &receiver.url).await;
    merchant.deliver().await;
    merchant.world.advance(300_000).await;
    merchant.deliver().await;
    let told: Vec<Value> = receiver.arrived().iter().map(|(_, body)| merchant.read(body).1["out_refund_no"].clone()).collect();
    assert_eq!(told, ["R2", "R1"]);
}

#[tokio::test]
async fn faults_are_answered_in_wechat_pays_words() {
    let merchant = Merchant::start().await;
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    for (fault, status, code) in
        [("refuse", 403, "NO_AUTH"), ("system_error", 500, "SYSTEM_ERROR"), ("rate_limited", 429, "FREQUENCY_LIMITED")]
    {
        merchant.fault("query", fault).await;
        merchant.query("100001").await.assert_refused(status, code);
    }
    merchant.fault("query", "sign_test").await;
    let address = format!("/v3/pay/transactions/out-trade-no/100001?mchid={}", merchant.credentials.mchid);
    let authorization = merchant.authorization("GET", &address, "", merchant.world.now().timestamp());
    let probe = merchant.send("GET", &address, "", &authorization, None).await;
    assert_eq!(probe.status, 200);
    assert!(probe.headers["wechatpay-signature"].to_str().unwrap().starts_with("WECHATPAY/SIGNTEST/"));
    assert!(!merchant.is_signed(&probe.headers, &probe.text));
    merchant.fault("close", "timeout_after").await;
    let body = json!({"mchid": merchant.credentials.mchid}).to_string();
    let address = "/v3/pay/transactions/out-trade-no/100001/close";
    let authorization = merchant.authorization("POST", address, &body, merchant.world.now().timestamp());
    let request = merchant.world.client.post(format!("{}{address}", merchant.credentials.base_url)).header("authorization", authorization);
    let request = request.header("accept", "*/*").header("user-agent", "test").body(body);
    let answer = async { request.send().await?.bytes().await };
    assert!(answer.await.is_err());
    assert_eq!(merchant.query("100001").await.json()["trade_state"], "CLOSED");
}

#[tokio::test]
async fn wrong_and_forged_notices_are_what_they_say() {
    let (merchant, mut receiver) = (Merchant::start().await, Receiver::start(Reply::Success).await);
    merchant.native("100001", &receiver.url).await;
    merchant.world.pay("100001", "forged").await;
    merchant.deliver().await;
    let (headers, (_, body)) = (receiver.headers().await.remove(0), receiver.arrived().remove(0));
    assert!(!merchant.is_signed(&headers, &body) && merchant.read(&body).1["trade_state"] == "SUCCESS");
    assert_eq!(merchant.query("100001").await.json()["trade_state"], "NOTPAY");
    merchant.world.pay("100001", "wrong_amount").await;
    merchant.deliver().await;
    assert_eq!(merchant.read(&receiver.arrived().remove(0).1).1["amount"]["total"], 19_901);
    assert_eq!(merchant.query("100001").await.json()["amount"]["total"], 19_901);
}

#[tokio::test]
async fn a_day_is_told_by_bills_whose_digest_holds() {
    let merchant = Merchant::start().await;
    merchant.native("100001", "http://127.0.0.1:9/n").await;
    let paid = merchant.world.pay("100001", "never").await;
    let paid_at: chrono::DateTime<chrono::Utc> = paid["paid_at"].as_str().unwrap().parse().unwrap();
    let date = (paid_at + chrono::TimeDelta::hours(8)).format("%Y-%m-%d").to_string();
    let trade_bill = format!("/v3/bill/tradebill?bill_date={date}&bill_type=ALL");
    merchant.call("GET", &trade_bill, &Value::Null).await.assert_refused(400, "STATEMENT_CREATING");
    merchant.world.advance(36 * 3_600_000).await;
    for (address, column) in [(trade_bill.as_str(), "订单金额"), (&format!("/v3/bill/fundflowbill?bill_date={date}"), "收支金额")] {
        let bill = merchant.call("GET", address, &Value::Null).await.json();
        let url = bill["download_url"].as_str().unwrap().to_owned();
        let address = url.strip_prefix(&merchant.credentials.base_url).unwrap();
        let authorization = merchant.authorization("GET", address, "", merchant.world.now().timestamp());
        let file = merchant.send("GET", address, "", &authorization, None).await;
        assert!(file.headers.get("wechatpay-signature").is_none() && file.text.contains(column) && file.text.contains("`199.00"));
        let digest = sha1::Digest::finalize(sha1::Digest::chain_update(<sha1::Sha1 as sha1::Digest>::new(), file.text.as_bytes()));
        let digest = hex(&digest);
        assert_eq!((&bill["hash_type"], &bill["hash_value"]), (&json!("SHA1"), &json!(digest)));
        let other = address.replace("until=", "until=1");
        let authorization = merchant.authorization("GET", &other, "", merchant.world.now().timestamp());
        merchant.send("GET", &other, "", &authorization, None).await.assert_refused(400, "PARAM_ERROR");
    }
    let empty = "/v3/bill/tradebill?bill_date=2026-01-01&bill_type=REFUND";
    assert_eq!(merchant.call("GET", empty, &Value::Null).await.status, 400);
    let shown = json_of(merchant.world.get(&format!("/sandbox/bills/{date}")).await, 200).await;
    assert_eq!((&shown["items"][0]["channel"], &shown["items"][0]["amount"]), (&json!("wechat"), &json!(19_900)));
}

#[tokio::test]
async fn a_buyer_inside_wechat_is_known_by_oauth_and_pays_with_signed_parameters() {
    let merchant = Merchant::start().await;
    let credentials = &merchant.credentials;
    let query = |appid: &str, place: &str| {
        format!("{}?appid={appid}&redirect_uri={place}&response_type=code&scope=snsapi_base&state=s", credentials.oauth_authorize_url)
    };
    let led = merchant.world.client.get(query(&credentials.appid, "http%3A%2F%2F127.0.0.1%3A9%2Fp%3Fa%3D1")).send().await.unwrap();
    let place = led.headers()["location"].to_str().unwrap().to_owned();
    let code = place.strip_prefix("http://127.0.0.1:9/p?a=1&code=").unwrap().strip_suffix("&state=s").unwrap();
    for (appid, place) in [("wx0", "http%3A%2F%2F127.0.0.1"), (credentials.appid.as_str(), "http%3A%2F%2Fexample.com")] {
        assert_eq!(merchant.world.client.get(query(appid, place)).send().await.unwrap().status(), 400);
    }
    let exchange = format!(
        "{}?appid={}&secret={}&code={code}&grant_type=authorization_code",
        credentials.oauth_access_token_url, credentials.appid, credentials.app_secret
    );
    let wrong: Value = serde_json::from_str(&merchant.page(&exchange.replace(&credentials.app_secret, "x")).await).unwrap();
    assert_eq!(wrong["errcode"], 40_125);
    let told: Value = serde_json::from_str(&merchant.page(&exchange).await).unwrap();
    assert_eq!(told["openid"], json!(credentials.openid));
    let again: Value = serde_json::from_str(&merchant.page(&exchange).await).unwrap();
    assert_eq!(again["errcode"], 40_029);

    let mut order = merchant.order("100001", "http://127.0.0.1:9/n");
    order["payer"] = json!({"openid": credentials.openid});
    let prepaid = merchant.call("POST", "/v3/pay/transactions/jsapi", &order).await.json();
    let package = format!("prepay_id={}", prepaid["prepay_id"].as_str().unwrap());
    let key = SigningKey::<Sha256>::new(RsaPrivateKey::from_pkcs8_pem(&credentials.merchant_private_key).unwrap());
    let signed = format!("{}\n1\nn\n{package}\n", credentials.appid);
    let mut parameters = json!({"appId": credentials.appid, "timeStamp": "1", "nonceStr": "n", "package": package, "signType": "RSA",
        "paySign": STANDARD.encode(key.sign(signed.as_bytes()).to_bytes())});
    let led = json_of(merchant.world.post("/sandbox/wechat/client-pay", parameters.clone()).await, 200).await;
    assert!(merchant.page(led["cashier_url"].as_str().unwrap()).await.contains("<form"));
    parameters["timeStamp"] = json!("2");
    problem_of(merchant.world.post("/sandbox/wechat/client-pay", parameters).await, 422, "invalid").await;
}
