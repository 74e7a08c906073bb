//! What operators did that belongs to no other stream: one stream a day.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
        /// Something is to be done about a message that a consumer could not take.
        ParkedActRequested = 1,
        /// It was done.
        ParkedActDone = 1,
        /// There was nothing to be done any more.
        ParkedActLapsed = 1,
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

/// What an operator may do about a message that a consumer could not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParkedAct {
    /// The messages of its stream are tried again, from the first.
    Redrive,
    /// It is passed over for good: it never has its effect on that consumer.
    Skip,
}

impl ParkedAct {
    /// Its word, for instance `skip`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Skip => "skip",
        }
    }
}

/// A message that a consumer could not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ParkedSubject {
    /// The consumer's name, for instance `points`.
    pub consumer: String,
    /// The stream of the event that it could not take.
    pub stream_id: String,
    /// The event's place in the log, in digits.
    pub position: String,
    /// The event's id.
    pub event_id: String,
    /// The event's name.
    pub event_type: String,
}

impl ParkedSubject {
    /// The message's number, for instance `points-1234`.
    pub fn parked_id(&self) -> String {
        format!("{}-{}", self.consumer, self.position)
    }
}

/// An operator wishes that something is done about a message that a consumer could not take. ParkedActDone or
/// ParkedActLapsed follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ParkedActRequested {
    /// The number of the wish, by which its outcome names it.
    #[schemars(with = "String")]
    pub act_id: Uuid,
    /// What is to be done.
    pub act: ParkedAct,
    /// The message.
    #[serde(flatten)]
    pub subject: ParkedSubject,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// What an operator wished about a message that a consumer could not take was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ParkedActDone {
    /// The number of the wish.
    #[schemars(with = "String")]
    pub act_id: Uuid,
    /// What was done.
    pub act: ParkedAct,
    /// The message.
    #[serde(flatten)]
    pub subject: ParkedSubject,
    /// In the operator's words.
    pub reason: String,
}

/// What an operator wished about a message that a consumer could not take was not done: the message had gone, because the
/// consumer had taken it meanwhile or another operator had skipped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ParkedActLapsed {
    /// The number of the wish.
    #[schemars(with = "String")]
    pub act_id: Uuid,
    /// What was to be done.
    pub act: ParkedAct,
    /// The message.
    #[serde(flatten)]
    pub subject: ParkedSubject,
}

/// What operators did on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// The notifications that were dismissed.
    dismissed: BTreeSet<String>,
    /// The wishes about parked messages, and whether each was done, once that is known.
    parked_acts: BTreeMap<Uuid, Option<bool>>,
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

    /// Whether a wish about a parked message was done; `None` while that is not known.
    pub fn parked_act_done(&self, act_id: Uuid) -> Option<bool> {
        self.parked_acts.get(&act_id).copied().flatten()
    }

    /// Whether what is recorded is known already: a dismissal of the day, or the outcome of a wish that has one, or never was.
    fn is_known(&self, done: &OperationEvent) -> bool {
        let has_ended = |act_id: &Uuid| self.parked_acts.get(act_id).is_none_or(Option::is_some);
        match done {
            OperationEvent::NoticeRejudged(_) => false,
            OperationEvent::NoticeDismissed(event) => self.dismissed.contains(&event.notice_id),
            OperationEvent::ParkedActRequested(event) => self.parked_acts.contains_key(&event.act_id),
            OperationEvent::ParkedActDone(event) => has_ended(&event.act_id),
            OperationEvent::ParkedActLapsed(event) => has_ended(&event.act_id),
        }
    }
}

impl OperationEvent {
    fn command_key(&self) -> Option<&CommandKey> {
        match self {
            Self::NoticeRejudged(event) => event.command_key.as_ref(),
            Self::NoticeDismissed(event) => event.command_key.as_ref(),
            Self::ParkedActRequested(event) => event.command_key.as_ref(),
            Self::ParkedActDone(_) | Self::ParkedActLapsed(_) => None,
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
        Ok(if is_repeat || state.is_known(&done) { vec![] } else { vec![done] })
    }

    fn evolve(mut state: Self, event: &OperationEvent) -> Self {
        match event {
            OperationEvent::NoticeRejudged(_) => {}
            OperationEvent::NoticeDismissed(event) => {
                state.dismissed.insert(event.notice_id.clone());
            }
            OperationEvent::ParkedActRequested(event) => {
                state.parked_acts.entry(event.act_id).or_insert(None);
            }
            OperationEvent::ParkedActDone(event) => {
                state.parked_acts.insert(event.act_id, Some(true));
            }
            OperationEvent::ParkedActLapsed(event) => {
                state.parked_acts.insert(event.act_id, Some(false));
            }
        }
        if let Some(key) = event.command_key() {
            state.keys.insert(key.key_hash.clone(), (key.request_hash.clone(), event.clone()));
        }
        state
    }
}

#[cfg(test)]
mod tests;
