//! Consumers: each message has its effect once, in the order of its stream, and one that cannot be taken waits aside.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Position, RecordedEvent};

use crate::message_feed::{Batch, Message, MessageFeed};
use crate::parking::{Asked, BookChange, Patience, Standing};
use crate::{Checkpoint, EffectError, Follower, FollowerError, Lag, PAGE_EVENTS, Progress, metric};

mod leased;
mod plan;
mod run;
#[cfg(test)]
mod tests;
mod tide;

pub use leased::LeasedWork;
use plan::{Plan, Planned, Verdict, turns_of};
pub use run::run_worker;
pub use tide::Tide;

/// How many queues of parked messages are tried again in one run.
const MOST_DUE: u32 = 32;

/// When a message comes again that met a failure of the tables.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(1);

/// What a consumer does with messages, over tables that lie beside its marks and parked messages.
///
/// Futures may be dropped at any await. Events may come again; what they did before they do not do twice.
#[async_trait]
pub trait ConsumerEffect: Send + Sync {
    /// What is loaded for a batch and changed by it.
    type Work: Send;

    /// The consumer's name: its checkpoint's and its marks', and the label of its metrics.
    fn name(&self) -> &'static str;

    /// The name under which operators skip its messages: its own, but for a rebuild, which has another.
    fn skipped_for(&self) -> &'static str {
        self.name()
    }

    /// How far it has come in the log, and of which making its tables are.
    async fn checkpoint(&self) -> Result<Checkpoint, EffectError>;

    /// Where it stands.
    async fn standing(&self, asked: &Asked) -> Result<Standing, EffectError>;

    /// Loads what these events concern. One that cannot be read concerns nothing.
    async fn load(&self, events: &[&RecordedEvent]) -> Result<Self::Work, EffectError>;

    /// Takes the effect of one of the events, in what was loaded. What cannot be taken leaves it as it was.
    fn apply(&self, work: &mut Self::Work, event: &RecordedEvent) -> Result<(), Inapplicable>;

    /// Writes what was changed, and `change`, all or nothing. Errors: [`EffectError::Overtaken`] where another worker or a
    /// rebuild was faster.
    async fn commit(&self, work: Self::Work, change: &BookChange) -> Result<Checkpoint, EffectError>;
}

/// An event cannot have its effect, for a reason that an operator may read: it holds nothing of the event's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Inapplicable(pub String);

/// A subject lacks a message: the broker has not brought it, and what lies behind it waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker brings a message of {subject}, and not the one before it, at position {missing}")]
pub struct Hole {
    /// The subject.
    pub subject: String,
    /// Where the log has the message that is missing.
    pub missing: Position,
}

/// A follower that takes messages from a feed and gives them to an effect: the effect, the marks of what was dealt with and the
/// parked messages are one write, and acknowledgements go out after it.
pub struct Consumer<E> {
    feed: Arc<dyn MessageFeed>,
    effect: Arc<E>,
    clock: Arc<dyn Clock>,
    patience: Patience,
    batch_messages: usize,
    lease: Option<LeasedWork>,
}

impl<E: ConsumerEffect> Consumer<E> {
    /// Follows `feed`, at most [`PAGE_EVENTS`] messages at a time.
    pub fn new(feed: Arc<dyn MessageFeed>, effect: Arc<E>, clock: Arc<dyn Clock>) -> Self {
        Self { feed, effect, clock, patience: Patience::default(), batch_messages: PAGE_EVENTS, lease: None }
    }

    /// The same with other waits between the tries.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same with another size of batch.
    #[must_use]
    pub fn with_batch_messages(self, batch_messages: usize) -> Self {
        Self { batch_messages: batch_messages.max(1), ..self }
    }

    /// The same, working only while it holds the lease; without it a run answers [`FollowerError::Waiting`].
    #[must_use]
    pub fn with_lease(self, lease: LeasedWork) -> Self {
        Self { lease: Some(lease), ..self }
    }

