//! The same for WeChat Pay, in both of its protocols. What API v3 has signed nobody here can sign; the key of API v2 is the
//! merchant's own, so what is signed by it and for somebody else can be made.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::harness::random::unique;
use super::super::harness::shared::Borrowed;
use super::super::harness::{Api, PAID_COURSE, Reply, run};
use super::{SHARED, times_kept};

/// An order that waits, the genuine notification of its payment that was kept back, and the log before anything is forged.
struct Scene {
    server: Borrowed,
    buyer: Api,
    operator: Api,
    order_id: String,
    path: &'static str,
    body: String,
    pay_no: String,
    log_before: Vec<Value>,
}

type Headers = Vec<(String, String)>;

async fn begun(buyer: &Api, channel: &str) -> (String, String) {
    let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    let order_id = buyer.order_selection(&selection_id).await.expect(201).field("order_id");
    let body = json!({ "channel": channel });
    let pay_no = buyer.post(&format!("/api/v1/orders/{order_id}/pay-records"), &body).send().await.expect(201).field("pay_no");
    (order_id, pay_no)
}

impl Scene {
    async fn set(channel: &str, path: &'static str) -> Self {
        let server = SHARED.alone().await;
        let (buyer, operator) = (server.buyer(&unique("victim")), server.as_role("olivia", "operator"));
        let (order_id, pay_no) = begun(&buyer, channel).await;
        server.api().sandbox_pay(&pay_no, "never").await.expect(200);
        let body = shown(server.api(), &pay_no).await.0;
        let log_before = server.auditor().events().await;
        Self { server, buyer, operator, order_id, path, body, pay_no, log_before }
    }

    /// The headers that the genuine notification has if it is sent now.
    async fn headers(&self) -> Headers {
        shown(self.server.api(), &self.pay_no).await.1
    }

    async fn send(&self, headers: Headers, body: impl Into<reqwest::Body>) -> Reply {
        let media_type = if self.path.contains("v3") { "application/json" } else { "text/xml" };
        let request = self.server.api().post_bytes(self.path, media_type, body);
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().await
    }

    /// Sends a forged message; fails the test unless it is refused in the channel's words, kept for this very reason, and
    /// changes nothing.
    async fn refuses(&self, what: &str, verdict: &str, headers: Headers, body: impl Into<reqwest::Body>) {
        let wallet = if self.path.contains("v3") { "wechat" } else { "wechat_v2" };
        let before = times_kept(&self.operator, wallet, verdict).await;
        let reply = self.send(headers, body).await;
        let is_refused = if wallet == "wechat" { reply.status >= 400 } else { reply.status == 200 };
        assert!(is_refused && reply.text().contains("FAIL") && !reply.text().contains("SUCCESS"), "{what}: {reply}");
        assert!(times_kept(&self.operator, wallet, verdict).await > before, "{what} is kept as {verdict}");
        assert_eq!(self.server.auditor().events().await, self.log_before, "{what} changed the log");
        assert_eq!(self.buyer.order(&self.order_id).await["status"], "awaiting_payment", "{what}");
    }

    /// The scene was a real one: the genuine notification is taken now, and played back it changes nothing.
    async fn end(self) {
        let mut log = None;
        for _ in 0..2 {
            let headers = self.headers().await;
            let reply = self.send(headers, self.body.clone()).await;
            assert!((200..300).contains(&reply.status) && !reply.text().contains("FAIL"), "{reply}");
            let events = self.server.auditor().events().await;
            assert_eq!(log.replace(events.clone()).unwrap_or_else(|| events.clone()), events, "once is enough");
        }
        self.buyer.until_order_is(&self.order_id, "paid").await;
    }
}

/// The genuine notification of a paid trade, and its headers as of now.
async fn shown(api: &Api, pay_no: &str) -> (String, Headers) {
    let trade = api.get(&format!("/sandbox/trades/{pay_no}")).send().await.expect(200).json();
    let headers = trade["notification_headers"].as_object().cloned().unwrap_or_default();
    let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned())).collect();
    (trade["notification"].as_str().unwrap().to_owned(), headers)
}

fn with(mut headers: Headers, name: &str, value: &str) -> Headers {
    let header = headers.iter_mut().find(|(known, _)| known == name).unwrap();
    value.clone_into(&mut header.1);
    headers
}

