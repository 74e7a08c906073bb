//! The consumers of payments and refunds, on Postgres and NATS: whenever their process dies between the commit of an effect
//! and its acknowledgement, the message comes again and each effect is there once, order by order.

use std::time::Duration;

use async_nats::jetstream::consumer::Info;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::harness::nats::NatsServer;
use super::harness::notice::assert_success;
use super::harness::poll::within;
use super::harness::postgres::Database;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, PAID_COURSE_FEN, Paystream, StoreKind, run};

/// All roles but the one that consumes.
const FRONT: &[&str] = &["serve", "--roles", "command-api,query-api,process-managers,relay,sandbox"];
const PROJECTIONS: &[&str] = &["serve", "--roles", "projections"];

/// The demo catalogue's study material and hour with a teacher, and what they cost.
const MATERIAL: (&str, i64) = ("material-rust-notes", 990);
const TUTORING: (&str, i64) = ("tutoring-rust", 15_000);

/// The moments: each consumer, before it acknowledges what it has just made durable.
const STOPS: [&str; 6] = [
    "before_ack_points:PaymentConfirmed",
    "before_ack_course_selections:PaymentConfirmed",
    "before_ack_entitlements:PaymentConfirmed",
    "before_ack_points:RefundSucceeded",
    "before_ack_course_selections:RefundSucceeded",
    "before_ack_entitlements:RefundSucceeded",
];

/// How long what comes again may take. What a dead process had fetched the broker keeps back for half a minute, the second time
/// for one and then for two; what lies behind it on its subject is given back for some seconds meanwhile; and what came too early
/// is tried once more after up to five minutes.
const REDELIVERED_LIMIT: Duration = Duration::from_mins(8);

/// What one buyer has bought.
struct Purchases {
    /// Their name: a token is made anew before it ends.
    buyer: String,
    /// What the course was chosen by.
    selection_id: String,
    /// Each order with its sum, and whether that went back.
    orders: Vec<(String, i64, bool)>,
}

impl Purchases {
    /// A course, study material and an hour with a teacher, paid; all but the last go back where `goes_back`.
    async fn make(front: &Paystream, goes_back: bool) -> Self {
        let name = unique("buyer");
        let buyer = front.buyer(&name);
        let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let course = buyer.order_selection(&selection_id).await.expect(201).field("order_id");
        let mut orders = vec![(course, PAID_COURSE_FEN, goes_back)];
        for ((product_id, price), goes_back) in [(MATERIAL, goes_back), (TUTORING, false)] {
            let body = json!({"source": "product", "product_id": product_id, "quantity": 1});
            orders.push((buyer.post("/api/v1/orders", &body).send().await.expect(201).field("order_id"), price, goes_back));
        }
        for (order_id, _, _) in &orders {
            let pay_no = buyer.pay_by_alipay_qr(order_id).await.expect(201).field("pay_no");
            buyer.sandbox_pay(&pay_no, "never").await.expect(200);
            assert_success(&front.api().notify(front.api().notification(&pay_no).await.encode()).await);
        }
        let operator = front.as_role("olivia", "operator");
        for (order_id, amount, _) in orders.iter().filter(|(_, _, goes_back)| *goes_back) {
            let body = json!({"amount": amount, "reason": "ill"});
            operator.post(&format!("/api/v1/orders/{order_id}/refunds"), &body).send().await.expect(202);
        }
        Self { buyer: name, selection_id, orders }
    }

    /// What the consumers hold of it, or how that differs from what was bought.
    async fn look(&self, front: &Paystream) -> Result<(), String> {
        let buyer = front.buyer(&self.buyer);
        let points = shown(&buyer, "/api/v1/points?limit=200").await?;
        let mut expected: Vec<(String, &str)> = Vec::new();
        for (order_id, _, goes_back) in &self.orders {
            expected.push((order_id.clone(), "payment"));
            expected.extend(goes_back.then(|| (order_id.clone(), "refund")));
        }
        let word = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let entries = points["entries"].as_array().ok_or_else(|| points.to_string())?;
        let mut told: Vec<(String, String)> = entries.iter().map(|entry| (word(entry, "order_id"), word(entry, "cause"))).collect();
        told.sort();
        expected.sort();
        if told != expected.iter().map(|(order_id, cause)| (order_id.clone(), (*cause).to_owned())).collect::<Vec<_>>() {
            return Err(format!("points: {points}"));
        }
        let selection = shown(&buyer, &format!("/api/v1/course-selections/{}", self.selection_id)).await?;
        if selection["status"] != if self.orders[0].2 { "ended" } else { "active" } {
            return Err(format!("course selection: {selection}"));
        }
        let seats = buyer.course_rows(PAID_COURSE).await.len();
        if seats != usize::from(!self.orders[0].2) {
            return Err(format!("{seats} seats in the course table"));
        }
        let entitlements = shown(&buyer, "/api/v1/entitlements?limit=200").await?;
        let mut told: Vec<(String, String)> =
            entitlements["items"].as_array().unwrap().iter().map(|item| (word(item, "order_id"), word(item, "status"))).collect();
        told.sort();
        let status = |goes_back: bool| if goes_back { "revoked" } else { "active" }.to_owned();
        let mut expected: Vec<_> = self.orders[1..].iter().map(|(order_id, _, goes_back)| (order_id.clone(), status(*goes_back))).collect();
        expected.sort();
        if told == expected { Ok(()) } else { Err(format!("entitlements: {entitlements}")) }
    }
}

