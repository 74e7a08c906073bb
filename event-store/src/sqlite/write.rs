use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use database::{ConstraintKind, Database, DatabaseError, Insert, Time, Transaction, Value, values};
use tokio::sync::watch;
use uuid::Uuid;

use super::recent::{Recent, recorded};
use crate::LogClock;
use crate::appending::raise;
use crate::port::{ExpectedRevision, NewEvent, Position, RecordedEvent};
use crate::tables::StoredUuid;
use crate::writer::{BatchError, Command, Heads, Verdict, WriteBatch, plan};

static INSERT_EVENT: Insert = Insert::new(
    "event",
    &[
        "position",
        "stream_id",
        "revision",
        "event_id",
        "event_type",
        "schema_version",
        "recorded_at",
        "data",
        "correlation_id",
        "causation_id",
        "actor",
        "source",
    ],
);

/// The last revision of each of the batch's streams: for each one step down the index, however long the stream is.
const LAST_REVISIONS: &str = "select value,
        coalesce((select revision from event where stream_id = value order by revision desc limit 1), -1)
    from json_each($1)";

/// Writes batches to SQLite. It is the only writer of its file.
pub(super) struct SqliteWriter {
    database: Database,
    clock: LogClock,
    recent: Arc<Recent>,
    appended: watch::Sender<Position>,
}

impl SqliteWriter {
    pub(super) fn new(database: Database, clock: LogClock, recent: Arc<Recent>, appended: watch::Sender<Position>) -> Self {
        Self { database, clock, recent, appended }
    }

    /// Writes the batch. The first try goes by what is known without reading; the unique indexes refuse what is against that, and
    /// then `taken` is made and nothing is taken on trust.
    async fn attempt(&self, batch: &[Command], taken: Option<&HashSet<Uuid>>) -> Result<Vec<Verdict>, Attempt> {
        let mut transaction = self.database.begin_with_first().await.map_err(not_written)?;
        let known = taken.is_none().then_some(self.recent.as_ref());
        let (heads, last) = read_heads(&mut transaction, batch, known).await.map_err(not_written)?;
        let now = Time::from((self.clock)()).0;
        let recorded_at = last.map_or(now, |last| last.max(now));
        let verdicts = plan(batch, heads, taken.unwrap_or(&HashSet::new()), recorded_at);
        let rows = rows(batch, &verdicts);
        if rows.is_empty() {
            transaction.rollback().await.map_err(not_written)?;
            return Ok(verdicts);
        }
        match INSERT_EVENT.apply(&mut transaction, rows).await {
            Ok(()) => transaction.commit().await.map_err(|error| Attempt::Failed(after_commit(error)))?,
            Err(DatabaseError::Constraint { kind: ConstraintKind::Unique, .. }) if taken.is_none() => {
                transaction.rollback().await.map_err(not_written)?;
                return Err(Attempt::Taken);
            }
            Err(error) => return Err(not_written(error)),
        }
        Ok(verdicts)
    }

    /// Which of the batch's event ids name events already.
    async fn taken(&self, batch: &[Command]) -> Result<HashSet<Uuid>, DatabaseError> {
        let ids: Vec<String> = batch.iter().flat_map(|command| &command.events).map(|event| event.event_id.simple().to_string()).collect();
        let sql = "select event_id from event where event_id in (select unhex(value) from json_each($1))";
        let rows: Vec<(StoredUuid,)> = self.database.fetch_all(sql, values![json_list(&ids)]).await?;
        Ok(rows.into_iter().map(|(id,)| id.0).collect())
    }
}

enum Attempt {
    /// Nothing was written; an id or a revision is taken.
    Taken,
    Failed(BatchError),
}

impl WriteBatch for SqliteWriter {
    async fn write(&mut self, batch: &[Command]) -> Result<Vec<Verdict>, BatchError> {
        // That something is taken happens so seldom that the unique indexes are left to find it; only then is it asked what.
        let written = match self.attempt(batch, None).await {
            Err(Attempt::Taken) => {
                let taken = self.taken(batch).await.map_err(BatchError::NotWritten)?;
                self.attempt(batch, Some(&taken)).await
            }
            other => other,
        };
        let verdicts = written.map_err(|attempt| {
            self.recent.forget();
            match attempt {
                Attempt::Failed(error) => error,
                Attempt::Taken => BatchError::NotWritten(DatabaseError::Unfit("an event is refused by nothing".to_owned())),
            }
        })?;
        let committed = committed(batch, &verdicts);
        if let Some(head) = committed.last().map(|event| event.position) {
            self.recent.add(committed);
            raise(&self.appended, head);
        }
        Ok(verdicts)
    }
}

