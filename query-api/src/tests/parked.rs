use chassis::identity::Role;
use chrono::TimeDelta;
use database::values;
use serde_json::{Value, json};

use super::stage::{Stage, start};

const PATH: &str = "/api/v1/parked";

impl Stage {
    /// A message that the consumer `points` could not take; `second` counts when that was.
    pub(super) async fn parked(&self, parked_id: &str, state: &str, second: i64) {
        let parked_at = start() + TimeDelta::seconds(second);
        let retry_at = (state == "waiting").then(|| parked_at + TimeDelta::seconds(1));
        let skip_reason = (state == "skipped").then(|| "lost".to_owned());
        let consumer = parked_id.rsplit_once('-').map_or("points", |(consumer, _)| consumer);
        let sql = "insert into parked_message (parked_id, consumer, queue, part, state, tries, reason, skip_reason, retry_at, parked_at, \
             stream_id, revision, position, event_id, event_type, schema_version, recorded_at, data) values ($1, $2, 'points order-7', \
             'p07', $3, 2, 'it cannot be read', $4, $5, $6, 'order-7', 3, 1234, '0197f0a2-0000-7000-8000-000000000001', \
             'PaymentConfirmed', 1, $6, '{}')";
        self.views.execute(sql, values![parked_id, consumer, state, skip_reason, retry_at, parked_at]).await.unwrap();
    }
}

async fn ids(stage: &Stage, query: &str) -> Vec<String> {
    let page = stage.as_role("olga", Role::Operator).read(&format!("{PATH}{query}")).await;
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_parked_message_is_shown_with_its_reason_and_without_its_content() {
    let stage = Stage::new().await;
    stage.parked("points-1234", "waiting", 0).await;
    let page = stage.as_role("olga", Role::Operator).read(PATH).await;
    let expected = json!({
        "id": "points-1234", "consumer": "points", "state": "waiting", "tries": 2, "reason": "it cannot be read", "skip_reason": null,
        "retry_at": "2026-07-20T08:00:01Z", "parked_at": "2026-07-20T08:00:00Z", "order_id": "7", "stream_id": "order-7", "revision": 3,
        "position": "1234", "event_id": "0197f0a2-0000-7000-8000-000000000001", "event_type": "PaymentConfirmed",
    });
    assert_eq!(page, json!({ "items": [expected], "next_cursor": null }));
}

#[tokio::test]
async fn skipped_ones_are_listed_where_they_are_asked_for_and_those_of_a_rebuild_never() {
    let stage = Stage::new().await;
    for (number, (id, state)) in
        (0..).zip([("points-1", "parked"), ("points-2", "behind"), ("points-3", "skipped"), ("points:rebuild-4", "parked")])
    {
        stage.parked(id, state, number).await;
    }
    assert_eq!(ids(&stage, "").await, ["points-2", "points-1"]);
    assert_eq!(ids(&stage, "?state=parked").await, ["points-1"]);
    assert_eq!(ids(&stage, "?state=skipped").await, ["points-3"]);
    assert_eq!(ids(&stage, "?state=waiting").await, Vec::<String>::new());
}

#[tokio::test]
async fn pages_hold_each_once_the_newest_first() {
    let stage = Stage::new().await;
    for number in 0..5 {
        stage.parked(&format!("points-{number}"), "parked", number / 2).await;
    }
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Value = stage.as_auditor().read(&format!("{PATH}?limit=2{cursor}")).await;
        listed.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, ["points-4", "points-3", "points-2", "points-1", "points-0"]);
}

#[tokio::test]
async fn operators_and_auditors_may_ask_and_nobody_else() {
    let stage = Stage::new().await;
    for role in [Role::Buyer, Role::Service] {
        stage.as_role("alice", role).get(PATH).await.assert_problem(403, "forbidden");
    }
    stage.as_nobody().get(PATH).await.assert_problem(401, "unauthenticated");
    for (query, field) in [("limit=201", "limit"), ("cursor=x", "cursor"), ("state=lost", "state")] {
        assert_eq!(stage.as_auditor().refused_field(&format!("{PATH}?{query}")).await, field);
    }
}
