//! The printed code of a product (WeChat Pay v2, Native mode 1): scanned, ordered on the spot, paid.

use serde_json::{Value, json};

use super::harness::audit::{count, types};
use super::harness::random::unique;
use super::harness::{Api, PAID_COURSE, SharedPaystream, eventually, qr, run};

static SHARED: SharedPaystream = SharedPaystream::new("product-codes");

const NOTES: &str = "material-rust-notes";

async fn code_of(api: &Api, product_id: &str) -> String {
    api.get(&format!("/api/v1/products/{product_id}/wechat-qr?format=text")).send().await.expect(200).text()
}

/// What WeChat's app does with a code: the sandbox posts the signed callback and reads the answer.
async fn scan(api: &Api, qr_content: &str, openid: &str) -> Value {
    let body = json!({"qr_content": qr_content, "openid": openid});
    let scanned = api.post("/sandbox/wechat/scan", &body).send().await.expect(200).json();
    assert_eq!((&scanned["status"], &scanned["is_signed"]), (&json!(200), &json!(true)), "{scanned}");
    scanned
}

#[test]
fn a_printed_code_leads_from_the_scan_to_a_paid_order() {
    run(async {
        let server = SHARED.get().await;
        let api = server.api();
        let content = code_of(api, NOTES).await;
        let image = api.get(&format!("/api/v1/products/{NOTES}/wechat-qr?size=400")).send().await.expect(200);
        assert_eq!(qr::read_png(&image.body), content);
        let openid = unique("openid");
        let first = scan(api, &content, &openid).await;
        let pay_no = first["out_trade_no"].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
        assert_eq!(scan(api, &content, &openid).await["out_trade_no"], first["out_trade_no"], "the order is still open");
        let (order_id, _) = pay_no.split_at(pay_no.len() - 2);
        api.sandbox_pay(&pay_no, "twice").await.expect(200);
        let auditor = server.sign_in("audrey").await;
        let events = eventually("the order is paid", async || {
            let events = auditor.stream(&format!("order-{order_id}")).await;
            if count(&events, "OrderPaid") == 1 { Ok(events) } else { Err(format!("{events:?}")) }
        })
        .await;
        assert_eq!(types(&events), ["OrderCreated", "PayRecordIssued", "PayRecordPrepared", "PaymentConfirmed", "OrderPaid"]);
        let confirmed = &events[3]["data"];
        assert_eq!((&confirmed["channel"], &confirmed["amount"]), (&json!("wechat_native_v2"), &json!(990)));
        assert!(!format!("{events:?}").contains(&openid), "the openid stands in no event");
        let next = scan(api, &content, &openid).await;
        assert_ne!(next["out_trade_no"], first["out_trade_no"], "whoever has paid may buy again");
        assert!(next["out_trade_no"].is_string(), "{next}");
    });
}

#[test]
fn a_course_has_no_code_and_a_forged_callback_makes_no_order() {
    run(async {
        let server = SHARED.get().await;
        let api = server.api();
        let course = api.get(&format!("/api/v1/products/{PAID_COURSE}/wechat-qr")).send().await;
        course.expect_problem(422, "selection_required");
        let genuine = scan(api, &code_of(api, NOTES).await, &unique("openid")).await;
        let forged = genuine["callback"].as_str().unwrap().replace(NOTES, "goods-mug");
        let answer = api.post_bytes("/wechat/native-callback", "text/xml", forged).send().await.expect(200);
        assert!(answer.text().contains("FAIL") && !answer.text().contains("prepay_id"), "{answer}");
    });
}
