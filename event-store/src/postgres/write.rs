use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{ConstraintKind, DatabaseError, Time};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgSeverity};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::LogClock;
use crate::appending::raise;
use crate::port::{Appended, ExpectedRevision, NewEvent, Position};
use crate::tables::StoredUuid;
use crate::writer::{BatchError, Command, Verdict, WriteBatch, next_positions};

/// How long a connection may take to come up before the batch is refused.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that rested longer than this is tried before a batch is risked on it: a failed try means that nothing was
/// written, a failed batch means that nobody knows.
const TRUSTED_REST: Duration = Duration::from_millis(500);

/// What is added to the server's own limit for a statement before the writer stops waiting for an answer.
const GRACE: Duration = Duration::from_secs(3);

/// Writes batches to Postgres over a connection of its own, one call a batch.
pub(super) struct PostgresWriter {
    options: PgConnectOptions,
    patience: Duration,
    connection: Option<(PgConnection, Instant)>,
    clock: LogClock,
    appended: watch::Sender<Position>,
}

impl PostgresWriter {
    pub(super) fn new(pool: &PgPool, statement_timeout: Duration, clock: LogClock, appended: watch::Sender<Position>) -> Self {
        let options = (*pool.connect_options()).clone();
        Self { options, patience: statement_timeout + GRACE, connection: None, clock, appended }
    }

