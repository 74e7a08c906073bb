//! Notifications that nobody at Alipay sent, or that somebody changed on the way (T8).
//!
//! Those that need a signature under Alipay's own key (another app id, another seller, signed so) cannot be made from
//! outside; the gateway's vector tests hold them.

use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use serde_json::Value;
use sha2::Sha256;

use super::harness::journey::{OpenOrder, open_order, paid_order};
use super::harness::notice::{FORM, Notice, assert_success};
use super::harness::random::unique;
use super::harness::{Api, Reply, SharedPaystream, run};

mod wechat;

/// Nothing asks the channel by itself: what was kept back stays unknown, however long a test takes.
static SHARED: SharedPaystream = SharedPaystream::in_roles("forgeries", &["serve", "--roles", "command-api,query-api,projections,sandbox"]);

/// How often notifications of a wallet came of which this was made.
async fn times_kept(operator: &Api, wallet: &str, verdict: &str) -> u64 {
    let (mut times, mut cursor) = (0, String::new());
    loop {
        let page = operator.get(&format!("/api/v1/notices?verdict={verdict}&limit=200{cursor}")).send().await.expect(200).json();
        let of_wallet = page["items"].as_array().unwrap().iter().filter(|notice| notice["channel"] == wallet);
        times += of_wallet.map(|notice| notice["times_received"].as_u64().unwrap()).sum::<u64>();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return times,
        }
    }
}

/// An order that waits, the genuine notice of its payment that was kept back, and the log before anything is forged.
struct Scene {
    server: super::harness::shared::Borrowed,
    buyer: Api,
    order: OpenOrder,
    genuine: Notice,
    log_before: Vec<Value>,
}

impl Scene {
    async fn set() -> Self {
        let server = SHARED.alone().await;
        let buyer = server.buyer(&unique("victim"));
        let order = open_order(&buyer).await;
        buyer.sandbox_pay(&order.pay_no, "never").await.expect(200);
        let genuine = server.api().notification(&order.pay_no).await;
        let log_before = server.auditor().events().await;
        Self { server, buyer, order, genuine, log_before }
    }

    /// Sends a forged body; fails the test unless it is answered as a failure and changes nothing.
    async fn refuses(&self, what: &str, body: impl Into<reqwest::Body>) {
        let reply = self.server.api().notify(body).await;
        self.nothing_changed(what, &reply).await;
    }

    async fn nothing_changed(&self, what: &str, reply: &Reply) {
        if reply.status != 413 {
            assert_eq!(reply.text(), "fail", "{what}: {reply}");
        }
        assert_eq!(self.server.auditor().events().await, self.log_before, "{what} changed the log");
        assert_eq!(self.buyer.order(&self.order.order_id).await["status"], "awaiting_payment", "{what}");
        self.server.api().get("/healthz").send().await.expect(200);
    }

    /// The scene was a real one: the genuine notice is taken now.
    async fn end(self) {
        assert_success(&self.server.api().notify(self.genuine.encode()).await);
        self.buyer.until_order_is(&self.order.order_id, "paid").await;
    }
}

fn another_key() -> SigningKey<Sha256> {
    SigningKey::new(RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap())
}

#[test]
fn a_notice_without_a_signature_or_with_another_keys_changes_nothing() {
    run(async {
        let scene = Scene::set().await;
        scene.refuses("no signature", scene.genuine.without("sign").encode()).await;
        scene.refuses("an empty signature", scene.genuine.with("sign", "").encode()).await;
        scene.refuses("a signature that is no base64", scene.genuine.with("sign", "%%%").encode()).await;
        let key = another_key();
        scene.refuses("another key", scene.genuine.signed_by(&key).encode()).await;
        scene.refuses("another key and app", scene.genuine.with("app_id", "2021000000000000").signed_by(&key).encode()).await;
        scene.end().await;
    });
}

