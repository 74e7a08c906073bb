//! What operators do with kept notifications: look at them, have one judged once more, assign its money, dismiss it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::operations::{NoticeDismissed, NoticeRejudged, OperationEvent, Operations};
use domain::stock::CommandKey;
use domain::unknown_capture::{Settlement, UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived};
use domain::{Decider, PayNo};
use event_store::{Position, StreamId};
use uuid::Uuid;

use super::assigning::Assignable;
use super::failure::NoticeFailure;
use super::matched::wallet;
use super::read;
use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, Standing};
use crate::inbox::{CleanedUp, KeptNotice, NoticeAction, NoticeDesk, NoticeFilter, NoticeState, OperatorAct, StoredNotice, Unmatched};
use crate::service::Commands;
use crate::streams;
use crate::wallet::Wallet;

/// What an operator's act on a notification led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeAnswer {
    /// The notification's number in the inbox.
    pub notice_id: i64,
    /// What was done.
    pub action: NoticeAction,
    /// What was made of the notification, in one word.
    pub verdict: String,
    /// Whether an operator is still to look at it.
    pub state: NoticeState,
    /// The position of the last event that the answer is made from.
    pub position: Position,
    /// Whether the caller's key had done it before.
    pub replayed: bool,
}

/// Unmatched money that a notification tells of, as the log has it.
struct UnmatchedMoney {
    stream_id: StreamId,
    standing: Standing<UnknownCapture>,
    received: UnknownCaptureReceived,
}

/// Who does something to a notification, and with which key.
struct Act<'a> {
    context: Context,
    key: Option<CommandKey>,
    reason: &'a str,
    at: DateTime<Utc>,
}

impl Act<'_> {
    fn of(&self, action: NoticeAction) -> OperatorAct {
        OperatorAct { action, by: self.context.actor.clone(), at: self.at, reason: self.reason.to_owned() }
    }
}

