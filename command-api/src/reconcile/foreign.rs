//! Refunds that stand in a statement under numbers of the channel's own: made on its website, or there by hand instead of by
//! us.

mod matching;

use std::collections::{BTreeMap, BTreeSet};

use domain::order::{Order, OrderRejection};
use domain::{PayNo, RefundNo};
use gateway::{Gateway, GatewayError, RefundFound, RefundState, StatementLine};

use self::matching::{Answer, AtChannel, Line, OfPayment, Place};
use super::DiscrepancyKind;
use super::lines::{CHANNEL_ONLY, Found};
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::service::Commands;
use crate::streams;

/// What became of such lines, and the refunds of the log that they tell of.
pub(super) struct LookedAt {
    /// Of each line.
    pub(super) found: Vec<Found>,
    pub(super) told: BTreeSet<RefundNo>,
}

impl Commands {
    /// Looks at all lines of one payment, with the number of each. A refund is taken up once the channel confirms its number
    /// and its sum, and once it is certain that the log does not count it already. One that the log has without that number,
    /// because only a running total told of it or an operator had it made there, is the same if it gives back the same.
    pub(super) async fn look_at_foreign_refunds(
        &self,
        context: &Context,
        pay_no: PayNo,
        lines: &[(&StatementLine, &str)],
    ) -> Result<LookedAt, CommandFailure> {
        let stream_id = streams::order(pay_no.order_id());
        let order = self.orders.load(&stream_id).await?.state;
        let of_payment = self.asked_of(&order, pay_no, lines).await?;
        let decide = |order: &Order| {
            let marks = of_payment.matched(order).marks.into_iter();
            Ok::<_, OrderRejection>(marks.map(|(place, known)| of_payment.foreign(&of_payment.lines[place]).mark(known)).collect())
        };
        let order = self.orders.execute(&stream_id, context, decide).await?.standing.state;
        let (places, mut recorded) = (of_payment.matched(&order).places, BTreeSet::new());
        for (place, line) in of_payment.lines.iter().enumerate().filter(|(place, _)| places[*place] == Place::New) {
            let Answer::Confirmed(refunded_at) = line.answer else { continue };
            let is_new = |order: &Order| of_payment.matched(order).places[place] == Place::New;
            let foreign = of_payment.foreign(line);
            match self.take_up_foreign_refund_if(context, &foreign, line.amount, refunded_at, is_new).await {
                Ok(true) => drop(recorded.insert(place)),
                // Something else told of it meanwhile, or more would have gone back than was paid.
                Ok(false) | Err(CommandFailure::Order(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let order = self.orders.load(&stream_id).await?.state;
        let matching = of_payment.matched(&order);
        let found = matching.places.iter().enumerate().map(|(place, stands)| match stands {
            Place::OnLog if recorded.contains(&place) => Found::Recorded,
            Place::OnLog => Found::Matched,
            Place::Differs => Found::Different(DiscrepancyKind::AmountDiffers),
            Place::New | Place::ChannelOnly => CHANNEL_ONLY,
            Place::Unanswered => Found::Unanswered,
        });
        Ok(LookedAt { found: found.collect(), told: matching.told })
    }

    /// Asks the channel about each number that the order does not know, and about those of ours that may be the same. Where
    /// the payment's product is configured no more nobody is asked, so none is confirmed.
    async fn asked_of<'s>(
        &self,
        order: &Order,
        pay_no: PayNo,
        lines: &[(&'s StatementLine, &'s str)],
    ) -> Result<OfPayment<'s>, CommandFailure> {
        let trade_no = lines.first().map_or("", |(line, _)| line.trade_no.as_str());
        let told = lines.iter().map(|(line, number)| Line { number, amount: line.amount, answer: Answer::NotConfirmed });
        let mut of_payment = OfPayment { pay_no, trade_no, lines: told.collect(), ours: BTreeMap::new() };
        let is_known = |line: &Line<'s>| of_payment.foreign(line).taken_up_in(order).is_some();
        let unknown: Vec<usize> = (0..lines.len()).filter(|place| !is_known(&of_payment.lines[*place])).collect();
        if unknown.is_empty() {
            return Ok(of_payment);
        }
        let issued = order.pay_record(pay_no).and_then(|record| record.issued.as_ref()).ok_or(CommandFailure::NotFound)?;
        let Some(configured) = self.ports.channels.get(issued.channel) else { return Ok(of_payment) };
        let gateway = configured.gateway.as_ref();
        for place in unknown {
            let (line, number) = lines[place];
            of_payment.lines[place].answer = answer(gateway, line, number).await;
        }
        let out_trade_no = lines.first().map_or("", |(line, _)| line.out_trade_no.as_str());
        for refund_no in of_payment.to_ask(order) {
            let says = at_channel(gateway, out_trade_no, refund_no).await;
            of_payment.ours.insert(refund_no, says);
        }
        Ok(of_payment)
    }
}

async fn answer(gateway: &dyn Gateway, line: &StatementLine, number: &str) -> Answer {
    match gateway.find_refund(&line.out_trade_no, number).await {
        Ok(Some(RefundFound { amount, state: RefundState::Succeeded { refunded_at } })) if amount == line.amount => {
            Answer::Confirmed(refunded_at)
        }
        Ok(_) | Err(GatewayError::Refused { .. }) => Answer::NotConfirmed,
        Err(GatewayError::Unknown { .. }) => Answer::NotAnswered,
    }
}

async fn at_channel(gateway: &dyn Gateway, out_trade_no: &str, refund_no: RefundNo) -> AtChannel {
    match gateway.query_refund(out_trade_no, &refund_no.to_string()).await {
        Ok(RefundState::NotFound | RefundState::Failed { .. }) => AtChannel::Absent,
        Ok(RefundState::Succeeded { .. }) => AtChannel::Made,
        Err(GatewayError::Unknown { .. }) => AtChannel::NotAnswered,
        Ok(RefundState::Processing | RefundState::NeedsOperator { .. } | RefundState::Unrecognised(_))
        | Err(GatewayError::Refused { .. }) => AtChannel::Unsure,
    }
}

#[cfg(test)]
mod tests;
