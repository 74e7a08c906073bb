//! The relay with a real nats-server: whatever befalls it and the broker, the stream holds each published event once, in the
//! log's order, with the headers that the contract promises.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::harness::journey::{create_business_order, paid_order};
use super::harness::nats::{NatsServer, Stored};
use super::harness::poll::within;
use super::harness::postgres::Database;
use super::harness::random::unique;
use super::harness::{Config, FREE_COURSE, Paystream, StoreKind, eventually, run, workspace};

const ONLY_RELAY: &[&str] = &["serve", "--roles", "relay"];
const WITHOUT_RELAY: &[&str] = &["serve", "--roles", "command-api,query-api,projections,process-managers,sandbox"];

/// A relay waits up to ten seconds between two looks at a broker in trouble.
const REFILL_LIMIT: Duration = Duration::from_mins(1);

fn beside(nats: &NatsServer) -> Config {
    Config::default().with("PAYSTREAM_NATS", &nats.url())
}

/// Makes orders of another business system.
async fn orders(server: &Paystream, count: usize) {
    let service = server.service();
    for _ in 0..count {
        create_business_order(&service, "alice", &unique("workshop")).await.expect(201);
    }
}

/// The names of the published events: those that have a schema.
fn published_types() -> HashSet<String> {
    let folder = workspace::root().join("docs/events");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".schema.json").map(str::to_owned)).collect()
}

/// The events of the log that are to be in the stream.
async fn published_events(server: &Paystream) -> Vec<Value> {
    let published = published_types();
    let events = server.auditor().events().await;
    events.into_iter().filter(|event| published.contains(event["type"].as_str().unwrap())).collect()
}

/// Waits until the stream holds as many messages as the log holds published events, and compares them one by one.
async fn assert_the_stream_is_the_log(server: &Paystream, nats: &NatsServer) -> Vec<Stored> {
    let events = published_events(server).await;
    let messages = within(REFILL_LIMIT, "the stream has every published event", async || {
        let messages = nats.messages().await;
        if messages.len() >= events.len() { Ok(messages) } else { Err(format!("{} of {}", messages.len(), events.len())) }
    })
    .await;
    let lineage = server.auditor().stream("log").await.last().unwrap()["event_id"].as_str().unwrap().to_owned();
    let mut order_types = HashMap::new();
    let mut previous: HashMap<String, String> = HashMap::new();
    for (message, event) in messages.iter().zip(&events) {
        let (event_type, stream) = (event["type"].as_str().unwrap(), event["stream_id"].as_str().unwrap());
        let position = event["position"].as_str().unwrap();
        if event_type == "OrderCreated" {
            order_types.insert(stream.to_owned(), event["data"]["order_type"].as_str().unwrap().to_owned());
        }
        let order_type = order_types.get(stream).map_or("none", String::as_str);
        let words: Vec<_> = message.subject.split('.').collect();
        assert_eq!(
            (words.len(), words[0], words[1], words[3], words[4]),
            (6, "paystream", "v1", event_type, order_type),
            "{}",
            message.subject
        );
        assert_eq!(words[5], part(stream), "{}", message.subject);
        for (name, expected) in [
            ("ce-id", event["event_id"].as_str().unwrap()),
            ("ce-type", event_type),
            ("ce-subject", stream),
            ("ce-specversion", "1.0"),
            ("Paystream-Position", position),
            ("Paystream-Stream", stream),
            ("Paystream-Revision", &event["revision"].to_string()),
            ("Paystream-Lineage", &lineage),
        ] {
            assert_eq!(message.header(name), Some(expected), "{name} at position {position}");
        }
        assert_eq!(message.header("Paystream-Previous"), previous.get(&message.subject).map(String::as_str), "at position {position}");
        assert_eq!(message.header("Nats-Msg-Id"), None);
        assert_eq!(message.json(), event["data"], "at position {position}");
        previous.insert(message.subject.clone(), position.to_owned());
    }
    assert_eq!(messages.len(), events.len());
    messages
}

fn part(stream: &str) -> String {
    let first = Sha256::digest(stream.strip_prefix("order-").unwrap_or(stream))[0];
    format!("p{:02}", first % 16)
}

/// Waits until `/readyz` names the broker with these words, as a warning or as what is missing.
async fn until_ready_tells(server: &Paystream, words: &str) {
    within(REFILL_LIMIT, &format!("/readyz tells of the broker: {words}"), async || {
        let report = server.api().get("/readyz").send().await.json();
        let told = ["missing", "warnings"].iter().flat_map(|member| report[*member].as_array().into_iter().flatten());
        let told: Vec<_> = told.filter(|reason| reason["name"] == "broker").map(|reason| reason["reason"].as_str().unwrap()).collect();
        let tells = if words.is_empty() { told.is_empty() } else { told.iter().any(|reason| reason.contains(words)) };
        if tells { Ok(()) } else { Err(report.to_string()) }
    })
    .await;
}

