use std::sync::Arc;

use async_trait::async_trait;
use chassis::ids::derived_id;
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use domain::Decider;
use domain::coupon::CouponEvent;
use domain::order::{Order, OrderCommand, OrderEvent, OrderRejection, OrderStreamEvent};
use domain::pay_record::PayRecordEvent;
use domain::stock::StockEvent;
use event_store::RecordedEvent;
use followers::{Feed, Follower, FollowerError, Lag, Leases, Progress};
use futures_util::StreamExt;
use uuid::Uuid;

use super::agenda::{Agenda, Asked, AttemptPatience, Task, agenda, next_rung};
use super::todo::{DueOrder, Looked, OrderTodo, Touched};
use super::turn::Turn;
use crate::failure::CommandFailure;
use crate::handler::{Context, EventIds, ExecuteError};
use crate::held::Held;
use crate::service::Commands;
use crate::streams;

/// The process manager's name.
const NAME: &str = "order_upkeep";
/// The events of other streams by which an order comes on the list that may never be made.
const STOCK_RESERVED: &str = "StockReserved";
const COUPON_RESERVED: &str = "CouponReserved";
/// The event of another stream after which a paid order is looked at once more: its money may have gone back while the coupon
/// was being granted, and whoever looked then found none to withdraw.
const COUPON_GRANTED: &str = "CouponGranted";
/// Events read at a time.
const PAGE: usize = 200;
/// Orders looked at in one run.
const ORDERS: u32 = 64;
/// Orders looked at side by side: most of a look is waiting for a channel.
const SIDE_BY_SIDE: usize = 16;
/// How long a process has the work for itself without saying so again.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// When an order is looked at again whose look failed here, not at a channel.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(30);

/// Drives whatever of an order is unfinished until it is known: attempts without an outcome, its expiry, its polls, its closing attempts, money that came
/// late, and refunds. It asks channels by a ladder, and takes up at once what waited while nothing ran.
pub struct OrderUpkeep {
    commands: Commands,
    feed: Arc<dyn Feed>,
    todo: Arc<dyn OrderTodo>,
    turn: Turn,
    patience: AttemptPatience,
}

