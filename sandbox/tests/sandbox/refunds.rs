//! Money that goes back, by the gateway and on the channel's own website.

use std::time::Duration;

use sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::notifications::{Receiver, Reply};
use crate::world::{World, json_of, problem_of};

/// A world with a paid trade of 199.00 under the number 1001.
async fn paid() -> World {
    paid_with(None).await
}

async fn paid_with(notify_url: Option<&str>) -> World {
    let world = World::start_with(|config| SandboxConfig { fault_hold: Duration::from_millis(50), ..config }).await;
    world.precreate("1001", notify_url).await.done();
    world.pay("1001", "once").await;
    world
}

async fn fault(world: &World, operation: &str, fault: &str) {
    let asked = json!({"operation": operation, "channel": "alipay_qr", "fault": fault, "count": 1});
    json_of(world.post("/sandbox/faults", asked).await, 201).await;
}

fn content(request_no: &str, yuan: &str) -> Value {
    json!({"out_trade_no": "1001", "refund_amount": yuan, "out_request_no": request_no})
}

#[tokio::test]
async fn a_part_goes_back_and_the_trade_stays_paid() {
    let world = paid().await;
    let answer = world.refund("1001", "R-1", "30.00").await;
    assert_eq!(answer.node_name, "alipay_trade_refund_response");
    let node = answer.done();
    assert_eq!((&node["fund_change"], &node["refund_fee"], &node["out_trade_no"]), (&json!("Y"), &json!("30.00"), &json!("1001")));
    assert!(node["gmt_refund_pay"].is_string() && node["trade_no"].is_string() && node.get("send_back_fee").is_none());
    assert_eq!(world.query("1001").await.done()["trade_status"], "TRADE_SUCCESS");
    let trade = world.trade("1001").await;
    assert_eq!((&trade["status"], &trade["refunded_amount"]), (&json!("paid"), &json!(3_000)));
    assert_eq!((&trade["refunds"][0]["request_no"], &trade["refunds"][0]["amount"]), (&json!("R-1"), &json!(3_000)));
}

#[tokio::test]
async fn the_fee_is_the_sum_of_all_refunds_and_the_details_tell_this_one() {
    let world = paid().await;
    world.refund("1001", "R-1", "30.00").await.done();
    let mut second = content("R-2", "50.00");
    second["query_options"] = json!(["refund_detail_item_list"]);
    let answer = world.call("alipay.trade.refund", &second, None).await;
    assert_eq!((&answer.done()["refund_fee"], &answer.node["send_back_fee"]), (&json!("80.00"), &json!("50.00")));
}

#[tokio::test]
async fn a_repeat_moves_no_money_and_says_so() {
    let world = paid().await;
    let first = world.refund("1001", "R-1", "30.00").await;
    let repeated = world.refund("1001", "R-1", "30.00").await;
    assert_eq!((&repeated.done()["fund_change"], &repeated.node["refund_fee"]), (&json!("N"), &json!("30.00")));
    assert_eq!(first.node["gmt_refund_pay"], repeated.node["gmt_refund_pay"]);
    assert_eq!(world.trade("1001").await["refunded_amount"], 3_000);
}

#[tokio::test]
async fn a_number_stands_for_one_amount() {
    let world = paid().await;
    world.refund("1001", "R-1", "30.00").await.done();
    world.refund("1001", "R-1", "30.01").await.assert_refused("ACQ.DISCORDANT_REPEAT_REQUEST");
    assert_eq!(world.trade("1001").await["refunded_amount"], 3_000);
}

#[tokio::test]
async fn no_more_goes_back_than_was_paid() {
    let world = paid().await;
    world.refund("1001", "R-1", "199.01").await.assert_refused("ACQ.REASON_TRADE_REFUND_FEE_ERR");
    world.refund("1001", "R-1", "150.00").await.done();
    world.refund("1001", "R-2", "49.01").await.assert_refused("ACQ.REASON_TRADE_REFUND_FEE_ERR");
    world.refund("1001", "R-2", "49.00").await.done();
    world.refund("1001", "R-3", "0.01").await.assert_refused("ACQ.REASON_TRADE_REFUND_FEE_ERR");
    assert_eq!(world.trade("1001").await["refunded_amount"], 19_900);
}

