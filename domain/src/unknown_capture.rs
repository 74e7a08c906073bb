//! Money that a channel verifiably took for a number of ours that no pay record has, and what an operator made of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::decider::Decider;
use crate::ids::PayNo;
use crate::money::{MinorUnits, Money};
use crate::stock::CommandKey;

mod events;

pub use events::{
    UnassignCause, UnknownCaptureAssigned, UnknownCaptureEvent, UnknownCaptureMatched, UnknownCaptureOutcome, UnknownCaptureReceived,
    UnknownCaptureRefunded, UnknownCaptureResolved, UnknownCaptureStreamEvent, UnknownCaptureUnassigned,
};

/// What an operator made of an unknown capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It belongs to this pay record; whether its order has taken it is not known yet.
    Assigned(PayNo),
    /// It stands on the stream of this pay record's order.
    Matched(PayNo),
    /// It was dealt with otherwise.
    Resolved,
}

/// What is true of an unknown capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownCapture {
    /// What came, once it did.
    pub received: Option<UnknownCaptureReceived>,
    /// How much of it went back before it was brought to any order, in smallest units; `None` where nothing was told.
    pub refunded: Option<MinorUnits>,
    /// What an operator made of it.
    pub settlement: Option<Settlement>,
    /// Why, in the operator's words; `None` while it is nobody's.
    pub reason: Option<String>,
    /// The pay records that it was assigned to and could not be brought to.
    pub unassigned: BTreeSet<PayNo>,
    /// The operators' keys: what was asked with each, by its hash.
    keys: BTreeMap<String, String>,
}

/// A wish about an unknown capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownCaptureCommand {
    /// Record that it came.
    Receive(UnknownCaptureReceived),
    /// Record how much of it went back so far.
    Refund {
        /// All that went back of it.
        total: Money,
        /// When we learned of it.
        now: DateTime<Utc>,
    },
    /// It belongs to a pay record.
    Assign {
        /// The pay record.
        pay_no: PayNo,
        /// In the operator's words.
        reason: String,
        /// The operator's key.
        command_key: Option<CommandKey>,
    },
    /// Record that it stands on the stream of a pay record's order.
    Match {
        /// The pay record.
        pay_no: PayNo,
        /// What went back of it that the order's stream tells of.
        refunded: Option<MinorUnits>,
    },
    /// Record that it could not be brought to the pay record that it was assigned to.
    Unassign {
        /// The pay record.
        pay_no: PayNo,
        /// Why.
        cause: UnassignCause,
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
    /// More of it went back than its order was told of.
    #[error("more of it went back than its order was told of")]
    RefundUntold,
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

    /// Whether it was ever assigned to this pay record, so that its order may hold it.
    pub fn was_assigned_to(&self, pay_no: PayNo) -> bool {
        self.settlement.is_some_and(|settlement| settlement.pay_no() == Some(pay_no)) || self.unassigned.contains(&pay_no)
    }

    /// The money as it came, if `wished` may still become of it; `None` where it has already.
    fn open_for(&self, wished: Settlement, key: Option<&CommandKey>) -> Result<Option<&UnknownCaptureReceived>, UnknownCaptureRejection> {
        if self.has_done(key)? {
            return Ok(None);
        }
        let received = self.came()?;
        match self.settlement {
            None => Ok(Some(received)),
            Some(settlement) if settlement.fulfils(wished) => Ok(None),
            Some(_) => Err(UnknownCaptureRejection::Settled),
        }
    }

    fn came(&self) -> Result<&UnknownCaptureReceived, UnknownCaptureRejection> {
        self.received.as_ref().ok_or(UnknownCaptureRejection::Unknown)
    }

    fn remember(&mut self, key: Option<&CommandKey>) {
        self.keys.extend(key.map(|key| (key.key_hash.clone(), key.request_hash.clone())));
    }

    /// Records a total only where it says more than was known: notifications repeat, and overtake each other.
    fn refund(&self, total: Money, now: DateTime<Utc>) -> Result<Option<UnknownCaptureStreamEvent>, UnknownCaptureRejection> {
        let received = self.came()?;
        if matches!(self.settlement, Some(Settlement::Matched(_))) {
            return Err(UnknownCaptureRejection::Settled);
        }
        let is_news =
            Some(total.minor_units()) > self.refunded && total.minor_units() <= received.amount && total.currency() == received.currency;
        let event = UnknownCaptureRefunded {
            wallet: received.wallet.clone(),
            trade_no: received.trade_no.clone(),
            refunded_amount: total.minor_units(),
            currency: received.currency,
            received_at: now,
        };
        Ok(is_news.then(|| UnknownCaptureStreamEvent::Told(event.into())))
    }

    /// That an order holds the money is a fact, whatever was said of it before; only another order's word contradicts it.
    fn matched(&self, pay_no: PayNo, refunded: Option<MinorUnits>) -> Result<Option<UnknownCaptureStreamEvent>, UnknownCaptureRejection> {
        let received = self.came()?;
        match self.settlement {
            Some(Settlement::Matched(at)) if at == pay_no => return Ok(None),
            Some(Settlement::Matched(_)) => return Err(UnknownCaptureRejection::Settled),
            _ if !self.was_assigned_to(pay_no) => return Err(UnknownCaptureRejection::Settled),
            _ if refunded < self.refunded => return Err(UnknownCaptureRejection::RefundUntold),
            _ => {}
        }
        let (wallet, trade_no) = (received.wallet.clone(), received.trade_no.clone());
        Ok(Some(UnknownCaptureStreamEvent::Decided(UnknownCaptureMatched { wallet, trade_no, pay_no }.into())))
    }

    fn unassigned(&self, pay_no: PayNo, cause: UnassignCause) -> Result<Option<UnknownCaptureStreamEvent>, UnknownCaptureRejection> {
        let received = self.came()?;
        if self.settlement != Some(Settlement::Assigned(pay_no)) {
            let is_known = self.settlement.is_none() && self.unassigned.contains(&pay_no);
            return if is_known { Ok(None) } else { Err(UnknownCaptureRejection::Settled) };
        }
        let (wallet, trade_no) = (received.wallet.clone(), received.trade_no.clone());
        Ok(Some(UnknownCaptureStreamEvent::Decided(UnknownCaptureUnassigned { wallet, trade_no, pay_no, cause }.into())))
    }
}

