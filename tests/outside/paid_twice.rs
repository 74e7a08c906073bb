//! One order, paid twice within moments by two pay records: one payment is the order's, the other goes back, and an operator
//! sees it (T5).

use serde_json::json;

use super::harness::audit::{assert_well_formed, count, types};
use super::harness::notice::assert_success;
use super::harness::random::unique;
use super::harness::{Config, Paystream, StoreKind, eventually, run};
use super::page_payment::{begin, form, page};

/// Whose notification comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Page,
    Code,
    AtOnce,
}

#[test]
fn of_two_payments_one_is_the_orders_and_the_other_goes_back_on_sqlite() {
    run(paid_twice(StoreKind::Embedded));
}

#[test]
fn of_two_payments_one_is_the_orders_and_the_other_goes_back_on_postgres() {
    run(paid_twice(StoreKind::Postgres));
}

async fn paid_twice(store: StoreKind) {
    let server = Paystream::start("paid-twice", Config::on(store)).await;
    let (api, operator) = (server.api(), server.as_role("olivia", "operator"));
    for arrival in [Arrival::Page, Arrival::Code, Arrival::AtOnce, Arrival::AtOnce, Arrival::AtOnce] {
        let buyer = server.buyer(&unique("twice"));
        let page = page(&buyer).await;
        form(api, &page).await.post(api).await;
        // The channel does not close the form's trade when the code is asked for: both can be paid.
        api.arm_fault("close", "refuse", 1).await;
        let code = begin(&buyer, &page.order_id, "alipay_qr").await.expect(201).field("pay_no");
        let (by_page, by_code) = tokio::join!(buyer.sandbox_pay(&page.pay_no, "never"), buyer.sandbox_pay(&code, "never"));
        by_page.expect(200);
        by_code.expect(200);
        let of_page = api.notification(&page.pay_no).await.encode();
        let of_code = api.notification(&code).await.encode();
        match arrival {
            Arrival::Page => {
                assert_success(&api.notify(of_page).await);
                assert_success(&api.notify(of_code).await);
            }
            Arrival::Code => {
                assert_success(&api.notify(of_code).await);
                assert_success(&api.notify(of_page).await);
            }
            Arrival::AtOnce => {
                let (first, second) = tokio::join!(api.notify(of_page), api.notify(of_code));
                assert_success(&first);
                assert_success(&second);
            }
        }
        let auditor = server.auditor();
        let events = eventually("the second payment went back", async || {
            let events = auditor.stream(&format!("order-{}", page.order_id)).await;
            if count(&events, "RefundSucceeded") == 1 { Ok(events) } else { Err(format!("{:?}", types(&events))) }
        })
        .await;
        for event_type in ["PaymentConfirmed", "OrderPaid", "SurplusPaymentReceived", "RefundRequested", "RefundSucceeded"] {
            assert_eq!(count(&events, event_type), 1, "{arrival:?} {event_type}: {:?}", types(&events));
        }
        let of = |event_type: &str| events.iter().find(|event| event["type"] == event_type).unwrap()["data"]["pay_no"].clone();
        let (confirmed, surplus) = (of("PaymentConfirmed"), of("SurplusPaymentReceived"));
        assert_ne!(confirmed, surplus);
        // The form's record is being closed, so Paystream asks about it by itself, and may have heard before it was told.
        let heard_first = events.iter().any(|event| event["type"] == "PaymentConfirmed" && event["data"]["learned_by"] == "query");
        match arrival {
            Arrival::Page => assert_eq!(confirmed, json!(page.pay_no)),
            Arrival::Code if heard_first => assert_eq!(confirmed, json!(page.pay_no)),
            Arrival::Code => assert_eq!(confirmed, json!(code)),
            Arrival::AtOnce => {}
        }
        eventually("the operator sees it", async || {
            let list = operator.get("/api/v1/surplus-payments?limit=200").send().await.expect(200).json();
            let seen = list["items"].as_array().unwrap().iter().find(|item| item["pay_no"] == surplus).cloned();
            match seen {
                Some(item) if item["kind"] == "paid_twice" && item["refunded_amount"] == item["amount"] => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
    assert_well_formed(&server.auditor().events().await);
}
