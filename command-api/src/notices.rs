//! Notifications: verified on their raw bytes, compared with our record, decided, durable, kept, and only then answered.

use chrono::{DateTime, Utc};
use domain::pay_record::{CaptureSource, ClosingProof, PayRecord};
use domain::unknown_capture::{UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived};
use domain::{Channel, Decider, Money, PayNo};
use gateway::{Capture, Gateway, News, Notification, NotificationRefusal, NotificationReply, RawNotification, Receipt, TradeState};
use uuid::Uuid;

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::inbox::KeptNotice;
use crate::service::Commands;
use crate::settle::BEIJING;
use crate::streams;

const ALIPAY: &str = "alipay";

/// What was made of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeVerdict {
    /// It is refused, and why.
    Refused(NotificationRefusal),
    /// What it tells is on the log, or was already.
    Recorded,
    /// It tells nothing that changes anything.
    Nothing,
    /// It could not be believed as it stands, and the channel was asked instead: its answer is on the log.
    SettledByQuery,
    /// It could not be believed as it stands, and the channel did not confirm it.
    Unconfirmed,
}

impl NoticeVerdict {
    /// The word that is kept with the notification.
    pub fn word(self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Recorded => "recorded".to_owned(),
            Self::Nothing => "nothing".to_owned(),
            Self::SettledByQuery => "settled_by_query".to_owned(),
            Self::Unconfirmed => "unconfirmed".to_owned(),
        }
    }

    fn receipt(self) -> Receipt {
        match self {
            Self::Recorded | Self::Nothing | Self::SettledByQuery => Receipt::Durable,
            Self::Refused(_) | Self::Unconfirmed => Receipt::Refused,
        }
    }
}

/// What becomes of a notification that does not prove genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// It is kept, as far as there is room.
    Keep,
    /// It is only counted: whoever sends it has sent many.
    Drop,
}

/// The word that is kept with a notification that the channel is asked about.
const ASKING: &str = "asking";
/// The word that is kept with a notification that nothing could be decided of: it comes again.
const UNDECIDED: &str = "undecided";

impl Commands {
    /// Takes a notification of Alipay's; answers what was made of it and what goes back. Errors: it could not be made durable;
    /// the channel must send it again. A genuine one is kept all the same, as far as it can be.
    pub async fn take_alipay_notice(
        &self,
        raw: RawNotification,
        unverified: Unverified,
        correlation_id: Uuid,
    ) -> Result<(NoticeVerdict, NotificationReply), CommandFailure> {
        let received_at = self.now();
        let gateway = self.alipay_gateway()?;
        let context = Context::of_channel(ALIPAY, correlation_id);
        let read = gateway.read_notification(&raw, received_at);
        let is_authentic = match &read {
            Ok(_) => true,
            Err(refusal) => refusal.is_authentic(),
        };
        let notification = read.as_ref().ok();
        let kept = KeptNotice {
            wallet: ALIPAY,
            is_authentic,
            notify_id: notification.map(|notification| notification.notify_id.clone()),
            out_trade_no: notification.map(|notification| notification.out_trade_no.clone()),
            verdict: String::new(),
            headers: raw.headers,
            body: raw.body,
            received_at,
        };
        let verdict = match &read {
            Ok(notification) => self.take(&context, notification, &kept).await,
            Err(refusal) => Ok(NoticeVerdict::Refused(*refusal)),
        };
        let word = verdict.as_ref().map_or_else(|_| UNDECIDED.to_owned(), |verdict| verdict.word());
        let pay_no = kept.out_trade_no.clone().unwrap_or_default();
        tracing::info!(notice.verdict = %word, pay.no = %pay_no, "a notification was judged");
        metrics::counter!("paystream_notices_total", "wallet" => ALIPAY, "verdict" => word.clone()).increment(1);
        if is_authentic || unverified == Unverified::Keep {
            let is_kept = self.keep(&kept, &word).await;
            // Where nothing could be decided, that is what the answer says.
            if verdict.is_ok() {
                is_kept?;
            }
        }
        let verdict = verdict?;
        Ok((verdict, gateway.reply(verdict.receipt())))
    }

    async fn keep(&self, notice: &KeptNotice, verdict: &str) -> Result<(), CommandFailure> {
        let notice = KeptNotice { verdict: verdict.to_owned(), ..notice.clone() };
        self.ports.inbox.keep(notice).await.map_err(CommandFailure::Inbox)
    }

    /// Any channel of the wallet reads its notifications: they share keys and app.
    fn alipay_gateway(&self) -> Result<&dyn Gateway, CommandFailure> {
        let channels = [Channel::AlipayQr, Channel::AlipayWap, Channel::AlipayPage];
        let configured = channels.into_iter().find_map(|channel| self.ports.channels.get(channel));
        configured.map(|configured| configured.gateway.as_ref()).ok_or(CommandFailure::ChannelNotConfigured)
    }

