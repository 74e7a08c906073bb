use std::sync::Arc;

use async_trait::async_trait;
use chassis::ids::derived_id;
use chrono::TimeDelta;
use domain::order::{Order, OrderCommand, OrderStreamEvent};
use domain::pay_record::{PayRecordEvent, PayRecordStatus};
use domain::{Decider, PayNo};
use event_store::RecordedEvent;
use followers::{Feed, FeedError, Follower, FollowerError, Lag, Progress};
use gateway::{Closed, TradeState};
use uuid::Uuid;

use crate::failure::CommandFailure;
use crate::handler::{Context, EventIds};
use crate::pay_records::Attempted;
use crate::process_managers::todo::{AttemptTodo, TodoChange, TodoError, TodoItem};
use crate::service::Commands;
use crate::streams;

/// The process manager's name.
const NAME: &str = "unfinished_attempts";
/// Events read at a time.
const PAGE: usize = 200;
/// Attempts taken up in one run.
const ITEMS: u32 = 20;

/// How long an attempt's own appender is left alone with it.
#[derive(Clone, Copy, Debug)]
pub struct AttemptPatience(pub TimeDelta);

/// Takes up attempts whose intent is on the log and whose outcome is not: their process died, or the channel did not
/// answer. It asks the channel first; what the channel never heard of ends, and the next number is tried.
pub struct UnfinishedAttempts {
    commands: Commands,
    feed: Arc<dyn Feed>,
    todo: Arc<dyn AttemptTodo>,
    patience: AttemptPatience,
}

impl UnfinishedAttempts {
    /// The events that the list is made from.
    pub const EVENTS: [&'static str; 8] = [
        "PayRecordIssued",
        "PayRecordPrepared",
        "PayRecordOpened",
        "PayRecordFailed",
        "PayRecordClosed",
        "PaymentConfirmed",
        "SurplusPaymentReceived",
        "LatePaymentReceived",
    ];

    /// A process manager over these parts. `patience` is longer than the channel's time limit, so that it never asks
    /// about an attempt whose appender still waits for the channel.
    pub fn new(commands: Commands, feed: Arc<dyn Feed>, todo: Arc<dyn AttemptTodo>, patience: AttemptPatience) -> Self {
        Self { commands, feed, todo, patience }
    }

    async fn follow(&self) -> Result<Progress, FollowerError> {
        let from = self.todo.checkpoint().await.map_err(work)?;
        let page = self.feed.page(from.position, PAGE).await?;
        let mut changes = Vec::new();
        for recorded in &page.events {
            changes.extend(change(recorded).map_err(|error| FollowerError::Work(Box::new(error)))?);
        }
        if page.reached > from.position {
            self.todo.advance(from, page.reached, &changes).await.map_err(work)?;
        }
        Ok(Progress { applied: changes.len(), position: page.reached, caught_up: page.caught_up })
    }

    /// Takes up what is due. One attempt that cannot be taken up does not hold up the others.
    async fn act(&self) -> Result<usize, FollowerError> {
        let until = self.commands.now() - self.patience.0;
        let due = self.todo.due(until, ITEMS).await.map_err(work)?;
        let (mut acted, mut failed) = (0, None);
        for item in due {
            match self.take_up(&item).await {
                Ok(()) => acted += 1,
                Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => {
                    tracing::warn!(pay.no = %item.pay_no, "the channel does not say what became of an attempt; it will be asked again");
                }
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(acted), |failure| Err(FollowerError::Work(Box::new(failure))))
    }

    async fn take_up(&self, item: &TodoItem) -> Result<(), CommandFailure> {
        let stream_id = streams::order(item.pay_no.order_id());
        let standing = self.commands.orders.load(&stream_id).await?;
        let record = standing.state.pay_record(item.pay_no).ok_or(CommandFailure::NotFound)?;
        let Some(issued) = record.issued.as_ref().filter(|_| record.status == PayRecordStatus::Preparing) else { return Ok(()) };
        let channel = issued.channel;
        let Some(configured) = self.commands.ports.channels.get(channel) else { return Err(CommandFailure::ChannelNotConfigured) };
        if !configured.gateway.available() {
            return Err(CommandFailure::ChannelUnavailable);
        }
        let context = context(item.issued_event_id);
        match self.commands.settle_by_query(&context, item.pay_no).await? {
            TradeState::NotFound => {}
            // Its code never reached us, so nobody was shown it; what the channel knows of it is closed there.
            TradeState::AwaitingBuyer { .. } => match configured.gateway.close(&item.pay_no.to_string()).await? {
                Closed::Done | Closed::NotFound => {}
                Closed::StateForbids => return self.commands.settle_by_query(&context, item.pay_no).await.map(|_| ()),
            },
            _ => return Ok(()),
        }
        let attempt = configured.wish(channel, self.commands.now());
        let command = || OrderCommand::Reattempt { pay_no: item.pay_no, attempt: attempt.clone() };
        let executed = self.commands.orders.execute(&stream_id, &context, |order| Order::decide(order, command())).await?;
        let next = executed.events.iter().find_map(issued_pay_no);
        if let Some(pay_no) = next {
            let attempted = Attempted { pay_no, order: executed.standing, is_new: true, replayed: false };
            self.commands.precreate(&context, attempted, configured).await?;
        }
        Ok(())
    }
}

fn issued_pay_no(event: &OrderStreamEvent) -> Option<PayNo> {
    match event {
        OrderStreamEvent::PayRecord(PayRecordEvent::PayRecordIssued(issued)) => Some(issued.pay_no),
        _ => None,
    }
}

fn change(recorded: &RecordedEvent) -> Result<Option<TodoChange>, domain::stored::StoredFormError> {
    let event = PayRecordEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)?;
    Ok(match event {
        // Without a request no channel is asked: there is no outcome to wait for.
        PayRecordEvent::PayRecordIssued(issued) => issued.request.is_some().then_some(TodoChange::Add(TodoItem {
            pay_no: issued.pay_no,
            issued_event_id: recorded.event_id,
            issued_at: issued.issued_at,
        })),
        PayRecordEvent::PayRecordClosing(_) => None,
        other => Some(TodoChange::Remove(other.pay_no())),
    })
}

fn context(issued_event_id: Uuid) -> Context {
    Context {
        correlation_id: derived_id(issued_event_id, NAME),
        causation_id: Some(issued_event_id),
        actor: format!("process:{NAME}"),
        source: "process-managers",
        event_ids: EventIds::Derived { cause: issued_event_id, handler: NAME },
    }
}

fn work(error: TodoError) -> FollowerError {
    match error {
        TodoError::Overtaken => FollowerError::Overtaken,
        other => FollowerError::Work(Box::new(other)),
    }
}

#[async_trait]
impl Follower for UnfinishedAttempts {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Follows one page of the log and, once caught up, takes up what is due.
    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let progress = self.follow().await?;
        let acted = if progress.caught_up { self.act().await? } else { 0 };
        Ok(Progress { applied: progress.applied + acted, ..progress })
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let checkpoint = self.todo.checkpoint().await.map_err(work)?;
        Ok(self.feed.lag(checkpoint.position).await.map_err(|error: FeedError| FollowerError::Feed(error))?)
    }
}

#[cfg(test)]
mod tests;
