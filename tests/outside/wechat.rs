//! WeChat Pay beside Alipay: paid by a code, inside WeChat and on a phone, given back, switched, and one code for both.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::audit::{count, types};
use super::harness::browser::{Browser, Screen};
use super::harness::journey::open_order;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, PAID_COURSE_FEN, Paystream, Reply, SharedPaystream, eventually, qr, run};

static SHARED: SharedPaystream = SharedPaystream::new("wechat");

const ALIPAY: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 AlipayClient/10.6.0";
const WECHAT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.50";
const PHONE: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0 Mobile Safari";
const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0";

async fn ordered(buyer: &Api) -> String {
    let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    buyer.order_selection(&selection_id).await.expect(201).field("order_id")
}

async fn begin(buyer: &Api, order_id: &str, body: &Value) -> Reply {
    buyer.post(&format!("/api/v1/orders/{order_id}/pay-records"), body).send().await
}

async fn by_channel(buyer: &Api, order_id: &str, channel: &str) -> Reply {
    begin(buyer, order_id, &json!({ "channel": channel })).await
}

/// Opens a link as somebody's app or browser does.
async fn open(api: &Api, url: &str, agent: &str) -> Reply {
    api.get(url).header("user-agent", agent).header("accept", "text/html").send().await
}

async fn until_refund_is(api: &Api, refund_no: &str, status: &str) {
    eventually(&format!("the refund is {status}"), async || {
        let refund = api.get(&format!("/api/v1/refunds/{refund_no}")).send().await;
        if refund.status == 200 && refund.json()["status"] == status { Ok(()) } else { Err(refund.to_string()) }
    })
    .await;
}

#[test]
fn a_code_of_wechat_pay_is_paid_notified_and_given_back() {
    run(whole_way("wechat_native"));
}

#[test]
fn a_code_of_the_old_protocol_is_paid_notified_and_given_back() {
    run(whole_way("wechat_native_v2"));
}

async fn whole_way(channel: &str) {
    let server = SHARED.get().await;
    let buyer = server.buyer(&unique("native"));
    let order_id = ordered(&buyer).await;
    let record = by_channel(&buyer, &order_id, channel).await.expect(201);
    let pay_no = record.field("pay_no");
    assert_eq!((record.field("status"), record.field("channel")), ("pending".to_owned(), channel.to_owned()));
    assert_eq!(qr::read_data_url(&record.field("qr_code")), record.field("qr_content"));
    assert_eq!(record.json()["client_parameters"], Value::Null);
    let again = by_channel(&buyer, &order_id, channel).await.expect(200);
    assert_eq!((again.field("pay_no"), again.field("qr_content")), (pay_no.clone(), record.field("qr_content")));

    server.api().sandbox_pay(&pay_no, "twice").await.expect(200);
    buyer.until_order_is(&order_id, "paid").await;
    let auditor = server.sign_in("audrey").await;
    let events = auditor.stream(&format!("order-{order_id}")).await;
    assert_eq!(types(&events), ["OrderCreated", "PayRecordIssued", "PayRecordPrepared", "PaymentConfirmed", "OrderPaid"]);
    let confirmed = &events[3]["data"];
    assert_eq!((&confirmed["channel"], &confirmed["learned_by"]), (&json!(channel), &json!("notification")));
    assert_eq!(confirmed["amount"], PAID_COURSE_FEN);

    let operator = server.sign_in("olivia").await;
    let wish = json!({"amount": PAID_COURSE_FEN, "reason": "the course is cancelled"});
    let refund = operator.post(&format!("/api/v1/orders/{order_id}/refunds"), &wish).send().await.expect(202);
    until_refund_is(&operator, &refund.field("refund_no"), "succeeded").await;
    // The orders' view may be a moment behind the refunds'.
    eventually("the order shows the money as returned", async || {
        let order = buyer.order(&order_id).await;
        assert_eq!(order["status"], "paid");
        if order["payment_status"] == "refunded" { Ok(()) } else { Err(order["payment_status"].to_string()) }
    })
    .await;
}

#[test]
fn money_that_no_notification_tells_of_is_found_by_asking() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("asked"));
        let order_id = ordered(&buyer).await;
        let pay_no = by_channel(&buyer, &order_id, "wechat_native").await.expect(201).field("pay_no");
        server.api().sandbox_pay(&pay_no, "never").await.expect(200);
        let synced = buyer.sync(&pay_no).await.expect(200);
        assert_eq!(synced.field("status"), "confirmed");
        buyer.until_order_is(&order_id, "paid").await;
    });
}

