//! Payments are taken while nothing makes views, and the views get there once something does.

use super::harness::notice::assert_success;
use super::harness::postgres::Database;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, Paystream, StoreKind, run};

/// All roles but the one that makes views.
const WITHOUT_VIEWS: &[&str] = &["serve", "--roles", "command-api,query-api,process-managers,sandbox"];

const ONLY_VIEWS: &[&str] = &["serve", "--roles", "projections"];

#[test]
fn an_order_paid_while_the_view_is_down_is_paid_in_the_view_afterwards_on_sqlite() {
    run(async {
        let mut server = Paystream::start("view-down", Config::in_roles(WITHOUT_VIEWS)).await;
        let order_id = pay_without_view(&server).await;
        server.terminate().await;
        server.restart_as(&[]).await;
        assert_in_the_view(&server.buyer("alice"), &order_id).await;
    });
}

#[test]
fn an_order_paid_while_the_view_is_down_is_paid_in_the_view_afterwards_on_postgres() {
    run(async {
        let database = Database::new().await;
        let url = database.url.clone();
        let config = Config { store: StoreKind::Postgres, ..Config::in_roles(WITHOUT_VIEWS) };
        let server = Paystream::start_on("view-down", config, Some(database)).await;
        let order_id = pay_without_view(&server).await;
        let mut second = Config::in_roles(ONLY_VIEWS);
        for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
            second = second.with(variable, &url);
        }
        let second = Paystream::start("view-down-projections", second).await;
        assert_in_the_view(&server.buyer("alice"), &order_id).await;
        drop(second);
    });
}

/// The way of a learner whose program reads answers and no views, up to the channel's acknowledged notice.
async fn pay_without_view(server: &Paystream) -> String {
    let alice = server.buyer("alice");
    let selection_id = alice.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    let order = alice.order_selection(&selection_id).await.expect(201);
    let order_id = order.field("order_id");
    let pay_no = alice.pay_by_alipay_qr(&order_id).await.expect(201).field("pay_no");
    alice.sandbox_pay(&pay_no, "never").await.expect(200);
    let notice = server.api().notification(&pay_no).await.encode();
    assert_success(&server.api().notify(notice.clone()).await);
    assert_success(&server.api().notify(notice).await);
    // The log has it, and nobody has told the view.
    let types = server.auditor().order_event_types(&order_id).await;
    assert_eq!(types.iter().filter(|name| *name == "PaymentConfirmed").count(), 1, "{types:?}");
    alice.get(&format!("/api/v1/orders/{order_id}")).send().await.expect(404);
    let behind = alice.get("/api/v1/orders").after(&order.position()).send().await;
    behind.expect_problem(503, "view_behind");
    // Commands go on.
    server.buyer(&unique("bob")).select_course(PAID_COURSE).await.expect(201);
    order_id
}

async fn assert_in_the_view(alice: &Api, order_id: &str) {
    alice.until_order_is(order_id, "paid").await;
    alice.until_course_is_in_the_table(PAID_COURSE).await;
    assert_eq!(alice.course_rows(PAID_COURSE).await.len(), 1);
}
