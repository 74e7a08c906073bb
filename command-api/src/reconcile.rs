//! Reconciliation: a channel's statement of one day beside what the log holds of it.
//!
//! A statement is a file that nobody signed, so no line of it is recorded as it stands. What the log does not hold is asked of
//! the channel, and its verified answer becomes the same command that a notification would have become.

mod book;
mod days;
mod foreign;
mod lines;
mod ours;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use domain::{Channel, Money, PayNo};
use gateway::{Statement, StatementLine, StatementLineKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::lines::{Found, Looked};
use crate::caller::Caller;
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::service::Commands;
use crate::wallet::Wallet;

pub(crate) use book::UNAVAILABLE;
pub use book::{DayState, MemoryStatementBook, STATEMENT_MIGRATION, SqlStatementBook, StatementBook, StatementDay};
pub(crate) use days::{ask_again_at, newest_ready, ready_at};

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
    /// How many of them the log lacks because the channel did not answer when it was asked about them. They are told as
    /// `ChannelOnly`, too.
    pub unanswered: usize,
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
        let kept = StatementDay::compared(result.clone(), 0, self.now());
        self.ports.statements.put(kept).await.map_err(CommandFailure::Inbox)?;
        Ok(result)
    }

    /// Compares a day with the wallet's statement of it. Errors as those of [`Commands::reconcile`].
    pub(crate) async fn reconcile_day(&self, context: &Context, wallet: Wallet, date: NaiveDate) -> Result<Reconciliation, CommandFailure> {
        let (from, until) = days::day(date).filter(|(_, until)| *until <= self.now()).ok_or_else(|| CommandFailure::Invalid {
            field: "date",
            code: chassis::problem::field::OUT_OF_RANGE,
            message: "A day that is over in Beijing.".to_owned(),
        })?;
        let statement = self.gateway_of(wallet)?.download_statement(date).await?;
        let (found, told) = self.look_at_lines(context, wallet, &statement).await?;
        let (lines, discrepancies) = (statement.lines.len(), Vec::new());
        let mut result = Reconciliation { wallet, date, lines, matched: 0, recorded: 0, unanswered: 0, discrepancies };
        for (line, found) in statement.lines.iter().zip(found) {
            match found {
                Found::Matched => result.matched += 1,
                Found::Recorded => result.recorded += 1,
                Found::Different(kind) => result.discrepancies.push(lines::discrepancy(kind, line)),
                Found::Unanswered => {
                    result.unanswered += 1;
                    result.discrepancies.push(lines::discrepancy(DiscrepancyKind::ChannelOnly, line));
                }
            }
        }
        result.discrepancies.extend(self.missing_in(wallet, from, until, &statement, &told).await?);
        tracing::info!(
            statement.wallet = wallet.as_str(), statement.date = %date, statement.lines = result.lines,
            recorded = result.recorded, discrepancies = result.discrepancies.len(), unanswered = result.unanswered,
            "a statement was reconciled"
        );
        Ok(result)
    }

    /// What became of each line, in their order, and our numbers of the refunds that lines under other numbers tell of.
    async fn look_at_lines(
        &self,
        context: &Context,
        wallet: Wallet,
        statement: &Statement,
    ) -> Result<(Vec<Found>, BTreeSet<String>), CommandFailure> {
        let mut found = Vec::with_capacity(statement.lines.len());
        let mut foreign: BTreeMap<(PayNo, &str), Vec<(usize, &str)>> = BTreeMap::new();
        for (place, line) in statement.lines.iter().enumerate() {
            found.push(match (self.look_at_line(context, wallet, line).await?, &line.kind) {
                (Looked::Found(found), _) => found,
                (Looked::Foreign(pay_no), StatementLineKind::Refund { refund_no, .. }) => {
                    foreign.entry((pay_no, &line.trade_no)).or_default().push((place, refund_no));
                    lines::CHANNEL_ONLY
                }
                (Looked::Foreign(_), StatementLineKind::Payment) => lines::CHANNEL_ONLY,
            });
        }
        let mut told = BTreeSet::new();
        for ((pay_no, _), of_payment) in foreign {
            let lines: Vec<(&StatementLine, &str)> = of_payment.iter().map(|(place, number)| (&statement.lines[*place], *number)).collect();
            let looked_at = self.look_at_foreign_refunds(context, pay_no, &lines).await?;
            for ((place, _), of_line) in of_payment.iter().zip(looked_at.found) {
                found[*place] = of_line;
            }
            told.extend(looked_at.told.iter().map(ToString::to_string));
        }
        Ok((found, told))
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
        let Some((from, until)) = days::day(date) else { return Ok(true) };
        let nothing = Statement { date, lines: Vec::new() };
        Ok(self.missing_in(wallet, from, until, &nothing, &BTreeSet::new()).await?.is_empty())
    }
}

#[cfg(test)]
mod tests;
