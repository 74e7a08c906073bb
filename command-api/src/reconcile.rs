//! Reconciliation: a channel's statement of one day beside what the log holds of it.
//!
//! A statement is a file that nobody signed, so no line of it is recorded as it stands. What the log does not hold is asked of
//! the channel, and its verified answer becomes the same command that a notification would have become.

mod book;
mod lines;
mod ours;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};
use domain::{Channel, Money};
use gateway::Statement;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::caller::Caller;
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::service::Commands;
use crate::wallet::Wallet;

pub use book::{DayState, MemoryStatementBook, STATEMENT_MIGRATION, SqlStatementBook, StatementBook, StatementDay};

/// Both wallets count days in Beijing.
const BEIJING_S: i32 = 8 * 3600;

/// What came of a day's reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// The wallet whose statement it was: all its products stand in one.
    pub wallet: Wallet,
    /// The day, as the channel counts days.
    pub date: NaiveDate,
    /// How many lines the statement has.
    pub lines: usize,
    /// How many of them the log held already.
    pub matched: usize,
    /// How many of them are on the log since the channel was asked about them now.
    pub recorded: usize,
    /// What does not match, the channel's lines first.
    pub discrepancies: Vec<Discrepancy>,
}

/// Money that stands on one side only, or differently on both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// How it does not match.
    pub kind: DiscrepancyKind,
    /// What moved.
    pub movement: Movement,
    /// Our number of the payment, as the side that has it names it.
    pub out_trade_no: String,
    /// The channel's number of the payment.
    pub trade_no: String,
    /// Our number of the refund, or the channel's for one made on its website; none for payments.
    pub refund_no: Option<String>,
    /// What the side that has it says; the channel where both do.
    pub amount: Money,
}

/// How two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscrepancyKind {
    /// The channel has it and the log does not.
    ChannelOnly,
    /// The log has it and the channel does not.
    OursOnly,
    /// Both have it, with different sums.
    AmountDiffers,
}

impl DiscrepancyKind {
    /// The word for answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChannelOnly => "channel_only",
            Self::OursOnly => "ours_only",
            Self::AmountDiffers => "amount_differs",
        }
    }
}

/// Which way money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// A buyer paid.
    Payment,
    /// Money went back.
    Refund,
}

impl Movement {
    /// The word for answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
        }
    }
}

impl Commands {
    /// Reconciles a day with the statement of the wallet that `channel` belongs to. Told twice, it has no effect the second
    /// time but for what was missing still.
    ///
    /// Errors: `Invalid` for a day that is not over in Beijing; `ChannelNotConfigured`; `ChannelRefused` where the channel has
    /// no statement of that day (yet); `ChannelUnavailable`.
    pub async fn reconcile(
        &self,
        caller: &Caller,
        channel: Channel,
        date: NaiveDate,
        correlation_id: Uuid,
    ) -> Result<Reconciliation, CommandFailure> {
        let wallet = Wallet::of(channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let result = self.reconcile_day(&Context::of_caller(caller, correlation_id), wallet, date).await?;
        let kept = StatementDay::compared(result.clone(), self.now());
        self.ports.statements.put(kept).await.map_err(CommandFailure::Inbox)?;
        Ok(result)
    }

    /// Compares a day with the wallet's statement of it. Errors as those of [`Commands::reconcile`].
    pub(crate) async fn reconcile_day(&self, context: &Context, wallet: Wallet, date: NaiveDate) -> Result<Reconciliation, CommandFailure> {
        let (from, until) = day(date).filter(|(_, until)| *until <= self.now()).ok_or_else(|| CommandFailure::Invalid {
            field: "date",
            code: chassis::problem::field::OUT_OF_RANGE,
            message: "A day that is over in Beijing.".to_owned(),
        })?;
        let statement = self.gateway_of(wallet)?.download_statement(date).await?;
        let mut result = Reconciliation { wallet, date, lines: statement.lines.len(), matched: 0, recorded: 0, discrepancies: Vec::new() };
        for line in &statement.lines {
            match self.look_at_line(context, wallet, line).await? {
                lines::Found::Matched => result.matched += 1,
                lines::Found::Recorded => result.recorded += 1,
                lines::Found::Different(kind) => result.discrepancies.push(lines::discrepancy(kind, line)),
            }
        }
        result.discrepancies.extend(self.missing_in(wallet, from, until, &statement).await?);
        tracing::info!(
            statement.wallet = wallet.as_str(), statement.date = %date, statement.lines = result.lines,
            recorded = result.recorded, discrepancies = result.discrepancies.len(), "a statement was reconciled"
        );
        Ok(result)
    }

    /// The days that were compared or are to be, the newest first: at most `limit` of those that come after `after`.
    pub async fn statement_days(
        &self,
        state: Option<DayState>,
        after: Option<(NaiveDate, Wallet)>,
        limit: u32,
    ) -> Result<Vec<StatementDay>, CommandFailure> {
        self.ports.statements.page(state, after, limit).await.map_err(CommandFailure::Inbox)
    }

    /// Whether the log knows of nothing that moved on a day.
    pub(crate) async fn is_quiet(&self, wallet: Wallet, date: NaiveDate) -> Result<bool, CommandFailure> {
        let Some((from, until)) = day(date) else { return Ok(true) };
        let nothing = Statement { date, lines: Vec::new() };
        Ok(self.missing_in(wallet, from, until, &nothing).await?.is_empty())
    }
}

/// How long after the end of a day its statement is there: both channels say when they are done with it, and are given
/// half an hour more.
fn made_after(wallet: Wallet) -> TimeDelta {
    match wallet {
        Wallet::Alipay => TimeDelta::minutes(9 * 60 + 30),
        Wallet::Wechat | Wallet::WechatV2 => TimeDelta::minutes(10 * 60 + 30),
    }
}

/// From when on the channel has a day's statement; none where the calendar ends.
pub(crate) fn ready_at(wallet: Wallet, date: NaiveDate) -> Option<DateTime<Utc>> {
    day(date)?.1.checked_add_signed(made_after(wallet))
}

/// The newest day whose statement the channel has.
pub(crate) fn newest_ready(wallet: Wallet, now: DateTime<Utc>) -> Option<NaiveDate> {
    let beijing = FixedOffset::east_opt(BEIJING_S)?;
    (now - made_after(wallet)).with_timezone(&beijing).date_naive().pred_opt()
}

/// The first moment of a day in Beijing, and that of the next; none where the calendar ends.
fn day(date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let beijing = FixedOffset::east_opt(BEIJING_S)?;
    let midnight = |date: NaiveDate| Some(date.and_time(NaiveTime::MIN).and_local_timezone(beijing).single()?.to_utc());
    Some((midnight(date)?, midnight(date.succ_opt()?)?))
}

#[cfg(test)]
mod tests;
