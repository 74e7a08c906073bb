//! From a course to a paid seat in it.

use serde_json::{Value, json};

use super::harness::audit::types;
use super::harness::journey::{create_business_order, open_order, paid_order};
use super::harness::random::unique;
use super::harness::{Config, FREE_COURSE, PAID_COURSE, PAID_COURSE_FEN, Paystream, SharedPaystream, StoreKind, eventually, qr, run};

static SHARED: SharedPaystream = SharedPaystream::new("lifecycle");

#[test]
fn a_paid_course_is_selected_ordered_paid_and_stands_in_the_course_table() {
    run(whole_way(StoreKind::Embedded));
}

#[test]
fn the_same_way_is_gone_with_log_views_and_state_in_postgres() {
    run(whole_way(StoreKind::Postgres));
}

async fn whole_way(store: StoreKind) {
    let server = Paystream::start("whole-way", Config::on(store)).await;
    let alice = server.sign_in("alice").await;

    let selection = alice.select_course(PAID_COURSE).await.expect(201);
    assert_eq!((selection.field("charge"), selection.field("status")), ("paid".to_owned(), "unpaid".to_owned()));
    assert_eq!(selection.json()["price_amount"], PAID_COURSE_FEN);
    let selection_id = selection.field("selection_id");

    let order = alice.order_selection(&selection_id).await.expect(201);
    let order_id = order.field("order_id");
    let answered = order.json();
    for (member, value) in [
        ("status", json!("awaiting_payment")),
        ("order_type", json!("course")),
        ("out_business_id", json!(selection_id)),
        ("amount", json!(PAID_COURSE_FEN)),
        ("currency", json!("CNY")),
    ] {
        assert_eq!(answered[member], value, "{member} of {order}");
    }

    let record = alice.pay_by_alipay_qr(&order_id).await.expect(201);
    let pay_no = record.field("pay_no");
    assert_eq!(pay_no, format!("{order_id}01"));
    assert_eq!((record.field("status"), record.json()["amount"].as_i64()), ("pending".to_owned(), Some(PAID_COURSE_FEN)));
    assert_eq!(qr::read_data_url(&record.field("qr_code")), record.field("qr_content"));

    alice.sandbox_pay(&pay_no, "once").await.expect(200);
    let paid = alice.until_order_is(&order_id, "paid").await;
    assert_eq!(paid["payment_status"], "paid");
    alice.until_pay_record_is(&pay_no, "confirmed").await;
    let row = alice.until_course_is_in_the_table(PAID_COURSE).await;
    assert_eq!((&row["order_id"], &row["selection_id"]), (&json!(order_id), &json!(selection_id)));
    until_selection_is(&server, &selection_id, "active").await;

    let auditor = server.sign_in("audrey").await;
    let events = auditor.stream(&format!("order-{order_id}")).await;
    assert_eq!(types(&events), ["OrderCreated", "PayRecordIssued", "PayRecordPrepared", "PaymentConfirmed", "OrderPaid"]);
    assert_everything_for_consumers(&events[3]["data"], &pay_no, &order_id, &selection_id);
    assert_envelopes(&events, &order_id);
}

/// What the contract promises of PaymentConfirmed.
fn assert_everything_for_consumers(data: &Value, pay_no: &str, order_id: &str, selection_id: &str) {
    for (member, value) in [
        ("pay_no", json!(pay_no)),
        ("order_id", json!(order_id)),
        ("order_type", json!("course")),
        ("out_business_id", json!(selection_id)),
        ("buyer_id", json!("alice")),
        ("amount", json!(PAID_COURSE_FEN)),
        ("currency", json!("CNY")),
        ("channel", json!("alipay_qr")),
    ] {
        assert_eq!(data[member], value, "{member} of {data}");
    }
    assert!(data["trade_no"].as_str().is_some_and(|number| !number.is_empty()), "{data}");
    chrono::DateTime::parse_from_rfc3339(data["paid_at"].as_str().unwrap()).unwrap();
    let items = data["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{data}");
    assert_eq!(items[0]["goods_id"], PAID_COURSE);
    assert_eq!((items[0]["quantity"].as_i64(), items[0]["unit_price_amount"].as_i64()), (Some(1), Some(PAID_COURSE_FEN)));
}

