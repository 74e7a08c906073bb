//! Cancelling: an order ends only when its channels say that nobody paid.

use domain::order::{Order, OrderCommand, OrderRejection, OrderStatus};
use domain::pay_record::{ClosingProof, PayRecord};
use domain::{Decider, OrderId, PayNo};
use event_store::Position;
use gateway::{Closed, TradeState};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, Standing};
use crate::pay_records::{key_is_ours, owned};
use crate::service::Commands;
use crate::streams;

/// What a cancel led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// Whether the order has ended; otherwise the channel's proof is awaited.
    pub is_proven: bool,
    /// Whether the caller's key had done it before.
    pub replayed: bool,
    /// The position of the order's last event.
    pub position: Position,
}

impl Commands {
    /// Cancels an unpaid order.
    pub async fn cancel_order(
        &self,
        caller: &Caller,
        order_id: OrderId,
        reason: Option<String>,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<Cancelled, CommandFailure> {
        let stream_id = streams::order(order_id);
        let standing = self.orders.load(&stream_id).await?;
        let order = owned(caller, &standing.state)?;
        if let Some(key) = key.filter(|key| order.keys.contains_key(&key.key_hash)) {
            key_is_ours(order, Some(key))?;
            return cancelled(&self.when_key_was_used(&stream_id, key).await?, true);
        }
        let context = Context::of_caller(caller, correlation_id);
        let cancel = || OrderCommand::Cancel { reason: reason.clone() };
        let executed = self
            .orders
            .execute_at(&stream_id, if_match, &context, |order| {
                // A key that came with other content meanwhile must have no effect here.
                if key_is_ours(order, key).is_err() {
                    return Ok(vec![]);
                }
                Order::decide(order, cancel())
            })
            .await?;
        key_is_ours(&executed.standing.state, key)?;
        if executed.standing.state.status == OrderStatus::Closing {
            self.drive_closing(&context, &executed.standing.state).await?;
        }
        let standing = self.orders.load(&stream_id).await?;
        let answer = cancelled(&standing, false)?;
        if key.is_none() {
            return Ok(answer);
        }
        // Only now it is known what is answered; whoever dies before is asked again, and that adds nothing.
        cancelled(&self.key_recorded(&stream_id, &context, key, None).await?, false)
    }

    /// Asks the channel of each live attempt whether it was paid, and closes it there if not. A channel that does not
    /// answer, or is no longer configured, leaves its attempt closing.
    async fn drive_closing(&self, context: &Context, order: &Order) -> Result<(), CommandFailure> {
        let live = order.pay_records.iter().filter(|record| record.is_live());
        for pay_no in live.filter_map(|record: &PayRecord| record.issued.as_ref()).map(|issued| issued.pay_no) {
            match self.close_at_channel(context, pay_no).await {
                Ok(())
                | Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. } | CommandFailure::ChannelNotConfigured) => {
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Asks the channel about an attempt, and closes it there if it is unpaid.
    pub(crate) async fn close_at_channel(&self, context: &Context, pay_no: PayNo) -> Result<(), CommandFailure> {
        let state = self.settle_by_query(context, pay_no).await?;
        if !matches!(state, TradeState::AwaitingBuyer { .. } | TradeState::NotFound) {
            return Ok(());
        }
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let issued = standing.state.pay_record(pay_no).filter(|record| record.is_live()).and_then(|record| record.issued.as_ref());
        let Some(issued) = issued else { return Ok(()) };
        let Some(configured) = self.ports.channels.get(issued.channel) else { return Ok(()) };
        if self.now() < issued.issued_at + issued.channel.closes_after() {
            return Ok(());
        }
        match configured.gateway.close(&pay_no.to_string()).await? {
            Closed::Done => self.record_closed(context, pay_no, ClosingProof::ChannelClosed).await,
            // Its code could still be scanned, so this is no proof; the record is watched to the end of its life.
            Closed::NotFound | Closed::TooEarly => Ok(()),
            Closed::StateForbids => self.settle_by_query(context, pay_no).await.map(|_| ()),
        }
    }
}

fn cancelled(standing: &Standing<Order>, replayed: bool) -> Result<Cancelled, CommandFailure> {
    let position = standing.position;
    match standing.state.status {
        OrderStatus::Cancelled => Ok(Cancelled { is_proven: true, replayed, position }),
        OrderStatus::Closing => Ok(Cancelled { is_proven: false, replayed, position }),
        OrderStatus::Paid => Err(CommandFailure::Order(OrderRejection::AlreadyPaid)),
        _ => Err(CommandFailure::Order(OrderRejection::Ended)),
    }
}

#[cfg(test)]
mod tests;