#[test]
fn a_forged_notification_pays_nothing() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("forged"));
        let order_id = ordered(&buyer).await;
        let pay_no = by_channel(&buyer, &order_id, "wechat_native").await.expect(201).field("pay_no");
        server.api().sandbox_pay(&pay_no, "forged").await.expect(200);
        let operator = server.sign_in("olivia").await;
        eventually("the forged notification is kept", async || {
            let notices = operator.get("/api/v1/notices?verdict=bad_signature").send().await.expect(200).json();
            let is_wechats = |notice: &Value| notice["channel"] == "wechat";
            if notices["items"].as_array().unwrap().iter().any(is_wechats) { Ok(()) } else { Err(notices.to_string()) }
        })
        .await;
        assert_eq!(buyer.sync(&pay_no).await.expect(200).field("status"), "pending");
    });
}

#[test]
fn a_buyer_who_changes_the_wallet_pays_once_whichever_code_is_paid() {
    run(async {
        let server = SHARED.get().await;
        for (first, second) in [("alipay_qr", "wechat_native"), ("wechat_native", "alipay_qr")] {
            let buyer = server.buyer(&unique("switch"));
            let order_id = ordered(&buyer).await;
            let old = by_channel(&buyer, &order_id, first).await.expect(201).field("pay_no");
            let new = by_channel(&buyer, &order_id, second).await.expect(201).field("pay_no");
            assert_eq!((&old[old.len() - 2..], &new[new.len() - 2..]), ("01", "02"));
            server.api().sandbox_pay(&new, "once").await.expect(200);
            let paid = buyer.until_order_is(&order_id, "paid").await;
            assert_eq!(paid["pay_records"][1]["status"], "confirmed", "{paid}");
            let auditor = server.sign_in("audrey").await;
            let events = auditor.stream(&format!("order-{order_id}")).await;
            assert_eq!((count(&events, "PaymentConfirmed"), count(&events, "OrderPaid")), (1, 1));
        }
    });
}

#[test]
fn an_order_at_wechat_pay_is_cancelled_once_its_five_minutes_are_over() {
    run(async {
        let server = Paystream::start("wechat-cancel", Config::default()).await;
        let buyer = server.buyer("alice");
        let order_id = ordered(&buyer).await;
        let pay_no = by_channel(&buyer, &order_id, "wechat_native").await.expect(201).field("pay_no");
        let cancelled = buyer.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).send().await.expect(202);
        assert_eq!(cancelled.field("status"), "closing");
        assert_eq!(buyer.sync(&pay_no).await.expect(200).field("status"), "closing");
        server.api().advance_clock(Duration::from_secs(301)).await;
        buyer.until_order_is(&order_id, "cancelled").await;
        assert_eq!(buyer.until_pay_record_is(&pay_no, "closed").await["closed_proof"], "channel_closed");
    });
}

#[test]
fn one_code_leads_each_wallet_to_its_own_payment() {
    run(async {
        let server = SHARED.get().await;
        let (api, buyer) = (server.api(), server.buyer(&unique("aggregate")));
        let order_id = ordered(&buyer).await;
        let code = by_channel(&buyer, &order_id, "aggregate").await.expect(201);
        assert_eq!((&code.json()["pay_no"], code.field("status")), (&Value::Null, "pending".to_owned()));
        let link = code.field("qr_content");
        assert_eq!(qr::read_data_url(&code.field("qr_code")), link);
        assert_eq!(by_channel(&buyer, &order_id, "aggregate").await.expect(200).field("qr_content"), link);
        let path = link.strip_prefix(api.base()).unwrap();
        assert!(buyer.order(&order_id).await["pay_records"].as_array().unwrap().is_empty(), "nobody has scanned it yet");

        let desktop = open(api, path, DESKTOP).await.expect(303);
        assert!(desktop.header("location").starts_with("/checkout/"));

        let form = open(api, path, ALIPAY).await.expect(200);
        assert!(form.text().contains("<form method=\"post\""), "{form}");
        open(api, path, ALIPAY).await.expect(200);

        let authorize = open(api, path, WECHAT).await.expect(303).header("location").to_owned();
        let authorize = authorize.split('#').next().unwrap().to_owned();
        let back = open(api, authorize.strip_prefix(api.base()).unwrap(), WECHAT).await;
        let back = back.header("location").to_owned();
        assert!(back.contains("/wechat/oauth/") && back.contains("code="), "{back}");
        let page = open(api, back.strip_prefix(api.base()).unwrap(), WECHAT).await.expect(200);
        assert!(page.text().contains("getBrandWCPayRequest") && page.text().contains("prepay_id="), "{page}");

        let auditor = server.sign_in("audrey").await;
        let events = auditor.stream(&format!("order-{order_id}")).await;
        let channels: Vec<&str> = events
            .iter()
            .filter(|event| event["type"] == "PayRecordIssued")
            .map(|event| event["data"]["channel"].as_str().unwrap())
            .collect();
        assert_eq!(channels, ["alipay_wap", "wechat_jsapi"]);
        api.sandbox_pay(&format!("{order_id}02"), "once").await.expect(200);
        buyer.until_order_is(&order_id, "paid").await;
        let paid = open(api, path, ALIPAY).await;
        assert!(paid.status == 200 && !paid.text().contains("<form method=\"post\""), "{paid}");
    });
}

