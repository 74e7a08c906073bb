//! Attempts whose intent is on the log and whose outcome is not: their process died, or the channel did not answer.

use domain::order::{Order, OrderCommand, OrderStreamEvent};
use domain::pay_record::{PayRecordEvent, PayRecordStatus};
use domain::{Decider, PayNo};
use gateway::{Closed, TradeState};

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::pay_records::Attempted;
use crate::service::Commands;
use crate::streams;

impl Commands {
    /// Asks the channel what became of an attempt, and records it. What the channel never heard of ends, and the next number
    /// is tried.
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
        match self.settle_by_query(context, pay_no).await? {
            TradeState::NotFound => {}
            // Its code never reached us, so nobody was shown it; what the channel knows of it is closed there.
            TradeState::AwaitingBuyer { .. } => match configured.gateway.close(&pay_no.to_string()).await? {
                Closed::Done | Closed::NotFound => {}
                Closed::StateForbids => return self.settle_by_query(context, pay_no).await.map(drop),
            },
            _ => return Ok(()),
        }
        let attempt = configured.wish(channel, self.now());
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
