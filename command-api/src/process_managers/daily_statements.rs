use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chassis::ids::derived_id;
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use database::DatabaseError;
use event_store::Position;
use followers::{Follower, FollowerError, Lag, Leases, Progress};
use uuid::Uuid;

use crate::failure::CommandFailure;
use crate::handler::{Context, EventIds};
use crate::reconcile::{DayState, StatementBook, StatementDay, newest_ready, ready_at};
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
/// When a statement is asked for again that is not there: often on its first day, then rarely.
const SOON: (TimeDelta, TimeDelta) = (TimeDelta::days(1), TimeDelta::minutes(30));
/// The same after that, and until when.
const LATER: (TimeDelta, TimeDelta) = (TimeDelta::days(7), TimeDelta::hours(6));

/// Compares each day of each wallet with the channel's statement as soon as the channel has it, by itself, and keeps what came
/// of it. Days that were missed while nothing ran are taken up from the oldest on.
pub struct DailyStatements {
    commands: Commands,
    book: Arc<dyn StatementBook>,
    leases: Arc<dyn Leases>,
    holder: String,
    /// When it is looked again whether something is due.
    look_at: Mutex<Option<DateTime<Utc>>>,
}

impl DailyStatements {
    /// A process manager over these parts. Of several with the same `leases` one at a time acts; `holder` names this one.
    pub fn new(commands: Commands, leases: Arc<dyn Leases>, holder: String) -> Self {
        let book = Arc::clone(&commands.ports.statements);
        Self { commands, book, leases, holder, look_at: Mutex::new(None) }
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

    /// Keeps the days whose statements have become ready since it was looked last.
    async fn begin_days(&self, now: DateTime<Utc>) -> Result<(), DatabaseError> {
        for wallet in self.wallets() {
            let Some(newest_ready) = newest_ready(wallet, now) else { continue };
            let earliest = (now - CATCH_UP).date_naive();
            let first = match self.book.newest(wallet).await? {
                Some(newest) => newest.succ_opt().map(|next| next.max(earliest)),
                // Before the first day nobody knew what the channel did.
                None => Some(newest_ready),
            };
            let days = first.into_iter().flat_map(|first| first.iter_days()).take_while(|date| *date <= newest_ready);
            for date in days {
                self.book.begin(StatementDay::open(wallet, date, ready_at(wallet, date).unwrap_or(now), now)).await?;
            }
        }
        Ok(())
    }

    async fn act(&self, now: DateTime<Utc>) -> Result<usize, FollowerError> {
        self.begin_days(now).await.map_err(work)?;
        let Some(day) = self.book.due(now, 1).await.map_err(work)?.into_iter().next() else { return Ok(0) };
        let acquired = self.leases.try_acquire(NAME, &self.holder, now, now + LEASE).await;
        if !acquired.map_err(|error| FollowerError::Work(Box::new(error)))? {
            return Ok(0);
        }
        let compared = self.commands.reconcile_day(&context(&day), day.wallet, day.date).await;
        let outcome = match compared {
            Ok(result) => StatementDay::compared(result, self.commands.now()),
            Err(CommandFailure::ChannelRefused { code }) => self.not_there(day, code).await?,
            Err(CommandFailure::ChannelUnavailable) => self.not_there(day, "channel_unavailable".to_owned()).await?,
            Err(CommandFailure::ChannelNotConfigured) => self.not_there(day, "channel_not_configured".to_owned()).await?,
            // One day that cannot be compared does not hold up the others.
            Err(failure) => {
                tracing::error!(statement.date = %day.date, error = %Chain(&failure), "a day cannot be compared; it is tried again");
                self.not_there(day, "failed".to_owned()).await?
            }
        };
        let (wallet, state) = (outcome.wallet.as_str(), outcome.state.as_str());
        if outcome.state != DayState::Open {
            metrics::counter!("paystream_statement_days_total", "wallet" => wallet, "state" => state).increment(1);
        }
        if matches!(outcome.state, DayState::Different | DayState::Missing) {
            tracing::warn!(statement.wallet = wallet, statement.date = %outcome.date, statement.state = state, "a day needs an operator");
        }
        self.book.put(outcome).await.map_err(work)?;
        self.leases.release(NAME, &self.holder).await.map_err(|error| FollowerError::Work(Box::new(error)))?;
        Ok(1)
    }

    /// The day stays open until its statement is there. In the end it is asked for no more: where nothing moved that the log
    /// knows of, there was none to come.
    async fn not_there(&self, day: StatementDay, word: String) -> Result<StatementDay, FollowerError> {
        let now = self.commands.now();
        let age = now - ready_at(day.wallet, day.date).unwrap_or(now);
        tracing::info!(statement.wallet = day.wallet.as_str(), statement.date = %day.date, reason = %word, "there is no statement yet");
        let pause = [SOON, LATER].into_iter().find(|(until, _)| age < *until).map(|(_, pause)| pause);
        let (state, next_at) = match pause {
            Some(pause) => (DayState::Open, Some(now + pause)),
            None if self.commands.is_quiet(day.wallet, day.date).await.map_err(|error| FollowerError::Work(Box::new(error)))? => {
                (DayState::Matched, None)
            }
            None => (DayState::Missing, None),
        };
        Ok(StatementDay { state, next_at, tries: day.tries.saturating_add(1), word: Some(word), looked_at: now, ..day })
    }
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
}

#[cfg(test)]
mod tests;
