use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use event_store::{
    AppendError, Appended, EventStore, ExpectedRevision, LogReader, MemoryEventStore, NewEvent, Position, ReadError, RecordedEvent,
    StreamId,
};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// What becomes of one append.
pub(crate) enum Fault {
    /// It is not written, and nobody knows.
    UnknownBefore,
    /// It is written, and nobody knows.
    UnknownAfter,
    /// It is said to be in conflict, whether it is or not.
    Conflict,
    /// The queue is full.
    Busy,
    /// The log is gone.
    Unavailable,
    /// Something else happens first, then it is tried.
    Meanwhile(BoxFuture<'static, ()>),
}

/// An append as it was tried.
pub(crate) type Tried = (StreamId, ExpectedRevision, Vec<NewEvent>);

/// The log in memory behind a wire on which the next appends go wrong as they are told.
pub(crate) struct ScriptedLog {
    kept: Arc<MemoryEventStore>,
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
    tried: Mutex<Vec<Tried>>,
    reads: AtomicUsize,
    failing_reads: AtomicUsize,
}

impl ScriptedLog {
    pub(crate) fn new(kept: Arc<MemoryEventStore>) -> Self {
        Self { kept, faults: Mutex::default(), tried: Mutex::default(), reads: AtomicUsize::new(0), failing_reads: AtomicUsize::new(0) }
    }

    /// The next append to a stream whose name begins with `prefix` goes so, after those that were told before.
    pub(crate) fn next(&self, prefix: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push_back((prefix, fault));
    }

    /// Another writer's work comes in just before the next append to a stream whose name begins with `prefix`.
    pub(crate) fn meanwhile(&self, prefix: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.next(prefix, Fault::Meanwhile(Box::pin(work)));
    }

    /// So many reads fail from now on.
    pub(crate) fn fail_reads(&self, count: usize) {
        self.failing_reads.store(count, Ordering::SeqCst);
    }

    /// The appends that were tried since this was asked last.
    pub(crate) fn tried(&self) -> Vec<Tried> {
        std::mem::take(&mut self.tried.lock().unwrap())
    }

    /// How often the log was read so far.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// Whether everything that was told has happened.
    pub(crate) fn is_done(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }

    fn fault_for(&self, stream_id: &StreamId) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let fits = faults.front().is_some_and(|(prefix, _)| stream_id.as_str().starts_with(prefix));
        if fits { faults.pop_front().map(|(_, fault)| fault) } else { None }
    }

    fn read(&self) -> Result<(), ReadError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let fails = self.failing_reads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
        if fails.is_ok() { Err(ReadError::Unavailable("told to fail".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl LogReader for ScriptedLog {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read()?;
        self.kept.read_stream(stream_id, from_revision, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read()?;
        self.kept.read_all(after, limit).await
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.kept.head().await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.kept.appended()
    }
}

#[async_trait]
impl EventStore for ScriptedLog {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        self.tried.lock().unwrap().push((stream_id.clone(), expected, events.clone()));
        match self.fault_for(stream_id) {
            None => self.kept.append(stream_id, expected, events).await,
            Some(Fault::Meanwhile(work)) => {
                work.await;
                self.kept.append(stream_id, expected, events).await
            }
            Some(Fault::UnknownBefore) => Err(AppendError::Unknown("no answer".into())),
            Some(Fault::UnknownAfter) => {
                self.kept.append(stream_id, expected, events).await?;
                Err(AppendError::Unknown("no answer".into()))
            }
            Some(Fault::Conflict) => Err(AppendError::Conflict { stream_id: stream_id.clone(), actual: None }),
            Some(Fault::Busy) => Err(AppendError::Busy),
            Some(Fault::Unavailable) => Err(AppendError::Unavailable("gone".into())),
        }
    }
}
