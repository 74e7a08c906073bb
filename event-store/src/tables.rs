//! Reading the log's table; the same statements on SQLite and on Postgres.

mod stored_uuid;

use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Time, values};
use uuid::Uuid;

use crate::port::{AppendError, Appended, EventFilter, ExpectedRevision, Metadata, Position, ReadError, RecordedEvent, StreamId};
pub(crate) use stored_uuid::StoredUuid;

// Limits are cast because SQLite prepares a statement anew each time that a bare parameter of its limit is bound: the number
// might change the plan.
macro_rules! select_event {
    ($rest:literal) => {
        concat!(
            "select position, stream_id, revision, event_id, event_type, cast(schema_version as bigint) as schema_version, ",
            "recorded_at, cast(data as text) as data, correlation_id, causation_id, actor, source from event ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct EventRow {
    position: i64,
    stream_id: String,
    revision: i64,
    event_id: StoredUuid,
    event_type: String,
    schema_version: i64,
    recorded_at: Time,
    data: String,
    correlation_id: StoredUuid,
    causation_id: Option<StoredUuid>,
    actor: String,
    source: String,
}

impl EventRow {
    fn into_event(self) -> Result<RecordedEvent, ReadError> {
        let number = self.position;
        let damaged = |reason| ReadError::Damaged { position: number, reason };
        Ok(RecordedEvent {
            position: Position::new(number).ok_or(damaged("the position is negative"))?,
            stream_id: StreamId::parse(&self.stream_id).ok_or(damaged("the stream's name cannot be one"))?,
            revision: u64::try_from(self.revision).map_err(|_| damaged("the revision is negative"))?,
            event_id: self.event_id.0,
            event_type: self.event_type,
            schema_version: u16::try_from(self.schema_version).map_err(|_| damaged("the schema version is out of range"))?,
            recorded_at: self.recorded_at.0,
            data: self.data,
            metadata: Metadata {
                correlation_id: self.correlation_id.0,
                causation_id: self.causation_id.map(|id| id.0),
                actor: self.actor,
                source: self.source,
            },
        })
    }
}

/// The reading side of both adapters.
#[derive(Clone)]
pub(crate) struct LogTables {
    pub(crate) database: Database,
}

impl LogTables {
    pub(crate) async fn read_stream(&self, stream_id: &StreamId, from: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        const SQL: &str = select_event!("where stream_id = $1 and revision >= $2 order by revision limit cast($3 as bigint)");
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let rows = self.rows(SQL, values![stream_id.as_str(), from, row_limit(limit)]).await?;
        for (expected, event) in (0..).zip(&rows) {
            if i64::try_from(event.revision).is_ok_and(|revision| revision != from.saturating_add(expected)) {
                return Err(ReadError::Damaged { position: event.position.as_i64(), reason: "an earlier event of its stream is missing" });
            }
        }
        Ok(rows)
    }

    pub(crate) async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_range(after.as_i64(), i64::MAX, limit).await
    }

    /// Reads `(after, up_to]`. Positions have no gaps, so a missing one is damage and is said.
    async fn read_range(&self, after: i64, up_to: i64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        const SQL: &str = select_event!("where position > $1 and position <= $2 order by position limit cast($3 as bigint)");
        let events = self.rows(SQL, values![after, up_to, row_limit(limit)]).await?;
        for (expected, event) in (1..).zip(&events) {
            if event.position.as_i64() != after.saturating_add(expected) {
                return Err(ReadError::Damaged { position: after.saturating_add(expected), reason: "the event is missing" });
            }
        }
        Ok(events)
    }

    pub(crate) async fn read_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        let head = self.head().await?.as_i64();
        let mut after = after.as_i64();
        let mut up_to = filter.up_to.map_or(head, |up_to| up_to.as_i64().min(head));
        if let Some(from) = filter.from {
            after = after.max(self.last_before(from, head).await?);
        }
        if let Some(until) = filter.until {
            up_to = up_to.min(self.last_before(until, head).await?);
        }
        if after >= up_to {
            return Ok(Vec::new());
        }
        match (&filter.stream_id, filter.event_types.as_slice()) {
            (Some(stream_id), _) => self.read_of_stream(stream_id, after, up_to, limit, filter).await,
            (None, []) => self.read_range(after, up_to, limit).await,
            (None, event_types) => self.read_of_types(event_types, after, up_to, limit).await,
        }
    }

    async fn read_of_stream(
        &self,
        stream_id: &StreamId,
        after: i64,
        up_to: i64,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        const SQL: &str =
            select_event!("where stream_id = $1 and position > $2 and position <= $3 order by revision limit cast($4 as bigint)");
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < limit {
            let page = self.rows(SQL, values![stream_id.as_str(), after, up_to, row_limit(limit)]).await?;
            let Some(last) = page.last() else { break };
            after = last.position.as_i64();
            found.extend(page.into_iter().filter(|event| filter.admits(event)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// One indexed read for each type, then merged, so that rare types are found without looking through the log.
    async fn read_of_types(&self, event_types: &[String], after: i64, up_to: i64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        const SQL: &str =
            select_event!("where event_type = $1 and position > $2 and position <= $3 order by position limit cast($4 as bigint)");
        let mut event_types: Vec<&String> = event_types.iter().collect();
        event_types.sort();
        event_types.dedup();
        let mut found = Vec::new();
        for event_type in event_types {
            found.extend(self.rows(SQL, values![event_type, after, up_to, row_limit(limit)]).await?);
        }
        found.sort_by_key(|event| event.position);
        found.truncate(limit);
        Ok(found)
    }

    /// The last position that the log took before `time`. Times never fall as positions rise, so halving finds it.
    async fn last_before(&self, time: DateTime<Utc>, head: i64) -> Result<i64, ReadError> {
        let (mut before, mut not_before) = (0, head.saturating_add(1));
        while not_before - before > 1 {
            let middle = before + (not_before - before) / 2;
            let row: Option<(Time,)> = self
                .database
                .fetch_optional("select recorded_at from event where position = $1", values![middle])
                .await
                .map_err(unavailable)?;
            let (recorded_at,) = row.ok_or(ReadError::Damaged { position: middle, reason: "the event is missing" })?;
            if recorded_at.0 < time { before = middle } else { not_before = middle }
        }
        Ok(before)
    }

    pub(crate) async fn head(&self) -> Result<Position, ReadError> {
        let (head,): (i64,) =
            self.database.fetch_one("select coalesce(max(position), 0) from event", Vec::new()).await.map_err(unavailable)?;
        Position::new(head).ok_or(ReadError::Damaged { position: head, reason: "the position is negative" })
    }

    /// Answers an append whose stream has its last event at `actual`: with the first result where it is a repeat.
    ///
    /// Events never change, so this needs no lock and is done after the batch, by the caller's own task.
    pub(crate) async fn settle(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        ids: &[Uuid],
        actual: Option<u64>,
    ) -> Result<Appended, AppendError> {
        let conflict = || AppendError::Conflict { stream_id: stream_id.clone(), actual };
        let first = expected.first_revision();
        if actual.is_none_or(|actual| actual.saturating_add(1) < first + ids.len() as u64) {
            return Err(conflict());
        }
        let earlier = self.read_stream(stream_id, first, ids.len()).await.map_err(|error| AppendError::Unavailable(Box::new(error)))?;
        let repeats = earlier.len() == ids.len() && earlier.iter().zip(ids).all(|(event, id)| event.event_id == *id);
        match earlier.last() {
            Some(last) if repeats => Ok(Appended {
                last_revision: last.revision,
                positions: earlier.iter().map(|event| event.position).collect(),
                recorded_at: last.recorded_at,
                is_repeat: true,
            }),
            _ => Err(conflict()),
        }
    }

    async fn rows(&self, sql: &'static str, values: Vec<database::Value>) -> Result<Vec<RecordedEvent>, ReadError> {
        let rows: Vec<EventRow> = self.database.fetch_all(sql, values).await.map_err(unavailable)?;
        rows.into_iter().map(EventRow::into_event).collect()
    }
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn unavailable(error: DatabaseError) -> ReadError {
    ReadError::Unavailable(Box::new(error))
}
