//! The log's lineage: which history this is. It is made with the log, and renewed after a restore, when positions that were
//! told to others may come to mean other events.
//!
//! It lies in the log itself, on the stream `log`, as events `LineageStarted`; the id of the last one is the lineage.

use uuid::Uuid;

use crate::{AppendError, EventStore, ExpectedRevision, LogReader, Metadata, NewEvent, ReadError, StreamId};

/// The stream of the log's own events.
const STREAM: &str = "log";

/// The stored name of the event that begins a lineage.
pub const LINEAGE_STARTED: &str = "LineageStarted";

/// How many events of the stream are read at a time.
const PAGE: usize = 100;

/// How often a lost race or an append of unknown outcome is looked at again.
const TRIES: usize = 5;

/// Why there is no lineage to work with.
#[derive(Debug, thiserror::Error)]
pub enum LineageError {
    /// The log could not be read.
    #[error("the log's lineage cannot be read")]
    Read(#[from] ReadError),
    /// The log could not be written.
    #[error("the log's lineage cannot be written")]
    Append(#[from] AppendError),
}

/// The lineage now; `None` where the log is new.
pub async fn current(log: &dyn LogReader) -> Result<Option<Uuid>, LineageError> {
    Ok(last(log).await?.map(|(lineage, _)| lineage))
}

/// The lineage, which is made under the id `new` where the log has none. Two processes that open a new log at once agree.
pub async fn ensure(log: &dyn EventStore, new: Uuid) -> Result<Uuid, LineageError> {
    let mut tries = 0;
    loop {
        if let Some((lineage, _)) = last(log).await? {
            return Ok(lineage);
        }
        tries += 1;
        match start(log, ExpectedRevision::NoStream, new).await {
            Ok(()) => return Ok(new),
            Err(AppendError::Conflict { .. } | AppendError::Unknown(_)) if tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Begins a new lineage under the id `new` and answers the one before it. Doing it twice with one id is doing it once.
pub async fn renew(log: &dyn EventStore, new: Uuid) -> Result<Option<Uuid>, LineageError> {
    let mut tries = 0;
    loop {
        let last = last(log).await?;
        let expected = last.map_or(ExpectedRevision::NoStream, |(_, revision)| ExpectedRevision::Exactly(revision));
        tries += 1;
        match start(log, expected, new).await {
            Ok(()) => return Ok(last.map(|(lineage, _)| lineage)),
            Err(AppendError::Conflict { .. }) if tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn last(log: &dyn LogReader) -> Result<Option<(Uuid, u64)>, LineageError> {
    let stream_id = stream_id();
    let mut found = None;
    let mut from = 0;
    loop {
        let page = log.read_stream(&stream_id, from, PAGE).await?;
        let is_last = page.len() < PAGE;
        for event in page {
            from = event.revision.saturating_add(1);
            if event.event_type == LINEAGE_STARTED {
                found = Some((event.event_id, event.revision));
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

async fn start(log: &dyn EventStore, expected: ExpectedRevision, lineage: Uuid) -> Result<(), AppendError> {
    let event = NewEvent {
        event_id: lineage,
        event_type: LINEAGE_STARTED.to_owned(),
        schema_version: 1,
        data: format!("{{\"lineage_id\":\"{lineage}\"}}"),
        metadata: Metadata {
            correlation_id: lineage,
            causation_id: None,
            actor: "process:log".to_owned(),
            source: "event-store".to_owned(),
        },
    };
    log.append(&stream_id(), expected, vec![event]).await.map(drop)
}

fn stream_id() -> StreamId {
    StreamId::parse(STREAM).unwrap_or_else(|| unreachable!("the name is one"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::{MemoryEventStore, Position};

    fn log() -> MemoryEventStore {
        MemoryEventStore::new(Arc::new(|| DateTime::UNIX_EPOCH))
    }

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    #[tokio::test]
    async fn a_new_log_has_no_lineage_until_one_is_made() {
        let log = log();
        assert_eq!(current(&log).await.unwrap(), None);
        assert_eq!(ensure(&log, ONE).await.unwrap(), ONE);
        assert_eq!(current(&log).await.unwrap(), Some(ONE));
    }

    #[tokio::test]
    async fn a_log_that_has_one_keeps_it() {
        let log = log();
        ensure(&log, ONE).await.unwrap();
        assert_eq!(ensure(&log, TWO).await.unwrap(), ONE);
        assert_eq!(log.head().await.unwrap(), Position::new(1).unwrap());
    }

    #[tokio::test]
    async fn renewing_begins_another_and_keeps_the_old_ones_in_the_log() {
        let log = log();
        ensure(&log, ONE).await.unwrap();
        assert_eq!(renew(&log, TWO).await.unwrap(), Some(ONE));
        assert_eq!(current(&log).await.unwrap(), Some(TWO));
        let events = log.read_all(Position::START, 10).await.unwrap();
        assert_eq!(events.iter().map(|event| event.event_id).collect::<Vec<_>>(), [ONE, TWO]);
        assert_eq!(events[1].data, format!("{{\"lineage_id\":\"{TWO}\"}}"));
    }

    #[tokio::test]
    async fn a_log_without_one_can_be_renewed_too_and_many_renewals_are_read() {
        let log = log();
        assert_eq!(renew(&log, ONE).await.unwrap(), None);
        for number in 2..=u128::try_from(PAGE).unwrap() + 5 {
            renew(&log, Uuid::from_u128(number)).await.unwrap();
        }
        assert_eq!(current(&log).await.unwrap(), Some(Uuid::from_u128(u128::try_from(PAGE).unwrap() + 5)));
    }
}
