use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chassis::ids::derived_id;
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use database::DatabaseError;
use event_store::Position;
use followers::{Follower, FollowerError, Lag, Leases, Progress};
use gateway::says_no_statement;
use uuid::Uuid;

use super::turn::Turn;
use crate::failure::CommandFailure;
use crate::handler::{Context, EventIds};
use crate::reconcile::{DayState, StatementBook, StatementDay, UNAVAILABLE, ask_again_at, newest_ready, ready_at};
use crate::service::Commands;
use crate::wallet::Wallet;

/// The process manager's name.
const NAME: &str = "daily_statements";
/// How often it is looked whether a day has become due.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long a process has the work for itself without saying so again: a large statement takes its time.
const LEASE: TimeDelta = TimeDelta::minutes(10);
/// How far back days are taken up that nobody compared because nothing ran. Channels keep statements for three months.
const CATCH_UP: TimeDelta = TimeDelta::days(60);

/// Compares each day of each wallet with the channel's statement as soon as the channel has it, by itself, and keeps what came
/// of it. Days that were missed while nothing ran are taken up from the oldest on.
pub struct DailyStatements {
    commands: Commands,
    book: Arc<dyn StatementBook>,
    turn: Turn,
    /// When it is looked again whether something is due.
    look_at: Mutex<Option<DateTime<Utc>>>,
}

impl DailyStatements {
    /// A process manager over these parts. Of several with the same `leases` one at a time acts; `holder` names this one.
    pub fn new(commands: Commands, leases: Arc<dyn Leases>, holder: String) -> Self {
        let book = Arc::clone(&commands.ports.statements);
        Self { commands, book, turn: Turn::new(NAME, LEASE, leases, holder), look_at: Mutex::new(None) }
    }

