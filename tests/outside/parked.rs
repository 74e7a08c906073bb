//! A message that a consumer cannot take, on Postgres and NATS: it waits aside with what comes after it, operators see it, have
//! it tried again or skip it, the log tells who did and why, and other orders never notice. How far behind everybody is, is told.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::harness::audit::types;
use super::harness::journey::{OpenOrder, paid_order};
use super::harness::nats::NatsServer;
use super::harness::poll::within;
use super::harness::postgres::Database;
use super::harness::{Api, Config, PAID_COURSE_FEN, Paystream, StoreKind, eventually, run};

/// All that follow the log or the broker in one process of all roles.
const FOLLOWERS: [&str; 11] = [
    "orders",
    "pay_records",
    "surplus_payments",
    "stock",
    "coupons",
    "course_selections",
    "points",
    "entitlements",
    "order_upkeep",
    "parked_upkeep",
    "relay",
];

/// How long all may take to have caught up after the broker was away: the relay tries again within ten seconds.
const CAUGHT_UP_LIMIT: Duration = Duration::from_mins(1);

struct Stage {
    server: Paystream,
    nats: NatsServer,
    url: String,
}

impl Stage {
    async fn start(name: &str) -> Self {
        let (database, nats) = (Database::new().await, NatsServer::start().await);
        let url = database.url.clone();
        let config = Config::on(StoreKind::Postgres).with("PAYSTREAM_NATS", &nats.url());
        Self { server: Paystream::start_on(name, config, Some(database)).await, nats, url }
    }

    /// Does something to the tables behind everybody's back.
    async fn meddle(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let changed = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{statement}");
    }

    fn operator(&self) -> Api {
        self.server.as_role("olivia", "operator")
    }

