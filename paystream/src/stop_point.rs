//! Where a test lets the process end as by `kill -9`: a named moment before or after a durable step. Only in debug builds.
//!
//! `PAYSTREAM_TEST_STOP_AT` is `<moment>:<event>`, for instance `after_append:PayRecordIssued`. The moments: `before_append`
//! and `after_append` of the event; `before_<follower>` and `after_<follower>`, when the follower has yet to take the event
//! into its tables, and when that is durable; `before_ack_<consumer>`, when a broker's message has had its effect and the
//! broker has yet to be told. What happens between a call to a channel and its outcome's append is `before_append` of that
//! outcome.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use event_store::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId,
};
use followers::{Batch, Follower, FollowerError, Lag, MessageFeed, MessageFeedError, Part, Progress};
use tokio::sync::{Mutex, watch};

/// The moment that was asked for and its event, if one was.
fn asked_for() -> Option<(String, String)> {
    let text = std::env::var("PAYSTREAM_TEST_STOP_AT").ok()?;
    let (moment, event) = text.split_once(':')?;
    Some((moment.to_owned(), event.to_owned()))
}

/// Ends the process at once: nothing is flushed, told or taken back.
fn stop(moment: &str, event: &str) -> ! {
    crate::terminal::complain(&format!("stopped at {moment}:{event}"));
    std::process::abort()
}

/// `store`, with the moments of its appends.
pub(crate) fn around_store(store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
    match asked_for() {
        Some((moment, event)) => Arc::new(StoppingStore { store, moment, event }),
        None => store,
    }
}

/// `follower`, with the moments of its pages.
pub(crate) fn around_follower(follower: Arc<dyn Follower>, log: &Arc<dyn LogReader>) -> Arc<dyn Follower> {
    match asked_for() {
        Some((moment, event)) if moment.ends_with(&format!("_{}", follower.name())) => {
            Arc::new(StoppingFollower { follower, log: Arc::clone(log), moment, event, seen: Mutex::new(None) })
        }
        _ => follower,
    }
}

/// `feed` of the consumer `name`, with the moment before its acknowledgements.
pub(crate) fn around_feed(feed: Arc<dyn MessageFeed>, name: &str) -> Arc<dyn MessageFeed> {
    match asked_for() {
        Some((moment, event)) if moment == format!("before_ack_{name}") => {
            Arc::new(StoppingFeed { feed, moment, event, meant: Mutex::default() })
        }
        _ => feed,
    }
}

struct StoppingStore {
    store: Arc<dyn EventStore>,
    moment: String,
    event: String,
}

#[async_trait]
impl EventStore for StoppingStore {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        let is_meant = events.iter().any(|event| event.event_type == self.event);
        if is_meant && self.moment == "before_append" {
            stop(&self.moment, &self.event);
        }
        let appended = self.store.append(stream_id, expected, events).await;
        if is_meant && appended.is_ok() && self.moment == "after_append" {
            stop(&self.moment, &self.event);
        }
        appended
    }
}

#[async_trait]
impl LogReader for StoppingStore {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.store.read_stream(stream_id, from_revision, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.store.read_all(after, limit).await
    }

    async fn read_all_filtered(&self, after: Position, limit: usize, filter: &EventFilter) -> Result<Vec<RecordedEvent>, ReadError> {
        self.store.read_all_filtered(after, limit, filter).await
    }

    fn step_back(&self, position: Position, span: u64) -> Option<Position> {
        self.store.step_back(position, span)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.store.head().await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.store.appended()
    }
}

struct StoppingFeed {
    feed: Arc<dyn MessageFeed>,
    moment: String,
    event: String,
    /// The receipts of the messages that are meant.
    meant: Mutex<HashSet<u64>>,
}

#[async_trait]
impl MessageFeed for StoppingFeed {
    fn part(&self) -> Option<Part> {
        self.feed.part()
    }

    async fn batch(&self, after: Position, limit: usize) -> Result<Batch, MessageFeedError> {
        let batch = self.feed.batch(after, limit).await?;
        let meant = batch.messages.iter().filter(|message| message.event.event_type == self.event);
        *self.meant.lock().await = meant.map(|message| message.receipt).collect();
        Ok(batch)
    }

    async fn ack(&self, receipts: &[u64]) -> Result<(), MessageFeedError> {
        let meant = self.meant.lock().await;
        if receipts.iter().any(|receipt| meant.contains(receipt)) {
            stop(&self.moment, &self.event);
        }
        self.feed.ack(receipts).await
    }

    async fn nak(&self, receipt: u64, delay: TimeDelta) -> Result<(), MessageFeedError> {
        self.feed.nak(receipt, delay).await
    }

    async fn lag(&self, after: Position) -> Result<Lag, MessageFeedError> {
        self.feed.lag(after).await
    }
}

struct StoppingFollower {
    follower: Arc<dyn Follower>,
    log: Arc<dyn LogReader>,
    moment: String,
    event: String,
    /// Where the log ended when the process started: only what came after counts.
    seen: Mutex<Option<Position>>,
}

impl StoppingFollower {
    /// The position of the first event that is meant, if the log has it.
    async fn meant(&self) -> Result<Option<Position>, ReadError> {
        let mut seen = self.seen.lock().await;
        let Some(start) = *seen else {
            *seen = Some(self.log.head().await?);
            return Ok(None);
        };
        let filter = EventFilter { event_types: vec![self.event.clone()], ..EventFilter::default() };
        Ok(self.log.read_all_filtered(start, 1, &filter).await?.first().map(|event| event.position))
    }
}

#[async_trait]
impl Follower for StoppingFollower {
    fn name(&self) -> &'static str {
        self.follower.name()
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let meant = self.meant().await.map_err(|error| FollowerError::Work(Box::new(error)))?;
        if meant.is_some() && self.moment.starts_with("before_") {
            stop(&self.moment, &self.event);
        }
        let progress = self.follower.run_once().await?;
        if meant.is_some_and(|position| position <= progress.position) {
            stop(&self.moment, &self.event);
        }
        Ok(progress)
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        self.follower.lag().await
    }

    async fn release(&self) -> Result<(), FollowerError> {
        self.follower.release().await
    }
}