    fn is_time(&self, now: DateTime<Utc>) -> bool {
        self.look_at.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|at| at <= now)
    }

    fn look_again(&self, at: DateTime<Utc>) {
        *self.look_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// The wallets with a statement of their own: both protocols of WeChat Pay tell of one merchant, in one statement.
    fn wallets(&self) -> impl Iterator<Item = Wallet> + '_ {
        let has_v3 = self.commands.has_wallet(Wallet::Wechat);
        let has_its_own = move |wallet: &Wallet| *wallet != Wallet::WechatV2 || !has_v3;
        Wallet::ALL.into_iter().filter(has_its_own).filter(|wallet| self.commands.has_wallet(*wallet))
    }

    /// Keeps every day whose statement is ready, from the oldest that was ever compared on: days stand in the book out of
    /// their order, since operators have some compared by hand.
    async fn begin_days(&self, now: DateTime<Utc>) -> Result<(), DatabaseError> {
        for wallet in self.wallets() {
            let Some(newest_ready) = newest_ready(wallet, now) else { continue };
            // Before the first day nobody knew what the channel did.
            let oldest = self.book.oldest(wallet).await?.unwrap_or(newest_ready);
            let first = oldest.max((now - CATCH_UP).date_naive());
            let kept = self.book.kept_since(wallet, first).await?;
            for date in first.iter_days().take_while(|date| *date <= newest_ready).filter(|date| !kept.contains(date)) {
                self.book.begin(StatementDay::open(wallet, date, ready_at(wallet, date).unwrap_or(now), now)).await?;
            }
        }
        Ok(())
    }

    async fn act(&self, now: DateTime<Utc>) -> Result<usize, FollowerError> {
        self.begin_days(now).await.map_err(work)?;
        let Some(day) = self.book.due(now, 1).await.map_err(work)?.into_iter().next() else { return Ok(0) };
        if !self.turn.take(now).await? {
            return Ok(0);
        }
        let as_read = day.clone();
        let compared = self.commands.reconcile_day(&context(&day), day.wallet, day.date).await;
        let outcome = match compared {
            Ok(result) => StatementDay::compared(result, tried(day.tries), self.commands.now()),
            Err(CommandFailure::ChannelRefused { code }) => self.not_there(day, code).await?,
            Err(CommandFailure::ChannelUnavailable) => self.not_there(day, UNAVAILABLE.to_owned()).await?,
            Err(CommandFailure::ChannelNotConfigured) => self.not_there(day, "channel_not_configured".to_owned()).await?,
            // One day that cannot be compared does not hold up the others.
            Err(failure) => {
                tracing::error!(statement.date = %day.date, error = %Chain(&failure), "a day cannot be compared; it is tried again");
                self.not_there(day, "failed".to_owned()).await?
            }
        };
        self.keep(outcome, &as_read).await.map_err(work)?;
        self.release().await?;
        Ok(1)
    }

    /// Keeps what came of a day, unless somebody else had it compared meanwhile: their result is no older than this.
    async fn keep(&self, outcome: StatementDay, as_read: &StatementDay) -> Result<(), DatabaseError> {
        let (wallet, date, state) = (outcome.wallet.as_str(), outcome.date, outcome.state);
        if !self.book.replace_open(outcome, as_read).await? {
            tracing::info!(statement.wallet = wallet, statement.date = %date, "a day was compared by somebody else meanwhile");
            return Ok(());
        }
        if state != DayState::Open {
            metrics::counter!("paystream_statement_days_total", "wallet" => wallet, "state" => state.as_str()).increment(1);
        }
        if matches!(state, DayState::Different | DayState::Missing) {
            tracing::warn!(statement.wallet = wallet, statement.date = %date, statement.state = state.as_str(), "a day needs an operator");
        }
        Ok(())
    }

    /// The day stays open until its statement is there. In the end it is asked for no more: where the channel says that there
    /// is none and nothing moved that the log knows of, there was none to come. Whatever else was in the way, nobody knows
    /// what the channel did that day.
    async fn not_there(&self, day: StatementDay, word: String) -> Result<StatementDay, FollowerError> {
        let now = self.commands.now();
        tracing::info!(statement.wallet = day.wallet.as_str(), statement.date = %day.date, reason = %word, "there is no statement yet");
        let tries = tried(day.tries);
        let next_at = ask_again_at(day.wallet, day.date, tries, &word, now);
        let state = match next_at {
            Some(_) => DayState::Open,
            // It was there once, and lines of it are not answered for.
            None if day.result.is_some() => DayState::Different,
            None if says_no_statement(&word) && self.is_quiet(&day).await? => DayState::Matched,
            None => DayState::Missing,
        };
        Ok(StatementDay { state, next_at, tries, word: Some(word), looked_at: now, ..day })
    }

    async fn is_quiet(&self, day: &StatementDay) -> Result<bool, FollowerError> {
        self.commands.is_quiet(day.wallet, day.date).await.map_err(|error| FollowerError::Work(Box::new(error)))
    }
}

fn tried(tries: u32) -> u32 {
    tries.saturating_add(1)
}

/// Its commands decide by what stands on the log, so a day that is compared twice records nothing twice.
fn context(day: &StatementDay) -> Context {
    Context {
        correlation_id: derived_id(Uuid::nil(), &format!("{NAME}/{}/{}", day.wallet.as_str(), day.date)),
        causation_id: None,
        actor: format!("process:{NAME}"),
        source: "process-managers",
        event_ids: EventIds::Fresh,
    }
}

fn work(error: DatabaseError) -> FollowerError {
    FollowerError::Work(Box::new(error))
}

#[async_trait]
impl Follower for DailyStatements {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Compares one day, the oldest that is due.
    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let now = self.commands.now();
        let applied = if self.is_time(now) { self.act(now).await? } else { 0 };
        if applied == 0 && self.is_time(now) {
            self.look_again(now + LOOK_EVERY);
        }
        Ok(Progress { applied, position: Position::START, caught_up: applied == 0 })
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        Ok(Lag::default())
    }

    async fn release(&self) -> Result<(), FollowerError> {
        self.turn.give_back().await
    }
}

#[cfg(test)]
mod tests;