#[test]
fn what_nobody_signed_for_api_v3_is_refused_for_its_own_reason_and_kept() {
    run(async {
        let scene = Scene::set("wechat_native", "/notify/wechat/v3").await;
        let fresh = async || scene.headers().await;
        let summary = scene.body.replacen("\"id\"", "\"di\"", 1);
        scene.refuses("a changed body", "bad_signature", fresh().await, summary).await;
        let half = scene.body[..scene.body.len() / 2].to_owned();
        scene.refuses("a truncated body", "bad_signature", fresh().await, half).await;
        let twice = scene.body.replacen('{', "{\"event_type\":\"TRANSACTION.SUCCESS\",", 1);
        scene.refuses("a member twice", "bad_signature", fresh().await, twice).await;
        let large = format!("{}{}", scene.body, " ".repeat(200_000));
        scene.refuses("a padded body", "bad_signature", fresh().await, large).await;
        let unsigned = fresh().await.into_iter().filter(|(name, _)| name != "wechatpay-signature").collect();
        scene.refuses("no signature", "missing_header", unsigned, scene.body.clone()).await;
        let mut two = fresh().await;
        two.push(("wechatpay-nonce".to_owned(), "another".to_owned()));
        scene.refuses("a header twice", "bad_header", two, scene.body.clone()).await;
        let stale = with(fresh().await, "wechatpay-timestamp", "1500000000");
        scene.refuses("a stale time", "clock_skew", stale, scene.body.clone()).await;
        let future = with(fresh().await, "wechatpay-timestamp", "4100000000");
        scene.refuses("a time to come", "clock_skew", future, scene.body.clone()).await;
        let unknown = with(fresh().await, "wechatpay-serial", "PUB_KEY_ID_0000000000000000000000000000");
        scene.refuses("an unknown key", "unknown_serial", unknown, scene.body.clone()).await;
        let probe = with(fresh().await, "wechatpay-signature", "WECHATPAY/SIGNTEST/c2lnbmF0dXJl");
        scene.refuses("a probe", "signature_probe", probe, scene.body.clone()).await;
        let other = with(fresh().await, "wechatpay-nonce", "anothernonceanothernonceanother0");
        scene.refuses("another nonce", "bad_signature", other, scene.body.clone()).await;
        scene.end().await;
    });
}

#[test]
fn another_orders_genuine_message_of_api_v3_pays_only_its_own() {
    run(async {
        let scene = Scene::set("wechat_native", "/notify/wechat/v3").await;
        let other_buyer = scene.server.buyer(&unique("other"));
        let (other_order, other_pay_no) = begun(&other_buyer, "wechat_native").await;
        scene.server.api().sandbox_pay(&other_pay_no, "never").await.expect(200);
        let scene = Scene { log_before: scene.server.auditor().events().await, ..scene };
        let (others, others_headers) = shown(scene.server.api(), &other_pay_no).await;
        scene.refuses("its body under our headers", "bad_signature", scene.headers().await, others.clone()).await;
        let resource = |text: &str| serde_json::from_str::<Value>(text).unwrap()["resource"].clone();
        let mut swapped: Value = serde_json::from_str(&scene.body).unwrap();
        swapped["resource"] = resource(&others);
        scene.refuses("its content in our envelope", "bad_signature", scene.headers().await, swapped.to_string()).await;
        let verbatim = scene.send(others_headers, others).await;
        assert!((200..300).contains(&verbatim.status), "{verbatim}");
        other_buyer.until_order_is(&other_order, "paid").await;
        assert_eq!(scene.buyer.order(&scene.order_id).await["status"], "awaiting_payment");
        scene.end().await;
    });
}

/// The members of a flat document, as whoever has read the channel's pages reads them.
fn members(xml: &str) -> BTreeMap<String, String> {
    let inside = xml.trim().strip_prefix("<xml>").unwrap().strip_suffix("</xml>").unwrap();
    let mut rest = inside.trim();
    let mut members = BTreeMap::new();
    while let Some(open) = rest.strip_prefix('<') {
        let (name, behind) = open.split_once('>').unwrap();
        let (value, behind) = behind.split_once(&format!("</{name}>")).unwrap();
        let value = value.strip_prefix("<![CDATA[").and_then(|value| value.strip_suffix("]]>")).unwrap_or(value);
        members.insert(name.to_owned(), value.to_owned());
        rest = behind.trim_start();
    }
    members
}

fn written(members: &BTreeMap<String, String>) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>")).collect();
    format!("<xml>{}</xml>", members.concat())
}

