use chassis::identity::Role;
use chrono::TimeDelta;
use database::values;
use serde_json::{Value, json};

use super::rows::ORDER;
use super::stage::{Stage, start};

const PATH: &str = "/api/v1/entitlements";

impl Stage {
    /// Something that Alice is entitled to; `second` counts when it was granted.
    pub(super) async fn entitlement(&self, entitlement_id: &str, status: &str, second: i64) {
        let granted_at = start() + TimeDelta::seconds(second);
        let revoked_at = (status == "revoked").then(|| granted_at + TimeDelta::days(1));
        let sql = "insert into entitlement_view (entitlement_id, order_id, buyer_id, kind, goods_id, sku_id, name, quantity, status, \
             granted_at, revoked_at, position) values ($1, $2, 'alice', 'material', 'notes', null, 'Notes', 1, $3, $4, $5, 5)";
        self.views.execute(sql, values![entitlement_id, ORDER, status, granted_at, revoked_at]).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_bought_is_shown_with_how_it_stands() {
    let stage = Stage::new().await;
    stage.entitlement("1-001", "active", 0).await;
    stage.entitlement("1-002", "revoked", 1).await;
    let page = stage.as_buyer("alice").read(PATH).await;
    let shown = |id: &str, status: &str, granted: &str, revoked: Value| {
        json!({
            "entitlement_id": id, "order_id": ORDER, "kind": "material", "goods_id": "notes", "sku_id": null, "name": "Notes",
            "quantity": 1, "status": status, "granted_at": granted, "revoked_at": revoked,
        })
    };
    let expected = [
        shown("1-002", "revoked", "2026-07-20T08:00:01Z", json!("2026-07-21T08:00:01Z")),
        shown("1-001", "active", "2026-07-20T08:00:00Z", Value::Null),
    ];
    assert_eq!(page, json!({ "items": expected, "next_cursor": null }));
    assert_eq!(stage.as_buyer("bob").read(PATH).await, json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn pages_hold_each_once_the_newest_first() {
    let stage = Stage::new().await;
    for (number, id) in (0..).zip(["1", "2", "3", "4", "5"]) {
        stage.entitlement(id, "active", number / 2).await;
    }
    let alice = stage.as_buyer("alice");
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Value = alice.read(&format!("{PATH}?limit=2{cursor}")).await;
        listed.extend(page["items"].as_array().unwrap().iter().map(|item| item["entitlement_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, ["5", "4", "3", "2", "1"]);
}

#[tokio::test]
async fn only_buyers_may_ask_and_a_wrong_parameter_is_refused_by_name() {
    let stage = Stage::new().await;
    for role in [Role::Service, Role::Operator, Role::Auditor] {
        stage.as_role("alice", role).get(PATH).await.assert_problem(403, "forbidden");
    }
    stage.as_nobody().get(PATH).await.assert_problem(401, "unauthenticated");
    for (query, field) in [("limit=0", "limit"), ("cursor=x", "cursor"), ("kind=material", "kind"), ("after_position=-1", "after_position")]
    {
        assert_eq!(stage.as_buyer("alice").refused_field(&format!("{PATH}?{query}")).await, field);
    }
}
