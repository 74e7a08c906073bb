//! Kept notifications in an operator's hands: money that matches no pay record is assigned or dismissed, and what was kept
//! is judged once more.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value, json};
use sha2::Sha256;

use super::harness::audit::{count, types};
use super::harness::journey::open_order;
use super::harness::notice::{assert_success, form_encode};
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, PAID_COURSE_FEN, Paystream, SharedPaystream, StoreKind, eventually, run};

static SHARED: SharedPaystream = SharedPaystream::new("operators-inbox");

/// Another system of the same merchant, which uses the same app at Alipay: it asks for a code under a number of its own.
async fn ask_for_a_code(api: &Api, out_trade_no: &str, fen: i64) {
    let credentials = api.get("/sandbox/credentials").send().await.expect(200).json();
    let credentials = if credentials["app_id"].is_string() { credentials } else { credentials["alipay"].clone() };
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let now: DateTime<Utc> = api.get("/sandbox/clock").send().await.expect(200).field("now").parse().unwrap();
    let content = json!({
        "out_trade_no": out_trade_no,
        "total_amount": format!("{}.{:02}", fen / 100, fen % 100),
        "subject": "A book of another shop",
        "product_code": text("product_code"),
    });
    let mut members = vec![
        ("app_id", text("app_id")),
        ("method", "alipay.trade.precreate".to_owned()),
        ("format", "JSON".to_owned()),
        ("charset", "utf-8".to_owned()),
        ("sign_type", "RSA2".to_owned()),
        ("timestamp", (now + TimeDelta::hours(8)).format("%Y-%m-%d %H:%M:%S").to_string()),
        ("version", "1.0".to_owned()),
        ("notify_url", format!("{}/notify/alipay", api.base())),
        ("biz_content", content.to_string()),
    ];
    members.sort();
    let signed = members.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let key = SigningKey::<Sha256>::new(RsaPrivateKey::from_pkcs8_pem(&text("app_private_key")).unwrap());
    members.push(("sign", STANDARD.encode(key.sign(signed.as_bytes()).to_bytes())));
    let body = members.iter().map(|(name, value)| format!("{name}={}", form_encode(value))).collect::<Vec<_>>().join("&");
    let answered = api.post_bytes("/sandbox/alipay/gateway.do", "application/x-www-form-urlencoded;charset=utf-8", body).send().await;
    assert!(answered.expect(200).text().contains("\"code\":\"10000\""), "the sandbox gives a code");
}

/// Somebody pays `fen` under a number that is none of Paystream's; answers the notification as the operator sees it.
async fn money_from_nowhere(server: &Paystream, operator: &Api, out_trade_no: &str, fen: i64) -> Value {
    ask_for_a_code(server.api(), out_trade_no, fen).await;
    operator.sandbox_pay(out_trade_no, "once").await.expect(200);
    eventually("the unmatched money is listed", async || {
        let found =
            listed(operator, "?state=open&verdict=unknown_order").await.into_iter().find(|item| item["out_trade_no"] == out_trade_no);
        found.ok_or_else(|| "it is not".to_owned())
    })
    .await
}

