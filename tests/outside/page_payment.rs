//! Paying on the channel's own page: the form that `/pay/{token}` gives out, the way there and back, and what becomes of
//! forms that are not brought, brought late, or brought beside a code.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::audit::{count, types};
use super::harness::browser::{Browser, Screen};
use super::harness::journey::open_order;
use super::harness::notice::form_encode;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, PAID_COURSE_FEN, Paystream, Reply, SharedPaystream, eventually, run};

static SHARED: SharedPaystream = SharedPaystream::new("page-payment");

/// What a browser posts, as the page's HTML says it.
pub(super) struct Form {
    action: String,
    body: String,
}

/// An order that is to be paid on the channel's page.
pub(super) struct Page {
    pub(super) order_id: String,
    pub(super) pay_no: String,
    pay_url: String,
}

pub(super) async fn ordered(buyer: &Api) -> String {
    let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    buyer.order_selection(&selection_id).await.expect(201).field("order_id")
}

pub(super) async fn begin(buyer: &Api, order_id: &str, channel: &str) -> Reply {
    buyer.post(&format!("/api/v1/orders/{order_id}/pay-records"), &json!({"channel": channel})).send().await
}

pub(super) async fn page(buyer: &Api) -> Page {
    let order_id = ordered(buyer).await;
    let record = begin(buyer, &order_id, "alipay_page").await.expect(201);
    let answered = record.json();
    assert_eq!((&answered["status"], &answered["channel"]), (&json!("pending"), &json!("alipay_page")), "{record}");
    assert_eq!((&answered["qr_content"], &answered["qr_code"]), (&Value::Null, &Value::Null), "there is nothing to scan");
    Page { pay_no: record.field("pay_no"), pay_url: record.field("pay_url"), order_id }
}

/// Opens the link as a desktop's browser does, which has no token.
async fn open(api: &Api, pay_url: &str) -> Reply {
    api.get(pay_url).header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0").header("accept", "text/html").send().await
}

/// The text between `before` and the next quotation mark, read as HTML's attributes are.
fn attribute<'h>(html: &'h str, before: &str) -> (String, &'h str) {
    let (_, rest) = html.split_once(before).unwrap_or_else(|| panic!("no {before} in {html}"));
    let (value, rest) = rest.split_once('"').unwrap();
    let value = value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    (value, rest)
}

pub(super) fn form_of(page: &Reply) -> Form {
    let html = page.text();
    assert!(html.contains("<form method=\"post\"") && html.contains("<button type=\"submit\">"), "{html}");
    let (action, mut rest) = attribute(&html, " action=\"");
    let mut members = Vec::new();
    while rest.contains("<input type=\"hidden\"") {
        let (name, after) = attribute(rest, " name=\"");
        let (value, after) = attribute(after, " value=\"");
        members.push(format!("{}={}", form_encode(&name), form_encode(&value)));
        rest = after;
    }
    Form { action, body: members.join("&") }
}

impl Form {
    /// Brings it to the channel; answers where the browser is led.
    pub(super) async fn post(&self, api: &Api) -> String {
        let reply = api.post_bytes(&self.action, "application/x-www-form-urlencoded", self.body.clone()).send().await;
        reply.expect(303).header("location").to_owned()
    }
}

pub(super) async fn form(api: &Api, page: &Page) -> Form {
    form_of(&open(api, &page.pay_url).await.expect(200))
}

/// The path and query of an address of this server.
fn here(api: &Api, address: &str) -> String {
    address.strip_prefix(api.base()).unwrap_or_else(|| panic!("{address} is elsewhere")).to_owned()
}

