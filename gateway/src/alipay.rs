//! Alipay: the `gateway.do` protocol with RSA2, with public keys or with certificates.
//!
//! Source: Alipay's open platform, pages of `alipay.trade.precreate`, `alipay.trade.query`, `alipay.trade.close` and of
//! asynchronous notifications.

mod answer;
mod bill;
mod certificate;
mod charset;
mod config;
mod content;
mod download;
mod form;
mod keys;
mod notification;
mod outcome;
mod page;
mod probe;
mod refund;
mod request;
mod transport;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use chassis::clock::Clock;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::Channel;

pub use certificate::CertificateError;
pub use config::{
    AlipayCertificates, AlipayConfig, AlipayConfigError, AlipaySettings, CALL_TIME_LIMIT, CertificateInUse, LONGEST_CALL_TIME_LIMIT,
    PAGE_PRODUCT_CODE, QR_PRODUCT_CODES, WAP_PRODUCT_CODE,
};
pub use content::subject;
pub use keys::KeyError;
pub use notification::NOTIFICATION_LIMIT;
pub use probe::ProbeError;

use self::answer::{Answer, AnswerError, Signed};
use self::form::{Empty, Form};
use self::keys::{AlipayKey, AlipayKeys, Untrusted};
use self::notification::Status;
use self::outcome::Outcome;
use self::transport::{HttpTransport, Transport};
use crate::clock_skew::ClockSkew;
use crate::fetch_turn::{FetchTurns, NamedBy};
use crate::http::TransportError;
use crate::rsa::SigningFailed;
use crate::{
    Capture, ClientParameters, Closed, FormRequest, Gateway, GatewayError, Inconclusive, Notification, NotificationRefusal,
    NotificationReply, Operation, PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundFound, RefundRequest,
    RefundState, Statement, TradeState, beijing,
};

/// How long a precreated code can be scanned; `time_expire` may end it sooner.
pub const CODE_LIFE: TimeDelta = TimeDelta::hours(2);

/// Alipay as a channel.
pub struct AlipayGateway {
    config: AlipayConfig,
    transport: Box<dyn Transport>,
    clock: Arc<dyn Clock>,
    /// Those that are configured and those that were fetched.
    keys: RwLock<Arc<AlipayKeys>>,
    fetching: FetchTurns,
    skew: ClockSkew,
}

