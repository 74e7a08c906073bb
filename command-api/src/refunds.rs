//! Giving money back: an operator's wish, the channel, the outcome.

mod foreign;

use domain::order::{
    Order, OrderCommand, OrderEvent, OrderRejection, OrderStreamEvent, Refund, RefundCommand, RefundOutcome, RefundStatus,
};
use domain::{Decider, Money, OrderId, PayNo, RefundNo};
use gateway::{RefundRequest, RefundState};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, Standing};
use crate::pay_records::{key_is_ours, key_is_used, owned, with_key};
use crate::service::Commands;
use crate::streams;

pub(crate) use foreign::{ForeignRefund, stands_for_another};

/// How a refund stands that a command was about.
#[derive(Clone, Debug)]
pub struct RefundAnswer {
    /// The refund.
    pub refund_no: RefundNo,
    /// How far it has come.
    pub status: RefundStatus,
    /// Its order, as it stands at the revision that the answer is made from.
    pub order: Standing<Order>,
    /// Whether the caller's key had done it before.
    pub replayed: bool,
}

/// What is to go back of what an order was paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundWish {
    /// How much.
    pub amount: Money,
    /// Why, in the operator's words.
    pub reason: String,
}

/// What an operator wishes of a refund that the channel does not make by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorChoice {
    /// Ask the channel once more.
    Retry,
    /// The money went back another way.
    Settle,
}

