mod form;
mod notification;
mod refund;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Channel, Money};

pub use form::{FormRequest, PaymentForm};
pub use notification::{News, Notification, NotificationRefusal, NotificationReply, RawNotification, Receipt};
pub use refund::{RefundRequest, RefundState};

/// What is asked of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Ask for the code that a buyer scans.
    Precreate,
    /// Ask what became of a payment.
    Query,
    /// End an unpaid payment.
    Close,
    /// Give money back.
    Refund,
    /// Ask what became of a refund.
    QueryRefund,
    /// Sign the form with which a buyer's browser goes to the channel. The channel is not called.
    Form,
}

impl Operation {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Precreate => "precreate",
            Self::Query => "query",
            Self::Close => "close",
            Self::Refund => "refund",
            Self::QueryRefund => "query_refund",
            Self::Form => "form",
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a channel did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The channel understood and said no; asking again will not help.
    #[error("{channel} refused {operation}: {code}")]
    Refused {
        /// The channel asked.
        channel: Channel,
        /// What was asked.
        operation: Operation,
        /// The channel's own word for why, for instance `ACQ.INVALID_PARAMETER`; a word that begins with `paystream.`
        /// where the adapter did not even ask, because the request breaks a documented rule of the channel.
        code: String,
    },
    /// Nobody knows whether it happened. Query before repeating.
    #[error("no answer from {channel} to {operation}")]
    Unknown {
        /// The channel asked.
        channel: Channel,
        /// What was asked.
        operation: Operation,
        /// What went wrong on the way.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Marks the source of a [`GatewayError::Unknown`] that came as an answer: the channel works, only what became of this one
/// request stays open (one payment's trouble, or a call too many). A circuit breaker does not take it for an outage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the channel's answer leaves open what happened: {code}")]
pub struct Inconclusive {
    /// The channel's own word, or the member that its answer lacks.
    pub code: String,
}

/// Every member of a precreate as the pay record stores it, so that a repeat sends the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrecreateRequest {
    /// Our pay number.
    pub out_trade_no: String,
    /// What is asked for.
    pub amount: Money,
    /// What the buyer reads. It holds no `&`, `=` or `/`.
    pub subject: String,
    /// The channel's product code, from configuration (Alipay: `FACE_TO_FACE_PAYMENT` or `QR_CODE_OFFLINE`).
    pub product_code: String,
    /// When the channel itself stops taking money, whole seconds.
    pub time_expire: DateTime<Utc>,
    /// Where the channel sends its notifications.
    pub notify_url: String,
}

/// The code of a precreated payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precreated {
    /// What the QR holds.
    pub code_url: String,
}

/// Money that a channel says, verifiably, it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The channel's own number.
    pub trade_no: String,
    /// What was taken, as the channel says.
    pub amount: Money,
    /// The channel's payment time, where it names one.
    pub paid_at: Option<DateTime<Utc>>,
    /// No refund is possible any more (Alipay: TRADE_FINISHED).
    pub is_final: bool,
}

/// What became of a payment, by the channel's verified answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradeState {
    /// Paid. Refunds, if any, do not change that it was.
    Paid(Capture),
    /// The buyer has come, and has not paid.
    AwaitingBuyer {
        /// The channel's own number, where it names one.
        trade_no: Option<String>,
    },
    /// Unpaid, and can never be paid.
    ClosedUnpaid,
    /// Paid once and wholly refunded since.
    ClosedRefunded(Capture),
    /// The channel does not know the number. No proof that nobody can pay later while its code can be used.
    NotFound,
    /// A state that this version does not know; it is shown and never guessed.
    Unrecognised(String),
}

/// What a close did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The channel closed it: nobody can pay it any more.
    Done,
    /// The channel does not know the number: no proof while the code could still be used.
    NotFound,
    /// Its state forbids closing, most likely because it is paid: query.
    StateForbids,
}

/// One channel, asked by us. Every call has a time limit of its own; a time-out is [`GatewayError::Unknown`].
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Asks for the code that a buyer scans.
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError>;

    /// Asks what became of the payment with our number `out_trade_no`. The answer is checked to be about that number.
    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError>;

    /// Ends the payment with our number if it is unpaid.
    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError>;

    /// Gives money back. The same number with the same amount never gives it twice, so an unknown outcome may be asked
    /// again, and must be with the same members.
    ///
    /// Errors: `Unknown` where nobody knows; `Refused` where the call itself was refused (a member, the key, the contract)
    /// and nothing was done.
    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError>;

    /// Asks what became of the refund `refund_no` of the payment `out_trade_no`. The answer is checked to be about both.
    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError>;

    /// Signs the form with which a buyer's browser goes to the channel's cashier. The channel is not called and knows of
    /// no payment until the browser has come. Errors: `Refused` for members that the channel does not take.
    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError>;

    /// Reads a notification: verifies it on its raw bytes, then parses it, then compares what it says of the receiver
    /// (app id, seller) with our configuration. `received_at` is the receiver's clock.
    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal>;

    /// What goes back to the channel for a notification, in the channel's own words.
    fn reply(&self, receipt: Receipt) -> NotificationReply;

    /// Whether a new attempt may be begun with the channel now. It says nothing about notifications, which are always
    /// read, nor about what was begun before.
    fn available(&self) -> bool {
        true
    }
}

#[async_trait]
impl<G: Gateway + ?Sized> Gateway for Arc<G> {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        self.as_ref().precreate(request).await
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        self.as_ref().query(out_trade_no).await
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.as_ref().close(out_trade_no).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.as_ref().refund(request).await
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.as_ref().query_refund(out_trade_no, refund_no).await
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.as_ref().form(request)
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        self.as_ref().read_notification(raw, received_at)
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        self.as_ref().reply(receipt)
    }

    fn available(&self) -> bool {
        self.as_ref().available()
    }
}
