use std::collections::VecDeque;
use std::sync::Mutex;

use chassis::clock::ManualClock;
use chassis::secret::Secret;
use domain::{Currency, Money};

use super::xml::Members;
use super::*;
use crate::http::HttpAnswer;
pub(super) use crate::vectors::key_text;
use crate::{BreakerConfig, CircuitBreaker};

/// The number that the tests ask for.
pub(super) const NUMBER: &str = "723100000000000101";

pub(super) const KEY: &str = "3f1c0b5a7d9e48261b0c4d5e6f708192";
pub(super) const OTHER_KEY: &str = "192006250b4c09247ec02edce69f6a2d";
pub(super) const APP_ID: &str = "wx2421b1c4370ec43b";
pub(super) const MOBILE_APP_ID: &str = "wxd930ea5d5a258f4f";
pub(super) const MCH_ID: &str = "1900000109";

pub(super) fn settings() -> WechatPayV2Settings {
    WechatPayV2Settings {
        base_url: "http://127.0.0.1:9/sandbox/wechat".to_owned(),
        app_id: APP_ID.to_owned(),
        mobile_app_id: Some(MOBILE_APP_ID.to_owned()),
        mch_id: MCH_ID.to_owned(),
        api_keys: vec![Secret::new(KEY.to_owned())],
        sign_type: "MD5".to_owned(),
        client_certificate: None,
        client_key: None,
        server_ip: "203.0.113.7".to_owned(),
        wap_url: Some("https://shop.example.com".to_owned()),
        wap_name: Some("课程商城".to_owned()),
        timeout_ms: None,
    }
}

/// The text of a message of the channel's with these members, signed as `settings` say.
pub(super) fn signed_message(settings: &WechatPayV2Settings, members: &[(&str, &str)]) -> String {
    let config = WechatPayV2Config::new(settings).unwrap();
    let sign = config.signer.sign(members.iter().copied());
    xml::write(members.iter().copied().chain([("sign", sign.as_str())]))
}

/// The signed answer of a call that was done or, with `err_code`, not done; `more` are its other members.
pub(super) fn answer_text(more: &[(&str, &str)]) -> String {
    let result_code = if more.iter().any(|(name, _)| *name == "err_code") { "FAIL" } else { "SUCCESS" };
    let common = [
        ("return_code", "SUCCESS"),
        ("return_msg", "OK"),
        ("appid", APP_ID),
        ("mch_id", MCH_ID),
        ("nonce_str", "n1"),
        ("result_code", result_code),
    ];
    signed_message(&settings(), &[&common, more].concat())
}

/// Answers what was laid ready, in order, and keeps what was sent.
#[derive(Default)]
pub(super) struct Canned {
    answers: Mutex<VecDeque<Result<HttpAnswer, TransportError>>>,
    sent: Mutex<Vec<Call>>,
}

impl Canned {
    /// Everything that was sent so far.
    pub(super) fn sent(&self) -> Vec<Call> {
        self.sent.lock().unwrap().clone()
    }

    /// Lays an answer ready.
    pub(super) fn lay(&self, answer: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().push_back(Ok(http_answer(answer)));
    }

    /// The path and the members of the one call that was sent.
    #[track_caller]
    pub(super) fn call(&self) -> (&'static str, Members) {
        let sent = self.sent();
        let [call] = sent.as_slice() else { panic!("{sent:?}") };
        (call.path, xml::read(call.body.as_bytes(), xml::ROOT).unwrap())
    }
}

#[async_trait]
impl Transport for Arc<Canned> {
    async fn send(&self, call: Call) -> Result<HttpAnswer, TransportError> {
        self.sent.lock().unwrap().push(call);
        self.answers.lock().unwrap().pop_front().expect("an answer was laid ready")
    }
}

/// A merchant without the network, its clock, and what stands in the network's place.
pub(super) struct World {
    pub(super) merchant: Arc<WechatPayV2>,
    pub(super) canned: Arc<Canned>,
    pub(super) clock: Arc<ManualClock>,
}

