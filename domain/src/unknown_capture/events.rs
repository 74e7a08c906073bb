use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::PayNo;
use crate::money::{Currency, MinorUnits};
use crate::stock::CommandKey;
use crate::stored::{StoredFormError, stored_events};

stored_events! {
    /// What a channel tells on the stream `unknown_capture-{channel}-{trade_no}`.
    UnknownCaptureEvent {
        /// Money came that no pay record asked for.
        UnknownCaptureReceived = 1,
        /// Some of it went back, or all, while it belonged to no pay record.
        UnknownCaptureRefunded = 1,
    }
}

stored_events! {
    /// What becomes of it by an operator's decision, on the stream `unknown_capture-{channel}-{trade_no}`.
    UnknownCaptureOutcome {
        /// It belongs to a pay record: the intent.
        UnknownCaptureAssigned = 1,
        /// It stands on that pay record's order: the intent's outcome.
        UnknownCaptureMatched = 1,
        /// It could not be brought there: the intent's other outcome.
        UnknownCaptureUnassigned = 1,
        /// It was dealt with otherwise.
        UnknownCaptureResolved = 1,
    }
}

/// Money came that no pay record asked for. An operator decides what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnknownCaptureReceived {
    /// The wallet that took it, for instance `alipay`.
    pub wallet: String,
    /// The channel's own number.
    pub trade_no: String,
    /// The number that the channel says is ours.
    pub out_trade_no: String,
    /// How much, in smallest units.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// When, as the channel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<DateTime<Utc>>,
    /// The offset from UTC in which the channel wrote that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at_offset: Option<String>,
    /// When we learned of it.
    pub received_at: DateTime<Utc>,
}

/// A channel tells how much of the money went back, before it was brought to any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnknownCaptureRefunded {
    /// The wallet that took it, for instance `alipay`.
    pub wallet: String,
    /// The channel's own number.
    pub trade_no: String,
    /// How much of it went back so far, in smallest units.
    pub refunded_amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// When we learned of it.
    pub received_at: DateTime<Utc>,
}

/// An operator has found the pay record that the money was paid for. What that means is then decided on the order's stream;
/// UnknownCaptureMatched or UnknownCaptureUnassigned tells that it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnknownCaptureAssigned {
    /// The wallet that took it, for instance `alipay`.
    pub wallet: String,
    /// The channel's own number.
    pub trade_no: String,
    /// The pay record that it belongs to.
    pub pay_no: PayNo,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// The money stands on the stream of the order that it was assigned to, which holds it from there on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnknownCaptureMatched {
    /// The wallet that took it, for instance `alipay`.
    pub wallet: String,
    /// The channel's own number.
    pub trade_no: String,
    /// The pay record that it was paid for.
    pub pay_no: PayNo,
}

/// The money could not be brought to the pay record that it was assigned to. It belongs to none again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnknownCaptureUnassigned {
    /// The wallet that took it, for instance `alipay`.
    pub wallet: String,
    /// The channel's own number.
    pub trade_no: String,
    /// The pay record that it was assigned to.
    pub pay_no: PayNo,
    /// Why.
    pub cause: UnassignCause,
}

/// Why assigned money could not be brought to its pay record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnassignCause {
    /// The channel says that it went back meanwhile: all of it, or nobody knows how much.
    WentBack,
    /// The channel does not say any more that it holds it.
    NotHeld,
    /// There is no such pay record, or none of its wallet.
    NoPayRecord,
    /// The order refuses it.
    Refused,
}

/// An operator has dealt with the money outside of Paystream: it went back another way, or belongs elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnknownCaptureResolved {
    /// The wallet that took it, for instance `alipay`.
    pub wallet: String,
    /// The channel's own number.
    pub trade_no: String,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// An event on the stream `unknown_capture-{channel}-{trade_no}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownCaptureStreamEvent {
    /// A channel told it.
    Told(UnknownCaptureEvent),
    /// An operator decided it, or it followed from that.
    Decided(UnknownCaptureOutcome),
}

impl UnknownCaptureStreamEvent {
    /// The stored name.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Told(event) => event.event_type(),
            Self::Decided(event) => event.event_type(),
        }
    }

    /// The number of the shape in which it is written today.
    pub fn schema_version(&self) -> u16 {
        match self {
            Self::Told(event) => event.schema_version(),
            Self::Decided(event) => event.schema_version(),
        }
    }

    /// The content's exact JSON.
    pub fn to_json(&self) -> String {
        match self {
            Self::Told(event) => event.to_json(),
            Self::Decided(event) => event.to_json(),
        }
    }

    /// Reads what was stored, in whatever shape it was.
    pub fn from_stored(event_type: &str, schema_version: u16, data: &str) -> Result<Self, StoredFormError> {
        if UnknownCaptureOutcome::STORED.iter().any(|(name, _)| *name == event_type) {
            UnknownCaptureOutcome::from_stored(event_type, schema_version, data).map(Self::Decided)
        } else {
            UnknownCaptureEvent::from_stored(event_type, schema_version, data).map(Self::Told)
        }
    }
}
