use std::sync::Arc;

use async_trait::async_trait;
use chassis::ids::derived_id;
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use domain::order::OrderStreamEvent;
use domain::pay_record::{CaptureSource, PayRecordEvent};
use domain::stored::StoredFormError;
use domain::unknown_capture::UnknownCaptureOutcome;
use event_store::{RecordedEvent, StreamId};
use followers::{Feed, Follower, FollowerError, Lag, Leases, Progress};
use futures_util::StreamExt;
use uuid::Uuid;

use super::agenda::next_rung;
use super::turn::Turn;
use crate::failure::CommandFailure;
use crate::handler::{Context, EventIds};
use crate::service::Commands;
use crate::streams;
use crate::wallet::Wallet;

mod todo;

pub use todo::{AssignmentTodo, DueAssignment, LookedAssignment, MemoryAssignmentTodo, SqlAssignmentTodo, TouchedAssignment};

/// The process manager's name.
const NAME: &str = "assignments";
/// The events by which an order takes money.
const CAPTURES: [&str; 3] = ["PaymentConfirmed", "SurplusPaymentReceived", "LatePaymentReceived"];
/// Events read at a time.
const PAGE: usize = 200;
/// Moneys looked at in one run.
const MONEYS: u32 = 64;
/// Moneys looked at side by side: most of a look is waiting for a channel.
const SIDE_BY_SIDE: usize = 16;
/// How long a process has the work for itself without saying so again.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// When money is looked at again whose look failed here, not at a channel.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(30);

/// Brings what operators decided about unmatched money to its end: money that was assigned to a pay record is taken to its
/// order, or the log says why that cannot be, and the notifications that told of it are ended. It asks channels by a ladder,
/// and takes up at once what waited while nothing ran.
pub struct Assignments {
    commands: Commands,
    feed: Arc<dyn Feed>,
    todo: Arc<dyn AssignmentTodo>,
    turn: Turn,
}

