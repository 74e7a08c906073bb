//! What operators do with kept notifications: look at them, have one judged once more, assign its money, dismiss it.

use chassis::problem::{Code, Problem, field};
use chrono::{DateTime, TimeDelta, Utc};
use domain::operations::{NoticeDismissed, NoticeRejudged, OperationEvent, OperationRejection, Operations};
use domain::pay_record::CaptureSource;
use domain::stock::CommandKey;
use domain::unknown_capture::{Settlement, UnknownCapture, UnknownCaptureCommand, UnknownCaptureReceived, UnknownCaptureRejection};
use domain::{Decider, PayNo};
use event_store::{Position, StreamId};
use gateway::{Capture as ChannelCapture, TradeState};
use uuid::Uuid;

use super::matched::wallet;
use super::read;
use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, Standing};
use crate::inbox::{CleanedUp, NoticeAction, NoticeDesk, NoticeFilter, NoticeState, OperatorAct, StoredNotice, Unmatched};
use crate::service::Commands;
use crate::streams;

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

/// Which pay record the money of a notification belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The pay record.
    pub pay_no: PayNo,
}

/// Why an operator's act on a notification had no effect.
#[derive(Debug, thiserror::Error)]
pub enum NoticeFailure {
    /// There is no such notification.
    #[error("there is no such notification")]
    NotFound,
    /// An operator has ended it, in another way.
    #[error("the notification is ended already")]
    Ended,
    /// It tells of no money that matched no pay record.
    #[error("the notification tells of no unmatched money")]
    NotUnmatched,
    /// The pay record does not exist.
    #[error("there is no such pay record")]
    UnknownPayRecord,
    /// The pay record is paid through another wallet, or through none.
    #[error("the pay record is another wallet's")]
    OtherWallet,
    /// The channel, asked now, does not say that it holds the money.
    #[error("the channel does not say that it holds the money")]
    Unconfirmed,
    /// The channel says that the money went back.
    #[error("the money went back")]
    WentBack,
    /// Its text cannot be unsealed any more.
    #[error("the notification's text cannot be unsealed")]
    Sealed,
    /// The operator's key came with other content before.
    #[error("the idempotency key was used with other content")]
    KeyReused,
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandFailure),
}

impl From<database::DatabaseError> for NoticeFailure {
    fn from(error: database::DatabaseError) -> Self {
        Self::Command(CommandFailure::Inbox(error))
    }
}

impl<R: Into<Self>> From<ExecuteError<R>> for NoticeFailure {
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Contended(stream_id) => Self::Command(CommandFailure::Contended(stream_id)),
            ExecuteError::Append(error) => Self::Command(CommandFailure::Append(error)),
            ExecuteError::Read(error) => Self::Command(CommandFailure::Read(error)),
            ExecuteError::Stored(error) => Self::Command(CommandFailure::Stored(error)),
            ExecuteError::Stale => Self::Command(CommandFailure::Stale),
        }
    }
}

impl From<UnknownCaptureRejection> for NoticeFailure {
    fn from(rejection: UnknownCaptureRejection) -> Self {
        match rejection {
            UnknownCaptureRejection::Unknown => Self::NotUnmatched,
            UnknownCaptureRejection::Settled => Self::Ended,
            UnknownCaptureRejection::KeyReused => Self::KeyReused,
        }
    }
}

impl From<OperationRejection> for NoticeFailure {
    fn from(rejection: OperationRejection) -> Self {
        match rejection {
            OperationRejection::KeyReused => Self::KeyReused,
        }
    }
}

/// The one place where these failures become what a client sees.
impl From<NoticeFailure> for Problem {
    fn from(failure: NoticeFailure) -> Self {
        let conflict = |detail: &str, detail_zh: &str| Self::new(Code::NotPayable).detail(detail).detail_zh(detail_zh);
        match failure {
            NoticeFailure::NotFound => Self::not_found(),
            NoticeFailure::KeyReused => Self::new(Code::IdempotencyKeyReused),
            NoticeFailure::UnknownPayRecord => Self::invalid("pay_no", field::UNKNOWN_VALUE, "There is no such pay record."),
            NoticeFailure::Ended => conflict("An operator has ended this notification already.", "该通知已由操作员处理完毕。"),
            NoticeFailure::NotUnmatched => {
                conflict("This notification tells of no money that matched no pay record.", "该通知不涉及无法匹配的款项。")
            }
            NoticeFailure::OtherWallet => conflict("The pay record is not paid through this wallet.", "该支付单不属于此支付渠道。"),
            NoticeFailure::Unconfirmed => {
                conflict("The channel, asked just now, does not say that it holds this money.", "经查询，渠道未确认收到该笔款项。")
            }
            NoticeFailure::WentBack => conflict("The channel says that this money went back.", "渠道显示该笔款项已退回。"),
            NoticeFailure::Sealed => conflict("The notification's text can no longer be unsealed.", "该通知的原文已无法解封。"),
            NoticeFailure::Command(failure) => failure.into(),
        }
    }
}

