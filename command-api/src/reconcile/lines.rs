//! What the log holds of a line of a statement, and asking the channel where it holds nothing.

use std::sync::Arc;

use domain::order::RefundStatus;
use domain::unknown_capture::{Settlement, UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived};
use domain::{Decider, Money, PayNo, RefundNo};
use event_store::StreamId;
use gateway::{GatewayError, StatementLine, StatementLineKind, TradeState};

use super::{Discrepancy, DiscrepancyKind, Movement};
use crate::failure::CommandFailure;
use crate::handler::Context;
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
    /// The channel has it, and did not answer when it was asked about it.
    Unanswered,
}

/// What is to be seen of a line by itself.
pub(super) enum Looked {
    /// What became of it.
    Found(Found),
    /// It is about a refund of this pay record under a number of the channel's own, and is to be looked at with all such
    /// lines of the payment.
    Foreign(PayNo),
}

pub(super) const CHANNEL_ONLY: Found = Found::Different(DiscrepancyKind::ChannelOnly);

pub(super) fn discrepancy(kind: DiscrepancyKind, line: &StatementLine) -> Discrepancy {
    let (movement, refund_no) = match &line.kind {
        StatementLineKind::Payment => (Movement::Payment, None),
        StatementLineKind::Refund { refund_no, .. } => (Movement::Refund, Some(refund_no.clone())),
    };
    let (out_trade_no, trade_no) = (line.out_trade_no.clone(), line.trade_no.clone());
    Discrepancy { kind, movement, out_trade_no, trade_no, refund_no, amount: line.amount }
}

impl Commands {
    pub(super) async fn look_at_line(&self, context: &Context, wallet: Wallet, line: &StatementLine) -> Result<Looked, CommandFailure> {
        match (&line.kind, self.pay_no_of(wallet, &line.out_trade_no).await?) {
            (StatementLineKind::Payment, Some(pay_no)) => self.look_at_payment(context, pay_no, line).await.map(Looked::Found),
            (StatementLineKind::Payment, None) => self.look_at_unknown(context, wallet, line).await.map(Looked::Found),
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
        let is_answered = is_answered(self.settle_by_query(context, pay_no).await)?;
        let amount = self.captured(pay_no, &line.trade_no).await?;
        Ok(amount.map_or(not_confirmed(is_answered), |amount| same(amount, line.amount, Found::Recorded)))
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
        let (stream_id, known) = self.unmatched_money(wallet, &line.trade_no).await?;
        match (known.settlement.is_some(), known.received.is_some()) {
            (true, _) => return Ok(Found::Matched),
            (false, true) => return Ok(CHANNEL_ONLY),
            (false, false) => {}
        }
        let capture = match self.gateway_of(wallet)?.query(&line.out_trade_no).await {
            Ok(TradeState::Paid(capture)) => capture,
            Ok(_) | Err(GatewayError::Refused { .. }) => return Ok(CHANNEL_ONLY),
            Err(GatewayError::Unknown { .. }) => return Ok(Found::Unanswered),
        };
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

    /// The money under a number that we never gave out, and its stream. It stands under the protocol that told of it first,
    /// whichever the statement is fetched with; should it stand under both, the one with which more was done counts.
    async fn unmatched_money(&self, wallet: Wallet, trade_no: &str) -> Result<(StreamId, Arc<UnknownCapture>), CommandFailure> {
        let (mut of_line, mut is_known) = ((streams::unknown_capture(wallet.as_str(), trade_no), Arc::default()), Known::Never);
        for teller in tellers(wallet) {
            let stream_id = streams::unknown_capture(teller.as_str(), trade_no);
            let known = self.unknown_captures.load(&stream_id).await?.state;
            if Known::of(&known) > is_known {
                is_known = Known::of(&known);
                of_line = (stream_id, known);
            }
        }
        Ok(of_line)
    }

    async fn look_at_refund_line(
        &self,
        context: &Context,
        wallet: Wallet,
        pay_no: Option<PayNo>,
        number: &str,
        line: &StatementLine,
    ) -> Result<Looked, CommandFailure> {
        let pay_no = if let Some(pay_no) = pay_no {
            pay_no
        } else {
            let (_, known) = self.unmatched_money(wallet, &line.trade_no).await?;
            match known.settlement {
                // Of money that an operator assigned.
                Some(Settlement::Matched(pay_no)) => pay_no,
                // An operator gave back what never matched.
                Some(Settlement::Resolved) => return Ok(Looked::Found(Found::Matched)),
                // One will be shown that it went back.
                Some(Settlement::Assigned(_)) | None => return Ok(Looked::Found(CHANNEL_ONLY)),
            }
        };
        let stream_id = streams::order(pay_no.order_id());
        let order = self.orders.load(&stream_id).await?.state;
        let ours = number.parse::<RefundNo>().ok().and_then(|refund_no| order.refund(refund_no));
        let Some(refund) = ours else { return Ok(Looked::Foreign(pay_no)) };
        if refund.amount != line.amount {
            return Ok(Looked::Found(Found::Different(DiscrepancyKind::AmountDiffers)));
        }
        if refund.status == RefundStatus::Succeeded {
            return Ok(Looked::Found(Found::Matched));
        }
        let asked = if refund.status.is_open() {
            self.drive_refund(context, refund.refund_no).await
        } else {
            self.look_at_refund(context, refund).await
        };
        let is_answered = is_answered(asked)?;
        let order = self.orders.load(&stream_id).await?.state;
        let has_succeeded = order.refund(refund.refund_no).is_some_and(|refund| refund.status == RefundStatus::Succeeded);
        Ok(Looked::Found(if has_succeeded { Found::Recorded } else { not_confirmed(is_answered) }))
    }
}

/// What was done with unmatched money, the least first. A second record of the same money may have been ended as such, so that
/// is less than an order that has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Never,
    Received,
    Resolved,
    Assigned,
    Matched,
}

impl Known {
    fn of(money: &UnknownCapture) -> Self {
        match money.settlement {
            Some(Settlement::Matched(_)) => Self::Matched,
            Some(Settlement::Assigned(_)) => Self::Assigned,
            Some(Settlement::Resolved) => Self::Resolved,
            None if money.received.is_some() => Self::Received,
            None => Self::Never,
        }
    }
}

/// Who may have told of the money in the wallet's statement, itself first: one merchant number of WeChat Pay speaks both
/// protocols, and has one statement.
fn tellers(wallet: Wallet) -> &'static [Wallet] {
    match wallet {
        Wallet::Alipay => &[Wallet::Alipay],
        Wallet::Wechat => &[Wallet::Wechat, Wallet::WechatV2],
        Wallet::WechatV2 => &[Wallet::WechatV2, Wallet::Wechat],
    }
}

/// Whether the channel has said all that it will, be it no. Where the attempt's product is configured no more nobody is
/// asked, and asking again later is of no use. Errors: what is no matter of the channel's.
fn is_answered<T>(asked: Result<T, CommandFailure>) -> Result<bool, CommandFailure> {
    match asked {
        Ok(_) | Err(CommandFailure::ChannelRefused { .. } | CommandFailure::ChannelNotConfigured) => Ok(true),
        Err(CommandFailure::ChannelUnavailable) => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn not_confirmed(is_answered: bool) -> Found {
    if is_answered { CHANNEL_ONLY } else { Found::Unanswered }
}

fn same(ours: Money, theirs: Money, found: Found) -> Found {
    if ours == theirs { found } else { Found::Different(DiscrepancyKind::AmountDiffers) }
}

#[cfg(test)]
mod tests;
