//! What the log holds of a line of a statement, and asking the channel where it holds nothing.

use domain::order::{Order, Refund, RefundCause, RefundStatus};
use domain::unknown_capture::{UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived};
use domain::{Decider, Money, PayNo, RefundNo};
use gateway::{Gateway, RefundFound, RefundState, StatementLine, StatementLineKind, TradeState};

use super::{Discrepancy, DiscrepancyKind, Movement};
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::refunds::{ForeignRefund, stands_for_another};
use crate::service::Commands;
use crate::settle::BEIJING;
use crate::streams;
use crate::wallet::Wallet;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The log held it.
    Matched,
    /// The log holds it now.
    Recorded,
    /// It does not match.
    Different(DiscrepancyKind),
}

const CHANNEL_ONLY: Found = Found::Different(DiscrepancyKind::ChannelOnly);

pub(super) fn discrepancy(kind: DiscrepancyKind, line: &StatementLine) -> Discrepancy {
    let (movement, refund_no) = match &line.kind {
        StatementLineKind::Payment => (Movement::Payment, None),
        StatementLineKind::Refund { refund_no, .. } => (Movement::Refund, Some(refund_no.clone())),
    };
    let (out_trade_no, trade_no) = (line.out_trade_no.clone(), line.trade_no.clone());
    Discrepancy { kind, movement, out_trade_no, trade_no, refund_no, amount: line.amount }
}

impl Commands {
    pub(super) async fn look_at_line(&self, context: &Context, wallet: Wallet, line: &StatementLine) -> Result<Found, CommandFailure> {
        match (&line.kind, self.pay_no_of(wallet, &line.out_trade_no).await?) {
            (StatementLineKind::Payment, Some(pay_no)) => self.look_at_payment(context, pay_no, line).await,
            (StatementLineKind::Payment, None) => self.look_at_unknown(context, wallet, line).await,
            (StatementLineKind::Refund { refund_no, .. }, pay_no) => {
                self.look_at_refund_line(context, wallet, pay_no, refund_no, line).await
            }
        }
    }

    /// The pay record of ours that a channel means with a number.
    async fn pay_no_of(&self, wallet: Wallet, out_trade_no: &str) -> Result<Option<PayNo>, CommandFailure> {
        let Ok(pay_no) = out_trade_no.parse::<PayNo>() else { return Ok(None) };
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let issued = standing.state.pay_record(pay_no).and_then(|record| record.issued.as_ref());
        Ok(issued.filter(|issued| wallet.may_tell_of(issued.channel)).map(|issued| issued.pay_no))
    }

    async fn look_at_payment(&self, context: &Context, pay_no: PayNo, line: &StatementLine) -> Result<Found, CommandFailure> {
        if let Some(amount) = self.captured(pay_no, &line.trade_no).await? {
            return Ok(same(amount, line.amount, Found::Matched));
        }
        match self.settle_by_query(context, pay_no).await {
            Ok(_) | Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => {}
            Err(failure) => return Err(failure),
        }
        let amount = self.captured(pay_no, &line.trade_no).await?;
        Ok(amount.map_or(CHANNEL_ONLY, |amount| same(amount, line.amount, Found::Recorded)))
    }

    /// What the log holds of a payment to a record of ours.
    async fn captured(&self, pay_no: PayNo, trade_no: &str) -> Result<Option<Money>, CommandFailure> {
        let standing = self.orders.load(&streams::order(pay_no.order_id())).await?;
        let record = standing.state.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
        Ok(record.captures.iter().find(|capture| capture.trade_no == trade_no).map(|capture| capture.amount))
    }