async fn listed(operator: &Api, query: &str) -> Vec<Value> {
    let page = operator.get(&format!("/api/v1/notices{query}")).send().await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

async fn one(operator: &Api, id: &Value) -> Value {
    listed(operator, "?limit=200").await.into_iter().find(|item| item["id"] == *id).unwrap()
}

fn number() -> String {
    unique("shop").replace(['-', ':'], "_")
}

#[test]
fn unmatched_money_is_assigned_pays_its_order_and_goes_back_under_its_own_number_on_sqlite() {
    run(assigned_and_refunded(StoreKind::Embedded));
}

#[test]
fn unmatched_money_is_assigned_pays_its_order_and_goes_back_under_its_own_number_on_postgres() {
    run(assigned_and_refunded(StoreKind::Postgres));
}

async fn assigned_and_refunded(store: StoreKind) {
    let server = Paystream::start("operators-inbox-assign", Config::on(store)).await;
    let operator = server.as_role("olivia", "operator");
    let buyer = server.buyer("alice");
    let order = open_order(&buyer).await;
    let out_trade_no = number();
    let notice = money_from_nowhere(&server, &operator, &out_trade_no, PAID_COURSE_FEN).await;
    assert_eq!((&notice["genuine"], &notice["tells"], &notice["amount"]), (&json!(true), &json!("paid"), &json!(PAID_COURSE_FEN)));
    let trade_no = notice["trade_no"].as_str().unwrap();

    let path = format!("/api/v1/notices/{}/assign", notice["id"].as_str().unwrap());
    let body = json!({"reason": "the buyer sent a picture of the payment", "pay_no": order.pay_no});
    let assigned = operator.post(&path, &body).key("assign-once").send().await.expect(200);
    let answered = assigned.json();
    assert_eq!(
        (&answered["state"], &answered["pay_no"], &answered["order_id"]),
        (&json!("settled"), &json!(order.pay_no), &json!(order.order_id))
    );
    let again = operator.post(&path, &body).key("assign-once").send().await.expect(200);
    assert_eq!((again.header("idempotency-replayed"), again.text()), ("true", assigned.text()));

    let paid = buyer.get(&format!("/api/v1/orders/{}", order.order_id)).after(&assigned.position()).send().await.expect(200).json();
    assert_eq!(paid["status"], "paid");
    buyer.until_course_is_in_the_table(PAID_COURSE).await;
    let stream = server.auditor().stream(&format!("unknown_capture-alipay-{trade_no}")).await;
    assert_eq!(types(&stream), ["UnknownCaptureReceived", "UnknownCaptureAssigned", "UnknownCaptureMatched"]);
    assert_eq!(stream[1]["metadata"]["actor"], "operator:olivia");
    let shown = one(&operator, &notice["id"]).await;
    assert_eq!((&shown["state"], &shown["action"], &shown["acted_by"]), (&json!("settled"), &json!("assigned"), &json!("operator:olivia")));
    assert_success(&server.api().notify(server.api().notification(&out_trade_no).await.encode()).await);

    let refund = operator.post(&format!("/api/v1/orders/{}/refunds", order.order_id), &json!({"amount": PAID_COURSE_FEN, "reason": "ill"}));
    refund.send().await.expect(202);
    eventually("the money went back", async || {
        let trade = server.api().get(&format!("/sandbox/trades/{out_trade_no}")).send().await.expect(200).json();
        if trade["refunded_amount"] == PAID_COURSE_FEN { Ok(()) } else { Err(trade["refunded_amount"].to_string()) }
    })
    .await;
    eventually("the order says so", async || {
        let order = buyer.order(&order.order_id).await;
        if order["payment_status"] == "refunded" { Ok(()) } else { Err(order["payment_status"].to_string()) }
    })
    .await;
}

#[test]
fn an_assignment_cut_off_before_its_outcome_is_brought_to_its_end_after_the_restart_on_sqlite() {
    run(cut_off_and_brought_to_its_end(StoreKind::Embedded));
}

#[test]
fn an_assignment_cut_off_before_its_outcome_is_brought_to_its_end_after_the_restart_on_postgres() {
    run(cut_off_and_brought_to_its_end(StoreKind::Postgres));
}

async fn cut_off_and_brought_to_its_end(store: StoreKind) {
    let mut server = Paystream::start("operators-inbox-cut-off", Config::on(store)).await;
    // Before the order has the money, and after that.
    for stop in ["after_append:UnknownCaptureAssigned", "before_append:UnknownCaptureMatched"] {
        let (operator, buyer) = (server.as_role("olivia", "operator"), server.buyer(&unique("learner")));
        let order = open_order(&buyer).await;
        let out_trade_no = number();
        let notice = money_from_nowhere(&server, &operator, &out_trade_no, PAID_COURSE_FEN).await;
        server.restart_with("PAYSTREAM_TEST_STOP_AT", stop).await;
        let path = format!("/api/v1/notices/{}/assign", notice["id"].as_str().unwrap());
        let body = json!({"reason": "the buyer sent a picture of the payment", "pay_no": order.pay_no});
        drop(operator.post(&path, &body).try_send().await);
        let status = server.ended().await;
        assert!(!status.success() && server.log_text().contains(&format!("stopped at {stop}")), "{stop}: {status}");
        server.restart().await;
        buyer.until_order_is(&order.order_id, "paid").await;
        let stream = format!("unknown_capture-alipay-{}", notice["trade_no"].as_str().unwrap());
        eventually("the operators' list has the money as dealt with", async || {
            let rows = operator.get("/api/v1/surplus-payments?limit=200").send().await.expect(200).json();
            let row = rows["items"].as_array().unwrap().iter().find(|row| row["id"] == stream.as_str()).cloned().unwrap_or_default();
            if row["state"] == "resolved" && row["pay_no"] == order.pay_no { Ok(()) } else { Err(row.to_string()) }
        })
        .await;
        eventually("its notification is ended", async || {
            let shown = one(&operator, &notice["id"]).await;
            if shown["action"] == "assigned" && shown["acted_by"] == "operator:olivia" { Ok(()) } else { Err(shown.to_string()) }
        })
        .await;
        let on_log = server.auditor().stream(&stream).await;
        assert_eq!(types(&on_log), ["UnknownCaptureReceived", "UnknownCaptureAssigned", "UnknownCaptureMatched"]);
        assert_eq!(count(&server.auditor().stream(&format!("order-{}", order.order_id)).await, "PaymentConfirmed"), 1);
    }
}

#[test]
fn unmatched_money_that_belongs_elsewhere_is_dismissed_and_its_repeats_are_acknowledged() {
    run(async {
        let server = SHARED.get().await;
        let operator = server.as_role("olivia", "operator");
        let out_trade_no = number();
        let notice = money_from_nowhere(&server, &operator, &out_trade_no, 1_234).await;
        let raw = server.api().notification(&out_trade_no).await.encode();
        assert_eq!(server.api().notify(raw.clone()).await.text(), "fail", "it is nobody's yet");
        let path = format!("/api/v1/notices/{}/dismiss", notice["id"].as_str().unwrap());
        let dismissed = operator.post(&path, &json!({"reason": "the book shop's"})).send().await.expect(200);
        assert_eq!(dismissed.json()["state"], "settled");
        let stream = server.auditor().stream(&format!("unknown_capture-alipay-{}", notice["trade_no"].as_str().unwrap())).await;
        assert_eq!((count(&stream, "UnknownCaptureResolved"), &stream[1]["data"]["reason"]), (1, &json!("the book shop's")));
        assert_success(&server.api().notify(raw).await);
        assert_eq!(one(&operator, &notice["id"]).await["action"], "dismissed");
        let order = open_order(&server.buyer(&unique("hopeful"))).await;
        let path = format!("/api/v1/notices/{}/assign", notice["id"].as_str().unwrap());
        let refused = operator.post(&path, &json!({"reason": "or not", "pay_no": order.pay_no})).send().await;
        refused.expect_problem(409, "not_payable");
    });
}

#[test]
fn a_forged_notification_stays_forged_however_often_it_is_judged() {
    run(async {
        let server = SHARED.alone().await;
        let operator = server.as_role("olivia", "operator");
        let order = open_order(&server.buyer(&unique("victim"))).await;
        operator.sandbox_pay(&order.pay_no, "forged").await.expect(200);
        let forged = eventually("the forged one is listed", async || {
            listed(&operator, "?verdict=bad_signature").await.into_iter().next().ok_or_else(|| "it is not".to_owned())
        })
        .await;
        assert_eq!((&forged["genuine"], &forged["state"], &forged["out_trade_no"]), (&json!(false), &json!("settled"), &Value::Null));
        let path = format!("/api/v1/notices/{}/rejudge", forged["id"].as_str().unwrap());
        let judged = operator.post(&path, &json!({"reason": "the buyer swears"})).send().await.expect(200).json();
        assert_eq!((&judged["verdict"], &judged["action"]), (&json!("bad_signature"), &json!("rejudged")));
        assert_eq!(server.buyer("anyone").get("/api/v1/notices").send().await.status, 403);
        let types = server.auditor().order_event_types(&order.order_id).await;
        assert_eq!(types, ["OrderCreated", "PayRecordIssued", "PayRecordPrepared"]);
        let events = server.auditor().events().await;
        let rejudged = events.iter().rev().find(|event| event["type"] == "NoticeRejudged").unwrap();
        assert!(rejudged["stream_id"].as_str().unwrap().starts_with("operations-"));
        assert_eq!((&rejudged["data"]["reason"], &rejudged["metadata"]["actor"]), (&json!("the buyer swears"), &json!("operator:olivia")));
    });
}
