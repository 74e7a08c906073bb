use chrono::{DateTime, Utc};
use domain::published;
use event_store::{Position, RecordedEvent};

use super::{Link, MessageFeedError};
use crate::parking::untold_metadata;
use crate::relay::{Origin, header};

/// Reads a message of the relay.
///
/// Shape: the headers of [`header`], and the event's JSON of today's shape as the body. Errors: [`MessageFeedError::Foreign`]
/// where one is absent or unreadable. A body that is no event is not looked at here: whoever takes the event finds out.
pub(crate) fn decode<'h>(
    subject: &str,
    header: impl Fn(&str) -> Option<&'h str>,
    body: &str,
) -> Result<(Link, RecordedEvent), MessageFeedError> {
    let foreign = |reason| MessageFeedError::Foreign { subject: subject.to_owned(), reason };
    let origin = Origin::read(&header).ok_or_else(|| foreign("it does not say where it comes from"))?;
    let event_type = header(header::CE_TYPE).ok_or_else(|| foreign("it does not say what it is"))?;
    let time = header(header::CE_TIME).and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let recorded_at = time.ok_or_else(|| foreign("it does not say when it was recorded"))?.with_timezone(&Utc);
    let previous = match header(header::PREVIOUS) {
        None => None,
        Some(text) => Some(text.parse().ok().and_then(Position::new).ok_or_else(|| foreign("the position before it cannot be read"))?),
    };
    // What nobody here knows has shape 0, which nobody reads.
    let schema_version = published::stored_shapes().find(|(name, _)| *name == event_type).map_or(0, |(_, today)| today);
    let event = RecordedEvent {
        position: origin.position,
        stream_id: origin.stream_id,
        revision: origin.revision,
        event_id: origin.event_id,
        event_type: event_type.to_owned(),
        schema_version,
        recorded_at,
        data: body.to_owned(),
        metadata: untold_metadata(),
    };
    Ok((Link { subject: subject.to_owned(), previous }, event))
}
