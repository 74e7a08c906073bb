//! The statements are one text for both databases: each of them once on Postgres.

use chassis::identity::Role;
use chrono::TimeDelta;
use database::testing::TestDatabase;

use super::rows::{CODE, COUPON, CouponSeed, ORDER, OrderSeed, PAY_NO, REFUND, RefundSeed, SELECTION, SKU, SURPLUS, SurplusSeed};
use super::stage::{Stage, start};
use super::watch::Watch;

async fn stage() -> Stage {
    let stage = Stage::over(TestDatabase::postgres().await).await;
    stage.all_at(5).await;
    stage.order(OrderSeed { service: Some("library"), ..OrderSeed::default() }).await;
    stage.pay_record(PAY_NO, ORDER, Some("library"), Some(CODE)).await;
    stage
}

#[tokio::test]
async fn every_query_answers_on_postgres_as_it_does_on_sqlite() {
    let stage = stage().await;
    stage.selection(SELECTION, Some((start(), Some(start() + TimeDelta::days(1))))).await;
    stage.course(SELECTION, "alice", start()).await;
    stage.course("331284905317990401", "alice", start()).await;
    let alice = stage.as_buyer("alice");
    let both = stage.token("library", &[Role::Buyer, Role::Service]);
    let filtered = "/api/v1/orders?status=awaiting_payment&order_type=course&after_position=5";
    for caller in [&alice, &stage.as_role("library", Role::Service), &stage.as_auditor(), &stage.as_bearer(both)] {
        assert_eq!(caller.read(filtered).await["items"].as_array().unwrap().len(), 1);
    }
    let order = alice.read(&format!("/api/v1/orders/{ORDER}")).await;
    assert_eq!((&order["pay_records"][0]["pay_no"], &order["created_at"]), (&PAY_NO.into(), &"2026-07-20T08:00:00Z".into()));
    assert_eq!(alice.read(&format!("/api/v1/pay-records/{PAY_NO}")).await["qr_content"], CODE);
    assert_eq!(alice.get(&format!("/api/v1/pay-records/{PAY_NO}/qr")).await.status.as_u16(), 200);
    assert_eq!(alice.read(&format!("/api/v1/course-selections/{SELECTION}")).await["status"], "active");
    stage.refund(RefundSeed { status: "succeeded", ..RefundSeed::default() }).await;
    assert_eq!(alice.read(&format!("/api/v1/refunds/{REFUND}")).await["refunded_at"], "2026-07-20T08:05:00Z");
    assert_eq!(alice.read(&format!("/api/v1/orders/{ORDER}")).await["refunds"][0]["refund_no"], REFUND);
    for (surplus_id, state) in [(SURPLUS, "refunding"), ("unknown_capture-alipay-T1", "needs_operator")] {
        stage.surplus(SurplusSeed { surplus_id, state, ..SurplusSeed::default() }).await;
    }
    let olga = stage.as_role("olga", Role::Operator);
    let first = olga.read("/api/v1/surplus-payments?limit=1").await;
    let second = olga.read(&format!("/api/v1/surplus-payments?cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&first["items"][0]["state"], &second["items"][0]["id"]), (&"needs_operator".into(), &SURPLUS.into()));
    assert_eq!(olga.read("/api/v1/surplus-payments?state=refunding").await["items"][0]["id"], SURPLUS);
    stage.points(ORDER, "alice", 10, start()).await;
    stage.points(ORDER, "alice", -10, start()).await;
    let points = alice.read("/api/v1/points?limit=1").await;
    assert_eq!((&points["balance"], &points["entries"][0]["cause"]), (&0.into(), &"refund".into()));
    assert_eq!(stage.as_buyer("bob").read("/api/v1/points").await["balance"], 0);
    stage.stock(5, 2, 1, 3).await;
    assert_eq!(alice.read(&format!("/api/v1/stock/{SKU}")).await["available"], 3);
    for (coupon_id, status) in [(COUPON, "usable"), ("C331284905322184705", "used")] {
        stage.coupon(CouponSeed { coupon_id, status, ..CouponSeed::default() }).await;
    }
    let first = alice.read("/api/v1/coupons?limit=1").await;
    let second = alice.read(&format!("/api/v1/coupons?cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&first["items"][0]["status"], &second["items"][0]["coupon_id"]), (&"used".into(), &COUPON.into()));
    stage.entitlement("1-001", "active", 0).await;
    assert_eq!(alice.read("/api/v1/entitlements").await["items"][0]["entitlement_id"], "1-001");
    stage.parked("points-1", "parked", 0).await;
    for query in ["", "?state=parked"] {
        assert_eq!(olga.read(&format!("/api/v1/parked{query}")).await["items"][0]["id"], "points-1");
    }
    let first = alice.read("/api/v1/course-table?limit=1").await;
    let second = alice.read(&format!("/api/v1/course-table?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(
        (&first["items"][0]["selection_id"], &second["items"][0]["selection_id"]),
        (&"331284905317990401".into(), &SELECTION.into())
    );
}

#[tokio::test]
async fn a_change_is_heard_on_postgres() {
    let stage = stage().await;
    let mut watch = Watch::open(&stage).await;
    assert_eq!(watch.next().await.unwrap().1["status"], "awaiting_payment");
    stage.pay(ORDER, 4, 5).await;
    stage.log.wake(5);
    assert_eq!(watch.next().await.unwrap().1["status"], "paid");
}
