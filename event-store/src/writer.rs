//! Group commit: callers hand their appends to one task, which writes what is waiting in one transaction and answers each.
//!
//! Nothing waits for a timer: under no load a batch is one append, and while a commit runs the next batch gathers by itself.

mod gather;
mod plan;

use std::sync::Arc;

use database::DatabaseError;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::port::{AppendError, ExpectedRevision, NewEvent, StreamId};
use gather::Waiting;
pub(crate) use plan::{Heads, Verdict, next_positions, plan};

/// The most appends that wait; one more is told [`AppendError::Busy`].
const QUEUE_APPENDS: usize = 4096;

/// The most bytes that wait, so that a full queue of large appends is no danger to memory.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// An append that waits for the writer.
pub(crate) struct Command {
    pub(crate) stream_id: StreamId,
    pub(crate) expected: ExpectedRevision,
    pub(crate) events: Vec<NewEvent>,
    bytes: usize,
    answer: oneshot::Sender<Result<Verdict, AppendError>>,
    /// Its share of [`QUEUE_BYTES`], given back with it.
    _room: OwnedSemaphorePermit,
}

/// Why a batch was not written. One caller's wrong append is no such reason; see [`Verdict`].
#[derive(Debug)]
pub(crate) enum BatchError {
    /// Nothing was written.
    NotWritten(DatabaseError),
    /// Nobody knows whether all or nothing was written.
    Unknown(DatabaseError),
}

/// What an adapter does with a batch: all that fit are durable when it answers, with a verdict for each.
pub(crate) trait WriteBatch: Send + 'static {
    fn write(&mut self, batch: &[Command]) -> impl Future<Output = Result<Vec<Verdict>, BatchError>> + Send;
}

/// The callers' end of the writing task.
pub(crate) struct Writer {
    queue: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task. It ends when [`Writer::shutdown`] is called or the writer is dropped, after what waits is written.
    pub(crate) fn start(adapter: impl WriteBatch) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_APPENDS);
        let closing = watch::Sender::new(false);
        let task = tokio::spawn(run(adapter, waiting, closing.subscribe()));
        Self { queue, room: Arc::new(Semaphore::new(QUEUE_BYTES)), closing, task: Mutex::new(Some(task)) }
    }

    /// Hands in an append of `bytes` and waits for its verdict.
    pub(crate) async fn submit(
        &self,
        stream_id: StreamId,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
        bytes: usize,
    ) -> Result<Verdict, AppendError> {
        let share = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(share).map_err(|_| AppendError::Busy)?;
        let (answer, verdict) = oneshot::channel();
        let command = Command { stream_id, expected, events, bytes, answer, _room: room };
        self.queue.try_send(command).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => AppendError::Busy,
            mpsc::error::TrySendError::Closed(_) => AppendError::Unavailable(Box::new(ShutDown)),
        })?;
        // The task answers all that it takes, unless its runtime goes away beneath it.
        verdict.await.unwrap_or_else(|_| Err(AppendError::Unknown(Box::new(ShutDown))))
    }

    /// Takes nothing more in, writes what waits, and ends the task.
    pub(crate) async fn shutdown(&self) {
        self.closing.send_replace(true);
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the log's writer did not end in order");
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the log is shut down")]
struct ShutDown;

/// A failure that all appends of a batch share.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the batch was not written")]
struct BatchFailure(#[source] Arc<DatabaseError>);

async fn run(mut adapter: impl WriteBatch, queue: mpsc::Receiver<Command>, mut closing: watch::Receiver<bool>) {
    let mut waiting = Waiting::new(queue);
    loop {
        tokio::select! {
            // The end first: under steady load there is always something waiting.
            biased;
            _ = closing.changed(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
            some = waiting.wait() => if !some { return },
        }
        let batch = waiting.gather();
        if batch.is_empty() {
            continue;
        }
        match adapter.write(&batch).await {
            Ok(verdicts) => {
                for (command, verdict) in batch.into_iter().zip(verdicts) {
                    // Who has gone away meanwhile reads the stream when it comes back.
                    let _ = command.answer.send(Ok(verdict));
                }
            }
            Err(error) => refuse(batch, error),
        }
    }
}

fn refuse(batch: Vec<Command>, error: BatchError) {
    let (failure, unknown) = match error {
        BatchError::NotWritten(error) => (BatchFailure(Arc::new(error)), false),
        BatchError::Unknown(error) => (BatchFailure(Arc::new(error)), true),
    };
    tracing::warn!(error = %failure.0, batch.appends = batch.len(), batch.unknown = unknown, "a batch of appends failed");
    for command in batch {
        let failure = Box::new(failure.clone());
        let answer = if unknown { AppendError::Unknown(failure) } else { AppendError::Unavailable(failure) };
        let _ = command.answer.send(Err(answer));
    }
}