#[test]
fn every_published_event_is_in_the_stream_once_and_in_order_with_its_headers() {
    run(async {
        let nats = NatsServer::start().await;
        let server = Paystream::start("relay-order", beside(&nats)).await;
        paid_order(&server.buyer("alice")).await;
        server.buyer("bob").select_course(FREE_COURSE).await.expect(201);
        orders(&server, 5).await;
        let messages = assert_the_stream_is_the_log(&server, &nats).await;
        let subjects: HashSet<_> = messages.iter().map(|message| message.subject.rsplit_once('.').unwrap().0).collect();
        for subject in [
            "paystream.v1.pay_record.PaymentConfirmed.course",
            "paystream.v1.order.OrderCreated.workshop",
            "paystream.v1.stock.StockReceived.none",
        ] {
            assert!(subjects.contains(subject), "{subject} is not among {subjects:?}");
        }
        let config = nats.stream_config().await;
        assert!(config.deny_delete && config.deny_purge && config.allow_direct && config.max_age.is_zero(), "{config:?}");
        assert_eq!(config.storage, jetstream::stream::StorageType::File);
        let metrics = server.api().get("/metrics").send().await.expect(200).text();
        assert!(metrics.contains(&format!("paystream_relay_messages_total {}", messages.len())), "{metrics}");
        until_ready_tells(&server, "").await;
    });
}

/// The one test here that sleeps: it varies the moment of the kill.
#[test]
fn a_relay_killed_at_any_moment_goes_on_where_the_stream_ends() {
    run(async {
        let nats = NatsServer::start().await;
        let mut server = Paystream::start("relay-killed", beside(&nats)).await;
        for round in 0..6 {
            orders(&server, 25).await;
            tokio::time::sleep(Duration::from_millis(round * 7)).await;
            server.kill9();
            server.restart().await;
        }
        assert_the_stream_is_the_log(&server, &nats).await;
    });
}

#[test]
fn two_relays_at_once_publish_each_event_once() {
    run(async {
        let nats = NatsServer::start().await;
        let database = Database::new().await;
        let url = database.url.clone();
        let config = Config { store: StoreKind::Postgres, ..Config::in_roles(WITHOUT_RELAY) };
        let server = Paystream::start_on("relay-two-shop", config, Some(database)).await;
        let relay = || {
            let mut config = Config::in_roles(ONLY_RELAY).with("PAYSTREAM_NATS", &nats.url());
            for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
                config = config.with(variable, &url);
            }
            config
        };
        orders(&server, 30).await;
        let mut relays = Vec::new();
        for name in ["relay-two-a", "relay-two-b"] {
            relays.push(Paystream::start(name, relay()).await);
        }
        for _ in 0..4 {
            tokio::join!(orders(&server, 15), orders(&server, 15), paid_order_of(&server));
        }
        assert_the_stream_is_the_log(&server, &nats).await;
        // Either of them is enough.
        relays.swap_remove(0).kill9();
        orders(&server, 3).await;
        assert_the_stream_is_the_log(&server, &nats).await;
    });
}

async fn paid_order_of(server: &Paystream) {
    paid_order(&server.buyer(&unique("buyer"))).await;
}

#[test]
fn a_broker_that_lost_everything_while_running_is_filled_again() {
    run(async {
        let mut nats = NatsServer::start().await;
        let server = Paystream::start("relay-wiped", beside(&nats)).await;
        orders(&server, 40).await;
        let before = assert_the_stream_is_the_log(&server, &nats).await;
        nats.kill9();
        nats.wipe();
        // Orders are made all the same.
        orders(&server, 5).await;
        until_ready_tells(&server, "no connection").await;
        let began = Instant::now();
        nats.resume().await;
        let after = assert_the_stream_is_the_log(&server, &nats).await;
        workspace::print_result(&format!(
            "relay: a wiped broker was whole again {:?} after it came back, {} messages",
            began.elapsed(),
            after.len()
        ));
        for (one, other) in before.iter().zip(&after) {
            assert_eq!((one.sequence, one.header("ce-id")), (other.sequence, other.header("ce-id")));
        }
        until_ready_tells(&server, "").await;
    });
}

