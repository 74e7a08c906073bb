use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::pay_record::PayRecordIssued;
use domain::{Channel, Currency, Money, PayNo};
use event_store::{LogReader, MemoryEventStore};
use futures_util::future::BoxFuture;
use gateway::{
    Capture, ClientParameters, Closed, FormRequest, Gateway, GatewayError, News, Notification, NotificationRefusal, NotificationReply,
    Operation, PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundFound, RefundRequest, RefundState, Statement,
    TradeState,
};

use crate::streams;

/// No answer to this.
pub(crate) fn unknown(operation: Operation) -> GatewayError {
    GatewayError::Unknown { channel: Channel::AlipayQr, operation, source: "timed out".into() }
}

/// A refusal of this.
pub(crate) fn refused(operation: Operation) -> GatewayError {
    GatewayError::Refused { channel: Channel::AlipayQr, operation, code: "ACQ.NO_LUCK".to_owned() }
}

/// When every payment of these tests was made, as the channel says.
pub(crate) fn paid_at() -> DateTime<Utc> {
    "2026-07-20T08:01:30Z".parse().unwrap()
}

pub(crate) fn captured(trade_no: &str, fen: i64) -> Capture {
    let amount = Money::new(fen, Currency::Cny).unwrap();
    Capture { trade_no: trade_no.to_owned(), amount, paid_at: Some(paid_at()), is_final: false, has_refunds: false }
}

pub(crate) fn paid(trade_no: &str, fen: i64) -> TradeState {
    TradeState::Paid(captured(trade_no, fen))
}

/// A genuine notification that `fen` were paid for `out_trade_no`.
pub(crate) fn notification(out_trade_no: impl Into<String>, trade_no: &str, fen: i64) -> Notification {
    Notification {
        notify_id: format!("notice-of-{trade_no}"),
        out_trade_no: out_trade_no.into(),
        trade_no: trade_no.to_owned(),
        amount: Money::new(fen, Currency::Cny).unwrap(),
        news: News::Paid { paid_at: Some(paid_at()), is_final: false },
        query_first: false,
    }
}

type Meanwhile = BoxFuture<'static, ()>;

/// A channel that answers as it is told. By itself it gives codes and forms, has seen no buyer, closes what it is asked to,
/// gives back what it is asked for, and knows of no refund.
pub(crate) struct ScriptedChannel {
    log: Arc<MemoryEventStore>,
    precreates: Mutex<VecDeque<Result<Precreated, GatewayError>>>,
    queries: Mutex<VecDeque<Result<TradeState, GatewayError>>>,
    closes: Mutex<VecDeque<Result<Closed, GatewayError>>>,
    refunds: Mutex<VecDeque<Result<RefundState, GatewayError>>>,
    refund_queries: Mutex<VecDeque<Result<RefundState, GatewayError>>>,
    refund_finds: Mutex<VecDeque<Result<Option<RefundFound>, GatewayError>>>,
    forms: Mutex<VecDeque<Result<PaymentForm, GatewayError>>>,
    statements: Mutex<VecDeque<Result<Statement, GatewayError>>>,
    notifications: Mutex<BTreeMap<String, Result<Notification, NotificationRefusal>>>,
    fetched: Mutex<BTreeMap<String, Notification>>,
    meanwhile: Mutex<VecDeque<Meanwhile>>,
    asked: Mutex<Vec<(Operation, String)>>,
    requests: Mutex<Vec<PrecreateRequest>>,
    refund_requests: Mutex<Vec<RefundRequest>>,
    form_requests: Mutex<Vec<FormRequest>>,
    unavailable: AtomicBool,
}

impl ScriptedChannel {
    pub(crate) fn new(log: Arc<MemoryEventStore>) -> Self {
        Self {
            log,
            precreates: Mutex::default(),
            queries: Mutex::default(),
            closes: Mutex::default(),
            refunds: Mutex::default(),
            refund_queries: Mutex::default(),
            refund_finds: Mutex::default(),
            forms: Mutex::default(),
            statements: Mutex::default(),
            notifications: Mutex::default(),
            fetched: Mutex::default(),
            meanwhile: Mutex::default(),
            asked: Mutex::default(),
            requests: Mutex::default(),
            refund_requests: Mutex::default(),
            form_requests: Mutex::default(),
            unavailable: AtomicBool::new(false),
        }
    }