/// The HTTP client could not be made, for instance because the machine has no certificates.
#[derive(Debug, thiserror::Error)]
#[error("the way to Alipay's gateway cannot be prepared")]
pub struct AlipayStartError(#[source] reqwest::Error);

/// Why nobody knows what became of a call.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the call could not be made")]
    Signing(#[source] SigningFailed),
    #[error("the call failed on its way")]
    Transport(#[source] TransportError),
    #[error("the gateway answered with the HTTP status {0}")]
    Status(u16),
    #[error("the answer cannot be relied on")]
    Answer(#[source] AnswerError),
    #[error("Alipay could not do its work: {0}")]
    Unavailable(String),
    #[error("the answer is about another payment")]
    OtherPayment,
}

impl AlipayGateway {
    /// Alipay as configured, at the times of `clock`. Makes no connection yet. Errors: the HTTP client cannot be made.
    pub fn new(config: AlipayConfig, clock: Arc<dyn Clock>) -> Result<Self, AlipayStartError> {
        let transport = Box::new(HttpTransport::new(&config)?);
        Ok(Self::over(transport, config, clock))
    }

    fn over(transport: Box<dyn Transport>, config: AlipayConfig, clock: Arc<dyn Clock>) -> Self {
        let keys = RwLock::new(Arc::new(config.alipay_keys.clone()));
        Self { config, transport, clock, keys, fetching: FetchTurns::default(), skew: ClockSkew::new() }
    }

    /// The keys that count now.
    fn keys(&self) -> Arc<AlipayKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add_key(&self, key: AlipayKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *keys = Arc::new(keys.with_fetched(key));
    }

    /// The certificates in use, the application's first, also those that were fetched; none in public-key mode.
    pub fn certificates(&self) -> Vec<CertificateInUse> {
        self.config.certificates_with(&self.keys())
    }

    /// The contracted product, for the pay record to store with its request.
    pub fn product_code(&self) -> &str {
        self.config.product_code()
    }

    /// How far the gateway's clock was ahead of ours when it last answered, to about a second; `None` before that.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.skew.get()
    }

    /// Whether Alipay signed the raw query with which a browser came back. It never proves a payment, even then.
    pub fn is_genuine_return(&self, raw_query: &[u8]) -> bool {
        signed_return(raw_query, &self.keys(), self.clock.now()).is_some()
    }

    /// Calls a method and reads what its verified answer means.
    async fn call(&self, operation: Operation, notify_url: Option<&str>, biz_content: String) -> Result<(Outcome, Answer), CallError> {
        let method = method(operation);
        let body = self.exchange(method, notify_url, biz_content).await?;
        let read = || Answer::read(&body, method, &self.keys(), self.clock.now());
        let mut answer = read();
        if matches!(answer, Err(AnswerError::Untrusted(Untrusted::UnknownCertificate)))
            && let Ok(Signed { serial: Some(serial), .. }) = Signed::find(&body, method)
        {
            self.fetch_certificate(&serial, NamedBy::Answer).await;
            answer = read();
        }
        let answer = answer.map_err(CallError::Answer)?;
        Ok((Outcome::of(operation, &answer), answer))
    }

    /// Sends a signed call and answers the body that came, which nobody believes yet.
    async fn exchange(&self, method: &str, notify_url: Option<&str>, biz_content: String) -> Result<Vec<u8>, CallError> {
        let members = self.members(method, notify_url, biz_content);
        let request = request::signed(&members, &self.config.app_private_key).map_err(CallError::Signing)?;
        let answer = self.transport.send(request).await.map_err(CallError::Transport)?;
        self.skew.note(answer.date.as_deref(), self.clock.now());
        if answer.status == 200 { Ok(answer.body) } else { Err(CallError::Status(answer.status)) }
    }

    /// The members of a call; in certificate mode with the serials of our certificate and of the roots.
    fn members(&self, method: &str, notify_url: Option<&str>, biz_content: String) -> BTreeMap<&'static str, String> {
        let mut members = request::members(&self.config.app_id, method, notify_url, biz_content, self.clock.now());
        if let Some(certified) = &self.config.certified {
            members.insert("app_cert_sn", certified.app_serial().to_owned());
            members.insert("alipay_root_cert_sn", certified.root_serial().to_owned());
        }
        members
    }
}

/// The signed text of a return, if Alipay signed it. Some returns are signed with `sign_type` in the text, others without.
fn signed_return(raw_query: &[u8], keys: &AlipayKeys, now: DateTime<Utc>) -> Option<Vec<u8>> {
    let form = Form::read(Some(raw_query).filter(|query| query.len() <= NOTIFICATION_LIMIT)?).ok()?;
    let sign = form.get("sign")?;
    if form.get("sign_type").is_some_and(|sign_type| sign_type != request::SIGN_TYPE.as_bytes()) {
        return None;
    }
    let texts = [&["sign", "sign_type"][..], &["sign"]].map(|without| form.canonical(without, Empty::Kept));
    let serial = form.get("alipay_cert_sn").and_then(|serial| str::from_utf8(serial).ok());
    texts.into_iter().find(|text| keys.verify(text, sign, serial, now).is_ok())
}

#[async_trait]
impl Gateway for AlipayGateway {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        let operation = Operation::Precreate;
        let content = content::precreate(request).map_err(|broken| refused(operation, broken.code()))?;
        let called = self.call(operation, Some(&request.notify_url), content).await;
        let answer = accepted(operation, called, &request.out_trade_no)?;
        let code_url = answer.text("qr_code").ok_or_else(|| lacks(operation, "qr_code"))?;
        Ok(Precreated::Code { code_url: code_url.to_owned() })
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        let operation = Operation::Query;
        let content = content::numbered(out_trade_no).map_err(|broken| refused(operation, broken.code()))?;
        let called = self.call(operation, None, content).await;
        if let Ok((Outcome::Absent, answer)) = &called {
            return if is_about(answer, out_trade_no) {
                Ok(TradeState::NotFound)
            } else {
                Err(unknown(operation, CallError::OtherPayment))
            };
        }
        trade_state(&accepted(operation, called, out_trade_no)?)
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        let operation = Operation::Close;
        let content = content::numbered(out_trade_no).map_err(|broken| refused(operation, broken.code()))?;
        let called = self.call(operation, None, content).await;
        match &called {
            Ok((Outcome::Absent | Outcome::StateForbids, answer)) if !is_about(answer, out_trade_no) => {
                Err(unknown(operation, CallError::OtherPayment))
            }
            Ok((Outcome::Absent, _)) => Ok(Closed::NotFound),
            Ok((Outcome::StateForbids, _)) => Ok(Closed::StateForbids),
            _ => accepted(operation, called, out_trade_no).map(|_| Closed::Done),
        }
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.give_back(request).await
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.ask_about_refund(out_trade_no, refund_no).await
    }

    async fn find_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        self.refund_found(out_trade_no, refund_no).await
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.sign_form(request)
    }

    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        self.fetch_statement(date).await
    }

    fn client_parameters(&self, channel: Channel, _: &str, _: DateTime<Utc>, _: &str) -> Result<ClientParameters, GatewayError> {
        let code = "paystream.no_client_parameters".to_owned();
        Err(GatewayError::Refused { channel, operation: Operation::ClientParameters, code })
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        notification::read(&raw.body, &self.config, &self.keys(), received_at)
    }

    async fn fetch_key(&self, raw: &RawNotification) {
        if let Some(serial) = notification::named_certificate(&raw.body) {
            self.fetch_certificate(&serial, NamedBy::Notification).await;
        }
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        let body = match receipt {
            Receipt::Durable => "success",
            Receipt::Refused => "fail",
        };
        NotificationReply { status: 200, content_type: "text/plain; charset=utf-8", body }
    }
}