#[test]
fn a_stream_deleted_under_an_idle_relay_is_filled_again() {
    run(async {
        let nats = NatsServer::start().await;
        let server = Paystream::start("relay-deleted", beside(&nats)).await;
        orders(&server, 10).await;
        assert_the_stream_is_the_log(&server, &nats).await;
        nats.jetstream().await.delete_stream("PAYSTREAM").await.unwrap();
        assert_the_stream_is_the_log(&server, &nats).await;
    });
}

#[test]
fn a_truncated_stream_is_filled_up_from_where_it_ends() {
    run(async {
        let nats = NatsServer::start().await;
        let mut server = Paystream::start("relay-truncated", beside(&nats)).await;
        orders(&server, 20).await;
        let before = assert_the_stream_is_the_log(&server, &nats).await;
        server.terminate().await;
        // As a broker restored from an older copy: the same stream, without its end.
        let (config, jetstream) = (nats.stream_config().await, nats.jetstream().await);
        jetstream.delete_stream("PAYSTREAM").await.unwrap();
        jetstream.create_stream(config).await.unwrap();
        for message in &before[..before.len() / 2] {
            let published =
                jetstream.publish_with_headers(message.subject.clone(), message.headers.clone(), message.body.clone().into()).await;
            published.unwrap().await.unwrap();
        }
        server.restart().await;
        orders(&server, 1).await;
        let after = assert_the_stream_is_the_log(&server, &nats).await;
        assert!(after.len() > before.len());
    });
}

#[test]
fn a_stream_of_another_log_is_refused_until_it_is_deleted() {
    run(async {
        let nats = NatsServer::start().await;
        let first = Paystream::start("relay-lineage-first", beside(&nats)).await;
        orders(&first, 3).await;
        let before = assert_the_stream_is_the_log(&first, &nats).await;
        drop(first);
        let mut second = Paystream::start("relay-lineage-second", beside(&nats)).await;
        orders(&second, 3).await;
        until_ready_tells(&second, "lineage").await;
        assert_eq!(nats.messages().await.len(), before.len());
        nats.jetstream().await.delete_stream("PAYSTREAM").await.unwrap();
        assert_the_stream_is_the_log(&second, &nats).await;

        // A log that was restored is renewed by hand, and then refuses the stream of its former life.
        second.terminate().await;
        let renewed = second.run_subcommand(&["lineage", "renew"]);
        assert!(renewed.status.success(), "{}", String::from_utf8_lossy(&renewed.stderr));
        second.restart().await;
        orders(&second, 1).await;
        until_ready_tells(&second, "lineage").await;
        nats.jetstream().await.delete_stream("PAYSTREAM").await.unwrap();
        assert_the_stream_is_the_log(&second, &nats).await;
    });
}

#[test]
fn a_full_stream_is_told_and_goes_on_when_there_is_room() {
    run(async {
        let nats = NatsServer::start().await;
        let server = Paystream::start("relay-full", beside(&nats)).await;
        orders(&server, 2).await;
        assert_the_stream_is_the_log(&server, &nats).await;
        let (config, jetstream) = (nats.stream_config().await, nats.jetstream().await);
        let used = jetstream.get_stream("PAYSTREAM").await.unwrap().get_info().await.unwrap().state.bytes;
        let full = jetstream::stream::Config { max_bytes: i64::try_from(used).unwrap() + 3_000, ..config.clone() };
        jetstream.update_stream(&full).await.unwrap();
        orders(&server, 10).await;
        until_ready_tells(&server, "the broker is full").await;
        let metrics = server.api().get("/metrics").send().await.expect(200).text();
        assert!(
            metrics.lines().any(|line| line.starts_with("paystream_relay_troubles_total{kind=\"full\"}") && !line.ends_with(" 0")),
            "{metrics}"
        );
        jetstream.update_stream(&config).await.unwrap();
        assert_the_stream_is_the_log(&server, &nats).await;
        until_ready_tells(&server, "").await;
    });
}

#[test]
fn a_stream_that_may_lose_messages_is_not_published_to() {
    run(async {
        let nats = NatsServer::start().await;
        let lossy = jetstream::stream::Config {
            name: "PAYSTREAM".to_owned(),
            subjects: vec!["paystream.v1.>".to_owned()],
            max_messages: 5,
            ..Default::default()
        };
        nats.jetstream().await.create_stream(lossy).await.unwrap();
        let server = Paystream::start("relay-lossy", beside(&nats)).await;
        for words in ["discard is Old, and must be New", "max_msgs is 5, and must be -1", "deny_purge is false, and must be true"] {
            until_ready_tells(&server, words).await;
        }
        assert_eq!(nats.messages().await.len(), 0);
        nats.jetstream().await.delete_stream("PAYSTREAM").await.unwrap();
        assert_the_stream_is_the_log(&server, &nats).await;
    });
}

