//! What the two adapters with a writing task do alike.

use tokio::sync::watch;
use uuid::Uuid;

use crate::limits;
use crate::port::{AppendError, Appended, ExpectedRevision, NewEvent, Position, StreamId};
use crate::tables::LogTables;
use crate::writer::{Verdict, Writer};

/// An append by way of the writing task.
pub(crate) async fn append(
    writer: &Writer,
    tables: &LogTables,
    stream_id: &StreamId,
    expected: ExpectedRevision,
    events: Vec<NewEvent>,
) -> Result<Appended, AppendError> {
    let bytes = limits::check(expected, &events)?;
    let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
    match writer.submit(stream_id.clone(), expected, events, bytes).await? {
        Verdict::Written(appended) => Ok(appended),
        Verdict::Mismatch { actual } => tables.settle(stream_id, expected, &ids, actual).await,
        Verdict::IdTaken => Err(AppendError::Invalid(limits::ID_TAKEN)),
    }
}

/// Tells followers of `position`, unless they have heard of a higher one.
pub(crate) fn raise(appended: &watch::Sender<Position>, position: Position) {
    appended.send_if_modified(|heard| {
        let higher = position > *heard;
        *heard = position.max(*heard);
        higher
    });
}
