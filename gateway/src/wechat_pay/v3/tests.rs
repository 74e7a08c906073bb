use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chassis::clock::ManualClock;
use chassis::secret::Secret;
use chrono::{DateTime, Utc};
use domain::{Channel, Currency, Money};

use super::keys::MerchantKey;
use super::signing::{SCHEME, lines};
use super::transport::{HttpAnswer, Request, Transport};
use super::*;
use crate::http::TransportError;
pub(super) use crate::vectors::key_text;
use crate::{GatewayError, Inconclusive, Operation, PrecreateRequest, RefundRequest};

/// The number that the tests ask for.
pub(super) const NUMBER: &str = "723100000000000101";
/// The number of the refund that the tests ask for.
pub(super) const REFUND_NO: &str = "723100000000000101R01";
/// The API v3 key of the tests and of the vectors.
pub(super) const API_V3_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015";
/// The id of WeChat Pay's public key.
pub(super) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000001092026030500321800000001";
/// The serial number of the first platform certificate.
pub(super) const PLATFORM_SERIAL: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";
/// The serial number of the second platform certificate.
pub(super) const PLATFORM2_SERIAL: &str = "2A9C1D0F5B6E7788990011223344556677889900";

/// A moment at which the vectors' certificates count.
pub(super) fn now() -> DateTime<Utc> {
    "2026-12-01T06:08:32Z".parse().unwrap()
}

pub(super) fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::Cny).unwrap()
}

pub(super) fn settings() -> WechatPaySettings {
    WechatPaySettings {
        base_url: "http://127.0.0.1:9/sandbox/wechat".to_owned(),
        mchid: "1900000109".to_owned(),
        appid: "wx2421b1c4370ec43b".to_owned(),
        app_appid: Some("wx00000000000000aa".to_owned()),
        mini_program_appid: Some("wx00000000000000bb".to_owned()),
        api_v3_key: Secret::new(API_V3_KEY.to_owned()),
        other_api_v3_keys: Vec::new(),
        merchant_serial: "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB".to_owned(),
        merchant_private_key: Secret::new(key_text("wechat_mch_private_pkcs8.pem")),
        merchant_certificate: Some(key_text("wechat_mch_cert.pem")),
        public_keys: BTreeMap::from([(PUBLIC_KEY_ID.to_owned(), key_text("wechat_pubkey_public.pem"))]),
        platform_certificates: vec![key_text("wechat_platform_cert.pem")],
        platform_authority: None,
        fetch_platform_certificates: false,
        timeout_ms: None,
    }
}

pub(super) fn config(settings: &WechatPaySettings) -> WechatPayConfig {
    WechatPayConfig::new(settings, now()).unwrap()
}

/// The headers with which the holder of `private_key` signs `body` under `serial`.
pub(super) fn signed_by(private_key: &str, serial: &str, body: &[u8], at: DateTime<Utc>) -> Vec<(String, Vec<u8>)> {
    let (timestamp, nonce) = (at.timestamp().to_string(), "c5ac7061fccab6bf3e254dcf98995b8c");
    let message = [lines(&[&timestamp, nonce]).as_bytes(), body, b"\n"].concat();
    let signature = MerchantKey::read(&key_text(private_key)).unwrap().sign(&message).unwrap();
    [
        ("wechatpay-timestamp", timestamp.as_str()),
        ("wechatpay-nonce", nonce),
        ("wechatpay-signature", &signature),
        ("wechatpay-serial", serial),
        ("wechatpay-signature-type", SCHEME),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .to_vec()
}

/// The headers with which WeChat Pay signs `body` with its public key.
pub(super) fn signed(body: &[u8], at: DateTime<Utc>) -> Vec<(String, Vec<u8>)> {
    signed_by("wechat_pubkey_private_pkcs8.pem", PUBLIC_KEY_ID, body, at)
}

/// A success that WeChat Pay signed.
pub(super) fn success(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: signed(body.as_bytes(), now()), body: body.as_bytes().to_vec() }
}

