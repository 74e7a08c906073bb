use chrono::{DateTime, Utc};
use domain::Money;

/// Every member of a refund as it is recorded, so that a repeat sends the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// Our number of the payment.
    pub out_trade_no: String,
    /// Our number of the refund; one number, one amount.
    pub refund_no: String,
    /// What is given back: more than nothing, at most `total`.
    pub amount: Money,
    /// The whole payment, as the channel took it.
    pub total: Money,
    /// What the buyer may read of it. What a channel cannot take of it is replaced or cut.
    pub reason: Option<String>,
    /// Where the channel tells what became of it; `None` where the channel tells it with the payment's notifications.
    pub notify_url: Option<String>,
}

/// A refund as the channel has it, whoever asked for it, by the channel's verified answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundFound {
    /// What it gives back.
    pub amount: Money,
    /// How it stands. Never `NotFound`.
    pub state: RefundState,
}

/// What became of a refund, by the channel's verified answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// The money is on its way back to the buyer; the channel does not take that back.
    Succeeded {
        /// The channel's time of it, where it names one.
        refunded_at: Option<DateTime<Utc>>,
    },
    /// The channel has the refund and does not say that it is done. Ask later.
    Processing,
    /// The channel knows no refund of this number. Ask for it again, with the same number and amount.
    NotFound,
    /// The channel's final word: this number will never give money back. A repeat would be refused again.
    Failed {
        /// The channel's own word for why.
        code: String,
    },
    /// Nothing was given back, and a person must act first (top up, look at the contract, or give the money back by another
    /// way); then the same number may be asked for again. Also what a channel says in a word that this version does not know.
    NeedsOperator {
        /// The channel's own word for why.
        code: String,
    },
    /// A state that this version does not know; it is shown and never guessed.
    Unrecognised(String),
}
