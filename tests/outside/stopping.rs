//! Stopping: what runs is finished, what does not end is cut, and all of it within five seconds.

use rustix::process::Signal;
use sqlx::ConnectOptions;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::journey::open_order;
use super::harness::server::STOP_LIMIT;
use super::harness::watch::Watch;
use super::harness::{Config, PAID_COURSE, Paystream, StoreKind, eventually, run};

#[test]
fn a_stop_ends_within_five_seconds_although_somebody_watches() {
    run(async {
        for signal in [Signal::TERM, Signal::INT] {
            let mut server = Paystream::start("stop", Config::default()).await;
            let alice = server.buyer("alice");
            let order = open_order(&alice).await;
            let mut watch = Watch::open(alice.get(&format!("/api/v1/orders/{}/watch", order.order_id))).await;
            let mut page = Watch::open(server.api().get(&format!("{}/watch", order.checkout_url))).await;
            server.process().signal(signal);
            let status = server.until_ended(STOP_LIMIT).await;
            assert!(status.is_some_and(|status| status.success()), "{signal:?}: {status:?}\n{}", server.log_text());
            while watch.next_data().await.is_some() {}
            while page.next_data().await.is_some() {}
        }
    });
}

/// How many processes have the lease by which orders are looked after, in the file of the embedded store: one or none.
async fn leases(server: &Paystream) -> i64 {
    let file = server.data_folder().join("state.db");
    let mut state = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    sqlx::query_scalar("select count(*) from lease where name = 'order_upkeep'").fetch_one(&mut state).await.unwrap()
}

/// Makes an order, which is looked after by whoever has the lease, and waits for that.
async fn until_one_is_held(server: &Paystream, buyer: &str) {
    open_order(&server.buyer(buyer)).await;
    let held = eventually("a process manager holds its lease", async || match leases(server).await {
        0 => Err("none is held".to_owned()),
        _ => Ok(()),
    });
    held.await;
}

/// Another process takes the work over at once, and not when the lease has ended.
#[test]
fn a_stop_gives_the_lease_back() {
    run(async {
        let mut server = Paystream::start("leases", Config::on(StoreKind::Embedded)).await;
        until_one_is_held(&server, "alice").await;
        server.terminate().await;
        assert_eq!(leases(&server).await, 0);
        server.restart().await;
        until_one_is_held(&server, "bob").await;
        server.kill9();
        assert_ne!(leases(&server).await, 0, "who dies gives nothing back");
    });
}

#[test]
fn a_request_that_is_being_answered_is_answered_before_the_stop() {
    run(async {
        let mut server = Paystream::start("drain", Config::default()).await;
        let learners: Vec<_> = (0..8).map(|number| server.buyer(&format!("learner-{number}"))).collect();
        let calls: Vec<_> = learners
            .into_iter()
            .map(|learner| {
                tokio::spawn(async move {
                    let body = serde_json::json!({"course_id": PAID_COURSE});
                    learner.post("/api/v1/course-selections", &body).try_send().await
                })
            })
            .collect();
        server.terminate().await;
        let mut answered = Vec::new();
        for call in calls {
            // Who came too late was refused by the closed port; who was let in was answered.
            match call.await.unwrap() {
                Ok(reply) => answered.push(reply.expect(201).field("selection_id")),
                Err(error) => assert!(error.is_connect() || error.is_request(), "{error:?}"),
            }
        }
        server.restart().await;
        let log = server.auditor().events().await;
        for selection_id in answered {
            let stream = format!("course_selection-{selection_id}");
            assert!(log.iter().any(|event| event["stream_id"] == stream.as_str()), "{selection_id} was answered");
        }
    });
}

#[test]
fn a_stop_is_heard_although_nobody_reads_what_is_printed() {
    run(async {
        let mut server = Paystream::prepare("unread", Config::default(), None);
        let reader = server.launch_into_pipe();
        server.until_ready().await;
        drop(reader);
        // Every request writes a line to where nobody reads.
        server.api().get("/api/v1/products").send().await.expect(200);
        server.process().signal(Signal::TERM);
        let status = server.until_ended(STOP_LIMIT).await;
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
    });
}

#[test]
fn a_half_sent_request_does_not_hold_up_the_stop() {
    run(async {
        let mut server = Paystream::start("half-sent", Config::default()).await;
        let address = server.api().base().strip_prefix("http://").unwrap().to_owned();
        let mut connections = Vec::new();
        for half in [
            "POST /api/v1/sessions HTTP/1.1\r\nhost: pay",
            "POST /api/v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{\"user",
        ] {
            let mut connection = TcpStream::connect(&address).await.unwrap();
            connection.write_all(half.as_bytes()).await.unwrap();
            connections.push(connection);
        }
        // An answered request came after them, so they are with the server.
        server.api().get("/healthz").send().await.expect(200);
        server.terminate().await;
        // Nobody waited for their other halves until the time for running requests was over.
        assert!(!server.log_text().contains("did not end in time"), "{}", server.log_text());
    });
}

#[test]
fn a_silent_channel_does_not_hold_up_the_stop() {
    run(async {
        let mut server = Paystream::start("silent", Config::default().with("PAYSTREAM_CHANNEL_TIMEOUT_MS", "15000")).await;
        let (alice, auditor) = (server.buyer("alice"), server.auditor());
        let selection_id = alice.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let order_id = alice.order_selection(&selection_id).await.expect(201).field("order_id");
        server.api().arm_fault("precreate", "timeout_before", 1).await;
        let body = serde_json::json!({"channel": "alipay_qr"});
        let sending = tokio::spawn(alice.post(&format!("/api/v1/orders/{order_id}/pay-records"), &body).try_send());
        eventually("the channel is asked", async || {
            let types = auditor.order_event_types(&order_id).await;
            if types.iter().any(|name| name == "PayRecordIssued") { Ok(()) } else { Err(format!("{types:?}")) }
        })
        .await;
        server.terminate().await;
        drop(sending.await.unwrap());
    });
}