impl fmt::Debug for AlipayGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlipayGateway").field("config", &self.config).finish_non_exhaustive()
    }
}

fn method(operation: Operation) -> &'static str {
    match operation {
        Operation::Precreate => "alipay.trade.precreate",
        Operation::Query => "alipay.trade.query",
        Operation::Close => "alipay.trade.close",
        Operation::Refund => "alipay.trade.refund",
        Operation::QueryRefund => "alipay.trade.fastpay.refund.query",
        Operation::Form | Operation::ClientParameters => page::PAGE_PAY,
        Operation::DownloadStatement => "alipay.data.dataservice.bill.downloadurl.query",
    }
}

/// The answer of a call that was accepted, if it is about the payment that was asked for: a genuine answer about another
/// one can be played back by somebody in the middle.
fn accepted(operation: Operation, called: Result<(Outcome, Answer), CallError>, out_trade_no: &str) -> Result<Answer, GatewayError> {
    let (outcome, answer) = called.map_err(|error| unanswered(operation, error))?;
    match outcome {
        Outcome::Accepted if answer.text("out_trade_no").is_none() => Err(lacks(operation, "out_trade_no")),
        Outcome::Accepted if is_about(&answer, out_trade_no) => Ok(answer),
        Outcome::Accepted => Err(unknown(operation, CallError::OtherPayment)),
        Outcome::Refused(code) => Err(refused(operation, code)),
        Outcome::Unavailable(code) => Err(unknown(operation, CallError::Unavailable(code))),
        Outcome::Open(code) => Err(unknown(operation, Inconclusive { code })),
        // Read by the calls that have a word for them.
        Outcome::Absent | Outcome::StateForbids | Outcome::RefundFailed(_) | Outcome::RefundNeedsOperator(_) => {
            Err(unknown(operation, Inconclusive { code: answer.code_word() }))
        }
    }
}

/// A call that nothing is known of. Whoever is asked too often works, and for that it does not matter who says so.
fn unanswered(operation: Operation, error: CallError) -> GatewayError {
    match error {
        CallError::Answer(AnswerError::AskedTooOften { code }) => unknown(operation, Inconclusive { code }),
        error => unknown(operation, error),
    }
}

/// Whether an answer names no other payment. One that says "not done" may name none at all.
fn is_about(answer: &Answer, out_trade_no: &str) -> bool {
    answer.text("out_trade_no").is_none_or(|other| other == out_trade_no)
}

/// What a query's answer says of the payment.
fn trade_state(answer: &Answer) -> Result<TradeState, GatewayError> {
    let operation = Operation::Query;
    let word = answer.text("trade_status").ok_or_else(|| lacks(operation, "trade_status"))?;
    let paid_at = answer.text("send_pay_date");
    let capture = |is_final| -> Result<Capture, GatewayError> {
        Ok(Capture {
            trade_no: answer.text("trade_no").ok_or_else(|| lacks(operation, "trade_no"))?.to_owned(),
            amount: answer.amount("total_amount").ok_or_else(|| lacks(operation, "total_amount"))?,
            paid_at: paid_at.and_then(beijing::parse_spaced),
            is_final,
            has_refunds: false,
        })
    };
    Ok(match Status::parse(word) {
        Some(Status::Success) => TradeState::Paid(capture(false)?),
        Some(Status::Finished) => TradeState::Paid(capture(true)?),
        Some(Status::AwaitingBuyer) => TradeState::AwaitingBuyer { trade_no: answer.text("trade_no").map(str::to_owned) },
        Some(Status::Closed) if paid_at.is_some() => TradeState::ClosedRefunded(capture(true)?),
        // Closed, no time of payment, and yet sums that were paid: not to be taken for unpaid.
        Some(Status::Closed) if names_paid_sum(answer) => return Err(lacks(operation, "send_pay_date")),
        Some(Status::Closed) => TradeState::ClosedUnpaid,
        None => TradeState::Unrecognised(word.to_owned()),
    })
}

fn names_paid_sum(answer: &Answer) -> bool {
    ["buyer_pay_amount", "receipt_amount"]
        .iter()
        .any(|name| answer.text(name).is_some() && answer.amount(name).is_none_or(|amount| !amount.is_zero()))
}

fn refused(operation: Operation, code: String) -> GatewayError {
    GatewayError::Refused { channel: Channel::AlipayQr, operation, code }
}

fn unknown(operation: Operation, source: impl Error + Send + Sync + 'static) -> GatewayError {
    GatewayError::Unknown { channel: Channel::AlipayQr, operation, source: Box::new(source) }
}

/// A verified answer that lacks what it must say.
fn lacks(operation: Operation, member: &str) -> GatewayError {
    unknown(operation, Inconclusive { code: format!("no readable {member}") })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
