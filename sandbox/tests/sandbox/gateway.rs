//! The gateway as a merchant's SDK sees it.

use serde_json::json;

use crate::world::{FORM, World, form};

#[tokio::test]
async fn a_code_is_given_for_a_signed_call_and_leads_to_the_cashier() {
    let world = World::start().await;
    let answer = world.precreate("1001", None).await;
    assert_eq!(answer.node_name, "alipay_trade_precreate_response");
    assert_eq!(answer.done()["out_trade_no"], "1001");
    assert_eq!(answer.node["qr_code"], format!("{}/sandbox/cashier/1001", world.base));
    assert!(answer.body.contains(r"http:\/\/127.0.0.1"), "{}", answer.body);
}

#[tokio::test]
async fn an_sdk_may_split_members_over_query_and_body_or_send_all_in_one() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let members = world.members("alipay.trade.query", &json!({"out_trade_no": "1001"}), None);
    let (content, common): (Vec<_>, Vec<_>) = members.iter().cloned().partition(|(name, _)| name == "biz_content");
    let url = &world.credentials.gateway_url;
    let split = world.client.post(format!("{url}?{}", form(&common))).header("content-type", FORM).body(form(&content));
    let in_query = world.client.get(format!("{url}?{}", form(&members)));
    for request in [split, in_query] {
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/html;charset=utf-8".parse().unwrap()));
        world.read(response.text().await.unwrap()).assert_refused("ACQ.TRADE_NOT_EXIST");
    }
}

#[tokio::test]
async fn a_trade_exists_only_from_the_scan() {
    let world = World::start().await;
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.precreate("1001", None).await.done();
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.get("/sandbox/cashier/1001").await;
    let answer = world.query("1001").await;
    assert_eq!(answer.done()["trade_status"], "WAIT_BUYER_PAY");
    assert_eq!((&answer.node["total_amount"], &answer.node["out_trade_no"]), (&json!("199.00"), &json!("1001")));
    assert_eq!(answer.node["receipt_amount"], "0.00");
    assert!(answer.node.get("send_pay_date").is_none());
    assert!(answer.node.get("seller_id").is_none() && answer.node.get("app_id").is_none());
}

#[tokio::test]
async fn a_paid_trade_is_answered_by_either_number() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let trade_no = world.pay("1001", "once").await["trade_no"].as_str().unwrap().to_owned();
    for content in
        [json!({"out_trade_no": "1001"}), json!({"trade_no": trade_no}), json!({"trade_no": trade_no, "out_trade_no": "another"})]
    {
        let answer = world.call("alipay.trade.query", &content, None).await;
        assert_eq!((&answer.done()["trade_status"], &answer.node["trade_no"]), (&json!("TRADE_SUCCESS"), &json!(trade_no)));
        assert_eq!((&answer.node["total_amount"], &answer.node["receipt_amount"]), (&json!("199.00"), &json!("199.00")));
        assert_eq!(answer.node["fund_bill_list"], json!([{"amount": "199.00", "fund_channel": "ALIPAYACCOUNT"}]));
        assert!(answer.node["send_pay_date"].is_string());
    }
    world
        .call("alipay.trade.query", &json!({"trade_no": "2026", "out_trade_no": "1001"}), None)
        .await
        .assert_refused("ACQ.TRADE_NOT_EXIST");
    world.call("alipay.trade.query", &json!({}), None).await.assert_refused("ACQ.INVALID_PARAMETER");
}

#[tokio::test]
async fn a_second_code_for_a_number_is_refused() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.precreate("1001", None).await.assert_refused("ACQ.APPLY_PC_MERCHANT_CODE_ERROR");
    let other = json!({"out_trade_no": "1001", "total_amount": "198.00", "subject": "编程课程", "product_code": "QR_CODE_OFFLINE"});
    world.call("alipay.trade.precreate", &other, None).await.assert_refused("ACQ.CONTEXT_INCONSISTENT");
    world.pay("1001", "never").await;
    world.precreate("1001", None).await.assert_refused("ACQ.TRADE_HAS_SUCCESS");
    assert_eq!(world.trade("1001").await["amount"], 19_900);
}

