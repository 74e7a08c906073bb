use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use chassis::clock::ManualClock;

use super::*;

/// What a call answers.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Good,
    Refused,
    Inconclusive,
    None,
    Never,
}

/// A channel that answers what was laid ready, in order, and counts its calls.
struct Scripted {
    answers: Mutex<VecDeque<Answer>>,
    calls: Mutex<u32>,
}

#[derive(Debug, thiserror::Error)]
#[error("no route")]
struct NoRoute;

impl Scripted {
    async fn answer(&self, operation: Operation) -> Result<(), GatewayError> {
        *self.calls.lock().unwrap() += 1;
        let channel = Channel::AlipayQr;
        let next = self.answers.lock().unwrap().pop_front();
        match next.expect("an answer was laid ready") {
            Answer::Good => Ok(()),
            Answer::Refused => Err(GatewayError::Refused { channel, operation, code: "NO".to_owned() }),
            Answer::Inconclusive => {
                Err(GatewayError::Unknown { channel, operation, source: Box::new(Inconclusive { code: "X".to_owned() }) })
            }
            Answer::None => Err(GatewayError::Unknown { channel, operation, source: Box::new(NoRoute) }),
            Answer::Never => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Gateway for Scripted {
    async fn precreate(&self, _: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        self.answer(Operation::Precreate).await.map(|()| Precreated::Code { code_url: "q".to_owned() })
    }

    async fn query(&self, _: &str) -> Result<TradeState, GatewayError> {
        self.answer(Operation::Query).await.map(|()| TradeState::NotFound)
    }

    async fn close(&self, _: &str) -> Result<Closed, GatewayError> {
        self.answer(Operation::Close).await.map(|()| Closed::Done)
    }

    async fn refund(&self, _: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.answer(Operation::Refund).await.map(|()| RefundState::Processing)
    }

    async fn query_refund(&self, _: &str, _: &str) -> Result<RefundState, GatewayError> {
        self.answer(Operation::QueryRefund).await.map(|()| RefundState::NotFound)
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        // An unknown here must not count: no call was made.
        let channel = Channel::AlipayPage;
        match request.subject.as_str() {
            "" => Err(GatewayError::Unknown { channel, operation: Operation::Form, source: Box::new(NoRoute) }),
            _ => Ok(PaymentForm { action: "a".to_owned(), fields: Vec::new() }),
        }
    }

    fn client_parameters(&self, channel: Channel, _: &str, _: DateTime<Utc>, _: &str) -> Result<ClientParameters, GatewayError> {
        Err(GatewayError::Unknown { channel, operation: Operation::ClientParameters, source: Box::new(NoRoute) })
    }

    fn read_notification(&self, _: &RawNotification, _: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        Err(NotificationRefusal::UnknownOrder)
    }

    fn reply(&self, _: Receipt) -> NotificationReply {
        NotificationReply { status: 200, content_type: "text/plain", body: "success" }
    }
}

struct Setup {
    breaker: CircuitBreaker<Arc<Scripted>>,
    channel: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

fn setup(answers: &[Answer]) -> Setup {
    let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap()));
    let channel = Arc::new(Scripted { answers: Mutex::new(answers.iter().copied().collect()), calls: Mutex::new(0) });
    let config = BreakerConfig { failures_to_open: 3, open_for: TimeDelta::seconds(10) };
    Setup { breaker: CircuitBreaker::new(channel.clone(), Channel::AlipayQr, config, clock.clone()), channel, clock }
}

impl Setup {
    async fn query(&self, times: usize) {
        for _ in 0..times {
            let _ = self.breaker.query("1").await;
        }
    }

    fn calls(&self) -> u32 {
        *self.channel.calls.lock().unwrap()
    }

    fn pass_the_while(&self) {
        self.clock.advance(TimeDelta::seconds(10));
    }
}

fn is_circuit_open<T>(result: &Result<T, GatewayError>) -> bool {
    matches!(result, Err(GatewayError::Unknown { source, .. }) if source.is::<CircuitOpen>())
}

#[tokio::test]
async fn it_opens_after_so_many_calls_in_a_row_without_an_answer() {
    let setup = setup(&[Answer::None, Answer::None, Answer::Good, Answer::None, Answer::None, Answer::None]);
    setup.query(5).await;
    assert!(setup.breaker.available() && !setup.breaker.is_open(setup.clock.now()));
    setup.query(1).await;
    assert!(!setup.breaker.available() && setup.breaker.is_open(setup.clock.now()));
    assert_eq!(setup.calls(), 6);
}

#[tokio::test]
async fn open_it_answers_unknown_to_every_call_and_asks_nothing() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None]);
    setup.query(3).await;
    let request = PrecreateRequest {
        out_trade_no: "1".to_owned(),
        channel: Channel::AlipayQr,
        amount: domain::Money::new(1, domain::Currency::Cny).unwrap(),
        subject: "s".to_owned(),
        product_code: "p".to_owned(),
        time_expire: setup.clock.now(),
        notify_url: "http://n".to_owned(),
        payer_openid: None,
        payer_client_ip: None,
    };
    let precreated = setup.breaker.precreate(&request).await;
    assert!(matches!(precreated, Err(GatewayError::Unknown { channel: Channel::AlipayQr, operation: Operation::Precreate, .. })));
    assert!(
        is_circuit_open(&precreated)
            && is_circuit_open(&setup.breaker.query("1").await)
            && is_circuit_open(&setup.breaker.close("1").await)
    );
    assert_eq!(setup.calls(), 3);
}

