//! Notifications: verified on their raw bytes, compared with our record, decided, durable, kept, and only then answered.

use chrono::{DateTime, Utc};
use domain::pay_record::{CaptureSource, ClosingProof, PayRecord};
use domain::unknown_capture::{UnknownCapture, UnknownCaptureReceived};
use domain::{Channel, Decider, PayNo};
use gateway::{Capture, Gateway, News, Notification, NotificationRefusal, NotificationReply, RawNotification, Receipt, TradeState};
use uuid::Uuid;

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::inbox::KeptNotice;
use crate::service::Commands;
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

impl Commands {
    /// Takes a notification of Alipay's; answers what was made of it and what goes back. Errors: it could not be made durable; the channel must send it again.
    pub async fn take_alipay_notice(
        &self,
        raw: RawNotification,
        correlation_id: Uuid,
    ) -> Result<(NoticeVerdict, NotificationReply), CommandFailure> {
        let received_at = self.now();
        let gateway = self.alipay_gateway()?;
        let context = Context::of_channel(ALIPAY, correlation_id);
        let read = gateway.read_notification(&raw, received_at);
        let verdict = match &read {
            Ok(notification) => self.take(&context, notification, received_at).await?,
            Err(refusal) => NoticeVerdict::Refused(*refusal),
        };
        let is_authentic = match &read {
            Ok(_) => true,
            Err(refusal) => refusal.is_authentic(),
        };
        let notification = read.ok();
        tracing::info!(
            notice.verdict = %verdict.word(),
            pay.no = notification.as_ref().map(|notification| notification.out_trade_no.as_str()),
            "a notification was judged"
        );
        let kept = KeptNotice {
            wallet: ALIPAY,
            is_authentic,
            notify_id: notification.as_ref().map(|notification| notification.notify_id.clone()),
            out_trade_no: notification.map(|notification| notification.out_trade_no),
            verdict: verdict.word(),
            headers: raw.headers,
            body: raw.body,
            received_at,
        };
        self.ports.inbox.keep(kept).await.map_err(CommandFailure::Inbox)?;
        metrics::counter!("paystream_notices_total", "wallet" => ALIPAY, "verdict" => verdict.word()).increment(1);
        Ok((verdict, gateway.reply(verdict.receipt())))
    }

    /// Any channel of the wallet reads its notifications: they share keys and app.
    fn alipay_gateway(&self) -> Result<&dyn Gateway, CommandFailure> {
        let channels = [Channel::AlipayQr, Channel::AlipayWap, Channel::AlipayPage];
        let configured = channels.into_iter().find_map(|channel| self.ports.channels.get(channel));
        configured.map(|configured| configured.gateway.as_ref()).ok_or(CommandFailure::ChannelNotConfigured)
    }

    async fn take(
        &self,
        context: &Context,
        notification: &Notification,
        received_at: DateTime<Utc>,
    ) -> Result<NoticeVerdict, CommandFailure> {
        let Ok(pay_no) = notification.out_trade_no.parse::<PayNo>() else {
            return self.unknown_number(context, notification, received_at).await;
        };
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let Some(record) = standing.state.pay_record(pay_no) else {
            return self.unknown_number(context, notification, received_at).await;
        };
        let expected = record.issued.as_ref().map(|issued| issued.amount);
        match notification.judge(expected) {
            // A genuine repeat of what is on the log, whatever its amount: there is nothing left to do.
            _ if is_known(record, notification) => Ok(NoticeVerdict::Recorded),
            Err(refusal @ NotificationRefusal::AmountMismatch) => {
                self.believe_only_a_query(context, pay_no, notification, NoticeVerdict::Refused(refusal)).await
            }
            Err(refusal) => Ok(NoticeVerdict::Refused(refusal)),
            Ok(_) if notification.query_first => self.believe_only_a_query(context, pay_no, notification, NoticeVerdict::Unconfirmed).await,
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
            Ok(News::Refunded { .. }) if !record.captures.is_empty() => Ok(NoticeVerdict::Nothing),
            Ok(News::Refunded { .. } | News::Unclear) => {
                self.believe_only_a_query(context, pay_no, notification, NoticeVerdict::Unconfirmed).await
            }
        }
    }

    /// Asks the channel instead of believing the notification, and records its answer.
    async fn believe_only_a_query(
        &self,
        context: &Context,
        pay_no: PayNo,
        notification: &Notification,
        otherwise: NoticeVerdict,
    ) -> Result<NoticeVerdict, CommandFailure> {
        match self.settle_by_query(context, pay_no).await {
            // Only where the channel's own answer is about the same money is the notification done with.
            Ok(TradeState::Paid(capture)) if capture.trade_no == notification.trade_no => Ok(NoticeVerdict::SettledByQuery),
            Ok(TradeState::ClosedUnpaid | TradeState::ClosedRefunded(_)) => Ok(NoticeVerdict::SettledByQuery),
            Ok(_) | Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => Ok(otherwise),
            Err(failure) => Err(failure),
        }
    }

    /// Genuine, for us, and about a number that we never gave out: money, if it tells of any, goes on the log.
    async fn unknown_number(
        &self,
        context: &Context,
        notification: &Notification,
        received_at: DateTime<Utc>,
    ) -> Result<NoticeVerdict, CommandFailure> {
        if let News::Paid { paid_at, .. } = &notification.news {
            let received = UnknownCaptureReceived {
                wallet: ALIPAY.to_owned(),
                trade_no: notification.trade_no.clone(),
                out_trade_no: notification.out_trade_no.clone(),
                amount: notification.amount.minor_units(),
                currency: notification.amount.currency(),
                paid_at: *paid_at,
                received_at,
            };
            let stream_id = streams::unknown_capture(ALIPAY, &notification.trade_no);
            let decide = |state: &UnknownCapture| UnknownCapture::decide(state, received.clone());
            self.unknown_captures.execute_new(&stream_id, context, decide).await?;
        }
        Ok(NoticeVerdict::Refused(NotificationRefusal::UnknownOrder))
    }
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