#[tokio::test]
async fn of_two_calls_at_once_one_gets_the_code() {
    let world = World::start().await;
    let (first, second) = tokio::join!(world.precreate("1001", None), world.precreate("1001", None));
    let mut codes = [first.node["code"].clone(), second.node["code"].clone()];
    codes.sort_by_key(ToString::to_string);
    assert_eq!(codes, [json!("10000"), json!("40004")]);
}

#[tokio::test]
async fn only_a_trade_that_awaits_its_buyer_can_be_closed() {
    let world = World::start().await;
    world.close("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.precreate("1001", None).await.done();
    world.close("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.get("/sandbox/cashier/1001").await;
    let trade_no = world.trade("1001").await["trade_no"].clone();
    assert_eq!(world.close("1001").await.done()["trade_no"], trade_no);
    assert_eq!(world.query("1001").await.done()["trade_status"], "TRADE_CLOSED");
    world.close("1001").await.assert_refused("ACQ.TRADE_STATUS_ERROR");

    world.precreate("1002", None).await.done();
    world.pay("1002", "never").await;
    world.close("1002").await.assert_refused("ACQ.TRADE_STATUS_ERROR");
    assert_eq!(world.query("1002").await.done()["trade_status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_close_before_the_scan_does_not_end_the_code() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.close("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    assert_eq!(world.pay("1001", "never").await["status"], "paid");
}

#[tokio::test]
async fn an_unscanned_code_expires_after_two_hours() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.advance(2 * 3_600_000).await;
    assert_eq!(world.trade("1001").await["status"], "code_expired");
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn a_scanned_trade_is_closed_when_its_time_is_over() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.get("/sandbox/cashier/1001").await;
    world.advance(3 * 3_600_000).await;
    assert_eq!(world.query("1001").await.done()["trade_status"], "TRADE_CLOSED");
    world.precreate("1001", None).await.assert_refused("ACQ.TRADE_HAS_CLOSE");
}

#[tokio::test]
async fn errors_of_the_gateway_itself_carry_no_signature() {
    let world = World::start().await;
    let unknown = world.call("alipay.trade.pay", &json!({}), None).await;
    assert_eq!((unknown.node_name.as_str(), unknown.sub_code(), unknown.is_signed), ("error_response", "isv.invalid-method", false));
    let mut members = world.members("alipay.trade.query", &json!({"out_trade_no": "1001"}), None);
    members[1].1 = json!({"out_trade_no": "1002"}).to_string();
    let response =
        world.client.post(&world.credentials.gateway_url).header("content-type", FORM).body(form(&members)).send().await.unwrap();
    let altered = world.read(response.text().await.unwrap());
    assert_eq!((altered.node_name.as_str(), altered.sub_code()), ("alipay_trade_query_response", "isv.invalid-signature"));
    assert_eq!((&altered.node["code"], altered.is_signed), (&json!("40002"), false));
    let illegal = world.call("alipay.trade.query", &json!([]), None).await;
    assert_eq!((illegal.sub_code(), illegal.is_signed), ("isv.illegal-json", false));
}

#[tokio::test]
async fn a_place_that_is_never_notified_is_refused_at_once() {
    let world = World::start().await;
    for url in ["http://192.0.2.1/notify", "ftp://127.0.0.1/", "nonsense"] {
        world.precreate("1001", Some(url)).await.assert_refused("ACQ.INVALID_PARAMETER");
    }
    assert_eq!(world.get("/sandbox/trades/1001").await.status(), 404);
}

#[tokio::test]
async fn a_body_without_end_is_refused() {
    let world = World::start().await;
    let response = world.client.post(&world.credentials.gateway_url).body("a".repeat(300_000)).send().await.unwrap();
    assert_eq!(response.status(), 413);
}
