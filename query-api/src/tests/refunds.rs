use chassis::identity::Role;
use serde_json::{Value, json};

use super::rows::{ORDER, OrderSeed, PAY_NO, REFUND, RefundSeed};
use super::stage::Stage;

const OTHER: &str = "331284905322184704R02";

fn path() -> String {
    format!("/api/v1/refunds/{REFUND}")
}

#[tokio::test]
async fn a_refund_is_shown_with_what_and_why_and_how_far_it_has_come() {
    let stage = Stage::new().await;
    stage.refund(RefundSeed::default()).await;
    let refund = stage.as_buyer("alice").read(&path()).await;
    let expected = json!({
        "refund_no": REFUND, "order_id": ORDER, "pay_no": PAY_NO, "trade_no": "T1",
        "amount": 9900, "amount_text": "99.00", "currency": "CNY",
        "status": "requested", "cause": "operator", "reason": "ill", "code": null,
        "requested_at": "2026-07-20T08:00:00Z", "refunded_at": null, "updated_at": "2026-07-20T08:00:00Z",
    });
    assert_eq!(refund, expected);
    stage.views.execute("update refund_view set status = 'failed', code = 'ACQ.X', reason = null", Vec::new()).await.unwrap();
    let refund = stage.as_buyer("alice").read(&path()).await;
    assert_eq!((&refund["status"], &refund["code"], &refund["reason"]), (&json!("failed"), &json!("ACQ.X"), &Value::Null));
}

#[tokio::test]
async fn its_entity_tag_is_the_revision_and_spares_the_body() {
    let stage = Stage::new().await;
    stage.refund(RefundSeed::default()).await;
    let alice = stage.as_buyer("alice");
    assert_eq!(alice.get(&path()).await.header("etag"), "\"4\"");
    let unchanged = alice.get_with(&path(), &[("if-none-match", "\"4\"")]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    stage.views.execute("update refund_view set revision = 5", Vec::new()).await.unwrap();
    stage.taken_in(ORDER, 5).await;
    assert_eq!(alice.get_with(&path(), &[("if-none-match", "\"4\"")]).await.status.as_u16(), 200);
}

#[tokio::test]
async fn the_owner_the_service_operators_and_auditors_find_it_and_nobody_else() {
    let stage = Stage::new().await;
    stage.refund(RefundSeed { service: Some("library"), ..RefundSeed::default() }).await;
    for caller in
        [stage.as_buyer("alice"), stage.as_role("library", Role::Service), stage.as_role("olga", Role::Operator), stage.as_auditor()]
    {
        assert_eq!(caller.read(&path()).await["refund_no"], REFUND);
    }
    for caller in [stage.as_buyer("bob"), stage.as_buyer("library"), stage.as_role("alice", Role::Service)] {
        caller.get(&path()).await.assert_problem(404, "not_found");
    }
    stage.as_nobody().get(&path()).await.assert_problem(401, "unauthenticated");
    let nothing = stage.as_bearer(stage.token("alice", &[]));
    nothing.get(&path()).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn what_is_no_refund_is_not_found_and_a_wrong_parameter_is_refused_by_name() {
    let stage = Stage::new().await;
    stage.refund(RefundSeed::default()).await;
    for number in [OTHER, ORDER, "331284905322184704R1", "331284905322184704R00", "abc", "%00"] {
        stage.as_buyer("alice").get(&format!("/api/v1/refunds/{number}")).await.assert_problem(404, "not_found");
    }
    for (query, field) in [("after_position=soon", "after_position"), ("colour=red", "colour")] {
        assert_eq!(stage.as_buyer("alice").refused_field(&format!("{}?{query}", path())).await, field);
    }
}

#[tokio::test]
async fn an_order_shows_its_refunds_and_what_went_back_of_its_payment() {
    let stage = Stage::new().await;
    stage.all_at(5).await;
    stage.order(OrderSeed { status: "paid", ..OrderSeed::default() }).await;
    let alice = stage.as_buyer("alice");
    let order = alice.read(&format!("/api/v1/orders/{ORDER}")).await;
    assert_eq!((&order["refunds"], &order["refunded_amount"], &order["refunded_text"]), (&json!([]), &json!(0), &json!("0.00")));
    stage.refund(RefundSeed { refund_no: OTHER, ..RefundSeed::default() }).await;
    stage.refund(RefundSeed { status: "succeeded", ..RefundSeed::default() }).await;
    stage.refund(RefundSeed { refund_no: "331284905322184705R01", order_id: "331284905322184705", ..RefundSeed::default() }).await;
    let sql = "update order_view set payment_status = 'partially_refunded', refunded_amount = 9900";
    stage.views.execute(sql, Vec::new()).await.unwrap();
    let order = alice.read(&format!("/api/v1/orders/{ORDER}")).await;
    let refunds = order["refunds"].as_array().unwrap();
    assert_eq!(refunds.iter().map(|refund| &refund["refund_no"]).collect::<Vec<_>>(), [REFUND, OTHER]);
    assert_eq!(refunds[0], alice.read(&path()).await, "the same members");
    assert_eq!((&refunds[0]["status"], &refunds[0]["refunded_at"]), (&json!("succeeded"), &json!("2026-07-20T08:05:00Z")));
    assert_eq!((&order["payment_status"], &order["refunded_amount"]), (&json!("partially_refunded"), &json!(9900)));
    let listed = alice.read("/api/v1/orders").await;
    assert_eq!(listed["items"][0]["payment_status"], "partially_refunded");
    assert_eq!((&listed["items"][0]["refunded_text"], listed["items"][0].get("refunds")), (&json!("99.00"), None));
}