#[test]
fn a_phone_is_led_to_wechats_own_page_and_an_app_is_given_what_it_hands_over() {
    run(async {
        let server = SHARED.get().await;
        let (api, buyer) = (server.api(), server.buyer(&unique("phone")));
        let order_id = ordered(&buyer).await;
        let begun = begin(&buyer, &order_id, &json!({"channel": "wechat_h5", "payer_client_ip": "127.0.0.1"})).await.expect(201);
        assert_eq!((&begun.json()["qr_content"], &begun.json()["qr_code"]), (&Value::Null, &Value::Null));
        let pay_url = begun.field("pay_url");
        let led = open(api, pay_url.strip_prefix(api.base()).unwrap(), PHONE).await.expect(303);
        assert!(led.header("location").contains("redirect_url="), "{led}");

        let app = server.buyer(&unique("app"));
        let order_id = ordered(&app).await;
        let begun = by_channel(&app, &order_id, "wechat_app").await.expect(201);
        assert_eq!(begun.json()["client_parameters"]["package"], "Sign=WXPay", "{begun}");
        let refused = by_channel(&app, &order_id, "wechat_jsapi").await;
        assert_eq!(refused.expect_problem(422, "invalid")["errors"][0]["field"], "openid");
    });
}

#[test]
fn the_checkout_shows_both_wallets_and_the_code_of_whichever_is_chosen() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("browser"));
        let order = open_order(&buyer).await;
        let browser = Browser::open("both-wallets", Screen::Desktop).await;
        browser.goto(&order.checkout_url).await;
        browser.until_state("awaiting_payment").await;
        for (channel, attempt) in [("wechat_native", "02"), ("alipay_qr", "03"), ("wechat_native", "04")] {
            browser.click(&format!("channel-{channel}")).await;
            let pay_no = format!("{}{attempt}", order.order_id);
            let expected = eventually("the attempt has a code", async || {
                let reply = buyer.get(&format!("/api/v1/pay-records/{pay_no}")).send().await;
                if reply.status != 200 || reply.json()["qr_content"].is_null() {
                    return Err(reply.to_string());
                }
                Ok(reply.field("qr_content"))
            })
            .await;
            browser.until_qr_says(&expected).await;
        }
        // The one code for both holds our own link, and begins nothing at either channel.
        let own = by_channel(&buyer, &order.order_id, "aggregate").await.expect(201).field("qr_content");
        browser.click("channel-aggregate").await;
        browser.until_qr_says(&own).await;
        browser.keep_screenshot("checkout").await;
        browser.assert_nothing_sticks_out().await;
        server.api().sandbox_pay(&format!("{}04", order.order_id), "once").await.expect(200);
        browser.until_state("paid").await;
        browser.close().await;
    });
}

#[test]
fn a_checkout_inside_a_wallets_app_leads_to_the_payment_in_it_and_offers_nothing_else() {
    run(async {
        let server = SHARED.get().await;
        for (name, screen, agent) in [("in-wechat", Screen::WeChat, WECHAT), ("in-alipay", Screen::Alipay, ALIPAY)] {
            let buyer = server.buyer(&unique(name));
            let order_id = ordered(&buyer).await;
            let checkout = by_channel(&buyer, &order_id, "aggregate").await.expect(201).field("qr_content");
            // What the app opens by itself goes straight on; the checkout's own address is what somebody was sent.
            let checkout_path = open(server.api(), checkout.strip_prefix(server.api().base()).unwrap(), DESKTOP).await.expect(303);
            let browser = Browser::open(name, screen).await;
            browser.goto(&format!("{}{}", server.api().base(), checkout_path.header("location"))).await;
            browser.see("open-wallet").await;
            assert!(!browser.shows("qr").await, "nobody scans their own screen");
            assert_eq!(browser.run("return document.querySelectorAll('#channels button').length", Vec::new()).await, 0);
            assert!(buyer.order(&order_id).await["pay_records"].as_array().unwrap().is_empty(), "looking begins nothing");
            browser.assert_nothing_sticks_out().await;
            browser.keep_screenshot("checkout").await;
            let link = browser.run("return document.querySelector('[data-testid=open-wallet]').href", Vec::new()).await;
            let link = link.as_str().unwrap().strip_prefix(server.api().base()).unwrap().to_owned();
            let led = open(server.api(), &link, agent).await;
            let is_led = if screen == Screen::WeChat {
                led.status == 303 && led.header("location").contains("oauth")
            } else {
                led.status == 200 && led.text().contains("<form method=\"post\"")
            };
            assert!(is_led, "{led}");
            browser.close().await;
        }
    });
}