impl World {
    pub(super) fn new(settings: &WechatPayV2Settings) -> Self {
        let canned = Arc::new(Canned::default());
        let clock = Arc::new(ManualClock::new("2026-03-05T06:08:09Z".parse().unwrap()));
        let config = WechatPayV2Config::new(settings).unwrap();
        let merchant = WechatPayV2::over(Box::new(canned.clone()), config, clock.clone());
        Self { merchant: Arc::new(merchant), canned, clock }
    }

    /// One that gets this answer to its next call.
    pub(super) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let world = Self::new(&settings());
        world.canned.lay(answer);
        world
    }

    pub(super) fn gateway(&self, channel: Channel) -> WechatPayV2Gateway {
        self.merchant.gateway(channel).unwrap()
    }

    pub(super) fn native(&self) -> WechatPayV2Gateway {
        self.gateway(Channel::WechatNativeV2)
    }
}

pub(super) fn http_answer(body: impl Into<Vec<u8>>) -> HttpAnswer {
    HttpAnswer { status: 200, date: None, body: body.into() }
}

pub(super) fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::Cny).unwrap()
}

pub(super) fn order(channel: Channel) -> PrecreateRequest {
    PrecreateRequest {
        out_trade_no: NUMBER.to_owned(),
        channel,
        amount: fen(19900),
        subject: "Rust 系统编程".to_owned(),
        product_code: String::new(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/wechat/v2".to_owned(),
        payer_openid: Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
        payer_client_ip: Some("198.51.100.9".parse().unwrap()),
    }
}

#[track_caller]
pub(super) fn assert_refused<T: fmt::Debug>(result: Result<T, GatewayError>, expected: &str) {
    match result {
        Err(GatewayError::Refused { code, .. }) => assert_eq!(code, expected),
        other => panic!("{other:?} instead of refused {expected}"),
    }
}

/// The message of the source of an `Unknown`.
#[track_caller]
pub(super) fn unknown_because<T: fmt::Debug>(result: Result<T, GatewayError>) -> String {
    match result {
        Err(GatewayError::Unknown { source, .. }) => source.to_string(),
        other => panic!("{other:?} instead of unknown"),
    }
}

#[track_caller]
pub(super) fn assert_inconclusive<T: fmt::Debug>(result: Result<T, GatewayError>, expected: &str) {
    match result {
        Err(GatewayError::Unknown { source, .. }) => {
            assert_eq!(source.downcast_ref::<Inconclusive>().map(|open| open.code.as_str()), Some(expected));
        }
        other => panic!("{other:?} instead of inconclusive"),
    }
}

#[test]
fn each_channel_of_the_protocol_is_one_gateway() {
    let world = World::new(&settings());
    for channel in [Channel::WechatNativeV2, Channel::WechatH5V2, Channel::WechatJsapiV2, Channel::WechatAppV2] {
        assert_eq!(world.gateway(channel).channel(), channel);
    }
    assert!(world.merchant.gateway(Channel::WechatNative).is_none() && world.merchant.gateway(Channel::AlipayQr).is_none());
    let siteless = World::new(&WechatPayV2Settings { wap_url: None, wap_name: None, ..settings() });
    assert!(siteless.merchant.gateway(Channel::WechatH5V2).is_none() && siteless.merchant.gateway(Channel::WechatAppV2).is_some());
}

#[tokio::test]
async fn whatever_is_no_verified_answer_is_unknown() {
    let query = |answer: Result<HttpAnswer, TransportError>| async {
        let world = World::new(&settings());
        world.canned.answers.lock().unwrap().push_back(answer);
        world.native().query(NUMBER).await
    };
    let closed = answer_text(&[("out_trade_no", NUMBER), ("trade_state", "CLOSED")]);
    assert_eq!(query(Ok(http_answer(closed.clone()))).await.unwrap(), TradeState::ClosedUnpaid);
    for status in [302, 404, 500, 502, 504] {
        let answer = HttpAnswer { status, ..http_answer(closed.clone()) };
        assert_eq!(unknown_because(query(Ok(answer)).await), format!("the channel answered with the HTTP status {status}"));
    }
    for body in ["", "<html>502</html>", "{}", &closed[..closed.len() - 5], &closed.replace("CLOSED", "NOTPAY")] {
        assert_eq!(unknown_because(query(Ok(http_answer(body))).await), "the answer cannot be relied on", "{body}");
    }
    assert_eq!(unknown_because(query(Err(TransportError::TooLarge)).await), "the call failed on its way");
}

#[tokio::test]
async fn an_answer_for_another_merchant_or_application_is_never_believed() {
    let query = |app_id: &str, mch_id: &str| {
        let members = [
            ("return_code", "SUCCESS"),
            ("appid", app_id),
            ("mch_id", mch_id),
            ("result_code", "SUCCESS"),
            ("out_trade_no", NUMBER),
            ("trade_state", "CLOSED"),
        ];
        let world = World::answering(signed_message(&settings(), &members));
        async move { world.native().query(NUMBER).await }
    };
    assert_eq!(query(APP_ID, MCH_ID).await.unwrap(), TradeState::ClosedUnpaid);
    assert_eq!(query(MOBILE_APP_ID, MCH_ID).await.unwrap(), TradeState::ClosedUnpaid, "asked for by our app");
    assert_eq!(query("", "").await.unwrap(), TradeState::ClosedUnpaid, "the key is ours alone");
    for (app_id, mch_id) in [("wx0", MCH_ID), (APP_ID, "1900000999")] {
        assert_eq!(unknown_because(query(app_id, mch_id).await), "the answer cannot be relied on");
    }
}

#[tokio::test]
async fn an_unsigned_failure_proves_nothing_and_is_no_outage() {
    let said = "<xml><return_code>FAIL</return_code><return_msg>签名错误\n</return_msg>\
                <result_code>SUCCESS</result_code><trade_state>SUCCESS</trade_state></xml>";
    let world = World::answering(said);
    assert_inconclusive(world.native().query(NUMBER).await, "FAIL 签名错误");
    let breaker = CircuitBreaker::new(world.native(), Channel::WechatNativeV2, BreakerConfig::default(), world.clock.clone());
    for _ in 0..10 {
        world.canned.lay(said);
        breaker.precreate(&order(Channel::WechatNativeV2)).await.unwrap_err();
    }
    assert!(breaker.available());
    for _ in 0..10 {
        world.canned.lay("<html>502</html>");
        // Once the breaker is open nothing is asked, so some of these stay.
        breaker.query(NUMBER).await.unwrap_err();
    }
    assert!(!breaker.available());
}

#[tokio::test]
async fn every_call_is_signed_with_the_configured_digest_and_names_it() {
    for sign_type in ["MD5", "HMAC-SHA256"] {
        let settings = WechatPayV2Settings { sign_type: sign_type.to_owned(), ..settings() };
        let world = World::new(&settings);
        world.canned.lay("");
        world.native().close(NUMBER).await.unwrap_err();
        let (_, members) = world.canned.call();
        assert_eq!(members.get("sign_type").map(String::as_str), Some(sign_type));
        assert_eq!(members.get("nonce_str").map(String::len), Some(32));
        assert_eq!(world.merchant.config.signer.verify(&members), Ok(()));
    }
}

#[tokio::test]
async fn the_channels_clock_is_compared_with_ours() {
    let world = World::new(&settings());
    assert_eq!(world.merchant.clock_skew(), None);
    let date = Some("Thu, 05 Mar 2026 06:09:14 GMT".to_owned());
    world.canned.answers.lock().unwrap().push_back(Ok(HttpAnswer { date, ..http_answer("") }));
    world.native().query(NUMBER).await.unwrap_err();
    assert_eq!(world.merchant.clock_skew(), Some(TimeDelta::seconds(65)));
}

#[test]
fn what_a_channel_without_forms_is_asked_for_is_refused() {
    let world = World::new(&settings());
    let request = FormRequest {
        out_trade_no: NUMBER.to_owned(),
        amount: fen(1),
        subject: "x".to_owned(),
        product_code: String::new(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com".to_owned(),
        return_url: "https://pay.example.com".to_owned(),
    };
    assert_refused(world.native().form(&request), "paystream.no_form");
}

#[test]
fn nothing_that_is_printed_shows_a_key() {
    let world = World::new(&settings());
    let shown = format!("{:?} {:?} {:?}", world.merchant, world.native(), settings());
    assert!(shown.contains("***") && !shown.contains(KEY), "{shown}");
}