#[test]
fn a_browser_goes_to_the_channels_page_pays_there_and_comes_back() {
    run(async {
        let server = SHARED.get().await;
        let (api, buyer) = (server.api(), server.buyer(&unique("page")));
        let page = page(&buyer).await;
        let shown = open(api, &page.pay_url).await.expect(200);
        assert!(shown.content_type().starts_with("text/html"), "{shown}");
        let policy = shown.header("content-security-policy").to_owned();
        assert!(policy.contains(&format!("form-action {};", api.base())), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(shown.header("cache-control"), "no-store");

        let cashier = form_of(&shown).post(api).await;
        assert_eq!(cashier, format!("/sandbox/cashier/{}", page.pay_no));
        let till = api.get(&cashier).send().await.expect(200).text();
        assert!(till.contains("¥ 199.00"), "{till}");
        let back = api.post_bytes(&cashier, "application/x-www-form-urlencoded", "").send().await.expect(303).header("location").to_owned();
        let back = here(api, &back);
        assert!(back.starts_with("/return/") && back.contains("trade_no="), "{back}");
        api.get(&back).header("accept", "text/html").send().await.expect(200);

        let paid = buyer.until_order_is(&page.order_id, "paid").await;
        assert_eq!(paid["payment_status"], "paid");
        let events = server.auditor().stream(&format!("order-{}", page.order_id)).await;
        assert_eq!(types(&events), ["OrderCreated", "PayRecordIssued", "PayRecordOpened", "PaymentConfirmed", "OrderPaid"]);
        let confirmed = &events[3]["data"];
        assert_eq!((&confirmed["channel"], &confirmed["amount"]), (&json!("alipay_page"), &json!(PAID_COURSE_FEN)));
        let again = open(api, &page.pay_url).await.expect(200).text();
        assert!(!again.contains("biz_content"), "a paid order gives out no form: {again}");
    });
}

async fn until_at(browser: &Browser, folder: &str) {
    eventually(&format!("the browser is at {folder}…"), async || {
        let path = browser.run("return document.readyState === 'complete' ? location.pathname : ''", Vec::new()).await;
        if path.as_str().is_some_and(|path| path.starts_with(folder)) { Ok(()) } else { Err(path.to_string()) }
    })
    .await;
}

#[test]
fn a_real_browser_is_taken_along_by_the_page_itself() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("page"));
        let page = page(&buyer).await;
        let browser = Browser::open("page-payment", Screen::Phone).await;
        browser.goto(&page.pay_url).await;
        until_at(&browser, "/sandbox/cashier/").await;
        browser.assert_nothing_sticks_out().await;
        let lines = "return [...document.querySelectorAll('footer span')].map((part) => part.getClientRects().length)";
        assert!(browser.run(lines, Vec::new()).await.as_array().unwrap().iter().all(|lines| *lines == 1), "nothing breaks in its midst");
        browser.keep_screenshot("cashier").await;
        browser.run("document.querySelector('button').click()", Vec::new()).await;
        until_at(&browser, "/return/").await;
        browser.until_state("paid").await;
        assert_eq!(buyer.until_order_is(&page.order_id, "paid").await["payment_status"], "paid");
        browser.close().await;
    });
}

#[test]
fn a_notice_alone_pays_what_was_paid_on_the_channels_page() {
    run(async {
        let server = SHARED.get().await;
        let (api, buyer) = (server.api(), server.buyer(&unique("page")));
        let page = page(&buyer).await;
        form(api, &page).await.post(api).await;
        buyer.sandbox_pay(&page.pay_no, "once").await.expect(200);
        buyer.until_order_is(&page.order_id, "paid").await;
        let events = server.auditor().stream(&format!("order-{}", page.order_id)).await;
        assert_eq!(events[3]["data"]["learned_by"], "notification");
    });
}

#[test]
fn coming_back_makes_paystream_ask_and_what_the_browser_brings_proves_nothing() {
    run(async {
        let server = SHARED.get().await;
        let (api, buyer) = (server.api(), server.buyer(&unique("page")));
        let page = page(&buyer).await;
        form(api, &page).await.post(api).await;
        let trade = api.get(&format!("/sandbox/trades/{}", page.pay_no)).send().await.expect(200);
        let back = here(api, &trade.field("return_url"));
        let lies = format!("{back}?out_trade_no={}&trade_status=TRADE_SUCCESS&total_amount=199.00&sign=AAAA", page.pay_no);
        api.get(&lies).send().await.expect(200);
        let auditor = server.auditor();
        assert_eq!(auditor.order_event_types(&page.order_id).await, ["OrderCreated", "PayRecordIssued", "PayRecordOpened"]);
        buyer.sandbox_pay(&page.pay_no, "never").await.expect(200);
        api.get(&back).send().await.expect(200);
        let events = auditor.stream(&format!("order-{}", page.order_id)).await;
        assert_eq!(types(&events)[3..], ["PaymentConfirmed", "OrderPaid"], "known before the page is answered");
        assert_eq!(events[3]["data"]["learned_by"], "query");
    });
}

