use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Channel, OrderId, PayNo, RefundNo};
use event_store::{LogReader, MemoryEventStore};
use futures_util::FutureExt;
use gateway::{
    ClientParameters, Closed, FormRequest, Gateway, GatewayError, Notification, NotificationRefusal, NotificationReply, Operation,
    PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundRequest, RefundState, TradeState,
};

use super::alipay::{Alipay, OTHER_AMOUNT, OTHER_CONTENT};
use super::{Content, MOST_POLLS, SimulatedFault};
use crate::broken::{Broken, Witness};
use crate::chance::Chance;
use crate::weather::{Place, Weather};

const NOT_TODAY: &str = "ACQ.SYSTEM_BUSY_BY_RULE";

/// A process's way to the channel.
pub(crate) struct AlipayAdapter {
    pub(crate) alipay: Arc<Alipay>,
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
    pub(crate) log: Arc<MemoryEventStore>,
    pub(crate) witness: Arc<Witness>,
}

const CHANNEL: Channel = Channel::AlipayQr;

impl AlipayAdapter {
    /// No number goes to the channel before the intent is on the log.
    fn intent_stands(&self, operation: Operation, out_trade_no: &str) {
        let order_id = out_trade_no.parse::<PayNo>().ok().map(PayNo::order_id);
        if !self.stands(order_id, "PayRecordIssued", &format!("\"pay_no\":\"{out_trade_no}\"")) {
            let detail = format!("{operation} of {out_trade_no}");
            self.witness.report(Broken::new("an attempt's intent stands on the log before the channel is asked", detail));
        }
    }

    /// No number of a refund goes to the channel before the intent is on the log.
    fn refund_stands(&self, operation: Operation, out_trade_no: &str, refund_no: &str) {
        // Money that came under a number of nobody's goes back under it; whose it is the refund's own number says.
        let order_id = refund_no.parse::<RefundNo>().ok().map(RefundNo::order_id);
        if !self.stands(order_id, "RefundRequested", &format!("\"refund_no\":\"{refund_no}\"")) {
            let detail = format!("{operation} {refund_no} of {out_trade_no}");
            self.witness.report(Broken::new("a refund's intent stands on the log before the channel is asked", detail));
        }
    }

    /// Whether the order has an event of this type that holds this text.
    fn stands(&self, order_id: Option<OrderId>, event_type: &str, text: &str) -> bool {
        order_id.is_some_and(|order_id| {
            let stream_id = command_api::streams::order(order_id);
            let events = self.log.read_stream(&stream_id, 0, usize::MAX).now_or_never();
            let is_intent = |event: &event_store::RecordedEvent| event.event_type == event_type && event.data.contains(text);
            matches!(events, Some(Ok(events)) if events.iter().any(is_intent))
        })
    }

    async fn unanswered(&self, operation: Operation) -> GatewayError {
        self.chance.pause(MOST_POLLS).await;
        GatewayError::Unknown { channel: CHANNEL, operation, source: Box::new(SimulatedFault) }
    }

    fn refused(operation: Operation, code: &str) -> GatewayError {
        GatewayError::Refused { channel: CHANNEL, operation, code: code.to_owned() }
    }
}

#[async_trait]
impl Gateway for AlipayAdapter {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        let operation = Operation::Precreate;
        self.intent_stands(operation, &request.out_trade_no);
        if !self.alipay.is_first(&request.out_trade_no) {
            self.witness.report(Broken::new("a number is sent for a code once", request.out_trade_no.clone()));
        }
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Channel) {
            match self.chance.below(4) {
                0 => return Err(Self::refused(operation, NOT_TODAY)),
                1 => drop(self.alipay.precreate(request)),
                2 => self.alipay.delay(request),
                _ => {}
            }
            return Err(self.unanswered(operation).await);
        }
        let code = self.alipay.precreate(request);
        self.chance.pause(MOST_POLLS).await;
        if code == Err(OTHER_CONTENT) {
            let detail = request.out_trade_no.clone();
            self.witness.report(Broken::new("a number goes to the channel with one content only", detail));
        }
        code.map(|code_url| Precreated::Code { code_url }).map_err(|code| Self::refused(operation, code))
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        // Of a number that nobody gave out only the channel's own word starts a question.
        if !self.alipay.is_stray(out_trade_no) {
            self.intent_stands(Operation::Query, out_trade_no);
        }
        self.alipay.is_asked(out_trade_no);
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Channel) {
            return Err(self.unanswered(Operation::Query).await);
        }
        let state = self.alipay.query(out_trade_no);
        self.chance.pause(MOST_POLLS).await;
        Ok(state)
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.intent_stands(Operation::Close, out_trade_no);
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Channel) {
            if self.chance.one_in(2) {
                let _ = self.alipay.close(out_trade_no);
            }
            return Err(self.unanswered(Operation::Close).await);
        }
        let closed = self.alipay.close(out_trade_no);
        self.chance.pause(MOST_POLLS).await;
        Ok(closed)
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.refund_stands(Operation::Refund, &request.out_trade_no, &request.refund_no);
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Channel) {
            match self.chance.below(4) {
                0 => drop(self.alipay.refund(request)),
                1 => self.alipay.delay_refund(request),
                2 => return Err(Self::refused(Operation::Refund, NOT_TODAY)),
                _ => {}
            }
            return Err(self.unanswered(Operation::Refund).await);
        }
        let state = match self.weather.trouble(140) {
            None => self.alipay.refund(request),
            Some(0..60) => Alipay::has_no_balance(),
            Some(60..80) => self.alipay.refuse_refund(request),
            // It is done, and only a query will say so.
            Some(_) => match self.alipay.refund(request) {
                RefundState::Succeeded { .. } => RefundState::Processing,
                other => other,
            },
        };
        self.chance.pause(MOST_POLLS).await;
        if matches!(&state, RefundState::NeedsOperator { code } if code == OTHER_AMOUNT) {
            self.witness.report(Broken::new("a refund's number goes to the channel with one amount only", request.refund_no.clone()));
        }
        Ok(state)
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.refund_stands(Operation::QueryRefund, out_trade_no, refund_no);
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Channel) {
            return Err(self.unanswered(Operation::QueryRefund).await);
        }
        let state = self.alipay.query_refund(out_trade_no, refund_no);
        self.chance.pause(MOST_POLLS).await;
        Ok(state)
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.intent_stands(Operation::Form, &request.out_trade_no);
        if self.alipay.form(request) == Err(OTHER_CONTENT) {
            let detail = request.out_trade_no.clone();
            self.witness.report(Broken::new("a number goes to the channel with one content only", detail));
        }
        let action = format!("https://page.channel.example/{}", request.out_trade_no);
        Ok(PaymentForm { action, fields: vec![("biz_content".to_owned(), "{}".to_owned())] })
    }

    fn client_parameters(&self, channel: Channel, _: &str, _: DateTime<Utc>, _: &str) -> Result<ClientParameters, GatewayError> {
        let code = "paystream.no_client_parameters".to_owned();
        Err(GatewayError::Refused { channel, operation: Operation::ClientParameters, code })
    }

    fn read_notification(&self, raw: &RawNotification, _: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        Content::verified(raw)
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        let body = match receipt {
            Receipt::Durable => SUCCESS,
            Receipt::Refused => "fail",
        };
        NotificationReply { status: 200, content_type: "text/plain", body }
    }

    fn available(&self) -> bool {
        self.weather.channel_available()
    }
}

/// The answer after which the channel does not send a notification again.
pub(crate) const SUCCESS: &str = "success";