/// What is answered there; a view that is behind does not have it yet.
async fn shown(caller: &Api, path: &str) -> Result<Value, String> {
    let reply = caller.get(path).send().await;
    if reply.status == 200 { Ok(reply.json()) } else { Err(reply.to_string()) }
}

/// How the broker's consumers stand, whose names begin with `prefix`.
async fn standing(nats: &NatsServer, prefix: &str) -> Vec<Info> {
    let stream = nats.jetstream().await.get_stream("PAYSTREAM").await.unwrap();
    let consumers: Vec<Info> = stream.consumers().try_collect().await.unwrap();
    consumers.into_iter().filter(|info| info.name.starts_with(prefix)).collect()
}

#[test]
fn a_consumer_that_dies_between_commit_and_acknowledgement_has_each_effect_once_and_in_order() {
    run(async {
        let (database, nats) = (Database::new().await, NatsServer::start().await);
        let url = database.url.clone();
        let on_both = |config: Config| Config { store: StoreKind::Postgres, ..config }.with("PAYSTREAM_NATS", &nats.url());
        let front = Paystream::start_on("consumers-front", on_both(Config::in_roles(FRONT)), Some(database)).await;
        let mut config = on_both(Config::in_roles(PROJECTIONS));
        for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
            config = config.with(variable, &url);
        }
        let mut projections = Paystream::prepare("consumers-projections", config, None);

        let mut all = Vec::new();
        for stop in STOPS {
            projections.launch_with("PAYSTREAM_TEST_STOP_AT", stop);
            all.push(Purchases::make(&front, stop.ends_with("RefundSucceeded")).await);
            // What is meant may lie behind something that the one before had fetched.
            let status = projections.ended_within(REDELIVERED_LIMIT).await;
            assert!(!status.success(), "{stop}");
            assert!(projections.log_text().contains(&format!("stopped at {stop}")), "{stop}: it ended otherwise: {status}");
        }
        projections.launch();
        projections.until_ready().await;
        for purchases in &all {
            within(REDELIVERED_LIMIT, "each effect is there", async || purchases.look(&front).await).await;
        }
        within(REDELIVERED_LIMIT, "all is acknowledged", async || {
            let mut waiting = standing(&nats, "").await;
            waiting.retain(|info| info.num_pending > 0 || info.num_ack_pending > 0);
            if waiting.is_empty() { Ok(()) } else { Err(format!("{} consumers have not done", waiting.len())) }
        })
        .await;
        // A payment may come before the selection that it pays for, which lies in another part: it waits a little.
        let operator = front.as_role("olivia", "operator");
        within(REDELIVERED_LIMIT, "nothing waits", async || {
            let parked = shown(&operator, "/api/v1/parked").await?;
            if parked["items"] == json!([]) { Ok(()) } else { Err(parked.to_string()) }
        })
        .await;
        for purchases in &all {
            purchases.look(&front).await.unwrap();
        }
        came_again(&nats).await;
        assert_eq!(front.auditor().events().await.iter().filter(|event| event["type"] == "PaymentConfirmed").count(), 3 * STOPS.len());
    });
}

/// Each consumer had more deliveries than there are messages that it asks for: what died did not acknowledge, and it came again.
async fn came_again(nats: &NatsServer) {
    let messages = nats.messages().await;
    for consumer in ["points-", "course_selections-", "entitlements-"] {
        let parts = standing(nats, consumer).await;
        let filters: Vec<&String> = parts.iter().flat_map(|info| &info.config.filter_subjects).collect();
        let wanted = messages.iter().filter(|message| filters.iter().any(|filter| admits(filter, &message.subject)));
        let wanted = u64::try_from(wanted.count()).unwrap();
        let delivered: u64 = parts.iter().map(|info| info.delivered.consumer_sequence).sum();
        assert!(wanted > 0, "{consumer} asks for {filters:?}");
        assert!(delivered > wanted, "{consumer} {delivered} deliveries of {wanted} messages");
    }
}

/// Whether a filter, in which `*` stands for any word, admits the subject.
fn admits(filter: &str, subject: &str) -> bool {
    let (filter, subject): (Vec<_>, Vec<_>) = (filter.split('.').collect(), subject.split('.').collect());
    filter.len() == subject.len() && filter.iter().zip(&subject).all(|(wanted, word)| *wanted == "*" || wanted == word)
}
