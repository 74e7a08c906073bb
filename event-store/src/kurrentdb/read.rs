use std::time::Duration;

use kurrentdb::{ReadAllOptions, ReadStream, ReadStreamOptions, ResolvedEvent, StreamPosition, SubscriptionFilter};
use tokio::time::timeout;

use super::Server;
use super::failure::Failure;
use super::record::{self, Kept};
use crate::port::{EventFilter, FILTER_PAGE, Position, ReadError, RecordedEvent, StreamId};

/// The most events that one call asks for; the server's numbers are signed.
const MOST: usize = usize::MAX >> 1;

impl Server {
    pub(super) async fn read_stream(&self, stream_id: &StreamId, from: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let kept = self.read_kept(stream_id, from, limit).await?;
        Ok(kept.into_iter().map(|kept| kept.event).collect())
    }

    /// The stream's events with the attempts that wrote them.
    pub(super) async fn read_kept(&self, stream_id: &StreamId, from: u64, limit: usize) -> Result<Vec<Kept>, ReadError> {
        if limit == 0 || i64::try_from(from).is_err() {
            return Ok(Vec::new());
        }
        let options = ReadStreamOptions::default().position(StreamPosition::Position(from)).forwards().max_count(limit.min(MOST));
        let kept = self.stream_events(stream_id, options).await?;
        for (expected, kept) in (from..).zip(&kept) {
            if kept.event.revision != expected {
                let reason = "an earlier event of its stream is missing";
                return Err(ReadError::Damaged { position: kept.event.position.as_i64(), reason });
            }
        }
        Ok(kept)
    }

    /// The revision of the stream's last event.
    pub(super) async fn last_revision(&self, stream_id: &StreamId) -> Result<Option<u64>, ReadError> {
        let options = ReadStreamOptions::default().position(StreamPosition::End).backwards().max_count(1);
        Ok(self.stream_events(stream_id, options).await?.pop().map(|kept| kept.event.revision))
    }

    async fn stream_events(&self, stream_id: &StreamId, options: ReadStreamOptions) -> Result<Vec<Kept>, ReadError> {
        let (name, patience) = (self.stream_name(stream_id), self.limits.read);
        let read = self.connection.call(move |client| async move {
            let stream = in_time(patience, client.read_stream(name, &options)).await?;
            collect(stream, patience).await
        });
        match read.await {
            Ok(found) => found.into_iter().map(|event| record::from_server(&self.prefix, event)).collect(),
            Err(failure) if failure.is_no_stream() => Ok(Vec::new()),
            Err(failure) => Err(unavailable(failure)),
        }
    }

    pub(super) async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // The server begins with the event at a position, and we after it.
        let (position, count) = match u64::try_from(after.as_i64()) {
            Ok(place @ 1..) => (StreamPosition::Position(kurrentdb::Position { commit: place, prepare: place }), limit.min(MOST - 1) + 1),
            _ => (StreamPosition::Start, limit.min(MOST)),
        };
        let options = ReadAllOptions::default().position(position).forwards().max_count(count);
        let mut events = self.log_events(options).await?;
        events.retain(|event| event.position > after);
        events.truncate(limit);
        Ok(events)
    }

    /// Of one stream by that stream, else page by page: the server filters by streams or by types, and the streams are the prefix.
    pub(super) async fn read_of_stream(
        &self,
        stream_id: &StreamId,
        after: Position,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let (mut found, mut from) = (Vec::new(), 0);
        while found.len() < limit {
            let page = self.read_stream(stream_id, from, FILTER_PAGE).await?;
            let Some(last) = page.last() else { break };
            let is_past = filter.up_to.is_some_and(|up_to| last.position >= up_to);
            from = last.revision + 1;
            found.extend(page.into_iter().filter(|event| event.position > after && filter.admits(event)));
            if is_past {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    pub(super) async fn last_event(&self) -> Result<Option<RecordedEvent>, ReadError> {
        let options = ReadAllOptions::default().position(StreamPosition::End).backwards().max_count(1);
        Ok(self.log_events(options).await?.pop())
    }

    async fn log_events(&self, options: ReadAllOptions) -> Result<Vec<RecordedEvent>, ReadError> {
        let options = options.filter(SubscriptionFilter::on_stream_name().add_prefix(&self.prefix));
        let patience = self.limits.read;
        let read = self.connection.call(move |client| async move {
            let stream = in_time(patience, client.read_all(&options)).await?;
            collect(stream, patience).await
        });
        let found = read.await.map_err(unavailable)?;
        found.into_iter().map(|event| record::from_server(&self.prefix, event).map(|kept| kept.event)).collect()
    }
}

/// Waits for the client at most for `patience`.
pub(super) async fn in_time<T>(patience: Duration, asked: impl Future<Output = kurrentdb::Result<T>>) -> Result<T, Failure> {
    timeout(patience, asked).await.map_err(|_| Failure::Late)?.map_err(Failure::Client)
}

async fn collect(mut stream: ReadStream, patience: Duration) -> Result<Vec<ResolvedEvent>, Failure> {
    let mut found = Vec::new();
    while let Some(event) = in_time(patience, stream.next()).await? {
        found.push(event);
    }
    Ok(found)
}

fn unavailable(failure: Failure) -> ReadError {
    ReadError::Unavailable(Box::new(failure))
}
