use chassis::identity::Role;
use chrono::TimeDelta;
use database::values;
use serde_json::{Value, json};

use super::rows::{CODE, COUPON, ORDER, OrderSeed, PAY_NO};
use super::stage::{Caller, Stage, start};

const OTHER: &str = "331284905322184705";

async fn ids(caller: &Caller<'_>, query: &str) -> Vec<String> {
    let page = caller.read(&format!("/api/v1/orders{query}")).await;
    page["items"].as_array().unwrap().iter().map(|order| order["order_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_order_is_shown_with_its_items_pay_records_and_times() {
    let stage = Stage::new().await;
    stage.all_at(5).await;
    stage.order(OrderSeed { status: "paid", ..OrderSeed::default() }).await;
    stage.pay_record("33128490532218470402", ORDER, None, None).await;
    stage.pay_record(PAY_NO, ORDER, None, Some(CODE)).await;
    let order = stage.as_buyer("alice").read(&format!("/api/v1/orders/{ORDER}")).await;
    assert_eq!((order["amount"].as_i64(), &order["amount_text"], &order["currency"]), (Some(19_900), &json!("199.00"), &json!("CNY")));
    assert_eq!(
        order["items"][0],
        json!({
            "goods_id": "course-rust", "name": "Rust", "quantity": 1,
            "unit_price_amount": 19_900, "unit_price_text": "199.00", "amount": 19_900, "amount_text": "199.00",
        })
    );
    assert_eq!((&order["status"], &order["payment_status"], &order["shipping_status"]), (&json!("paid"), &json!("paid"), &json!("none")));
    assert_eq!((&order["created_at"], &order["paid_at"]), (&json!("2026-07-20T08:00:00Z"), &json!("2026-07-20T08:01:00Z")));
    assert_eq!((&order["refunds"], &order["shipment"]), (&json!([]), &Value::Null));
    let records = order["pay_records"].as_array().unwrap();
    assert_eq!(records.iter().map(|record| &record["pay_no"]).collect::<Vec<_>>(), [PAY_NO, "33128490532218470402"]);
    assert_eq!((&records[0]["qr_content"], records[0].get("qr_code")), (&json!(CODE), None));
}

#[tokio::test]
async fn an_order_shows_what_a_coupon_took_off_its_lines() {
    let stage = Stage::new().await;
    stage.all_at(5).await;
    stage.order(OrderSeed::default()).await;
    let (alice, path) = (stage.as_buyer("alice"), format!("/api/v1/orders/{ORDER}"));
    let discount = |order: &Value| (order["discount_amount"].clone(), order["discount_text"].clone(), order["coupon_id"].clone());
    assert_eq!(discount(&alice.read(&path).await), (json!(0), json!("0.00"), Value::Null));
    let sql = "update order_view set amount = 19400, discount_amount = 500, coupon_id = $1";
    stage.views.execute(sql, values![COUPON]).await.unwrap();
    let order = alice.read(&path).await;
    assert_eq!(discount(&order), (json!(500), json!("5.00"), json!(COUPON)));
    let lines: i64 = order["items"].as_array().unwrap().iter().map(|item| item["amount"].as_i64().unwrap()).sum();
    assert_eq!(order["amount"].as_i64().unwrap() + 500, lines);
    assert_eq!(discount(&alice.read("/api/v1/orders").await["items"][0]), discount(&order));
}

#[tokio::test]
async fn the_entity_tag_is_the_streams_revision_and_spares_the_body() {
    let stage = Stage::new().await;
    stage.all_at(5).await;
    stage.order(OrderSeed::default()).await;
    let (alice, path) = (stage.as_buyer("alice"), format!("/api/v1/orders/{ORDER}"));
    assert_eq!(alice.get(&path).await.header("etag"), "\"2\"");
    let unchanged = alice.get_with(&path, &[("if-none-match", "\"2\"")]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.header("etag"), unchanged.body.len()), (304, "\"2\"", 0));
    stage.pay(ORDER, 4, 5).await;
    let changed = alice.get_with(&path, &[("if-none-match", "\"2\"")]).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"4\""));
}

#[tokio::test]
async fn an_order_whose_pay_records_are_behind_is_shown_without_a_tag() {
    let stage = Stage::new().await;
    stage.follower_at("orders", 5).await;
    stage.order(OrderSeed::default()).await;
    let reply = stage.as_buyer("alice").get(&format!("/api/v1/orders/{ORDER}")).await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, ""));
    stage.follower_at("pay_records", 5).await;
    assert_eq!(stage.as_buyer("alice").get(&format!("/api/v1/orders/{ORDER}")).await.header("etag"), "\"2\"");
}

