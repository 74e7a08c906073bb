//! The pages, in a real browser, as a learner uses them.

use std::time::Duration;

use super::harness::browser::{Browser, Screen};
use super::harness::journey::{OpenOrder, open_order};
use super::harness::random::unique;
use super::harness::{FREE_COURSE, PAID_COURSE, Paystream, SharedPaystream, eventually, run};

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

#[test]
fn a_learner_who_chooses_wechat_pay_is_shown_its_code_and_pays_with_it() {
    run(async {
        let server = Paystream::start("browser-wechat", super::harness::Config::default()).await;
        let browser = Browser::open("wechat", Screen::Desktop).await;
        browser.goto(server.api().base()).await;
        browser.click("sign-in-alice").await;
        browser.click(&format!("select-{PAID_COURSE}")).await;
        browser.see("pay-alipay").await;
        browser.click("pay-wechat").await;
        browser.until_state("awaiting_payment").await;
        let (order_id, pay_no) = shown_order(&server).await;
        let alice = server.buyer("alice");
        let code = eventually("the attempt has its code", async || {
            let record = alice.pay_record(&pay_no).await;
            assert_eq!(record["channel"], "wechat_native");
            record["qr_content"].as_str().map(str::to_owned).ok_or_else(|| record.to_string())
        })
        .await;
        browser.until_qr_says(&code).await;
        server.api().sandbox_pay(&pay_no, "once").await.expect(200);
        browser.until_state("paid").await;
        alice.until_order_is(&order_id, "paid").await;
        browser.close().await;
    });
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
    let record = server.buyer("alice").until_pay_record_is(pay_no, "pending").await;
    browser.until_qr_says(record["qr_content"].as_str().unwrap()).await;
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
        browser.until_qr_says(&order.qr_content).await;
        // The code lives two hours at Alipay; the order lives longer here.
        server.api().advance_clock(Duration::from_mins(121)).await;
        browser.goto(&order.checkout_url).await;
        browser.click("renew").await;
        let renewed = browser.until_qr("another code", |text| text != order.qr_content).await;
        assert!(!renewed.is_empty());
        browser.keep_screenshot("renewed").await;
        browser.close().await;
    });
}

#[test]
fn an_expired_order_is_ordered_again_on_the_page_and_paid() {
    run(async {
        // A clock of its own is moved, so the server is its own too.
        let server = Paystream::start("order-again", super::harness::Config::default()).await;
        let order = open_order(&server.buyer("alice")).await;
        let browser = Browser::open("order-again", Screen::Phone).await;
        browser.goto(&order.checkout_url).await;
        browser.until_state("awaiting_payment").await;
        // Nobody has scanned the code, so the channel does not know it, which proves nothing while it could still be scanned.
        server.api().advance_clock(Duration::from_mins(31)).await;
        browser.until_state("closing").await;
        assert!(!browser.shows("qr").await && !browser.shows("renew").await, "nothing is to be paid now");
        assert!(browser.text("result").await.contains("Please do not pay now"));
        browser.keep_screenshot("closing").await;
        server.api().advance_clock(Duration::from_mins(6)).await;
        browser.until_state("expired").await;
        assert!(!browser.shows("qr").await, "the old code must not be paid");
        browser.see("renew").await;
        browser.keep_screenshot("expired").await;
        browser.assert_nothing_sticks_out().await;
        browser.click("renew").await;
        let order_id = browser.until_text("order-id", |text| !text.is_empty() && text != order.order_id).await;
        browser.until_state("awaiting_payment").await;
        browser.see("qr").await;
        // Tokens are good for a quarter of an hour.
        let alice = server.sign_in("alice").await;
        let again = alice.order(&order_id).await;
        assert_eq!(again["amount"], super::harness::PAID_COURSE_FEN, "{again}");
        let pay_no = format!("{order_id}01");
        server.api().sandbox_pay(&pay_no, "once").await.expect(200);
        browser.until_state("paid").await;
        alice.until_order_is(&order.order_id, "expired").await;
        browser.close().await;
    });
}

#[test]
fn a_learner_who_prefers_the_channels_page_is_led_there_from_the_checkout_and_back() {
    run(async {
        let server = SHARED.get().await;
        for screen in [Screen::Desktop, Screen::Phone] {
            let order = open_order(&server.buyer(&unique("page"))).await;
            let browser = Browser::open(&format!("to-the-page-{screen:?}").to_lowercase(), screen).await;
            browser.goto(&order.checkout_url).await;
            browser.until_state("awaiting_payment").await;
            browser.click("channel-alipay_page").await;
            eventually("there is no code any more", async || if browser.shows("qr").await { Err("the code".to_owned()) } else { Ok(()) })
                .await;
            browser.see("open-wallet").await;
            browser.assert_nothing_sticks_out().await;
            browser.keep_screenshot("checkout").await;
            browser.click("open-wallet").await;
            eventually("the browser is at the channel", async || {
                let path = browser.run("return document.readyState === 'complete' ? location.pathname : ''", Vec::new()).await;
                if path.as_str().is_some_and(|path| path.starts_with("/sandbox/cashier/")) { Ok(()) } else { Err(path.to_string()) }
            })
            .await;
            browser.run("document.querySelector('button').click()", Vec::new()).await;
            browser.until_state("paid").await;
            browser.close().await;
        }
    });
}

