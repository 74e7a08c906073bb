//! One product of WeChat Pay v3 as a channel: Native, H5, JSAPI, app and mini program, over one merchant's client.
//!
//! Source: WeChat Pay v3, pages of ordering, query, close and refund.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::Channel;

use super::client::{Answer, Call, CallError, WechatPayClient};
use super::outcome::Outcome;
use super::verification::SignedHeaders;
use super::wire::{BadSum, Prepared, Trade, at, filled};
use super::{content, json, notification, parameters};
use crate::fetch_turn::NamedBy;
use crate::{
    Capture, ClientParameters, Closed, FormRequest, Gateway, GatewayError, Inconclusive, Notification, NotificationRefusal,
    NotificationReply, Operation, PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundFound, RefundRequest,
    RefundState, Statement, TradeState,
};

/// One product of WeChat Pay v3.
pub struct WechatPayGateway {
    pub(super) client: Arc<WechatPayClient>,
    pub(super) channel: Channel,
}

impl WechatPayGateway {
    /// A code that the buyer scans.
    pub fn native(client: Arc<WechatPayClient>) -> Self {
        Self { client, channel: Channel::WechatNative }
    }

    /// A phone's browser outside WeChat.
    pub fn h5(client: Arc<WechatPayClient>) -> Self {
        Self { client, channel: Channel::WechatH5 }
    }

    /// A page inside WeChat.
    pub fn jsapi(client: Arc<WechatPayClient>) -> Self {
        Self { client, channel: Channel::WechatJsapi }
    }

    /// An app of the merchant's.
    pub fn app(client: Arc<WechatPayClient>) -> Self {
        Self { client, channel: Channel::WechatApp }
    }

    /// A mini program inside WeChat.
    pub fn mini_program(client: Arc<WechatPayClient>) -> Self {
        Self { client, channel: Channel::WechatMiniProgram }
    }

    /// Calls and sorts what came of it into a verified body and an outcome.
    pub(super) async fn ask(&self, operation: Operation, call: &Call) -> Result<Told, GatewayError> {
        match self.client.call(call).await {
            Ok(Answer::Verified { status: 200 | 204, body }) => Ok(Told::Accepted(body)),
            // Taken, and not done yet: what the call was for has not happened.
            Ok(Answer::Verified { status, body }) => {
                let code = super::client::code_of(&body).unwrap_or_else(|| format!("http_{status}"));
                Err(self.unknown(operation, Inconclusive { code }))
            }
            Ok(Answer::Error { status, code }) => match Outcome::of(operation, status, code.as_deref()) {
                Outcome::Refused(code) => Err(self.refused(operation, code)),
                Outcome::Unavailable(code) => Err(self.unknown(operation, CallError::Unavailable(code))),
                Outcome::Open(code) => Err(self.unknown(operation, Inconclusive { code })),
                outcome => Ok(Told::Not(outcome)),
            },
            Err(error) => Err(self.unknown(operation, error)),
        }
    }

    /// An outcome that only another call has a word for.
    pub(super) fn misplaced(&self, operation: Operation, outcome: &Outcome) -> GatewayError {
        self.unknown(operation, Inconclusive { code: format!("{outcome:?}") })
    }

    /// What a query's answer says of the payment.
    fn trade_state(&self, trade: &Trade) -> Result<TradeState, GatewayError> {
        let operation = Operation::Query;
        let word = filled(trade.state.as_ref()).ok_or_else(|| self.lacks(operation, "trade_state"))?;
        Ok(match word {
            // A refund, of whatever part, does not change that it was paid.
            "SUCCESS" | "REFUND" => TradeState::Paid(Capture { has_refunds: word == "REFUND", ..self.capture(trade)? }),
            "NOTPAY" | "USERPAYING" => TradeState::AwaitingBuyer { trade_no: filled(trade.transaction_id.as_ref()).map(str::to_owned) },
            // Closed, and yet a time of payment: not to be taken for unpaid.
            "CLOSED" if trade.success_time.is_some() => return Err(self.lacks(operation, "trade_state")),
            "CLOSED" => TradeState::ClosedUnpaid,
            other => TradeState::Unrecognised(super::word(other)),
        })
    }

