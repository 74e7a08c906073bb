//! Money that a channel verifiably took for a number of ours that no pay record has.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::money::{Currency, MinorUnits};
use crate::stored::stored_events;

stored_events! {
    /// What may happen on the stream `unknown_capture-{channel}-{trade_no}`.
    UnknownCaptureEvent {
        /// Money came that no pay record asked for.
        UnknownCaptureReceived = 1,
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

/// What is true of an unknown capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownCapture {
    /// What came, once it did.
    pub received: Option<UnknownCaptureReceived>,
}

/// Nothing about an unknown capture is refused: it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCaptureRejection {}

impl Decider for UnknownCapture {
    type State = Self;
    type Command = UnknownCaptureReceived;
    type Event = UnknownCaptureEvent;
    type Rejection = UnknownCaptureRejection;

    fn decide(state: &Self, received: UnknownCaptureReceived) -> Result<Vec<UnknownCaptureEvent>, UnknownCaptureRejection> {
        Ok(if state.received.is_some() { vec![] } else { vec![received.into()] })
    }

    fn evolve(mut state: Self, event: &UnknownCaptureEvent) -> Self {
        let UnknownCaptureEvent::UnknownCaptureReceived(event) = event;
        state.received = Some(event.clone());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_capture_told_twice_is_recorded_once() {
        let received = UnknownCaptureReceived {
            wallet: "alipay".to_owned(),
            trade_no: "T1".to_owned(),
            out_trade_no: "X1".to_owned(),
            amount: MinorUnits::new(100).unwrap(),
            currency: Currency::Cny,
            paid_at: None,
            paid_at_offset: None,
            received_at: DateTime::UNIX_EPOCH,
        };
        let events = UnknownCapture::decide(&UnknownCapture::default(), received.clone()).unwrap();
        assert_eq!(events.len(), 1);
        let state = UnknownCapture::fold(UnknownCapture::default(), &events);
        assert_eq!(UnknownCapture::decide(&state, received).unwrap(), vec![]);
    }
}