/// Signed anew with the merchant's key, HMAC-SHA256 as the channel's pages say.
fn signed(mut members: BTreeMap<String, String>, key: &str) -> String {
    members.remove("sign");
    let pairs: Vec<String> = members.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{}&key={key}", pairs.join("&"));
    members.insert("sign".to_owned(), hmac(key.as_bytes(), text.as_bytes()));
    written(&members)
}

/// HMAC-SHA256 in upper-case hexadecimal; the key has less than a block.
fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |byte: u8| block.map(|of_key| of_key ^ byte);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    let digits: Vec<String> = outer.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.concat()
}

#[test]
fn what_nobody_signed_for_api_v2_is_refused_for_its_own_reason_and_kept() {
    run(async {
        let scene = Scene::set("wechat_native_v2", "/notify/wechat/v2").await;
        let body = &scene.body;
        let genuine = members(body);
        let changed = |name: &str, value: &str| {
            let mut members = genuine.clone();
            members.insert(name.to_owned(), value.to_owned());
            written(&members)
        };
        let refuses = async |what: &str, verdict: &str, body: String| scene.refuses(what, verdict, Headers::new(), body).await;
        refuses("another sum", "bad_signature", changed("total_fee", "1")).await;
        refuses("another number", "bad_signature", changed("out_trade_no", "723100000000000000101")).await;
        refuses("a member more", "bad_signature", changed("attach", "more")).await;
        let unsigned = genuine.iter().filter(|(name, _)| *name != "sign").map(|(name, value)| (name.clone(), value.clone()));
        refuses("no signature", "missing_sign", written(&unsigned.collect())).await;
        refuses("another key", "bad_signature", signed(genuine.clone(), "0123456789abcdef0123456789abcdef")).await;
        refuses("a member twice", "duplicate_param", body.replace("</xml>", "<total_fee>1</total_fee></xml>")).await;
        refuses("a truncated body", "malformed", body[..body.len() / 2].to_owned()).await;
        refuses("two roots", "malformed", format!("{body}{body}")).await;
        let levels: Vec<String> = (1..9).map(|level| format!("<!ENTITY e{level} \"&e{0};&e{0};&e{0};&e{0};\">", level - 1)).collect();
        let levels = levels.concat();
        let bomb = format!("<!DOCTYPE xml [<!ENTITY e0 \"boom\">{levels}]>{}", body.replace("</xml>", "<attach>&e8;</attach></xml>"));
        refuses("an XML bomb", "unsafe_xml", bomb).await;
        let file = "<!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
        refuses("an external entity", "unsafe_xml", format!("{file}{}", body.replace("</xml>", "<attach>&x;</attach></xml>"))).await;
        refuses("a document type alone", "unsafe_xml", format!("<!DOCTYPE xml SYSTEM \"http://127.0.0.1:9/x.dtd\">{body}")).await;
        scene.end().await;
    });
}

#[test]
fn what_is_signed_for_somebody_else_or_over_another_sum_changes_nothing() {
    run(async {
        let scene = Scene::set("wechat_native_v2", "/notify/wechat/v2").await;
        let credentials = scene.server.api().get("/sandbox/credentials").send().await.expect(200).json();
        let key = credentials["wechat"]["api_v2_key"].as_str().unwrap();
        let genuine = members(&scene.body);
        assert_eq!(members(&signed(genuine.clone(), key))["sign"], genuine["sign"], "this test signs as the channel does");
        // Nobody has paid this one, so the channel, asked, does not say that anybody has.
        let (_, unpaid) = begun(&scene.server.buyer(&unique("unpaid")), "wechat_native_v2").await;
        let scene = Scene { log_before: scene.server.auditor().events().await, ..scene };
        let resigned = |changes: &[(&str, &str)]| {
            let mut members = genuine.clone();
            members.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            signed(members, key)
        };
        for (what, verdict, changes) in [
            ("another merchant", "merchant_id_mismatch", vec![("mch_id", "1900000999")]),
            ("another app", "app_id_mismatch", vec![("appid", "wx0000000000000000")]),
            ("another currency", "currency_mismatch", vec![("fee_type", "USD")]),
            ("no amount", "bad_amount", vec![("total_fee", "199.00")]),
            ("no number", "incomplete", vec![("out_trade_no", "")]),
            (
                "another sum",
                "amount_mismatch",
                vec![("out_trade_no", unpaid.as_str()), ("total_fee", "1"), ("transaction_id", "420000000001")],
            ),
        ] {
            scene.refuses(what, verdict, Headers::new(), resigned(&changes)).await;
        }
        scene.end().await;
    });
}
