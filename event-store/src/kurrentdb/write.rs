use std::time::Duration;

use kurrentdb::{AppendToStreamOptions, CurrentRevision, Error, EventData, StreamState, WriteResult};
use tokio::time::sleep;
use uuid::Uuid;

use super::Server;
use super::failure::Failure;
use super::read::in_time;
use super::record::{self, Kept, Stamp};
use crate::appending::raise;
use crate::port::{AppendError, Appended, ExpectedRevision, NewEvent, ReadError, StreamId};

/// The most bytes of an append, by the server's default (`MaxAppendSize`), data and metadata together.
const MAX_APPEND: usize = 1024 * 1024;

/// How often an append is sent, each time to the node that the one before named as leader.
const LEADER_TRIES: usize = 3;

/// How often events that are written are looked for before they are given up.
const FIND_TRIES: usize = 5;

/// The wait between two such tries.
const PAUSE: Duration = Duration::from_millis(50);

/// What stands where an append belongs.
enum Standing {
    /// Its events, by this attempt or by one before.
    Same(Appended),
    /// Others.
    Others,
    /// Nothing yet.
    Nothing,
}

impl Server {
    /// Appends once, and finds out by reading what came of it: the server's answer has no place for each event and does not tell a
    /// repeat from a first time, and where there is no answer the stream may have one.
    pub(super) async fn append(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
        let stamp = self.stamp();
        let data = for_server(events, &stamp)?;
        let sent = self.send(stream_id, expected, data).await;
        let appended = match sent {
            Ok(_) => self.confirm(stream_id, expected, &ids, &stamp).await,
            Err(Failure::Client(Error::WrongExpectedVersion { current, .. })) => {
                self.settle(stream_id, expected, &ids, &stamp, current).await
            }
            Err(failure) if failure.wrote_nothing() => Err(AppendError::Unavailable(Box::new(failure))),
            Err(failure) => self.find_out(stream_id, expected, &ids, &stamp, failure).await,
        }?;
        raise(&self.appended, appended.last_position());
        Ok(appended)
    }

    async fn send(&self, stream_id: &StreamId, expected: ExpectedRevision, data: Vec<EventData>) -> Result<WriteResult, Failure> {
        let state = match expected {
            ExpectedRevision::NoStream => StreamState::NoStream,
            ExpectedRevision::Exactly(revision) => StreamState::StreamRevision(revision),
        };
        let patience = self.limits.append;
        for _ in 1..LEADER_TRIES {
            match self.send_once(stream_id, state, data.clone(), patience).await {
                // It wrote nothing and says where to go, which the client does by itself.
                Err(Failure::Client(Error::NotLeaderException(_))) => sleep(PAUSE).await,
                other => return other,
            }
        }
        self.send_once(stream_id, state, data, patience).await
    }

    async fn send_once(
        &self,
        stream_id: &StreamId,
        state: StreamState,
        data: Vec<EventData>,
        patience: Duration,
    ) -> Result<WriteResult, Failure> {
        let name = self.stream_name(stream_id);
        let options = AppendToStreamOptions::default().stream_state(state);
        let sent =
            self.connection.call(move |client| async move { in_time(patience, client.append_to_stream(name, &options, data)).await });
        sent.await
    }

    /// After success: where the events stand. A success of a repeat looks the same.
    async fn confirm(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        ids: &[Uuid],
        stamp: &Stamp,
    ) -> Result<Appended, AppendError> {
        for tries in 0..FIND_TRIES {
            if tries > 0 {
                sleep(PAUSE).await;
            }
            match self.standing(stream_id, expected, ids, stamp).await {
                Ok(Standing::Same(appended)) => return Ok(appended),
                Ok(Standing::Others | Standing::Nothing) => {}
                Err(error) => return Err(AppendError::Unknown(Box::new(error))),
            }
        }
        Err(AppendError::Unknown(Box::new(Failure::Unfound)))
    }

    /// After a conflict: the first result, where it is a repeat all the same.
    async fn settle(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        ids: &[Uuid],
        stamp: &Stamp,
        current: CurrentRevision,
    ) -> Result<Appended, AppendError> {
        let actual = match current {
            CurrentRevision::Current(revision) => Some(revision),
            CurrentRevision::NoStream => None,
        };
        let conflict = || AppendError::Conflict { stream_id: stream_id.clone(), actual };
        if actual.is_none_or(|actual| actual.saturating_add(1) < expected.first_revision().saturating_add(ids.len() as u64)) {
            return Err(conflict());
        }
        match self.standing(stream_id, expected, ids, stamp).await {
            Ok(Standing::Same(appended)) => Ok(appended),
            Ok(Standing::Others | Standing::Nothing) => Err(conflict()),
            Err(error) => Err(AppendError::Unavailable(Box::new(error))),
        }
    }

    /// After no answer: looks once. Events of others in its place mean that it can never be written; nothing in its place means
    /// nothing, since it may still be on its way.
    async fn find_out(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        ids: &[Uuid],
        stamp: &Stamp,
        failure: Failure,
    ) -> Result<Appended, AppendError> {
        match self.standing(stream_id, expected, ids, stamp).await {
            Ok(Standing::Same(appended)) => Ok(appended),
            Ok(Standing::Others) => match self.last_revision(stream_id).await {
                Ok(actual) => Err(AppendError::Conflict { stream_id: stream_id.clone(), actual }),
                Err(_) => Err(AppendError::Unknown(Box::new(failure))),
            },
            Ok(Standing::Nothing) | Err(_) => Err(AppendError::Unknown(Box::new(failure))),
        }
    }

    async fn standing(&self, stream_id: &StreamId, expected: ExpectedRevision, ids: &[Uuid], stamp: &Stamp) -> Result<Standing, ReadError> {
        let kept = self.read_kept(stream_id, expected.first_revision(), ids.len()).await?;
        let are_same = kept.len() == ids.len() && kept.iter().zip(ids).all(|(kept, id)| kept.event.event_id == *id);
        Ok(match kept.last() {
            None => Standing::Nothing,
            Some(last) if are_same => Standing::Same(appended(&kept, last, stamp)),
            Some(_) => Standing::Others,
        })
    }
}

fn for_server(events: Vec<NewEvent>, stamp: &Stamp) -> Result<Vec<EventData>, AppendError> {
    let mut bytes = 0;
    let mut data = Vec::with_capacity(events.len());
    for event in events {
        let (event, size) = record::to_server(event, stamp).map_err(|_| AppendError::Invalid("an event's data are not JSON"))?;
        bytes += size;
        data.push(event);
    }
    if bytes > MAX_APPEND {
        return Err(AppendError::Invalid("it is too large for KurrentDB, with what is kept beside each event"));
    }
    Ok(data)
}

fn appended(kept: &[Kept], last: &Kept, stamp: &Stamp) -> Appended {
    Appended {
        last_revision: last.event.revision,
        positions: kept.iter().map(|kept| kept.event.position).collect(),
        recorded_at: last.event.recorded_at,
        is_repeat: last.append_id != stamp.append_id,
    }
}
