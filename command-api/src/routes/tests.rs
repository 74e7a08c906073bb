use chassis::identity::Role;
use serde_json::json;

use crate::testing::*;

mod notices;
mod notify;
mod orders;
mod parked;
mod pay_records;

/// Every command that needs a token, with a body that it would take.
fn commands() -> [(&'static str, serde_json::Value); 5] {
    [
        ("/api/v1/course-selections", json!({ "course_id": "course-rust" })),
        ("/api/v1/orders", json!({ "source": "product", "product_id": "notes", "quantity": 1 })),
        ("/api/v1/orders/12345/pay-records", json!({ "channel": "alipay_qr" })),
        ("/api/v1/orders/12345/cancel", json!({})),
        ("/api/v1/pay-records/1234501/sync", json!({})),
    ]
}

#[tokio::test]
async fn roles_are_judged_before_bodies() {
    let world = World::new().await;
    let api = Api::new(&world);
    for (path, _) in commands() {
        let unreadable = || api.post(path).body("application/json", "{");
        assert_eq!(unreadable().answer().await.problem(), (401, "unauthenticated".to_owned()), "{path}");
        assert_eq!(unreadable().with("authorization", "Bearer x").answer().await.problem().0, 401, "{path}");
        assert_eq!(unreadable().by("ada", Role::Auditor).answer().await.problem(), (403, "forbidden".to_owned()), "{path}");
        let allowed = if path.ends_with("sync") || path.ends_with("cancel") { Role::Operator } else { Role::Buyer };
        assert_eq!(unreadable().by("alice", allowed).answer().await.problem(), (400, "unreadable_json".to_owned()), "{path}");
    }
    for (path, role) in [
        ("/api/v1/course-selections", Role::Service),
        ("/api/v1/course-selections", Role::Operator),
        ("/api/v1/orders", Role::Operator),
        ("/api/v1/orders/12345/pay-records", Role::Operator),
        ("/api/v1/orders/12345/cancel", Role::Service),
        ("/api/v1/pay-records/1234501/sync", Role::Service),
    ] {
        assert_eq!(api.post(path).by("x", role).answer().await.problem().0, 403, "{path}");
    }
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn bodies_that_are_not_allowed_change_nothing() {
    let world = World::new().await;
    let api = Api::new(&world);
    for (path, mut body) in commands() {
        let sent = |media_type: &'static str, text: String| api.post(path).by_alice().body(media_type, text).answer();
        assert_eq!(sent("text/plain", body.to_string()).await.problem(), (415, "unsupported_media_type".to_owned()), "{path}");
        assert_eq!(sent("application/json", "[]".to_owned()).await.problem().0, 422, "{path}");
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(256 * 1024));
        assert_eq!(sent("application/json", large).await.problem(), (413, "payload_too_large".to_owned()), "{path}");
        body["surprise"] = json!(1);
        let unknown_member = sent("application/json", body.to_string()).await;
        assert_eq!(unknown_member.problem(), (422, "invalid".to_owned()), "{path}");
        assert_eq!(unknown_member.json()["errors"][0]["field"], "surprise", "{path}");
    }
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let world = World::new().await;
    let api = Api::new(&world);
    for (path, body) in commands() {
        for bad in ["", &"k".repeat(256)] {
            let answer = api.post(path).by_alice().with("idempotency-key", bad).json(&body).answer().await;
            assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{path}");
            assert_eq!(answer.json()["errors"][0]["field"], "Idempotency-Key");
        }
        let twice = api.post(path).by_alice().with("idempotency-key", "a").with("idempotency-key", "b").json(&body).answer().await;
        assert_eq!(twice.problem().0, 422, "{path}");
    }
    assert_eq!(world.head().await, 0);
    let longest = api.post("/api/v1/orders").by_alice().with("idempotency-key", &"k".repeat(255)).json(&commands()[1].1).answer().await;
    assert_eq!(longest.status, 201);
}

#[tokio::test]
async fn a_selection_is_created_found_and_replayed() {
    let world = World::new().await;
    let api = Api::new(&world);
    let select = |course_id: &str| api.post("/api/v1/course-selections").by_alice().json(&json!({ "course_id": course_id }));
    let first = select("course-rust").with("idempotency-key", "k").answer().await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
    assert_eq!(first.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    let body = first.json();
    assert_eq!((&body["charge"], &body["status"], &body["price_amount"]), (&json!("paid"), &json!("unpaid"), &json!(COURSE_PRICE)));
    assert_eq!((&body["currency"], &body["price_text"], body["selection_id"].is_string()), (&json!("CNY"), &json!("199.00"), true));
    let replayed = select("course-rust").with("idempotency-key", "k").answer().await;
    assert_eq!((replayed.status.as_u16(), replayed.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!((replayed.text, replayed.headers["paystream-position"].clone()), (first.text, first.headers["paystream-position"].clone()));
    let found = select("course-rust").answer().await;
    assert_eq!((found.status.as_u16(), &found.json()["selection_id"]), (200, &body["selection_id"]));
    let reused = select("course-free").with("idempotency-key", "k").answer().await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(select("course-go").answer().await.problem().0, 404);
    assert_eq!(select("notes").answer().await.json()["errors"][0]["code"], "not_a_course");
    assert_eq!(select("two words").answer().await.problem(), (422, "invalid".to_owned()));
    assert_eq!(select("course-free").answer().await.json()["status"], "active");
}

#[tokio::test]
async fn a_selection_is_active_once_it_is_paid_and_replayed_as_it_was_answered() {
    let world = World::new().await;
    let api = Api::new(&world);
    let select = || api.post("/api/v1/course-selections").by_alice().json(&json!({ "course_id": "course-rust" }));
    select().with("idempotency-key", "k").answer().await;
    let pay_no = world.pending().await;
    world.pay(pay_no).await;
    assert_eq!(select().answer().await.json()["status"], "active");
    assert_eq!(select().with("idempotency-key", "k").answer().await.json()["status"], "unpaid");
}

#[tokio::test]
async fn a_store_that_fails_is_told_as_such_and_nothing_of_its_cause() {
    let world = World::new().await;
    let api = Api::new(&world);
    let (path, body) = &commands()[1];
    for (fault, code) in [(Fault::Unavailable, "store_unavailable"), (Fault::Busy, "busy")] {
        world.log.next("order-", fault);
        let answer = api.post(path).by_alice().json(body).answer().await;
        assert_eq!(answer.problem(), (503, code.to_owned()));
        assert!(answer.header("retry-after").is_some() && !answer.text.contains("gone"));
    }
}
