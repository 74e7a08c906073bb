//! Money that an operator assigned to a pay record: from the intent on its own stream to the outcome there. Between them it
//! is recorded on the order's stream; whoever dies on the way is followed by the process manager.

use domain::pay_record::CaptureSource;
use domain::unknown_capture::{
    Settlement, UnassignCause, UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived, UnknownCaptureRejection,
};
use domain::{Decider, PayNo};
use event_store::{RecordedEvent, StreamId};
use gateway::{Capture as ChannelCapture, TradeState};

use super::matched::wallet;
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, Standing};
use crate::inbox::{NoticeAction, OperatorAct, Unmatched};
use crate::service::Commands;
use crate::streams;
use crate::wallet::Wallet;

/// How assigned money stands with its pay record and its channel.
pub(super) enum Assignable {
    /// The pay record has it already.
    Known,
    /// The channel, asked now, says that it holds it.
    Held(ChannelCapture),
    /// It cannot be brought there, and why.
    Impossible(UnassignCause),
}

impl Commands {
    /// Does what is left to do about unmatched money on which an operator has decided: brings assigned money to its order, or
    /// records why that cannot be, and ends the notifications that tell of it. Errors: `ChannelUnavailable` and the like
    /// while the channel does not say whether it holds the money.
    pub(crate) async fn take_up_decision(&self, context: &Context, stream_id: &StreamId) -> Result<(), CommandFailure> {
        let mut standing = self.unknown_captures.load(stream_id).await?;
        let Some(received) = standing.state.received.clone() else { return Ok(()) };
        if let Some(Settlement::Assigned(pay_no)) = standing.state.settlement {
            standing = match self.assignable(&received, pay_no).await? {
                Assignable::Known => self.matched(context, stream_id, pay_no, None).await?,
                Assignable::Held(capture) => self.matched(context, stream_id, pay_no, Some(&capture)).await?,
                Assignable::Impossible(cause) => self.unassigned(context, stream_id, pay_no, cause).await?,
            };
        } else if standing.state.settlement.is_none()
            && let Some(pay_no) = self.found_after_all(&standing.state).await?
        {
            standing = self.matched(context, stream_id, pay_no, None).await?;
        }
        self.end_its_notices(stream_id, &standing.state).await
    }

    /// Asks where assigned money can go to. Nobody is asked about what its order has already.
    pub(super) async fn assignable(&self, received: &UnknownCaptureReceived, pay_no: PayNo) -> Result<Assignable, CommandFailure> {
        let order = self.orders.load(&streams::order(pay_no.order_id())).await?.state;
        let record = order.pay_record(pay_no);
        if record.is_some_and(|record| record.knows_capture(&received.trade_no)) {
            return Ok(Assignable::Known);
        }
        let channel = record.and_then(|record| record.issued.as_ref()).map(|issued| issued.channel);
        if channel.and_then(wallet) != Some(received.wallet.as_str()) {
            return Ok(Assignable::Impossible(UnassignCause::NoPayRecord));
        }
        self.word_of_the_channel(received).await
    }

    /// What the channel, asked now, says of unmatched money. Only what it holds still, and whole or with a known rest, is
    /// assigned.
    async fn word_of_the_channel(&self, received: &UnknownCaptureReceived) -> Result<Assignable, CommandFailure> {
        let wallet = Wallet::parse(&received.wallet).ok_or(CommandFailure::ChannelNotConfigured)?;
        Ok(match self.gateway_of(wallet)?.query(&received.out_trade_no).await? {
            TradeState::Paid(capture) if capture.trade_no == received.trade_no && !capture.has_refunds => Assignable::Held(capture),
            TradeState::Paid(capture) if capture.trade_no == received.trade_no => Assignable::Impossible(UnassignCause::WentBack),
            TradeState::ClosedRefunded(capture) if capture.trade_no == received.trade_no => Assignable::Impossible(UnassignCause::WentBack),
            TradeState::Paid(_) | TradeState::ClosedRefunded(_) | TradeState::ClosedUnpaid | TradeState::NotFound => {
                Assignable::Impossible(UnassignCause::NotHeld)
            }
            // It says nothing of the money yet.
            TradeState::AwaitingBuyer { .. } | TradeState::Unrecognised(_) => return Err(CommandFailure::ChannelUnavailable),
        })
    }