#[tokio::test]
async fn the_whole_closes_the_trade_and_keeps_when_it_was_paid() {
    let world = paid().await;
    let before = world.query("1001").await;
    world.refund("1001", "R-1", "199.00").await.done();
    let answer = world.query("1001").await;
    assert_eq!(answer.done()["trade_status"], "TRADE_CLOSED");
    for member in ["send_pay_date", "total_amount", "receipt_amount", "trade_no"] {
        assert_eq!(answer.node[member], before.node[member], "{member}");
    }
    assert_eq!(world.trade("1001").await["status"], "refunded");
    assert_eq!(world.refund("1001", "R-1", "199.00").await.done()["fund_change"], "N");
    world.close("1001").await.assert_refused("ACQ.TRADE_STATUS_ERROR");
    world.precreate("1001", None).await.assert_refused("ACQ.TRADE_HAS_CLOSE");
    problem_of(world.post("/sandbox/trades/1001/pay", json!({})).await, 409, "not_payable").await;
    assert!(world.get("/sandbox/cashier/1001").await.text().await.unwrap().contains("Wholly refunded"));
}

#[tokio::test]
async fn what_was_not_paid_is_not_given_back() {
    let world = World::start().await;
    world.refund("1001", "R-1", "1.00").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.precreate("1001", None).await.done();
    world.refund("1001", "R-1", "1.00").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.get("/sandbox/cashier/1001").await;
    world.refund("1001", "R-1", "1.00").await.assert_refused("ACQ.TRADE_STATUS_ERROR");
    world.close("1001").await.done();
    world.refund("1001", "R-1", "1.00").await.assert_refused("ACQ.TRADE_STATUS_ERROR");
    assert_eq!(world.trade("1001").await["refunds"], json!([]));
}

#[tokio::test]
async fn a_refund_of_a_wrong_amount_is_judged_by_what_was_paid() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let paid = world.pay("1001", "wrong_amount").await;
    assert_eq!(paid["paid_amount"], 19_901);
    world.refund("1001", "R-1", "199.01").await.done();
    assert_eq!(world.query("1001").await.done()["trade_status"], "TRADE_CLOSED");
}

#[tokio::test]
async fn bad_content_is_refused() {
    let world = paid().await;
    for (member, value) in [
        ("refund_amount", json!("0.00")),
        ("refund_amount", json!("-1.00")),
        ("refund_amount", json!("1.001")),
        ("refund_amount", Value::Null),
        ("out_request_no", json!("1".repeat(65))),
        ("refund_reason", json!("退".repeat(257))),
        ("out_trade_no", Value::Null),
    ] {
        let mut content = content("R-1", "1.00");
        content[member] = value.clone();
        let answer = world.call("alipay.trade.refund", &content, None).await;
        assert_eq!(answer.sub_code(), "ACQ.INVALID_PARAMETER", "{member} {value}");
    }
    let answer = world.call("alipay.trade.fastpay.refund.query", &json!({"out_trade_no": "1001"}), None).await;
    answer.assert_refused("ACQ.INVALID_PARAMETER");
    assert_eq!(world.trade("1001").await["refunds"], json!([]));
}

