//! Starting, stopping, configuration, tokens, and what operations reads.

use std::time::Duration;

use rustix::process::Signal;

use super::harness::journey::{open_order, paid_order};
use super::harness::random::unique;
use super::harness::server::STOP_LIMIT;
use super::harness::watch::Watch;
use super::harness::{Config, PAID_COURSE, Paystream, SharedPaystream, StoreKind, run};

static SHARED: SharedPaystream = SharedPaystream::new("start-up");

#[test]
fn a_second_start_finds_the_data_of_the_first_on_sqlite() {
    run(second_start(StoreKind::Embedded));
}

#[test]
fn a_second_start_finds_the_data_of_the_first_on_postgres() {
    run(second_start(StoreKind::Postgres));
}

async fn second_start(store: StoreKind) {
    let mut server = Paystream::start("second-start", Config::on(store)).await;
    let alice = server.buyer("alice");
    let order = paid_order(&alice).await;
    alice.until_course_is_in_the_table(PAID_COURSE).await;
    let (events, view) = (server.auditor().events().await, alice.order(&order.order_id).await);
    server.terminate().await;
    server.restart().await;
    // The token of before is still one: its key is kept with the data.
    assert_eq!(alice.order(&order.order_id).await, view);
    assert_eq!(server.auditor().events().await, events);
    assert_eq!(alice.course_rows(PAID_COURSE).await.len(), 1);
}

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
fn the_start_says_where_everything_is_and_how_to_get_a_token() {
    run(async {
        let server = Paystream::start("says", Config::default()).await;
        let said = server.log_text();
        let base = server.api().base();
        for part in [base, &format!("{base}/docs"), "paystream token"] {
            assert!(said.contains(part), "no {part} in:\n{said}");
        }
        for secret in ["BEGIN", "PRIVATE KEY", "$argon2"] {
            assert!(!said.contains(secret), "the log holds {secret}");
        }
        assert!(said.contains("shop"), "{said}");
    });
}

#[test]
fn the_token_stands_alone_on_the_last_line_and_opens_its_role() {
    run(async {
        let server = SHARED.get().await;
        let output = server.run_subcommand(&["token", "--sub", "alice", "--role", "buyer"]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let token = text.lines().last().unwrap();
        assert_eq!(token.split('.').count(), 3, "{text}");
        assert!(!token.contains(char::is_whitespace));
        let alice = server.api().with_token(token);
        alice.get("/api/v1/orders").send().await.expect(200);
        alice.get("/api/v1/audit/events").send().await.expect(403);
        let refused = server.run_subcommand(&["token", "--sub", "alice", "--role", "emperor"]);
        assert!(!refused.status.success() && refused.stdout.is_empty());
    });
}

#[test]
fn a_configuration_with_a_mistake_is_refused_and_the_mistake_is_named() {
    run(async {
        for (variable, value) in [
            ("PAYSTREAM_LISTENN", "127.0.0.1:1"),
            ("PAYSTREAM_LISTEN", "somewhere"),
            ("PAYSTREAM_ORDER_LIFE_S", "-1"),
            ("PAYSTREAM_ORDER_LIFE_S", "soon"),
            ("PAYSTREAM_EVENT_STORE", "mongodb://127.0.0.1"),
            ("PAYSTREAM_VIEWS", "nowhere"),
            ("PAYSTREAM_PUBLIC_URL", "not an address"),
            ("PAYSTREAM_SANDBOX_NOTIFY_SCALE", "-2"),
        ] {
            let mut server = Paystream::prepare("mistake", Config::default().with(variable, value), None);
            server.launch();
            let status = server.until_ended(Duration::from_secs(30)).await;
            let said = server.log_text();
            assert!(status.is_some_and(|status| !status.success()), "{variable}={value} was taken:\n{said}");
            assert!(said.contains(variable), "{variable} is not named:\n{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    });
}

#[test]
fn variables_of_tests_and_benchmarks_are_ignored() {
    run(async {
        let config =
            Config::default().with("PAYSTREAM_TEST_ANYTHING", "1").with("PAYSTREAM_VECTORS", "/nowhere").with("PAYSTREAM_BENCH_X", "1");
        let server = Paystream::start("ignored", config).await;
        server.api().get("/healthz").send().await.expect(200);
    });
}

#[test]
fn a_port_that_is_taken_is_named_and_the_data_is_left_alone() {
    run(async {
        let first = SHARED.get().await;
        let listen = first.api().base().strip_prefix("http://").unwrap().to_owned();
        let mut second = Paystream::prepare("port-taken", Config::default().with("PAYSTREAM_LISTEN", &listen), None);
        second.launch();
        let status = second.until_ended(Duration::from_secs(30)).await.expect("it ends");
        assert!(!status.success());
        assert!(second.log_text().contains(&listen), "{}", second.log_text());
        first.api().get("/healthz").send().await.expect(200);
    });
}

#[test]
fn operations_reads_health_readiness_and_metrics() {
    run(async {
        let server = SHARED.get().await;
        paid_order(&server.buyer(&unique("metrics"))).await;
        server.api().get("/healthz").send().await.expect(200);
        server.api().get("/readyz").send().await.expect(200);
        let metrics = server.api().get("/metrics").send().await.expect(200).text();
        let samples = metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for sample in samples.clone() {
            let value = sample.rsplit_once(' ').unwrap().1;
            assert!(value.parse::<f64>().is_ok(), "not a sample: {sample}");
        }
        assert!(samples.count() > 5, "{metrics}");
    });
}

#[test]
fn logs_name_the_order_and_the_pay_number_and_no_token_or_signature() {
    run(async {
        let server = Paystream::start("logs", Config::default()).await;
        let alice = server.sign_in("alice").await;
        let order = paid_order(&alice).await;
        let notice = server.api().notification(&order.pay_no).await;
        server.api().notify(notice.encode()).await;
        let said = server.log_text();
        assert!(said.contains(&order.pay_no) && said.contains(&order.order_id), "{said}");
        for secret in [alice.token().unwrap(), notice.get("sign"), "demo-password"] {
            assert!(!said.contains(secret), "the log holds a secret");
        }
        let checkout_token = order.checkout_url.rsplit_once('/').unwrap().1;
        assert!(!said.contains(checkout_token), "the log holds what opens a checkout");
    });
}
