use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::Mutex;

use chassis::clock::ManualClock;
use chassis::secret::Secret;
use domain::{Currency, Money};

use super::*;
use crate::alipay::keys::ApplicationKey;
use crate::alipay::request::Request;
use crate::http::HttpAnswer;
pub(super) use crate::vectors::key_text;
use crate::{BreakerConfig, CircuitBreaker};

/// The number that the tests ask for.
pub(super) const NUMBER: &str = "723100000000000101";

pub(super) fn settings() -> AlipaySettings {
    AlipaySettings {
        gateway_url: "http://127.0.0.1:9/sandbox/alipay/gateway.do".to_owned(),
        app_id: "2026000000000001".to_owned(),
        seller_id: "2088000000000001".to_owned(),
        app_private_key: Secret::new(key_text("alipay_app_private_pkcs8.pem")),
        alipay_public_keys: vec![key_text("alipay_platform_public.pem")],
        certificates: None,
        product_code: "FACE_TO_FACE_PAYMENT".to_owned(),
        timeout_ms: None,
    }
}

/// Alipay's own signature.
pub(super) fn sign_as_alipay(message: &[u8]) -> String {
    ApplicationKey::read(&key_text("alipay_platform_private_pkcs8.pem")).unwrap().sign(message).unwrap()
}

