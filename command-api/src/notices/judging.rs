//! What is made of a notification: the same whether it has just come or an operator has it judged once more.

use chrono::{DateTime, Utc};
use domain::pay_record::{CaptureSource, ClosingProof, KnownCapture, PayRecord};
use domain::unknown_capture::{UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived};
use domain::{Decider, Money, PayNo};
use gateway::{Capture, News, Notification, NotificationRefusal, TradeState};

use super::refunds::ToldRefund;
use super::{ASKING, NoticeVerdict, Read, UNDECIDED};
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::inbox::{KeptNotice, NoticeState};
use crate::service::Commands;
use crate::settle::BEIJING;
use crate::streams;
use crate::wallet::Wallet;

/// A genuine notification, and what its judging needs.
#[derive(Clone, Copy)]
pub(super) struct Judged<'n> {
    pub(super) wallet: Wallet,
    pub(super) context: &'n Context,
    pub(super) notification: &'n Notification,
    /// When it came.
    received_at: DateTime<Utc>,
    /// What is kept of it before its channel is asked, or before unmatched money is recorded: whoever brought it may not
    /// bring it again. `None` where it lies in the inbox already.
    kept: Option<&'n KeptNotice>,
}

impl Commands {
    /// Judges a notification that came at `received_at`.
    pub(super) async fn judge(
        &self,
        wallet: Wallet,
        context: &Context,
        read: &Read,
        received_at: DateTime<Utc>,
        kept: Option<&KeptNotice>,
    ) -> Result<NoticeVerdict, CommandFailure> {
        match read {
            Ok(notification) => self.take(&Judged { wallet, context, notification, received_at, kept }).await,
            Err(refusal) => Ok(NoticeVerdict::Refused(*refusal)),
        }
    }

