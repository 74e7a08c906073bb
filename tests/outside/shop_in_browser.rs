//! The pages, in a real browser, as a learner uses them.

use std::time::Duration;

use super::harness::browser::{Browser, Screen};
use super::harness::journey::{OpenOrder, open_order};
use super::harness::random::unique;
use super::harness::{FREE_COURSE, PAID_COURSE, Paystream, SharedPaystream, eventually, qr, run};

static SHARED: SharedPaystream = SharedPaystream::new("browser");

#[test]
fn a_learner_buys_a_course_on_a_desktop() {
    run(buys_a_course("desktop", Screen::Desktop));
}

#[test]
fn a_learner_buys_a_course_on_a_phone() {
    run(buys_a_course("phone", Screen::Phone));
}

async fn buys_a_course(name: &str, screen: Screen) {
    let server = Paystream::start(&format!("browser-{name}"), super::harness::Config::default()).await;
    let browser = Browser::open(name, screen).await;
    browser.goto(server.api().base()).await;
    browser.see(&format!("select-{PAID_COURSE}")).await;
    browser.see(&format!("select-{FREE_COURSE}")).await;
    browser.click("sign-in-alice").await;
    browser.keep_screenshot("1-shop").await;
    browser.assert_nothing_sticks_out().await;

    browser.click(&format!("select-{PAID_COURSE}")).await;
    browser.see("pay-alipay").await;
    browser.keep_screenshot("2-guide").await;
    browser.assert_nothing_sticks_out().await;
    browser.click("pay-alipay").await;

    browser.until_state("awaiting_payment").await;
    let (order_id, pay_no) = shown_order(&server).await;
    checkout_shows_what_is_owed(&server, &browser, &pay_no).await;
    browser.keep_screenshot("3-checkout").await;
    browser.assert_nothing_sticks_out().await;

    let loaded = mark_the_page(&browser).await;
    server.api().sandbox_pay(&pay_no, "once").await.expect(200);
    browser.until_state("paid").await;
    assert!(!browser.text("result").await.is_empty());
    assert_eq!(marks_of_the_page(&browser).await, loaded, "the page was loaded again");
    browser.keep_screenshot("4-paid").await;

    browser.goto(server.api().base()).await;
    browser.see(&format!("course-row-{PAID_COURSE}")).await;
    browser.keep_screenshot("5-my-courses").await;
    server.buyer("alice").until_order_is(&order_id, "paid").await;
    browser.close().await;
}

/// The order that the page has made, as its buyer sees it over the API.
async fn shown_order(server: &Paystream) -> (String, String) {
    let alice = server.buyer("alice");
    eventually("the order has a code", async || {
        let orders = alice.get("/api/v1/orders").send().await.expect(200).json();
        let order_id = orders["items"][0]["order_id"].as_str().ok_or_else(|| orders.to_string())?.to_owned();
        let order = alice.order(&order_id).await;
        let pay_no = order["pay_records"][0]["pay_no"].as_str().ok_or_else(|| order.to_string())?;
        Ok((order_id, pay_no.to_owned()))
    })
    .await
}

async fn checkout_shows_what_is_owed(server: &Paystream, browser: &Browser, pay_no: &str) {
    assert!(browser.until_text("amount", |text| text.contains("199.00")).await.contains('¥'));
    let record = server.buyer("alice").pay_record(pay_no).await;
    assert_eq!(qr::read_png(&browser.picture_of("qr").await), record["qr_content"].as_str().unwrap());
    assert!(!browser.text("pay-twice-warning").await.is_empty());
    browser.see("i-have-paid").await;
    let first = browser.until_text("countdown", |text| text.contains(|character: char| character.is_ascii_digit())).await;
    browser.until_text("countdown", |text| text != first).await;
}

/// Puts a mark on the page that a load would take away.
async fn mark_the_page(browser: &Browser) -> serde_json::Value {
    browser.run("window.markOfTheTest = 'here'; return [window.markOfTheTest, performance.timeOrigin]", Vec::new()).await
}

async fn marks_of_the_page(browser: &Browser) -> serde_json::Value {
    browser.run("return [window.markOfTheTest, performance.timeOrigin]", Vec::new()).await
}