    /// A connection in order: the last one, or a new one.
    async fn connection(&mut self) -> Result<PgConnection, DatabaseError> {
        if let Some((mut connection, used_at)) = self.connection.take() {
            let rested = used_at.elapsed() > TRUSTED_REST;
            if !rested || matches!(timeout(CONNECT_TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                return Ok(connection);
            }
        }
        match timeout(CONNECT_TIMEOUT, self.options.connect()).await {
            Ok(connected) => Ok(connected?),
            Err(_) => Err(timed_out()),
        }
    }

    /// One call of the function. The connection is kept only where it is certain to be in order.
    async fn attempt(&mut self, batch: &[Command], check_ids: bool) -> Result<Answer, Attempt> {
        let mut connection = self.connection().await.map_err(|error| Attempt::Failed(BatchError::NotWritten(error)))?;
        let now = (self.clock)();
        // The rows are complete only when the server is ready for the next statement, and so after the commit.
        let Ok(answer) = timeout(self.patience, call(&mut connection, batch, now, check_ids)).await else {
            return Err(Attempt::Failed(BatchError::Unknown(timed_out())));
        };
        match answer {
            Ok(answer) => {
                self.connection = Some((connection, Instant::now()));
                Ok(answer)
            }
            Err(error) if refused(&error) => {
                self.connection = Some((connection, Instant::now()));
                match DatabaseError::from(error) {
                    DatabaseError::Constraint { kind: ConstraintKind::Unique, .. } if !check_ids => Err(Attempt::IdTaken),
                    error => Err(Attempt::Failed(BatchError::NotWritten(error))),
                }
            }
            Err(error) => Err(Attempt::Failed(BatchError::Unknown(error.into()))),
        }
    }
}

enum Attempt {
    /// Nothing was written; one of the ids is taken.
    IdTaken,
    Failed(BatchError),
}

impl WriteBatch for PostgresWriter {
    async fn write(&mut self, batch: &[Command]) -> Result<Vec<Verdict>, BatchError> {
        // That an id is taken happens so seldom that the unique index is left to find it; only then is it asked whose.
        let answer = match self.attempt(batch, false).await {
            Err(Attempt::IdTaken) => self.attempt(batch, true).await,
            other => other,
        };
        let (outcomes, actual, mut position, recorded_at) = answer.map_err(|attempt| match attempt {
            Attempt::Failed(error) => error,
            Attempt::IdTaken => BatchError::NotWritten(DatabaseError::Unfit("an event id is taken by nobody".to_owned())),
        })?;
        if outcomes.len() != batch.len() || actual.len() != batch.len() {
            return Err(BatchError::Unknown(DatabaseError::Unfit("append_batch answered another number of appends".to_owned())));
        }
        let verdicts = batch
            .iter()
            .zip(outcomes.iter().zip(actual))
            .map(|(command, (outcome, actual))| match outcome {
                0 => Verdict::Written(Appended {
                    last_revision: command.expected.first_revision() + command.events.len() as u64 - 1,
                    positions: next_positions(&mut position, command.events.len()),
                    recorded_at: recorded_at.0,
                    is_repeat: false,
                }),
                2 => Verdict::IdTaken,
                _ => Verdict::Mismatch { actual: u64::try_from(actual).ok() },
            })
            .collect();
        raise(&self.appended, Position::new(position).unwrap_or_default());
        Ok(verdicts)
    }
}

/// Per append: 0 written, 1 another revision, 2 an id is taken; per append the stream's last revision or -1; the head before
/// the batch; when the log took it.
type Answer = (Vec<i16>, Vec<i64>, i64, Time);

async fn call(connection: &mut PgConnection, batch: &[Command], now: DateTime<Utc>, check_ids: bool) -> Result<Answer, sqlx::Error> {
    let appends = Appends::of(batch);
    let events = Events::of(batch);
    let mut rows: Vec<Answer> = sqlx::query_as(
        "select o_outcome, o_actual, o_head, o_recorded_at
         from append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(appends.streams)
    .bind(appends.stream)
    .bind(appends.expected)
    .bind(appends.count)
    .bind(events.append)
    .bind(events.offset)
    .bind(events.stream_id)
    .bind(events.event_id)
    .bind(events.event_type)
    .bind(events.schema_version)
    .bind(events.data)
    .bind(events.correlation_id)
    .bind(events.causation_id)
    .bind(events.actor)
    .bind(events.source)
    .bind(Time::from(now))
    .bind(check_ids)
    .fetch_all(connection)
    .await?;
    rows.pop().ok_or(sqlx::Error::RowNotFound)
}

/// The function's columns of appends.
#[derive(Default)]
struct Appends<'a> {
    streams: Vec<&'a str>,
    stream: Vec<i32>,
    expected: Vec<i64>,
    count: Vec<i32>,
}

impl<'a> Appends<'a> {
    fn of(batch: &'a [Command]) -> Self {
        let mut columns = Self::default();
        let mut numbers: HashMap<&str, i32> = HashMap::with_capacity(batch.len());
        for command in batch {
            let stream_id = command.stream_id.as_str();
            let number = *numbers.entry(stream_id).or_insert_with(|| {
                columns.streams.push(stream_id);
                small(columns.streams.len())
            });
            columns.stream.push(number);
            columns.expected.push(match command.expected {
                ExpectedRevision::NoStream => -1,
                ExpectedRevision::Exactly(revision) => i64::try_from(revision).unwrap_or(i64::MAX),
            });
            columns.count.push(small(command.events.len()));
        }
        columns
    }
}

/// The function's columns of events.
#[derive(Default)]
struct Events<'a> {
    append: Vec<i32>,
    offset: Vec<i32>,
    stream_id: Vec<&'a str>,
    event_id: Vec<StoredUuid>,
    event_type: Vec<&'a str>,
    schema_version: Vec<i16>,
    data: Vec<&'a str>,
    correlation_id: Vec<StoredUuid>,
    causation_id: Vec<Option<StoredUuid>>,
    actor: Vec<&'a str>,
    source: Vec<&'a str>,
}

impl<'a> Events<'a> {
    fn of(batch: &'a [Command]) -> Self {
        let mut columns = Self::default();
        for (append, command) in (1..).zip(batch) {
            for (offset, event) in (0..).zip(&command.events) {
                columns.append.push(append);
                columns.offset.push(offset);
                columns.stream_id.push(command.stream_id.as_str());
                columns.push(event);
            }
        }
        columns
    }

    fn push(&mut self, event: &'a NewEvent) {
        self.event_id.push(StoredUuid(event.event_id));
        self.event_type.push(&event.event_type);
        self.schema_version.push(i16::try_from(event.schema_version).unwrap_or(i16::MAX));
        self.data.push(&event.data);
        self.correlation_id.push(StoredUuid(event.metadata.correlation_id));
        self.causation_id.push(event.metadata.causation_id.map(StoredUuid));
        self.actor.push(&event.metadata.actor);
        self.source.push(&event.metadata.source);
    }
}

/// A count within a batch, which is at most some hundreds.
fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Whether the server itself has said no and goes on: then it has rolled back. A connection that ended, even with a word of
/// farewell, may have ended after the commit.
fn refused(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| matches!(error.severity(), PgSeverity::Error))
        }
        // The values could not be made; nothing was sent.
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

fn timed_out() -> DatabaseError {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()
}
