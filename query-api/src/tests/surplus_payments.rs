use chassis::identity::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::rows::{ORDER, PAY_NO, REFUND, SURPLUS, SurplusSeed};
use super::stage::{Caller, Stage, start};

const PATH: &str = "/api/v1/surplus-payments";

async fn ids(caller: &Caller<'_>, query: &str) -> Vec<String> {
    let page = caller.read(&format!("{PATH}{query}")).await;
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn money_that_was_not_owed_is_shown_with_what_becomes_of_it() {
    let stage = Stage::new().await;
    stage.surplus(SurplusSeed::default()).await;
    let page = stage.as_role("olga", Role::Operator).read(PATH).await;
    let expected = json!({
        "id": SURPLUS, "kind": "paid_twice", "order_id": ORDER, "pay_no": PAY_NO, "out_trade_no": "OLD-7",
        "channel": "alipay_qr", "trade_no": "T1", "amount": 9900, "amount_text": "99.00", "currency": "CNY", "refunded_amount": 0,
        "paid_at": "2026-07-20T08:00:00Z", "received_at": "2026-07-20T08:00:00Z",
        "state": "needs_operator", "refund_no": REFUND, "resolved_reason": null, "actions": ["retry", "settle", "resolve"],
    });
    assert_eq!((&page["items"][0], &page["next_cursor"]), (&expected, &Value::Null));
}

#[tokio::test]
async fn the_actions_are_those_that_an_operator_may_take_now() {
    for (kind, state, refund_status, actions) in [
        ("paid_twice", "needs_operator", Some("needs_operator"), json!(["retry", "settle", "resolve"])),
        ("paid_twice", "needs_operator", Some("failed"), json!(["resolve"])),
        ("after_cancel", "needs_operator", None, json!(["resolve"])),
        ("late", "needs_operator", Some("exhausted"), json!(["resolve"])),
        ("late", "open", None, json!(["resolve"])),
        ("late", "revived", None, json!([])),
        ("late", "refunding", Some("requested"), json!([])),
        ("amount_mismatch", "refunded", Some("succeeded"), json!([])),
        ("amount_mismatch", "resolved", Some("failed"), json!([])),
        ("amount_mismatch", "resolved", Some("needs_operator"), json!(["retry", "settle"])),
        ("unmatched", "needs_operator", None, json!([])),
    ] {
        let stage = Stage::new().await;
        stage.surplus(SurplusSeed { kind, state, refund_status, ..SurplusSeed::default() }).await;
        let page = stage.as_role("olga", Role::Operator).read(PATH).await;
        assert_eq!(page["items"][0]["actions"], actions, "{kind} {state} {refund_status:?}");
    }
}

#[tokio::test]
async fn money_that_no_pay_record_asked_for_names_none() {
    let stage = Stage::new().await;
    let seed = SurplusSeed { surplus_id: "unknown_capture-alipay-T1", kind: "unmatched", refund_status: None, ..SurplusSeed::default() };
    stage.surplus(seed).await;
    let page = stage.as_role("olga", Role::Operator).read(PATH).await;
    let item = &page["items"][0];
    assert_eq!(
        (&item["order_id"], &item["pay_no"], &item["paid_at"], &item["refund_no"]),
        (&Value::Null, &Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(item["out_trade_no"], "OLD-7");
}

#[tokio::test]
async fn operators_and_auditors_see_it_and_nobody_else() {
    let stage = Stage::new().await;
    stage.surplus(SurplusSeed::default()).await;
    for caller in [stage.as_role("olga", Role::Operator), stage.as_auditor()] {
        assert_eq!(ids(&caller, "").await, [SURPLUS]);
    }
    for role in [Role::Buyer, Role::Service] {
        stage.as_role("alice", role).get(PATH).await.assert_problem(403, "forbidden");
    }
    stage.as_nobody().get(PATH).await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn pages_hold_each_once_the_newest_first_and_only_what_is_asked_for() {
    let stage = Stage::new().await;
    let all = ["1-a.b", "2-T", "3-T", "unknown_capture-alipay-T", "5-T"];
    for (number, surplus_id) in (0_i64..).zip(all) {
        let becomes = if number == 1 { "refunded" } else { "refunding" };
        let received_at = start() + TimeDelta::seconds(number / 2);
        stage.surplus(SurplusSeed { surplus_id, state: becomes, received_at, ..SurplusSeed::default() }).await;
    }
    let olga = stage.as_role("olga", Role::Operator);
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = olga.read(&format!("{PATH}?limit=2{cursor}")).await;
        listed.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, ["5-T", "unknown_capture-alipay-T", "3-T", "2-T", "1-a.b"]);
    assert_eq!(ids(&olga, "?state=refunded").await, ["2-T"]);
    assert_eq!(ids(&olga, "?state=refunding&limit=1").await, ["5-T"]);
    assert_eq!(ids(&olga, "?state=needs_operator").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let stage = Stage::new().await;
    for (query, field) in
        [("limit=0", "limit"), ("cursor=%25", "cursor"), ("state=lost", "state"), ("after_position=soon", "after_position")]
    {
        assert_eq!(stage.as_auditor().refused_field(&format!("{PATH}?{query}")).await, field);
    }
}
