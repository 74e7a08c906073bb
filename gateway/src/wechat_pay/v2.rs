//! API v2 of WeChat Pay, for merchants that have nothing newer: flat XML, signed with a key that both sides hold.
//!
//! Source: WeChat Pay's pages of unifiedorder, orderquery, closeorder, refund, refundquery and downloadbill, of the results
//! of payments and refunds, and of both modes of Native.

mod answer;
mod bill;
mod certificate;
mod client;
mod config;
mod native;
mod notification;
mod order;
mod outcome;
mod probe;
mod product;
mod refund;
mod refund_notification;
mod request;
mod seal;
mod sign;
mod transport;
mod xml;
mod young;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chassis::clock::Clock;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::Channel;

pub use certificate::CertificateError;
pub use config::{CALL_TIME_LIMIT, LONGEST_CALL_TIME_LIMIT, WechatPayV2Config, WechatPayV2ConfigError, WechatPayV2Settings};
pub use probe::ProbeError;
pub use sign::Digest;
pub use xml::MESSAGE_LIMIT;

use self::answer::{Answer, AnswerError};
use self::outcome::Outcome;
use self::product::Product;
use self::request::NoNonce;
use self::transport::{Call, HttpTransport, Transport};
use self::young::Young;
use crate::clock_skew::ClockSkew;
use crate::http::TransportError;
use crate::rules::Unsendable;
use crate::{
    ClientParameters, Closed, FormRequest, Gateway, GatewayError, Inconclusive, Notification, NotificationRefusal, NotificationReply,
    Operation, PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundFound, RefundRequest, RefundState, Statement,
    TradeState,
};

/// How long what was prepared can be used, but for a link; `time_expire` may end it sooner.
pub const CODE_LIFE: TimeDelta = TimeDelta::hours(2);

/// How long a link for a phone's browser can be used.
pub const LINK_LIFE: TimeDelta = TimeDelta::minutes(5);

/// What all channels of API v2 share: the merchant's keys and the way to the channel.
pub struct WechatPayV2 {
    config: WechatPayV2Config,
    transport: Box<dyn Transport>,
    clock: Arc<dyn Clock>,
    young: Young,
    skew: ClockSkew,
}

/// One channel of API v2.
#[derive(Clone, Debug)]
pub struct WechatPayV2Gateway {
    merchant: Arc<WechatPayV2>,
    product: Product,
}

