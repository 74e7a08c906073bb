use gateway::{NotificationRefusal, RawNotification};
use serde_json::Value;

use super::*;

async fn deliver(api: &Api, raw: RawNotification) {
    api.post("/notify/alipay").body("application/x-www-form-urlencoded", raw.body).answer().await;
}

async fn list(api: &Api, query: &str) -> Value {
    let answer = api.get(&format!("/api/v1/notices{query}")).by("olivia", Role::Operator).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn act(api: &Api, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let asking = api.post(path).by("olivia", Role::Operator);
    let asking = match key {
        Some(key) => asking.with("idempotency-key", key),
        None => asking,
    };
    asking.json(body).answer().await
}

#[tokio::test]
async fn only_operators_act_and_only_they_and_auditors_look() {
    let world = World::new().await;
    let api = Api::new(&world);
    assert_eq!(api.get("/api/v1/notices").answer().await.problem().0, 401);
    for (role, status) in [(Role::Buyer, 403), (Role::Service, 403), (Role::Auditor, 200), (Role::Operator, 200)] {
        assert_eq!(api.get("/api/v1/notices").by("x", role).answer().await.status.as_u16(), status, "{role:?}");
    }
    for word in ["rejudge", "assign", "dismiss"] {
        let path = format!("/api/v1/notices/1/{word}");
        let unreadable = || api.post(&path).body("application/json", "{");
        assert_eq!(unreadable().answer().await.problem().0, 401, "{word}");
        for role in [Role::Buyer, Role::Service, Role::Auditor] {
            assert_eq!(unreadable().by("x", role).answer().await.problem().0, 403, "{word} {role:?}");
        }
        assert_eq!(unreadable().by("x", Role::Operator).answer().await.problem().0, 400, "{word}");
        let body = json!({ "reason": "r", "pay_no": "1234501" });
        let body = if word == "assign" { body } else { json!({ "reason": "r" }) };
        assert_eq!(act(&api, &path, None, &body).await.problem().0, 404, "{word}");
        assert_eq!(act(&api, &format!("/api/v1/notices/one/{word}"), None, &body).await.problem().0, 404, "{word}");
        let mut blank = body.clone();
        blank["reason"] = json!(" ");
        let refused = act(&api, &path, None, &blank).await;
        assert_eq!((refused.problem().0, &refused.json()["errors"][0]["field"]), (422, &json!("reason")), "{word}");
        let mut more = body.clone();
        more["surprise"] = json!(1);
        assert_eq!(act(&api, &path, None, &more).await.problem().0, 422, "{word}");
        assert_eq!(act(&api, &path, Some(""), &body).await.problem().0, 422, "{word}");
    }
    let wrong = act(&api, "/api/v1/notices/1/assign", None, &json!({ "reason": "r", "pay_no": "x" })).await;
    assert_eq!(wrong.problem().0, 422);
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn the_list_shows_what_is_known_and_nothing_that_was_sealed() {
    let world = World::new().await;
    let api = Api::new(&world);
    assert_eq!(list(&api, "").await, json!({ "items": [], "next_cursor": null }));
    deliver(&api, world.channel.notifies(Err(NotificationRefusal::BadSignature))).await;
    let unmatched = world.channel.notifies(Ok(notification("1234501", "trade-9", 4_200)));
    deliver(&api, unmatched.clone()).await;
    deliver(&api, unmatched).await;
    let page = list(&api, "").await;
    let expected = json!({
        "id": "2", "channel": "alipay", "genuine": true, "tells": "paid", "out_trade_no": "1234501", "trade_no": "trade-9",
        "amount": 4_200, "amount_text": "42.00", "currency": "CNY", "verdict": "unknown_order", "state": "open", "times_received": 3,
        "received_at": "2026-07-20T08:00:00.250Z", "last_received_at": "2026-07-20T08:00:00.250Z",
        "action": null, "pay_no": null, "acted_by": null, "acted_at": null, "reason": null,
    });
    let mut shown = page["items"][0].clone();
    // What is kept before the log has the money counts as well.
    assert_eq!(shown["times_received"].as_u64().map(|times| times >= 2), Some(true));
    shown["times_received"] = json!(3);
    assert_eq!(shown, expected);
    let forged = &page["items"][1];
    assert_eq!((&forged["verdict"], &forged["state"], &forged["genuine"]), (&json!("bad_signature"), &json!("settled"), &json!(false)));
    assert_eq!((&forged["out_trade_no"], &forged["amount"]), (&Value::Null, &Value::Null), "what nobody signed says nothing");
    assert!(!page.to_string().contains("notification "), "no text of any");
}

#[tokio::test]
async fn pages_follow_one_another_and_filters_hold() {
    let world = World::new().await;
    let api = Api::new(&world);
    for number in 0..5 {
        let refusal = if number % 2 == 0 { NotificationRefusal::BadSignature } else { NotificationRefusal::AppIdMismatch };
        deliver(&api, world.channel.notifies(Err(refusal))).await;
    }
    let first = list(&api, "?limit=2").await;
    assert_eq!(ids(&first), ["5", "4"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&api, &format!("?limit=3&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec!["3", "2", "1"], &Value::Null));
    assert_eq!(ids(&list(&api, "?state=open").await), ["4", "2"]);
    assert_eq!(ids(&list(&api, "?state=settled&limit=1").await), ["5"]);
    assert_eq!(ids(&list(&api, "?state=all").await).len(), 5);
    assert_eq!(ids(&list(&api, "?verdict=bad_signature").await), ["5", "3", "1"]);
    assert_eq!(ids(&list(&api, "?verdict=recorded").await), Vec::<&str>::new());
    for wrong in ["?state=shut", "?limit=0", "?limit=201", "?limit=x", "?cursor=%25", "?cursor=eA", "?verdict=", "?surprise=1"] {
        let answer = api.get(&format!("/api/v1/notices{wrong}")).by("olivia", Role::Operator).answer().await;
        assert_eq!(answer.problem().0, 422, "{wrong}");
    }
}

#[tokio::test]
async fn an_act_is_answered_and_replayed_and_refused_in_one_place() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    deliver(&api, world.channel.notifies(Ok(notification("1234501", "trade-9", COURSE_PRICE)))).await;
    let body = json!({ "reason": "she showed it", "pay_no": pay_no });
    world.channel.queries(Err(unknown(gateway::Operation::Query)));
    let path = "/api/v1/notices/1/assign";
    assert_eq!(act(&api, path, Some("k"), &body).await.problem(), (503, "channel_unavailable".to_owned()));
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    let first = act(&api, path, Some("k"), &body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, None));
    assert_eq!(first.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    let expected = json!({
        "id": "1", "action": "assigned", "verdict": "unknown_order", "state": "settled", "pay_no": pay_no, "order_id": pay_no.order_id(),
    });
    assert_eq!(first.json(), expected);
    let again = act(&api, path, Some("k"), &body).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed"), &again.text), (200, Some("true"), &first.text));
    assert_eq!(again.header("paystream-position"), first.header("paystream-position"));
    let other = json!({ "reason": "another", "pay_no": pay_no });
    assert_eq!(act(&api, path, Some("k"), &other).await.problem(), (422, "idempotency_key_reused".to_owned()));
    let dismissed = act(&api, "/api/v1/notices/1/dismiss", None, &json!({ "reason": "r" })).await;
    assert_eq!(dismissed.problem(), (409, "not_payable".to_owned()));
    assert!(dismissed.text.contains("ended this notification"), "{dismissed:?}");
    let shown = list(&api, "?state=settled").await;
    let item = &shown["items"][0];
    assert_eq!((&item["action"], &item["pay_no"], &item["acted_by"]), (&json!("assigned"), &json!(pay_no), &json!("operator:olivia")));
    assert_eq!((&item["reason"], item["acted_at"].is_string()), (&json!("she showed it"), true));
}

#[tokio::test]
async fn each_refusal_of_an_assignment_says_why() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    deliver(&api, world.channel.notifies(Ok(notification("1234501", "trade-9", COURSE_PRICE)))).await;
    deliver(&api, world.channel.notifies(Err(NotificationRefusal::AppIdMismatch))).await;
    let assign = async |id: u32, pay_no: &Value| {
        act(&api, &format!("/api/v1/notices/{id}/assign"), None, &json!({ "reason": "r", "pay_no": pay_no })).await
    };
    let unknown_record = assign(1, &json!("77701")).await;
    assert_eq!((unknown_record.problem().0, &unknown_record.json()["errors"][0]["field"]), (422, &json!("pay_no")));
    for (id, state, words) in [
        (2, None, "no money that matched no pay record"),
        (1, Some(gateway::TradeState::NotFound), "does not say that it holds"),
        (1, Some(gateway::TradeState::ClosedRefunded(captured("trade-9", COURSE_PRICE))), "went back"),
    ] {
        if let Some(state) = state {
            world.channel.queries(Ok(state));
        }
        let refused = assign(id, &json!(pay_no)).await;
        assert_eq!(refused.problem().0, 409, "{words}");
        assert!(refused.text.contains(words), "{refused:?}");
    }
    let rejudged = act(&api, "/api/v1/notices/2/rejudge", Some("k"), &json!({ "reason": "r" })).await;
    assert_eq!(
        (rejudged.status.as_u16(), &rejudged.json()["verdict"], &rejudged.json()["state"]),
        (200, &json!("app_id_mismatch"), &json!("open"))
    );
    let dismissed = act(&api, "/api/v1/notices/2/dismiss", Some("k"), &json!({ "reason": "r" })).await;
    assert_eq!(
        (dismissed.status.as_u16(), &dismissed.json()["state"], &dismissed.json()["pay_no"]),
        (200, &json!("settled"), &Value::Null)
    );
    assert_eq!(dismissed.header("idempotency-replayed"), None, "the same key on another route is another key");
}