#[test]
fn a_page_whose_server_goes_says_so_and_is_right_again_by_itself_once_it_is_back() {
    run(async {
        let mut server = Paystream::start("page-reconnects", super::harness::Config::default()).await;
        let order = open_order(&server.buyer("alice")).await;
        let browser = Browser::open("reconnects", Screen::Phone).await;
        browser.goto(&order.checkout_url).await;
        browser.until_state("awaiting_payment").await;
        assert!(!browser.shows("connection").await);
        server.kill9();
        browser.see("connection").await;
        browser.keep_screenshot("without-server").await;
        server.restart().await;
        eventually("the page no longer says that the connection is lost", async || {
            if browser.shows("connection").await { Err("it does".to_owned()) } else { Ok(()) }
        })
        .await;
        server.api().sandbox_pay(&order.pay_no, "once").await.expect(200);
        browser.until_state("paid").await;
        assert!(!browser.shows("connection").await);
        // That the server was away, the console was told by the browser itself.
        let errors = browser.console_errors().await;
        assert!(errors.iter().all(|error| error.contains("/watch")), "{errors:?}");
        browser.close().await;
    });
}

#[test]
fn what_goes_back_of_a_payment_is_said_on_its_checkout() {
    run(async {
        let server = SHARED.get().await;
        let alice = server.buyer(&unique("page"));
        let order = super::harness::journey::paid_order(&alice).await;
        let browser = Browser::open("refunded", Screen::Desktop).await;
        let operator = server.as_role("olga", "operator");
        for (amount, status) in [(9_900, "partially_refunded"), (10_000, "refunded")] {
            let body = serde_json::json!({"amount": amount, "reason": "the course was moved"});
            operator.post(&format!("/api/v1/orders/{}/refunds", order.order_id), &body).send().await.expect(202);
            eventually(&format!("the order is {status}"), async || {
                let view = alice.order(&order.order_id).await;
                if view["payment_status"] == status { Ok(()) } else { Err(view["payment_status"].to_string()) }
            })
            .await;
            browser.goto(&order.checkout_url).await;
            browser.until_state("paid").await;
            let words = browser.text("result").await;
            assert_eq!(words.contains("Partly refunded"), status == "partially_refunded", "{words}");
            assert!(words.to_lowercase().contains("refunded") && !browser.shows("qr").await, "{words}");
        }
        browser.close().await;
    });
}

#[test]
fn a_phone_shows_every_page_in_chinese_and_nothing_sticks_out() {
    run(async {
        let server = Paystream::start("chinese-phone", super::harness::Config::default()).await;
        let browser = Browser::open("chinese-phone", Screen::Phone).await;
        browser.goto(server.api().base()).await;
        browser.click("sign-in-alice").await;
        browser.click("lang-toggle").await;
        browser.see(&format!("select-{PAID_COURSE}")).await;
        assert_chinese_and_whole(&browser, "shop").await;
        browser.click(&format!("select-{PAID_COURSE}")).await;
        browser.see("pay-alipay").await;
        assert_chinese_and_whole(&browser, "guide").await;
        browser.click("pay-alipay").await;
        browser.until_state("awaiting_payment").await;
        browser.see("qr").await;
        assert_chinese_and_whole(&browser, "checkout").await;
        let (_, pay_no) = shown_order(&server).await;
        server.api().sandbox_pay(&pay_no, "once").await.expect(200);
        browser.until_state("paid").await;
        assert_chinese_and_whole(&browser, "paid").await;
        browser.goto(&format!("{}/courses", server.api().base())).await;
        browser.see(&format!("course-row-{PAID_COURSE}")).await;
        assert_chinese_and_whole(&browser, "courses").await;
        browser.goto(&format!("{}/docs", server.api().base())).await;
        eventually("the routes are listed", async || {
            let shown = browser.run("return document.querySelectorAll('[data-operation]').length", Vec::new()).await;
            if shown.as_u64() > Some(10) { Ok(()) } else { Err(shown.to_string()) }
        })
        .await;
        assert_chinese_and_whole(&browser, "docs").await;
        browser.close().await;
    });
}

/// Fails the test unless the page is in Chinese, but for what says that it is English, and as wide as its screen.
async fn assert_chinese_and_whole(browser: &Browser, page: &str) {
    // Numbers and names have no language; words of the shop's own products are in both.
    let script = "const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode()) {
          const parent = walker.currentNode.parentElement;
          const shown = parent.getClientRects().length > 0 && !parent.closest('script, noscript, code, pre, [data-testid=lang-toggle]');
          const chinese = parent.closest('[lang]').lang === 'zh';
          const words = walker.currentNode.data;
          if (shown && chinese && /[a-z]{2,} [a-z]{2,}/i.test(words) && !/[\\u4e00-\\u9fff]/.test(words)) found.push(words);
        }
        return [document.documentElement.lang, found]";
    let found = browser.run(script, Vec::new()).await;
    assert_eq!(found, serde_json::json!(["zh", []]), "{page}");
    browser.assert_nothing_sticks_out().await;
    browser.keep_screenshot(page).await;
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
