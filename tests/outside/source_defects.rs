//! Defects of the systems that this one replaces, each with the test that it is not here. Those that other themes show
//! are named there: forged amounts, app ids and sellers (F1) in `forgeries`, notice and query at the same moment (F3) in
//! `notices`, another's pay number (F6) in `views` and `access`.

use std::time::Duration;

use serde_json::json;

use super::harness::journey::{business_order, open_order, paid_order};
use super::harness::random::unique;
use super::harness::{Config, PAID_COURSE, PAID_COURSE_FEN, Paystream, SharedPaystream, StoreKind, run};

static SHARED: SharedPaystream = SharedPaystream::new("source-defects");

/// F4: states are words, and "already paid" does fire.
#[test]
fn states_are_words_and_a_paid_order_says_that_it_is_paid() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("f4"));
        let order = paid_order(&buyer).await;
        buyer.pay_by_alipay_qr(&order.order_id).await.expect_problem(409, "order_already_paid");
        let view = buyer.order(&order.order_id).await;
        for member in ["status", "payment_status", "shipping_status"] {
            let word = view[member].as_str().unwrap();
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{member} = {word}");
        }
    });
}

/// F5: what a seller writes into a title reaches the channel as text, and neither breaks nor adds to the request.
#[test]
fn quotes_and_signs_in_a_title_break_nothing() {
    run(async {
        let server = SHARED.get().await;
        let (service, member) = (server.service(), unique("f5"));
        let buyer = server.buyer(&member);
        for title in [
            "\"quoted\" 'course'",
            "a\",\"total_amount\":\"0.01",
            "a&total_amount=0.01&b=c/d",
            "\\u0022 \\ back",
            "课程《锈》",
            "line\tbreak",
        ] {
            let mut body = business_order(&member, &unique("title"), 4_200);
            body["title"] = json!(title);
            body["items"][0]["name"] = json!(title);
            let created = service.post("/api/v1/orders", &body).send().await;
            if created.status == 422 {
                // A control character may be refused; it is never passed on.
                assert!(title.chars().any(char::is_control), "{created}");
                continue;
            }
            let order_id = created.expect(201).field("order_id");
            let record = buyer.pay_by_alipay_qr(&order_id).await.expect(201);
            let trade = server.api().get(&format!("/sandbox/trades/{}", record.field("pay_no"))).send().await.expect(200).json();
            assert_eq!(trade["amount"], 4_200, "the channel was told another amount: {trade}");
            assert!(!trade["subject"].as_str().unwrap().contains(['&', '=', '/']), "the subject could be read as members: {trade}");
            buyer.sandbox_pay(&record.field("pay_no"), "once").await.expect(200);
            buyer.until_order_is(&order_id, "paid").await;
        }
    });
}

/// F6: what a code holds cannot be guessed from the numbers.
#[test]
fn the_address_of_a_checkout_holds_no_number_that_could_be_counted_up() {
    run(async {
        let server = SHARED.get().await;
        let order = open_order(&server.buyer(&unique("f6"))).await;
        for number in [&order.order_id, &order.pay_no, &order.selection_id] {
            assert!(!order.checkout_url.contains(number.as_str()), "{} holds {number}", order.checkout_url);
        }
        server.api().get(&format!("/checkout/{}", order.order_id)).send().await.expect(404);
        server.api().get(&format!("/pay/{}", order.pay_no)).send().await.expect(404);
    });
}

/// F13: the time of payment is the channel's, kept beside the time at which the log took it.
#[test]
fn the_time_of_payment_is_the_channels_and_not_that_of_the_notice() {
    run(async {
        let server = Paystream::start("f13", Config::default()).await;
        let buyer = server.buyer("alice");
        let order = open_order(&buyer).await;
        buyer.sandbox_pay(&order.pay_no, "never").await.expect(200);
        server.api().advance_clock(Duration::from_mins(2)).await;
        buyer.sync(&order.pay_no).await.expect(200);
        let events = server.auditor().stream(&format!("order-{}", order.order_id)).await;
        let confirmed = events.iter().find(|event| event["type"] == "PaymentConfirmed").unwrap();
        let read = |text: &serde_json::Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
        let (paid_at, recorded_at) = (read(&confirmed["data"]["paid_at"]), read(&confirmed["recorded_at"]));
        let between = (recorded_at - paid_at).num_seconds();
        assert!((100..=180).contains(&between), "paid at {paid_at}, recorded at {recorded_at}");
    });
}

/// F17: each data folder has keys of its own, so a token of one Paystream opens no other.
#[test]
fn a_token_of_another_paystream_opens_nothing() {
    run(async {
        let server = SHARED.get().await;
        let other = Paystream::start("f17-other", Config::on(StoreKind::Embedded)).await;
        let foreign = other.as_role("audrey", "auditor");
        foreign.get("/api/v1/audit/events?limit=1").send().await.expect(200);
        let borrowed = token_of(&foreign);
        server.api().with_token(&borrowed).get("/api/v1/audit/events?limit=1").send().await.expect(401);
    });
}

fn token_of(api: &super::harness::Api) -> String {
    api.token().unwrap().to_owned()
}

/// F18: what something costs stands in the catalogue; a body that brings a price is refused.
#[test]
fn a_price_in_a_buyers_body_is_refused_and_the_catalogues_counts() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("f18"));
        for price in ["price_amount", "amount", "total_price"] {
            let cheap = json!({"course_id": PAID_COURSE, price: 1});
            assert_eq!(buyer.post("/api/v1/course-selections", &cheap).send().await.problem()["status"], 422);
        }
        let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        for price in ["amount", "total_price", "price_amount"] {
            let cheap = json!({"source": "course_selection", "selection_id": selection_id, price: 1});
            assert_eq!(buyer.post("/api/v1/orders", &cheap).send().await.problem()["status"], 422);
        }
        let order = buyer.order_selection(&selection_id).await.expect(201);
        assert_eq!(order.json()["amount"], PAID_COURSE_FEN);
        let impostor = json!({"source": "course_selection", "selection_id": selection_id, "buyer_id": "alice"});
        assert_eq!(buyer.post("/api/v1/orders", &impostor).send().await.problem()["status"], 422);
    });
}
