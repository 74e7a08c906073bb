use chassis::problem::{Problem, field};
use chrono::{DateTime, Utc};
use event_store::{EventFilter, Position, StreamId};
use serde::Deserialize;

use crate::after;

/// The longest name of an event, in characters.
const TYPE_LIMIT: usize = 200;

/// The parameters of `GET /api/v1/audit/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    after: Option<String>,
    pub(super) limit: Option<u32>,
    stream: Option<String>,
    r#type: Option<String>,
    from: Option<String>,
    until: Option<String>,
}

/// No parameters: an answer that is always whole has none, and who sends one would take it for a part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// Behind which position which events are wanted. Errors: 422 naming the parameter that is wrong.
pub(super) fn read(query: &EventsQuery) -> Result<(Position, EventFilter), Problem> {
    let after = query.after.as_deref().map(|text| after::parse("after", text)).transpose()?;
    let stream_id = query.stream.as_deref().map(read_stream).transpose()?;
    let event_type = query.r#type.as_deref().map(read_type).transpose()?;
    let from = query.from.as_deref().map(|text| read_time("from", text)).transpose()?;
    let until = query.until.as_deref().map(|text| read_time("until", text)).transpose()?;
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        return Err(Problem::invalid("until", field::OUT_OF_RANGE, "must not be before from"));
    }
    let filter = EventFilter { stream_id, event_types: event_type.into_iter().collect(), from, until, up_to: None };
    Ok((after.unwrap_or_default(), filter))
}

fn read_stream(text: &str) -> Result<StreamId, Problem> {
    StreamId::parse(text).ok_or_else(|| Problem::invalid("stream", field::MALFORMED, "must be 1 to 200 visible ASCII characters"))
}

fn read_type(text: &str) -> Result<String, Problem> {
    let is_name = (1..=TYPE_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { Ok(text.to_owned()) } else { Err(Problem::invalid("type", field::MALFORMED, "must be the name of an event")) }
}

fn read_time(name: &'static str, text: &str) -> Result<DateTime<Utc>, Problem> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| Problem::invalid(name, field::MALFORMED, "must be an RFC 3339 time such as 2026-07-01T08:00:00Z"))
}