/// Where the log and the batch's streams end. What is `known` is not read, and neither is a stream that is expected to have no
/// event and of which nothing is known.
async fn read_heads(
    transaction: &mut Transaction,
    batch: &[Command],
    known: Option<&Recent>,
) -> Result<(Heads, Option<DateTime<Utc>>), DatabaseError> {
    let mut last = known.and_then(Recent::last);
    if last.is_none() {
        let sql = "select position, recorded_at from event order by position desc limit 1";
        let stored: Option<(i64, Time)> = transaction.fetch_optional(sql, Vec::new()).await?;
        last = stored.map(|(position, recorded_at)| (position, recorded_at.0));
    }
    let mut revisions = HashMap::new();
    let mut unknown: Vec<&str> = Vec::new();
    for command in batch {
        match known.map(|recent| recent.last_revision(&command.stream_id)) {
            Some(Some(revision)) => drop(revisions.insert(command.stream_id.as_str().to_owned(), revision)),
            Some(None) if command.expected == ExpectedRevision::NoStream => {}
            _ => unknown.push(command.stream_id.as_str()),
        }
    }
    if !unknown.is_empty() {
        unknown.sort_unstable();
        unknown.dedup();
        let rows: Vec<(String, i64)> = transaction.fetch_all(LAST_REVISIONS, values![json_list(&unknown)]).await?;
        revisions.extend(rows.into_iter().filter_map(|(stream_id, revision)| Some((stream_id, u64::try_from(revision).ok()?))));
    }
    let position = last.map_or(0, |(position, _)| position);
    Ok((Heads { revisions, position }, last.map(|(_, recorded_at)| recorded_at)))
}

/// What of the batch was written, in the order of the log.
fn committed(batch: &[Command], verdicts: &[Verdict]) -> Vec<RecordedEvent> {
    let mut committed = Vec::with_capacity(batch.len());
    for (command, verdict) in batch.iter().zip(verdicts) {
        let Verdict::Written(appended) = verdict else { continue };
        let revisions = command.expected.first_revision()..;
        for ((event, position), revision) in command.events.iter().zip(&appended.positions).zip(revisions) {
            committed.push(recorded(event, &command.stream_id, *position, revision, appended.recorded_at));
        }
    }
    committed
}

/// A JSON array of plain texts, for `json_each`.
fn json_list<T: Into<serde_json::Value> + Clone>(texts: &[T]) -> String {
    texts.iter().cloned().map(Into::into).collect::<serde_json::Value>().to_string()
}

fn rows(batch: &[Command], verdicts: &[Verdict]) -> Vec<Vec<Value>> {
    let mut rows = Vec::with_capacity(batch.len());
    for (command, verdict) in batch.iter().zip(verdicts) {
        let Verdict::Written(appended) = verdict else { continue };
        let revisions = command.expected.first_revision()..;
        for ((event, position), revision) in command.events.iter().zip(&appended.positions).zip(revisions) {
            let revision = i64::try_from(revision).unwrap_or(i64::MAX);
            rows.push(row(event, command.stream_id.as_str(), position.as_i64(), revision, appended.recorded_at));
        }
    }
    rows
}

fn row(event: &NewEvent, stream_id: &str, position: i64, revision: i64, recorded_at: DateTime<Utc>) -> Vec<Value> {
    let metadata = &event.metadata;
    values![
        position,
        stream_id,
        revision,
        event.event_id.as_bytes().to_vec(),
        event.event_type.as_str(),
        event.schema_version,
        recorded_at,
        event.data.as_str(),
        metadata.correlation_id.as_bytes().to_vec(),
        metadata.causation_id.map(|id| id.as_bytes().to_vec()),
        metadata.actor.as_str(),
        metadata.source.as_str(),
    ]
}

fn not_written(error: DatabaseError) -> Attempt {
    Attempt::Failed(BatchError::NotWritten(error))
}

/// What a failed commit means: SQLite has rolled back where it says why, but after an I/O error the last page of the commit may
/// or may not lie in the file for the next start to find.
fn after_commit(error: DatabaseError) -> BatchError {
    match error {
        DatabaseError::Busy(_) | DatabaseError::Full(_) | DatabaseError::ReadOnly(_) | DatabaseError::TransactionFailed => {
            BatchError::NotWritten(error)
        }
        other => BatchError::Unknown(other),
    }
}
