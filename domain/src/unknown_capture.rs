//! Money that a channel verifiably took for a number of ours that no pay record has, and what an operator made of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::ids::PayNo;
use crate::money::{Currency, MinorUnits};
use crate::stock::CommandKey;
use crate::stored::{StoredFormError, stored_events};

stored_events! {
    /// What a channel tells on the stream `unknown_capture-{channel}-{trade_no}`.
    UnknownCaptureEvent {
        /// Money came that no pay record asked for.
        UnknownCaptureReceived = 1,
    }
}

stored_events! {
    /// What an operator decides on the stream `unknown_capture-{channel}-{trade_no}`.
    UnknownCaptureOutcome {
        /// It belongs to a pay record.
        UnknownCaptureAssigned = 1,
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

/// An operator has found the pay record that the money was paid for. What that means is then decided on the order's stream,
/// which holds the money from there on.
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
    /// An operator decided it.
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

/// What an operator made of an unknown capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It belongs to this pay record.
    Assigned(PayNo),
    /// It was dealt with otherwise.
    Resolved,
}

/// What is true of an unknown capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownCapture {
    /// What came, once it did.
    pub received: Option<UnknownCaptureReceived>,
    /// What an operator made of it.
    pub settlement: Option<Settlement>,
    /// The operators' keys: what was asked with each, by its hash.
    keys: BTreeMap<String, String>,
}

/// A wish about an unknown capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownCaptureCommand {
    /// Record that it came.
    Receive(UnknownCaptureReceived),
    /// It belongs to a pay record.
    Assign {
        /// The pay record.
        pay_no: PayNo,
        /// In the operator's words.
        reason: String,
        /// The operator's key.
        command_key: Option<CommandKey>,
    },
    /// It was dealt with otherwise.
    Resolve {
        /// In the operator's words.
        reason: String,
        /// The operator's key.
        command_key: Option<CommandKey>,
    },
}

/// Why a wish about an unknown capture is refused. That it came never is: it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCaptureRejection {
    /// No such money came.
    #[error("no such money came")]
    Unknown,
    /// An operator has made something else of it.
    #[error("an operator has decided otherwise")]
    Settled,
    /// The operator's key was used for something else.
    #[error("the key was used for something else")]
    KeyReused,
}

impl UnknownCapture {
    /// Whether this key has done this already. Errors: `KeyReused` where it did something else.
    pub fn has_done(&self, key: Option<&CommandKey>) -> Result<bool, UnknownCaptureRejection> {
        match key.and_then(|key| self.keys.get(&key.key_hash).map(|asked| *asked == key.request_hash)) {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) => Err(UnknownCaptureRejection::KeyReused),
        }
    }

    /// The money as it came, if `wished` may still become of it; `None` where it has already.
    fn open_for(&self, wished: Settlement, key: Option<&CommandKey>) -> Result<Option<&UnknownCaptureReceived>, UnknownCaptureRejection> {
        if self.has_done(key)? {
            return Ok(None);
        }
        let received = self.received.as_ref().ok_or(UnknownCaptureRejection::Unknown)?;
        match self.settlement {
            None => Ok(Some(received)),
            Some(settlement) if settlement == wished => Ok(None),
            Some(_) => Err(UnknownCaptureRejection::Settled),
        }
    }

    fn remember(&mut self, key: Option<&CommandKey>) {
        self.keys.extend(key.map(|key| (key.key_hash.clone(), key.request_hash.clone())));
    }
}

impl Decider for UnknownCapture {
    type State = Self;
    type Command = UnknownCaptureCommand;
    type Event = UnknownCaptureStreamEvent;
    type Rejection = UnknownCaptureRejection;

    fn decide(state: &Self, command: UnknownCaptureCommand) -> Result<Vec<UnknownCaptureStreamEvent>, UnknownCaptureRejection> {
        let event: Option<UnknownCaptureStreamEvent> = match command {
            UnknownCaptureCommand::Receive(_) if state.received.is_some() => None,
            UnknownCaptureCommand::Receive(received) => Some(UnknownCaptureStreamEvent::Told(received.into())),
            UnknownCaptureCommand::Assign { pay_no, reason, command_key } => {
                let open = state.open_for(Settlement::Assigned(pay_no), command_key.as_ref())?;
                open.map(|received| {
                    let (wallet, trade_no) = (received.wallet.clone(), received.trade_no.clone());
                    UnknownCaptureStreamEvent::Decided(UnknownCaptureAssigned { wallet, trade_no, pay_no, reason, command_key }.into())
                })
            }
            UnknownCaptureCommand::Resolve { reason, command_key } => {
                let open = state.open_for(Settlement::Resolved, command_key.as_ref())?;
                open.map(|received| {
                    let (wallet, trade_no) = (received.wallet.clone(), received.trade_no.clone());
                    UnknownCaptureStreamEvent::Decided(UnknownCaptureResolved { wallet, trade_no, reason, command_key }.into())
                })
            }
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(mut state: Self, event: &UnknownCaptureStreamEvent) -> Self {
        match event {
            UnknownCaptureStreamEvent::Told(UnknownCaptureEvent::UnknownCaptureReceived(event)) => state.received = Some(event.clone()),
            UnknownCaptureStreamEvent::Decided(UnknownCaptureOutcome::UnknownCaptureAssigned(event)) => {
                state.settlement = Some(Settlement::Assigned(event.pay_no));
                state.remember(event.command_key.as_ref());
            }
            UnknownCaptureStreamEvent::Decided(UnknownCaptureOutcome::UnknownCaptureResolved(event)) => {
                state.settlement = Some(Settlement::Resolved);
                state.remember(event.command_key.as_ref());
            }
        }
        state
    }
}

#[cfg(test)]
mod tests;