impl Commands {
    /// The notifications that were kept, the newest first: at most `limit` with smaller numbers than `before`.
    pub async fn kept_notices(&self, filter: &NoticeFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredNotice>, CommandFailure> {
        match self.ports.inbox.desk() {
            Some(desk) => desk.page(filter, before, limit).await.map_err(CommandFailure::Inbox),
            None => Ok(vec![]),
        }
    }

    /// Drops kept notifications that were kept long enough, and unverified ones over their quota. To be called now and then.
    pub async fn clean_up_notices(&self) -> Result<CleanedUp, CommandFailure> {
        match self.ports.inbox.desk() {
            Some(desk) => desk.clean_up(self.now()).await.map_err(CommandFailure::Inbox),
            None => Ok(CleanedUp::default()),
        }
    }

    /// Takes a kept notification through the same judging as if it had come just now: its signature is checked again, its
    /// channel asked where it would be. How fresh it was is judged by when it came.
    pub async fn rejudge_notice(
        &self,
        caller: &Caller,
        notice_id: i64,
        reason: &str,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<NoticeAnswer, NoticeFailure> {
        let (desk, notice) = self.notice(notice_id).await?;
        let act = self.act(caller, reason, key, correlation_id);
        let done = match self.operation_done(&act).await? {
            Some((OperationEvent::NoticeRejudged(done), position)) => Some((done, position)),
            _ => None,
        };
        // Whoever did it may have died before the inbox knew.
        let is_written = |done: &NoticeRejudged| notice.is_ended() || (notice.act.is_some() && notice.verdict == done.verdict);
        if let Some((done, position)) = done.as_ref().filter(|(done, _)| is_written(done)) {
            return Ok(rejudged(notice_id, done, *position, true));
        }
        if notice.is_ended() {
            return Err(NoticeFailure::Ended);
        }
        let judged = self.judged_now(&act.context, desk, &notice).await?;
        let (done, position, replayed) = if let Some((done, position)) = done {
            (done, position, true)
        } else {
            let done = NoticeRejudged {
                notice_id: notice_id.to_string(),
                wallet: notice.wallet.clone(),
                out_trade_no: judged.out_trade_no.clone().or_else(|| notice.out_trade_no.clone()),
                verdict_before: notice.verdict.clone(),
                verdict: judged.verdict.clone(),
                is_open: judged.state == NoticeState::Open,
                reason: reason.to_owned(),
                command_key: act.key.clone(),
            };
            (done.clone(), self.operated(&act, done.into()).await?.position, false)
        };
        desk.judged(&notice, &judged, &act.of(NoticeAction::Rejudged)).await?;
        tracing::info!(notice.id = notice_id, notice.verdict = %judged.verdict, "a notification was judged once more");
        Ok(rejudged(notice_id, &done, position, replayed))
    }

    async fn judged_now(&self, context: &Context, desk: &dyn NoticeDesk, notice: &StoredNotice) -> Result<KeptNotice, NoticeFailure> {
        let raw = desk.raw(notice.notice_id).await?.ok_or(NoticeFailure::Sealed)?;
        let wallet = Wallet::parse(&notice.wallet).ok_or(CommandFailure::ChannelNotConfigured)?;
        let (read, mut judged) = read(wallet, self.gateway_of(wallet)?, raw, notice.first_received_at);
        let verdict = self.judge(wallet, context, &read, notice.first_received_at, None).await?;
        // One that proved genuine once is not made rubbish by a key that has gone since.
        judged.is_authentic |= notice.is_authentic;
        (judged.verdict, judged.state) = (verdict.word(), verdict.state(judged.is_authentic));
        Ok(judged)
    }

    /// Assigns money that matched no pay record to the one that it was paid for. What follows is decided by the order, as for
    /// any money: it pays the order, or is not owed and goes back. The channel is asked whether it holds the money.
    ///
    /// The intent stands first, on the money's own stream; whoever dies then is followed by the process manager, or by whoever
    /// repeats it.
    pub async fn assign_notice(
        &self,
        caller: &Caller,
        notice_id: i64,
        pay_no: PayNo,
        reason: &str,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<NoticeAnswer, NoticeFailure> {
        let (desk, notice) = self.notice(notice_id).await?;
        let act = self.act(caller, reason, key, correlation_id);
        let money = self.unmatched(&notice).await?.ok_or(NoticeFailure::NotUnmatched)?;
        let replayed = money.standing.state.has_done(act.key.as_ref())?;
        let settlement = money.standing.state.settlement;
        if settlement.is_some_and(|settlement| settlement.pay_no() != Some(pay_no)) || went_elsewhere(&notice, settlement, pay_no) {
            return Err(NoticeFailure::Ended);
        }
        // It is on that order, though nobody had said so yet.
        if let Some(at) = self.found_after_all(&money.standing.state).await?.filter(|at| *at != pay_no) {
            self.matched(&act.context, &money.stream_id, at, None).await?;
            return Err(NoticeFailure::Ended);
        }
        let matched = match money.standing.state.settlement {
            Some(Settlement::Matched(_)) => money.standing.clone(),
            _ => self.assigned(&act, &money, pay_no).await?,
        };
        self.end(desk, &notice, &act, NoticeAction::Assigned(pay_no), Some(&money)).await?;
        Ok(ended(notice, NoticeAction::Assigned(pay_no), matched.position, replayed))
    }

    /// Records that the money is assigned, brings it to its order, and records that it stands there.
    async fn assigned(&self, act: &Act<'_>, money: &UnmatchedMoney, pay_no: PayNo) -> Result<Standing<UnknownCapture>, NoticeFailure> {
        let order = self.orders.load(&streams::order(pay_no.order_id())).await.map_err(CommandFailure::from)?;
        let record = order.state.pay_record(pay_no).ok_or(NoticeFailure::UnknownPayRecord)?;
        let channel = record.issued.as_ref().map(|issued| issued.channel).ok_or(NoticeFailure::UnknownPayRecord)?;
        if wallet(channel) != Some(money.received.wallet.as_str()) {
            return Err(NoticeFailure::OtherWallet);
        }
        let capture = match self.assignable(&money.received, pay_no).await? {
            Assignable::Known => None,
            Assignable::Held(capture) => Some(capture),
            Assignable::Impossible(cause) => return Err(cause.into()),
        };
        let command = || UnknownCaptureCommand::Assign { pay_no, reason: act.reason.to_owned(), command_key: act.key.clone() };
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, command());
        self.unknown_captures.execute(&money.stream_id, &act.context, decide).await.map_err(NoticeFailure::from)?;
        let standing = self.matched(&act.context, &money.stream_id, pay_no, capture.as_ref()).await?;
        match standing.state.settlement {
            Some(Settlement::Matched(at)) if at == pay_no => Ok(standing),
            _ => Err(NoticeFailure::UnknownPayRecord),
        }
    }

    /// Says that nothing is to be done about a notification: its money went back another way or belongs elsewhere, or it is
    /// rightly refused.
    pub async fn dismiss_notice(
        &self,
        caller: &Caller,
        notice_id: i64,
        reason: &str,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<NoticeAnswer, NoticeFailure> {
        let (desk, notice) = self.notice(notice_id).await?;
        let act = self.act(caller, reason, key, correlation_id);
        let money = self.unmatched(&notice).await?;
        let (position, replayed) = match &money {
            Some(money) => {
                let command = || UnknownCaptureCommand::Resolve { reason: reason.to_owned(), command_key: act.key.clone() };
                let decide = |state: &UnknownCapture| UnknownCapture::decide(state, command());
                let resolved = self.unknown_captures.execute(&money.stream_id, &act.context, decide).await.map_err(NoticeFailure::from)?;
                (resolved.standing.position, money.standing.state.has_done(act.key.as_ref())?)
            }
            None => self.dismissed(&notice, &act).await?,
        };
        self.end(desk, &notice, &act, NoticeAction::Dismissed, money.as_ref()).await?;
        Ok(ended(notice, NoticeAction::Dismissed, position, replayed))
    }

    /// Records that a notification without unmatched money was dismissed; answers where, and whether the key had done it.
    async fn dismissed(&self, notice: &StoredNotice, act: &Act<'_>) -> Result<(Position, bool), NoticeFailure> {
        if let Some((_, position)) = self.operation_done(act).await? {
            return Ok((position, true));
        }
        match notice.act.as_ref().filter(|done| done.action.settles()) {
            Some(done) if done.action == NoticeAction::Dismissed => {
                let standing = self.operations.load(&streams::operations(done.at.date_naive())).await.map_err(NoticeFailure::from)?;
                return Ok((standing.position, false));
            }
            Some(_) => return Err(NoticeFailure::Ended),
            None => {}
        }
        let dismissed = NoticeDismissed {
            notice_id: notice.notice_id.to_string(),
            wallet: notice.wallet.clone(),
            out_trade_no: notice.out_trade_no.clone(),
            verdict: notice.verdict.clone(),
            reason: act.reason.to_owned(),
            command_key: act.key.clone(),
        };
        Ok((self.operated(act, dismissed.into()).await?.position, false))
    }

    /// What stands in the inbox of an ended notification is what was done first: a repeat does not write its own words over it.
    async fn end(
        &self,
        desk: &dyn NoticeDesk,
        notice: &StoredNotice,
        act: &Act<'_>,
        action: NoticeAction,
        money: Option<&UnmatchedMoney>,
    ) -> Result<(), NoticeFailure> {
        if notice.is_ended() {
            return Ok(());
        }
        let unmatched = money.map(|money| Unmatched { wallet: &money.received.wallet, trade_no: &money.received.trade_no });
        desk.end(Some(notice.notice_id), &act.of(action), unmatched).await?;
        tracing::info!(notice.id = notice.notice_id, notice.action = action.as_str(), "an operator has ended a notification");
        Ok(())
    }

    async fn notice(&self, notice_id: i64) -> Result<(&dyn NoticeDesk, StoredNotice), NoticeFailure> {
        let desk = self.ports.inbox.desk().ok_or(NoticeFailure::NotFound)?;
        let notice = desk.find(notice_id).await?.ok_or(NoticeFailure::NotFound)?;
        Ok((desk, notice))
    }

    fn act<'a>(&self, caller: &Caller, reason: &'a str, key: Option<&CallerKey>, correlation_id: Uuid) -> Act<'a> {
        let key = key.map(|key| CommandKey { key_hash: key.key_hash.clone(), request_hash: key.request_hash.clone() });
        Act { context: Context::of_caller(caller, correlation_id), key, reason, at: self.now() }
    }

    /// The money that a notification tells of, where it was genuine and the log has it as unmatched.
    async fn unmatched(&self, notice: &StoredNotice) -> Result<Option<UnmatchedMoney>, NoticeFailure> {
        let tells_of_money = matches!(notice.news.as_deref(), Some("paid" | "finished" | "refunded"));
        let Some(trade_no) = notice.trade_no.as_deref().filter(|_| notice.is_authentic && tells_of_money) else { return Ok(None) };
        let stream_id = streams::unknown_capture(&notice.wallet, trade_no);
        let standing = self.unknown_captures.load(&stream_id).await.map_err(NoticeFailure::from)?;
        let received = standing.state.received.clone();
        Ok(received.map(|received| UnmatchedMoney { stream_id, standing, received }))
    }

    /// What the act's key has done already, today or yesterday, and where that stands.
    async fn operation_done(&self, act: &Act<'_>) -> Result<Option<(OperationEvent, Position)>, NoticeFailure> {
        if act.key.is_none() {
            return Ok(None);
        }
        for day in [act.at, act.at - TimeDelta::days(1)] {
            let standing = self.operations.load(&streams::operations(day.date_naive())).await.map_err(NoticeFailure::from)?;
            if let Some(done) = standing.state.done(act.key.as_ref())? {
                return Ok(Some((done.clone(), standing.position)));
            }
        }
        Ok(None)
    }

    async fn operated(&self, act: &Act<'_>, done: OperationEvent) -> Result<Standing<Operations>, NoticeFailure> {
        let decide = |state: &Operations| Operations::decide(state, done.clone());
        let executed = self.operations.execute(&streams::operations(act.at.date_naive()), &act.context, decide).await;
        Ok(executed.map_err(NoticeFailure::from)?.standing)
    }
}

/// A log that was restored may have lost what the inbox still knows: the money was on another order, and what that order gave
/// for it stands outside. It goes there again, or an operator dismisses it.
fn went_elsewhere(notice: &StoredNotice, settlement: Option<Settlement>, pay_no: PayNo) -> bool {
    let before = notice.act.as_ref().and_then(|act| act.action.pay_no());
    settlement.is_none() && before.is_some_and(|before| before != pay_no)
}

fn rejudged(notice_id: i64, done: &NoticeRejudged, position: Position, replayed: bool) -> NoticeAnswer {
    let state = if done.is_open { NoticeState::Open } else { NoticeState::Settled };
    NoticeAnswer { notice_id, action: NoticeAction::Rejudged, verdict: done.verdict.clone(), state, position, replayed }
}

fn ended(notice: StoredNotice, action: NoticeAction, position: Position, replayed: bool) -> NoticeAnswer {
    let (notice_id, verdict, state) = (notice.notice_id, notice.verdict, NoticeState::Settled);
    NoticeAnswer { notice_id, action, verdict, state, position, replayed }
}

#[cfg(test)]
mod tests;
