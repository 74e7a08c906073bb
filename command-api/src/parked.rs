//! What operators do about messages that consumers could not take. The wish stands on the log first, then it is carried out
//! on the consumer's tables, then the log is told what came of it. Whoever dies in between is followed by whoever repeats
//! the wish with its key, or by the process manager that looks for wishes without an outcome.

use std::sync::Arc;

use chassis::clock::Clock;
use chassis::ids::IdSource;
use chrono::{DateTime, TimeDelta, Utc};
use domain::Decider;
use domain::operations::{OperationEvent, Operations, ParkedAct, ParkedActDone, ParkedActLapsed, ParkedActRequested, ParkedSubject};
use domain::stock::CommandKey;
use event_store::{EventStore, Position, StreamId};
use followers::{ParkedMessage, ParkedMessages, ParkedState, ParkingDeskError};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::handler::{Context, EventIds, Handler};
use crate::streams;

mod command;
mod failure;
#[cfg(test)]
pub(crate) mod tests;

pub use command::{ParkedCommand, ParkedReply};
pub use failure::ParkedFailure;

/// By what name outcomes get their ids.
const HANDLER: &str = "parked_acts";

/// How often a wish is tried while the consumer changes the message.
const MOST_TRIES: u32 = 3;

/// What an operator wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedWish {
    /// What is to be done.
    pub act: ParkedAct,
    /// The message's number, for instance `points-1234`.
    pub parked_id: String,
    /// In the operator's words.
    pub reason: String,
}

/// What came of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedOutcome {
    /// It was done.
    Done,
    /// There was nothing to be done any more.
    Lapsed,
}

impl ParkedOutcome {
    /// Its word, for instance `done`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Lapsed => "lapsed",
        }
    }
}

/// A wish and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedActed {
    /// The number of the wish.
    pub act_id: Uuid,
    /// What came of it.
    pub outcome: ParkedOutcome,
    /// The position of the last event of the day's stream that the answer is made from.
    pub position: Position,
    /// Whether the caller's key had wished it before.
    pub replayed: bool,
}

/// Carries out what operators wish about parked messages.
pub struct ParkedActs {
    operations: Handler<Operations>,
    desk: Arc<dyn ParkedMessages>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

/// A wish as it stands on the log, and where.
struct Asked {
    stream_id: StreamId,
    requested: ParkedActRequested,
}

impl ParkedActs {
    /// Wishes are recorded in `log` and carried out at `desk`.
    pub fn new(log: Arc<dyn EventStore>, desk: Arc<dyn ParkedMessages>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { operations: Handler::new(log, Arc::clone(&ids)), desk, clock, ids }
    }

