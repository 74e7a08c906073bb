//! Money that matched no pay record and that an operator has dealt with: what its notifications mean from then on, and
//! under which number its channel knows it.

use domain::unknown_capture::Settlement;
use domain::{Channel, PayNo};
use gateway::{News, NotificationRefusal};

use super::NoticeVerdict;
use super::judging::Judged;
use crate::failure::CommandFailure;
use crate::service::Commands;
use crate::streams;
use crate::wallet::Wallet;

/// The wallet that a channel belongs to, as streams of unknown captures name it; `None` for one that asks no wallet.
pub(super) fn wallet(channel: Channel) -> Option<&'static str> {
    Wallet::of(channel).map(Wallet::as_str)
}

impl Commands {
    /// What is made of a notification about money that an operator has dealt with.
    pub(super) async fn settled_money(&self, judged: &Judged<'_>, settlement: Settlement) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, .. } = *judged;
        let pay_no = match settlement {
            Settlement::Resolved => return Ok(NoticeVerdict::Recorded),
            Settlement::Assigned(pay_no) => pay_no,
        };
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let record = standing.state.pay_record(pay_no);
        let capture = record.and_then(|record| record.captures.iter().find(|capture| capture.trade_no == notification.trade_no));
        let Some(capture) = capture else {
            // The operator's wish has not come to its end yet, and repeating it will.
            return Ok(NoticeVerdict::Refused(NotificationRefusal::UnknownOrder));
        };
        match &notification.news {
            News::Paid { .. } => Ok(NoticeVerdict::Recorded),
            News::AwaitingBuyer => Ok(NoticeVerdict::Nothing),
            News::Refunded { total, .. } if !notification.query_first && capture.amount == notification.amount => {
                self.take_refunds(context, pay_no, notification, *total).await
            }
            News::Refunded { .. } | News::Refund { .. } | News::ClosedUnpaid | News::Unclear => Ok(NoticeVerdict::Unconfirmed),
        }
    }

    /// The number under which the channel knows the payment `trade_no` of a pay record: the record's own, but for money that
    /// came under another one and was assigned to it.
    pub(crate) async fn number_at_channel(&self, channel: Channel, pay_no: PayNo, trade_no: &str) -> Result<String, CommandFailure> {
        let Some(wallet) = wallet(channel) else { return Ok(pay_no.to_string()) };
        let capture = self.unknown_captures.load(&streams::unknown_capture(wallet, trade_no)).await?.state;
        Ok(match (&capture.received, capture.settlement) {
            (Some(received), Some(Settlement::Assigned(assigned))) if assigned == pay_no => received.out_trade_no.clone(),
            _ => pay_no.to_string(),
        })
    }
}