    /// Money under a number that we never gave out: it goes on the log once the channel confirms it, and an operator deals
    /// with it.
    async fn look_at_unknown(&self, context: &Context, wallet: Wallet, line: &StatementLine) -> Result<Found, CommandFailure> {
        let stream_id = streams::unknown_capture(wallet.as_str(), &line.trade_no);
        let known = self.unknown_captures.load(&stream_id).await?.state;
        match (known.settlement.is_some(), known.received.is_some()) {
            (true, _) => return Ok(Found::Matched),
            (false, true) => return Ok(CHANNEL_ONLY),
            (false, false) => {}
        }
        let Ok(TradeState::Paid(capture)) = self.gateway_of(wallet)?.query(&line.out_trade_no).await else { return Ok(CHANNEL_ONLY) };
        if capture.trade_no != line.trade_no {
            return Ok(CHANNEL_ONLY);
        }
        let received = UnknownCaptureReceived {
            wallet: wallet.as_str().to_owned(),
            trade_no: capture.trade_no,
            out_trade_no: line.out_trade_no.clone(),
            amount: capture.amount.minor_units(),
            currency: capture.amount.currency(),
            paid_at: capture.paid_at,
            paid_at_offset: capture.paid_at.map(|_| BEIJING.to_owned()),
            received_at: self.now(),
        };
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, UnknownCaptureCommand::Receive(received.clone()));
        self.unknown_captures.execute_new(&stream_id, context, decide).await?;
        Ok(CHANNEL_ONLY)
    }

    async fn look_at_refund_line(
        &self,
        context: &Context,
        wallet: Wallet,
        pay_no: Option<PayNo>,
        number: &str,
        line: &StatementLine,
    ) -> Result<Found, CommandFailure> {
        let Some(pay_no) = pay_no else {
            // An operator gave back what never matched, or will be shown that it went back.
            let stream_id = streams::unknown_capture(wallet.as_str(), &line.trade_no);
            let is_settled = self.unknown_captures.load(&stream_id).await?.state.settlement.is_some();
            return Ok(if is_settled { Found::Matched } else { CHANNEL_ONLY });
        };
        let stream_id = streams::order(pay_no.order_id());
        let order = self.orders.load(&stream_id).await?.state;
        let ours = number.parse::<RefundNo>().ok().and_then(|refund_no| order.refund(refund_no));
        let Some(refund) = ours else { return self.look_at_foreign_refund(context, pay_no, number, line, &order).await };
        if refund.amount != line.amount {
            return Ok(Found::Different(DiscrepancyKind::AmountDiffers));
        }
        if refund.status == RefundStatus::Succeeded {
            return Ok(Found::Matched);
        }
        let asked = if refund.status.is_open() {
            self.drive_refund(context, refund.refund_no).await
        } else {
            self.look_at_refund(context, refund).await
        };
        match asked {
            Ok(()) | Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => {}
            Err(failure) => return Err(failure),
        }
        let order = self.orders.load(&stream_id).await?.state;
        let has_succeeded = order.refund(refund.refund_no).is_some_and(|refund| refund.status == RefundStatus::Succeeded);
        Ok(if has_succeeded { Found::Recorded } else { CHANNEL_ONLY })
    }

    /// A refund that was made on the channel's website. It is taken up once the channel confirms its number and its sum. One
    /// that the log has without that number, because only a running total told of it or an operator had it made there, is the
    /// same if it gives back the same.
    async fn look_at_foreign_refund(
        &self,
        context: &Context,
        pay_no: PayNo,
        number: &str,
        line: &StatementLine,
        order: &Order,
    ) -> Result<Found, CommandFailure> {
        let foreign = ForeignRefund { pay_no, trade_no: &line.trade_no, number };
        if let Some(known) = foreign.taken_up_in(order) {
            let amount = order.refund(known).map(|refund| refund.amount);
            return Ok(amount.map_or(CHANNEL_ONLY, |amount| same(amount, line.amount, Found::Matched)));
        }
        let issued = order.pay_record(pay_no).and_then(|record| record.issued.as_ref()).ok_or(CommandFailure::NotFound)?;
        let configured = self.ports.channels.get(issued.channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let confirmed = match configured.gateway.find_refund(&line.out_trade_no, number).await {
            Ok(Some(RefundFound { amount, state: RefundState::Succeeded { refunded_at } })) if amount == line.amount => Some(refunded_at),
            Ok(_) | Err(_) => None,
        };
        match (self.same_refund(order, pay_no, line, configured.gateway.as_ref()).await, confirmed) {
            (Some(refund_no), Some(_)) => {
                self.mark_foreign_refund(context, &foreign, refund_no).await?;
                Ok(Found::Matched)
            }
            (Some(_), None) => Ok(Found::Matched),
            (None, Some(refunded_at)) => match self.take_up_foreign_refund(context, &foreign, line.amount, refunded_at).await {
                Ok(()) => Ok(Found::Recorded),
                Err(CommandFailure::Order(_)) => Ok(CHANNEL_ONLY),
                Err(failure) => Err(failure),
            },
            (None, None) => Ok(CHANNEL_ONLY),
        }
    }

    /// The refund of the log that a line under another number is about: seen at the channel without a number, or made there
    /// by hand instead of by us, which the channel shows by not knowing ours.
    async fn same_refund(&self, order: &Order, pay_no: PayNo, line: &StatementLine, gateway: &dyn Gateway) -> Option<RefundNo> {
        let of_sum = |refund: &&Refund| {
            let is_back = refund.status == RefundStatus::Succeeded && refund.amount == line.amount;
            is_back && refund.is_of(pay_no, &line.trade_no) && !stands_for_another(order, refund.refund_no)
        };
        let (seen, ours): (Vec<&Refund>, Vec<&Refund>) =
            order.refunds.iter().filter(of_sum).partition(|refund| refund.cause == RefundCause::ChannelSide);
        if let Some(seen) = seen.first() {
            return Some(seen.refund_no);
        }
        for refund in ours {
            let asked = gateway.query_refund(&line.out_trade_no, &refund.refund_no.to_string()).await;
            if matches!(asked, Ok(RefundState::NotFound)) {
                return Some(refund.refund_no);
            }
        }
        None
    }
}

fn same(ours: Money, theirs: Money, found: Found) -> Found {
    if ours == theirs { found } else { Found::Different(DiscrepancyKind::AmountDiffers) }
}
