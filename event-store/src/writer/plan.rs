use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Command;
use crate::port::{Appended, Position};

/// What becomes of one append of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fits; durable once the batch is.
    Written(Appended),
    /// The stream's last revision is another: a conflict, or a repeat.
    Mismatch { actual: Option<u64> },
    /// It fits, but one of its event ids names another event.
    IdTaken,
}

/// What a plan starts from.
pub(crate) struct Heads {
    /// The last revision of each stream that has events.
    pub(crate) revisions: HashMap<String, u64>,
    /// The last position of the log.
    pub(crate) position: i64,
}

/// Judges each append of a batch in order, each by what the earlier ones of the batch do to its stream.
pub(crate) fn plan(batch: &[Command], heads: Heads, taken: &HashSet<Uuid>, recorded_at: DateTime<Utc>) -> Vec<Verdict> {
    let Heads { mut revisions, mut position } = heads;
    let judge = |command: &Command| {
        let actual = revisions.get(command.stream_id.as_str()).copied();
        let first = command.expected.first_revision();
        if actual.map_or(0, |actual| actual + 1) != first {
            return Verdict::Mismatch { actual };
        }
        if command.events.iter().any(|event| taken.contains(&event.event_id)) {
            return Verdict::IdTaken;
        }
        let last_revision = first + command.events.len() as u64 - 1;
        revisions.insert(command.stream_id.as_str().to_owned(), last_revision);
        Verdict::Written(Appended {
            last_revision,
            positions: next_positions(&mut position, command.events.len()),
            recorded_at,
            is_repeat: false,
        })
    };
    batch.iter().map(judge).collect()
}

/// The `count` positions after `position`, which is moved to the last of them.
pub(crate) fn next_positions(position: &mut i64, count: usize) -> Vec<Position> {
    (0..count)
        .map(|_| {
            *position += 1;
            Position::new(*position).unwrap_or_default()
        })
        .collect()
}

#[cfg(test)]
mod tests;
