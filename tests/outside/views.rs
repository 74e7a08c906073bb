//! What the query side promises: reading one's own writes, paging, entity tags, live updates, and the log for auditors.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::harness::audit::assert_well_formed;
use super::harness::journey::{create_business_order, open_order, paid_order};
use super::harness::random::unique;
use super::harness::watch::Watch;
use super::harness::{PAID_COURSE, SharedPaystream, run};

static SHARED: SharedPaystream = SharedPaystream::new("views");

#[test]
fn a_query_that_names_a_position_sees_what_was_written_up_to_there() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("after"));
        let selection = learner.select_course(PAID_COURSE).await.expect(201);
        let path = format!("/api/v1/course-selections/{}", selection.field("selection_id"));
        learner.get(&path).after(&selection.position()).send().await.expect(200);
        let order = learner.order_selection(&selection.field("selection_id")).await.expect(201);
        let path = format!("/api/v1/orders/{}", order.field("order_id"));
        learner.get(&path).after(&order.position()).send().await.expect(200);
        let record = learner.pay_by_alipay_qr(&order.field("order_id")).await.expect(201);
        let path = format!("/api/v1/pay-records/{}?after_position={}", record.field("pay_no"), record.position());
        assert_eq!(learner.get(&path).send().await.expect(200).field("status"), "pending");
    });
}

#[test]
fn a_query_for_a_view_that_sees_few_events_does_not_wait_for_events_of_others() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("few"));
        let order = create_business_order(&server.service(), &unique("member"), &unique("few")).await.expect(201);
        // The course table sees no event of a workshop's order; it has reached the position all the same.
        learner.get("/api/v1/course-table").after(&order.position()).send().await.expect(200);
    });
}

#[test]
fn a_position_that_no_event_has_yet_ends_in_view_behind_and_says_when_to_come_again() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("future"));
        let reply = learner.get("/api/v1/orders").after("4611686018427387904").send().await;
        reply.expect_problem(503, "view_behind");
        assert!(reply.header("retry-after").parse::<u32>().is_ok(), "{reply}");
        for nonsense in ["-1", "soon", "1.5", "99999999999999999999999999"] {
            let refused = learner.get("/api/v1/orders").after(nonsense).send().await;
            assert!(matches!(refused.status, 400 | 422), "{nonsense}: {refused}");
            refused.problem();
        }
    });
}

#[test]
fn lists_come_in_pages_that_together_hold_each_order_once() {
    run(async {
        let server = SHARED.get().await;
        let (service, member) = (server.service(), unique("pages"));
        let mut made = BTreeSet::new();
        let mut last = String::new();
        for number in 0..7 {
            let order = create_business_order(&service, &member, &unique(&format!("pages-{number}"))).await.expect(201);
            last = order.position();
            made.insert(order.field("order_id"));
        }
        let buyer = server.buyer(&member);
        let (mut listed, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = buyer.get(&format!("/api/v1/orders?limit=3{cursor}")).after(&last).send().await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 3);
            listed.extend(items.iter().map(|item| item["order_id"].as_str().unwrap().to_owned()));
            pages += 1;
            match &page["next_cursor"] {
                Value::Null => break,
                next => cursor = format!("&cursor={}", next.as_str().unwrap()),
            }
        }
        assert_eq!((pages, listed.len()), (3, 7));
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), made);
        for nonsense in ["limit=0", "limit=201", "limit=many", "cursor=%25", "status=paying"] {
            let refused = buyer.get(&format!("/api/v1/orders?{nonsense}")).send().await;
            assert!(matches!(refused.status, 400 | 422), "{nonsense}: {refused}");
            refused.problem();
        }
    });
}

#[test]
fn a_list_is_filtered_by_status_and_by_order_type() {
    run(async {
        let server = SHARED.get().await;
        let member = unique("filter");
        let buyer = server.buyer(&member);
        let paid = paid_order(&buyer).await;
        let open = create_business_order(&server.service(), &member, &unique("filter")).await.expect(201);
        for (query, expected) in [
            ("status=paid", vec![paid.order_id.clone()]),
            ("status=awaiting_payment", vec![open.field("order_id")]),
            ("order_type=workshop", vec![open.field("order_id")]),
            ("order_type=course&status=awaiting_payment", vec![]),
        ] {
            let page = buyer.get(&format!("/api/v1/orders?{query}")).after(&open.position()).send().await.expect(200).json();
            let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["order_id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids, expected, "{query}");
        }
    });
}

#[test]
fn an_order_view_holds_items_totals_pay_records_and_times() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("whole"));
        let order = paid_order(&buyer).await;
        let view = buyer.order(&order.order_id).await;
        assert_eq!((view["amount"].as_i64(), view["amount_text"].as_str()), (Some(19_900), Some("199.00")));
        assert_eq!(view["items"][0]["goods_id"], PAID_COURSE);
        assert_eq!(view["pay_records"][0]["pay_no"], order.pay_no);
        assert_eq!((&view["payment_status"], &view["shipping_status"]), (&json!("paid"), &json!("none")));
        for time in ["created_at", "expires_at", "paid_at"] {
            let text = view[time].as_str().unwrap_or_else(|| panic!("no {time} in {view}"));
            assert!(text.ends_with('Z'), "{time} is not in UTC: {text}");
            chrono::DateTime::parse_from_rfc3339(text).unwrap();
        }
    });
}