    /// The next precreate ends so.
    pub(crate) fn precreates(&self, answer: Result<Precreated, GatewayError>) {
        self.precreates.lock().unwrap().push_back(answer);
    }

    /// The next query ends so.
    pub(crate) fn queries(&self, answer: Result<TradeState, GatewayError>) {
        self.queries.lock().unwrap().push_back(answer);
    }

    /// What was told of queries is over: they are answered as by a channel that works.
    pub(crate) fn answers_again(&self) {
        self.queries.lock().unwrap().clear();
    }

    /// The next download of a statement ends so.
    pub(crate) fn statements(&self, answer: Result<Statement, GatewayError>) {
        self.statements.lock().unwrap().push_back(answer);
    }

    /// The next close ends so.
    pub(crate) fn closes(&self, answer: Result<Closed, GatewayError>) {
        self.closes.lock().unwrap().push_back(answer);
    }

    /// The next refund ends so.
    pub(crate) fn refunds(&self, answer: Result<RefundState, GatewayError>) {
        self.refunds.lock().unwrap().push_back(answer);
    }

    /// The next question about a refund ends so.
    pub(crate) fn refund_queries(&self, answer: Result<RefundState, GatewayError>) {
        self.refund_queries.lock().unwrap().push_back(answer);
    }

    /// The next question about a refund that nobody here asked for ends so.
    pub(crate) fn refund_finds(&self, answer: Result<Option<RefundFound>, GatewayError>) {
        self.refund_finds.lock().unwrap().push_back(answer);
    }

    /// The next form ends so.
    pub(crate) fn forms(&self, answer: Result<PaymentForm, GatewayError>) {
        self.forms.lock().unwrap().push_back(answer);
    }

    /// Every form that was asked for so far.
    pub(crate) fn form_requests(&self) -> Vec<FormRequest> {
        self.form_requests.lock().unwrap().clone()
    }

    /// Every refund that was asked for so far.
    pub(crate) fn refund_requests(&self) -> Vec<RefundRequest> {
        self.refund_requests.lock().unwrap().clone()
    }

    /// Somebody else's work comes in while the channel is asked the next time, before it answers.
    pub(crate) fn meanwhile(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.meanwhile.lock().unwrap().push_back(Box::pin(work));
    }

    /// Opens the circuit breaker, or closes it.
    pub(crate) fn set_available(&self, available: bool) {
        self.unavailable.store(!available, Ordering::SeqCst);
    }

    /// A notification as it comes: its body is a name that only this channel can read.
    pub(crate) fn notifies(&self, read: Result<Notification, NotificationRefusal>) -> RawNotification {
        let mut notifications = self.notifications.lock().unwrap();
        let name = format!("notification {}", notifications.len());
        notifications.insert(name.clone(), read);
        RawNotification { headers: vec![("content-type".to_owned(), b"text/plain".to_vec())], body: name.into_bytes() }
    }

    /// The same notification reads otherwise from now on: the keys have changed.
    pub(crate) fn reads(&self, raw: &RawNotification, read: Result<Notification, NotificationRefusal>) {
        self.notifications.lock().unwrap().insert(String::from_utf8_lossy(&raw.body).into_owned(), read);
    }

    /// What a notification under an unknown key is, once the key is fetched.
    pub(crate) fn knows_once_fetched(&self, raw: &RawNotification, notification: Notification) {
        self.fetched.lock().unwrap().insert(String::from_utf8_lossy(&raw.body).into_owned(), notification);
    }