/// An error, which is not signed.
pub(super) fn failure(status: u16, code: &str) -> HttpAnswer {
    let body = format!(r#"{{"code":"{code}","message":"say","detail":{{"location":"body"}}}}"#);
    HttpAnswer { status, headers: Vec::new(), body: body.into_bytes() }
}

/// Answers what was laid ready, in order, and keeps what was sent.
#[derive(Default)]
pub(super) struct Canned {
    answers: Mutex<VecDeque<Result<HttpAnswer, TransportError>>>,
    sent: Mutex<Vec<Request>>,
}

impl Canned {
    /// Everything that was sent so far, as method and path.
    pub(super) fn paths(&self) -> Vec<String> {
        let text = |request: &Request| {
            let query = request.url.query().map_or(String::new(), |query| format!("?{query}"));
            format!("{} {}{query}", request.method, request.url.path())
        };
        self.sent.lock().unwrap().iter().map(text).collect()
    }

    /// The last request.
    pub(super) fn last(&self) -> Request {
        self.sent.lock().unwrap().last().unwrap().clone()
    }

    pub(super) fn lay(&self, answer: HttpAnswer) {
        self.answers.lock().unwrap().push_back(Ok(answer));
    }
}

#[async_trait]
impl Transport for Arc<Canned> {
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError> {
        self.sent.lock().unwrap().push(request);
        self.answers.lock().unwrap().pop_front().expect("an answer was laid ready")
    }
}

/// A client at [`now`] that gets these answers to its next calls.
pub(super) fn client(
    settings: &WechatPaySettings,
    answers: impl IntoIterator<Item = HttpAnswer>,
) -> (Arc<WechatPayClient>, Arc<Canned>, Arc<ManualClock>) {
    let canned = Arc::new(Canned::default());
    answers.into_iter().for_each(|answer| canned.lay(answer));
    let clock = Arc::new(ManualClock::new(now()));
    let client = WechatPayClient::over(Box::new(canned.clone()), config(settings), clock.clone());
    (Arc::new(client), canned, clock)
}

/// The channel for a scanned code that gets these answers.
pub(super) fn native(answers: impl IntoIterator<Item = HttpAnswer>) -> (WechatPayGateway, Arc<Canned>) {
    let (client, canned, _) = client(&settings(), answers);
    (WechatPayGateway::native(client), canned)
}

pub(super) fn precreate_request(channel: Channel) -> PrecreateRequest {
    PrecreateRequest {
        out_trade_no: NUMBER.to_owned(),
        channel,
        amount: fen(19_900),
        subject: "课程商城-Rust 系统编程".to_owned(),
        product_code: String::new(),
        time_expire: "2026-12-01T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/wechat/v3".to_owned(),
        payer_openid: Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
        payer_client_ip: Some("14.23.150.211".parse().unwrap()),
    }
}

pub(super) fn refund_request() -> RefundRequest {
    RefundRequest {
        out_trade_no: NUMBER.to_owned(),
        refund_no: REFUND_NO.to_owned(),
        amount: fen(3_960),
        total: fen(19_900),
        reason: Some("商品已售完".to_owned()),
        notify_url: Some("https://pay.example.com/notify/wechat/v3/refund".to_owned()),
    }
}

/// A query's answer with these members after the numbers.
pub(super) fn trade(members: &str) -> String {
    format!(r#"{{"appid":"wx2421b1c4370ec43b","mchid":"1900000109","out_trade_no":"{NUMBER}"{members}}}"#)
}

/// A query's answer to a paid payment.
pub(super) fn paid_trade() -> String {
    trade(concat!(
        r#","transaction_id":"4200002345202603051234567890","trade_type":"NATIVE","trade_state":"SUCCESS","#,
        r#""success_time":"2026-12-01T14:08:31+08:00","amount":{"total":19900,"payer_total":100,"currency":"CNY"}"#
    ))
}

#[track_caller]
pub(super) fn assert_refused<T: std::fmt::Debug>(result: Result<T, GatewayError>, expected: &str) {
    match result {
        Err(GatewayError::Refused { code, .. }) => assert_eq!(code, expected),
        other => panic!("{other:?} instead of refused {expected}"),
    }
}

/// The message of the source of an `Unknown`, and whether the channel works.
#[track_caller]
pub(super) fn unknown_because<T: std::fmt::Debug>(result: Result<T, GatewayError>) -> (String, bool) {
    match result {
        Err(GatewayError::Unknown { source, .. }) => {
            let cause = source.source().map_or(String::new(), |cause| format!(": {cause}"));
            (format!("{source}{cause}"), source.is::<Inconclusive>())
        }
        other => panic!("{other:?} instead of unknown"),
    }
}

#[track_caller]
pub(super) fn assert_open<T: std::fmt::Debug>(result: Result<T, GatewayError>, expected: &str) {
    let (cause, is_open) = unknown_because(result);
    assert!(is_open && cause.ends_with(expected), "{cause} instead of {expected}");
}

#[test]
fn words_that_are_passed_on_can_be_logged() {
    assert_eq!(word("SOME_NEW-STATE.1"), "SOME_NEW-STATE.1");
    assert_eq!(word("<b>\n支付</b>"), "bb");
    assert_eq!(word(&"X".repeat(1000)).len(), 64);
}

#[test]
fn nothing_that_prints_shows_a_key() {
    let (client, _, _) = client(&settings(), []);
    let shown = format!("{client:?} {:?} {:?}", WechatPayGateway::native(client.clone()), settings());
    let secret = key_text("wechat_mch_private_pkcs8.pem");
    let line = secret.lines().nth(3).unwrap();
    assert!(!shown.contains(line) && !shown.contains(API_V3_KEY), "{shown}");
    assert!(shown.contains("1900000109") && shown.contains(PLATFORM_SERIAL));
    let operation = Operation::Precreate;
    assert!(
        GatewayError::Refused { channel: Channel::WechatNative, operation, code: "X".to_owned() }.to_string().contains("wechat_native")
    );
}