    /// Records assigned money on its order, with what went back of it before, and then that it stands there. `capture` is the
    /// channel's word; without it the order has the money already.
    pub(super) async fn matched(
        &self,
        context: &Context,
        stream_id: &StreamId,
        pay_no: PayNo,
        capture: Option<&ChannelCapture>,
    ) -> Result<Standing<UnknownCapture>, CommandFailure> {
        if let Some(capture) = capture {
            match self.record_capture(context, pay_no, capture, CaptureSource::Assigned).await {
                Ok(_) => {}
                Err(CommandFailure::NotFound | CommandFailure::Order(_)) => {
                    return self.unassigned(context, stream_id, pay_no, UnassignCause::Refused).await;
                }
                Err(failure) => return Err(failure),
            }
        }
        let money = self.unknown_captures.load(stream_id).await?.state;
        let refunded = money.refunded;
        if let Some((received, refunded)) = money.received.as_ref().zip(refunded) {
            self.observe_refunds(&context.then("refunds"), pay_no, &received.trade_no, refunded.of(received.currency)).await?;
        }
        let command = UnknownCaptureCommand::Match { pay_no, refunded };
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, command.clone());
        match self.unknown_captures.execute(stream_id, context, decide).await {
            Ok(executed) => {
                if !executed.events.is_empty() {
                    tracing::info!(pay.no = %pay_no, stream.id = %stream_id, "assigned money stands on its order");
                }
                Ok(executed.standing)
            }
            // More of it went back just now: whoever comes next tells the order of that too.
            Err(ExecuteError::Rejected(UnknownCaptureRejection::RefundUntold)) => Err(CommandFailure::Contended(stream_id.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Records that assigned money belongs to nobody again. Who ended the assignment meanwhile has the last word.
    async fn unassigned(
        &self,
        context: &Context,
        stream_id: &StreamId,
        pay_no: PayNo,
        cause: UnassignCause,
    ) -> Result<Standing<UnknownCapture>, CommandFailure> {
        let command = UnknownCaptureCommand::Unassign { pay_no, cause };
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, command.clone());
        match self.unknown_captures.execute(stream_id, context, decide).await {
            Ok(executed) => {
                tracing::warn!(pay.no = %pay_no, stream.id = %stream_id, cause = ?cause, "assigned money cannot be brought to its order");
                Ok(executed.standing)
            }
            Err(ExecuteError::Rejected(UnknownCaptureRejection::Settled)) => Ok(self.unknown_captures.load(stream_id).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// The order that has the money though its assignment was given up: whoever recorded it there was at it all the while.
    pub(super) async fn found_after_all(&self, money: &UnknownCapture) -> Result<Option<PayNo>, CommandFailure> {
        let Some(received) = &money.received else { return Ok(None) };
        for pay_no in &money.unassigned {
            let order = self.orders.load(&streams::order(pay_no.order_id())).await?.state;
            if order.pay_record(*pay_no).is_some_and(|record| record.knows_capture(&received.trade_no)) {
                return Ok(Some(*pay_no));
            }
        }
        Ok(None)
    }

    /// Ends the open notifications that tell of money that was dealt with, as the operator's own request does where it
    /// lives so long.
    async fn end_its_notices(&self, stream_id: &StreamId, money: &UnknownCapture) -> Result<(), CommandFailure> {
        let action = match money.settlement {
            Some(Settlement::Matched(pay_no)) => NoticeAction::Assigned(pay_no),
            Some(Settlement::Resolved) => NoticeAction::Dismissed,
            Some(Settlement::Assigned(_)) | None => return Ok(()),
        };
        let (Some(desk), Some(received)) = (self.ports.inbox.desk(), &money.received) else { return Ok(()) };
        let events = self.ports.log.read_stream(stream_id, 0, MOST_EVENTS).await?;
        let Some(decided) = events.iter().rev().find(|event| is_decision(event)) else { return Ok(()) };
        let by = decided.metadata.actor.clone();
        let act = OperatorAct { action, by, at: decided.recorded_at, reason: money.reason.clone().unwrap_or_default() };
        let unmatched = Unmatched { wallet: &received.wallet, trade_no: &received.trade_no };
        desk.end(None, &act, Some(unmatched)).await.map_err(CommandFailure::Inbox)
    }
}

/// More events than the stream of unmatched money ever has.
const MOST_EVENTS: usize = 10_000;

fn is_decision(event: &RecordedEvent) -> bool {
    matches!(event.event_type.as_str(), "UnknownCaptureAssigned" | "UnknownCaptureResolved")
}