    /// What the channel was asked since this was asked last, with the two digits of the attempt or of the refund.
    pub(crate) fn asked(&self) -> Vec<(Operation, String)> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().map(|(operation, number)| (operation, number[number.len() - 2..].to_owned())).collect()
    }

    /// Every precreate so far.
    pub(crate) fn requests(&self) -> Vec<PrecreateRequest> {
        self.requests.lock().unwrap().clone()
    }

    async fn ask(&self, operation: Operation, out_trade_no: &str) {
        self.asked.lock().unwrap().push((operation, out_trade_no.to_owned()));
        let work = self.meanwhile.lock().unwrap().pop_front();
        if let Some(work) = work {
            work.await;
        }
    }

    /// The intent of what is asked for now, which must be on the log already.
    async fn intent(&self, request: &PrecreateRequest) -> PayRecordIssued {
        let pay_no: PayNo = request.out_trade_no.parse().unwrap();
        let events = self.log.read_stream(&streams::order(pay_no.order_id()), 0, 1_000).await.unwrap();
        let issued = events.iter().filter(|event| event.event_type == "PayRecordIssued");
        let issued = issued.map(|event| serde_json::from_str::<PayRecordIssued>(&event.data).unwrap());
        issued.into_iter().find(|issued| issued.pay_no == pay_no).expect("the intent is on the log before the channel is asked")
    }
}

#[async_trait]
impl Gateway for ScriptedChannel {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        let issued = self.intent(request).await;
        let sent = issued.request.unwrap();
        assert_eq!(request.amount, issued.amount.of(issued.currency));
        assert_eq!((&request.subject, &request.product_code), (&sent.subject, &sent.product_code));
        assert_eq!((request.time_expire, &request.notify_url), (sent.time_expire, &sent.notify_url));
        self.requests.lock().unwrap().push(request.clone());
        self.ask(Operation::Precreate, &request.out_trade_no).await;
        let told = self.precreates.lock().unwrap().pop_front();
        told.unwrap_or_else(|| Ok(Precreated::Code { code_url: format!("https://qr.alipay.example/{}", request.out_trade_no) }))
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        self.ask(Operation::Query, out_trade_no).await;
        self.queries.lock().unwrap().pop_front().unwrap_or(Ok(TradeState::NotFound))
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.ask(Operation::Close, out_trade_no).await;
        self.closes.lock().unwrap().pop_front().unwrap_or(Ok(Closed::Done))
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.refund_requests.lock().unwrap().push(request.clone());
        self.ask(Operation::Refund, &request.refund_no).await;
        let told = self.refunds.lock().unwrap().pop_front();
        told.unwrap_or_else(|| Ok(RefundState::Succeeded { refunded_at: Some(paid_at()) }))
    }

    async fn query_refund(&self, _out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.ask(Operation::QueryRefund, refund_no).await;
        self.refund_queries.lock().unwrap().pop_front().unwrap_or(Ok(RefundState::NotFound))
    }

    async fn find_refund(&self, _out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        self.ask(Operation::QueryRefund, refund_no).await;
        self.refund_finds.lock().unwrap().pop_front().unwrap_or(Ok(None))
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.asked.lock().unwrap().push((Operation::Form, request.out_trade_no.clone()));
        self.form_requests.lock().unwrap().push(request.clone());
        let told = self.forms.lock().unwrap().pop_front();
        told.unwrap_or_else(|| {
            let action = format!("https://page.alipay.example/{}", request.out_trade_no);
            Ok(PaymentForm { action, fields: vec![("biz_content".to_owned(), "{}".to_owned())] })
        })
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        let members = vec![
            ("channel", channel.as_str().to_owned()),
            ("package", format!("prepay_id={prepay_id}")),
            ("timeStamp", at.timestamp().to_string()),
            ("nonceStr", nonce.to_owned()),
        ];
        Ok(ClientParameters { members })
    }

    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        let empty = Statement { date, lines: Vec::new() };
        self.statements.lock().unwrap().pop_front().unwrap_or(Ok(empty))
    }

    fn read_notification(&self, raw: &RawNotification, _received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        let name = String::from_utf8_lossy(&raw.body);
        self.notifications.lock().unwrap().get(name.as_ref()).cloned().unwrap_or(Err(NotificationRefusal::BadSignature))
    }

    async fn fetch_key(&self, raw: &RawNotification) {
        let name = String::from_utf8_lossy(&raw.body).into_owned();
        if let Some(notification) = self.fetched.lock().unwrap().remove(&name) {
            self.notifications.lock().unwrap().insert(name, Ok(notification));
        }
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        let body = match receipt {
            Receipt::Durable => "success",
            Receipt::Refused => "fail",
        };
        NotificationReply { status: 200, content_type: "text/plain; charset=utf-8", body }
    }

    fn available(&self) -> bool {
        !self.unavailable.load(Ordering::SeqCst)
    }
}