impl Commands {
    /// Requests that a part of what an order was paid with goes back, or all of it. A process manager has it made.
    pub async fn request_refund(
        &self,
        caller: &Caller,
        order_id: OrderId,
        wish: RefundWish,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<RefundAnswer, CommandFailure> {
        let stream_id = streams::order(order_id);
        let standing = self.orders.load(&stream_id).await?;
        let order = owned(caller, &standing.state)?;
        if let Some(key) = key.filter(|key| order.keys.contains_key(&key.key_hash)) {
            return self.replayed_refund(standing, key).await;
        }
        let command = || RefundCommand::Request { amount: wish.amount, reason: wish.reason.clone(), now: self.now() };
        self.command_refund(&Context::of_caller(caller, correlation_id), order_id, command, None, key, if_match).await
    }

    /// An operator deals with a refund that the channel does not make by itself.
    pub async fn choose_refund(
        &self,
        caller: &Caller,
        refund_no: RefundNo,
        choice: OperatorChoice,
        reason: String,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<RefundAnswer, CommandFailure> {
        let standing = self.orders.load(&streams::order(refund_no.order_id())).await?;
        owned(caller, &standing.state)?.refund(refund_no).ok_or(CommandFailure::NotFound)?;
        if let Some(key) = key.filter(|key| standing.state.keys.contains_key(&key.key_hash)) {
            key_is_ours(&standing.state, Some(key))?;
            return self.replayed_choice(refund_no, key).await;
        }
        let command = || match choice {
            OperatorChoice::Retry => RefundCommand::Retry { refund_no, reason: reason.clone() },
            OperatorChoice::Settle => RefundCommand::Settle { refund_no, reason: reason.clone(), now: self.now() },
        };
        self.command_refund(&Context::of_caller(caller, correlation_id), refund_no.order_id(), command, Some(refund_no), key, None).await
    }

    /// An operator has dealt with money that was not owed.
    pub async fn resolve_surplus(
        &self,
        caller: &Caller,
        pay_no: PayNo,
        trade_no: String,
        reason: String,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<(Standing<Order>, bool), CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let standing = self.orders.load(&stream_id).await?;
        let record = owned(caller, &standing.state)?.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
        if !record.knows_capture(&trade_no) {
            return Err(CommandFailure::NotFound);
        }
        if let Some(key) = key.filter(|key| standing.state.keys.contains_key(&key.key_hash)) {
            key_is_ours(&standing.state, Some(key))?;
            return Ok((standing, true));
        }
        let context = Context::of_caller(caller, correlation_id);
        let command = || OrderCommand::Refund(RefundCommand::ResolveSurplus { pay_no, trade_no: trade_no.clone(), reason: reason.clone() });
        let executed = self
            .orders
            .execute(&stream_id, &context, |order| {
                if key_is_used(order, key) {
                    return Ok(vec![]);
                }
                Ok::<_, OrderRejection>(with_key(Order::decide(order, command())?, order, key, Some(pay_no)))
            })
            .await?;
        key_is_ours(&executed.standing.state, key)?;
        Ok((executed.standing, false))
    }

    async fn command_refund(
        &self,
        context: &Context,
        order_id: OrderId,
        command: impl Fn() -> RefundCommand + Send + Sync,
        known: Option<RefundNo>,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
    ) -> Result<RefundAnswer, CommandFailure> {
        let stream_id = streams::order(order_id);
        let executed = self
            .orders
            .execute_at(&stream_id, if_match, context, |order| {
                // The same key at work elsewhere was sooner: once is enough.
                if key_is_used(order, key) {
                    return Ok(vec![]);
                }
                let events = Order::decide(order, OrderCommand::Refund(command()))?;
                Ok::<_, OrderRejection>(with_key(events, order, key, None))
            })
            .await?;
        key_is_ours(&executed.standing.state, key)?;
        if let Some(key) = key.filter(|key| executed.events.is_empty() && executed.standing.state.keys.contains_key(&key.key_hash)) {
            return match known {
                Some(refund_no) => self.replayed_choice(refund_no, key).await,
                None => self.replayed_refund(executed.standing, key).await,
            };
        }
        let newest = executed.standing.state.refunds.last().map(|refund| refund.refund_no);
        let refund_no = known.or(newest).ok_or(CommandFailure::Broken("a requested refund is not on its order"))?;
        answer(refund_no, executed.standing, false)
    }
}

fn answer(refund_no: RefundNo, order: Standing<Order>, replayed: bool) -> Result<RefundAnswer, CommandFailure> {
    let refund = order.state.refund(refund_no).ok_or(CommandFailure::Broken("a refund is not on its order"))?;
    Ok(RefundAnswer { refund_no, status: refund.status, order, replayed })
}

impl Commands {
    /// What the key did before: it is answered as it was then.
    async fn replayed_refund(&self, standing: Standing<Order>, key: &CallerKey) -> Result<RefundAnswer, CommandFailure> {
        key_is_ours(&standing.state, Some(key))?;
        let used = standing.state.keys.get(&key.key_hash).and_then(|used| used.refund_no);
        let refund_no = used.ok_or(CommandFailure::Broken("a refund's key made none"))?;
        let is_requested = |event: &OrderStreamEvent| matches!(event, OrderStreamEvent::Order(OrderEvent::RefundRequested(requested)) if requested.refund_no == refund_no);
        let order = self.orders.load_until(&streams::order(refund_no.order_id()), is_requested).await?;
        answer(refund_no, order, true)
    }

    /// What an operator chose with the key before: it is answered as it was then.
    async fn replayed_choice(&self, refund_no: RefundNo, key: &CallerKey) -> Result<RefundAnswer, CommandFailure> {
        let mut is_used = false;
        let is_done = |event: &OrderStreamEvent| {
            match event {
                OrderStreamEvent::Order(OrderEvent::IdempotencyKeyRecorded(recorded)) => is_used |= recorded.key_hash == key.key_hash,
                OrderStreamEvent::Order(OrderEvent::RefundRetried(retried)) => return is_used && retried.refund_no == refund_no,
                OrderStreamEvent::Order(OrderEvent::RefundSucceeded(succeeded)) => return is_used && succeeded.refund_no == refund_no,
                _ => {}
            }
            false
        };
        let order = self.orders.load_until(&streams::order(refund_no.order_id()), is_done).await?;
        answer(refund_no, order, true)
    }

    /// Has the channel make a refund, or asks what became of it, and records its answer. It is asked about first: whoever had
    /// it made before may have died with the answer. The number and the sum are the same in every repeat.
    pub(crate) async fn drive_refund(&self, context: &Context, refund_no: RefundNo) -> Result<(), CommandFailure> {
        let standing = self.orders.load(&streams::order(refund_no.order_id())).await?;
        let order = &standing.state;
        let refund = order.refund(refund_no).ok_or(CommandFailure::NotFound)?;
        if !refund.status.is_open() {
            return Ok(());
        }
        let record = order.pay_record(refund.pay_no).ok_or(CommandFailure::NotFound)?;
        let issued = record.issued.as_ref().ok_or(CommandFailure::NotFound)?;
        let capture = record.captures.iter().find(|capture| capture.trade_no == refund.trade_no);
        let total = capture.ok_or(CommandFailure::Broken("a refund is of no payment"))?.amount;
        let configured = self.ports.channels.get(issued.channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let out_trade_no = self.number_at_channel(issued.channel, refund.pay_no, &refund.trade_no).await?;
        let mut state = configured.gateway.query_refund(&out_trade_no, &refund_no.to_string()).await?;
        if state == RefundState::NotFound {
            let request = RefundRequest {
                out_trade_no,
                refund_no: refund_no.to_string(),
                amount: refund.amount,
                total,
                reason: refund.reason.clone(),
                notify_url: configured.refund_notify_url.clone(),
            };
            state = configured.gateway.refund(&request).await?;
        }
        let outcome = match state {
            RefundState::Succeeded { refunded_at } => RefundOutcome::Succeeded { refunded_at },
            RefundState::Processing => RefundOutcome::Accepted,
            RefundState::Failed { code } => RefundOutcome::Failed { code },
            RefundState::NeedsOperator { code } => RefundOutcome::NeedsOperator { code },
            RefundState::NotFound => return Ok(()),
            RefundState::Unrecognised(word) => {
                tracing::warn!(refund.no = %refund_no, state = %word, "the channel names a state of a refund that is not known here");
                return Ok(());
            }
        };
        self.record_refund(context, refund, outcome).await
    }

    /// Asks the channel whether it made a refund that it said it would not make, and records it if so.
    pub(crate) async fn look_at_refund(&self, context: &Context, refund: &Refund) -> Result<(), CommandFailure> {
        let standing = self.orders.load(&streams::order(refund.refund_no.order_id())).await?;
        let issued = standing.state.pay_record(refund.pay_no).and_then(|record| record.issued.as_ref()).ok_or(CommandFailure::NotFound)?;
        let configured = self.ports.channels.get(issued.channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let number = self.number_at_channel(issued.channel, refund.pay_no, &refund.trade_no).await?;
        match configured.gateway.query_refund(&number, &refund.refund_no.to_string()).await? {
            RefundState::Succeeded { refunded_at } => self.record_refund(context, refund, RefundOutcome::Succeeded { refunded_at }).await,
            _ => Ok(()),
        }
    }

    /// Records what the channel says of a refund; `refund` is as it stood when the channel was asked.
    pub(crate) async fn record_refund(&self, context: &Context, refund: &Refund, outcome: RefundOutcome) -> Result<(), CommandFailure> {
        let refund_no = refund.refund_no;
        let command = RefundCommand::Record { refund_no, retries: refund.retries, outcome, now: self.now() };
        let stream_id = streams::order(refund_no.order_id());
        let decide = |order: &Order| Order::decide(order, OrderCommand::Refund(command.clone()));
        match self.orders.execute(&stream_id, context, decide).await {
            Ok(executed) => {
                for event in &executed.events {
                    tracing::info!(order.id = %refund_no.order_id(), refund.no = %refund_no, event = event.event_type(), "a refund went on");
                }
                Ok(())
            }
            // It has succeeded meanwhile, which no later word takes back.
            Err(ExecuteError::Rejected(OrderRejection::WrongState)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Records how much of a payment the channel says went back, where that is more than our own refunds explain. Where one
    /// of ours is under way its outcome is asked for first.
    pub(crate) async fn observe_refunds(
        &self,
        context: &Context,
        pay_no: PayNo,
        trade_no: &str,
        total: Money,
    ) -> Result<(), CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let standing = self.orders.load(&stream_id).await?;
        for refund in standing.state.refunds.iter().filter(|refund| refund.is_of(pay_no, trade_no)) {
            if refund.status.is_open() {
                self.drive_refund(context, refund.refund_no).await?;
            } else if refund.status == RefundStatus::NeedsOperator {
                // It may have been made after all.
                self.look_at_refund(context, refund).await?;
            }
        }
        let command = || RefundCommand::Observe { pay_no, trade_no: trade_no.to_owned(), total, now: self.now() };
        let decide = |order: &Order| Order::decide(order, OrderCommand::Refund(command()));
        match self.orders.execute(&stream_id, context, decide).await {
            Ok(_) => Ok(()),
            // What is under way explains it, or will; the channel tells its total again.
            Err(ExecuteError::Rejected(OrderRejection::RefundInFlight | OrderRejection::RefundsExhausted)) => {
                Err(CommandFailure::ChannelUnavailable)
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
