use chassis::identity::Role;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::log::recorded_at;
use super::rows::{ORDER, SELECTION};
use super::stage::{Caller, Stage};

const EVENTS: &str = "/api/v1/audit/events";
const LINES: (&str, &str) = ("accept", "application/x-ndjson");

/// A stage whose log has `count` events on three streams by turns.
async fn with_events(count: i64) -> Stage {
    let stage = Stage::new().await;
    for number in 1..=count {
        let event_type = if number % 10 == 0 { "PaymentConfirmed" } else { "OrderCreated" };
        stage.log.add(&format!("order-{}", number % 3), event_type, &format!("{{\"number\":\"{number}\"}}"));
    }
    stage
}

fn positions(items: &Value) -> Vec<i64> {
    items.as_array().unwrap().iter().map(|event| event["position"].as_str().unwrap().parse().unwrap()).collect()
}

async fn lines(caller: &Caller<'_>, query: &str) -> Vec<Value> {
    let reply = caller.get_with(&format!("{EVENTS}{query}"), &[LINES]).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/x-ndjson"));
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_event_is_shown_whole() {
    let stage = with_events(1).await;
    let page = stage.as_auditor().read(EVENTS).await;
    assert_eq!(
        page["items"][0],
        json!({
            "position": "1", "stream_id": "order-1", "revision": 0, "event_id": "00000000-0000-0000-0000-000000000001",
            "type": "OrderCreated", "schema_version": 1, "recorded_at": "2026-07-20T08:00:01Z", "data": { "number": "1" },
            "metadata": {
                "correlation_id": "00000000-0000-0000-0000-000000000007", "causation_id": null, "actor": "buyer:alice", "source": "test",
            },
        })
    );
    assert_eq!(page["next_after"], page["items"].as_array().unwrap().last().unwrap()["position"]);
}

#[tokio::test]
async fn the_content_is_the_stored_text_to_the_byte() {
    let stage = Stage::new().await;
    let data = "{\"z\":1,  \"a\":\"\\u8bfe\",\"n\":12345678901234567890123,\"z2\":1.50}";
    stage.log.add("order-1", "OrderCreated", data);
    for path in [EVENTS, "/api/v1/audit/streams/order-1"] {
        let text = stage.as_auditor().get(path).await.text();
        assert!(text.contains(&format!("\"data\":{data},")), "{text}");
    }
    let text = stage.as_auditor().get_with(EVENTS, &[LINES]).await.text();
    assert!(text.contains(&format!("\"data\":{data},")), "{text}");
}

#[tokio::test]
async fn a_stored_text_of_several_lines_stays_one_line() {
    let stage = Stage::new().await;
    stage.log.add("order-1", "OrderCreated", "{\n  \"text\": \"a\\nb\"\r\n}");
    let read = lines(&stage.as_auditor(), "").await;
    assert_eq!((read.len(), &read[0]["data"]["text"]), (1, &json!("a\nb")));
}

#[tokio::test]
async fn pages_hold_each_event_once_and_end_at_the_head() {
    let stage = with_events(45).await;
    let (auditor, mut seen, mut after) = (stage.as_auditor(), Vec::new(), String::new());
    loop {
        let page = auditor.read(&format!("{EVENTS}?limit=20{after}")).await;
        seen.extend(positions(&page["items"]));
        let Some(next) = page["next_after"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, (1..=45).collect::<Vec<_>>());
    assert_eq!(auditor.read(EVENTS).await["items"].as_array().unwrap().len(), 20);
    assert_eq!(auditor.read(&format!("{EVENTS}?after=45")).await, json!({ "items": [], "next_after": null }));
}

#[tokio::test]
async fn the_last_page_tells_where_to_go_on_when_the_log_has_grown() {
    let stage = with_events(20).await;
    let page = stage.as_auditor().read(EVENTS).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next_after"]), (20, &json!("20")));
    let end = stage.as_auditor().read(&format!("{EVENTS}?after=20")).await;
    assert_eq!(end, json!({ "items": [], "next_after": null }));
    stage.log.add("order-1", "OrderPaid", "{}");
    let page = stage.as_auditor().read(&format!("{EVENTS}?after=20")).await;
    assert_eq!((positions(&page["items"]), &page["next_after"]), (vec![21], &json!("21")));
}

#[tokio::test]
async fn what_is_always_answered_whole_takes_no_parameter() {
    let stage = with_events(3).await;
    for path in ["/api/v1/audit/streams/order-1".to_owned(), format!("/api/v1/audit/orders/{ORDER}/trail")] {
        assert_eq!(stage.as_auditor().get(&format!("{path}?limit=1")).await.status.as_u16(), 422, "{path}");
    }
}

#[tokio::test]
async fn lines_go_to_the_head_and_are_gone_on_with_by_position() {
    let stage = with_events(700).await;
    let auditor = stage.as_auditor();
    let all = lines(&auditor, "").await;
    assert_eq!(positions(&json!(all)), (1..=700).collect::<Vec<_>>());
    assert_eq!(lines(&auditor, "?after=333").await, all[333..]);
    assert_eq!(lines(&auditor, "?after=333&limit=5").await, all[333..338]);
    assert_eq!(lines(&auditor, "?after=700").await, Vec::<Value>::new());
    let mut paged = auditor.read(&format!("{EVENTS}?limit=200")).await["items"].clone();
    assert_eq!(paged.as_array_mut().unwrap()[..], all[..200]);
}

#[tokio::test]
async fn filters_leave_out_what_is_not_wanted() {
    let stage = with_events(100).await;
    let auditor = stage.as_auditor();
    let (from, until) = (recorded_at(40).to_rfc3339().replace("+00:00", "Z"), recorded_at(60).to_rfc3339().replace("+00:00", "Z"));
    for (query, wanted) in [
        ("type=PaymentConfirmed".to_owned(), (1..=10).map(|tens| tens * 10).collect::<Vec<_>>()),
        ("stream=order-2".to_owned(), (1..=100).filter(|number| number % 3 == 2).collect()),
        ("stream=order-0&type=PaymentConfirmed".to_owned(), vec![30, 60, 90]),
        (format!("from={from}&until={until}"), (40..60).collect()),
        (format!("from={from}&until={until}&stream=order-1&type=PaymentConfirmed"), vec![40]),
        ("stream=order-2&after=50".to_owned(), (51..=100).filter(|number| number % 3 == 2).collect()),
        ("stream=order-9".to_owned(), vec![]),
        ("type=Nothing".to_owned(), vec![]),
    ] {
        let page = auditor.read(&format!("{EVENTS}?limit=200&{query}")).await;
        let next = wanted.last().map_or(Value::Null, |position| json!(position.to_string()));
        assert_eq!((positions(&page["items"]), &page["next_after"]), (wanted.clone(), &next), "{query}");
        assert_eq!(positions(&json!(lines(&auditor, &format!("?{query}")).await)), wanted, "{query}");
    }
}

#[tokio::test]
async fn a_stream_is_gone_on_with_from_any_position() {
    let stage = with_events(100).await;
    let own: Vec<i64> = (1..=100).filter(|number| number % 3 == 1).collect();
    for after in 0..=101 {
        let page = stage.as_auditor().read(&format!("{EVENTS}?limit=200&stream=order-1&after={after}")).await;
        assert_eq!(positions(&page["items"]), own.iter().copied().filter(|position| *position > after).collect::<Vec<_>>(), "{after}");
    }
}

#[tokio::test]
async fn a_rare_event_is_found_wherever_it_lies() {
    let stage = with_events(10_050).await;
    stage.log.add("order-1", "OrderPaid", "{}");
    let page = stage.as_auditor().read(&format!("{EVENTS}?type=OrderPaid")).await;
    assert_eq!((positions(&page["items"]), &page["next_after"]), (vec![10_051], &json!("10051")));
}

#[tokio::test]
async fn a_stream_is_shown_whole_and_an_unknown_one_is_empty() {
    let stage = with_events(1_000).await;
    let events = stage.as_auditor().read("/api/v1/audit/streams/order-2").await;
    let items = events["items"].as_array().unwrap();
    assert_eq!(items.len(), 333);
    assert!((0_u64..).zip(items).all(|(revision, event)| event["revision"] == revision && event["stream_id"] == "order-2"));
    assert_eq!(stage.as_auditor().read("/api/v1/audit/streams/order-9").await, json!({ "items": [] }));
    stage.as_auditor().get("/api/v1/audit/streams/a%20b").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_trail_holds_the_order_and_its_selection_in_their_order() {
    let stage = with_events(3).await;
    stage.log.add(&format!("course_selection-{SELECTION}"), "CourseSelected", "{}");
    let created = format!("{{\"source\":\"course_selection\",\"out_business_id\":\"{SELECTION}\"}}");
    stage.log.add(&format!("order-{ORDER}"), "OrderCreated", &created);
    stage.log.add("order-1", "OrderPaid", "{}");
    stage.log.add(&format!("order-{ORDER}"), "PayRecordIssued", "{}");
    let trail = stage.as_auditor().read(&format!("/api/v1/audit/orders/{ORDER}/trail")).await;
    assert_eq!(positions(&trail["items"]), [4, 5, 7]);
}

#[tokio::test]
async fn a_trail_of_another_business_is_the_order_alone() {
    let stage = Stage::new().await;
    let created = format!("{{\"source\":\"business\",\"out_business_id\":\"{SELECTION}\"}}");
    stage.log.add(&format!("course_selection-{SELECTION}"), "CourseSelected", "{}");
    stage.log.add(&format!("order-{ORDER}"), "OrderCreated", &created);
    let auditor = stage.as_auditor();
    assert_eq!(positions(&auditor.read(&format!("/api/v1/audit/orders/{ORDER}/trail")).await["items"]), [2]);
    for id in ["331284905322184705", "abc", "0"] {
        auditor.get(&format!("/api/v1/audit/orders/{id}/trail")).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn only_auditors_read_the_log() {
    let stage = with_events(3).await;
    for path in [
        EVENTS.to_owned(),
        "/api/v1/audit/streams/log".to_owned(),
        format!("/api/v1/audit/orders/{ORDER}/trail"),
        format!("{EVENTS}?limit=0"),
    ] {
        stage.as_nobody().get(&path).await.assert_problem(401, "unauthenticated");
        for role in [Role::Buyer, Role::Service, Role::Operator] {
            stage.as_role("someone", role).get(&path).await.assert_problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let stage = with_events(3).await;
    for (query, field) in [
        ("after=-1", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("stream=", "stream"),
        ("stream=a%20b", "stream"),
        ("type=", "type"),
        ("type=a-b", "type"),
        ("from=yesterday", "from"),
        ("until=2026-07-20", "until"),
        ("from=2026-07-20T00:00:01Z&until=2026-07-20T00:00:00Z", "until"),
        ("kind=x", "kind"),
    ] {
        assert_eq!(stage.as_auditor().refused_field(&format!("{EVENTS}?{query}")).await, field, "{query}");
        stage.as_auditor().get_with(&format!("{EVENTS}?{query}"), &[LINES]).await.assert_problem(422, "invalid");
    }
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_a_problem() {
    let stage = with_events(3).await;
    stage.log.break_down();
    for path in [EVENTS.to_owned(), "/api/v1/audit/streams/order-1".to_owned(), format!("/api/v1/audit/orders/{ORDER}/trail")] {
        stage.as_auditor().get(&path).await.assert_problem(503, "store_unavailable");
    }
    stage.as_auditor().get_with(EVENTS, &[LINES]).await.assert_problem(503, "store_unavailable");
}

#[tokio::test]
async fn an_answer_that_cannot_be_finished_is_cut_and_never_looks_whole() {
    for path in [EVENTS, "/api/v1/audit/streams/order-1"] {
        let stage = with_events(2_000).await;
        let response = stage.as_auditor().open(path, &[LINES]).await;
        assert_eq!(response.status().as_u16(), 200);
        stage.log.break_down();
        assert!(response.into_body().collect().await.is_err(), "{path}");
    }
    let stage = with_events(2_000).await;
    let response = stage.as_auditor().open(EVENTS, &[LINES]).await;
    stage.shutdown.trigger();
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_stored_event_that_is_no_json_is_our_failure() {
    let stage = Stage::new().await;
    stage.log.add("order-1", "OrderCreated", "{");
    stage.as_auditor().get(EVENTS).await.assert_problem(500, "internal");
}
