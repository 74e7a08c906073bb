use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use event_store::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId,
};
use futures_util::FutureExt;
use tokio::sync::watch;

use super::{MOST_POLLS, SimulatedFault};
use crate::chance::Chance;
use crate::weather::{Place, Weather};

/// The log as processes see it: slow, sometimes away, sometimes silent about what it did. It outlives them.
pub(crate) struct SimulatedLog {
    log: Arc<dyn EventStore>,
    chance: Chance,
    weather: Weather,
    /// Appends whose caller has been told that nothing is known, and which arrive all the same.
    on_their_way: Mutex<Vec<(StreamId, ExpectedRevision, Vec<NewEvent>)>>,
}

impl SimulatedLog {
    pub(crate) fn new(log: Arc<dyn EventStore>, chance: Chance, weather: Weather) -> Self {
        Self { log, chance, weather, on_their_way: Mutex::default() }
    }

    /// Lets every append arrive that was on its way. Whether it still fits is the log's matter.
    pub(crate) fn arrive(&self) -> usize {
        let arriving = std::mem::take(&mut *self.on_their_way.lock().unwrap_or_else(PoisonError::into_inner));
        let arrived = arriving.len();
        for (stream_id, expected, events) in arriving {
            // Its caller has given up on the answer: a conflict is as good as any other.
            let _ = self.log.append(&stream_id, expected, events).now_or_never();
        }
        arrived
    }

    async fn read_pause(&self) -> Result<(), ReadError> {
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Log) { Err(ReadError::Unavailable(Box::new(SimulatedFault))) } else { Ok(()) }
    }
}

#[async_trait]
impl LogReader for SimulatedLog {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_pause().await?;
        let read = self.log.read_stream(stream_id, from_revision, limit).await;
        self.chance.pause(1).await;
        read
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_pause().await?;
        let read = self.log.read_all(after, limit).await;
        self.chance.pause(1).await;
        read
    }

    async fn read_all_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_pause().await?;
        let read = self.log.read_all_filtered(after, limit, filter).await;
        self.chance.pause(1).await;
        read
    }

    fn step_back(&self, position: Position, span: u64) -> Option<Position> {
        self.log.step_back(position, span)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.read_pause().await?;
        self.log.head().await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.log.appended()
    }
}

#[async_trait]
impl EventStore for SimulatedLog {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Log) {
            return self.failed_append(stream_id, expected, events).await;
        }
        let appended = self.log.append(stream_id, expected, events).await;
        self.chance.pause(MOST_POLLS).await;
        appended
    }
}

impl SimulatedLog {
    async fn failed_append(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        match self.chance.below(5) {
            0 => return Err(AppendError::Busy),
            1 => return Err(AppendError::Unavailable(Box::new(SimulatedFault))),
            2 => {
                let _ = self.log.append(stream_id, expected, events).await;
            }
            3 => self.on_their_way.lock().unwrap_or_else(PoisonError::into_inner).push((stream_id.clone(), expected, events)),
            _ => {}
        }
        self.chance.pause(MOST_POLLS).await;
        Err(AppendError::Unknown(Box::new(SimulatedFault)))
    }
}