#[test]
fn a_command_with_a_stale_entity_tag_is_refused_and_with_the_right_one_done() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("etag"));
        let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let order = buyer.order_selection(&selection_id).await.expect(201);
        let (order_id, path) = (order.field("order_id"), format!("/api/v1/orders/{}", order.field("order_id")));
        let stale = buyer.get(&path).after(&order.position()).send().await.expect(200).header("etag").to_owned();
        assert!(stale.starts_with('"') && stale.ends_with('"'), "{stale}");
        let record = buyer.pay_by_alipay_qr(&order_id).await.expect(201);
        let fresh = buyer.get(&path).after(&record.position()).send().await.expect(200).header("etag").to_owned();
        assert_ne!(stale, fresh);

        let cancel = format!("/api/v1/orders/{order_id}/cancel");
        let before = server.auditor().order_event_types(&order_id).await;
        let refused = buyer.post(&cancel, &json!({})).header("if-match", &stale).send().await;
        assert_eq!(refused.problem()["status"], 412);
        assert_eq!(server.auditor().order_event_types(&order_id).await, before);
        let done = buyer.post(&cancel, &json!({})).header("if-match", &fresh).send().await;
        assert!(matches!(done.status, 200 | 202), "{done}");
    });
}

#[test]
fn a_watched_order_tells_of_its_payment_by_itself() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("watch"));
        let order = open_order(&buyer).await;
        let mut by_order = Watch::open(buyer.get(&format!("/api/v1/orders/{}/watch", order.order_id))).await;
        let checkout = order.checkout_url.clone();
        let mut by_checkout = Watch::open(server.api().get(&format!("{checkout}/watch"))).await;
        by_order.until("the order awaits payment", |data| data["status"] == "awaiting_payment").await;
        buyer.sandbox_pay(&order.pay_no, "once").await.expect(200);
        by_order.until("the order is paid", |data| data["status"] == "paid").await;
        by_checkout.until("the checkout page hears it", |data| data.to_string().contains("\"paid\"")).await;
    });
}

#[test]
fn somebody_elses_order_record_and_selection_are_not_found() {
    run(async {
        let server = SHARED.get().await;
        let (owner, stranger) = (server.buyer(&unique("owner")), server.buyer(&unique("stranger")));
        let order = open_order(&owner).await;
        for path in [
            format!("/api/v1/orders/{}", order.order_id),
            format!("/api/v1/orders/{}/watch", order.order_id),
            format!("/api/v1/pay-records/{}", order.pay_no),
            format!("/api/v1/pay-records/{}/qr", order.pay_no),
            format!("/api/v1/course-selections/{}", order.selection_id),
        ] {
            assert_eq!(owner_status(&owner, &path).await, 200, "{path}");
            stranger.get(&path).send().await.expect(404).problem();
        }
    });
}

/// The status alone: a watched order has no end to read to.
async fn owner_status(owner: &super::harness::Api, path: &str) -> u16 {
    owner.get(path).open().await.status().as_u16()
}

#[test]
fn an_auditor_reads_the_whole_log_in_pages_or_as_lines_and_both_are_the_same() {
    run(async {
        let server = SHARED.alone().await;
        paid_order(&server.buyer(&unique("audited"))).await;
        let auditor = server.auditor();
        let lines = auditor.get("/api/v1/audit/events").header("accept", "application/x-ndjson").send().await.expect(200);
        assert!(lines.content_type().starts_with("application/x-ndjson"), "{}", lines.content_type());
        let streamed: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let paged = auditor.events().await;
        assert_well_formed(&paged);
        assert_eq!(streamed, paged[..streamed.len()]);
        assert!(streamed.len() >= 5);

        let middle = &paged[paged.len() / 2];
        let rest = auditor.events_after(middle["position"].as_str().unwrap()).await;
        assert_eq!(rest[..paged.len() - paged.len() / 2 - 1], paged[paged.len() / 2 + 1..]);
        let confirmed = auditor.get("/api/v1/audit/events?type=PaymentConfirmed&limit=200").send().await.expect(200).json();
        assert!(confirmed["items"].as_array().unwrap().iter().all(|event| event["type"] == "PaymentConfirmed"));
        assert!(!confirmed["items"].as_array().unwrap().is_empty());
    });
}

#[test]
fn an_unknown_stream_has_no_events_and_only_auditors_read_the_log() {
    run(async {
        let server = SHARED.get().await;
        let reply = server.auditor().get("/api/v1/audit/streams/order-1").send().await;
        assert!(reply.status == 404 || reply.json()["items"] == json!([]), "{reply}");
        for role in ["buyer", "operator", "service"] {
            let caller = server.as_role(&unique(role), role);
            caller.get("/api/v1/audit/events").send().await.expect(403).problem();
            caller.get("/api/v1/audit/streams/log").send().await.expect(403).problem();
        }
    });
}