    fn capture(&self, trade: &Trade) -> Result<Capture, GatewayError> {
        let operation = Operation::Query;
        let told = trade.amount.as_ref().ok_or_else(|| self.lacks(operation, "amount"))?;
        let amount = told.sum().map_err(|bad| {
            let member = if bad == BadSum::Currency { "currency" } else { "amount" };
            self.lacks(operation, member)
        })?;
        Ok(Capture {
            trade_no: filled(trade.transaction_id.as_ref()).ok_or_else(|| self.lacks(operation, "transaction_id"))?.to_owned(),
            amount,
            paid_at: at(trade.success_time.as_ref()),
            // A payment can be refunded for a year, and nobody says when that is over.
            is_final: false,
            has_refunds: false,
        })
    }

    pub(super) fn refused(&self, operation: Operation, code: String) -> GatewayError {
        GatewayError::Refused { channel: self.channel, operation, code }
    }

    pub(super) fn unknown(&self, operation: Operation, source: impl Error + Send + Sync + 'static) -> GatewayError {
        GatewayError::Unknown { channel: self.channel, operation, source: Box::new(source) }
    }

    /// A verified answer that lacks what it must say.
    pub(super) fn lacks(&self, operation: Operation, member: &str) -> GatewayError {
        self.unknown(operation, Inconclusive { code: format!("no readable {member}") })
    }
}

/// What came of a call that is not refused and not unknown.
#[derive(Debug)]
pub(super) enum Told {
    /// Accepted, and this body is WeChat Pay's.
    Accepted(Vec<u8>),
    /// Not accepted, for a reason that some calls have a word for.
    Not(Outcome),
}

