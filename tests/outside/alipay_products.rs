//! Alipay beyond the scanned code and the desktop's page: a phone's page, certificate mode, and the bill of a day.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::audit::types;
use super::harness::browser::{Browser, Screen};
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, PAID_COURSE_FEN, Paystream, Reply, SharedPaystream, eventually, run, workspace};
use super::page_payment::{begin, form_of, ordered};

static SHARED: SharedPaystream = SharedPaystream::new("alipay-products");

const PHONE: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36";
const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0";

async fn open(api: &Api, pay_url: &str, agent: &str) -> Reply {
    api.get(pay_url).header("user-agent", agent).header("accept", "text/html").send().await
}

#[test]
fn a_phone_is_taken_to_alipays_page_pays_there_and_comes_back() {
    run(async {
        let server = SHARED.get().await;
        let (api, buyer) = (server.api(), server.buyer(&unique("wap")));
        let order_id = ordered(&buyer).await;
        let record = begin(&buyer, &order_id, "alipay_wap").await.expect(201);
        assert_eq!(record.json()["status"], "pending", "{record}");
        let (pay_no, pay_url) = (record.field("pay_no"), record.field("pay_url"));
        let desktop = open(api, &pay_url, DESKTOP).await.expect(303);
        assert!(desktop.header("location").starts_with("/checkout/"), "{desktop}");

        let in_app = format!("{PHONE} AlipayClient/10.6.0");
        for agent in [PHONE, &in_app] {
            let cashier = form_of(&open(api, &pay_url, agent).await.expect(200)).post(api).await;
            assert_eq!(cashier, format!("/sandbox/cashier/{pay_no}"));
        }
        let trade = api.get(&format!("/sandbox/trades/{pay_no}")).send().await.expect(200).json();
        assert_eq!(trade["product_code"], "QUICK_WAP_WAY");
        let pressed = api.post_bytes(&format!("/sandbox/cashier/{pay_no}"), "application/x-www-form-urlencoded", "").send().await;
        let back = pressed.expect(303).header("location").to_owned();
        assert!(back.contains("/return/") && back.contains("method=alipay.trade.wap.pay.return"), "{back}");
        api.get(back.strip_prefix(api.base()).unwrap()).header("accept", "text/html").send().await.expect(200);
        buyer.until_order_is(&order_id, "paid").await;
        let events = server.auditor().stream(&format!("order-{order_id}")).await;
        let opened = types(&events).iter().filter(|event| **event == "PayRecordOpened").count();
        assert!(opened >= 1, "{:?}", types(&events));
        let confirmed = events.iter().find(|event| event["type"] == "PaymentConfirmed").unwrap();
        assert_eq!((&confirmed["data"]["channel"], &confirmed["data"]["amount"]), (&json!("alipay_wap"), &json!(PAID_COURSE_FEN)));
    });
}

/// A live configuration in certificate mode against the sandbox of another process.
async fn certified(sandbox: &Paystream, change: impl FnOnce(&mut Value)) -> (tempfile::TempDir, Config) {
    let mut credentials = sandbox.api().get("/sandbox/credentials").send().await.expect(200).json()["alipay"].clone();
    change(&mut credentials);
    let folder = workspace::temporary("certificates");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let file = |name: &str, content: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, text(content)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificates = &credentials["certificates"];
    let config = Config::default()
        .with("PAYSTREAM_ALIPAY_GATEWAY_URL", &text(&credentials["gateway_url"]))
        .with("PAYSTREAM_ALIPAY_APP_ID", &text(&credentials["app_id"]))
        .with("PAYSTREAM_ALIPAY_SELLER_ID", &text(&credentials["seller_id"]))
        .with("PAYSTREAM_ALIPAY_APP_PRIVATE_KEY_FILE", &file("app.pem", &credentials["app_private_key"]))
        .with("PAYSTREAM_ALIPAY_APP_CERT_FILE", &file("app.crt", &certificates["app_certificate"]))
        .with("PAYSTREAM_ALIPAY_CERT_FILES", &file("alipay.crt", &certificates["alipay_certificate"]))
        .with("PAYSTREAM_ALIPAY_ROOT_CERT_FILE", &file("root.crt", &certificates["root_certificate"]))
        .with("PAYSTREAM_ALIPAY_PRODUCT_CODE", &text(&credentials["product_code"]))
        .with("PAYSTREAM_PUBLIC_URL", "{base}")
        .with("PAYSTREAM_DEMO", "on");
    (folder, config)
}