#[test]
fn a_notice_with_a_member_changed_changes_nothing() {
    run(async {
        let scene = Scene::set().await;
        for (member, value) in [
            ("total_amount", "0.01"),
            ("total_amount", "199.000"),
            ("app_id", "2021000000000000"),
            ("seller_id", "2088000000000000"),
            ("out_trade_no", "723100000000000000101"),
            ("trade_status", "TRADE_FINISHED"),
            ("trade_no", "2026000000000000000000000000"),
            ("notify_id", "another"),
            ("sign_type", "RSA"),
            ("sign_type", "MD5"),
            ("charset", "gbk"),
            ("charset", "utf-16"),
            ("passback_params", "added"),
        ] {
            scene.refuses(&format!("{member} = {value}"), scene.genuine.with(member, value).encode()).await;
        }
        scene.refuses("a member taken out", scene.genuine.without("notify_time").encode()).await;
        scene.end().await;
    });
}

#[test]
fn a_lowered_signature_type_with_another_keys_signature_changes_nothing() {
    run(async {
        let scene = Scene::set().await;
        let key = another_key();
        for lowered in ["RSA", "rsa2", "MD5", "none", "HMAC", ""] {
            scene.refuses(&format!("sign_type = {lowered:?}"), scene.genuine.with("sign_type", lowered).signed_by(&key).encode()).await;
        }
        scene.end().await;
    });
}

#[test]
fn a_notice_with_a_member_twice_changes_nothing() {
    run(async {
        let scene = Scene::set().await;
        for member in ["total_amount", "out_trade_no", "sign", "sign_type", "subject", "app_id"] {
            let again = scene.genuine.get(member).to_owned();
            scene.refuses(&format!("{member} twice, alike"), scene.genuine.and(member, &again).encode()).await;
            scene.refuses(&format!("{member} twice, another"), scene.genuine.and(member, "1").encode()).await;
        }
        scene.end().await;
    });
}

#[test]
fn each_forgery_is_kept_with_its_own_reason() {
    run(async {
        let scene = Scene::set().await;
        let operator = scene.server.as_role("olivia", "operator");
        let whole = scene.genuine.encode();
        let cut = &whole[..whole.find("&sign=").unwrap() + 40];
        let lowered = scene.genuine.with("sign_type", "RSA").signed_by(&another_key());
        for (what, verdict, body) in [
            ("another key", "bad_signature", scene.genuine.signed_by(&another_key()).encode()),
            ("another sum", "bad_signature", scene.genuine.with("total_amount", "0.01").encode()),
            ("a truncated body", "bad_signature", cut.to_owned()),
            ("a padded body", "bad_signature", format!("{whole}&padding={}", "x".repeat(200_000))),
            ("no signature", "missing_sign", scene.genuine.without("sign").encode()),
            ("a member twice", "duplicate_param", scene.genuine.and("subject", "1").encode()),
            ("a lower algorithm", "sign_type_not_allowed", lowered.encode()),
        ] {
            let before = times_kept(&operator, "alipay", verdict).await;
            scene.refuses(what, body).await;
            assert!(times_kept(&operator, "alipay", verdict).await > before, "{what} is kept as {verdict}");
        }
        scene.end().await;
    });
}

#[test]
fn the_valid_notice_of_another_order_pays_only_its_own() {
    run(async {
        let scene = Scene::set().await;
        let other_buyer = scene.server.buyer(&unique("other"));
        let other = paid_order(&other_buyer).await;
        let log = scene.server.auditor().events().await;
        let others_notice = scene.server.api().notification(&other.pay_no).await;
        let moved = others_notice.with("out_trade_no", &scene.order.pay_no);
        assert_eq!(scene.server.api().notify(moved.encode()).await.text(), "fail");
        // Verbatim it is a genuine repeat for an order that is paid, and no proof for this one.
        assert_success(&scene.server.api().notify(others_notice.encode()).await);
        assert_eq!(scene.server.auditor().events().await, log);
        assert_eq!(scene.buyer.order(&scene.order.order_id).await["status"], "awaiting_payment");
        scene.end().await;
    });
}