#[tokio::test]
async fn only_the_whole_goes_back_without_a_number() {
    let world = paid().await;
    let mut content = json!({"out_trade_no": "1001", "refund_amount": "30.00"});
    world.call("alipay.trade.refund", &content, None).await.assert_refused("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
    content["refund_amount"] = json!("199.00");
    world.call("alipay.trade.refund", &content, None).await.done();
    assert_eq!(world.query_refund("1001", "1001").await.done()["refund_status"], "REFUND_SUCCESS");
}

#[tokio::test]
async fn a_query_tells_of_a_refund_and_says_nothing_of_none() {
    let world = paid().await;
    let none = world.query_refund("1001", "R-1").await;
    assert_eq!(none.done(), &json!({"code": "10000", "msg": "Success"}));
    let refunded = world.refund("1001", "R-1", "30.00").await;
    world.refund("1001", "R-2", "20.00").await.done();
    let found = world.query_refund("1001", "R-1").await;
    for (member, value) in [
        ("refund_status", json!("REFUND_SUCCESS")),
        ("out_request_no", json!("R-1")),
        ("out_trade_no", json!("1001")),
        ("refund_amount", json!("30.00")),
        ("total_amount", json!("199.00")),
        ("gmt_refund_pay", refunded.node["gmt_refund_pay"].clone()),
        ("trade_no", refunded.node["trade_no"].clone()),
    ] {
        assert_eq!(found.done()[member], value, "{member}");
    }
    let unasked = json!({"trade_no": refunded.node["trade_no"], "out_request_no": "R-1"});
    let unasked = world.call("alipay.trade.fastpay.refund.query", &unasked, None).await;
    assert!(unasked.done().get("gmt_refund_pay").is_none() && unasked.node["refund_amount"] == "30.00");
    world.query_refund("9999", "R-1").await.assert_refused("ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn of_many_repeats_at_once_one_moves_money() {
    let world = paid().await;
    let refund = || world.refund("1001", "R-1", "30.00");
    let (a, b, c, d) = tokio::join!(refund(), refund(), refund(), refund());
    let moved = [a, b, c, d].iter().filter(|answer| answer.done()["fund_change"] == "Y").count();
    assert_eq!((moved, &world.trade("1001").await["refunded_amount"]), (1, &json!(3_000)));
}

#[tokio::test]
async fn of_many_refunds_at_once_no_more_than_was_paid_goes_back() {
    let world = paid().await;
    let refund = |number| world.refund("1001", number, "100.00");
    let (a, b, c) = tokio::join!(refund("R-1"), refund("R-2"), refund("R-3"));
    let refused = [a, b, c].iter().filter(|answer| answer.sub_code() == "ACQ.REASON_TRADE_REFUND_FEE_ERR").count();
    assert_eq!((refused, &world.trade("1001").await["refunded_amount"]), (2, &json!(10_000)));
}

#[tokio::test]
async fn a_refused_refund_is_not_made() {
    let world = paid().await;
    fault(&world, "refund", "refuse").await;
    world.refund("1001", "R-1", "30.00").await.assert_refused("ACQ.ACCESS_FORBIDDEN");
    assert_eq!(world.query_refund("1001", "R-1").await.done().get("refund_status"), None);
    assert_eq!(world.refund("1001", "R-1", "30.00").await.done()["fund_change"], "Y");
}

#[tokio::test]
async fn a_time_out_before_a_refund_leaves_it_undone_and_one_after_it_done() {
    let world = paid().await;
    fault(&world, "refund", "timeout_before").await;
    assert!(world.try_call("alipay.trade.refund", &content("R-1", "30.00"), None).await.is_err());
    assert_eq!(world.trade("1001").await["refunded_amount"], 0);
    fault(&world, "refund", "timeout_after").await;
    assert!(world.try_call("alipay.trade.refund", &content("R-1", "30.00"), None).await.is_err());
    assert_eq!(world.trade("1001").await["refunded_amount"], 3_000);
    assert_eq!(world.refund("1001", "R-1", "30.00").await.done()["fund_change"], "N");
    assert_eq!(world.query_refund("1001", "R-1").await.done()["refund_status"], "REFUND_SUCCESS");
}

#[tokio::test]
async fn a_query_of_a_refund_can_be_refused_and_go_unanswered() {
    let world = paid().await;
    fault(&world, "query_refund", "refuse").await;
    world.query_refund("1001", "R-1").await.assert_refused("ACQ.ACCESS_FORBIDDEN");
    for word in ["timeout_before", "timeout_after"] {
        fault(&world, "query_refund", word).await;
        let asked = json!({"out_trade_no": "1001", "out_request_no": "R-1"});
        assert!(world.try_call("alipay.trade.fastpay.refund.query", &asked, None).await.is_err());
    }
    world.query_refund("1001", "R-1").await.done();
}

#[tokio::test]
async fn a_refund_is_told_to_the_trades_address() {
    let mut receiver = Receiver::start(Reply::Success).await;
    let world = paid_with(Some(&receiver.url)).await;
    world.sandbox.run_once(world.now()).await.unwrap();
    receiver.next().await;
    let refund = world.refund("1001", "R-1", "30.00").await;
    world.refund("1001", "R-2", "169.00").await.done();
    world.sandbox.run_once(world.now()).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let (members, is_signed) = world.read_notification(&receiver.next().await);
        assert!(is_signed);
        told.push(members);
    }
    told.sort_by_key(|members| members["out_biz_no"].to_string());
    for (members, [number, fee, back, status]) in
        told.iter().zip([["R-1", "30.00", "30.00", "TRADE_SUCCESS"], ["R-2", "199.00", "169.00", "TRADE_CLOSED"]])
    {
        assert_eq!((&members["out_biz_no"], &members["refund_fee"]), (&json!(number), &json!(fee)));
        assert_eq!((&members["send_back_fee"], &members["trade_status"]), (&json!(back), &json!(status)));
        assert_eq!((&members["total_amount"], &members["out_trade_no"]), (&json!("199.00"), &json!("1001")));
        assert!(members["gmt_payment"].is_string());
        assert_eq!(members.get("gmt_close").is_some(), status == "TRADE_CLOSED");
    }
    let paid_back_at = refund.node["gmt_refund_pay"].as_str().unwrap();
    assert!(told[0]["gmt_refund"].as_str().unwrap().starts_with(paid_back_at));
    assert_ne!(told[0]["notify_id"], told[1]["notify_id"]);
}

#[tokio::test]
async fn a_repeat_is_not_told_again() {
    let world = paid().await;
    for _ in 0..3 {
        world.refund("1001", "R-1", "30.00").await.done();
    }
    assert_eq!(world.trade("1001").await["deliveries"].as_array().unwrap().len(), 2);
}

async fn on_the_website(world: &World, body: Value) -> Value {
    json_of(world.post("/sandbox/trades/1001/refund", body).await, 200).await
}

#[tokio::test]
async fn a_refund_on_the_channels_website_has_a_number_of_the_channels_own() {
    let mut receiver = Receiver::start(Reply::Success).await;
    let world = paid_with(Some(&receiver.url)).await;
    world.sandbox.run_once(world.now()).await.unwrap();
    receiver.next().await;
    let trade = on_the_website(&world, json!({"amount": 3_000})).await;
    assert_eq!((&trade["refunded_amount"], &trade["status"]), (&json!(3_000), &json!("paid")));
    let number = trade["refunds"][0]["request_no"].as_str().unwrap().to_owned();
    assert_eq!(number.len(), 30);
    world.sandbox.run_once(world.now()).await.unwrap();
    let (members, is_signed) = world.read_notification(&receiver.next().await);
    assert!(is_signed && members["out_biz_no"] == json!(number) && members["refund_fee"] == "30.00");
    // What is left counts for the merchant's own refunds, and another one makes another number.
    world.refund("1001", "R-1", "169.01").await.assert_refused("ACQ.REASON_TRADE_REFUND_FEE_ERR");
    let trade = on_the_website(&world, json!({"amount": 16_900, "notify": "never"})).await;
    assert_eq!(trade["status"], "refunded");
    assert_ne!(trade["refunds"][1]["request_no"], trade["refunds"][0]["request_no"]);
    assert_eq!(trade["deliveries"][2]["status"], "withheld");
}

#[tokio::test]
async fn a_refund_on_the_website_that_cannot_be_made_is_a_problem() {
    let world = World::start().await;
    problem_of(world.post("/sandbox/trades/1001/refund", json!({"amount": 1})).await, 404, "not_found").await;
    world.precreate("1001", None).await.done();
    problem_of(world.post("/sandbox/trades/1001/refund", json!({"amount": 1})).await, 409, "refund_exceeds_paid").await;
    world.pay("1001", "once").await;
    problem_of(world.post("/sandbox/trades/1001/refund", json!({"amount": 19_901})).await, 409, "refund_exceeds_paid").await;
    for (body, field) in [
        (json!({"amount": 0}), "amount"),
        (json!({"amount": -1}), "amount"),
        (json!({"amount": "1"}), "amount"),
        (json!({}), "amount"),
        (json!({"amount": 1, "notify": "forged"}), "notify"),
        (json!({"amount": 1, "notify": "wrong_amount"}), "notify"),
        (json!({"amount": 1, "notify": "soon"}), "notify"),
        (json!({"amount": 1, "reason": "x"}), "reason"),
    ] {
        let document = problem_of(world.post("/sandbox/trades/1001/refund", body.clone()).await, 422, "invalid").await;
        assert_eq!(document["errors"][0]["field"], field, "{body}");
    }
    assert_eq!(world.trade("1001").await["refunds"], json!([]));
}

#[tokio::test]
async fn refunds_outlast_a_restart() {
    let world = paid().await;
    world.refund("1001", "R-1", "30.00").await.done();
    let before = world.trade("1001").await;
    let world = world.restarted().await;
    let after = world.trade("1001").await;
    assert_eq!((&after["refunds"], &after["refunded_amount"]), (&before["refunds"], &before["refunded_amount"]));
    assert_eq!(world.refund("1001", "R-1", "30.00").await.done()["fund_change"], "N");
}
