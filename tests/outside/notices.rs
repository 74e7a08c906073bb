//! Genuine notifications, however many (T3).

use std::sync::Arc;

use futures_util::future::join_all;

use super::harness::audit::{count, types};
use super::harness::journey::{open_order, paid_order};
use super::harness::notice::assert_success;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, Paystream, SharedPaystream, StoreKind, run};

static SHARED: SharedPaystream = SharedPaystream::new("notices");

const NOTICES: usize = 1_000;
const CONNECTIONS: usize = 64;

#[test]
fn a_thousand_identical_notices_mixed_with_sync_and_query_are_one_payment_on_sqlite() {
    run(a_thousand_notices(StoreKind::Embedded));
}

#[test]
fn a_thousand_identical_notices_mixed_with_sync_and_query_are_one_payment_on_postgres() {
    run(a_thousand_notices(StoreKind::Postgres));
}

async fn a_thousand_notices(store: StoreKind) {
    let server = Paystream::start("thousand-notices", Config::on(store)).await;
    let buyer = server.buyer("alice");
    let order = open_order(&buyer).await;
    buyer.sandbox_pay(&order.pay_no, "never").await.expect(200);
    let body: Arc<str> = server.api().notification(&order.pay_no).await.encode().into();

    let connections = (0..CONNECTIONS).map(|number| {
        let (channel, buyer, body, pay_no) = (server.api().clone(), buyer.clone(), body.clone(), order.pay_no.clone());
        let share = NOTICES / CONNECTIONS + usize::from(number < NOTICES % CONNECTIONS);
        tokio::spawn(async move { one_connection(&channel, &buyer, &body, &pay_no, number, share).await })
    });
    let answered: usize = join_all(connections).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(answered, NOTICES);

    buyer.until_course_is_in_the_table(PAID_COURSE).await;
    let auditor = server.auditor();
    let stream = auditor.stream(&format!("order-{}", order.order_id)).await;
    assert_eq!(types(&stream), ["OrderCreated", "PayRecordIssued", "PayRecordPrepared", "PaymentConfirmed", "OrderPaid"]);
    let all = auditor.events().await;
    assert_eq!(count(&all, "PaymentConfirmed"), 1);
    assert_eq!(buyer.course_rows(PAID_COURSE).await.len(), 1);
    buyer.until_order_is(&order.order_id, "paid").await;
}

/// Sends `share` notices one after the other, with a sync or a query between some of them; answers how many were sent.
async fn one_connection(channel: &Api, buyer: &Api, body: &str, pay_no: &str, number: usize, share: usize) -> usize {
    for turn in 0..share {
        assert_success(&channel.notify(body.to_owned()).await);
        match (number + turn) % 16 {
            0 => drop(buyer.sync(pay_no).await.expect(200)),
            8 => drop(buyer.get(&format!("/api/v1/pay-records/{pay_no}")).send().await.expect(200)),
            _ => {}
        }
    }
    share
}

#[test]
fn a_repeated_notice_is_acknowledged_and_changes_nothing() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("repeat"));
        let order = paid_order(&buyer).await;
        let before = server.auditor().order_event_types(&order.order_id).await;
        let notice = server.api().notification(&order.pay_no).await.encode();
        assert_success(&server.api().notify(notice.clone()).await);
        assert_success(&server.api().notify(notice).await);
        assert_eq!(server.auditor().order_event_types(&order.order_id).await, before);
    });
}

#[test]
fn a_notice_that_comes_twice_or_late_is_one_payment() {
    run(async {
        let server = SHARED.get().await;
        for notify in ["twice", "late:300"] {
            let buyer = server.buyer(&unique("ladder"));
            let order = open_order(&buyer).await;
            buyer.sandbox_pay(&order.pay_no, notify).await.expect(200);
            buyer.until_order_is(&order.order_id, "paid").await;
            let events = server.auditor().stream(&format!("order-{}", order.order_id)).await;
            assert_eq!(count(&events, "PaymentConfirmed"), 1, "{notify}");
        }
    });
}

#[test]
fn a_sync_before_the_notice_and_a_notice_before_the_sync_end_alike() {
    run(async {
        let server = SHARED.get().await;
        for sync_first in [true, false] {
            let buyer = server.buyer(&unique("order-of-arrival"));
            let order = open_order(&buyer).await;
            buyer.sandbox_pay(&order.pay_no, "never").await.expect(200);
            let notice = server.api().notification(&order.pay_no).await.encode();
            if sync_first {
                assert_eq!(buyer.sync(&order.pay_no).await.expect(200).field("status"), "confirmed");
                assert_success(&server.api().notify(notice).await);
            } else {
                assert_success(&server.api().notify(notice).await);
                assert_eq!(buyer.sync(&order.pay_no).await.expect(200).field("status"), "confirmed");
            }
            let events = server.auditor().stream(&format!("order-{}", order.order_id)).await;
            assert_eq!(count(&events, "PaymentConfirmed"), 1);
        }
    });
}