#[test]
fn certificate_mode_pays_queries_and_believes_notices_against_the_sandbox() {
    run(async {
        let sandbox = Paystream::start("certificates-sandbox", Config::default()).await;
        let (_folder, config) = certified(&sandbox, |_| {}).await;
        let server = Paystream::start("certificates", config).await;
        let buyer = server.buyer("alice");
        let order_id = ordered(&buyer).await;
        // Live, only what is named is offered.
        assert_eq!(begin(&buyer, &order_id, "alipay_wap").await.status, 422);
        let pay_no = begin(&buyer, &order_id, "alipay_qr").await.expect(201).field("pay_no");
        sandbox.api().post(&format!("/sandbox/trades/{pay_no}/pay"), &json!({"notify": "never"})).send().await.expect(200);
        buyer.sync(&pay_no).await.expect(200);
        buyer.until_order_is(&order_id, "paid").await;

        let bob = server.buyer("bob");
        let order_id = ordered(&bob).await;
        let pay_no = begin(&bob, &order_id, "alipay_qr").await.expect(201).field("pay_no");
        sandbox.api().post(&format!("/sandbox/trades/{pay_no}/pay"), &json!({"notify": "once"})).send().await.expect(200);
        bob.until_order_is(&order_id, "paid").await;
        let events = server.auditor().stream(&format!("order-{order_id}")).await;
        let confirmed = events.iter().find(|event| event["type"] == "PaymentConfirmed").unwrap();
        assert_eq!(confirmed["data"]["learned_by"], "notification");
    });
}

#[test]
fn certificates_that_do_not_belong_together_are_refused_at_the_start() {
    run(async {
        let sandbox = Paystream::start("foreign-sandbox", Config::default()).await;
        let other = Paystream::start("other-sandbox", Config::default()).await;
        let foreign = other.api().get("/sandbox/credentials").send().await.expect(200).json()["alipay"]["certificates"].clone();
        for (member, variable, reason) in [
            ("alipay_certificate", "PAYSTREAM_ALIPAY_CERT_FILES", "issuer is none of the root certificates"),
            ("app_certificate", "PAYSTREAM_ALIPAY_APP_CERT_FILE", "another key than the application's private key"),
            ("root_certificate", "PAYSTREAM_ALIPAY_CERT_FILES", "issuer is none of the root certificates"),
        ] {
            let (_folder, config) = certified(&sandbox, |ours| ours["certificates"][member] = foreign[member].clone()).await;
            let mut server = Paystream::prepare("foreign", config, None);
            server.launch();
            let status = server.until_ended(Duration::from_secs(30)).await;
            let said = server.log_text();
            assert!(status.is_some_and(|status| !status.success()), "{member} was taken:\n{said}");
            assert!(said.contains(variable) && said.contains(reason), "{member}: {said}");
        }
        let (_folder, config) = certified(&sandbox, |_| {}).await;
        let mut server = Paystream::prepare("both-modes", config.with("PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES", "x"), None);
        server.launch();
        server.until_ended(Duration::from_secs(30)).await;
        assert!(server.log_text().contains("PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES"), "{}", server.log_text());
    });
}

