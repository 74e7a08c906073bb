//! Calls that are refused or go unanswered on demand.

use std::time::Duration;

use sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::world::{World, json_of, problem_of};

async fn impatient() -> World {
    World::start_with(|config| SandboxConfig { fault_hold: Duration::from_millis(50), ..config }).await
}

async fn add(world: &World, operation: &str, fault: &str, count: u32) -> Value {
    let asked = json!({"operation": operation, "channel": "alipay_qr", "fault": fault, "count": count});
    json_of(world.post("/sandbox/faults", asked).await, 201).await
}

fn precreate_content(number: &str) -> Value {
    json!({"out_trade_no": number, "total_amount": "1.00", "subject": "course", "product_code": "QR_CODE_OFFLINE"})
}

#[tokio::test]
async fn the_next_calls_are_refused_and_then_no_more() {
    let world = World::start().await;
    let added = add(&world, "precreate", "refuse", 2).await;
    assert_eq!(added, json!({"operation": "precreate", "channel": "alipay", "fault": "refuse", "count": 2}));
    for _ in 0..2 {
        world.precreate("1001", None).await.assert_refused("ACQ.ACCESS_FORBIDDEN");
    }
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.precreate("1001", None).await.done();
}

#[tokio::test]
async fn a_time_out_before_leaves_nothing_done() {
    let world = impatient().await;
    add(&world, "precreate", "timeout_before", 1).await;
    assert!(world.try_call("alipay.trade.precreate", &precreate_content("1001"), None).await.is_err());
    problem_of(world.get("/sandbox/trades/1001").await, 404, "not_found").await;
    world.precreate("1001", None).await.done();
}

#[tokio::test]
async fn a_time_out_after_leaves_it_done() {
    let world = impatient().await;
    add(&world, "precreate", "timeout_after", 1).await;
    assert!(world.try_call("alipay.trade.precreate", &precreate_content("1001"), None).await.is_err());
    assert_eq!(world.trade("1001").await["status"], "coded");
    world.get("/sandbox/cashier/1001").await;
    add(&world, "close", "timeout_after", 1).await;
    assert!(world.try_call("alipay.trade.close", &json!({"out_trade_no": "1001"}), None).await.is_err());
    assert_eq!(world.query("1001").await.done()["trade_status"], "TRADE_CLOSED");
}

#[tokio::test]
async fn a_held_call_outlasts_a_clients_patience() {
    let world = World::start().await;
    add(&world, "query", "timeout_before", 1).await;
    let content = json!({"out_trade_no": "1001"});
    let call = world.try_call("alipay.trade.query", &content, None);
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn faults_of_one_operation_come_in_the_order_they_were_asked_for() {
    let world = impatient().await;
    add(&world, "query", "refuse", 1).await;
    add(&world, "query", "timeout_before", 1).await;
    world.query("1001").await.assert_refused("ACQ.ACCESS_FORBIDDEN");
    assert!(world.try_call("alipay.trade.query", &json!({"out_trade_no": "1001"}), None).await.is_err());
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn a_call_without_a_good_signature_uses_up_no_fault() {
    let world = World::start().await;
    add(&world, "query", "refuse", 1).await;
    let mut members = world.members("alipay.trade.query", &json!({"out_trade_no": "1001"}), None);
    members[1].1 = "{}".to_owned();
    let request = world.client.post(&world.credentials.gateway_url).body(crate::world::form(&members));
    assert!(request.send().await.unwrap().text().await.unwrap().contains("isv.invalid-signature"));
    world.query("1001").await.assert_refused("ACQ.ACCESS_FORBIDDEN");
}