    async fn take(&self, context: &Context, notification: &Notification, kept: &KeptNotice) -> Result<NoticeVerdict, CommandFailure> {
        let Ok(pay_no) = notification.out_trade_no.parse::<PayNo>() else {
            return self.unknown_number(context, notification, kept).await;
        };
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let Some(record) = standing.state.pay_record(pay_no) else {
            return self.unknown_number(context, notification, kept).await;
        };
        let expected = record.issued.as_ref().map(|issued| issued.amount);
        let doubtful = Doubtful { context, pay_no, notification, kept };
        match notification.judge(expected) {
            // A genuine repeat of what is on the log, whatever its amount: there is nothing left to do.
            _ if is_known(record, notification) => Ok(NoticeVerdict::Recorded),
            Err(refusal @ NotificationRefusal::AmountMismatch) => {
                self.believe_only_a_query(&doubtful, NoticeVerdict::Refused(refusal)).await
            }
            Err(refusal) => Ok(NoticeVerdict::Refused(refusal)),
            Ok(_) if notification.query_first => self.believe_only_a_query(&doubtful, NoticeVerdict::Unconfirmed).await,
            Ok(News::Paid { paid_at, is_final }) => {
                let capture = captured(notification, *paid_at, *is_final);
                self.record_capture(context, pay_no, &capture, CaptureSource::Notification).await?;
                Ok(NoticeVerdict::Recorded)
            }
            Ok(News::AwaitingBuyer) => Ok(NoticeVerdict::Nothing),
            Ok(News::ClosedUnpaid) => {
                self.record_closed(context, pay_no, ClosingProof::ChannelClosed).await?;
                Ok(NoticeVerdict::Recorded)
            }
            Ok(News::Refunded { total, .. }) => {
                let total = *total;
                if !record.knows_capture(&notification.trade_no) {
                    // The payment itself was never told of: the channel is asked for it first.
                    let asked = self.believe_only_a_query(&doubtful, NoticeVerdict::Unconfirmed).await?;
                    if asked != NoticeVerdict::SettledByQuery {
                        return Ok(asked);
                    }
                }
                self.take_refunds(context, pay_no, notification, total).await
            }
            Ok(News::Unclear) => self.believe_only_a_query(&doubtful, NoticeVerdict::Unconfirmed).await,
        }
    }

    /// Records what went back of a payment. While a refund of ours is under way that the channel says nothing of, the
    /// notification is not acknowledged: it comes again.
    async fn take_refunds(
        &self,
        context: &Context,
        pay_no: PayNo,
        notification: &Notification,
        total: Money,
    ) -> Result<NoticeVerdict, CommandFailure> {
        match self.observe_refunds(context, pay_no, &notification.trade_no, total).await {
            Ok(()) => Ok(NoticeVerdict::Recorded),
            Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => Ok(NoticeVerdict::Unconfirmed),
            Err(failure) => Err(failure),
        }
    }

    /// Asks the channel instead of believing the notification, and records its answer. The notification is kept before:
    /// the channel may take longer than whoever delivered it waits.
    async fn believe_only_a_query(&self, doubtful: &Doubtful<'_>, otherwise: NoticeVerdict) -> Result<NoticeVerdict, CommandFailure> {
        let Doubtful { context, pay_no, notification, kept } = *doubtful;
        self.keep(kept, ASKING).await?;
        match self.settle_by_query(context, pay_no).await {
            // Only where the channel's own answer is about the same money is the notification done with.
            Ok(TradeState::Paid(capture)) if capture.trade_no == notification.trade_no => Ok(NoticeVerdict::SettledByQuery),
            Ok(TradeState::ClosedUnpaid | TradeState::ClosedRefunded(_)) => Ok(NoticeVerdict::SettledByQuery),
            Ok(_) | Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => Ok(otherwise),
            Err(failure) => Err(failure),
        }
    }

    /// Genuine, for us, and about a number that we never gave out: money, if it tells of any, goes on the log. One whose text
    /// can be read in two ways proves nothing; then the channel's own answer does.
    async fn unknown_number(
        &self,
        context: &Context,
        notification: &Notification,
        kept: &KeptNotice,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let refused = Ok(NoticeVerdict::Refused(NotificationRefusal::UnknownOrder));
        let paid_at = match &notification.news {
            News::Paid { paid_at, .. } => *paid_at,
            // What of it did not go back is held for us.
            News::Refunded { whole: false, .. } => None,
            _ => return refused,
        };
        let mut capture = captured(notification, paid_at, false);
        if notification.query_first {
            self.keep(kept, ASKING).await?;
            match self.alipay_gateway()?.query(&notification.out_trade_no).await {
                Ok(TradeState::Paid(answered)) if answered.trade_no == notification.trade_no => capture = answered,
                Ok(_) | Err(_) => return Ok(NoticeVerdict::Unconfirmed),
            }
        }
        let received = UnknownCaptureReceived {
            wallet: ALIPAY.to_owned(),
            trade_no: capture.trade_no.clone(),
            out_trade_no: notification.out_trade_no.clone(),
            amount: capture.amount.minor_units(),
            currency: capture.amount.currency(),
            paid_at: capture.paid_at,
            paid_at_offset: capture.paid_at.map(|_| BEIJING.to_owned()),
            received_at: kept.received_at,
        };
        let stream_id = streams::unknown_capture(ALIPAY, &capture.trade_no);
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, UnknownCaptureCommand::Receive(received.clone()));
        self.unknown_captures.execute_new(&stream_id, context, decide).await?;
        refused
    }
}

/// A notification that is not acted on as it stands.
#[derive(Clone, Copy)]
struct Doubtful<'n> {
    context: &'n Context,
    pay_no: PayNo,
    notification: &'n Notification,
    kept: &'n KeptNotice,
}

fn captured(notification: &Notification, paid_at: Option<DateTime<Utc>>, is_final: bool) -> Capture {
    Capture { trade_no: notification.trade_no.clone(), amount: notification.amount, paid_at, is_final }
}

/// Whether the log holds this very capture. TRADE_FINISHED comes months after TRADE_SUCCESS with the same number.
fn is_known(record: &PayRecord, notification: &Notification) -> bool {
    let same = |trade_no: &str| trade_no == notification.trade_no;
    let known = record.captures.iter().any(|capture| same(&capture.trade_no) && capture.amount == notification.amount);
    known && matches!(notification.news, News::Paid { .. })
}

#[cfg(test)]
mod tests;
