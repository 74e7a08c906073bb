//! A published event as a message: its subject, headers and body.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::SecondsFormat;
use domain::published;
use domain::stored::StoredFormError;
use event_store::{Position, RecordedEvent, StreamId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{PARTS, Part};

/// All subjects of the stream.
pub const SUBJECTS: &str = "paystream.v1.>";

/// The order type in the subjects of events that belong to no order.
pub const NO_ORDER_TYPE: &str = "none";

/// What streams of orders are called before the order's number.
pub(super) const ORDER_STREAM: &str = "order-";

/// The names of the headers. Those with `ce-` are CloudEvents 1.0 in binary mode.
pub mod header {
    /// The event's id.
    pub const CE_ID: &str = "ce-id";
    /// The event's stored name.
    pub const CE_TYPE: &str = "ce-type";
    /// Always `/paystream`.
    pub const CE_SOURCE: &str = "ce-source";
    /// The event's stream in the log.
    pub const CE_SUBJECT: &str = "ce-subject";
    /// When the log took the event: RFC 3339, UTC, microseconds.
    pub const CE_TIME: &str = "ce-time";
    /// Always `1.0`.
    pub const CE_SPECVERSION: &str = "ce-specversion";
    /// The event's position in the log.
    pub const POSITION: &str = "Paystream-Position";
    /// The position of the message before it on the same subject; absent on the first.
    pub const PREVIOUS: &str = "Paystream-Previous";
    /// The event's stream in the log.
    pub const STREAM: &str = "Paystream-Stream";
    /// The event's number in its stream, from 0.
    pub const REVISION: &str = "Paystream-Revision";
    /// The lineage of the log.
    pub const LINEAGE: &str = "Paystream-Lineage";
}

/// What `ce-source` says.
pub const CE_SOURCE: &str = "/paystream";

/// A message for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `paystream.v1.<aggregate>.<EventType>.<order_type>.<part>`.
    pub subject: String,
    /// The names of [`header`] and their values; visible ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// The published event's JSON.
    pub body: String,
    /// The event's position in the log.
    pub position: Position,
}

/// Where a message in the broker says that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The event's position in the log.
    pub position: Position,
    /// Its id.
    pub event_id: Uuid,
    /// Its stream.
    pub stream_id: StreamId,
    /// Its number in that stream.
    pub revision: u64,
    /// The log's lineage when it was published.
    pub lineage: Uuid,
}

impl Origin {
    /// Reads the headers of a message; `None` where one is absent or unreadable: the message is none of ours.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Some(Self {
            position: Position::new(header(header::POSITION)?.parse().ok()?)?,
            event_id: header(header::CE_ID)?.parse().ok()?,
            stream_id: StreamId::parse(header(header::STREAM)?)?,
            revision: header(header::REVISION)?.parse().ok()?,
            lineage: header(header::LINEAGE)?.parse().ok()?,
        })
    }
}

/// Which events are published, and under which aggregate.
pub(super) struct Catalogue {
    aggregates: HashMap<&'static str, &'static str>,
    known: HashMap<&'static str, u16>,
}

/// What an event is to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It goes out, under this aggregate.
    Published(&'static str),
    /// It stays inside.
    Internal,
    /// This version does not know it: a newer one may publish it.
    Unknown,
}

impl Catalogue {
    pub(super) fn new() -> Self {
        Self {
            aggregates: published::events().into_iter().map(|event| (event.event_type, event.aggregate)).collect(),
            known: published::stored_shapes().collect(),
        }
    }

    pub(super) fn kind(&self, event_type: &str) -> Kind {
        match self.aggregates.get(event_type) {
            Some(aggregate) => Kind::Published(aggregate),
            None if self.known.contains_key(event_type) => Kind::Internal,
            None => Kind::Unknown,
        }
    }
}

/// The part of a stream: the first byte of SHA-256 of the order's number, or of the stream's name where it is no order's.
pub fn part_of(stream_id: &StreamId) -> Part {
    let name = stream_id.as_str();
    let key = name.strip_prefix(ORDER_STREAM).unwrap_or(name);
    let first = Sha256::digest(key.as_bytes()).first().copied().unwrap_or_default();
    Part::new(first % PARTS).unwrap_or_else(|| unreachable!("a remainder is below its divisor"))
}

/// The subject of an event.
pub fn subject_of(aggregate: &str, event_type: &str, order_type: &str, stream_id: &StreamId) -> String {
    format!("paystream.v1.{aggregate}.{event_type}.{order_type}.{}", part_of(stream_id))
}

/// The message of an event.
///
/// Errors: its stored form cannot be brought to today's.
pub(super) fn outgoing(
    event: RecordedEvent,
    subject: String,
    previous: Option<Position>,
    lineage: Uuid,
) -> Result<Outgoing, StoredFormError> {
    let upcast = match published::body(&event.event_type, event.schema_version, &event.data)? {
        Cow::Owned(body) => Some(body),
        Cow::Borrowed(_) => None,
    };
    let stream_id = event.stream_id.as_str();
    let mut headers = vec![
        (header::CE_ID, event.event_id.to_string()),
        (header::CE_TYPE, event.event_type),
        (header::CE_SOURCE, CE_SOURCE.to_owned()),
        (header::CE_SUBJECT, stream_id.to_owned()),
        (header::CE_TIME, event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        (header::CE_SPECVERSION, "1.0".to_owned()),
        (header::POSITION, event.position.to_string()),
        (header::STREAM, stream_id.to_owned()),
        (header::REVISION, event.revision.to_string()),
        (header::LINEAGE, lineage.to_string()),
    ];
    headers.extend(previous.map(|previous| (header::PREVIOUS, previous.to_string())));
    Ok(Outgoing { subject, headers, body: upcast.unwrap_or(event.data), position: event.position })
}
