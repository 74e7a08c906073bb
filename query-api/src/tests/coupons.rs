use chassis::identity::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::rows::{COUPON, CouponSeed, ORDER};
use super::stage::{Stage, start};

const PATH: &str = "/api/v1/coupons";

#[tokio::test]
async fn a_coupon_is_shown_with_what_it_takes_off_and_from_what_sum() {
    let stage = Stage::new().await;
    stage.coupon(CouponSeed::default()).await;
    let page = stage.as_buyer("alice").read(PATH).await;
    let expected = json!({
        "coupon_id": COUPON, "order_id": ORDER, "discount_amount": 500, "least_amount": 2000, "currency": "CNY", "status": "usable",
        "granted_at": "2026-07-20T08:00:00Z", "expires_at": "2026-10-18T08:00:00Z",
    });
    assert_eq!(page, json!({ "items": [expected], "next_cursor": null }));
}

#[tokio::test]
async fn who_was_granted_none_has_none() {
    let stage = Stage::new().await;
    stage.coupon(CouponSeed::default()).await;
    assert_eq!(stage.as_buyer("bob").read(PATH).await, json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn only_what_could_be_used_expires() {
    for (status, after) in [("usable", "expired"), ("reserved", "reserved"), ("used", "used"), ("withdrawn", "withdrawn")] {
        let stage = Stage::new().await;
        stage.coupon(CouponSeed { status, ..CouponSeed::default() }).await;
        let shown = async || stage.as_buyer("alice").read(PATH).await["items"][0]["status"].clone();
        let expires_at = start() + TimeDelta::days(90);
        stage.clock.set(expires_at - TimeDelta::microseconds(1));
        assert_eq!(shown().await, status);
        stage.clock.set(expires_at);
        assert_eq!(shown().await, after, "{status}");
    }
}

#[tokio::test]
async fn pages_hold_each_once_the_newest_first() {
    let stage = Stage::new().await;
    for (number, coupon_id) in (0_i64..).zip(["C1", "C2", "C3", "C4", "C5"]) {
        let granted_at = start() + TimeDelta::seconds(number / 2);
        stage.coupon(CouponSeed { coupon_id, granted_at, ..CouponSeed::default() }).await;
    }
    let alice = stage.as_buyer("alice");
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Value = alice.read(&format!("{PATH}?limit=2{cursor}")).await;
        listed.extend(page["items"].as_array().unwrap().iter().map(|item| item["coupon_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, ["C5", "C4", "C3", "C2", "C1"]);
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
        [("limit=201", "limit"), ("cursor=x", "cursor"), ("status=used", "status"), ("after_position=-1", "after_position")]
    {
        assert_eq!(stage.as_buyer("alice").refused_field(&format!("{PATH}?{query}")).await, field);
    }
}