/// The HTTP client could not be made, for instance because the machine has no certificates.
#[derive(Debug, thiserror::Error)]
#[error("the way to WeChat Pay cannot be prepared")]
pub struct WechatPayV2StartError(#[source] reqwest::Error);

/// Why nobody knows what became of a call.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the call could not be made")]
    Nonce(#[source] NoNonce),
    #[error("the call failed on its way")]
    Transport(#[source] TransportError),
    #[error("the channel answered with the HTTP status {0}")]
    Status(u16),
    #[error("the answer cannot be relied on")]
    Answer(#[source] AnswerError),
    #[error("the answer is about another payment")]
    OtherPayment,
}

/// A call in progress, for the errors that tell of it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    channel: Channel,
    operation: Operation,
}

impl WechatPayV2 {
    /// API v2 as configured, at the times of `clock`. Makes no connection yet. Errors: the HTTP client cannot be made.
    pub fn new(config: WechatPayV2Config, clock: Arc<dyn Clock>) -> Result<Self, WechatPayV2StartError> {
        let transport = Box::new(HttpTransport::new(&config)?);
        Ok(Self::over(transport, config, clock))
    }

    fn over(transport: Box<dyn Transport>, config: WechatPayV2Config, clock: Arc<dyn Clock>) -> Self {
        Self { config, transport, clock, young: Young::default(), skew: ClockSkew::new() }
    }

    /// One of its channels; `None` for a channel of another protocol, and for a phone's browser where no site is configured.
    pub fn gateway(self: &Arc<Self>, channel: Channel) -> Option<WechatPayV2Gateway> {
        let product = Product::of(channel).filter(|product| *product != Product::H5 || self.config.has_site())?;
        Some(WechatPayV2Gateway { merchant: self.clone(), product })
    }

    /// How far the channel's clock was ahead of ours when it last answered, to about a second; `None` before that.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.skew.get()
    }

    /// When the merchant's certificate, if there is one, is no longer taken.
    pub fn certificate_expires_at(&self) -> Option<DateTime<Utc>> {
        self.config.certificate_expires_at()
    }

    /// The serial number of the merchant's certificate, if there is one, in upper-case hexadecimal.
    pub fn certificate_serial(&self) -> Option<&str> {
        self.config.certificate_serial()
    }

    /// The application in whose name a product is asked for.
    fn app_id(&self, product: Product) -> &str {
        if product == Product::App { &self.config.mobile_app_id } else { &self.config.app_id }
    }

    /// Sends a call and reads its bytes.
    async fn send(
        &self,
        path: &'static str,
        app_id: &str,
        members: &[(&'static str, String)],
        answer_limit: usize,
    ) -> Result<Vec<u8>, CallError> {
        let nonce = request::nonce().map_err(CallError::Nonce)?;
        let body = request::message(&self.config, app_id, &nonce, members);
        let answer = self.transport.send(Call { path, body, answer_limit }).await.map_err(CallError::Transport)?;
        self.skew.note(answer.date.as_deref(), self.clock.now());
        if answer.status == 200 { Ok(answer.body) } else { Err(CallError::Status(answer.status)) }
    }

    /// Sends a call and reads what its verified answer means.
    async fn call(
        &self,
        operation: Operation,
        path: &'static str,
        app_id: &str,
        members: &[(&'static str, String)],
    ) -> Result<(Outcome, Answer), CallError> {
        let body = self.send(path, app_id, members, MESSAGE_LIMIT).await?;
        let answer = Answer::read(&body, &self.config).map_err(CallError::Answer)?;
        Ok((Outcome::of(operation, &answer), answer))
    }
}

impl fmt::Debug for WechatPayV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPayV2").field("config", &self.config).finish_non_exhaustive()
    }
}

impl WechatPayV2Gateway {
    /// What its channels share.
    pub fn merchant(&self) -> &Arc<WechatPayV2> {
        &self.merchant
    }

    /// The channel that it is.
    pub fn channel(&self) -> Channel {
        self.product.channel()
    }

    fn asked(&self, operation: Operation) -> Asked {
        Asked { channel: self.channel(), operation }
    }
}

impl Asked {
    fn refused(self, code: String) -> GatewayError {
        GatewayError::Refused { channel: self.channel, operation: self.operation, code }
    }

    fn unsendable(self, broken: Unsendable) -> GatewayError {
        self.refused(broken.code())
    }

    fn unknown(self, source: impl Error + Send + Sync + 'static) -> GatewayError {
        GatewayError::Unknown { channel: self.channel, operation: self.operation, source: Box::new(source) }
    }

    /// A verified answer that lacks what it must say.
    fn lacks(self, member: &str) -> GatewayError {
        self.unknown(Inconclusive { code: format!("no readable {member}") })
    }

    /// A call that nothing is known of. A channel that did not take it works all the same: a payer's name that belongs to
    /// another application is answered so, and no payer may bring the channel into the word of being down.
    fn unanswered(self, error: CallError) -> GatewayError {
        match error {
            CallError::Answer(AnswerError::NotTaken { said }) => self.unknown(Inconclusive { code: format!("FAIL {said}") }),
            error => self.unknown(error),
        }
    }

    /// The answer of a call that was accepted.
    fn accepted(self, called: Result<(Outcome, Answer), CallError>) -> Result<Answer, GatewayError> {
        let (outcome, answer) = called.map_err(|error| self.unanswered(error))?;
        match outcome {
            Outcome::Accepted => Ok(answer),
            Outcome::Refused(code) => Err(self.refused(code)),
            Outcome::Open(code) => Err(self.unknown(Inconclusive { code })),
            // Read by the calls that have a word for them.
            Outcome::Absent | Outcome::Closed | Outcome::StateForbids | Outcome::RefundNeedsOperator(_) => {
                Err(self.unknown(Inconclusive { code: answer.code_word() }))
            }
        }
    }
}

#[async_trait]
impl Gateway for WechatPayV2Gateway {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        self.prepare(request).await
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        self.ask(out_trade_no).await
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.end(out_trade_no).await
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

    fn form(&self, _request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        Err(self.asked(Operation::Form).refused("paystream.no_form".to_owned()))
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        self.sign_for_client(channel, prepay_id, at, nonce)
    }

    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        self.fetch_statement(date).await
    }

    fn read_notification(&self, raw: &RawNotification, _received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        self.merchant.read_notification(raw)
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        notification::reply(receipt)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