#[tokio::test]
async fn each_sees_its_own_and_operators_and_auditors_see_all() {
    let stage = Stage::new().await;
    stage.all_at(5).await;
    stage.order(OrderSeed::default()).await;
    stage.order(OrderSeed { order_id: OTHER, buyer_id: "bob", service: Some("library"), ..OrderSeed::default() }).await;
    let both = vec![OTHER.to_owned(), ORDER.to_owned()];
    for (caller, seen) in [
        (stage.as_buyer("alice"), vec![ORDER.to_owned()]),
        (stage.as_buyer("bob"), vec![OTHER.to_owned()]),
        (stage.as_buyer("library"), vec![]),
        (stage.as_role("library", Role::Service), vec![OTHER.to_owned()]),
        (stage.as_role("alice", Role::Service), vec![]),
        (stage.as_role("olga", Role::Operator), both.clone()),
        (stage.as_auditor(), both),
    ] {
        assert_eq!(ids(&caller, "").await, seen);
        for order_id in [ORDER, OTHER] {
            for path in [format!("/api/v1/orders/{order_id}"), format!("/api/v1/orders/{order_id}/watch")] {
                let status = caller.open(&path, &[]).await.status().as_u16();
                assert_eq!(status, if seen.iter().any(|id| id == order_id) { 200 } else { 404 }, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_and_who_has_no_role_are_refused() {
    let stage = Stage::new().await;
    stage.order(OrderSeed::default()).await;
    let without_role = stage.token("alice", &[]);
    for path in ["/api/v1/orders".to_owned(), format!("/api/v1/orders/{ORDER}"), format!("/api/v1/orders/{ORDER}/watch")] {
        stage.as_nobody().get(&path).await.assert_problem(401, "unauthenticated");
        let bearer = format!("Bearer {without_role}");
        stage.as_nobody().get_with(&path, &[("authorization", &bearer)]).await.assert_problem(403, "forbidden");
        stage.as_nobody().get_with(&path, &[("authorization", "Bearer x")]).await.assert_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn what_is_no_order_is_not_found() {
    let stage = Stage::new().await;
    for id in [OTHER, "0", "01", "-1", "abc", "%00", "999999999999999999999999"] {
        stage.as_buyer("alice").get(&format!("/api/v1/orders/{id}")).await.assert_problem(404, "not_found");
        stage.as_buyer("alice").get(&format!("/api/v1/orders/{id}/watch")).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn pages_hold_each_order_once_also_while_new_ones_come() {
    let stage = Stage::new().await;
    // Several at the same moment: the id decides among them.
    let all: [&'static str; 7] = [
        "331000000000000001",
        "331000000000000002",
        "331000000000000003",
        "331000000000000004",
        "331000000000000005",
        "331000000000000006",
        "331000000000000007",
    ];
    for (number, order_id) in (0_i64..).zip(all) {
        stage.order(OrderSeed { order_id, created_at: start() + TimeDelta::seconds(number / 3), ..OrderSeed::default() }).await;
    }
    let alice = stage.as_buyer("alice");
    let (mut listed, mut cursor, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = alice.read(&format!("/api/v1/orders?limit=3{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        sizes.push(items.len());
        listed.extend(items.iter().map(|order| order["order_id"].as_str().unwrap().to_owned()));
        if sizes.len() == 1 {
            let created_at = start() + TimeDelta::hours(1);
            stage.order(OrderSeed { order_id: "331000000000000009", created_at, ..OrderSeed::default() }).await;
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(listed, all.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(ids(&alice, "").await.len(), 8);
}

#[tokio::test]
async fn a_list_is_filtered_by_status_and_order_type() {
    let stage = Stage::new().await;
    stage.order(OrderSeed { status: "paid", ..OrderSeed::default() }).await;
    stage.order(OrderSeed { order_id: OTHER, order_type: "workshop", ..OrderSeed::default() }).await;
    let alice = stage.as_buyer("alice");
    for (query, seen) in [
        ("?status=paid", vec![ORDER]),
        ("?status=awaiting_payment", vec![OTHER]),
        ("?order_type=workshop", vec![OTHER]),
        ("?order_type=course&status=awaiting_payment", vec![]),
        ("?status=expired", vec![]),
    ] {
        assert_eq!(ids(&alice, query).await, seen, "{query}");
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let stage = Stage::new().await;
    let alice = stage.as_buyer("alice");
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=%25", "cursor"),
        ("status=paying", "status"),
        ("order_type=Course", "order_type"),
        ("after_position=soon", "after_position"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
    ] {
        assert_eq!(alice.refused_field(&format!("/api/v1/orders?{query}")).await, field, "{query}");
    }
    stage.order(OrderSeed::default()).await;
    assert_eq!(alice.refused_field(&format!("/api/v1/orders/{ORDER}?colour=red")).await, "colour");
}

#[tokio::test]
async fn views_that_do_not_answer_are_a_problem_that_tells_nothing() {
    let stage = Stage::new().await;
    stage.views.close().await;
    let reply = stage.as_buyer("alice").get("/api/v1/orders").await;
    reply.assert_problem(503, "store_unavailable");
    assert!(!reply.header("retry-after").is_empty() && !reply.text().to_lowercase().contains("sql"), "{}", reply.text());
}

#[tokio::test]
async fn a_row_that_its_writer_never_writes_is_our_failure() {
    let stage = Stage::new().await;
    stage.order(OrderSeed::default()).await;
    stage.views.execute("update order_view set items_json = '[{}]'", Vec::new()).await.unwrap();
    stage.as_buyer("alice").get("/api/v1/orders").await.assert_problem(500, "internal");
}
