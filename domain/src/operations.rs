//! What operators did that belongs to no other stream: one stream a day.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::stock::CommandKey;
use crate::stored::stored_events;

stored_events! {
    /// What may happen on the stream `operations-{date}`.
    OperationEvent {
        /// A kept notification was judged once more.
        NoticeRejudged = 1,
        /// A kept notification needs nothing any more.
        NoticeDismissed = 1,
    }
}

/// An operator had a kept notification judged as if it had come just then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NoticeRejudged {
    /// Its number in the inbox.
    pub notice_id: String,
    /// The wallet that it names, for instance `alipay`.
    pub wallet: String,
    /// Our number in it, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    /// What was made of it before, in one word.
    pub verdict_before: String,
    /// What is made of it now, in one word.
    pub verdict: String,
    /// Whether an operator is still to look at it.
    pub is_open: bool,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// An operator has decided that a kept notification needs nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NoticeDismissed {
    /// Its number in the inbox.
    pub notice_id: String,
    /// The wallet that it names, for instance `alipay`.
    pub wallet: String,
    /// Our number in it, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    /// What was made of it, in one word.
    pub verdict: String,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// What operators did on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// The notifications that were dismissed.
    dismissed: BTreeSet<String>,
    /// The operators' keys: what was asked with each and what came of it, by its hash.
    keys: BTreeMap<String, (String, OperationEvent)>,
}

/// Why an operator's act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationRejection {
    /// The operator's key was used for something else.
    #[error("the key was used for something else")]
    KeyReused,
}

impl Operations {
    /// What this key has done already. Errors: `KeyReused` where it was used for something else.
    pub fn done(&self, key: Option<&CommandKey>) -> Result<Option<&OperationEvent>, OperationRejection> {
        match key.and_then(|key| self.keys.get(&key.key_hash).map(|(asked, done)| (*asked == key.request_hash, done))) {
            None => Ok(None),
            Some((true, done)) => Ok(Some(done)),
            Some((false, _)) => Err(OperationRejection::KeyReused),
        }
    }
}

impl OperationEvent {
    fn command_key(&self) -> Option<&CommandKey> {
        match self {
            Self::NoticeRejudged(event) => event.command_key.as_ref(),
            Self::NoticeDismissed(event) => event.command_key.as_ref(),
        }
    }
}

impl Decider for Operations {
    type State = Self;
    /// What was done is what is recorded: there is no rule that could change it.
    type Command = OperationEvent;
    type Event = OperationEvent;
    type Rejection = OperationRejection;

    fn decide(state: &Self, done: OperationEvent) -> Result<Vec<OperationEvent>, OperationRejection> {
        let is_repeat = state.done(done.command_key())?.is_some();
        let already_so = matches!(&done, OperationEvent::NoticeDismissed(event) if state.dismissed.contains(&event.notice_id));
        Ok(if is_repeat || already_so { vec![] } else { vec![done] })
    }

    fn evolve(mut state: Self, event: &OperationEvent) -> Self {
        if let OperationEvent::NoticeDismissed(event) = event {
            state.dismissed.insert(event.notice_id.clone());
        }
        if let Some(key) = event.command_key() {
            state.keys.insert(key.key_hash.clone(), (key.request_hash.clone(), event.clone()));
        }
        state
    }
}

#[cfg(test)]
mod tests;