/// What the contract promises of each event that an auditor reads.
fn assert_envelopes(events: &[Value], order_id: &str) {
    for (revision, event) in (0_u64..).zip(events) {
        assert_eq!((event["stream_id"].as_str(), event["revision"].as_u64()), (Some(&*format!("order-{order_id}")), Some(revision)));
        for member in ["position", "event_id", "type", "recorded_at"] {
            assert!(event[member].is_string(), "{member} of {event}");
        }
        assert!(event["schema_version"].as_u64() >= Some(1), "{event}");
        for member in ["correlation_id", "actor", "source"] {
            assert!(event["metadata"][member].is_string(), "metadata.{member} of {event}");
        }
    }
}

async fn until_selection_is(server: &Paystream, selection_id: &str, status: &str) {
    let alice = server.buyer("alice");
    eventually(&format!("the selection is {status}"), async || {
        let selection = alice.get(&format!("/api/v1/course-selections/{selection_id}")).send().await.expect(200).json();
        if selection["status"] == status { Ok(()) } else { Err(selection.to_string()) }
    })
    .await;
}

#[test]
fn a_free_course_needs_no_order() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("free"));
        let selection = learner.select_course(FREE_COURSE).await.expect(201);
        assert_eq!((selection.field("charge"), selection.json()["price_amount"].as_i64()), ("free".to_owned(), Some(0)));
        learner.until_course_is_in_the_table(FREE_COURSE).await;
        assert_eq!(learner.get("/api/v1/orders").send().await.expect(200).json()["items"], json!([]));
        let refused = learner.order_selection(&selection.field("selection_id")).await;
        assert!((400..500).contains(&refused.status), "{refused}");
        refused.problem();
    });
}

#[test]
fn selecting_the_same_course_again_answers_the_first_selection() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("again"));
        let first = learner.select_course(PAID_COURSE).await.expect(201);
        let second = learner.select_course(PAID_COURSE).await.expect(200);
        assert_eq!(first.field("selection_id"), second.field("selection_id"));
    });
}

#[test]
fn twenty_selections_of_one_course_at_once_are_one_selection_and_twenty_orders_of_it_one_order() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("at-once"));
        let selections = futures_util::future::join_all((0..20).map(|_| learner.select_course(PAID_COURSE))).await;
        let ids: std::collections::BTreeSet<_> = selections.iter().map(|reply| reply.field("selection_id")).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(selections.iter().filter(|reply| reply.status == 201).count(), 1);

        let selection_id = ids.first().unwrap();
        let orders = futures_util::future::join_all((0..20).map(|_| learner.order_selection(selection_id))).await;
        // Whoever comes while the first is being made may be told to come again; nobody gets another order.
        let answered: Vec<_> = orders.iter().filter(|reply| matches!(reply.status, 200 | 201)).collect();
        let ids: std::collections::BTreeSet<_> = answered.iter().map(|reply| reply.field("order_id")).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert!(
            orders.iter().all(|reply| matches!(reply.status, 200 | 201 | 409)),
            "{:?}",
            orders.iter().map(|r| r.status).collect::<Vec<_>>()
        );
        let listed = learner.get("/api/v1/orders").after(&answered[0].position()).send().await.expect(200).json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn ordering_a_selection_again_answers_the_first_order_even_when_it_is_paid() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("one-order"));
        let order = open_order(&learner).await;
        let again = learner.order_selection(&order.selection_id).await.expect(200);
        assert_eq!(again.field("order_id"), order.order_id);
        learner.sandbox_pay(&order.pay_no, "once").await.expect(200);
        learner.until_order_is(&order.order_id, "paid").await;
        let paid = learner.order_selection(&order.selection_id).await.expect(200);
        assert_eq!((paid.field("order_id"), paid.field("status")), (order.order_id.clone(), "paid".to_owned()));
    });
}

#[test]
fn asking_for_the_code_again_answers_the_live_record() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("same-code"));
        let order = open_order(&learner).await;
        let again = learner.pay_by_alipay_qr(&order.order_id).await.expect(200);
        assert_eq!((again.field("pay_no"), again.field("qr_content")), (order.pay_no.clone(), order.qr_content.clone()));
        assert_eq!(server.auditor().order_event_types(&order.order_id).await, ["OrderCreated", "PayRecordIssued", "PayRecordPrepared"]);
    });
}

#[test]
fn a_paid_order_takes_no_other_pay_record_and_no_cancel() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("paid"));
        let order = paid_order(&learner).await;
        let before = server.auditor().order_event_types(&order.order_id).await;
        learner.pay_by_alipay_qr(&order.order_id).await.expect_problem(409, "order_already_paid");
        let cancel = learner.post(&format!("/api/v1/orders/{}/cancel", order.order_id), &json!({})).send().await;
        cancel.expect_problem(409, "order_already_paid");
        assert_eq!(server.auditor().order_event_types(&order.order_id).await, before);
    });
}