#[test]
fn a_forged_notice_from_this_very_machine_is_no_more_believed() {
    run(async {
        let scene = Scene::set().await;
        let forged = scene.genuine.with("total_amount", "199.01").encode();
        let request = scene.server.api().post_bytes("/notify/alipay", FORM, forged);
        let reply =
            request.header("host", "localhost").header("x-forwarded-for", "127.0.0.1").header("x-real-ip", "127.0.0.1").send().await;
        scene.nothing_changed("Host: localhost", &reply).await;
        scene.end().await;
    });
}

#[test]
fn a_body_that_is_no_form_or_far_too_large_changes_nothing() {
    run(async {
        let scene = Scene::set().await;
        scene.refuses("an empty body", "").await;
        scene.refuses("no form", "{\"total_amount\":\"199.00\"}").await;
        scene.refuses("bytes that are no text", vec![0xff, 0xfe, 0x00, b'=', 0x80]).await;
        scene.refuses("broken escapes", "sign=%zz&total_amount=%1&=&&a").await;
        scene.refuses("a hundred thousand members", "a=b&".repeat(60_000)).await;
        let huge = format!("{}&padding={}", scene.genuine.encode(), "x".repeat(10 * 1024 * 1024));
        // The server may answer before it has read all, and close; what counts is what follows.
        match scene.server.api().post_bytes("/notify/alipay", FORM, huge).try_send().await {
            Ok(reply) => {
                assert_ne!(reply.text(), "success");
                scene.nothing_changed("10 MB", &reply).await;
            }
            Err(_) => assert_eq!(scene.server.auditor().events().await, scene.log_before),
        }
        scene.end().await;
    });
}

#[test]
fn a_wrong_charset_in_the_header_does_not_decide_how_the_body_is_read() {
    run(async {
        let scene = Scene::set().await;
        let forged = scene.genuine.with("subject", "另一门课").encode();
        for content_type in ["application/x-www-form-urlencoded; charset=gbk", "text/plain", "application/json"] {
            let reply = scene.server.api().post_bytes("/notify/alipay", content_type, forged.clone()).send().await;
            scene.nothing_changed(content_type, &reply).await;
        }
        // The genuine bytes stand by their signature, whatever the header says.
        let odd = "application/x-www-form-urlencoded; charset=ISO-8859-1";
        assert_success(&scene.server.api().post_bytes("/notify/alipay", odd, scene.genuine.encode()).send().await);
        scene.end().await;
    });
}

#[test]
fn what_the_sandbox_forges_is_refused_and_the_order_stays_open() {
    run(async {
        let server = SHARED.alone().await;
        let buyer = server.buyer(&unique("forged"));
        let order = open_order(&buyer).await;
        let before = server.auditor().order_event_types(&order.order_id).await;
        buyer.sandbox_pay(&order.pay_no, "forged").await.expect(200);
        // The trade is not paid, so the channel's own word says the same as the log.
        assert_eq!(buyer.sync(&order.pay_no).await.expect(200).field("status"), "pending");
        assert_eq!(server.auditor().order_event_types(&order.order_id).await, before);
        buyer.sandbox_pay(&order.pay_no, "once").await.expect(200);
        buyer.until_order_is(&order.order_id, "paid").await;
    });
}

#[test]
fn a_genuine_payment_of_another_amount_never_pays_the_order() {
    run(async {
        let server = SHARED.alone().await;
        let buyer = server.buyer(&unique("wrong-amount"));
        let order = open_order(&buyer).await;
        buyer.sandbox_pay(&order.pay_no, "wrong_amount").await.expect(200);
        drop(buyer.sync(&order.pay_no).await.expect(200));
        let types = server.auditor().order_event_types(&order.order_id).await;
        assert!(!types.iter().any(|name| name == "PaymentConfirmed" || name == "OrderPaid"), "{types:?}");
        // The money exists all the same, so the log says that it is there and not owed.
        assert!(types.iter().any(|name| name == "SurplusPaymentReceived"), "{types:?}");
        assert_eq!(buyer.order(&order.order_id).await["payment_status"], "unpaid");
    });
}
