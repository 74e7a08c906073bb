use std::sync::Arc;

use super::*;
use crate::parked::tests::Parked;
use crate::parked_routes;

const PATH: &str = "/api/v1/operations/parked";

fn skip(id: &str, reason: &str) -> serde_json::Value {
    json!({ "act": "skip", "id": id, "reason": reason })
}

#[tokio::test]
async fn only_operators_ask_about_parked_messages_and_what_they_send_is_looked_at() {
    let parked = Parked::new().await;
    let api = Api::new(&parked.world).with_routes(|verifier| parked_routes(Arc::clone(&parked.acts), verifier));
    let unreadable = || api.post(PATH).body("application/json", "{");
    assert_eq!(unreadable().answer().await.problem().0, 401);
    for role in [Role::Buyer, Role::Service, Role::Auditor] {
        assert_eq!(unreadable().by("x", role).answer().await.problem().0, 403, "{role:?}");
    }
    assert_eq!(unreadable().by("olivia", Role::Operator).answer().await.problem().0, 400);
    let ask = async |body: serde_json::Value| api.post(PATH).by("olivia", Role::Operator).json(&body).answer().await;
    let id = parked.message.parked_id.as_str();
    for body in [
        skip(id, " "),
        skip(id, &"x".repeat(501)),
        json!({ "act": "skip", "id": id }),
        json!({ "act": "redrive", "id": id }),
        json!({ "act": "drop", "id": id }),
        json!({ "act": "list", "state": "lost" }),
        json!({ "act": "show", "id": id, "surprise": 1 }),
    ] {
        assert_eq!(ask(body.clone()).await.problem().0, 422, "{body}");
    }
    assert_eq!(ask(skip("points-999", "r")).await.problem().0, 404);
    assert_eq!(parked.recorded_types().await, Vec::<String>::new());
    assert_eq!(ask(json!({ "act": "list" })).await.json()["outcome"], serde_json::Value::Null);
}

#[tokio::test]
async fn an_act_answers_its_position_and_its_key_repeats_the_answer() {
    let parked = Parked::new().await;
    let api = Api::new(&parked.world).with_routes(|verifier| parked_routes(Arc::clone(&parked.acts), verifier));
    let ask =
        async |body: serde_json::Value| api.post(PATH).by("olivia", Role::Operator).with("idempotency-key", "k").json(&body).answer().await;
    let id = parked.message.parked_id.as_str();
    let first = ask(skip(id, "made good by hand")).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, None));
    let done = parked.recorded().await.pop().unwrap();
    assert_eq!(first.header("paystream-position"), Some(done.position.to_string().as_str()));
    let reply = first.json();
    assert_eq!((&reply["outcome"], &reply["lines"][0]), (&json!("done"), &json!(format!("{id}: skipped"))));
    let again = ask(skip(id, "made good by hand")).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (reply, Some("true")));
    assert_eq!(ask(skip(id, "otherwise")).await.problem(), (422, "idempotency_key_reused".to_owned()));
    let refused = api.post(PATH).by("olivia", Role::Operator).json(&skip(id, "again")).answer().await;
    assert_eq!((refused.problem().0, &refused.json()["errors"][0]["field"]), (422, &json!("id")));
}