impl OrderUpkeep {
    /// The events that put an order on the list: all of an order's stream, that something is held for it, and what it was granted.
    pub fn events() -> impl Iterator<Item = &'static str> {
        OrderEvent::STORED.iter().chain(PayRecordEvent::STORED).map(|(name, _)| *name).chain([
            STOCK_RESERVED,
            COUPON_RESERVED,
            COUPON_GRANTED,
        ])
    }

    /// A process manager over these parts. Of several with the same `leases` one at a time acts; `holder` names this one,
    /// the same after a restart, so that it need not wait for its own former lease.
    pub fn new(
        commands: Commands,
        feed: Arc<dyn Feed>,
        todo: Arc<dyn OrderTodo>,
        leases: Arc<dyn Leases>,
        holder: String,
        patience: AttemptPatience,
    ) -> Self {
        Self { commands, feed, todo, turn: Turn::new(NAME, LEASE, leases, holder), patience }
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

    /// Looks at what is due. One order that cannot be driven does not hold up the others.
    async fn act(&self) -> Result<usize, FollowerError> {
        let now = self.commands.now();
        let due = self.todo.due(now, ORDERS).await?;
        if due.is_empty() || !self.turn.take(now).await? {
            return Ok(0);
        }
        let looks = due.into_iter().map(|order| async move {
            let look = self.look(&order, now).await;
            (order, look)
        });
        let looks: Vec<_> = futures_util::stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await;
        let (mut looked, mut failed) = (Vec::with_capacity(looks.len()), None);
        for (order, look) in looks {
            let DueOrder { order_id, position, asked, .. } = order;
            looked.push(match look {
                Ok((next_at, true)) => Looked { order_id, position, next_at, asked: Some((now, position)) },
                Ok((next_at, false)) => Looked { order_id, position, next_at, asked },
                Err(failure) => {
                    tracing::error!(order.id = %order_id, error = %Chain(&failure), "an order cannot be driven on; it is tried again");
                    failed = failed.or(Some(failure));
                    Looked { order_id, position, next_at: Some(now + AFTER_FAILURE), asked }
                }
            });
        }
        self.todo.looked(&looked).await?;
        failed.map_or(Ok(looked.len()), |failure| Err(FollowerError::Work(Box::new(failure))))
    }

    /// Does what is due for one order; answers when to look next, and whether channels were asked and all of them answered.
    async fn look(&self, due: &DueOrder, now: DateTime<Utc>) -> Result<(Option<DateTime<Utc>>, bool), CommandFailure> {
        let standing = self.commands.orders.load(&streams::order(due.order_id)).await?;
        let asked = Asked {
            touched_at: due.touched_at,
            last_at: due.asked.map(|(at, _)| at),
            is_touched: due.asked.is_none_or(|(_, position)| position < due.position),
        };
        let Agenda { tasks, next_at } = agenda(&standing.state, asked, self.patience, now);
        let mut next_at = next_at;
        // The moment stands for every question of the look: one that was not answered must not pass for asked.
        let (mut has_asked, mut all_answered) = (false, true);
        for task in tasks {
            match self.perform(task, due, standing.last_event_id).await {
                Ok(()) => has_asked |= asks_a_channel(task),
                // Nobody knows; the ladder asks again.
                Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. } | CommandFailure::ChannelNotConfigured) => {
                    all_answered = false;
                    tracing::warn!(order.id = %due.order_id, task = ?task, "the channel does not say; it will be asked again");
                    let again = next_rung(due.touched_at, now);
                    next_at = Some(next_at.map_or(again, |next_at| next_at.min(again)));
                }
                // It is paid, and its stock was given to somebody else: more must come in.
                Err(failure @ CommandFailure::InsufficientStock { .. }) => {
                    tracing::error!(order.id = %due.order_id, error = %failure, "a paid order lacks stock; it takes what comes in next");
                    let again = next_rung(due.touched_at, now);
                    next_at = Some(next_at.map_or(again, |next_at| next_at.min(again)));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok((next_at, has_asked && all_answered))
    }

    async fn perform(&self, task: Task, due: &DueOrder, cause: Option<Uuid>) -> Result<(), CommandFailure> {
        let context = context(task, due, cause);
        let order_id = due.order_id;
        match task {
            Task::Abandon => self.decide(&context, due, OrderCommand::Abandon { order_id }).await,
            Task::Held => self.commands.settle_held(&context, order_id, &due.reserved).await,
            Task::Expire => self.decide(&context, due, OrderCommand::Expire { now: self.commands.now() }).await,
            Task::StopWaiting => self.decide(&context, due, OrderCommand::StopWaiting { now: self.commands.now() }).await,
            Task::Ask(pay_no) => self.commands.settle_by_query(&context, pay_no).await.map(drop),
            Task::TakeUp(pay_no) => self.commands.take_up_attempt(&context, pay_no).await,
            Task::Close(pay_no) => self.commands.close_at_channel(&context, pay_no).await,
            Task::Late(pay_no) => self.commands.settle_late_payment(&context, order_id, pay_no).await,
            Task::Refund(refund_no) => self.commands.drive_refund(&context, refund_no).await,
        }
    }

    /// A command that the order may have outgrown since it was looked at: then nothing is left to be done.
    async fn decide(&self, context: &Context, due: &DueOrder, command: OrderCommand) -> Result<(), CommandFailure> {
        let stream_id = streams::order(due.order_id);
        match self.commands.orders.execute(&stream_id, context, |order| Order::decide(order, command.clone())).await {
            Ok(executed) => {
                for event in &executed.events {
                    tracing::info!(order.id = %due.order_id, event = event.event_type(), "an order was driven on");
                }
                Ok(())
            }
            Err(ExecuteError::Rejected(OrderRejection::WrongState | OrderRejection::AlreadyCreated)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn asks_a_channel(task: Task) -> bool {
    matches!(task, Task::Ask(_) | Task::TakeUp(_) | Task::Close(_) | Task::Refund(_))
}

/// When an event's order is to be looked at. Most of what happens while a buyer pays needs no look at once.
fn touch(recorded: &RecordedEvent) -> Result<Option<Touched>, domain::stored::StoredFormError> {
    match recorded.event_type.as_str() {
        STOCK_RESERVED => return touch_of_stock(recorded),
        COUPON_RESERVED | COUPON_GRANTED => return touch_of_coupon(recorded),
        _ => {}
    }
    let event = OrderStreamEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)?;
    let Some(order_id) = recorded.stream_id.as_str().strip_prefix("order-").and_then(|number| number.parse().ok()) else {
        return Ok(None);
    };
    let look_at = match &event {
        OrderStreamEvent::Order(OrderEvent::OrderCreated(created)) => created.expires_at,
        OrderStreamEvent::PayRecord(
            PayRecordEvent::PayRecordIssued(_) | PayRecordEvent::PayRecordPrepared(_) | PayRecordEvent::PayRecordOpened(_),
        ) => next_rung(recorded.recorded_at, recorded.recorded_at),
        _ => recorded.recorded_at,
    };
    Ok(Some(Touched { order_id, position: recorded.position, touched_at: recorded.recorded_at, look_at, reserved: vec![] }))
}

/// When the order is to be looked at that stock is held for, made or not.
fn touch_of_stock(recorded: &RecordedEvent) -> Result<Option<Touched>, domain::stored::StoredFormError> {
    let event = StockEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)?;
    let StockEvent::StockReserved(event) = event else { return Ok(None) };
    Ok(Some(Touched {
        order_id: event.order_id,
        position: recorded.position,
        touched_at: recorded.recorded_at,
        look_at: event.check_at,
        reserved: event.order_skus.into_iter().map(Held::Stock).collect(),
    }))
}

/// The same for a coupon; and when the order is to be looked at that a coupon was granted for.
fn touch_of_coupon(recorded: &RecordedEvent) -> Result<Option<Touched>, domain::stored::StoredFormError> {
    let event = CouponEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)?;
    let (order_id, look_at, reserved) = match event {
        CouponEvent::CouponReserved(event) => (event.order_id, event.check_at, vec![Held::Coupon(event.coupon_id)]),
        CouponEvent::CouponGranted(event) => (event.order_id, recorded.recorded_at, vec![]),
        _ => return Ok(None),
    };
    Ok(Some(Touched { order_id, position: recorded.position, touched_at: recorded.recorded_at, look_at, reserved }))
}

/// Its events follow from the newest one of the order, and doing a task twice makes the same.
fn context(task: Task, due: &DueOrder, cause: Option<Uuid>) -> Context {
    let cause = cause.unwrap_or_else(|| derived_id(Uuid::nil(), &due.order_id.to_string()));
    let name = match task {
        // It may be held again after it was let go while nothing happens to the order itself.
        Task::Held => format!("{task:?}/{}", due.position.as_i64()),
        _ => format!("{task:?}"),
    };
    Context {
        correlation_id: derived_id(cause, NAME),
        causation_id: Some(cause),
        actor: format!("process:{NAME}"),
        source: "process-managers",
        event_ids: EventIds::Derived { cause: derived_id(cause, &name), handler: NAME },
    }
}

#[async_trait]
impl Follower for OrderUpkeep {
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