#[test]
fn who_pays_both_the_form_and_the_code_gets_one_payment_back() {
    run(async {
        let server = Paystream::start("page-and-code", Config::default()).await;
        let (api, buyer) = (server.api(), server.buyer("alice"));
        let page = page(&buyer).await;
        // The browser has the form and does not bring it yet; the channel then refuses to close what it gets.
        let form = form(api, &page).await;
        api.arm_fault("close", "refuse", 1_000).await;
        let code = begin(&buyer, &page.order_id, "alipay_qr").await.expect(201).field("pay_no");
        assert_eq!(code, format!("{}02", page.order_id));
        let closing = open(api, &page.pay_url).await;
        assert!(!closing.text().contains("biz_content"), "{closing}");
        buyer.sandbox_pay(&code, "once").await.expect(200);
        buyer.until_order_is(&page.order_id, "paid").await;
        form.post(api).await;
        buyer.sandbox_pay(&page.pay_no, "once").await.expect(200);
        let refunded = eventually("the second payment went back", async || {
            let trade = api.get(&format!("/sandbox/trades/{}", page.pay_no)).send().await.expect(200).json();
            if trade["status"] == "refunded" { Ok(trade) } else { Err(trade.to_string()) }
        })
        .await;
        assert_eq!(refunded["trade_status"], "TRADE_CLOSED");
        let auditor = server.auditor();
        let events = eventually("the refund is on the log", async || {
            let events = auditor.stream(&format!("order-{}", page.order_id)).await;
            if count(&events, "RefundSucceeded") == 1 { Ok(events) } else { Err(format!("{:?}", types(&events))) }
        })
        .await;
        assert_eq!((count(&events, "PaymentConfirmed"), count(&events, "SurplusPaymentReceived")), (1, 1));
        let surplus = events.iter().find(|event| event["type"] == "SurplusPaymentReceived").unwrap();
        assert_eq!((&surplus["data"]["pay_no"], &surplus["data"]["reason"]), (&json!(page.pay_no), &json!("paid_twice")));
        let order = buyer.order(&page.order_id).await;
        assert_eq!((&order["status"], &order["payment_status"]), (&json!("paid"), &json!("paid")));
    });
}

#[test]
fn a_form_outlives_the_process_that_gave_it_out_and_one_that_nobody_fetched_ends_with_its_order() {
    run(async {
        let mut server = Paystream::start("page-kill", Config::default()).await;
        let buyer = server.buyer("alice");
        let page = page(&buyer).await;
        let form = form(server.api(), &page).await;
        server.kill9();
        server.restart().await;
        form.post(server.api()).await;
        buyer.sandbox_pay(&page.pay_no, "once").await.expect(200);
        buyer.until_order_is(&page.order_id, "paid").await;

        let bob = server.buyer("bob");
        let unfetched = self::page(&bob).await;
        server.api().arm_fault("query", "refuse", 1_000).await;
        server.api().arm_fault("close", "refuse", 1_000).await;
        server.api().advance_clock(Duration::from_mins(31)).await;
        // Tokens are good for a quarter of an hour.
        let (bob, auditor) = (server.sign_in("bob").await, server.sign_in("audrey").await);
        bob.until_order_is(&unfetched.order_id, "expired").await;
        let events = auditor.stream(&format!("order-{}", unfetched.order_id)).await;
        assert_eq!(types(&events), ["OrderCreated", "PayRecordIssued", "PayRecordClosed", "OrderExpired"]);
        assert_eq!((&events[2]["data"]["proof"], &events[3]["data"]["unproven"]), (&json!("never_shown"), &json!(false)));
        let over = open(server.api(), &unfetched.pay_url).await.expect(410);
        assert!(!over.text().contains("biz_content"), "{over}");
    });
}

#[test]
fn a_moved_clock_is_the_channels_too() {
    run(async {
        let server = Paystream::start("moved-clock", Config::default()).await;
        server.api().advance_clock(Duration::from_hours(2)).await;
        let (alice, bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
        let of_alipay = open_order(&alice).await.pay_no;
        let of_wechat = begin(&bob, &ordered(&bob).await, "wechat_native").await.expect(201).field("pay_no");
        // An answer from before the move may be read after it, so both are asked until their last one is from after it.
        eventually("both channels have answered with their own time", async || {
            alice.sync(&of_alipay).await.expect(200);
            bob.sync(&of_wechat).await.expect(200);
            let ready = server.api().get("/readyz").send().await.expect(200).json();
            if ready["warnings"] == json!([]) { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
    });
}
