use chrono::{DateTime, Utc};
use domain::Money;

use super::RefundState;

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
    /// What became of one refund; the notification's `amount` is that of the whole payment.
    Refund {
        /// Our number of the refund, as the channel has it; another's where it was not made by us.
        refund_no: String,
        /// What it gives back.
        amount: Money,
        /// How it stands. Never `NotFound`.
        state: RefundState,
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
    /// XML that declares or uses entities: a reader could be made to fetch files or to grow without end.
    #[error("unsafe_xml")]
    UnsafeXml,
    /// A member appears twice.
    #[error("duplicate_param")]
    DuplicateParam,
    /// It is not signed.
    #[error("missing_sign")]
    MissingSign,
    /// More than is read of any notification.
    #[error("too_large")]
    TooLarge,
    /// A header that the signature needs is missing.
    #[error("missing_header")]
    MissingHeader,
    /// A header that the signature needs is there twice, or holds what no such header holds.
    #[error("bad_header")]
    BadHeader,
    /// It was signed too long ago, or in the future: it may be played back.
    #[error("clock_skew")]
    ClockSkew,
    /// It names a key that is not configured and was not fetched.
    #[error("unknown_serial")]
    UnknownSerial,
    /// The channel's own test of whether we look at signatures.
    #[error("signature_probe")]
    SignatureProbe,
    /// What it holds is encrypted in another way than the pinned one.
    #[error("algorithm_not_allowed")]
    AlgorithmNotAllowed,
    /// What it holds is encrypted with a nonce of a wrong length.
    #[error("bad_nonce")]
    BadNonce,
    /// What it holds is no text with its tag.
    #[error("bad_ciphertext")]
    BadCiphertext,
    /// What it holds cannot be decrypted with our key.
    #[error("undecryptable")]
    Undecryptable,
    /// Encrypted and not signed, and not with our key: anybody may have written it.
    #[error("not_encrypted_for_us")]
    NotEncryptedForUs,
    /// It asks for another algorithm than the configured one.
    #[error("sign_type_not_allowed")]
    SignTypeNotAllowed,
    /// Signed under a certificate of the channel's that has expired.
    #[error("certificate_expired")]
    CertificateExpired,
    /// Signed under a certificate of the channel's that is not valid yet.
    #[error("certificate_not_yet_valid")]
    CertificateNotYetValid,
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
    /// For another merchant.
    #[error("merchant_id_mismatch")]
    MerchantIdMismatch,
    /// In a currency that we do not take.
    #[error("currency_mismatch")]
    CurrencyMismatch,
    /// Its parts tell different things, for instance its type and its content.
    #[error("contradictory")]
    Contradictory,
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
                | Self::AlgorithmNotAllowed
                | Self::BadNonce
                | Self::BadCiphertext
                | Self::Undecryptable
                | Self::AppIdMismatch
                | Self::SellerIdMismatch
                | Self::MerchantIdMismatch
                | Self::CurrencyMismatch
                | Self::Contradictory
                | Self::UnknownStatus
                | Self::BadCharset
                | Self::BadAmount
                | Self::Incomplete
                | Self::UnknownOrder
                | Self::AmountMismatch
        )
    }
}

impl NotificationRefusal {
    /// Whether it speaks against the address that sent it. The channel's own tests do not.
    pub fn is_suspicious(self) -> bool {
        !self.is_authentic() && self != Self::SignatureProbe
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
