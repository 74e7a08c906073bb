//! What was answered survives `kill -9` at any moment, under load, on both stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng;
use serde_json::Value;

use super::harness::audit::assert_well_formed;
use super::harness::journey::business_order;
use super::harness::random::{generator, seed};
use super::harness::{Api, Config, Paystream, StoreKind, run, workspace};

const WORKERS: usize = 16;

#[test]
fn what_was_answered_survives_kills_under_load_on_sqlite() {
    run(kills(StoreKind::Embedded));
}

#[test]
fn what_was_answered_survives_kills_under_load_on_postgres() {
    run(kills(StoreKind::Postgres));
}

/// What one round's clients were told, or not told.
#[derive(Default)]
struct Told {
    /// Order id and position by the number of the seat.
    created: BTreeMap<String, (String, String)>,
    /// Orders whose notice was answered with `success`.
    acknowledged: BTreeSet<String>,
    /// Seats whose order was asked for and never answered.
    unanswered: BTreeSet<String>,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.created.extend(other.created);
        self.acknowledged.extend(other.acknowledged);
        self.unanswered.extend(other.unanswered);
    }
}

async fn kills(store: StoreKind) {
    let seed = seed();
    let mut random = generator(seed);
    let rounds = if workspace::long() { 60 } else { 6 };
    let mut server = Paystream::start("kill-under-load", Config::on(store)).await;
    let mut all = Told::default();
    for round in 0..rounds {
        let (service, member) = (Arc::new(server.service()), Arc::new(server.buyer("member-1")));
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| tokio::spawn(work(Arc::clone(&service), Arc::clone(&member), format!("round-{round}-worker-{worker}"))))
            .collect();
        // The moment of the kill is what the test varies; nothing waits for anything here.
        tokio::time::sleep(Duration::from_millis(random.random_range(150..1_500))).await;
        server.kill9();
        for told in join_all(workers).await {
            all.add(told.unwrap());
        }
        server.restart().await;
        let log = server.auditor().events().await;
        compare(&all, &log, seed);
        let unanswered = std::mem::take(&mut all.unanswered);
        all.add(ask_again(&server, unanswered).await);
        compare(&all, &server.auditor().events().await, seed);
    }
    assert!(all.created.len() > WORKERS, "the load was no load: {} orders", all.created.len());
    let (orders, paid) = (all.created.len(), all.acknowledged.len());
    workspace::print_result(&format!(
        "{rounds} kills under load on {store:?}: {orders} orders and {paid} payments answered, none lost, none doubled; seed {seed}"
    ));
}

/// Creates and pays orders one after the other until the server is gone.
async fn work(service: Arc<Api>, member: Arc<Api>, name: String) -> Told {
    let mut told = Told::default();
    for number in 0.. {
        let seat = format!("{name}-seat-{number}");
        told.unanswered.insert(seat.clone());
        let Ok(reply) = service.post("/api/v1/orders", &business_order("member-1", &seat, 4_200)).key(&seat).try_send().await else {
            break;
        };
        if reply.status == 503 {
            continue;
        }
        let order_id = reply.clone().expect(201).field("order_id");
        told.unanswered.remove(&seat);
        told.created.insert(seat, (order_id.clone(), reply.position()));
        match pay(&member, &order_id).await {
            Some(true) => drop(told.acknowledged.insert(order_id)),
            Some(false) => {}
            None => break,
        }
    }
    told
}

/// Whether the notice of the order's payment was acknowledged; `None` once the server is gone.
async fn pay(member: &Api, order_id: &str) -> Option<bool> {
    let body = serde_json::json!({"channel": "alipay_qr"});
    let record = member.post(&format!("/api/v1/orders/{order_id}/pay-records"), &body).try_send().await.ok()?;
    if record.status != 201 {
        return Some(false);
    }
    let pay_no = record.field("pay_no");
    let paying = member.post(&format!("/sandbox/trades/{pay_no}/pay"), &serde_json::json!({"notify": "never"}));
    paying.try_send().await.ok()?;
    let trade = member.get(&format!("/sandbox/trades/{pay_no}")).try_send().await.ok()?;
    let notice = member.post_bytes("/notify/alipay", super::harness::notice::FORM, trade.field("notification"));
    Some(notice.try_send().await.ok()?.text() == "success")
}

/// Repeats with the same keys what was not answered.
async fn ask_again(server: &Paystream, unanswered: BTreeSet<String>) -> Told {
    let service = server.service();
    let mut told = Told::default();
    for seat in unanswered {
        let reply = service.post("/api/v1/orders", &business_order("member-1", &seat, 4_200)).key(&seat).send().await;
        assert!(matches!(reply.status, 200 | 201), "{reply}");
        told.created.insert(seat, (reply.field("order_id"), reply.position()));
    }
    told
}

/// Holds what was told to what stands in the log.
fn compare(told: &Told, log: &[Value], seed: u64) {
    assert_well_formed(log);
    let by_position: BTreeMap<&str, &Value> = log.iter().map(|event| (event["position"].as_str().unwrap(), event)).collect();
    let mut orders_of_seat = BTreeMap::<&str, Vec<&str>>::new();
    let mut confirmed = BTreeMap::<&str, usize>::new();
    for event in log {
        let stream = event["stream_id"].as_str().unwrap();
        match event["type"].as_str().unwrap() {
            "OrderCreated" => orders_of_seat.entry(event["data"]["out_business_id"].as_str().unwrap()).or_default().push(stream),
            "PaymentConfirmed" => *confirmed.entry(stream).or_default() += 1,
            _ => {}
        }
    }
    for (seat, orders) in &orders_of_seat {
        assert_eq!(orders.len(), 1, "{seat} was ordered more than once: {orders:?}; seed {seed}");
    }
    for (seat, (order_id, position)) in &told.created {
        let stream = format!("order-{order_id}");
        assert_eq!(orders_of_seat.get(seat.as_str()).map(|orders| orders[0]), Some(stream.as_str()), "{seat} was answered; seed {seed}");
        assert_eq!(
            by_position.get(position.as_str()).map(|event| &event["stream_id"]),
            Some(&Value::from(stream)),
            "{position}; seed {seed}"
        );
    }
    for (stream, times) in &confirmed {
        assert_eq!(*times, 1, "{stream} was confirmed {times} times; seed {seed}");
    }
    for order_id in &told.acknowledged {
        assert!(confirmed.contains_key(format!("order-{order_id}").as_str()), "{order_id} was acknowledged; seed {seed}");
    }
}
