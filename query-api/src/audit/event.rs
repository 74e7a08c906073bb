use chrono::{DateTime, Utc};
use event_store::RecordedEvent;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::failure::QueryFailure;

/// An event as the contract shows it. `data` is the stored text itself, so that hashes over it can be checked.
#[derive(Serialize)]
pub(super) struct EventView<'a> {
    position: String,
    stream_id: &'a str,
    revision: u64,
    event_id: Uuid,
    r#type: &'a str,
    schema_version: u16,
    recorded_at: DateTime<Utc>,
    data: &'a RawValue,
    metadata: MetadataView<'a>,
}

#[derive(Serialize)]
struct MetadataView<'a> {
    correlation_id: Uuid,
    causation_id: Option<Uuid>,
    actor: &'a str,
    source: &'a str,
}

impl<'a> TryFrom<&'a RecordedEvent> for EventView<'a> {
    type Error = QueryFailure;

    fn try_from(event: &'a RecordedEvent) -> Result<Self, QueryFailure> {
        Ok(Self {
            position: event.position.to_string(),
            stream_id: event.stream_id.as_str(),
            revision: event.revision,
            event_id: event.event_id,
            r#type: &event.event_type,
            schema_version: event.schema_version,
            recorded_at: event.recorded_at,
            data: serde_json::from_str(&event.data).map_err(QueryFailure::Event)?,
            metadata: MetadataView {
                correlation_id: event.metadata.correlation_id,
                causation_id: event.metadata.causation_id,
                actor: &event.metadata.actor,
                source: &event.metadata.source,
            },
        })
    }
}

/// The event's JSON.
pub(super) fn to_json(event: &RecordedEvent) -> Result<String, QueryFailure> {
    serde_json::to_string(&EventView::try_from(event)?).map_err(QueryFailure::Event)
}

/// The event's JSON in one line. A line break can only stand between the stored text's parts, never in one: JSON writes
/// those of texts as `\n`.
pub(super) fn to_line(event: &RecordedEvent) -> Result<String, QueryFailure> {
    Ok(to_json(event)?.replace(['\n', '\r'], " "))
}