    async fn take(&self, judged: &Judged<'_>) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, .. } = *judged;
        let Ok(pay_no) = notification.out_trade_no.parse::<PayNo>() else {
            return self.unknown_number(judged).await;
        };
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        // A number of ours that the other wallet was never given is none that we gave it.
        let is_told = |record: &&PayRecord| record.issued.as_ref().is_some_and(|issued| judged.wallet.may_tell_of(issued.channel));
        let Some(record) = standing.state.pay_record(pay_no).filter(is_told) else {
            return self.unknown_number(judged).await;
        };
        if let News::Refund { refund_no, amount, state } = &notification.news {
            return self.take_refund(judged, &standing.state, pay_no, &ToldRefund { refund_no, amount: *amount, state }).await;
        }
        let known = record.captures.iter().find(|capture| capture.trade_no == notification.trade_no).map(|capture| capture.amount);
        // What goes back is of what was taken, whatever was asked for.
        let taken = known.filter(|_| matches!(notification.news, News::Refunded { .. }));
        let expected = taken.or(record.issued.as_ref().map(|issued| issued.amount));
        match notification.judge(expected) {
            // A genuine repeat of what is on the log, whatever its amount: there is nothing left to do.
            _ if is_known(record, notification) => Ok(NoticeVerdict::Recorded),
            Err(refusal @ NotificationRefusal::AmountMismatch) => match notification.news {
                // Of a payment that was never told of, over another sum than was asked for.
                News::Refunded { total, .. } if known.is_none() && !notification.query_first => {
                    if !self.finds_payment(judged, pay_no).await? {
                        return Ok(NoticeVerdict::Refused(refusal));
                    }
                    self.take_refunds(context, pay_no, notification, total).await
                }
                _ => self.believe_only_a_query(judged, pay_no, NoticeVerdict::Refused(refusal)).await,
            },
            Err(refusal) => Ok(NoticeVerdict::Refused(refusal)),
            Ok(_) if notification.query_first => self.believe_only_a_query(judged, pay_no, NoticeVerdict::Unconfirmed).await,
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
                // A payment that was never told of is asked for first.
                let is_known = known.is_some() || self.finds_payment(judged, pay_no).await?;
                if !is_known {
                    return Ok(NoticeVerdict::Unconfirmed);
                }
                self.take_refunds(context, pay_no, notification, *total).await
            }
            Ok(News::Unclear | News::Refund { .. }) => self.believe_only_a_query(judged, pay_no, NoticeVerdict::Unconfirmed).await,
        }
    }

    /// Records what went back of a payment. While a refund of ours is under way that the channel says nothing of, the
    /// notification is not acknowledged: it comes again.
    pub(super) async fn take_refunds(
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

    /// Asks the channel for the payment that a notification of its refund is about; whether the log then has it, over the sum
    /// that the notification names.
    pub(super) async fn finds_payment(&self, judged: &Judged<'_>, pay_no: PayNo) -> Result<bool, CommandFailure> {
        self.believe_only_a_query(judged, pay_no, NoticeVerdict::Unconfirmed).await?;
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let is_it =
            |capture: &KnownCapture| capture.trade_no == judged.notification.trade_no && capture.amount == judged.notification.amount;
        Ok(standing.state.pay_record(pay_no).is_some_and(|record| record.captures.iter().any(is_it)))
    }

    /// Asks the channel instead of believing the notification, and records its answer. The notification is kept before:
    /// the channel may take longer than whoever delivered it waits.
    async fn believe_only_a_query(
        &self,
        judged: &Judged<'_>,
        pay_no: PayNo,
        otherwise: NoticeVerdict,
    ) -> Result<NoticeVerdict, CommandFailure> {
        self.keep_meanwhile(judged, ASKING).await?;
        match self.settle_by_query(judged.context, pay_no).await {
            // Only where the channel's own answer is about the same money is the notification done with.
            // A query does not tell what of it went back, unless all of it did.
            Ok(TradeState::Paid(capture)) if capture.trade_no == judged.notification.trade_no => {
                let is_told = !matches!(judged.notification.news, News::Refunded { .. });
                Ok(if is_told { NoticeVerdict::SettledByQuery } else { otherwise })
            }
            Ok(TradeState::ClosedRefunded(capture)) if capture.trade_no == judged.notification.trade_no => {
                Ok(NoticeVerdict::SettledByQuery)
            }
            // Two signed words that contradict each other: the one that tells of money is not let go.
            Ok(TradeState::ClosedUnpaid) if !matches!(judged.notification.news, News::Paid { .. }) => Ok(NoticeVerdict::SettledByQuery),
            Ok(_) | Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => Ok(otherwise),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn keep_meanwhile(&self, judged: &Judged<'_>, word: &str) -> Result<(), CommandFailure> {
        match judged.kept {
            Some(kept) => self.keep(kept, word, NoticeState::Open).await,
            None => Ok(()),
        }
    }

    /// Genuine, for us, and about a number that we never gave out: money, if it tells of any, goes on the log. One whose text
    /// can be read in two ways proves nothing; then the channel's own answer does.
    async fn unknown_number(&self, judged: &Judged<'_>) -> Result<NoticeVerdict, CommandFailure> {
        let Judged { context, notification, received_at, .. } = *judged;
        let refused = Ok(NoticeVerdict::Refused(NotificationRefusal::UnknownOrder));
        let stream_id = streams::unknown_capture(judged.wallet.as_str(), &notification.trade_no);
        let known = self.unknown_captures.load(&stream_id).await?;
        if let Some(received) = &known.state.received {
            return match known.state.settlement {
                Some(settlement) => self.settled_money(judged, received, settlement).await,
                None => self.unmatched_refund(judged, received).await,
            };
        }
        let paid_at = match &notification.news {
            News::Paid { paid_at, .. } => *paid_at,
            // What of it did not go back is held for us.
            News::Refunded { whole: false, .. } => None,
            _ => return refused,
        };
        let mut capture = captured(notification, paid_at, false);
        self.keep_meanwhile(judged, if notification.query_first { ASKING } else { UNDECIDED }).await?;
        if notification.query_first {
            match self.gateway_of(judged.wallet)?.query(&notification.out_trade_no).await {
                Ok(TradeState::Paid(answered)) if answered.trade_no == notification.trade_no => capture = answered,
                Ok(_) | Err(_) => return Ok(NoticeVerdict::Unconfirmed),
            }
        }
        let received = UnknownCaptureReceived {
            wallet: judged.wallet.as_str().to_owned(),
            trade_no: capture.trade_no.clone(),
            out_trade_no: notification.out_trade_no.clone(),
            amount: capture.amount.minor_units(),
            currency: capture.amount.currency(),
            paid_at: capture.paid_at,
            paid_at_offset: capture.paid_at.map(|_| BEIJING.to_owned()),
            received_at,
        };
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, UnknownCaptureCommand::Receive(received.clone()));
        self.unknown_captures.execute_new(&stream_id, context, decide).await?;
        self.unmatched_refund(judged, &received).await
    }
}

fn captured(notification: &Notification, paid_at: Option<DateTime<Utc>>, is_final: bool) -> Capture {
    Capture { trade_no: notification.trade_no.clone(), amount: notification.amount, paid_at, is_final, has_refunds: false }
}

/// Whether the log holds this very capture. TRADE_FINISHED comes months after TRADE_SUCCESS with the same number.
fn is_known(record: &PayRecord, notification: &Notification) -> bool {
    let same = |trade_no: &str| trade_no == notification.trade_no;
    let known = record.captures.iter().any(|capture| same(&capture.trade_no) && capture.amount == notification.amount);
    known && matches!(notification.news, News::Paid { .. })
}
