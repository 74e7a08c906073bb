//! An event as it lies in KurrentDB: the exact JSON as data, and what we know of it beside in the event's metadata.

use chrono::{DateTime, Utc};
use kurrentdb::{EventData, ResolvedEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::port::{Metadata, NewEvent, Position, ReadError, RecordedEvent, StreamId};

/// What one attempt to append says of all its events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// Whole microseconds. The server keeps a time as well, but the client cuts it to seconds.
    pub(super) recorded_at: DateTime<Utc>,
    /// Tells an attempt's events from those of an earlier attempt with the same ids.
    pub(super) append_id: Uuid,
}

/// An event with the attempt that wrote it.
pub(super) struct Kept {
    pub(super) event: RecordedEvent,
    pub(super) append_id: Uuid,
}

/// The names with `$` are those by which KurrentDB itself follows causes.
#[derive(Serialize, Deserialize)]
struct StoredMetadata {
    #[serde(rename = "$correlationId")]
    correlation_id: Uuid,
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<Uuid>,
    actor: String,
    source: String,
    schema_version: u16,
    recorded_at_us: i64,
    append_id: Uuid,
}

/// An event for the server with its size in bytes.
pub(super) fn to_server(event: NewEvent, stamp: &Stamp) -> Result<(EventData, usize), serde_json::Error> {
    let metadata = StoredMetadata {
        correlation_id: event.metadata.correlation_id,
        causation_id: event.metadata.causation_id,
        actor: event.metadata.actor,
        source: event.metadata.source,
        schema_version: event.schema_version,
        recorded_at_us: stamp.recorded_at.timestamp_micros(),
        append_id: stamp.append_id,
    };
    let metadata = serde_json::to_vec(&metadata)?;
    let size = event.data.len() + metadata.len() + event.event_type.len();
    // Only as opaque bytes are blanks around the text kept.
    let data = if event.data.trim().len() == event.data.len() {
        EventData::json(&event.event_type, &RawValue::from_string(event.data)?)?
    } else {
        EventData::binary(&event.event_type, event.data.into_bytes().into())
    };
    Ok((data.id(event.event_id).metadata(metadata.into()), size))
}

/// An event of the log whose streams begin with `prefix`. Errors: [`ReadError::Damaged`] where it was not written by this adapter.
pub(super) fn from_server(prefix: &str, resolved: ResolvedEvent) -> Result<Kept, ReadError> {
    let nowhere = ReadError::Damaged { position: 0, reason: "an event without content" };
    let event = resolved.event.ok_or(nowhere)?;
    // A record's own place is both. They differ only for transactions of a protocol that is gone; and servers of old answer no
    // place at all for an event of a stream, which is read as one beyond all numbers.
    let place = Some(event.position.commit).filter(|place| *place != 0 && *place == event.position.prepare);
    let number = place.and_then(|place| i64::try_from(place).ok());
    let number = number.ok_or(ReadError::Damaged { position: 0, reason: "its place is not that of one record" })?;
    let damaged = |reason| ReadError::Damaged { position: number, reason };
    let name = event.stream_id().strip_prefix(prefix).and_then(StreamId::parse);
    let metadata: StoredMetadata =
        serde_json::from_slice(&event.custom_metadata).map_err(|_| damaged("its metadata are not those of this log"))?;
    Ok(Kept {
        append_id: metadata.append_id,
        event: RecordedEvent {
            position: Position::new(number).ok_or(damaged("the position is negative"))?,
            stream_id: name.ok_or(damaged("the stream's name cannot be one"))?,
            revision: event.revision,
            event_id: event.id,
            event_type: event.event_type,
            schema_version: metadata.schema_version,
            recorded_at: DateTime::from_timestamp_micros(metadata.recorded_at_us).ok_or(damaged("the time cannot be one"))?,
            data: String::from_utf8(event.data.to_vec()).map_err(|_| damaged("the data are not text"))?,
            metadata: Metadata {
                correlation_id: metadata.correlation_id,
                causation_id: metadata.causation_id,
                actor: metadata.actor,
                source: metadata.source,
            },
        },
    })
}
