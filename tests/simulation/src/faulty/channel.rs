//! Channels that do not as they say.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use command_api::{NoticeVerdict, Unverified};
use domain::{Channel, Currency, Money};
use futures_util::FutureExt;
use gateway::{
    ClientParameters, Closed, FormRequest, Gateway, GatewayError, Notification, NotificationRefusal, NotificationReply, Operation,
    PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundRequest, RefundState, TradeState,
};

use super::{holds, is_found};
use crate::ports::{Alipay, Content, SUCCESS};
use crate::process::Seams;

/// What is wrong with a channel's adapter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChannelFault {
    /// It tells the amount that was asked for, whatever the notification says: nothing is left to compare.
    HidesAmount,
    /// It reads a notification without its signature.
    ChecksNoSignature,
    /// It says that a payment that waits for its buyer is closed.
    ClosesTooSoon,
    /// Its precreate sends another content at each repeat, and each number twice.
    SendsTwice,
    /// It gives money back twice for one request.
    RefundsTwice,
    /// It makes refunds and answers nothing.
    LosesRefundAnswers,
    /// It makes refunds, answers nothing, and knows nothing of them when asked.
    ForgetsRefunds,
}

struct FaultyChannel {
    inner: Arc<dyn Gateway>,
    alipay: Arc<Alipay>,
    fault: ChannelFault,
}

#[async_trait]
impl Gateway for FaultyChannel {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        if self.fault == ChannelFault::SendsTwice {
            let other = PrecreateRequest { subject: format!("{} ", request.subject), ..request.clone() };
            self.inner.precreate(&other).await?;
        }
        self.inner.precreate(request).await
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        match self.inner.query(out_trade_no).await? {
            TradeState::AwaitingBuyer { .. } if self.fault == ChannelFault::ClosesTooSoon => Ok(TradeState::ClosedUnpaid),
            state => Ok(state),
        }
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.inner.close(out_trade_no).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        let refunded = self.inner.refund(request).await;
        match self.fault {
            ChannelFault::RefundsTwice => {
                let again = RefundRequest { refund_no: format!("{}-2", request.refund_no), ..request.clone() };
                let _ = self.alipay.refund(&again);
                refunded
            }
            ChannelFault::LosesRefundAnswers | ChannelFault::ForgetsRefunds if matches!(refunded, Ok(RefundState::Succeeded { .. })) => {
                let (channel, operation) = (Channel::AlipayQr, Operation::Refund);
                Err(GatewayError::Unknown { channel, operation, source: "no answer".into() })
            }
            _ => refunded,
        }
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        match self.fault {
            ChannelFault::ForgetsRefunds => Ok(RefundState::NotFound),
            _ => self.inner.query_refund(out_trade_no, refund_no).await,
        }
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.inner.form(request)
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        self.inner.client_parameters(channel, prepay_id, at, nonce)
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        match self.fault {
            ChannelFault::HidesAmount => {
                let read = self.inner.read_notification(raw, received_at)?;
                let asked = self.alipay.asked_for(&read.out_trade_no).and_then(|fen| Money::new(fen, Currency::Cny).ok());
                Ok(Notification { amount: asked.unwrap_or(read.amount), ..read })
            }
            ChannelFault::ChecksNoSignature => {
                let text = std::str::from_utf8(&raw.body).ok().and_then(|body| body.split_once('\n'));
                Content::read(text.ok_or(NotificationRefusal::Malformed)?.1)
            }
            _ => self.inner.read_notification(raw, received_at),
        }
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        self.inner.reply(receipt)
    }

    fn available(&self) -> bool {
        self.inner.available()
    }
}

fn faulty_channel(fault: ChannelFault) -> Seams {
    let channel =
        move |inner, alipay: &Arc<Alipay>| -> Arc<dyn Gateway> { Arc::new(FaultyChannel { inner, alipay: Arc::clone(alipay), fault }) };
    Seams { channel: Box::new(channel), ..Seams::default() }
}

#[test]
fn a_reader_that_compares_no_amount_is_found() {
    is_found(|| faulty_channel(ChannelFault::HidesAmount), &["money on the log is money that the channel holds"]);
}

#[test]
fn a_reader_that_checks_no_signature_is_found() {
    let invariants = ["a forged notification changes nothing", "a forged notification is refused"];
    is_found(|| faulty_channel(ChannelFault::ChecksNoSignature), &invariants);
}

#[test]
fn a_channel_that_closes_too_soon_is_found() {
    is_found(|| faulty_channel(ChannelFault::ClosesTooSoon), &["a pay record is closed only where nobody can pay it"]);
}

#[test]
fn two_contents_under_one_number_are_found() {
    let invariants = ["a number goes to the channel with one content only", "a number is sent for a code once"];
    is_found(|| faulty_channel(ChannelFault::SendsTwice), &invariants);
}

#[test]
fn a_refund_that_is_made_twice_is_found() {
    let invariants =
        ["a refund is observed only where one was made by hand", "what went back on the log went back at the channel, and no less"];
    is_found(|| faulty_channel(ChannelFault::RefundsTwice), &invariants);
}

#[test]
fn refunds_whose_answers_are_lost_are_found_by_asking() {
    holds(|| faulty_channel(ChannelFault::LosesRefundAnswers));
}

#[test]
fn refunds_that_the_channel_forgets_are_found() {
    let invariants = [
        "every refund ends or needs an operator",
        "a refund is observed only where one was made by hand",
        "what is due is done",
        "a genuine notification is acknowledged in the end",
        "what went back on the log went back at the channel, and no less",
    ];
    is_found(|| faulty_channel(ChannelFault::ForgetsRefunds), &invariants);
}

#[test]
fn success_before_the_append_is_found() {
    let too_soon = || Seams {
        // The work on it is begun, and dropped at its first await.
        take_notice: Arc::new(|commands, raw, correlation_id| {
            Box::pin(async move {
                if Content::verified(&raw).is_err() {
                    return commands.take_alipay_notice(raw, Unverified::Keep, correlation_id).await;
                }
                drop(commands.take_alipay_notice(raw, Unverified::Keep, correlation_id).now_or_never());
                Ok((NoticeVerdict::Recorded, NotificationReply { status: 200, content_type: "text/plain", body: SUCCESS }))
            })
        }),
        ..Seams::default()
    };
    let invariants = [
        "money that was acknowledged is on the log",
        "a stray capture is nobody's, or dealt with",
        "a stray capture is on the log",
        "a notification that was answered is kept",
    ];
    is_found(too_soon, &invariants);
}