#[test]
fn a_broker_that_starts_later_than_paystream_gets_everything() {
    run(async {
        let mut nats = NatsServer::prepare();
        let server = Paystream::start("relay-later", beside(&nats)).await;
        orders(&server, 5).await;
        until_ready_tells(&server, "no connection").await;
        nats.resume().await;
        assert_the_stream_is_the_log(&server, &nats).await;
    });
}

#[test]
fn a_broker_that_is_stopped_and_started_keeps_what_it_has() {
    run(async {
        let mut nats = NatsServer::start().await;
        let server = Paystream::start("relay-restarted", beside(&nats)).await;
        for _ in 0..3 {
            orders(&server, 5).await;
            nats.stop().await;
            orders(&server, 5).await;
            nats.resume().await;
        }
        assert_the_stream_is_the_log(&server, &nats).await;
    });
}

/// What the relay had on its way when it gave up waiting is stored all the same when the server goes on.
#[test]
fn a_broker_that_hangs_with_messages_on_their_way_has_each_event_once_when_it_goes_on() {
    run(async {
        let nats = NatsServer::start().await;
        let server = Paystream::start("relay-hung", beside(&nats)).await;
        orders(&server, 5).await;
        assert_the_stream_is_the_log(&server, &nats).await;
        for _ in 0..2 {
            nats.halt();
            // Orders are made all the same.
            orders(&server, 20).await;
            // It waits in vain for an answer, or has lost the connection by then.
            until_ready_tells(&server, "no ").await;
            nats.go_on();
            assert_the_stream_is_the_log(&server, &nats).await;
            until_ready_tells(&server, "").await;
        }
    });
}

/// How long each piece that is sent to the slow broker, or comes from it, is held up.
const HELD_UP: Duration = Duration::from_millis(25);

/// A way to the broker on which everything takes its time; answers its address.
async fn slow_way(nats: &NatsServer) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broker = nats.url().trim_start_matches("nats://").to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = tokio::net::TcpStream::connect(&broker).await else { continue };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_read, far_write));
            tokio::spawn(carry(far_read, near_write));
        }
    });
    format!("nats://{address}")
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = [0; 2048];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // Not a wait for anything: it is the slowness that is tested.
        tokio::time::sleep(HELD_UP).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[test]
fn a_slow_broker_holds_nobody_up_and_gets_each_event_once() {
    run(async {
        let nats = NatsServer::start().await;
        let slow = slow_way(&nats).await;
        let server = Paystream::start("relay-slow", Config::default().with("PAYSTREAM_NATS", &slow)).await;
        for _ in 0..3 {
            orders(&server, 10).await;
        }
        paid_order(&server.buyer("alice")).await;
        assert_the_stream_is_the_log(&server, &nats).await;
        until_ready_tells(&server, "").await;
    });
}

#[test]
fn a_server_that_is_too_old_is_refused_at_start() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://user:s3cret@{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let information = r#"{"server_id":"X","version":"2.9.10","headers":true,"max_payload":1048576,"jetstream":true}"#;
                drop(write!(connection, "INFO {information}\r\n"));
                // What is asked is answered just as far as it takes to be connected.
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(1..) = connection.read(&mut buffer) {
                        drop(connection.write_all(b"PONG\r\n"));
                    }
                });
            }
        });
        let mut server = Paystream::prepare("relay-old", Config::default().with("PAYSTREAM_NATS", &url), None);
        server.launch();
        assert!(!server.ended().await.success());
        let said = server.log_text();
        for words in ["PAYSTREAM_NATS", "2.9.10", "2.15 or newer"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains("s3cret"), "{said}");
    });
}

#[test]
fn a_silent_broker_keeps_nobody_from_starting_and_its_credentials_are_masked() {
    run(async {
        // It takes connections and says nothing.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://user:s3cret@{}", listener.local_addr().unwrap());
        let server = Paystream::start("relay-silent", Config::default().with("PAYSTREAM_NATS", &url).with("PAYSTREAM_LOG", "debug")).await;
        until_ready_tells(&server, "no connection").await;
        orders(&server, 1).await;
        let report = server.api().get("/readyz").send().await.expect(200).text();
        assert!(!report.contains("s3cret") && !server.log_text().contains("s3cret"), "{report}");
        let order = eventually("the order is there", async || {
            let events = published_events(&server).await;
            events.iter().any(|event| event["type"] == "OrderCreated").then_some(()).ok_or_else(|| "no order".to_owned())
        });
        order.await;
        drop(listener);
    });
}
