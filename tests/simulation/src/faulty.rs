//! Faults that the simulator must find, put in at the ports: each breaks an invariant within a bounded number of steps. And
//! some that the product must bear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::DateTime;
use event_store::{AppendError, Appended, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId};
use tokio::sync::watch;

use crate::process::Seams;
use crate::{START_S, run_with};

mod channel;
mod tables;

const SEEDS: u64 = 8;
const STEPS: u64 = 3000;

/// A fault of the log shows in whatever happens to be written next.
const ANY: &[&str] = &[];

/// The invariants that break, one for each seed that finds the fault; it must be found by most of them.
#[track_caller]
fn is_found(seams: impl Fn() -> Seams, invariants: &[&str]) {
    let mut found = 0;
    for seed in 1..=SEEDS {
        if let Err(failure) = run_with(START_S, seed, STEPS, seams()) {
            assert!(invariants.is_empty() || invariants.contains(&failure.invariant.as_str()), "{failure}");
            assert!(!failure.trace.is_empty() && failure.step <= STEPS, "{failure}");
            found += 1;
        }
    }
    assert!(found * 2 > SEEDS, "found by {found} of {SEEDS} seeds");
}

/// What is wrong, and harms nothing.
#[track_caller]
fn holds(seams: impl Fn() -> Seams) {
    for seed in 1..=SEEDS {
        if let Err(failure) = run_with(START_S, seed, STEPS, seams()) {
            panic!("{failure}");
        }
    }
}

/// What is wrong with a log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LogFault {
    /// Now and then it acknowledges an append that it does not write.
    Forgets,
    /// It appends wherever the stream stands, whatever the writer believed.
    IgnoresRevision,
}

struct FaultyLog {
    inner: Arc<dyn EventStore>,
    fault: LogFault,
    appends: AtomicU64,
}

#[async_trait]
impl LogReader for FaultyLog {
    async fn read_stream(&self, stream_id: &StreamId, from: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.inner.read_stream(stream_id, from, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.inner.read_all(after, limit).await
    }

    fn step_back(&self, position: Position, span: u64) -> Option<Position> {
        self.inner.step_back(position, span)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.inner.head().await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.inner.appended()
    }
}

#[async_trait]
impl EventStore for FaultyLog {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        let count = self.appends.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            LogFault::Forgets if count % 50 == 49 => {
                let head = self.inner.head().await.unwrap_or_default().as_i64();
                let positions = (head + 1..).take(events.len()).filter_map(Position::new).collect();
                let last_revision = expected.first_revision() + events.len() as u64 - 1;
                Ok(Appended { last_revision, positions, recorded_at: DateTime::UNIX_EPOCH, is_repeat: false })
            }
            LogFault::Forgets => self.inner.append(stream_id, expected, events).await,
            LogFault::IgnoresRevision => {
                let stream = self.inner.read_stream(stream_id, 0, usize::MAX).await.unwrap_or_default();
                let head = stream.last().map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::Exactly(last.revision));
                self.inner.append(stream_id, head, events).await
            }
        }
    }
}

fn faulty_log(fault: LogFault) -> Seams {
    let log = move |inner| -> Arc<dyn EventStore> { Arc::new(FaultyLog { inner, fault, appends: AtomicU64::new(0) }) };
    Seams { log: Box::new(log), ..Seams::default() }
}

#[test]
fn a_log_that_acknowledges_and_forgets_is_found() {
    is_found(|| faulty_log(LogFault::Forgets), ANY);
}

#[test]
fn a_log_that_checks_no_revision_is_found() {
    is_found(|| faulty_log(LogFault::IgnoresRevision), ANY);
}
