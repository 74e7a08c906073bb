mod client;
mod form;
mod notification;
mod official_account;
mod product_codes;
mod refund;
mod statement;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Channel, Money};

pub use client::ClientParameters;
pub use form::{FormRequest, PaymentForm};
pub use notification::{News, Notification, NotificationRefusal, NotificationReply, RawNotification, Receipt};
pub use official_account::{OfficialAccount, OpenIdError};
pub use product_codes::{ProductCodes, ProductScan, ScanAnswer};
pub use refund::{RefundFound, RefundRequest, RefundState};
pub use statement::{STATEMENT_LINE_LIMIT, Statement, StatementError, StatementLine, StatementLineKind, says_no_statement};

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
    /// Sign what a page or an app hands to the wallet. The channel is not called.
    ClientParameters,
    /// Fetch what the channel says of one day.
    DownloadStatement,
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
            Self::ClientParameters => "client_parameters",
            Self::DownloadStatement => "download_statement",
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
    /// The product of the wallet: it decides what is prepared, and by which application.
    pub channel: Channel,
    /// What is asked for.
    pub amount: Money,
    /// What the buyer reads. It holds no `&`, `=` or `/`.
    pub subject: String,
    /// The channel's product code, from configuration (Alipay: `FACE_TO_FACE_PAYMENT` or `QR_CODE_OFFLINE`; WeChat Pay has
    /// none).
    pub product_code: String,
    /// When the channel itself stops taking money, whole seconds.
    pub time_expire: DateTime<Utc>,
    /// Where the channel sends its notifications.
    pub notify_url: String,
    /// Who pays, as the wallet names them to the application: WeChat Pay inside WeChat and in mini programs needs it.
    pub payer_openid: Option<String>,
    /// The address of the payer's device: WeChat Pay on a phone's browser needs it.
    pub payer_client_ip: Option<IpAddr>,
}

/// What a channel prepared for the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precreated {
    /// A code to scan, and what answers the channel when it tells of a scan of a product's own code: see [`ProductCodes`].
    CodeAndPrepay {
        /// What the QR holds.
        code_url: String,
        /// The channel's number of the same payment.
        prepay_id: String,
    },
    /// A code to scan.
    Code {
        /// What the QR holds.
        code_url: String,
    },
    /// A page of the wallet to which a phone's browser is sent.
    Link {
        /// Its address.
        url: String,
    },
    /// What a page inside the wallet, a mini program or an app hands to the wallet, signed: see
    /// [`Gateway::client_parameters`].
    Prepay {
        /// The channel's number of it.
        prepay_id: String,
    },
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
    /// Some of it went back or is on its way back, of which the channel does not say how much (WeChat Pay: REFUND). Alipay does
    /// not say so as long as a part of it is left.
    pub has_refunds: bool,
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
    /// The channel closes nothing so soon after it was precreated (WeChat Pay: five minutes): ask again later.
    TooEarly,
}

/// One channel, asked by us. Every call has a time limit of its own; a time-out is [`GatewayError::Unknown`].
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Asks for what the buyer pays by. At WeChat Pay the same number with the same members may be asked for again while it
    /// is unpaid, and the newest code counts; elsewhere one number is asked for once.
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

    /// Asks for a refund that nobody here asked for, by the number under which the channel tells of it. `None` where the
    /// channel knows no such refund of the payment, and from a channel that cannot be asked so.
    async fn find_refund(&self, _out_trade_no: &str, _refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        Ok(None)
    }

    /// Signs the form with which a buyer's browser goes to the channel's cashier. The channel is not called and knows of
    /// no payment until the browser has come. Errors: `Refused` for members that the channel does not take.
    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError>;

    /// Signs what a page inside the wallet, a mini program or an app hands to the wallet to pay `prepay_id`. The channel is
    /// not called; `at` is now, and `nonce` at most 32 letters and digits that are used once. Errors: `Refused` for a
    /// channel without such parameters.
    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError>;

    /// Fetches the channel's statement of `date`, a day of its own calendar that is over, whole or not at all. A day on
    /// which nothing moved has an empty one.
    ///
    /// Errors: `Refused` where the channel has none of that day (yet), or the adapter cannot fetch any
    /// (`paystream.no_statements`); `Unknown` where it did not answer or sent a file that cannot be relied on, with a
    /// [`StatementError`] as its source.
    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        let _ = date;
        let code = "paystream.no_statements".to_owned();
        Err(GatewayError::Refused { channel: Channel::None, operation: Operation::DownloadStatement, code })
    }

    /// Reads a notification: verifies it on its raw bytes, then parses it, then compares what it says of the receiver
    /// (app id, seller) with our configuration. `received_at` is the receiver's clock.
    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal>;

    /// Asks the channel for the key that a notification names and that is not known here, where it lets keys be fetched;
    /// then the notification can be read again. Whoever else waits for the same key asks only once, and whatever comes, the
    /// channel is not asked again for a while.
    async fn fetch_key(&self, raw: &RawNotification) {
        let _ = raw;
    }

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

    async fn find_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        self.as_ref().find_refund(out_trade_no, refund_no).await
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.as_ref().form(request)
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        self.as_ref().client_parameters(channel, prepay_id, at, nonce)
    }

    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        self.as_ref().download_statement(date).await
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        self.as_ref().read_notification(raw, received_at)
    }

    async fn fetch_key(&self, raw: &RawNotification) {
        self.as_ref().fetch_key(raw).await;
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        self.as_ref().reply(receipt)
    }

    fn available(&self) -> bool {
        self.as_ref().available()
    }
}