impl Assignments {
    /// The events that put money on the list: that an operator decided on it, what followed, and that an order took it.
    pub fn events() -> impl Iterator<Item = &'static str> {
        UnknownCaptureOutcome::STORED.iter().map(|(name, _)| *name).chain(CAPTURES)
    }

    /// A process manager over these parts. Of several with the same `leases` one at a time acts; `holder` names this one,
    /// the same after a restart, so that it need not wait for its own former lease.
    pub fn new(commands: Commands, feed: Arc<dyn Feed>, todo: Arc<dyn AssignmentTodo>, leases: Arc<dyn Leases>, holder: String) -> Self {
        Self { commands, feed, todo, turn: Turn::new(NAME, LEASE, leases, holder) }
    }

    async fn follow(&self) -> Result<Progress, FollowerError> {
        let from = self.todo.checkpoint().await?;
        let page = self.feed.page(from.position, PAGE).await?;
        let mut touched = Vec::new();
        for recorded in &page.events {
            touched.extend(touch(recorded).map_err(|error| FollowerError::Work(Box::new(error)))?);
        }
        if page.reached > from.position {
            self.todo.advance(from, page.reached, &touched).await?;
        }
        Ok(Progress { applied: touched.len(), position: page.reached, caught_up: page.caught_up })
    }

    /// Looks at what is due. What cannot be driven does not hold up the rest.
    async fn act(&self) -> Result<usize, FollowerError> {
        let now = self.commands.now();
        let due = self.todo.due(now, MONEYS).await?;
        if due.is_empty() || !self.turn.take(now).await? {
            return Ok(0);
        }
        let looks = due.into_iter().map(|money| async move {
            let look = self.look(&money, now).await;
            (money, look)
        });
        let looks: Vec<_> = futures_util::stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await;
        let (mut looked, mut failed) = (Vec::with_capacity(looks.len()), None);
        for (money, look) in looks {
            let DueAssignment { stream_id, position, .. } = money;
            let next_at = look.unwrap_or_else(|failure| {
                tracing::error!(stream.id = %stream_id, error = %Chain(&failure), "assigned money cannot be driven on; it is tried again");
                failed = failed.take().or(Some(failure));
                Some(now + AFTER_FAILURE)
            });
            looked.push(LookedAssignment { stream_id, position, next_at });
        }
        self.todo.looked(&looked).await?;
        failed.map_or(Ok(looked.len()), |failure| Err(FollowerError::Work(Box::new(failure))))
    }

    /// Does what is left to do about this money; answers when to look next.
    async fn look(&self, due: &DueAssignment, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, CommandFailure> {
        let standing = self.commands.unknown_captures.load(&due.stream_id).await?;
        let context = context(standing.last_event_id);
        match self.commands.take_up_decision(&context, &due.stream_id).await {
            Ok(()) => Ok(None),
            // Nobody knows; the ladder asks again.
            Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. } | CommandFailure::ChannelNotConfigured) => {
                tracing::warn!(stream.id = %due.stream_id, "the channel does not say whether it holds assigned money; it will be asked again");
                Ok(Some(next_rung(due.touched_at, now)))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// The money that an event is about, if it is about such money. The operator's own request is left alone with it for a while;
/// whatever both do is the same.
fn touch(recorded: &RecordedEvent) -> Result<Option<TouchedAssignment>, StoredFormError> {
    let stream_id = match recorded.event_type.as_str() {
        capture if CAPTURES.contains(&capture) => taken(recorded)?,
        _ => Some(recorded.stream_id.clone()),
    };
    Ok(stream_id.map(|stream_id| TouchedAssignment {
        stream_id,
        position: recorded.position,
        touched_at: recorded.recorded_at,
        look_at: next_rung(recorded.recorded_at, recorded.recorded_at),
    }))
}

/// The stream of the assigned money that an order took; `None` where it took money that it had asked for.
fn taken(recorded: &RecordedEvent) -> Result<Option<StreamId>, StoredFormError> {
    // Nearly all payments were asked for: only a text that may say otherwise is read.
    if !recorded.data.contains("assigned") {
        return Ok(None);
    }
    let event = OrderStreamEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)?;
    let OrderStreamEvent::PayRecord(event) = event else { return Ok(None) };
    let (learned_by, channel, trade_no) = match event {
        PayRecordEvent::PaymentConfirmed(event) => (event.learned_by, event.channel, event.trade_no),
        PayRecordEvent::SurplusPaymentReceived(event) => (event.learned_by, event.channel, event.trade_no),
        PayRecordEvent::LatePaymentReceived(event) => (event.learned_by, event.channel, event.trade_no),
        _ => return Ok(None),
    };
    let wallet = Wallet::of(channel).filter(|_| learned_by == CaptureSource::Assigned);
    Ok(wallet.map(|wallet| streams::unknown_capture(wallet.as_str(), &trade_no)))
}

/// Its events follow from the newest one of the money's stream, and doing it twice makes the same.
fn context(cause: Option<Uuid>) -> Context {
    let cause = cause.unwrap_or_default();
    Context {
        correlation_id: derived_id(cause, NAME),
        causation_id: Some(cause),
        actor: format!("process:{NAME}"),
        source: "process-managers",
        event_ids: EventIds::Derived { cause, handler: NAME },
    }
}

#[async_trait]
impl Follower for Assignments {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Follows one page of the log and, once caught up, looks at what is due.
    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let progress = self.follow().await?;
        let looked = if progress.caught_up { self.act().await? } else { 0 };
        Ok(Progress { applied: progress.applied + looked, ..progress })
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let checkpoint = self.todo.checkpoint().await?;
        Ok(self.feed.lag(checkpoint.position).await?)
    }

    async fn release(&self) -> Result<(), FollowerError> {
        self.turn.give_back().await
    }
}

#[cfg(test)]
mod tests;
