use event_store::{LogReader, Position, ReadError, RecordedEvent, StreamId};

use super::filter::Filter;

/// How many events are read at a time, and so are in memory.
pub(super) const CHUNK: usize = 256;

/// Reads the events of a filter's stream, or of the whole log, piece by piece.
pub(super) struct Scan {
    source: Source,
    /// Where the log ended when the scan began: a log that grows must not keep it going for ever.
    head: Position,
}

enum Source {
    Log { after: Position },
    Stream { stream_id: StreamId, next_revision: u64 },
    Ended,
}

impl Scan {
    /// A scan of what lies in the log now, behind the filter's position. What else it wants is left to the reader.
    pub(super) async fn begin(log: &dyn LogReader, filter: &Filter) -> Result<Self, ReadError> {
        let head = log.head().await?;
        let source = match &filter.stream {
            None => Source::Log { after: filter.after },
            Some(stream_id) => {
                let next_revision = first_revision_after(log, stream_id, filter.after).await?;
                Source::Stream { stream_id: stream_id.clone(), next_revision }
            }
        };
        Ok(Self { source, head })
    }

    /// The next events, at most `limit`; none when the scan has come to its end.
    pub(super) async fn next(&mut self, log: &dyn LogReader, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut events = match &self.source {
            Source::Ended => return Ok(Vec::new()),
            Source::Log { after } => log.read_all(*after, limit).await?,
            Source::Stream { stream_id, next_revision } => log.read_stream(stream_id, *next_revision, limit).await?,
        };
        let read = events.len();
        events.truncate(events.partition_point(|event| event.position <= self.head));
        match events.last() {
            Some(last) if events.len() == read => self.source.go_on_after(last),
            _ => self.source = Source::Ended,
        }
        Ok(events)
    }
}

impl Source {
    fn go_on_after(&mut self, last: &RecordedEvent) {
        match self {
            Self::Log { after } => *after = last.position,
            Self::Stream { next_revision, .. } => *next_revision = last.revision + 1,
            Self::Ended => {}
        }
    }
}

/// The first revision of a stream behind a position, found in as many steps as the stream's length has binary digits.
async fn first_revision_after(log: &dyn LogReader, stream_id: &StreamId, after: Position) -> Result<u64, ReadError> {
    let is_behind = async |revision: u64| {
        let found = log.read_stream(stream_id, revision, 1).await?;
        Ok::<bool, ReadError>(found.first().is_none_or(|event| event.position > after))
    };
    if is_behind(0).await? {
        return Ok(0);
    }
    let (mut before, mut behind) = (0, 1);
    while !is_behind(behind).await? {
        (before, behind) = (behind, behind * 2);
    }
    while behind - before > 1 {
        let middle = before + (behind - before) / 2;
        if is_behind(middle).await? { behind = middle } else { before = middle }
    }
    Ok(behind)
}
