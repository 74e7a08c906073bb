//! A view can be made again from the log, with the same content.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::harness::buyers::Buyers;
use super::harness::fleet::Fleet;
use super::harness::journey::{create_business_order, open_order, paid_order};
use super::harness::random::unique;
use super::harness::workspace::print_result;
use super::harness::{Api, Config, FREE_COURSE, PAID_COURSE, Paystream, StoreKind, eventually, run};

/// The views that this version keeps, by the names under which they are rebuilt.
const VIEWS: [&str; 10] = [
    "orders",
    "pay_records",
    "refunds",
    "surplus_payments",
    "course_selections",
    "course_table",
    "points",
    "stock",
    "coupons",
    "entitlements",
];

#[test]
fn every_view_has_the_same_content_after_it_was_rebuilt_on_sqlite() {
    run(rebuilt(StoreKind::Embedded));
}

#[test]
fn every_view_has_the_same_content_after_it_was_rebuilt_on_postgres() {
    run(rebuilt(StoreKind::Postgres));
}

async fn rebuilt(store: StoreKind) {
    let mut server = Paystream::start("rebuild", Config::on(store)).await;
    let alice = server.buyer("alice");
    let paid = paid_order(&alice).await;
    alice.select_course(FREE_COURSE).await.expect(201);
    alice.until_course_is_in_the_table(FREE_COURSE).await;
    alice.until_course_is_in_the_table(PAID_COURSE).await;
    let bob = server.buyer("bob");
    let open = open_order(&bob).await;
    let last = create_business_order(&server.service(), "bob", &unique("rebuild")).await.expect(201);

    for running in [true, false] {
        let before = content(&alice, &bob, &[&paid.pay_no], &[&open.pay_no], &last.position()).await;
        let log = server.auditor().events().await;
        if !running {
            server.terminate().await;
        }
        for view in VIEWS {
            let output = server.run_subcommand(&["rebuild", view]);
            assert!(output.status.success(), "rebuild {view}: {}", String::from_utf8_lossy(&output.stderr));
        }
        if !running {
            server.restart().await;
        }
        assert_eq!(content(&alice, &bob, &[&paid.pay_no], &[&open.pay_no], &last.position()).await, before);
        assert_eq!(server.auditor().events().await, log, "a rebuild has no effect outside its view");
    }
    let unknown = server.run_subcommand(&["rebuild", "no_such_view"]);
    assert!(!unknown.status.success());
    // And the rebuilt views go on following.
    bob.sandbox_pay(&open.pay_no, "once").await.expect(200);
    bob.until_order_is(&open.order_id, "paid").await;
    bob.until_course_is_in_the_table(PAID_COURSE).await;
}

#[test]
fn views_are_made_again_under_traffic_while_two_processes_keep_them() {
    run(async {
        let fleet = Fleet::start("rebuild-traffic", &[]).await;
        let buyers = Buyers::come(&fleet, 4);
        let started = Instant::now();
        for view in VIEWS {
            let output = fleet.projections[0].run_subcommand(&["rebuild", view]);
            assert!(output.status.success(), "rebuild {view}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let seconds = started.elapsed().as_secs();
        let bought = buyers.go().await;
        assert!(bought.len() > 4, "{} purchases were no traffic", bought.len());
        let reader = fleet.query_apis[0].buyer("member-1");
        for order_id in bought.values() {
            assert_eq!(reader.until_order_is(order_id, "paid").await["payment_status"], "paid");
        }
        // In quiet, what was kept while it was exchanged is what the log gives.
        let before = seen_by(&reader, &bought).await;
        for view in VIEWS {
            assert!(fleet.projections[1].run_subcommand(&["rebuild", view]).status.success());
        }
        assert_eq!(seen_by(&reader, &bought).await, before);
        // Whoever keeps the views now says that it is not behind.
        for server in &fleet.projections {
            eventually("it is not behind", async || {
                let metrics = server.api().get("/metrics").send().await.expect(200).text();
                let behind = |line: &&str| line.starts_with("paystream_follower_lag_") && !line.ends_with(" 0");
                let all = metrics.lines().filter(|line| line.starts_with("paystream_follower_lag_")).count();
                let behind: Vec<_> = metrics.lines().filter(behind).collect();
                if all >= 2 * 7 && behind.is_empty() { Ok(()) } else { Err(format!("{all} lines, {behind:?}")) }
            })
            .await;
        }
        print_result(&format!("{} views made again in {seconds} s under traffic: {} purchases, all seen", VIEWS.len(), bought.len()));
    });
}

/// The orders with their pay records, as a buyer sees them.
async fn seen_by(reader: &Api, bought: &BTreeMap<String, String>) -> Vec<Value> {
    let mut seen = Vec::new();
    for order_id in bought.values() {
        seen.push(reader.order(order_id).await);
        seen.push(reader.until_pay_record_is(&format!("{order_id}01"), "confirmed").await);
    }
    seen
}

/// Everything that the two buyers see.
async fn content(alice: &Api, bob: &Api, alices: &[&str], bobs: &[&str], after: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    for (buyer, pay_nos) in [(alice, alices), (bob, bobs)] {
        for path in ["/api/v1/orders?limit=200", "/api/v1/course-table?limit=200"] {
            let list = read(buyer, path, after).await;
            for order in list["items"].as_array().unwrap().iter().filter_map(|item| item["order_id"].as_str()) {
                seen.push(read(buyer, &format!("/api/v1/orders/{order}"), after).await);
            }
            for selection in list["items"].as_array().unwrap().iter().filter_map(|item| item["selection_id"].as_str()) {
                seen.push(read(buyer, &format!("/api/v1/course-selections/{selection}"), after).await);
            }
            seen.push(list);
        }
        seen.push(read(buyer, "/api/v1/points", after).await);
        for pay_no in pay_nos {
            seen.push(read(buyer, &format!("/api/v1/pay-records/{pay_no}"), after).await);
        }
    }
    seen
}

/// What stands at `path` once the view has reached `after`.
async fn read(buyer: &Api, path: &str, after: &str) -> Value {
    buyer.get(path).after(after).send().await.expect(200).json()
}
