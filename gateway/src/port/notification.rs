use chrono::{DateTime, Utc};
use domain::Money;

/// What became of a notification here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// What it says is durable, now or since an earlier delivery: the channel need not repeat it.
    Durable,
    /// It is not believed, or could not be kept: the channel may repeat it.
    Refused,
}

/// An HTTP answer to a notification. Channels compare its bytes, so nothing may be added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationReply {
    /// The HTTP status.
    pub status: u16,
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: &'static str,
}

/// A notification as it came.
#[derive(Clone, Debug)]
pub struct RawNotification {
    /// Header names in lower case and their values, in order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// A genuine notification for us. What it says is not compared with any pay record yet; see [`Notification::judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel's own id of the notification, the same in repeats.
    pub notify_id: String,
    /// Our number.
    pub out_trade_no: String,
    /// The channel's number.
    pub trade_no: String,
    /// The amount of the whole payment, as the channel says.
    pub amount: Money,
    /// What it tells.
    pub news: News,
    /// The signed text could be read in two ways, or lacks a member that binds it to us: ask the channel before acting.
    pub query_first: bool,
}

/// What a notification tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Paid.
    Paid {
        /// The channel's payment time.
        paid_at: Option<DateTime<Utc>>,
        /// No refund is possible any more.
        is_final: bool,
    },
    /// The buyer has come, and has not paid.
    AwaitingBuyer,
    /// Closed without payment.
    ClosedUnpaid,
    /// Refunded, in part or whole.
    Refunded {
        /// Running total of all refunds of the payment.
        total: Money,
        /// Whether nothing of the payment is left.
        whole: bool,
        /// Our refund's number, where it names one.
        refund_no: Option<String>,
    },
    /// Closed after a payment with nothing said of refunds: ask.
    Unclear,
}

/// Why a notification is not believed. Each has a reason word of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationRefusal {
    /// Not readable as a notification at all.
    #[error("malformed")]
    Malformed,
    /// A member appears twice.
    #[error("duplicate_param")]
    DuplicateParam,
    /// It is not signed.
    #[error("missing_sign")]
    MissingSign,
    /// It asks for another algorithm than the configured one.
    #[error("sign_type_not_allowed")]
    SignTypeNotAllowed,
    /// The signature is not the channel's.
    #[error("bad_signature")]
    BadSignature,
    /// Signed by the channel, but for a browser's way back: every buyer holds such a text and may write it in many ways.
    #[error("not_a_notification")]
    NotANotification,
    /// Another kind of notification than a payment's.
    #[error("unknown_type")]
    UnknownType,
    /// For another app.
    #[error("app_id_mismatch")]
    AppIdMismatch,
    /// For another seller.
    #[error("seller_id_mismatch")]
    SellerIdMismatch,
    /// A state that this version does not know.
    #[error("unknown_status")]
    UnknownStatus,
    /// A text encoding that is not supported, or bytes that are not of the one it names.
    #[error("bad_charset")]
    BadCharset,
    /// An amount that is not one.
    #[error("bad_amount")]
    BadAmount,
    /// A number that every notification has is missing.
    #[error("incomplete")]
    Incomplete,
    /// No pay record of ours has the number.
    #[error("unknown_order")]
    UnknownOrder,
    /// The amount is not the pay record's.
    #[error("amount_mismatch")]
    AmountMismatch,
}

impl NotificationRefusal {
    /// Whether the notification itself is genuine (its signature holds) although it is refused.
    pub fn is_authentic(self) -> bool {
        matches!(
            self,
            Self::UnknownType
                | Self::AppIdMismatch
                | Self::SellerIdMismatch
                | Self::UnknownStatus
                | Self::BadCharset
                | Self::BadAmount
                | Self::Incomplete
                | Self::UnknownOrder
                | Self::AmountMismatch
        )
    }
}

impl Notification {
    /// Compares the notification with what our pay record expects (`None`: there is no such record).
    /// Errors: `UnknownOrder`, `AmountMismatch`.
    pub fn judge(&self, expected: Option<Money>) -> Result<&News, NotificationRefusal> {
        match expected {
            None => Err(NotificationRefusal::UnknownOrder),
            Some(amount) if amount != self.amount => Err(NotificationRefusal::AmountMismatch),
            Some(_) => Ok(&self.news),
        }
    }
}