#[test]
fn a_payment_without_a_notification_is_found_when_the_buyer_says_i_have_paid() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("sync"));
        let order = open_order(&learner).await;
        let unpaid = learner.sync(&order.pay_no).await.expect(200);
        assert_eq!(unpaid.field("status"), "pending");
        learner.sandbox_pay(&order.pay_no, "never").await.expect(200);
        let paid = learner.sync(&order.pay_no).await.expect(200);
        assert_eq!(paid.field("status"), "confirmed");
        let view = learner.get(&format!("/api/v1/orders/{}", order.order_id)).after(&paid.position()).send().await.expect(200);
        assert_eq!(view.field("status"), "paid");
        learner.until_course_is_in_the_table(PAID_COURSE).await;
    });
}

#[test]
fn an_order_is_cancelled_before_its_code_is_made_and_never_paid_after() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("cancel"));
        let selection_id = learner.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let order_id = learner.order_selection(&selection_id).await.expect(201).field("order_id");
        let cancelled = learner.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({"reason": "changed my mind"})).send().await;
        assert_eq!(cancelled.expect(200).field("status"), "cancelled");
        learner.pay_by_alipay_qr(&order_id).await.expect_problem(409, "order_closed");
        learner.until_order_is(&order_id, "cancelled").await;
    });
}

#[test]
fn an_order_from_another_business_system_is_paid_like_any_other() {
    run(async {
        let server = SHARED.get().await;
        let (service, buyer_id) = (server.service(), unique("member"));
        let business_id = unique("workshop");
        let order = create_business_order(&service, &buyer_id, &business_id).await.expect(201);
        assert_eq!((order.field("order_type"), order.field("out_business_id")), ("workshop".to_owned(), business_id));
        let order_id = order.field("order_id");
        let member = server.buyer(&buyer_id);
        let pay_no = member.pay_by_alipay_qr(&order_id).await.expect(201).field("pay_no");
        member.sandbox_pay(&pay_no, "once").await.expect(200);
        let paid = member.until_order_is(&order_id, "paid").await;
        assert_eq!(paid["amount"], 4_200);
        assert!(member.course_rows(PAID_COURSE).await.is_empty(), "only course orders open courses");
    });
}

#[test]
fn the_catalogue_names_the_demo_courses_with_their_prices() {
    run(async {
        let server = SHARED.get().await;
        let listed = server.api().get("/api/v1/products?kind=course").send().await.expect(200).json();
        let prices: Vec<_> =
            listed["items"].as_array().unwrap().iter().map(|item| (item["product_id"].clone(), item["price_amount"].clone())).collect();
        assert!(prices.contains(&(json!(PAID_COURSE), json!(PAID_COURSE_FEN))), "{prices:?}");
        assert!(prices.contains(&(json!(FREE_COURSE), json!(0))), "{prices:?}");
        let one = server.api().get(&format!("/api/v1/products/{PAID_COURSE}")).send().await.expect(200).json();
        assert_eq!((&one["kind"], &one["currency"], &one["price_amount"]), (&json!("course"), &json!("CNY"), &json!(PAID_COURSE_FEN)));
        server.api().get("/api/v1/products/no-such-thing").send().await.expect(404).problem();
    });
}

#[test]
fn the_sandbox_may_be_a_process_of_its_own() {
    run(async {
        let channel = Paystream::start("sandbox-alone", Config::in_roles(&["serve", "--roles", "sandbox"])).await;
        // What lies in the broker, a relay has brought there.
        let roles: &[&str] = if Config::default().has_broker {
            &["serve", "--roles", "command-api,query-api,projections,process-managers,relay"]
        } else {
            &["serve", "--roles", "command-api,query-api,projections,process-managers"]
        };
        let config = Config::in_roles(roles).with("PAYSTREAM_SANDBOX_URL", channel.api().base());
        let server = Paystream::start("without-sandbox", config).await;
        let buyer = server.buyer("alice");
        let order = open_order(&buyer).await;
        server.api().get(&format!("/sandbox/trades/{}", order.pay_no)).send().await.expect(404);
        channel.api().get("/api/v1/orders").send().await.expect(404);
        channel.api().sandbox_pay(&order.pay_no, "once").await.expect(200);
        buyer.until_order_is(&order.order_id, "paid").await;
        buyer.until_course_is_in_the_table(PAID_COURSE).await;
    });
}
