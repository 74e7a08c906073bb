//! The control routes, with their bad input.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::world::{World, json_of, problem_of};

#[tokio::test]
async fn the_credentials_are_what_the_embedded_sandbox_has() {
    let world = World::start().await;
    let document = json_of(world.get("/sandbox/credentials").await, 200).await;
    let read: sandbox::Credentials = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(read, world.sandbox.credentials());
    let alipay = &document["alipay"];
    assert_eq!(alipay["gateway_url"], format!("{}/sandbox/alipay/gateway.do", world.base));
    assert!(alipay["app_private_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(alipay["alipay_public_key_base64"].as_str().unwrap().starts_with("MIIBIjANBgkq"));
    let printed = format!("{:?} {read:?}", world.sandbox);
    assert!(!printed.contains("PRIVATE KEY") && !printed.contains("MII"), "{printed}");
}

#[tokio::test]
async fn a_trade_is_shown_through_its_life() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let coded = world.trade("1001").await;
    assert_eq!((&coded["status"], &coded["trade_status"], &coded["trade_no"]), (&json!("coded"), &Value::Null, &Value::Null));
    assert_eq!((&coded["amount"], &coded["currency"], &coded["subject"]), (&json!(19_900), &json!("CNY"), &json!("编程课程")));
    assert_eq!((&coded["notification"], &coded["deliveries"]), (&Value::Null, &json!([])));
    world.get("/sandbox/cashier/1001").await;
    let scanned = world.trade("1001").await;
    assert_eq!((&scanned["status"], &scanned["trade_status"]), (&json!("awaiting_buyer"), &json!("WAIT_BUYER_PAY")));
    let paid = world.pay("1001", "once").await;
    assert_eq!((&paid["status"], &paid["trade_status"], &paid["paid_amount"]), (&json!("paid"), &json!("TRADE_SUCCESS"), &json!(19_900)));
    assert_eq!((&paid["trade_no"], &paid), (&scanned["trade_no"], &world.trade("1001").await));
}

#[tokio::test]
async fn a_payment_needs_no_body() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let response = world.client.post(format!("{}/sandbox/trades/1001/pay", world.base)).send().await.unwrap();
    assert_eq!(json_of(response, 200).await["status"], "paid");
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused() {
    let world = World::start().await;
    for (number, hours) in [("1001", 0), ("1002", 0), ("1003", 2), ("1004", 2)] {
        world.precreate(number, None).await.done();
        if number != "1003" {
            world.get(&format!("/sandbox/cashier/{number}")).await;
        }
        match number {
            "1001" => drop(world.pay(number, "once").await),
            "1002" => drop(world.close(number).await),
            "1003" => drop(world.advance(hours * 3_600_000).await),
            _ => drop(world.advance((hours + 1) * 3_600_000).await),
        }
        let before = world.trade(number).await;
        let response = world.post(&format!("/sandbox/trades/{number}/pay"), json!({"notify": "once"})).await;
        problem_of(response, 409, "not_payable").await;
        assert_eq!(world.trade(number).await, before, "{number}");
    }
    problem_of(world.post("/sandbox/trades/9999/pay", json!({})).await, 404, "not_found").await;
    problem_of(world.get("/sandbox/trades/9999").await, 404, "not_found").await;
}

#[tokio::test]
async fn of_many_payments_at_once_one_is_made() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let pay = || world.post("/sandbox/trades/1001/pay", json!({}));
    let (a, b, c, d) = tokio::join!(pay(), pay(), pay(), pay());
    let mut statuses = [a, b, c, d].map(|response| response.status().as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    assert_eq!(world.trade("1001").await["deliveries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let fault = |member: &str, value: Value| {
        let mut fault = json!({"operation": "query", "fault": "refuse", "count": 1});
        fault[member] = value;
        ("/sandbox/faults", fault, member.to_owned())
    };
    let clock = |value: Value| ("/sandbox/clock", json!({"advance_ms": value}), "advance_ms".to_owned());
    let pay = |value: Value| ("/sandbox/trades/1001/pay", json!({"notify": value}), "notify".to_owned());
    let cases = [
        fault("operation", json!("transfer")),
        fault("operation", Value::Null),
        fault("fault", json!("explode")),
        fault("channel", json!("aggregate")),
        fault("fault", json!("sign_test")),
        fault("count", json!(0)),
        fault("count", json!(10_001)),
        fault("count", json!(-1)),
        fault("count", json!("1")),
        fault("extra", json!(1)),
        clock(json!(-1)),
        clock(json!(31_622_400_001_i64)),
        clock(json!("1")),
        clock(json!(1.5)),
        pay(json!("thrice")),
        pay(json!("late:soon")),
        pay(json!(1)),
        ("/sandbox/trades/1001/pay", json!({"notfy": "once"}), "notfy".to_owned()),
        ("/sandbox/clock", json!({}), "advance_ms".to_owned()),
    ];
    for (path, body, field) in cases {
        let document = problem_of(world.post(path, body.clone()).await, 422, "invalid").await;
        assert_eq!(document["errors"][0]["field"], field, "{path} {body}");
    }
    assert_eq!(world.trade("1001").await["status"], "coded");
    assert_eq!(world.clock.offset_ms(), 0);
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn unreadable_input_and_unknown_routes_are_problems() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    for path in ["/sandbox/faults", "/sandbox/clock", "/sandbox/trades/1001/pay"] {
        let request = || world.client.post(format!("{}{path}", world.base));
        let unreadable = request().header("content-type", "application/json").body("{").send().await.unwrap();
        problem_of(unreadable, 400, "unreadable_json").await;
        let other_type = request().header("content-type", "text/plain").body("{}").send().await.unwrap();
        problem_of(other_type, 415, "unsupported_media_type").await;
        problem_of(world.client.delete(format!("{}{path}", world.base)).send().await.unwrap(), 405, "method_not_allowed").await;
    }
    problem_of(world.get("/sandbox/nowhere").await, 404, "not_found").await;
}

#[tokio::test]
async fn a_lost_state_is_told_as_such() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.lose_state().await;
    problem_of(world.get("/sandbox/trades/1001").await, 503, "store_unavailable").await;
    problem_of(world.post("/sandbox/trades/1001/pay", json!({})).await, 503, "store_unavailable").await;
    problem_of(world.get("/sandbox/cashier/1001").await, 503, "store_unavailable").await;
    problem_of(world.post("/sandbox/clock", json!({"advance_ms": 1})).await, 503, "store_unavailable").await;
    assert_eq!(world.clock.offset_ms(), 0);
    let answer = world.query("1001").await;
    assert_eq!((answer.sub_code(), &answer.node["code"], answer.is_signed), ("isp.unknow-error", &json!("20000"), true));
    assert!(world.sandbox.run_once(world.now()).await.is_err());
}

#[tokio::test]
async fn the_clock_moves_ahead_and_is_shown() {
    let world = World::start().await;
    let before = world.now();
    assert_eq!(json_of(world.get("/sandbox/clock").await, 200).await["offset_ms"], 0);
    world.advance(3_600_000).await;
    let shown = world.advance(1_000).await;
    assert_eq!((&shown["offset_ms"], world.clock.offset_ms()), (&json!(3_601_000), 3_601_000));
    let now: DateTime<Utc> = shown["now"].as_str().unwrap().parse().unwrap();
    assert!(now >= before + TimeDelta::milliseconds(3_601_000));
    assert_eq!(json_of(world.get("/sandbox/clock").await, 200).await["offset_ms"], 3_601_000);
}

#[tokio::test]
async fn every_answer_tells_the_sandboxs_own_time() {
    let world = World::start().await;
    world.advance(7_200_000).await;
    let call = world.members("alipay.trade.query", &json!({"out_trade_no": "1001"}), None);
    let gateway = world.client.post(&world.credentials.gateway_url).header("content-type", crate::world::FORM);
    let gateway = gateway.body(crate::world::form(&call)).send().await.unwrap();
    for response in [gateway, world.get("/sandbox/clock").await, world.get("/sandbox/nowhere").await] {
        let dates: Vec<_> = response.headers().get_all("date").iter().collect();
        assert_eq!(dates.len(), 1, "{}", response.url());
        let date = DateTime::parse_from_rfc2822(dates[0].to_str().unwrap()).unwrap().to_utc();
        assert!((world.now() - date).abs() < TimeDelta::seconds(30), "{date} at {}", response.url());
    }
}

#[tokio::test]
async fn the_clock_never_runs_a_hundred_years_ahead() {
    let world = World::start().await;
    for _ in 0..100 {
        world.advance(31_622_400_000).await;
    }
    problem_of(world.post("/sandbox/clock", json!({"advance_ms": 1})).await, 422, "invalid").await;
}
