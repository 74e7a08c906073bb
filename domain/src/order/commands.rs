use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::events::OrderDraft;
use crate::channel::Channel;
use crate::ids::{OrderId, PayNo, RefundNo};
use crate::money::Money;
use crate::pay_record::{Capture, ClosingProof, PayRecordRejection, Prepared};

/// A wish about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// Record what is owed.
    Create {
        /// What it is.
        draft: OrderDraft,
        /// When.
        now: DateTime<Utc>,
        /// Until when it can be paid.
        expires_at: DateTime<Utc>,
    },
    /// Decide that an order which was never made never will be.
    Abandon {
        /// Its number.
        order_id: OrderId,
    },
    /// Begin to pay through a channel, or find the attempt that is on its way.
    Attempt(Attempt),
    /// Record what the channel gave for an attempt.
    RecordPrepared {
        /// The attempt.
        pay_no: PayNo,
        /// What it is.
        prepared: Prepared,
        /// When the channel was asked for it.
        asked_at: DateTime<Utc>,
        /// Until when it can be used.
        expires_at: DateTime<Utc>,
        /// What it takes the place of, alive or not, where whoever asked had seen that: the channel lets nothing be paid by
        /// what it gave before. None for the first.
        replaces: Option<Prepared>,
    },
    /// Record that the channel refused an attempt.
    RecordRefused {
        /// The attempt.
        pay_no: PayNo,
        /// The channel's word.
        code: String,
    },
    /// The channel does not know an attempt whose code never reached us: end it and take the next number.
    Reattempt {
        /// The attempt without an outcome.
        pay_no: PayNo,
        /// The same wish again, with a fresh clock.
        attempt: Attempt,
    },
    /// Record that the buyer is being sent to the channel's page.
    OpenPayRecord {
        /// The attempt.
        pay_no: PayNo,
        /// When.
        now: DateTime<Utc>,
    },
    /// Record money that a channel verifiably took.
    RecordCapture {
        /// The attempt that the channel names.
        pay_no: PayNo,
        /// The money.
        capture: Capture,
    },
    /// Record what is known of an attempt that nobody paid.
    ClosePayRecord {
        /// The attempt.
        pay_no: PayNo,
        /// What is known.
        proof: ClosingProof,
    },
    /// End the order unpaid, if it is.
    Cancel {
        /// What the one who wishes it says.
        reason: Option<String>,
    },
    /// End the order if its time is over.
    Expire {
        /// When.
        now: DateTime<Utc>,
    },
    /// End without proof what is still closing, if the channels were waited for long enough.
    StopWaiting {
        /// When.
        now: DateTime<Utc>,
    },
    /// Take a late payment after all: what it needs is reserved again.
    Revive {
        /// The pay record whose money came late.
        pay_no: PayNo,
    },
    /// Give late payments back: all that came late to the record and are not on their way back.
    RefundLatePayment {
        /// The pay record whose money came late.
        pay_no: PayNo,
        /// When.
        now: DateTime<Utc>,
    },
    /// About money that goes back.
    Refund(RefundCommand),
}

/// A wish about money that goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundCommand {
    /// Give back a part of what the order was paid with, or all of it.
    Request {
        /// How much.
        amount: Money,
        /// What the operator who wishes it says.
        reason: String,
        /// When.
        now: DateTime<Utc>,
    },
    /// Record what the channel says of a refund.
    Record {
        /// The refund.
        refund_no: RefundNo,
        /// How often it had been retried when the channel was asked, or told of it: [`Refund::retries`](super::Refund::retries).
        retries: u32,
        /// What it says.
        outcome: RefundOutcome,
        /// When.
        now: DateTime<Utc>,
    },
    /// Ask once more for a refund that needs an operator.
    Retry {
        /// The refund.
        refund_no: RefundNo,
        /// What the operator says.
        reason: String,
    },
    /// Record that a refund that needs an operator was made another way.
    Settle {
        /// The refund.
        refund_no: RefundNo,
        /// What the operator says.
        reason: String,
        /// When.
        now: DateTime<Utc>,
    },
    /// Record how much of a payment went back so far, as the channel says.
    Observe {
        /// The pay record.
        pay_no: PayNo,
        /// The channel's number of the payment.
        trade_no: String,
        /// All of it so far, our own refunds too.
        total: Money,
        /// When we learned of it.
        now: DateTime<Utc>,
    },
    /// Record one refund that the channel made and nobody here asked for. Whoever commands it knows by the channel's number
    /// of it that it is not on the order yet.
    ObserveOne {
        /// The pay record.
        pay_no: PayNo,
        /// The channel's number of the payment.
        trade_no: String,
        /// What it gave back.
        amount: Money,
        /// When, as the channel says.
        refunded_at: Option<DateTime<Utc>>,
        /// When we learned of it.
        now: DateTime<Utc>,
    },
    /// Record that an operator has dealt with money that was not owed.
    ResolveSurplus {
        /// The pay record.
        pay_no: PayNo,
        /// The channel's number of the payment.
        trade_no: String,
        /// What the operator says.
        reason: String,
    },
}

/// What a channel says of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// It has taken it on.
    Accepted,
    /// The money went back.
    Succeeded {
        /// When, as the channel says.
        refunded_at: Option<DateTime<Utc>>,
    },
    /// It will not be made: the channel's last word.
    Failed {
        /// The channel's word for why.
        code: String,
    },
    /// It cannot be made without an operator.
    NeedsOperator {
        /// The channel's word for why.
        code: String,
    },
}

/// A wish to pay through a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The channel.
    pub channel: Channel,
    /// The channel's product code, from configuration.
    pub product_code: String,
    /// Where the channel sends its notifications.
    pub notify_url: String,
    /// Who pays, sealed, where the channel must be told.
    pub payer: Option<String>,
    /// A live attempt of the same channel that this one takes the place of: it was prepared for another payer.
    pub replaces: Option<PayNo>,
    /// Whether somebody's scanning our own code began it.
    pub by_scan: bool,
    /// When.
    pub now: DateTime<Utc>,
}

/// Why an order is to end unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Somebody wished so.
    Cancel,
    /// Its time is over.
    Expiry,
}

/// Why a wish about an order is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// There is no such order.
    #[error("there is no such order")]
    Unknown,
    /// An order with this number exists.
    #[error("the order exists already")]
    AlreadyCreated,
    /// It is paid.
    #[error("the order is paid already")]
    AlreadyPaid,
    /// It has ended unpaid, or is about to.
    #[error("the order has ended")]
    Ended,
    /// Less than [`super::Order::LEAST_TIME_TO_PAY`] is left.
    #[error("too little time is left to pay the order")]
    Expiring,
    /// No attempt number is left.
    #[error("the order has no attempt left")]
    AttemptsExhausted,
    /// The order has no such pay record.
    #[error("the order has no such pay record")]
    UnknownPayRecord,
    /// The order's state does not allow it.
    #[error("the order's state does not allow it")]
    WrongState,
    /// More is to go back than was paid and is not on its way back yet.
    #[error("more is to go back than was paid")]
    RefundExceedsPaid,
    /// The order has no such refund.
    #[error("the order has no such refund")]
    UnknownRefund,
    /// No refund number is left.
    #[error("the order has no refund number left")]
    RefundsExhausted,
    /// What becomes of a refund of ours must be known first.
    #[error("a refund of the payment is under way")]
    RefundInFlight,
    /// The draft's lines and its sum do not agree.
    #[error("the order's lines and its sum do not agree")]
    WrongSum,
    /// The pay record refuses.
    #[error(transparent)]
    PayRecord(#[from] PayRecordRejection),
}
