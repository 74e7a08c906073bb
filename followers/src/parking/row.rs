use database::{Time, Value, values};
use event_store::{Position, RecordedEvent, StreamId};
use uuid::Uuid;

use super::{ParkedMessage, untold_metadata};

/// A row of `parked_message`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ParkedRow {
    parked_id: String,
    consumer: String,
    part: Option<String>,
    state: String,
    tries: i64,
    reason: String,
    skip_reason: Option<String>,
    retry_at: Option<Time>,
    parked_at: Time,
    stream_id: String,
    revision: i64,
    position: i64,
    event_id: String,
    event_type: String,
    schema_version: i64,
    recorded_at: Time,
    data: String,
}

/// All columns of a [`ParkedRow`].
macro_rules! parked_columns {
    () => {
        "parked_id, consumer, part, state, tries, reason, skip_reason, retry_at, parked_at, stream_id, revision, position, event_id, \
         event_type, schema_version, recorded_at, data"
    };
}
pub(crate) use parked_columns;

impl ParkedRow {
    /// The message. Errors: the column that holds what nobody writes there.
    pub(crate) fn read(self) -> Result<ParkedMessage, &'static str> {
        let event = RecordedEvent {
            position: Position::new(self.position).ok_or("position")?,
            stream_id: StreamId::parse(&self.stream_id).ok_or("stream_id")?,
            revision: u64::try_from(self.revision).map_err(|_| "revision")?,
            event_id: Uuid::try_parse(&self.event_id).map_err(|_| "event_id")?,
            event_type: self.event_type,
            schema_version: u16::try_from(self.schema_version).map_err(|_| "schema_version")?,
            recorded_at: self.recorded_at.into(),
            data: self.data,
            metadata: untold_metadata(),
        };
        Ok(ParkedMessage {
            parked_id: self.parked_id,
            consumer: self.consumer,
            part: self.part,
            state: self.state.parse().map_err(|_| "state")?,
            tries: u32::try_from(self.tries).map_err(|_| "tries")?,
            reason: self.reason,
            skip_reason: self.skip_reason,
            retry_at: self.retry_at.map(Into::into),
            parked_at: self.parked_at.into(),
            event,
        })
    }
}

/// The columns that [`insert_values`] fills.
pub(crate) const INSERT: &str = "insert into parked_message (parked_id, consumer, queue, part, state, tries, reason, retry_at, parked_at, \
     stream_id, revision, position, event_id, event_type, schema_version, recorded_at, data) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) on conflict (parked_id) do nothing";

pub(crate) fn insert_values(message: &ParkedMessage) -> Vec<Value> {
    let event = &message.event;
    values![
        &message.parked_id,
        &message.consumer,
        message.queue(),
        message.part.clone(),
        message.state.as_str(),
        message.tries,
        &message.reason,
        message.retry_at,
        message.parked_at,
        event.stream_id.as_str(),
        i64::try_from(event.revision).unwrap_or(i64::MAX),
        event.position.as_i64(),
        event.event_id.to_string(),
        &event.event_type,
        event.schema_version,
        event.recorded_at,
        &event.data,
    ]
}