#[test]
fn i_have_paid_finds_a_payment_that_nobody_announced() {
    run(async {
        let server = SHARED.get().await;
        let order = open_order(&server.buyer(&unique("page"))).await;
        let browser = Browser::open("i-have-paid", Screen::Desktop).await;
        browser.goto(&order.checkout_url).await;
        browser.until_state("awaiting_payment").await;
        server.api().sandbox_pay(&order.pay_no, "never").await.expect(200);
        browser.click("i-have-paid").await;
        browser.until_state("paid").await;
        browser.close().await;
    });
}

#[test]
fn an_unpaid_i_have_paid_says_so_and_leaves_the_code() {
    run(async {
        let server = SHARED.get().await;
        let order = open_order(&server.buyer(&unique("page"))).await;
        let browser = Browser::open("not-yet-paid", Screen::Desktop).await;
        browser.goto(&order.checkout_url).await;
        browser.until_state("awaiting_payment").await;
        browser.click("i-have-paid").await;
        browser.until_text("result", |text| !text.is_empty()).await;
        assert!(browser.shows("qr").await);
        browser.close().await;
    });
}

#[test]
fn the_page_speaks_chinese_and_english() {
    run(async {
        let server = SHARED.get().await;
        let order = open_order(&server.buyer(&unique("page"))).await;
        let browser = Browser::open("language", Screen::Desktop).await;
        browser.goto(&order.checkout_url).await;
        let is_chinese = |text: &str| text.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character));
        let first = is_chinese(&browser.text("pay-twice-warning").await);
        browser.keep_screenshot(if first { "chinese" } else { "english" }).await;
        browser.click("lang-toggle").await;
        browser.until_text("pay-twice-warning", |text| is_chinese(text) != first).await;
        browser.keep_screenshot(if first { "english" } else { "chinese" }).await;
        browser.click("lang-toggle").await;
        browser.until_text("pay-twice-warning", |text| is_chinese(text) == first).await;
        browser.close().await;
    });
}

#[test]
fn an_expired_code_is_renewed_on_the_page() {
    run(async {
        // A clock of its own is moved, so the server is its own too.
        let config = super::harness::Config::default().with("PAYSTREAM_ORDER_LIFE_S", "18000");
        let server = Paystream::start("renew", config).await;
        let order = open_order(&server.buyer("alice")).await;
        let browser = Browser::open("renew", Screen::Desktop).await;
        browser.goto(&order.checkout_url).await;
        browser.until_state("awaiting_payment").await;
        let first = qr::read_png(&browser.picture_of("qr").await);
        // The code lives two hours at Alipay; the order lives longer here.
        server.api().advance_clock(Duration::from_mins(121)).await;
        browser.goto(&order.checkout_url).await;
        browser.click("renew").await;
        let renewed = eventually("another code is shown", async || {
            let shown = browser.picture_of("qr").await;
            let text = std::panic::catch_unwind(|| qr::read_png(&shown)).map_err(|_| "no code".to_owned())?;
            if text == first { Err(text) } else { Ok(text) }
        })
        .await;
        assert!(!renewed.is_empty());
        browser.keep_screenshot("renewed").await;
        browser.close().await;
    });
}

#[test]
fn a_checkout_without_scripts_from_elsewhere_keeps_a_strict_policy() {
    run(async {
        let server = SHARED.get().await;
        let order: OpenOrder = open_order(&server.buyer(&unique("page"))).await;
        for page in [server.api().base().to_owned() + "/", order.checkout_url] {
            let reply = server.api().get(&page).send().await.expect(200);
            let policy = reply.header("content-security-policy");
            assert!(policy.contains("default-src 'self'") || policy.contains("default-src 'none'"), "{page}: {policy}");
            assert!(!policy.contains("unsafe-eval") && !policy.contains("http:"), "{page}: {policy}");
            assert_eq!(reply.header("x-content-type-options"), "nosniff", "{page}");
            let html = reply.text();
            assert!(!html.contains("src=\"http") && !html.contains("src=\"//"), "{page} loads something from elsewhere");
        }
    });
}