    fn asked(&self, batch: &Batch, now: DateTime<Utc>) -> Asked {
        let links = batch.messages.iter().filter_map(|message| message.link.as_ref());
        let part = self.feed.part().map(|part| part.to_string());
        Asked {
            consumer: self.effect.name(),
            skipped_for: self.effect.skipped_for(),
            subjects: links.map(|link| link.subject.clone()).chain(part.as_deref().map(turns_of)).collect(),
            streams: batch.messages.iter().map(|message| message.event.stream_id.as_str().to_owned()).collect(),
            part,
            now,
            most_due: MOST_DUE,
        }
    }

    /// Takes the batch and what is due; answers what to tell the feed.
    async fn take(&self, from: Checkpoint, batch: &Batch, now: DateTime<Utc>) -> Result<(Planned, Checkpoint), FollowerError> {
        let standing = self.effect.standing(&self.asked(batch, now)).await?;
        metric::show_parked(self.effect.name(), standing.kept);
        let queued: Vec<RecordedEvent> = standing.queues.values().flatten().map(|parked| parked.event.clone()).collect();
        let events: Vec<&RecordedEvent> = queued.iter().chain(batch.messages.iter().map(|message| &message.event)).collect();
        let mut work = self.effect.load(&events).await?;
        let change = BookChange { to: batch.reached, ..BookChange::new(self.effect.name(), from) };
        let mut plan = Plan::new(standing, change, &self.patience, now, self.feed.part().map(|part| part.to_string()));
        let mut apply = |event: &RecordedEvent| self.effect.apply(&mut work, event);
        plan.retry_due(&mut apply);
        let mut in_order: Vec<&Message> = batch.messages.iter().collect();
        in_order.sort_by_key(|message| message.event.position);
        for message in in_order {
            plan.take(message, &mut apply);
        }
        let planned = plan.finish();
        let moved = if planned.change.is_empty() { from } else { self.effect.commit(work, &planned.change).await? };
        Ok((planned, moved))
    }

    /// Tells the feed what became of each message. An acknowledgement that is lost brings a repeat, which has no effect.
    async fn answer(&self, verdicts: &[(u64, Verdict)]) -> Result<(), FollowerError> {
        let failed = |error| FollowerError::Work(Box::new(error));
        let mut done = Vec::new();
        for (receipt, verdict) in verdicts {
            match verdict {
                Verdict::Done => done.push(*receipt),
                Verdict::Later(delay) => self.feed.nak(*receipt, *delay).await.map_err(failed)?,
            }
        }
        if done.is_empty() { Ok(()) } else { self.feed.ack(&done).await.map_err(failed) }
    }

    /// Lets the whole batch come again soon, instead of when the broker has lost its patience.
    async fn give_back(&self, batch: &Batch) {
        for message in &batch.messages {
            if self.feed.nak(message.receipt, AFTER_FAILURE).await.is_err() {
                return;
            }
        }
    }
}

#[async_trait]
impl<E: ConsumerEffect> Follower for Consumer<E> {
    fn name(&self) -> &'static str {
        self.effect.name()
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        if let Some(lease) = &self.lease
            && !lease.is_held(self.clock.now()).await?
        {
            return Err(FollowerError::Waiting);
        }
        let from = self.effect.checkpoint().await?;
        let batch = self.feed.batch(from.position, self.batch_messages).await.map_err(|error| FollowerError::Work(Box::new(error)))?;
        let (planned, moved) = match self.take(from, &batch, self.clock.now()).await {
            Ok(done) => done,
            Err(error) => {
                self.give_back(&batch).await;
                return Err(error);
            }
        };
        metric::count_applied(self.effect.name(), planned.taken);
        metric::count_unknown(self.effect.name(), batch.unknown);
        self.answer(&planned.verdicts).await?;
        match planned.hole {
            Some(hole) => Err(FollowerError::Work(Box::new(hole))),
            None => Ok(Progress { applied: planned.taken, position: moved.position, caught_up: batch.caught_up && !planned.has_more }),
        }
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let from = self.effect.checkpoint().await?;
        self.feed.lag(from.position).await.map_err(|error| FollowerError::Work(Box::new(error)))
    }

    async fn release(&self) -> Result<(), FollowerError> {
        match &self.lease {
            Some(lease) => lease.give_back().await,
            None => Ok(()),
        }
    }
}
