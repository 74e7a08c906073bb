//! Asking a channel what became of a payment, and recording what it says.

use domain::order::{Order, OrderCommand, OrderEvent, OrderRejection, OrderStreamEvent};
use domain::pay_record::{Capture, CaptureSource, ClosingProof, PayRecordRejection, PayRecordStatus};
use domain::{Decider, PayNo};
use event_store::StreamId;
use gateway::{Capture as ChannelCapture, TradeState};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, Standing};
use crate::pay_records::{at_revision, key_is_ours, owned, with_key};
use crate::service::Commands;
use crate::streams;

/// The offset from UTC in which both channels write their times.
pub(crate) const BEIJING: &str = "+08:00";

impl Commands {
    /// Asks the channel now what became of a payment ("I have paid"), and answers the order as the log then has it.
    pub async fn sync_pay_record(
        &self,
        caller: &Caller,
        pay_no: PayNo,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<(Standing<Order>, bool), CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let standing = self.orders.load(&stream_id).await?;
        let order = owned(caller, &standing.state)?;
        let record = order.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
        if let Some(used) = key.and_then(|key| order.keys.get(&key.key_hash).map(|used| (key, used))) {
            if used.0.request_hash != used.1.request_hash {
                return Err(CommandFailure::KeyReused);
            }
            return Ok((self.when_key_was_used(&stream_id, used.0).await?, true));
        }
        at_revision(&standing, if_match)?;
        let context = Context::of_caller(caller, correlation_id);
        let is_over = matches!(record.status, PayRecordStatus::Confirmed | PayRecordStatus::Failed | PayRecordStatus::Surplus);
        // Its own code may have been paid too where other money settled it.
        if !is_over || record.is_settled_by_others() {
            // Whoever asks again and again is answered from the log.
            if self.questions.check(pay_no, self.now()).is_ok() {
                self.settle_by_query(&context, pay_no).await?;
            }
        }
        if key.is_none() {
            return Ok((self.orders.load(&stream_id).await?, false));
        }
        let recorded = self.key_recorded(&stream_id, &context, key, Some(pay_no)).await?;
        Ok((recorded, false))
    }

    /// How the order stands with the caller's key on it: what a repeat is answered from.
    pub(crate) async fn key_recorded(
        &self,
        stream_id: &StreamId,
        context: &Context,
        key: Option<&CallerKey>,
        pay_no: Option<PayNo>,
    ) -> Result<Standing<Order>, CommandFailure> {
        let decide = |order: &Order| Ok::<_, OrderRejection>(with_key(vec![], order, key, pay_no));
        let recorded = self.orders.execute(stream_id, context, decide).await?;
        key_is_ours(&recorded.standing.state, key)?;
        Ok(recorded.standing)
    }

    /// How the order stood when the caller's key was used on it.
    pub(crate) async fn when_key_was_used(&self, stream_id: &StreamId, key: &CallerKey) -> Result<Standing<Order>, CommandFailure> {
        let is_use = |event: &OrderStreamEvent| matches!(event, OrderStreamEvent::Order(OrderEvent::IdempotencyKeyRecorded(recorded)) if recorded.key_hash == key.key_hash);
        Ok(self.orders.load_until(stream_id, is_use).await?)
    }

    /// Asks the channel and records its verified answer. Errors: `ChannelUnavailable` where it does not answer.
    pub(crate) async fn settle_by_query(&self, context: &Context, pay_no: PayNo) -> Result<TradeState, CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let standing = self.orders.load(&stream_id).await?;
        let record = standing.state.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
        let issued = record.issued.as_ref().ok_or(CommandFailure::NotFound)?;
        let Some(configured) = self.ports.channels.get(issued.channel) else { return Err(CommandFailure::ChannelNotConfigured) };
        let asked_at = self.now();
        let state = configured.gateway.query(&pay_no.to_string()).await?;
        let proof = match &state {
            TradeState::Paid(capture) => {
                self.record_capture(context, pay_no, capture, CaptureSource::Query).await?;
                return Ok(state);
            }
            TradeState::ClosedRefunded(capture) => {
                self.record_capture(context, pay_no, capture, CaptureSource::Query).await?;
                self.observe_refunds(context, pay_no, &capture.trade_no, capture.amount).await?;
                return Ok(state);
            }
            TradeState::ClosedUnpaid => Some(ClosingProof::ChannelClosed),
            // Whoever asks for its code may still be on the way; only the process manager may end such a record.
            TradeState::NotFound if record.status != PayRecordStatus::Preparing => Some(ClosingProof::Absent { asked_at }),
            TradeState::NotFound | TradeState::AwaitingBuyer { .. } => None,
            TradeState::Unrecognised(word) => {
                tracing::warn!(pay.no = %pay_no, state = %word, "the channel names a state that is not known here");
                None
            }
        };
        if let Some(proof) = proof {
            self.record_closed(context, pay_no, proof).await?;
        }
        Ok(state)
    }

    /// Records money that a channel verifiably took. Told twice, it has no effect the second time.
    pub(crate) async fn record_capture(
        &self,
        context: &Context,
        pay_no: PayNo,
        capture: &ChannelCapture,
        learned_by: CaptureSource,
    ) -> Result<Standing<Order>, CommandFailure> {
        let capture = Capture {
            trade_no: capture.trade_no.clone(),
            amount: capture.amount,
            paid_at: capture.paid_at,
            paid_at_offset: capture.paid_at.map(|_| BEIJING.to_owned()),
            received_at: self.now(),
            learned_by,
        };
        let command = || OrderCommand::RecordCapture { pay_no, capture: capture.clone() };
        let executed = self.orders.execute(&streams::order(pay_no.order_id()), context, |order| Order::decide(order, command())).await?;
        for event in &executed.events {
            tracing::info!(order.id = %pay_no.order_id(), pay.no = %pay_no, event = event.event_type(), "a capture was recorded");
        }
        Ok(executed.standing)
    }

    /// Records what is known of an attempt that nobody paid. One that was paid meanwhile stays paid.
    pub(crate) async fn record_closed(&self, context: &Context, pay_no: PayNo, proof: ClosingProof) -> Result<(), CommandFailure> {
        let command = OrderCommand::ClosePayRecord { pay_no, proof };
        let stream_id = streams::order(pay_no.order_id());
        match self.orders.execute(&stream_id, context, |order| Order::decide(order, command.clone())).await {
            Ok(_) | Err(ExecuteError::Rejected(OrderRejection::PayRecord(PayRecordRejection::WrongState))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
