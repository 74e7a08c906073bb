//! Starting, tokens, and what operations reads.

use std::collections::BTreeSet;
use std::time::Duration;

use super::harness::journey::paid_order;
use super::harness::random::unique;
use super::harness::workspace::root;
use super::harness::{Config, PAID_COURSE, Paystream, SharedPaystream, StoreKind, run};

static SHARED: SharedPaystream = SharedPaystream::new("start-up");

/// The schemas, and the roles that are named like them, with the one that owns the tables.
const ON_POSTGRES: [&str; 4] = ["paystream_log", "paystream_views", "paystream_state", "paystream_owner"];
/// What only a relay counts; `relay.rs` reads these.
const WITH_A_BROKER: [&str; 2] = ["paystream_relay_messages_total", "paystream_relay_troubles_total"];

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
fn a_token_is_good_and_a_view_is_made_again_on_a_server_whose_clock_was_moved() {
    run(async {
        for store in [StoreKind::Embedded, StoreKind::Postgres] {
            let server = Paystream::start("moved-clock", Config::on(store)).await;
            server.api().advance_clock(Duration::from_hours(48)).await;
            server.buyer("alice").get("/api/v1/orders").send().await.expect(200);
            let output = server.run_subcommand(&["rebuild", "orders"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
}

#[test]
fn operations_reads_health_readiness_and_the_metrics_that_its_document_names() {
    run(async {
        let server = SHARED.get().await;
        paid_order(&server.buyer(&unique("metrics"))).await;
        server.api().get("/healthz").send().await.expect(200);
        server.api().get("/readyz").send().await.expect(200);
        let metrics = server.api().get("/metrics").send().await.expect(200).text();
        let samples: Vec<_> = metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        for sample in &samples {
            let value = sample.rsplit_once(' ').unwrap().1;
            assert!(value.parse::<f64>().is_ok(), "not a sample: {sample}");
        }
        let document = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
        let words = document.split(|character: char| !(character.is_ascii_lowercase() || character == '_'));
        // Schemas and roles on Postgres have such names too.
        let is_metric = |word: &&str| word.starts_with("paystream_") && !ON_POSTGRES.contains(word) && !WITH_A_BROKER.contains(word);
        let named: BTreeSet<_> = words.filter(is_metric).collect();
        assert!(named.len() >= 6, "{named:?}");
        for name in named {
            // A histogram's samples are its buckets, sum and count.
            let has =
                |sample: &&str| sample.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket{"));
            assert!(samples.iter().any(has), "no {name} in:\n{metrics}");
        }
        assert!(samples.iter().any(|sample| sample.starts_with("paystream_notices_total{") && sample.contains("verdict=\"")), "{metrics}");
    });
}

#[test]
fn logs_name_the_order_and_the_pay_number_and_no_token_or_signature() {
    run(async {
        for format in ["text", "json"] {
            let server = Paystream::start("logs", Config::default().with("PAYSTREAM_LOG_FORMAT", format)).await;
            let alice = server.sign_in("alice").await;
            let order = paid_order(&alice).await;
            alice.sync(&order.pay_no).await.expect(200);
            let notice = server.api().notification(&order.pay_no).await;
            server.api().notify(notice.encode()).await;
            let said = server.log_text();
            for (route, field, number) in [
                ("/api/v1/orders/{order_id}/pay-records", "order.id", &order.order_id),
                ("/api/v1/orders/{order_id}", "order.id", &order.order_id),
                ("/api/v1/pay-records/{pay_no}", "pay.no", &order.pay_no),
                ("/api/v1/pay-records/{pay_no}/sync", "pay.no", &order.pay_no),
            ] {
                assert_told(&said, format, route, field, number);
            }
            for secret in [alice.token().unwrap(), notice.get("sign"), "demo-password"] {
                assert!(!said.contains(secret), "the log holds a secret");
            }
            let checkout_token = order.checkout_url.rsplit_once('/').unwrap().1;
            assert!(!said.contains(checkout_token), "the log holds what opens a checkout");
        }
    });
}

/// Fails the test unless the line of a request to this route names the number, as the format writes it.
fn assert_told(said: &str, format: &str, route: &str, field: &str, number: &str) {
    let is_told = |line: &&str| {
        if format == "json" {
            return serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| {
                let span = &line["span"];
                line["message"] == "request answered" && span["http.route"] == route && span[field] == number
            });
        }
        let parts = [format!("http.route=\"{route}\""), format!("{field}={number}")];
        line.contains("request answered") && parts.iter().all(|part| line.contains(part))
    };
    assert!(said.lines().any(|line| is_told(&line)), "no {field}={number} at {route} in:\n{said}");
}
