//! Attempts whose intent is on the log and whose outcome is not: their process died, or the channel did not answer.

use domain::order::{Attempt, Order, OrderCommand, OrderStreamEvent};
use domain::pay_record::{ClosingProof, PayRecordEvent, PayRecordStatus};
use domain::{Decider, PayNo};
use gateway::{Closed, TradeState};

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::pay_records::Attempted;
use crate::service::Commands;
use crate::streams;

impl Commands {
    /// Asks the channel what became of an attempt, and records it. What the channel never heard of is asked for once more
    /// where the channel prepares the same payment again; elsewhere it ends, and the next number is tried.
    pub(crate) async fn take_up_attempt(&self, context: &Context, pay_no: PayNo) -> Result<(), CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let standing = self.orders.load(&stream_id).await?;
        let record = standing.state.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
        let Some(issued) = record.issued.as_ref().filter(|_| record.status == PayRecordStatus::Preparing) else { return Ok(()) };
        let channel = issued.channel;
        let Some(configured) = self.ports.channels.get(channel) else { return Err(CommandFailure::ChannelNotConfigured) };
        if !configured.gateway.available() {
            return Err(CommandFailure::ChannelUnavailable);
        }
        let asked_at = self.now();
        let state = self.settle_by_query(context, pay_no).await?;
        let is_open = matches!(state, TradeState::NotFound | TradeState::AwaitingBuyer { .. });
        if is_open && channel.prepares_again() && standing.state.may_begin_payment(self.now()).is_ok() {
            // The same members under the same number lead to the same payment, whether the first request arrived or not.
            let order = self.orders.load(&stream_id).await?;
            if order.state.pay_record(pay_no).is_some_and(|record| record.status == PayRecordStatus::Preparing) {
                let attempted = Attempted { pay_no, order, is_new: true, replayed: false };
                self.precreate(context, attempted, configured).await?;
            }
            return Ok(());
        }
        match state {
            // The product is offered no more: the attempt ends, and nothing takes its place.
            TradeState::NotFound if !self.ports.channels.offers(channel) => {
                return self.record_closed(context, pay_no, ClosingProof::Absent { asked_at }).await;
            }
            TradeState::NotFound => {}
            // Its code never reached us, so nobody was shown it; what the channel knows of it is closed there.
            TradeState::AwaitingBuyer { .. } => match configured.gateway.close(&pay_no.to_string()).await? {
                Closed::Done | Closed::NotFound if !self.ports.channels.offers(channel) => {
                    return self.record_closed(context, pay_no, ClosingProof::Absent { asked_at }).await;
                }
                Closed::Done | Closed::NotFound => {}
                // It is asked about again, and closed then.
                Closed::TooEarly => return Ok(()),
                Closed::StateForbids => return self.settle_by_query(context, pay_no).await.map(drop),
            },
            _ => return Ok(()),
        }
        let payer = issued.request.as_ref().and_then(|request| request.payer.clone());
        let attempt = Attempt { payer, by_scan: issued.by_scan, ..configured.wish(channel, self.now()) };
        let command = || OrderCommand::Reattempt { pay_no, attempt: attempt.clone() };
        let executed = self.orders.execute(&stream_id, context, |order| Order::decide(order, command())).await?;
        if let Some(pay_no) = executed.events.iter().find_map(issued_pay_no) {
            let attempted = Attempted { pay_no, order: executed.standing, is_new: true, replayed: false };
            self.precreate(context, attempted, configured).await?;
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

#[cfg(test)]
mod tests;
