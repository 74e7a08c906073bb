use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kurrentdb::{AppendToStreamOptions, EventData, StreamState};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::KurrentDbLimits;
use super::connection::Connection;
use super::failure::Failure;
use super::read::in_time;
use super::record::Stamp;
use super::wake::Wake;
use crate::port::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId,
    scan,
};
use crate::{KurrentDbUrl, LogClock, OpenError, StoreFailure, limits};

/// The most appends that wait; one more is told [`AppendError::Busy`].
const QUEUE_APPENDS: u32 = 4096;

/// The most bytes that wait.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// The most appends that are on their way at once. The server writes them one after another and flushes them together.
const LANES: usize = 64;

/// What is added to the limit of an append for what waits before it and is read after it.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// A stream that is never written.
const NEVER: &str = "never-written";

/// The log in KurrentDB, for any number of processes. The server itself gives each event its place and holds expectations; each
/// append is a call of its own.
pub struct KurrentDbEventStore {
    server: Arc<Server>,
    wake: Wake,
    queue: Arc<Semaphore>,
    room: Arc<Semaphore>,
    lanes: Arc<Semaphore>,
    is_closing: AtomicBool,
}

/// The server as the tasks of appends and the poll see it.
pub(super) struct Server {
    pub(super) connection: Connection,
    pub(super) prefix: String,
    pub(super) limits: KurrentDbLimits,
    pub(super) appended: watch::Sender<Position>,
    clock: LogClock,
    last_time: Mutex<DateTime<Utc>>,
}

impl Server {
    /// The stream's name in the server.
    pub(super) fn stream_name(&self, stream_id: &StreamId) -> String {
        format!("{}{stream_id}", self.prefix)
    }

    /// For the events of one attempt. One that begins later in this process has no earlier time.
    pub(super) fn stamp(&self) -> Stamp {
        let now = (self.clock)();
        let now = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        let mut last = self.last_time.lock().unwrap_or_else(PoisonError::into_inner);
        *last = now.max(*last);
        Stamp { recorded_at: *last, append_id: Uuid::new_v4() }
    }
}

impl KurrentDbEventStore {
    /// Opens the log at `url`. Must be called in a Tokio runtime.
    ///
    /// Errors: [`OpenError::Read`] where the server cannot be reached; later it may go and come back without harm.
    pub async fn open(url: &KurrentDbUrl, clock: LogClock) -> Result<Self, OpenError> {
        Self::open_with(url, clock, KurrentDbLimits::default()).await
    }

    /// The same with other limits of time.
    pub async fn open_with(url: &KurrentDbUrl, clock: LogClock, limits: KurrentDbLimits) -> Result<Self, OpenError> {
        let server = Server {
            connection: Connection::new(url)?,
            prefix: url.prefix().to_owned(),
            limits,
            appended: watch::Sender::new(Position::START),
            clock,
            last_time: Mutex::new(DateTime::UNIX_EPOCH),
        };
        if let Some(last) = server.last_event().await? {
            server.appended.send_replace(last.position);
            *server.last_time.lock().unwrap_or_else(PoisonError::into_inner) = last.recorded_at;
        }
        let server = Arc::new(server);
        Ok(Self {
            wake: Wake::start(Arc::clone(&server)),
            server,
            queue: Arc::new(Semaphore::new(QUEUE_APPENDS as usize)),
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            lanes: Arc::new(Semaphore::new(LANES)),
            is_closing: AtomicBool::new(false),
        })
    }

    /// Whether an append could be written now: asks for one that fits no stream, which the leader refuses without writing.
    pub async fn ping(&self) -> Result<(), StoreFailure> {
        let name = format!("{}{NEVER}", self.server.prefix);
        let patience = self.server.limits.append;
        let asked = self.server.connection.call(move |client| async move {
            let options = AppendToStreamOptions::default().stream_state(StreamState::StreamRevision(i64::MAX.unsigned_abs() - 1));
            let event = EventData::binary(NEVER, Vec::new().into());
            in_time(patience, client.append_to_stream(name, &options, event)).await
        });
        match asked.await {
            Err(Failure::Client(kurrentdb::Error::WrongExpectedVersion { .. })) => Ok(()),
            Ok(_) => Err(Box::new(Failure::Unfound)),
            Err(failure) => Err(Box::new(failure)),
        }
    }

    /// The version that the server says it has, for instance `25.1.0`; `0.0.0` where it does not say.
    pub async fn server_version(&self) -> Result<String, StoreFailure> {
        let patience = self.server.limits.read;
        let asked = self.server.connection.call(move |client| async move { in_time(patience, client.server_info()).await });
        Ok(asked.await?.version().to_string())
    }

    /// Takes no more appends, and waits for those that are on their way.
    pub async fn shutdown(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        let patience = self.server.limits.append + SHUTDOWN_GRACE;
        // Who holds all places lets nobody else in.
        if timeout(patience, self.queue.acquire_many(QUEUE_APPENDS)).await.is_err() {
            tracing::warn!("appends are still on their way to KurrentDB; whether they are written is not known");
        }
        self.queue.close();
        self.wake.shutdown().await;
    }
}

#[async_trait]
impl LogReader for KurrentDbEventStore {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.server.read_stream(stream_id, from_revision, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.server.read_all(after, limit).await
    }

    async fn read_all_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        match &filter.stream_id {
            Some(stream_id) => self.server.read_of_stream(stream_id, after, limit, filter).await,
            None => scan(self, after, limit, filter).await,
        }
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(self.server.last_event().await?.map(|event| event.position).unwrap_or_default())
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.server.appended.subscribe()
    }
}

#[async_trait]
impl EventStore for KurrentDbEventStore {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        let bytes = limits::check(expected, &events)?;
        let share = u32::try_from(bytes).unwrap_or(u32::MAX);
        let no_place = |_| {
            if self.is_closing.load(Ordering::SeqCst) {
                return AppendError::Unavailable(Box::new(Failure::ShutDown));
            }
            AppendError::Busy
        };
        let turn = Arc::clone(&self.queue).try_acquire_owned().map_err(no_place)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(share).map_err(no_place)?;
        let (server, lanes, stream_id) = (Arc::clone(&self.server), Arc::clone(&self.lanes), stream_id.clone());
        // In a task of its own: what was handed in is done whole, also when its caller goes away.
        let task = tokio::spawn(async move {
            let _held = (turn, room, lanes.acquire().await);
            server.append(&stream_id, expected, events).await
        });
        task.await.unwrap_or_else(|error| Err(AppendError::Unknown(Box::new(Failure::Broken(error)))))
    }
}