    /// What `paystream parked …` prints.
    fn parked(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.server.run_subcommand(&[&["parked"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// What it complains of.
    fn parked_refuses(&self, arguments: &[&str]) -> String {
        let output = self.server.run_subcommand(&[&["parked"], arguments].concat());
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    async fn refund(&self, order: &OpenOrder) {
        let path = format!("/api/v1/orders/{}/refunds", order.order_id);
        self.operator().post(&path, &json!({"amount": PAID_COURSE_FEN, "reason": "ill"})).send().await.expect(202);
    }

    /// The parked message of an order's refund, once it stands so.
    async fn until_parked(&self, order: &OpenOrder, stands: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("the refund of {} is parked", order.order_id), async || {
            let page = self.operator().get("/api/v1/parked?limit=200").send().await.expect(200).json();
            let found = page["items"].as_array().unwrap().iter().find(|item| item["order_id"] == order.order_id.as_str()).cloned();
            found.filter(&stands).ok_or_else(|| page.to_string())
        })
        .await
    }

    /// The gauge of a follower's lag; a process that has just begun may not have it yet.
    async fn lag(&self, unit: &str, follower: &str) -> Result<f64, String> {
        let metrics = self.server.api().get("/metrics").send().await.expect(200).text();
        let line = format!("paystream_follower_lag_{unit}{{follower=\"{follower}\"}} ");
        let value = metrics.lines().find_map(|shown| shown.strip_prefix(&line));
        Ok(value.ok_or_else(|| format!("no {line}"))?.parse().unwrap())
    }
}

async fn balance(buyer: &Api) -> i64 {
    buyer.get("/api/v1/points").send().await.expect(200).json()["balance"].as_i64().unwrap()
}

async fn until_balance_is(buyer: &Api, points: i64) {
    eventually(&format!("the balance is {points}"), async || match balance(buyer).await {
        balance if balance == points => Ok(()),
        balance => Err(balance.to_string()),
    })
    .await;
}

/// Takes away what an order gave, so that its refund has nothing to be taken from; and puts it back.
const TAKE_AWAY: &str = "with gone as (delete from paystream_views.point_entry_view where order_id = 'ORDER' returning *) \
     insert into paystream_views.point_entry_view_kept select * from gone";
const PUT_BACK: &str =
    "insert into paystream_views.point_entry_view select * from paystream_views.point_entry_view_kept where order_id = 'ORDER'";

#[test]
fn what_a_consumer_cannot_take_is_seen_tried_again_or_skipped_and_the_log_says_by_whom() {
    run(async {
        let stage = Stage::start("parked").await;
        let mut connection = PgConnection::connect(&stage.url).await.unwrap();
        let keep = "create table paystream_views.point_entry_view_kept as select * from paystream_views.point_entry_view where false";
        sqlx::query(keep).execute(&mut connection).await.unwrap();
        let buyers = ["alice", "bob", "carol"].map(|name| stage.server.buyer(name));
        let mut orders = Vec::new();
        for buyer in &buyers {
            orders.push(paid_order(buyer).await);
            until_balance_is(buyer, 10).await;
        }
        for order in &orders[..2] {
            stage.meddle(&TAKE_AWAY.replace("ORDER", &order.order_id)).await;
        }
        for order in &orders {
            stage.refund(order).await;
        }
        // Other orders go on.
        until_balance_is(&buyers[2], 0).await;
        let ids = given_up(&stage, [&orders[0], &orders[1]]).await;
        lists_and_shows(&stage, &ids, &orders);

        stage.meddle(&PUT_BACK.replace("ORDER", &orders[0].order_id)).await;
        assert_eq!(balance(&buyers[0]).await, 10);
        let redriven = stage.parked(&["redrive", &ids[0], "--reason", "the row is back", "--operator", "olivia"]);
        assert_eq!(redriven, [format!("{}: its stream is tried again from the first message", ids[0])]);
        until_balance_is(&buyers[0], 0).await;
        eventually("it has gone", async || {
            let listed = stage.parked(&["list"]);
            if listed.iter().any(|line| line.starts_with(&ids[0])) { Err(format!("{listed:?}")) } else { Ok(()) }
        })
        .await;

        skipped_over_http(&stage, &ids[1]).await;
        assert_eq!(balance(&buyers[1]).await, 0, "nothing was taken of it, and nothing given");
        let listed = stage.parked(&["list", "--state", "skipped"]);
        assert!(listed.len() == 1 && listed[0].starts_with(&ids[1]) && listed[0].contains("entered by hand"), "{listed:?}");
        assert_eq!(stage.parked(&["list"]), ["There are none."]);

        recorded(&stage, &ids).await;
        // A view that is made again takes nothing that was skipped.
        assert!(stage.server.run_subcommand(&["rebuild", "points"]).status.success());
        for (buyer, points) in buyers.iter().zip([0, 10, 0]) {
            assert_eq!(balance(buyer).await, points);
        }
    });
}

/// Moves the clock on by each wait between the tries, until the refunds' messages are not tried again by themselves; their
/// numbers. The clock must not outrun the tokens.
async fn given_up(stage: &Stage, orders: [&OpenOrder; 2]) -> [String; 2] {
    for (tries, wait_s) in [(1, 2), (2, 6), (3, 31), (4, 121), (5, 301)] {
        for order in orders {
            stage.until_parked(order, |message| message["tries"].as_i64() >= Some(tries)).await;
        }
        stage.server.api().advance_clock(Duration::from_secs(wait_s)).await;
    }
    let mut ids = [String::new(), String::new()];
    for (order, id) in orders.into_iter().zip(&mut ids) {
        let message = stage.until_parked(order, |message| message["state"] == "parked").await;
        assert_eq!(
            (&message["consumer"], &message["event_type"], &message["tries"]),
            (&json!("points"), &json!("RefundSucceeded"), &json!(6))
        );
        message["id"].as_str().unwrap().clone_into(id);
    }
    ids
}

fn lists_and_shows(stage: &Stage, ids: &[String; 2], orders: &[OpenOrder]) {
    let listed = stage.parked(&["list"]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (id, order) in ids.iter().zip(orders) {
        let line = listed.iter().find(|line| line.starts_with(id.as_str())).unwrap();
        assert!(line.contains("parked, 6 tries") && line.contains("RefundSucceeded") && line.contains(&order.order_id), "{line}");
        let shown = stage.parked(&["show", id]);
        let content: Value = serde_json::from_str(&shown[1]).unwrap();
        assert_eq!((content["order_id"].as_str(), &content["fully_refunded"]), (Some(order.order_id.as_str()), &json!(true)));
    }
    assert_eq!(stage.parked(&["list", "--state", "waiting"]), ["There are none."]);
    assert!(stage.parked_refuses(&["list", "--state", "lost"]).contains("lost is none of"));
    for act in ["show", "redrive", "skip"] {
        let reason = if act == "show" { &[][..] } else { &["--reason", "why not"] };
        let said = stage.parked_refuses(&[&[act, "points-999999"], reason].concat());
        assert!(said.contains("there is no parked message of this number"), "{act}: {said}");
    }
    for act in ["redrive", "skip"] {
        assert!(stage.parked_refuses(&[act, &ids[0]]).contains("--reason"), "{act} without a reason");
        assert!(stage.parked_refuses(&[act, &ids[0], "--reason", " "]).contains("a reason must be said"), "{act}");
    }
}

async fn skipped_over_http(stage: &Stage, id: &str) {
    let body = json!({"act": "skip", "id": id, "reason": "the points were entered by hand"});
    let ask = || stage.operator().post("/api/v1/operations/parked", &body);
    let first = ask().key("skip-it").send().await.expect(200);
    assert_eq!((first.json()["outcome"].as_str(), first.header("idempotency-replayed")), (Some("done"), ""));
    let again = ask().key("skip-it").send().await.expect(200);
    assert_eq!((again.json(), again.header("idempotency-replayed"), again.position()), (first.json(), "true", first.position()));
    ask().send().await.expect_problem(422, "invalid");
    assert!(stage.parked_refuses(&["skip", id, "--reason", "again"]).contains("skipped before"));
    assert!(stage.parked_refuses(&["redrive", id, "--reason", "again"]).contains("skipped before"));
}

/// What operators did is on the log, with who and why, before it was done and after; and in the broker.
async fn recorded(stage: &Stage, ids: &[String; 2]) {
    let mut acts = stage.server.auditor().events().await;
    acts.retain(|event| event["type"].as_str().unwrap().starts_with("ParkedAct"));
    let expected = ["ParkedActRequested", "ParkedActDone", "ParkedActRequested", "ParkedActDone"];
    assert_eq!(types(&acts), expected);
    for (event, (id, act, reason)) in acts.iter().zip([
        (&ids[0], "redrive", "the row is back"),
        (&ids[0], "redrive", "the row is back"),
        (&ids[1], "skip", "the points were entered by hand"),
        (&ids[1], "skip", "the points were entered by hand"),
    ]) {
        let data = &event["data"];
        assert_eq!(format!("{}-{}", data["consumer"].as_str().unwrap(), data["position"].as_str().unwrap()), *id);
        assert_eq!((data["act"].as_str(), data["reason"].as_str()), (Some(act), Some(reason)));
        // Where clocks differ, the process manager may be the one that records the outcome.
        assert!(event["type"] != "ParkedActRequested" || event["metadata"]["actor"] == "operator:olivia", "{event}");
        assert!(event["stream_id"].as_str().unwrap().starts_with("operations-"), "{event}");
    }
    eventually("they are published", async || {
        let mut messages = stage.nats.messages().await;
        messages.retain(|message| message.subject.starts_with("paystream.v1.operations.ParkedAct"));
        let published: Vec<_> = messages.iter().map(|message| message.header("ce-type").unwrap().to_owned()).collect();
        if published == expected { Ok(()) } else { Err(format!("{published:?}")) }
    })
    .await;
}

#[test]
fn how_far_each_follower_is_behind_is_told_in_events_and_seconds() {
    run(async {
        let mut stage = Stage::start("lag").await;
        paid_order(&stage.server.buyer("alice")).await;
        all_caught_up(&stage).await;
        stage.nats.stop().await;
        paid_order(&stage.server.buyer("bob")).await;
        // What stands still is told of, and grows in seconds; what reads the log is not behind.
        for follower in ["relay", "points", "course_selections"] {
            eventually(&format!("{follower} is behind"), async || {
                let (events, seconds) = (stage.lag("events", follower).await?, stage.lag("seconds", follower).await?);
                if events >= 1.0 && seconds > 1.0 { Ok(()) } else { Err(format!("{events} events, {seconds} s")) }
            })
            .await;
        }
        for follower in ["orders", "pay_records"] {
            eventually(&format!("{follower} is not behind"), async || match stage.lag("events", follower).await? {
                0.0 => Ok(()),
                events => Err(events.to_string()),
            })
            .await;
        }
        stage.nats.resume().await;
        all_caught_up(&stage).await;
    });
}

async fn all_caught_up(stage: &Stage) {
    within(CAUGHT_UP_LIMIT, "nobody is behind", async || {
        for follower in FOLLOWERS {
            for unit in ["events", "seconds"] {
                let lag = stage.lag(unit, follower).await?;
                if lag > 0.0 {
                    return Err(format!("{follower}: {lag} {unit}"));
                }
            }
        }
        Ok(())
    })
    .await;
}
