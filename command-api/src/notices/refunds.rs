//! What a channel tells of one refund.

use domain::order::{Order, OrderRejection, Refund, RefundOutcome, RefundStatus};
use domain::{Money, PayNo, RefundNo};
use gateway::{GatewayError, NotificationRefusal, RefundFound, RefundState};

use super::judging::Judged;
use super::{ASKING, NoticeVerdict};
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::refunds::ForeignRefund;
use crate::service::Commands;
use crate::streams;

/// What a notification tells of one refund.
pub(super) struct ToldRefund<'n> {
    pub(super) refund_no: &'n str,
    pub(super) amount: Money,
    pub(super) state: &'n RefundState,
}

impl Commands {
    /// Records what became of a refund of ours, where the notification agrees with what is on the log in every sum and
    /// number; otherwise, and where the notification proves nothing by itself, the channel is asked. One that nobody here
    /// asked for is taken up by its number.
    pub(super) async fn take_refund(
        &self,
        judged: &Judged<'_>,
        order: &Order,
        pay_no: PayNo,
        told: &ToldRefund<'_>,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, .. } = *judged;
        let number = told.refund_no.parse::<RefundNo>().ok().filter(|refund_no| refund_no.order_id() == pay_no.order_id());
        let Some(number) = number else { return self.take_foreign_refund(judged, order, pay_no, told).await };
        // A number that only we give, and that we gave for nothing or for another payment: somebody has to look.
        let refund = order.refund(number).filter(|refund| refund.is_of(pay_no, &notification.trade_no));
        let Some(refund) = refund else { return Ok(NoticeVerdict::Unconfirmed) };
        if refund.status == RefundStatus::Succeeded {
            return Ok(NoticeVerdict::Recorded);
        }
        let captures = order.pay_record(pay_no).map(|record| record.captures.as_slice()).unwrap_or_default();
        let paid = captures.iter().find(|capture| capture.trade_no == refund.trade_no).map(|capture| capture.amount);
        let agrees = refund.amount == told.amount && paid == Some(notification.amount);
        let outcome = match told.state {
            RefundState::Succeeded { refunded_at } => RefundOutcome::Succeeded { refunded_at: *refunded_at },
            RefundState::Processing => RefundOutcome::Accepted,
            RefundState::Failed { code } => RefundOutcome::Failed { code: code.clone() },
            RefundState::NeedsOperator { code } => RefundOutcome::NeedsOperator { code: code.clone() },
            RefundState::NotFound | RefundState::Unrecognised(_) => return self.asked_of_refund(judged, refund, agrees).await,
        };
        if notification.query_first || !agrees {
            return self.asked_of_refund(judged, refund, agrees).await;
        }
        self.record_refund(context, refund, outcome).await?;
        Ok(NoticeVerdict::Recorded)
    }

    /// Takes up a refund that was made on the channel's website. A notification that proves nothing by itself only leads to
    /// the question whether the channel has such a refund, over this very sum.
    async fn take_foreign_refund(
        &self,
        judged: &Judged<'_>,
        order: &Order,
        pay_no: PayNo,
        told: &ToldRefund<'_>,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let notification = judged.notification;
        let foreign = ForeignRefund { pay_no, trade_no: &notification.trade_no, number: told.refund_no };
        if foreign.taken_up_in(order).is_some() {
            return Ok(NoticeVerdict::Recorded);
        }
        let captures = order.pay_record(pay_no).map(|record| record.captures.as_slice()).unwrap_or_default();
        match captures.iter().find(|capture| capture.trade_no == notification.trade_no) {
            Some(capture) if capture.amount != notification.amount => {
                return Ok(NoticeVerdict::Refused(NotificationRefusal::AmountMismatch));
            }
            Some(_) => {}
            // A payment that was never told of is asked for first.
            None if self.finds_payment(judged, pay_no).await? => {}
            None => return Ok(NoticeVerdict::Unconfirmed),
        }
        let (found, taken_up) = if notification.query_first {
            self.keep_meanwhile(judged, ASKING).await?;
            match self.refund_at_channel(order, pay_no, &notification.out_trade_no, told.refund_no).await {
                Ok(Some(found)) => (found, NoticeVerdict::SettledByQuery),
                Ok(None) | Err(GatewayError::Unknown { .. } | GatewayError::Refused { .. }) => return Ok(NoticeVerdict::Unconfirmed),
            }
        } else {
            (RefundFound { amount: told.amount, state: told.state.clone() }, NoticeVerdict::Recorded)
        };
        if found.amount != told.amount {
            return Ok(NoticeVerdict::Refused(NotificationRefusal::AmountMismatch));
        }
        let refunded_at = match found.state {
            RefundState::Succeeded { refunded_at } => refunded_at,
            // Nothing has gone back; if it does, that is told of by itself.
            RefundState::Processing | RefundState::Failed { .. } => return Ok(NoticeVerdict::Nothing),
            RefundState::NeedsOperator { .. } | RefundState::NotFound | RefundState::Unrecognised(_) => {
                return Ok(NoticeVerdict::Unconfirmed);
            }
        };
        match self.take_up_foreign_refund(judged.context, &foreign, found.amount, refunded_at).await {
            Ok(()) => Ok(taken_up),
            Err(CommandFailure::Order(OrderRejection::RefundExceedsPaid)) => {
                Ok(NoticeVerdict::Refused(NotificationRefusal::AmountMismatch))
            }
            Err(CommandFailure::Order(_)) => Ok(NoticeVerdict::Unconfirmed),
            Err(failure) => Err(failure),
        }
    }

    /// The refund as the channel of the payment has it.
    async fn refund_at_channel(
        &self,
        order: &Order,
        pay_no: PayNo,
        out_trade_no: &str,
        number: &str,
    ) -> Result<Option<RefundFound>, GatewayError> {
        let issued = order.pay_record(pay_no).and_then(|record| record.issued.as_ref());
        match issued.and_then(|issued| self.ports.channels.get(issued.channel)) {
            Some(configured) => configured.gateway.find_refund(out_trade_no, number).await,
            None => Ok(None),
        }
    }

    /// Asks the channel what became of the refund, and records its answer.
    async fn asked_of_refund(&self, judged: &Judged<'_>, refund: &Refund, agrees: bool) -> Result<NoticeVerdict, CommandFailure> {
        self.keep_meanwhile(judged, ASKING).await?;
        let otherwise = if agrees { NoticeVerdict::Unconfirmed } else { NoticeVerdict::Refused(NotificationRefusal::AmountMismatch) };
        match self.settle_refund(judged.context, refund).await {
            Ok(()) => {}
            Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => return Ok(otherwise),
            Err(failure) => return Err(failure),
        }
        let standing = self.orders.load(&streams::order(refund.refund_no.order_id())).await?;
        let is_over = standing.state.refund(refund.refund_no).is_some_and(|refund| !refund.status.is_open());
        Ok(if is_over && agrees { NoticeVerdict::SettledByQuery } else { otherwise })
    }

    async fn settle_refund(&self, context: &Context, refund: &Refund) -> Result<(), CommandFailure> {
        if refund.status.is_open() {
            self.drive_refund(context, refund.refund_no).await
        } else {
            self.look_at_refund(context, refund).await
        }
    }
}

#[cfg(test)]
mod tests;
