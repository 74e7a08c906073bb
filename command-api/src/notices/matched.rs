//! Money that matched no pay record and that an operator has dealt with: what its notifications mean from then on, and
//! under which number its channel knows it.

use domain::unknown_capture::{Settlement, UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived, UnknownCaptureRejection};
use domain::{Channel, Decider, PayNo};
use gateway::{News, NotificationRefusal};

use super::NoticeVerdict;
use super::judging::Judged;
use super::refunds::ToldRefund;
use crate::failure::CommandFailure;
use crate::handler::ExecuteError;
use crate::service::Commands;
use crate::streams;
use crate::wallet::Wallet;

/// The wallet that a channel belongs to, as streams of unknown captures name it; `None` for one that asks no wallet.
pub(super) fn wallet(channel: Channel) -> Option<&'static str> {
    Wallet::of(channel).map(Wallet::as_str)
}

impl Commands {
    /// What is made of a notification about money that an operator has dealt with.
    pub(super) async fn settled_money(
        &self,
        judged: &Judged<'_>,
        received: &UnknownCaptureReceived,
        settlement: Settlement,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, .. } = *judged;
        let pay_no = match settlement {
            Settlement::Resolved => return Ok(NoticeVerdict::Recorded),
            Settlement::Assigned(pay_no) | Settlement::Matched(pay_no) => pay_no,
        };
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let record = standing.state.pay_record(pay_no);
        let capture = record.and_then(|record| record.captures.iter().find(|capture| capture.trade_no == notification.trade_no));
        let Some(capture) = capture else {
            // It is on its way to the order; what went back meanwhile goes with it.
            return self.unmatched_refund(judged, received).await;
        };
        match &notification.news {
            News::Paid { .. } => Ok(NoticeVerdict::Recorded),
            News::AwaitingBuyer => Ok(NoticeVerdict::Nothing),
            News::Refunded { total, .. } if !notification.query_first && capture.amount == notification.amount => {
                self.take_refunds(context, pay_no, notification, *total).await
            }
            News::Refund { refund_no, amount, state } => {
                self.take_refund(judged, &standing.state, pay_no, &ToldRefund { refund_no, amount: *amount, state }).await
            }
            News::Refunded { .. } | News::ClosedUnpaid | News::Unclear => Ok(NoticeVerdict::Unconfirmed),
        }
    }

    /// Records what went back of money that is on no order. The channel is to tell of it again while some of it is left: nobody
    /// has dealt with that yet.
    pub(super) async fn unmatched_refund(
        &self,
        judged: &Judged<'_>,
        received: &UnknownCaptureReceived,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, .. } = *judged;
        let refused = NoticeVerdict::Refused(NotificationRefusal::UnknownOrder);
        let News::Refunded { total, .. } = notification.news else { return Ok(refused) };
        if notification.query_first || notification.amount != received.amount.of(received.currency) {
            return Ok(refused);
        }
        let stream_id = streams::unknown_capture(&received.wallet, &received.trade_no);
        let now = self.now();
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, UnknownCaptureCommand::Refund { total, now });
        match self.unknown_captures.execute(&stream_id, context, decide).await {
            Ok(_) if total == notification.amount => Ok(NoticeVerdict::Recorded),
            Ok(_) => Ok(refused),
            // It has come to its order just now, which is to be told.
            Err(ExecuteError::Rejected(UnknownCaptureRejection::Settled)) => Err(CommandFailure::Contended(stream_id)),
            Err(error) => Err(error.into()),
        }
    }

    /// The number under which the channel knows the payment `trade_no` of a pay record: the record's own, but for money that
    /// came under another one and was assigned to it.
    pub(crate) async fn number_at_channel(&self, channel: Channel, pay_no: PayNo, trade_no: &str) -> Result<String, CommandFailure> {
        let Some(wallet) = wallet(channel) else { return Ok(pay_no.to_string()) };
        let capture = self.unknown_captures.load(&streams::unknown_capture(wallet, trade_no)).await?.state;
        let received = capture.received.as_ref().filter(|_| capture.was_assigned_to(pay_no));
        Ok(received.map_or_else(|| pay_no.to_string(), |received| received.out_trade_no.clone()))
    }
}
