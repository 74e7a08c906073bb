//! What a channel tells of one refund.

use domain::order::{Order, Refund, RefundOutcome, RefundStatus};
use domain::{Money, PayNo, RefundNo};
use gateway::{NotificationRefusal, RefundState};

use super::judging::Judged;
use super::{ASKING, NoticeVerdict};
use crate::failure::CommandFailure;
use crate::handler::Context;
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
    /// number; otherwise, and where the notification proves nothing by itself, the channel is asked. One that we did not ask
    /// for stays on the operators' desk: no running total tells what of the payment is left.
    pub(super) async fn take_refund(
        &self,
        judged: &Judged<'_>,
        order: &Order,
        pay_no: PayNo,
        told: &ToldRefund<'_>,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, .. } = *judged;
        let refund = told.refund_no.parse::<RefundNo>().ok().and_then(|refund_no| order.refund(refund_no));
        let Some(refund) = refund.filter(|refund| refund.is_of(pay_no, &notification.trade_no)) else {
            return Ok(NoticeVerdict::Unconfirmed);
        };
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
        self.record_refund(context, refund.refund_no, outcome).await?;
        Ok(NoticeVerdict::Recorded)
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