/// The signed answer of a method with this node.
pub(super) fn signed_answer(method: &str, node: &str) -> String {
    format!(r#"{{"{}_response":{node},"sign":"{}"}}"#, method.replace('.', "_"), sign_as_alipay(node.as_bytes()))
}

/// Answers what was laid ready, in order, and keeps what was sent.
#[derive(Default)]
pub(super) struct Canned {
    answers: Mutex<VecDeque<Result<HttpAnswer, TransportError>>>,
    sent: Mutex<Vec<Request>>,
    files: Mutex<VecDeque<Result<HttpAnswer, TransportError>>>,
    fetched: Mutex<Vec<String>>,
}

impl Canned {
    /// Lays an answer ready.
    pub(super) fn lay_answer(&self, answer: Result<HttpAnswer, TransportError>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Lays a file ready.
    pub(super) fn lay(&self, file: Result<HttpAnswer, TransportError>) {
        self.files.lock().unwrap().push_back(file);
    }

    /// The addresses from which files were fetched so far.
    pub(super) fn fetched(&self) -> Vec<String> {
        self.fetched.lock().unwrap().clone()
    }

    /// Everything that was sent so far.
    pub(super) fn sent(&self) -> Vec<Request> {
        self.sent.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Arc<Canned> {
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError> {
        self.sent.lock().unwrap().push(request);
        self.answers.lock().unwrap().pop_front().expect("an answer was laid ready")
    }

    async fn fetch(&self, url: reqwest::Url) -> Result<HttpAnswer, TransportError> {
        self.fetched.lock().unwrap().push(url.into());
        self.files.lock().unwrap().pop_front().expect("a file was laid ready")
    }
}

/// A gateway that gets this answer to its next call.
pub(super) fn answering(settings: &AlipaySettings, answer: Result<HttpAnswer, TransportError>) -> (AlipayGateway, Arc<Canned>) {
    let canned = Arc::new(Canned::default());
    canned.answers.lock().unwrap().push_back(answer);
    let clock = ManualClock::new("2026-03-05T06:08:09Z".parse().unwrap());
    let config = AlipayConfig::new(settings).unwrap();
    (AlipayGateway::over(Box::new(canned.clone()), config, Arc::new(clock)), canned)
}

pub(super) fn http_answer(body: impl Into<Vec<u8>>) -> HttpAnswer {
    HttpAnswer { status: 200, date: None, body: body.into() }
}

pub(super) fn with_node(operation: Operation, node: &str) -> AlipayGateway {
    answering(&settings(), Ok(http_answer(signed_answer(method(operation), node)))).0
}

fn precreate_request() -> PrecreateRequest {
    PrecreateRequest {
        out_trade_no: NUMBER.to_owned(),
        channel: Channel::AlipayQr,
        amount: Money::new(19900, Currency::Cny).unwrap(),
        subject: "Rust 系统编程".to_owned(),
        product_code: "FACE_TO_FACE_PAYMENT".to_owned(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/alipay".to_owned(),
        payer_openid: None,
        payer_client_ip: None,
    }
}

async fn precreated(node: &str) -> Result<Precreated, GatewayError> {
    with_node(Operation::Precreate, node).precreate(&precreate_request()).await
}

async fn queried(node: &str) -> Result<TradeState, GatewayError> {
    with_node(Operation::Query, node).query(NUMBER).await
}

async fn closed(node: &str) -> Result<Closed, GatewayError> {
    with_node(Operation::Close, node).close(NUMBER).await
}

pub(super) fn failed(sub_code: &str) -> String {
    format!(r#"{{"code":"40004","msg":"Business Failed","sub_code":"{sub_code}"}}"#)
}

/// A query's answer with these members after the number.
pub(super) fn found(members: &str) -> String {
    format!(r#"{{"code":"10000","msg":"Success","out_trade_no":"{NUMBER}"{members}}}"#)
}

#[track_caller]
pub(super) fn assert_refused<T: fmt::Debug>(result: Result<T, GatewayError>, expected: &str) {
    match result {
        Err(GatewayError::Refused { code, channel: Channel::AlipayQr, .. }) => assert_eq!(code, expected),
        other => panic!("{other:?} instead of refused {expected}"),
    }
}

/// The message of the source of an `Unknown`.
#[track_caller]
pub(super) fn unknown_because<T: fmt::Debug>(result: Result<T, GatewayError>) -> String {
    match result {
        Err(GatewayError::Unknown { source, channel: Channel::AlipayQr, .. }) => source.to_string(),
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

fn capture(paid_at: Option<&str>, is_final: bool) -> Capture {
    Capture {
        trade_no: "2026030522001477031400012345".to_owned(),
        amount: Money::new(19900, Currency::Cny).unwrap(),
        paid_at: paid_at.map(|at| at.parse().unwrap()),
        is_final,
        has_refunds: false,
    }
}

#[tokio::test]
async fn a_precreate_answers_the_code() {
    let node = format!(r#"{{"code":"10000","msg":"Success","out_trade_no":"{NUMBER}","qr_code":"https:\/\/qr.alipay.com\/bax1"}}"#);
    assert_eq!(precreated(&node).await.unwrap(), Precreated::Code { code_url: "https://qr.alipay.com/bax1".to_owned() });
}

#[tokio::test]
async fn a_precreate_sends_what_the_pay_record_stores() {
    let body = signed_answer(method(Operation::Precreate), &found(r#","qr_code":"x""#));
    let (gateway, canned) = answering(&settings(), Ok(http_answer(body)));
    gateway.precreate(&precreate_request()).await.unwrap();
    let sent = canned.sent.lock().unwrap();
    let [request] = sent.as_slice() else { panic!("{sent:?}") };
    let query = Form::read(request.query.as_bytes()).unwrap();
    for (name, expected) in [
        ("method", "alipay.trade.precreate"),
        ("timestamp", "2026-03-05 14:08:09"),
        ("notify_url", "https://pay.example.com/notify/alipay"),
        ("app_id", "2026000000000001"),
    ] {
        assert_eq!(query.get(name), Some(expected.as_bytes()), "{name}");
    }
    let body = Form::read(request.body.as_bytes()).unwrap();
    let content: serde_json::Value = serde_json::from_slice(body.get("biz_content").unwrap()).unwrap();
    let expected = serde_json::json!({
        "out_trade_no": NUMBER, "total_amount": "199.00", "subject": "Rust 系统编程",
        "product_code": "FACE_TO_FACE_PAYMENT", "time_expire": "2026-03-05 14:38:09",
    });
    assert_eq!(content, expected);
}

#[tokio::test]
async fn what_breaks_a_rule_of_alipays_is_not_even_asked() {
    let canned = || answering(&settings(), Ok(http_answer("")));
    let (gateway, sent) = canned();
    let request = PrecreateRequest { subject: "x&total_amount=1".to_owned(), ..precreate_request() };
    assert_refused(gateway.precreate(&request).await, "paystream.invalid_subject");
    assert_refused(gateway.query("a-b").await, "paystream.invalid_out_trade_no");
    assert_refused(gateway.close("").await, "paystream.invalid_out_trade_no");
    assert!(sent.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_precreate_without_a_code_or_about_another_number_is_unknown() {
    assert_inconclusive(precreated(&found("")).await, "no readable qr_code");
    assert_inconclusive(precreated(&found(r#","qr_code":"""#)).await, "no readable qr_code");
    assert_inconclusive(precreated(r#"{"code":"10000","qr_code":"https://q"}"#).await, "no readable out_trade_no");
    let other = r#"{"code":"10000","out_trade_no":"1","qr_code":"https://q"}"#;
    assert_eq!(unknown_because(precreated(other).await), "the answer is about another payment");
}

#[tokio::test]
async fn a_query_tells_that_the_payment_was_made() {
    let members = |status: &str, more: &str| {
        found(&format!(r#","trade_no":"2026030522001477031400012345","total_amount":"199.00","trade_status":"{status}"{more}"#))
    };
    let date = r#","send_pay_date":"2026-03-05 14:08:31""#;
    let at = Some("2026-03-05T06:08:31Z");
    assert_eq!(queried(&members("TRADE_SUCCESS", date)).await.unwrap(), TradeState::Paid(capture(at, false)));
    assert_eq!(queried(&members("TRADE_FINISHED", date)).await.unwrap(), TradeState::Paid(capture(at, true)));
    assert_eq!(queried(&members("TRADE_SUCCESS", "")).await.unwrap(), TradeState::Paid(capture(None, false)));
    assert_eq!(queried(&members("TRADE_SUCCESS", r#","send_pay_date":"soon""#)).await.unwrap(), TradeState::Paid(capture(None, false)));
    let number = members("TRADE_SUCCESS", date).replace(r#""199.00""#, "199.00");
    assert_eq!(queried(&number).await.unwrap(), TradeState::Paid(capture(at, false)));
}

#[tokio::test]
async fn a_payment_without_its_number_or_amount_is_unknown() {
    for (members, missing) in [
        (r#","trade_status":"TRADE_SUCCESS","total_amount":"199.00""#, "no readable trade_no"),
        (r#","trade_status":"TRADE_SUCCESS","trade_no":"1""#, "no readable total_amount"),
        (r#","trade_status":"TRADE_SUCCESS","trade_no":"1","total_amount":"1e2""#, "no readable total_amount"),
        (r#","trade_status":"TRADE_SUCCESS","trade_no":"1","total_amount":1.99e2"#, "no readable total_amount"),
        (r#","trade_status":"TRADE_SUCCESS","trade_no":"1","total_amount":-1"#, "no readable total_amount"),
        (r#","trade_status":"TRADE_SUCCESS","trade_no":"1","total_amount":["199.00"]"#, "no readable total_amount"),
        (r#","trade_no":"1","total_amount":"199.00""#, "no readable trade_status"),
        (r#","trade_status":"TRADE_CLOSED","buyer_pay_amount":"199.00""#, "no readable send_pay_date"),
        (r#","trade_status":"TRADE_CLOSED","receipt_amount":"x""#, "no readable send_pay_date"),
    ] {
        assert_inconclusive(queried(&found(members)).await, missing);
    }
}

#[tokio::test]
async fn a_query_tells_every_other_state() {
    let waiting = queried(&found(r#","trade_status":"WAIT_BUYER_PAY","trade_no":"7""#)).await.unwrap();
    assert_eq!(waiting, TradeState::AwaitingBuyer { trade_no: Some("7".to_owned()) });
    let unnumbered = queried(&found(r#","trade_status":"WAIT_BUYER_PAY""#)).await.unwrap();
    assert_eq!(unnumbered, TradeState::AwaitingBuyer { trade_no: None });
    let unpaid = queried(&found(r#","trade_status":"TRADE_CLOSED","buyer_pay_amount":"0.00","receipt_amount":"0.00""#)).await.unwrap();
    assert_eq!(unpaid, TradeState::ClosedUnpaid);
    assert_eq!(queried(&found(r#","trade_status":"TRADE_CLOSED""#)).await.unwrap(), TradeState::ClosedUnpaid);
    let refunded = r#","trade_status":"TRADE_CLOSED","send_pay_date":"2026-03-05 14:08:31","trade_no":"2026030522001477031400012345","total_amount":"199.00""#;
    assert_eq!(queried(&found(refunded)).await.unwrap(), TradeState::ClosedRefunded(capture(Some("2026-03-05T06:08:31Z"), true)));
    let new = queried(&found(r#","trade_status":"TRADE_PENDING""#)).await.unwrap();
    assert_eq!(new, TradeState::Unrecognised("TRADE_PENDING".to_owned()));
    assert_eq!(queried(&failed("ACQ.TRADE_NOT_EXIST")).await.unwrap(), TradeState::NotFound);
}

#[tokio::test]
async fn an_answer_about_another_payment_is_never_believed() {
    let other = r#"{"code":"10000","out_trade_no":"1","trade_status":"TRADE_SUCCESS","trade_no":"1","total_amount":"199.00"}"#;
    assert_eq!(unknown_because(queried(other).await), "the answer is about another payment");
    let nameless = r#"{"code":"10000","trade_status":"TRADE_SUCCESS","trade_no":"1","total_amount":"199.00"}"#;
    assert_inconclusive(queried(nameless).await, "no readable out_trade_no");
    let absent = r#"{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","out_trade_no":"1"}"#;
    assert_eq!(unknown_because(queried(absent).await), "the answer is about another payment");
    assert_eq!(unknown_because(closed(absent).await), "the answer is about another payment");
    let state = r#"{"code":"40004","sub_code":"ACQ.TRADE_STATUS_ERROR","out_trade_no":"1"}"#;
    assert_eq!(unknown_because(closed(state).await), "the answer is about another payment");
    assert_eq!(unknown_because(closed(r#"{"code":"10000","out_trade_no":"1"}"#).await), "the answer is about another payment");
}

#[tokio::test]
async fn a_close_tells_what_it_did() {
    assert_eq!(closed(&found("")).await.unwrap(), Closed::Done);
    assert_eq!(closed(&failed("ACQ.TRADE_NOT_EXIST")).await.unwrap(), Closed::NotFound);
    for forbidden in ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS", "ACQ.TRADE_HAS_SUCCESS"] {
        assert_eq!(closed(&failed(forbidden)).await.unwrap(), Closed::StateForbids, "{forbidden}");
    }
    assert_inconclusive(closed(r#"{"code":"10000"}"#).await, "no readable out_trade_no");
    assert_inconclusive(closed(&failed("ACQ.SYSTEM_ERROR")).await, "ACQ.SYSTEM_ERROR");
    assert_refused(closed(&failed("ACQ.INVALID_PARAMETER")).await, "ACQ.INVALID_PARAMETER");
}

/// Whether the breaker still lets attempts begin after six queries in a row were answered so.
async fn available_after(answer: impl Fn() -> Result<HttpAnswer, TransportError>) -> bool {
    let (gateway, canned) = answering(&settings(), answer());
    canned.answers.lock().unwrap().extend((0..5).map(|_| answer()));
    let clock = Arc::new(ManualClock::new("2026-03-05T06:08:09Z".parse().unwrap()));
    let breaker = CircuitBreaker::new(gateway, Channel::AlipayQr, BreakerConfig::default(), clock);
    for _ in 0..6 {
        assert!(matches!(breaker.query(NUMBER).await, Err(GatewayError::Unknown { .. })));
    }
    breaker.available()
}

#[tokio::test]
async fn an_outage_is_no_answer_or_a_gateway_out_of_service_and_no_single_payments_trouble() {
    let signed = |node: &str| Ok(http_answer(signed_answer(method(Operation::Query), node)));
    let unsigned = |node: &str| Ok(http_answer(format!(r#"{{"alipay_trade_query_response":{node}}}"#)));
    let limited = r#"{"code":"40005","sub_code":"isv.method-call-limited"}"#;
    assert!(available_after(|| signed(&failed("ACQ.SYSTEM_ERROR"))).await);
    assert!(available_after(|| signed(limited)).await);
    assert!(available_after(|| unsigned(limited)).await, "errors of the gateway are often not signed");
    assert!(available_after(|| Ok(http_answer(format!(r#"{{"error_response":{limited}}}"#)))).await);
    let unavailable = r#"{"code":"20000","sub_code":"isp.unknow-error"}"#;
    assert!(!available_after(|| signed(unavailable)).await);
    assert!(!available_after(|| unsigned(unavailable)).await);
    assert!(!available_after(|| unsigned(&failed("ACQ.SYSTEM_ERROR"))).await, "anybody may have written it");
    assert!(!available_after(|| Err(TransportError::TooLarge)).await);
    assert!(!available_after(|| Ok(HttpAnswer { status: 502, ..http_answer("") })).await);
}

#[tokio::test]
async fn refusals_and_unknowns_keep_their_word() {
    assert_refused(precreated(&failed("ACQ.TOTAL_FEE_EXCEED")).await, "ACQ.TOTAL_FEE_EXCEED");
    assert_refused(queried(r#"{"code":"40002","sub_code":"isv.invalid-app-id"}"#).await, "isv.invalid-app-id");
    assert_inconclusive(precreated(&failed("ACQ.TRADE_HAS_SUCCESS")).await, "ACQ.TRADE_HAS_SUCCESS");
    assert_inconclusive(precreated(&failed("ACQ.TRADE_NOT_EXIST")).await, "ACQ.TRADE_NOT_EXIST");
    assert_eq!(
        unknown_because(queried(r#"{"code":"20000","sub_code":"isp.unknow-error"}"#).await),
        "Alipay could not do its work: isp.unknow-error"
    );
}

#[tokio::test]
async fn whatever_is_no_verified_answer_is_unknown() {
    let query = |answer| async { answering(&settings(), answer).0.query(NUMBER).await };
    let signed = signed_answer(method(Operation::Query), &found(r#","trade_status":"TRADE_CLOSED""#));
    for status in [302, 404, 500, 502, 504] {
        let answer = HttpAnswer { status, ..http_answer(signed.clone()) };
        assert_eq!(unknown_because(query(Ok(answer)).await), format!("the gateway answered with the HTTP status {status}"));
    }
    for body in ["", "<html>502</html>", "{}", &signed[..signed.len() - 5], &signed.replace("TRADE_CLOSED", "TRADE_SUCCESS")] {
        assert_eq!(unknown_because(query(Ok(http_answer(body))).await), "the answer cannot be relied on", "{body}");
    }
    assert_eq!(unknown_because(query(Err(TransportError::TooLarge)).await), "the call failed on its way");
    let other_method = signed_answer(method(Operation::Close), &found(r#","trade_status":"TRADE_CLOSED""#));
    assert_eq!(unknown_because(query(Ok(http_answer(other_method))).await), "the answer cannot be relied on");
}

#[tokio::test]
async fn an_unknown_keeps_its_causes_and_shows_no_number_of_ours() {
    let error = answering(&settings(), Err(TransportError::TooLarge)).0.query(NUMBER).await.unwrap_err();
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    assert_eq!(causes, ["no answer from alipay_qr to query", "the call failed on its way", "the answer is too large"]);
}

#[tokio::test]
async fn the_gateways_clock_is_compared_with_ours() {
    let skew = |date: Option<&str>| {
        let (gateway, _) = answering(&settings(), Ok(HttpAnswer { date: date.map(str::to_owned), ..http_answer("") }));
        async move {
            assert_eq!(gateway.clock_skew(), None);
            gateway.query(NUMBER).await.unwrap_err();
            gateway.clock_skew()
        }
    };
    assert_eq!(skew(Some("Thu, 05 Mar 2026 06:09:14 GMT")).await, Some(TimeDelta::seconds(65)));
    assert_eq!(skew(Some("Thu, 05 Mar 2026 06:08:00 GMT")).await, Some(TimeDelta::seconds(-9)));
    assert_eq!((skew(None).await, skew(Some("yesterday")).await), (None, None));
}

#[test]
fn a_reply_is_the_channels_word_and_nothing_else() {
    let (gateway, _) = answering(&settings(), Ok(http_answer("")));
    let durable = gateway.reply(Receipt::Durable);
    assert_eq!((durable.status, durable.body, durable.body.len()), (200, "success", 7));
    assert_eq!(gateway.reply(Receipt::Refused).body, "fail");
    assert!(gateway.available());
}

#[test]
fn a_gateway_prints_no_key() {
    let (gateway, _) = answering(&settings(), Ok(http_answer("")));
    let shown = format!("{gateway:?}");
    assert!(shown.contains("***") && !shown.contains("MII"), "{shown}");
}

#[test]
fn a_return_can_be_told_genuine_and_proves_nothing_else() {
    let (gateway, _) = answering(&settings(), Ok(http_answer("")));
    let query = |text: &str, sign: &str| form::write(text.split('&').map(|member| member.split_once('=').unwrap()).chain([("sign", sign)]));
    let text = "app_id=1&out_trade_no=2&sign_type=RSA2";
    let with_type = query(text, &sign_as_alipay(text.as_bytes()));
    let without_type = query(text, &sign_as_alipay(b"app_id=1&out_trade_no=2"));
    assert!(gateway.is_genuine_return(with_type.as_bytes()) && gateway.is_genuine_return(without_type.as_bytes()));
    let sha1 = query("app_id=1&out_trade_no=2&sign_type=RSA", &sign_as_alipay(b"app_id=1&out_trade_no=2"));
    for bad in [sha1, with_type.replace("out_trade_no=2", "out_trade_no=3"), format!("{with_type}&s=1"), "a=1".to_owned(), "%".to_owned()] {
        assert!(!gateway.is_genuine_return(bad.as_bytes()), "{bad}");
    }
    assert!(!gateway.is_genuine_return(&vec![b'a'; NOTIFICATION_LIMIT + 1]));
}
