//! Keys that fix what is created: a caller's idempotency key, or a business key. One stream each, `idempotency-{hash}`.
//!
//! The claim holds the whole resolved intent, so that a retry after a crash finishes the same work.

use serde::{Deserialize, Serialize};

use crate::course_selection::CourseSelected;
use crate::decider::Decider;
use crate::ids::PayNo;
use crate::order::OrderDraft;
use crate::stored::stored_events;

stored_events! {
    /// What may happen to a key.
    IdempotencyEvent {
        /// It fixes what is created.
        IdempotencyKeyClaimed = 2,
        /// What was to be created exists under another key.
        IdempotencyKeyRedirected = 1,
        /// What it created ended unpaid: it may be claimed again.
        IdempotencyKeyFreed = 1,
        /// What it created ended unpaid and is paid after all: it may not be claimed again.
        IdempotencyKeyHeld = 1,
    }
}

/// What is to be created, resolved whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// An order.
    Order(OrderDraft),
    /// A course selection.
    CourseSelection(CourseSelected),
}

/// A key fixes what is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdempotencyKeyClaimed {
    /// How often the key was freed before.
    pub generation: u32,
    /// Hash of the content that the caller sent: the same key with other content is refused.
    pub request_hash: String,
    /// What is to be created.
    pub intent: Intent,
}

/// What was to be created exists already under a business key: the caller's key answers with that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdempotencyKeyRedirected {
    /// The number of what exists.
    pub resource_id: String,
}

/// What a business key created ended unpaid: the same business may order again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdempotencyKeyFreed {
    /// The generation that ended.
    pub generation: u32,
}

/// What a business key created ended unpaid, and its late payment is about to be taken: nobody else may order the same
/// business meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdempotencyKeyHeld {
    /// The generation that goes on.
    pub generation: u32,
    /// The pay record whose money came late.
    pub pay_no: PayNo,
}

/// What is true of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The claim that holds, if one does.
    pub claimed: Option<IdempotencyKeyClaimed>,
    /// The number of what is answered instead of the claim's own.
    pub redirected_to: Option<String>,
    /// How often it was freed.
    pub generation: u32,
    /// The pay record by whose late payment what it created is being revived, or was.
    pub held_for: Option<PayNo>,
}

/// A wish about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdempotencyCommand {
    /// Fix what is created.
    Claim {
        /// Hash of the caller's content.
        request_hash: String,
        /// What is to be created.
        intent: Intent,
    },
    /// Answer this from now on: something else that exists already, or the claim's own. What somebody else's work has made
    /// the answer once stays the answer; a key that answers with its own may still turn to another while its own is not made.
    Redirect {
        /// Its number.
        resource_id: String,
    },
    /// The claim of `generation` ended unpaid: claim again in its place.
    Replace {
        /// The generation that ended.
        generation: u32,
        /// Hash of the caller's content.
        request_hash: String,
        /// What is to be created.
        intent: Intent,
        /// The late payment that did not revive what the claim created, if the key was held for one.
        held_for: Option<PayNo>,
    },
    /// What the claim created is to be revived: nobody may claim in its place.
    Hold {
        /// Its number.
        resource_id: String,
        /// The pay record whose money came late.
        pay_no: PayNo,
    },
}

/// Why a wish about a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyRejection {
    /// Somebody holds it; the state says who.
    #[error("the key is claimed")]
    Claimed,
    /// Nobody holds it.
    #[error("the key is not claimed")]
    Unclaimed,
    /// It answers with something else; the state says with what.
    #[error("the key answers with something else")]
    Redirected,
}

impl Intent {
    /// The number of what is to be created.
    pub fn resource_id(&self) -> String {
        match self {
            Self::Order(draft) => draft.order_id.to_string(),
            Self::CourseSelection(selected) => selected.selection_id.to_string(),
        }
    }
}

impl IdempotencyKey {
    /// The number of what the key answers with, if it is claimed.
    pub fn resource_id(&self) -> Option<String> {
        self.redirected_to.clone().or_else(|| self.claimed.as_ref().map(|claimed| claimed.intent.resource_id()))
    }
}

impl Decider for IdempotencyKey {
    type State = Self;
    type Command = IdempotencyCommand;
    type Event = IdempotencyEvent;
    type Rejection = IdempotencyRejection;

    fn decide(state: &Self, command: IdempotencyCommand) -> Result<Vec<IdempotencyEvent>, IdempotencyRejection> {
        match (command, &state.claimed) {
            (IdempotencyCommand::Claim { request_hash, intent }, None) => {
                Ok(vec![IdempotencyKeyClaimed { generation: state.generation, request_hash, intent }.into()])
            }
            (IdempotencyCommand::Replace { generation, request_hash, intent, held_for }, Some(claimed))
                if claimed.generation == generation && state.held_for == held_for =>
            {
                let again = IdempotencyKeyClaimed { generation: generation + 1, request_hash, intent };
                Ok(vec![IdempotencyKeyFreed { generation }.into(), again.into()])
            }
            (IdempotencyCommand::Redirect { resource_id }, Some(claimed)) => {
                let own = claimed.intent.resource_id();
                match state.redirected_to.as_ref().filter(|answered| **answered != own) {
                    Some(answered) if *answered == resource_id => Ok(vec![]),
                    Some(_) => Err(IdempotencyRejection::Redirected),
                    // Also where it answers with its own already: whoever has looked before must look again.
                    None => Ok(vec![IdempotencyKeyRedirected { resource_id }.into()]),
                }
            }
            (IdempotencyCommand::Hold { resource_id, pay_no }, Some(claimed)) if claimed.intent.resource_id() == resource_id => {
                let held = IdempotencyKeyHeld { generation: claimed.generation, pay_no };
                if state.held_for == Some(pay_no) { Ok(vec![]) } else { Ok(vec![held.into()]) }
            }
            (IdempotencyCommand::Claim { .. } | IdempotencyCommand::Replace { .. } | IdempotencyCommand::Hold { .. }, Some(_)) => {
                Err(IdempotencyRejection::Claimed)
            }
            (IdempotencyCommand::Replace { .. } | IdempotencyCommand::Redirect { .. } | IdempotencyCommand::Hold { .. }, None) => {
                Err(IdempotencyRejection::Unclaimed)
            }
        }
    }

    fn evolve(mut state: Self, event: &IdempotencyEvent) -> Self {
        match event {
            IdempotencyEvent::IdempotencyKeyClaimed(event) => {
                state.generation = event.generation;
                state.claimed = Some(event.clone());
                state.redirected_to = None;
                state.held_for = None;
            }
            IdempotencyEvent::IdempotencyKeyRedirected(event) => state.redirected_to = Some(event.resource_id.clone()),
            IdempotencyEvent::IdempotencyKeyFreed(event) => {
                state.generation = event.generation + 1;
                state.claimed = None;
                state.redirected_to = None;
                state.held_for = None;
            }
            IdempotencyEvent::IdempotencyKeyHeld(event) => state.held_for = Some(event.pay_no),
        }
        state
    }
}

#[cfg(test)]
mod tests;