#[tokio::test]
async fn notifications_always_pass() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None]);
    setup.query(3).await;
    let raw = RawNotification { headers: Vec::new(), body: Vec::new() };
    assert_eq!(setup.breaker.read_notification(&raw, setup.clock.now()), Err(NotificationRefusal::UnknownOrder));
    assert_eq!(setup.breaker.reply(Receipt::Durable).body, "success");
}

#[tokio::test]
async fn a_refusal_and_an_open_answer_are_answers() {
    let setup =
        setup(&[Answer::None, Answer::None, Answer::Refused, Answer::None, Answer::None, Answer::Inconclusive, Answer::None, Answer::None]);
    setup.query(8).await;
    assert!(setup.breaker.available());
}

#[tokio::test]
async fn after_the_while_an_answer_closes_it() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None, Answer::Refused, Answer::None, Answer::None]);
    setup.query(3).await;
    setup.clock.advance(TimeDelta::milliseconds(9_999));
    assert!(!setup.breaker.available());
    setup.clock.advance(TimeDelta::milliseconds(1));
    assert!(setup.breaker.available());
    setup.query(1).await;
    setup.query(2).await;
    assert!(setup.breaker.available(), "the failures before it opened count no more");
    assert_eq!(setup.calls(), 6);
}

#[tokio::test]
async fn after_the_while_a_failure_opens_it_for_the_while_again() {
    let setup = setup(&[Answer::None; 4]);
    setup.query(3).await;
    setup.pass_the_while();
    setup.query(2).await;
    assert_eq!(setup.calls(), 4);
    setup.clock.advance(TimeDelta::seconds(9));
    assert!(!setup.breaker.available());
    setup.clock.advance(TimeDelta::seconds(1));
    assert!(setup.breaker.available());
}

#[tokio::test]
async fn only_one_call_tries_at_a_time_and_one_that_is_given_up_leaves_its_place() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None, Answer::Never, Answer::Good]);
    setup.query(3).await;
    setup.pass_the_while();
    let mut trial = setup.breaker.query("1");
    assert!(matches!(trial.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    assert!(!setup.breaker.available());
    assert!(is_circuit_open(&setup.breaker.query("1").await));
    assert_eq!(setup.calls(), 4);
    drop(trial);
    assert!(setup.breaker.available());
    assert!(setup.breaker.query("1").await.is_ok());
    assert!(setup.breaker.available());
}

#[tokio::test]
async fn a_call_that_set_out_earlier_changes_nothing_once_it_is_open() {
    let setup = setup(&[Answer::Never, Answer::None, Answer::None, Answer::None]);
    let mut early = setup.breaker.query("1");
    assert!(matches!(early.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    setup.query(3).await;
    assert!(!setup.breaker.available());
    drop(early);
    assert!(!setup.breaker.available());
    let late = Pass { breaker: &setup.breaker, is_trial: false };
    late.end(true);
    assert!(!setup.breaker.available());
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_it_open() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None, Answer::Good]);
    setup.query(3).await;
    setup.clock.advance(TimeDelta::days(-1));
    assert!(setup.breaker.available());
    assert!(setup.breaker.query("1").await.is_ok());
}

#[tokio::test]
async fn a_limit_of_none_opens_at_the_first_failure() {
    let mut setup = setup(&[Answer::None]);
    setup.breaker.config.failures_to_open = 0;
    setup.query(1).await;
    assert!(!setup.breaker.available());
    assert!(format!("{:?}", setup.breaker).contains("Open"));
    assert_eq!(BreakerConfig::default(), BreakerConfig { failures_to_open: 5, open_for: TimeDelta::seconds(15) });
}

fn refund_request() -> RefundRequest {
    let amount = domain::Money::new(1, domain::Currency::Cny).unwrap();
    RefundRequest { out_trade_no: "1".to_owned(), refund_no: "R1".to_owned(), amount, total: amount, reason: None, notify_url: None }
}

fn form_request(subject: &str) -> FormRequest {
    FormRequest {
        out_trade_no: "1".to_owned(),
        amount: domain::Money::new(1, domain::Currency::Cny).unwrap(),
        subject: subject.to_owned(),
        product_code: "P".to_owned(),
        time_expire: DateTime::UNIX_EPOCH,
        notify_url: String::new(),
        return_url: String::new(),
    }
}

#[tokio::test]
async fn refunds_are_guarded_as_every_call_is() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None, Answer::Good]);
    let _ = setup.breaker.refund(&refund_request()).await;
    let _ = setup.breaker.query_refund("1", "R1").await;
    let _ = setup.breaker.refund(&refund_request()).await;
    assert!(!setup.breaker.available());
    assert!(is_circuit_open(&setup.breaker.refund(&refund_request()).await));
    assert!(is_circuit_open(&setup.breaker.query_refund("1", "R1").await));
    assert_eq!(setup.calls(), 3);
    setup.pass_the_while();
    assert_eq!(setup.breaker.refund(&refund_request()).await.unwrap(), RefundState::Processing);
    assert!(setup.breaker.available());
}

#[tokio::test]
async fn a_form_neither_opens_it_nor_is_held_up_by_it() {
    let setup = setup(&[Answer::None, Answer::None, Answer::None]);
    for _ in 0..10 {
        assert!(!is_circuit_open(&setup.breaker.form(&form_request(""))));
    }
    assert!(setup.breaker.available());
    setup.query(3).await;
    assert!(!setup.breaker.available());
    assert!(setup.breaker.form(&form_request("course")).is_ok());
}