    /// Records the wish, carries it out, and records what came of it.
    ///
    /// Errors: no such message, or it was skipped before: nothing is recorded. Any other error leaves the wish recorded, if it
    /// was, and it is carried out later.
    pub async fn act(
        &self,
        caller: &Caller,
        wish: ParkedWish,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<ParkedActed, ParkedFailure> {
        let context = Context::of_caller(caller, correlation_id);
        let key = key.map(|key| CommandKey { key_hash: key.key_hash.clone(), request_hash: key.request_hash.clone() });
        let now = self.clock.now();
        let (asked, replayed) = match self.asked_before(key.as_ref(), now).await? {
            Some(asked) => (asked, true),
            None => self.ask(&context, wish, key, now).await?,
        };
        let (outcome, position) = self.finish(&asked.stream_id, &asked.requested, &context).await?;
        Ok(ParkedActed { act_id: asked.requested.act_id, outcome, position, replayed })
    }

    async fn ask(
        &self,
        context: &Context,
        wish: ParkedWish,
        key: Option<CommandKey>,
        now: DateTime<Utc>,
    ) -> Result<(Asked, bool), ParkedFailure> {
        let message = self.desk.show(&wish.parked_id).await?;
        if message.state == ParkedState::Skipped {
            return Err(ParkingDeskError::Skipped.into());
        }
        let requested = ParkedActRequested {
            act_id: self.ids.event_id(),
            act: wish.act,
            subject: subject(&message),
            reason: wish.reason,
            command_key: key,
        };
        let stream_id = streams::operations(now.date_naive());
        let decide = |state: &Operations| Operations::decide(state, requested.clone().into());
        let executed = self.operations.execute(&stream_id, context, decide).await?;
        if executed.events.is_empty() {
            // Another request with the same key was sooner.
            let asked = self.asked_before(requested.command_key.as_ref(), now).await?;
            return asked.map(|asked| (asked, true)).ok_or(ParkedFailure::KeyReused);
        }
        tracing::info!(parked.id = wish.parked_id, act = wish.act.as_str(), "an operator acts on a parked message");
        Ok((Asked { stream_id, requested }, false))
    }

    /// What the key has wished already, today or yesterday.
    async fn asked_before(&self, key: Option<&CommandKey>, now: DateTime<Utc>) -> Result<Option<Asked>, ParkedFailure> {
        if key.is_none() {
            return Ok(None);
        }
        for day in [now, now - TimeDelta::days(1)] {
            let stream_id = streams::operations(day.date_naive());
            let standing = self.operations.load(&stream_id).await?;
            match standing.state.done(key).map_err(ParkedFailure::from)? {
                Some(OperationEvent::ParkedActRequested(requested)) => {
                    return Ok(Some(Asked { stream_id, requested: requested.clone() }));
                }
                Some(_) => return Err(ParkedFailure::KeyReused),
                None => {}
            }
        }
        Ok(None)
    }

    /// Carries out a recorded wish and records the outcome, unless it has one. Doing it twice, or side by side, is the same.
    pub(crate) async fn finish(
        &self,
        stream_id: &StreamId,
        requested: &ParkedActRequested,
        context: &Context,
    ) -> Result<(ParkedOutcome, Position), ParkedFailure> {
        if let Some(ended) = self.ended(stream_id, requested.act_id).await? {
            return Ok(ended);
        }
        let ParkedActRequested { act_id, act, subject, reason, .. } = requested.clone();
        let outcome: OperationEvent = match self.perform(requested).await? {
            ParkedOutcome::Done => ParkedActDone { act_id, act, subject, reason }.into(),
            ParkedOutcome::Lapsed => ParkedActLapsed { act_id, act, subject }.into(),
        };
        let event_ids = EventIds::Derived { cause: act_id, handler: HANDLER };
        let context = Context { event_ids, ..context.clone() };
        self.operations.execute(stream_id, &context, |state| Operations::decide(state, outcome.clone())).await?;
        self.ended(stream_id, act_id).await?.ok_or(ParkedFailure::Untold)
    }

    /// What came of a wish, if that is recorded.
    pub(crate) async fn ended(&self, stream_id: &StreamId, act_id: Uuid) -> Result<Option<(ParkedOutcome, Position)>, ParkedFailure> {
        let standing = self.operations.load(stream_id).await?;
        let outcome = |done| if done { ParkedOutcome::Done } else { ParkedOutcome::Lapsed };
        Ok(standing.state.parked_act_done(act_id).map(|done| (outcome(done), standing.position)))
    }

    async fn perform(&self, requested: &ParkedActRequested) -> Result<ParkedOutcome, ParkedFailure> {
        let (parked_id, now) = (requested.subject.parked_id(), self.clock.now());
        for _ in 0..MOST_TRIES {
            let done = match requested.act {
                ParkedAct::Redrive => self.desk.redrive(&parked_id, now).await,
                ParkedAct::Skip => self.desk.skip(&parked_id, &requested.reason, now).await,
            };
            match (done, requested.act) {
                // Whoever did it may have died before it was recorded.
                (Ok(()), _) | (Err(ParkingDeskError::Skipped), ParkedAct::Skip) => return Ok(ParkedOutcome::Done),
                (Err(ParkingDeskError::Unknown), _) | (Err(ParkingDeskError::Skipped), ParkedAct::Redrive) => {
                    return Ok(ParkedOutcome::Lapsed);
                }
                (Err(ParkingDeskError::Changed), _) => {}
                (Err(error), _) => return Err(error.into()),
            }
        }
        Err(ParkingDeskError::Changed.into())
    }

    /// The desk.
    pub(crate) fn desk(&self) -> &dyn ParkedMessages {
        self.desk.as_ref()
    }

    /// The time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

fn subject(message: &ParkedMessage) -> ParkedSubject {
    let event = &message.event;
    ParkedSubject {
        consumer: message.consumer.clone(),
        stream_id: event.stream_id.as_str().to_owned(),
        position: event.position.to_string(),
        event_id: event.event_id.to_string(),
        event_type: event.event_type.clone(),
    }
}
