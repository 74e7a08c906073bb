use event_store::{EventFilter, LogReader, Position, ReadError, RecordedEvent, StreamId};

/// How many events are read at a time, and so are in memory.
pub(super) const CHUNK: usize = 256;

/// Reads events piece by piece, up to where the log ended when it began: a log that grows must not keep it going for ever.
pub(super) struct Scan {
    head: Position,
    source: Source,
}

enum Source {
    /// What a filter admits, behind a position.
    Filtered { after: Position, filter: EventFilter },
    /// A whole stream, by revision.
    Stream { stream_id: StreamId, next_revision: u64 },
}

impl Scan {
    /// The events behind `after` that `filter` admits.
    pub(super) async fn filtered(log: &dyn LogReader, after: Position, filter: EventFilter) -> Result<Self, ReadError> {
        let head = log.head().await?;
        let filter = EventFilter { up_to: Some(head), ..filter };
        Ok(Self { head, source: Source::Filtered { after, filter } })
    }

    /// All events of a stream.
    pub(super) async fn of_stream(log: &dyn LogReader, stream_id: StreamId) -> Result<Self, ReadError> {
        Ok(Self { head: log.head().await?, source: Source::Stream { stream_id, next_revision: 0 } })
    }

    /// The next events, at most `limit`; none when the scan has come to its end.
    pub(super) async fn next(&mut self, log: &dyn LogReader, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut events = match &self.source {
            Source::Filtered { after, filter } => log.read_all_filtered(*after, limit, filter).await?,
            Source::Stream { stream_id, next_revision } => log.read_stream(stream_id, *next_revision, limit).await?,
        };
        events.truncate(events.partition_point(|event| event.position <= self.head));
        if let Some(last) = events.last() {
            match &mut self.source {
                Source::Filtered { after, .. } => *after = last.position,
                Source::Stream { next_revision, .. } => *next_revision = last.revision + 1,
            }
        }
        Ok(events)
    }
}