/// Unmatched money that a notification tells of, as the log has it.
struct Money {
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
        if let Some((OperationEvent::NoticeRejudged(done), position)) = self.operation_done(&act).await? {
            let state = if done.is_open { NoticeState::Open } else { NoticeState::Settled };
            let (action, verdict) = (NoticeAction::Rejudged, done.verdict);
            return Ok(NoticeAnswer { notice_id, action, verdict, state, position, replayed: true });
        }
        if notice.is_ended() {
            return Err(NoticeFailure::Ended);
        }
        let raw = desk.raw(notice_id).await?.ok_or(NoticeFailure::Sealed)?;
        let (read, mut judged) = read(self.alipay_gateway()?, raw, notice.first_received_at);
        let verdict = self.judge(&act.context, &read, notice.first_received_at, None).await?;
        // One that proved genuine once is not made rubbish by a key that has gone since.
        judged.is_authentic |= notice.is_authentic;
        (judged.verdict, judged.state) = (verdict.word(), verdict.state(judged.is_authentic));
        let rejudged = NoticeRejudged {
            notice_id: notice_id.to_string(),
            wallet: notice.wallet.clone(),
            out_trade_no: judged.out_trade_no.clone().or(notice.out_trade_no),
            verdict_before: notice.verdict,
            verdict: judged.verdict.clone(),
            is_open: judged.state == NoticeState::Open,
            reason: reason.to_owned(),
            command_key: act.key.clone(),
        };
        let standing = self.operated(&act, rejudged.into()).await?;
        desk.judged(notice_id, &judged, &act.of(NoticeAction::Rejudged)).await?;
        tracing::info!(notice.id = notice_id, notice.verdict = %judged.verdict, "a notification was judged once more");
        let (action, position) = (NoticeAction::Rejudged, standing.position);
        Ok(NoticeAnswer { notice_id, action, verdict: judged.verdict, state: judged.state, position, replayed: false })
    }

    /// Assigns money that matched no pay record to the one that it was paid for. What follows is decided by the order, as for
    /// any money: it pays the order, or is not owed and goes back. The channel is asked whether it holds the money.
    ///
    /// The intent stands first, on the money's own stream; whoever dies then is followed by whoever repeats it.
    pub async fn assign_notice(
        &self,
        caller: &Caller,
        notice_id: i64,
        assignment: Assignment,
        reason: &str,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<NoticeAnswer, NoticeFailure> {
        let pay_no = assignment.pay_no;
        let (desk, notice) = self.notice(notice_id).await?;
        let act = self.act(caller, reason, key, correlation_id);
        let money = self.unmatched(&notice).await?.ok_or(NoticeFailure::NotUnmatched)?;
        let replayed = money.standing.state.has_done(act.key.as_ref())?;
        if money.standing.state.settlement.is_some_and(|settlement| settlement != Settlement::Assigned(pay_no)) {
            return Err(NoticeFailure::Ended);
        }
        let order_stream = streams::order(pay_no.order_id());
        let order = self.orders.load(&order_stream).await.map_err(CommandFailure::from)?;
        let record = order.state.pay_record(pay_no).ok_or(NoticeFailure::UnknownPayRecord)?;
        let channel = record.issued.as_ref().map(|issued| issued.channel).ok_or(NoticeFailure::UnknownPayRecord)?;
        if wallet(channel) != Some(money.received.wallet.as_str()) {
            return Err(NoticeFailure::OtherWallet);
        }
        let known = record.knows_capture(&money.received.trade_no);
        let capture = if known { None } else { Some(self.word_of_the_channel(&money.received).await?) };
        let command = || UnknownCaptureCommand::Assign { pay_no, reason: reason.to_owned(), command_key: act.key.clone() };
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, command());
        let assigned = self.unknown_captures.execute(&money.stream_id, &act.context, decide).await.map_err(NoticeFailure::from)?;
        let order = match &capture {
            Some(capture) => self.record_capture(&act.context, pay_no, capture, CaptureSource::Query).await?,
            None => order,
        };
        self.end(desk, &notice, &act, NoticeAction::Assigned(pay_no), Some(&money)).await?;
        let position = order.position.max(assigned.standing.position);
        Ok(ended(notice, NoticeAction::Assigned(pay_no), position, replayed))
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
        money: Option<&Money>,
    ) -> Result<(), NoticeFailure> {
        if notice.is_ended() {
            return Ok(());
        }
        let unmatched = money.map(|money| Unmatched { wallet: &money.received.wallet, trade_no: &money.received.trade_no });
        desk.end(notice.notice_id, &act.of(action), unmatched).await?;
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
    async fn unmatched(&self, notice: &StoredNotice) -> Result<Option<Money>, NoticeFailure> {
        let tells_of_money = matches!(notice.news.as_deref(), Some("paid" | "finished" | "refunded"));
        let Some(trade_no) = notice.trade_no.as_deref().filter(|_| notice.is_authentic && tells_of_money) else { return Ok(None) };
        let stream_id = streams::unknown_capture(&notice.wallet, trade_no);
        let standing = self.unknown_captures.load(&stream_id).await.map_err(NoticeFailure::from)?;
        let received = standing.state.received.clone();
        Ok(received.map(|received| Money { stream_id, standing, received }))
    }

    /// What the channel, asked now, says of unmatched money. Only what it holds still is assigned.
    async fn word_of_the_channel(&self, received: &UnknownCaptureReceived) -> Result<ChannelCapture, NoticeFailure> {
        match self.alipay_gateway()?.query(&received.out_trade_no).await.map_err(CommandFailure::from)? {
            TradeState::Paid(capture) if capture.trade_no == received.trade_no => Ok(capture),
            TradeState::ClosedRefunded(_) => Err(NoticeFailure::WentBack),
            _ => Err(NoticeFailure::Unconfirmed),
        }
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

fn ended(notice: StoredNotice, action: NoticeAction, position: Position, replayed: bool) -> NoticeAnswer {
    let (notice_id, verdict, state) = (notice.notice_id, notice.verdict, NoticeState::Settled);
    NoticeAnswer { notice_id, action, verdict, state, position, replayed }
}

#[cfg(test)]
mod tests;
