//! What one append may be. Checked before it is queued, so that no caller's append can spoil another's in the same batch.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use crate::port::{AppendError, ExpectedRevision, NewEvent};

/// The most events of one append.
pub const MAX_EVENTS: usize = 500;

/// The most bytes of one append: the events' JSON and names together.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The most bytes of an event's stored name.
pub const MAX_EVENT_TYPE: usize = 100;

/// The most bytes of an actor's or a source's name.
pub const MAX_ACTOR: usize = 200;

/// What an event takes beside its texts: ids, numbers, and its entries in the indexes.
const FIXED_BYTES: usize = 200;

/// What an append is told whose event id names another event.
pub(crate) const ID_TAKEN: &str = "another event has the id of one of its events";

/// Kept free above an expected revision, so that no sum of revisions can overflow.
const REVISIONS_AHEAD: i64 = 1024;

/// Checks an append; answers its size in bytes. Errors: [`AppendError::Invalid`].
pub(crate) fn check(expected: ExpectedRevision, events: &[NewEvent]) -> Result<usize, AppendError> {
    if events.is_empty() {
        return Err(AppendError::Invalid("it has no events"));
    }
    if events.len() > MAX_EVENTS {
        return Err(AppendError::Invalid("it has too many events"));
    }
    if i64::try_from(expected.first_revision()).is_ok_and(|first| first < i64::MAX - REVISIONS_AHEAD) {
        let mut ids = HashSet::with_capacity(events.len());
        if !events.iter().all(|event| ids.insert(event.event_id)) {
            return Err(AppendError::Invalid("two of its events have the same id"));
        }
        let bytes = events.iter().map(check_event).sum::<Result<usize, AppendError>>()?;
        return if bytes <= MAX_BYTES { Ok(bytes) } else { Err(AppendError::Invalid("it is too large")) };
    }
    Err(AppendError::Invalid("it expects a revision that no stream can have"))
}

fn check_event(event: &NewEvent) -> Result<usize, AppendError> {
    let (name, actor, source) = (&event.event_type, &event.metadata.actor, &event.metadata.source);
    if name.is_empty() || name.len() > MAX_EVENT_TYPE || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AppendError::Invalid("an event's name is empty, too long or not plain"));
    }
    for text in [actor, source] {
        if text.is_empty() || text.len() > MAX_ACTOR || text.contains(char::is_control) {
            return Err(AppendError::Invalid("an actor or source is empty, too long or not plain"));
        }
    }
    if event.schema_version == 0 || i16::try_from(event.schema_version).is_err() {
        return Err(AppendError::Invalid("an event's schema version is out of range"));
    }
    if serde_json::from_str::<IgnoredAny>(&event.data).is_err() {
        return Err(AppendError::Invalid("an event's data are not JSON"));
    }
    Ok(event.data.len() + name.len() + actor.len() + source.len() + FIXED_BYTES)
}