impl Settlement {
    /// The pay record that it was assigned to.
    pub fn pay_no(self) -> Option<PayNo> {
        match self {
            Self::Assigned(pay_no) | Self::Matched(pay_no) => Some(pay_no),
            Self::Resolved => None,
        }
    }

    /// Whether nothing is left to do for who wishes this.
    fn fulfils(self, wished: Self) -> bool {
        self.pay_no() == wished.pay_no()
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
            UnknownCaptureCommand::Refund { total, now } => state.refund(total, now)?,
            UnknownCaptureCommand::Assign { pay_no, reason, command_key } => {
                let open = state.open_for(Settlement::Assigned(pay_no), command_key.as_ref())?;
                open.map(|received| {
                    let (wallet, trade_no) = (received.wallet.clone(), received.trade_no.clone());
                    UnknownCaptureStreamEvent::Decided(UnknownCaptureAssigned { wallet, trade_no, pay_no, reason, command_key }.into())
                })
            }
            UnknownCaptureCommand::Match { pay_no, refunded } => state.matched(pay_no, refunded)?,
            UnknownCaptureCommand::Unassign { pay_no, cause } => state.unassigned(pay_no, cause)?,
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
            UnknownCaptureStreamEvent::Told(UnknownCaptureEvent::UnknownCaptureRefunded(event)) => {
                state.refunded = state.refunded.max(Some(event.refunded_amount));
            }
            UnknownCaptureStreamEvent::Decided(UnknownCaptureOutcome::UnknownCaptureAssigned(event)) => {
                state.settlement = Some(Settlement::Assigned(event.pay_no));
                state.reason = Some(event.reason.clone());
                state.remember(event.command_key.as_ref());
            }
            UnknownCaptureStreamEvent::Decided(UnknownCaptureOutcome::UnknownCaptureMatched(event)) => {
                state.settlement = Some(Settlement::Matched(event.pay_no));
            }
            UnknownCaptureStreamEvent::Decided(UnknownCaptureOutcome::UnknownCaptureUnassigned(event)) => {
                state.settlement = None;
                state.reason = None;
                // Whoever repeats the wish with its key wishes it anew.
                state.keys.clear();
                state.unassigned.insert(event.pay_no);
            }
            UnknownCaptureStreamEvent::Decided(UnknownCaptureOutcome::UnknownCaptureResolved(event)) => {
                state.settlement = Some(Settlement::Resolved);
                state.reason = Some(event.reason.clone());
                state.remember(event.command_key.as_ref());
            }
        }
        state
    }
}

#[cfg(test)]
mod tests;