#[async_trait]
impl Gateway for WechatPayGateway {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        let operation = Operation::Precreate;
        let body = content::precreate(request, self.channel, &self.client.config);
        let body = body.map_err(|broken| self.refused(operation, broken.code()))?;
        let call = Call::post(format!("/v3/pay/transactions/{}", product(self.channel)), body);
        let prepared = match self.ask(operation, &call).await? {
            Told::Accepted(body) => body,
            Told::Not(outcome) => return Err(self.misplaced(operation, &outcome)),
        };
        let prepared: Prepared = json::read(&prepared).map_err(|error| self.unknown(operation, CallError::Unreadable(error)))?;
        let member = |name: &str, value: Option<&String>| filled(value).map(str::to_owned).ok_or_else(|| self.lacks(operation, name));
        Ok(match self.channel {
            Channel::WechatNative => Precreated::Code { code_url: member("code_url", prepared.code_url.as_ref())? },
            Channel::WechatH5 => Precreated::Link { url: member("h5_url", prepared.h5_url.as_ref())? },
            _ => Precreated::Prepay { prepay_id: member("prepay_id", prepared.prepay_id.as_ref())? },
        })
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        let operation = Operation::Query;
        content::number(out_trade_no).map_err(|broken| self.refused(operation, broken.code()))?;
        let mchid = &self.client.config.mchid;
        let call = Call::get(format!("/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={mchid}"));
        let body = match self.ask(operation, &call).await? {
            Told::Accepted(body) => body,
            Told::Not(Outcome::Absent) => return Ok(TradeState::NotFound),
            Told::Not(outcome) => return Err(self.misplaced(operation, &outcome)),
        };
        let trade: Trade = json::read(&body).map_err(|error| self.unknown(operation, CallError::Unreadable(error)))?;
        // A genuine answer about another payment can be played back by somebody in the middle.
        if trade.out_trade_no.as_deref() != Some(out_trade_no) {
            return Err(self.unknown(operation, CallError::OtherPayment));
        }
        if trade.mchid.as_deref() != Some(mchid) || !trade.appid.as_deref().is_some_and(|appid| self.client.config.is_our_appid(appid)) {
            return Err(self.unknown(operation, CallError::OtherMerchant));
        }
        self.trade_state(&trade)
    }

    /// Closes, then asks whether it is closed: an accepted close has been seen for numbers that nobody knows, and for payments
    /// whose buyer was typing the password.
    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        let operation = Operation::Close;
        content::number(out_trade_no).map_err(|broken| self.refused(operation, broken.code()))?;
        let body = content::close(&self.client.config).map_err(|broken| self.refused(operation, broken.code()))?;
        let call = Call::post(format!("/v3/pay/transactions/out-trade-no/{out_trade_no}/close"), body);
        match self.ask(operation, &call).await? {
            Told::Accepted(_) | Told::Not(Outcome::AlreadyClosed) => {}
            Told::Not(Outcome::Absent) => return Ok(Closed::NotFound),
            Told::Not(Outcome::StateForbids) => return Ok(Closed::StateForbids),
            Told::Not(outcome) => return Err(self.misplaced(operation, &outcome)),
        }
        match self.query(out_trade_no).await.map_err(as_close)? {
            TradeState::ClosedUnpaid => Ok(Closed::Done),
            TradeState::Paid(_) | TradeState::ClosedRefunded(_) => Ok(Closed::StateForbids),
            TradeState::NotFound => Ok(Closed::NotFound),
            TradeState::AwaitingBuyer { .. } | TradeState::Unrecognised(_) => Err(self.lacks(operation, "trade_state")),
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

    fn form(&self, _request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        Err(self.refused(Operation::Form, "paystream.no_forms".to_owned()))
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        let operation = Operation::ClientParameters;
        content::client(prepay_id, nonce).map_err(|broken| self.refused(operation, broken.code()))?;
        let config = &self.client.config;
        let signed = match channel {
            _ if channel != self.channel => return Err(self.refused(operation, "paystream.invalid_channel".to_owned())),
            Channel::WechatApp => parameters::app(config, prepay_id, at, nonce),
            Channel::WechatJsapi | Channel::WechatMiniProgram => parameters::jsapi(config, channel, prepay_id, at, nonce),
            _ => return Err(self.refused(operation, "paystream.no_client_parameters".to_owned())),
        };
        signed.map_err(|error| self.unknown(operation, error))
    }

    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        self.trade_statement(date).await
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        notification::read(raw, received_at, &self.client)
    }

    async fn fetch_key(&self, raw: &RawNotification) {
        if let Ok(headers) = SignedHeaders::read(&raw.headers) {
            self.client.fetch_certificate(headers.serial, NamedBy::Notification).await;
        }
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        let content_type = "application/json";
        match receipt {
            Receipt::Durable => NotificationReply { status: 204, content_type, body: "" },
            // Any other status than 200 and 204 has it sent again.
            Receipt::Refused => NotificationReply { status: 500, content_type, body: r#"{"code":"FAIL","message":"not accepted"}"# },
        }
    }
}

impl fmt::Debug for WechatPayGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPayGateway").field("channel", &self.channel).field("client", &self.client).finish()
    }
}

/// The product's word in paths. A mini program pays as a page inside WeChat does.
fn product(channel: Channel) -> &'static str {
    match channel {
        Channel::WechatNative => "native",
        Channel::WechatH5 => "h5",
        Channel::WechatApp => "app",
        _ => "jsapi",
    }
}

/// The query was part of a close.
fn as_close(error: GatewayError) -> GatewayError {
    match error {
        GatewayError::Refused { channel, code, .. } => {
            GatewayError::Unknown { channel, operation: Operation::Close, source: Box::new(Inconclusive { code }) }
        }
        GatewayError::Unknown { channel, source, .. } => GatewayError::Unknown { channel, operation: Operation::Close, source },
    }
}

#[cfg(test)]
mod tests;
