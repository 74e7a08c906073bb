use chassis::identity::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::stage::{Stage, start};

const PATH: &str = "/api/v1/points";

#[tokio::test]
async fn who_has_bought_nothing_has_none() {
    let stage = Stage::new().await;
    let points = stage.as_buyer("alice").read(PATH).await;
    assert_eq!(points, json!({ "balance": 0, "experience": 0, "level": 1, "entries": [], "next_cursor": null }));
}

#[tokio::test]
async fn the_balance_is_the_sum_of_the_callers_entries_whatever_the_page() {
    let stage = Stage::new().await;
    for number in 1..=12_i64 {
        stage.points(&format!("3312849053221847{number:02}"), "alice", 10, start() + TimeDelta::seconds(number / 2)).await;
    }
    stage.points("331284905322184712", "alice", -10, start() + TimeDelta::seconds(100)).await;
    stage.points("331284905322184799", "bob", 10, start()).await;
    let alice = stage.as_buyer("alice");
    let mut listed: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = alice.read(&format!("{PATH}?limit=5{cursor}")).await;
        assert_eq!((&page["balance"], &page["experience"], &page["level"]), (&json!(110), &json!(110), &json!(2)));
        listed.extend(page["entries"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let taken = json!({ "order_id": "331284905322184712", "points": -10, "cause": "refund", "at": "2026-07-20T08:01:40Z" });
    assert_eq!((listed.len(), &listed[0]), (13, &taken));
    let orders: Vec<_> = listed[1..].iter().map(|entry| entry["order_id"].as_str().unwrap()).collect();
    let newest_first: Vec<_> = (1..=12).rev().map(|number| format!("3312849053221847{number:02}")).collect();
    assert_eq!(orders, newest_first);
    assert_eq!(stage.as_buyer("bob").read(PATH).await["balance"], 10);
}

#[tokio::test]
async fn only_buyers_may_ask() {
    let stage = Stage::new().await;
    for role in [Role::Service, Role::Operator, Role::Auditor] {
        stage.as_role("alice", role).get(PATH).await.assert_problem(403, "forbidden");
    }
    stage.as_nobody().get(PATH).await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let stage = Stage::new().await;
    for (query, field) in
        [("limit=201", "limit"), ("cursor=x", "cursor"), ("cause=refund", "cause"), ("after_position=-1", "after_position")]
    {
        assert_eq!(stage.as_buyer("alice").refused_field(&format!("{PATH}?{query}")).await, field);
    }
}