/// Until just after midnight in Beijing, so that what follows falls on one day; answers that day.
async fn until_a_new_day(server: &Paystream) -> chrono::NaiveDate {
    let clock = server.api().get("/sandbox/clock").send().await.expect(200).json();
    let now: chrono::DateTime<chrono::Utc> = clock["now"].as_str().unwrap_or_else(|| panic!("{clock}")).parse().unwrap();
    let beijing = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
    let tomorrow = now.with_timezone(&beijing).date_naive().succ_opt().unwrap();
    let midnight = tomorrow.and_hms_opt(0, 0, 30).unwrap().and_local_timezone(beijing).unwrap().to_utc();
    server.api().advance_clock((midnight - now).to_std().unwrap()).await;
    tomorrow
}

#[test]
fn a_day_is_reconciled_with_alipays_bill_and_what_only_the_bill_has_is_recorded() {
    run(async {
        // Nothing asks the channel by itself, so what is never notified stays unknown until the bill tells of it.
        let roles = &["serve", "--roles", "command-api,query-api,projections,sandbox"];
        let server = Paystream::start("reconcile", Config::in_roles(roles)).await;
        let date = until_a_new_day(&server).await;
        let (alice, bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
        let known = ordered(&alice).await;
        let known_pay_no = begin(&alice, &known, "alipay_qr").await.expect(201).field("pay_no");
        alice.sandbox_pay(&known_pay_no, "once").await.expect(200);
        alice.until_order_is(&known, "paid").await;
        let dark = ordered(&bob).await;
        let dark_pay_no = begin(&bob, &dark, "alipay_qr").await.expect(201).field("pay_no");
        bob.sandbox_pay(&dark_pay_no, "never").await.expect(200);

        let date = date.to_string();
        let reconcile = || server.run_subcommand(&["reconcile", "--channel", "alipay_qr", "--date", &date]);
        let early = reconcile();
        assert!(!early.status.success(), "the day is not over");
        server.api().advance_clock(Duration::from_hours(34)).await;
        let first = reconcile();
        let said = String::from_utf8_lossy(&first.stdout).into_owned();
        assert!(said.contains("2 lines, 1 matched, 1 recorded now, 0 discrepancies"), "{said}{}", String::from_utf8_lossy(&first.stderr));
        let auditor = server.sign_in("audrey").await;
        let events = eventually("the dark payment is on the log", async || {
            let events = auditor.stream(&format!("order-{dark}")).await;
            let is_there = events.iter().any(|event| event["data"]["trade_no"].is_string());
            if is_there { Ok(events) } else { Err(format!("{:?}", types(&events))) }
        })
        .await;
        let captured = events.iter().find(|event| event["data"]["trade_no"].is_string()).unwrap();
        assert_eq!(captured["data"]["learned_by"], "query", "the channel's signed answer is recorded, not the bill's line");
        let second = String::from_utf8_lossy(&reconcile().stdout).into_owned();
        assert!(second.contains("2 lines, 2 matched, 0 recorded now, 0 discrepancies"), "{second}");
    });
}

#[test]
fn what_was_begun_through_a_product_goes_on_after_it_is_offered_no_more() {
    run(async {
        let mut server = Paystream::start("product-withdrawn", Config::default()).await;
        let (told, asked) = (server.buyer("alice"), server.buyer("bob"));
        let (told_order, asked_order) = (ordered(&told).await, ordered(&asked).await);
        let told_pay_no = begin(&told, &told_order, "alipay_qr").await.expect(201).field("pay_no");
        let asked_pay_no = begin(&asked, &asked_order, "alipay_qr").await.expect(201).field("pay_no");
        server.restart_with("PAYSTREAM_ALIPAY_PRODUCTS", "wap").await;
        // Nothing new begins, and what was begun is shown still.
        let carol = server.buyer("carol");
        let refused = begin(&carol, &ordered(&carol).await, "alipay_qr").await;
        refused.expect_problem(422, "channel_not_configured");
        assert_eq!(begin(&told, &told_order, "alipay_qr").await.expect(200).field("pay_no"), told_pay_no);

        told.sandbox_pay(&told_pay_no, "once").await.expect(200);
        told.until_order_is(&told_order, "paid").await;
        asked.sandbox_pay(&asked_pay_no, "never").await.expect(200);
        asked.until_order_is(&asked_order, "paid").await;
        let operator = server.as_role("olivia", "operator");
        let wish = json!({"amount": PAID_COURSE_FEN, "reason": "the course is cancelled"});
        operator.post(&format!("/api/v1/orders/{told_order}/refunds"), &wish).send().await.expect(202);
        eventually("the money went back", async || {
            let order = told.order(&told_order).await;
            if order["payment_status"] == "refunded" { Ok(()) } else { Err(order["payment_status"].to_string()) }
        })
        .await;
    });
}

#[test]
fn a_shop_with_alipay_alone_offers_alipay_alone_and_says_so_inside_wechat() {
    run(async {
        let sandbox = Paystream::start("alipay-alone-sandbox", Config::default()).await;
        let (_folder, config) = certified(&sandbox, |_| {}).await;
        let server = Paystream::start("alipay-alone", config).await;
        assert_eq!(server.api().get("/checkout/offer").send().await.expect(200).json(), json!({"wallets": ["alipay"]}));
        let alice = server.buyer("alice");
        let selection_id = alice.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let desktop = Browser::open("alipay-alone", Screen::Desktop).await;
        desktop.goto(&format!("{}/guide/{selection_id}", server.api().base())).await;
        desktop.click("sign-in-alice").await;
        desktop.see("pay-alipay").await;
        assert!(!desktop.shows("pay-wechat").await && !desktop.shows("no-way").await);
        desktop.keep_screenshot("guide").await;
        desktop.close().await;

        let order = alice.order_selection(&selection_id).await.expect(201);
        let phone = Browser::open("alipay-in-wechat", Screen::WeChat).await;
        phone.goto(&order.field("checkout_url")).await;
        phone.until_text("state", |text| text.contains("open this page in your browser")).await;
        assert!(!phone.shows("qr").await && !phone.shows("open-wallet").await && !phone.shows("make-code").await, "nothing that is dead");
        let told = phone.run("return document.getElementById('code-words').textContent", Vec::new()).await;
        assert!(told.as_str().is_some_and(|told| told.contains("WeChat") && told.contains("Alipay")), "{told}");
        phone.assert_nothing_sticks_out().await;
        phone.keep_screenshot("checkout").await;
        phone.click("lang-toggle").await;
        phone.until_text("state", |text| text.contains("浏览器")).await;
        phone.close().await;
    });
}

#[test]
fn each_day_is_compared_with_both_wallets_statements_by_itself() {
    run(async {
        let server = Paystream::start("daily-statements", Config::default()).await;
        let date = until_a_new_day(&server).await.to_string();
        let (alice, bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
        for (buyer, channel) in [(&alice, "alipay_qr"), (&bob, "wechat_native")] {
            let order = ordered(buyer).await;
            let pay_no = begin(buyer, &order, channel).await.expect(201).field("pay_no");
            buyer.sandbox_pay(&pay_no, "once").await.expect(200);
            buyer.until_order_is(&order, "paid").await;
        }
        server.api().advance_clock(Duration::from_hours(36)).await;
        let operator = server.sign_in("olivia").await;
        let days = eventually("both days are compared", async || {
            let listed = operator.get("/api/v1/operations/reconciliations?state=matched&limit=200").send().await.expect(200).json();
            let of_day: Vec<Value> = listed["items"].as_array().unwrap().iter().filter(|day| day["date"] == date).cloned().collect();
            if of_day.len() == 2 { Ok(of_day) } else { Err(listed.to_string()) }
        })
        .await;
        for (day, wallet) in days.iter().zip(["alipay", "wechat"]) {
            assert_eq!((&day["wallet"], &day["tries"], &day["word"]), (&json!(wallet), &json!(0), &Value::Null), "{day}");
            assert_eq!((&day["result"]["lines"], &day["result"]["matched"]), (&json!(1), &json!(1)), "{day}");
        }
        let alice = server.sign_in("alice").await;
        alice.get("/api/v1/operations/reconciliations").send().await.expect_problem(403, "forbidden");
    });
}
