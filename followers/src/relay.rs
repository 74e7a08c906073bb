//! The relay: publishes the log's published events to JetStream, each once and in the log's order.
//!
//! It keeps no checkpoint. Where it goes on is what the stream's own last message says, which must be an event of our log;
//! each message expects the sequence number of the one before it, so of two relays only one wins each place. A stream that
//! is lost, emptied or cut is filled again by the same reading of its end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::lineage::{self, LINEAGE_STARTED};
use event_store::{LogReader, Position, RecordedEvent};
use futures_util::future;
use uuid::Uuid;

use crate::feed::lag_behind;
use crate::{Follower, FollowerError, Lag, Progress};

mod broker;
mod declaration;
mod error;
mod jetstream;
mod memory;
mod message;
mod metric;
mod order_types;
mod pipeline;
mod predecessors;
mod subjects;
#[cfg(test)]
mod tests;

pub use broker::{Ack, Acknowledgement, Broker, BrokerError, Extent, Tail, TailMessage};
pub use declaration::StreamDeclaration;
pub use error::RelayError;
pub use jetstream::JetStreamBroker;
pub use memory::{Fault, MemoryStream};
pub use message::{CE_SOURCE, NO_ORDER_TYPE, Origin, Outgoing, SUBJECTS, header, part_of, subject_of};
pub use pipeline::IN_FLIGHT;
pub use subjects::Subjects;

use message::{Kind, outgoing};
use pipeline::Pipeline;
use predecessors::{Ahead, Predecessors};

/// How many events are read at a time.
const PAGE_EVENTS: usize = 500;

/// How many pages one run takes at most, without emptying the pipeline between them.
const RUN_PAGES: usize = 40;

/// How often a relay that has nothing to publish looks whether the stream is still as it left it.
const LOOK_INTERVAL: TimeDelta = TimeDelta::seconds(2);

/// Follows the log and fills the stream.
pub struct Relay {
    log: Arc<dyn LogReader>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    subjects: Subjects,
    /// What the log says of the messages before the next ones. It stays true when a run fails.
    predecessors: Mutex<Predecessors>,
    /// What is known of the stream's end. Taken out for the time of a run: one that is dropped or fails leaves none, and
    /// the next one reads the end.
    session: Mutex<Option<Session>>,
    /// How far the last session came, for showing only.
    reached: AtomicI64,
    trouble: Mutex<Option<String>>,
}

/// What is known since the stream's end was read.
struct Session {
    lineage: Uuid,
    extent: Extent,
    /// Up to here the log was read.
    position: Position,
    looked_at: DateTime<Utc>,
}

impl Relay {
    /// A relay of `log` to `broker`.
    pub fn new(log: Arc<dyn LogReader>, broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Self {
        metric::describe();
        Self {
            subjects: Subjects::new(Arc::clone(&log)),
            log,
            broker,
            clock,
            predecessors: Mutex::default(),
            session: Mutex::new(None),
            reached: AtomicI64::new(0),
            trouble: Mutex::new(None),
        }
    }

    /// What keeps it from publishing since its last run, in words for an operator; `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run(&self) -> Result<Progress, RelayError> {
        let kept = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut known = std::mem::take(&mut *self.predecessors.lock().unwrap_or_else(PoisonError::into_inner));
        let outcome = self.run_with(kept, &mut known).await;
        *self.predecessors.lock().unwrap_or_else(PoisonError::into_inner) = known;
        outcome
    }

    async fn run_with(&self, kept: Option<Session>, known: &mut Predecessors) -> Result<Progress, RelayError> {
        let mut session = match kept {
            Some(session) => session,
            None => self.begin().await?,
        };
        // Where another run of this relay was under way beside the one that left the session, what is known is of another place.
        known.go_to(session.position, session.lineage, self.log.as_ref(), &self.subjects).await?;
        let mut progress = self.publish(&mut session, known).await?;
        self.reached.store(session.position.as_i64(), Ordering::Relaxed);
        if progress.applied == 0 && progress.caught_up && !self.is_as_left(&mut session).await? {
            tracing::warn!("the stream is not as the relay left it; its end is read again");
            progress.caught_up = false;
            return Ok(progress);
        }
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        Ok(progress)
    }

    /// Reads the stream's end and finds its place in the log.
    async fn begin(&self) -> Result<Session, RelayError> {
        self.broker.ensure_stream().await?;
        let lineage = lineage::current(self.log.as_ref()).await?.ok_or(RelayError::NoLineage)?;
        let tail = self.broker.tail().await?;
        let position = match &tail.last {
            None => Position::START,
            Some(last) => self.place_of(last, lineage).await?,
        };
        tracing::info!(
            relay.position = position.as_i64(),
            relay.last_sequence = tail.extent.last_sequence,
            "the relay goes on behind the stream's last message"
        );
        Ok(Session { lineage, extent: tail.extent, position, looked_at: self.clock.now() })
    }

    /// The position of the event that the stream's last message is of.
    async fn place_of(&self, last: &TailMessage, ours: Uuid) -> Result<Position, RelayError> {
        let sequence = last.sequence;
        let origin = last.origin.as_ref().ok_or(RelayError::ForeignMessage { sequence })?;
        if origin.lineage != ours {
            return Err(RelayError::ForeignLineage { sequence, found: origin.lineage, ours });
        }
        let there = self.log.read_stream(&origin.stream_id, origin.revision, 1).await?.pop();
        if there.is_some_and(|event| event.event_id == origin.event_id && event.position == origin.position) {
            Ok(origin.position)
        } else {
            Err(RelayError::ForeignEvent { sequence, position: origin.position.as_i64() })
        }
    }

    /// Publishes what lies behind the session's position. While the messages of one page go out, the next page is read.
    async fn publish(&self, session: &mut Session, known: &mut Predecessors) -> Result<Progress, RelayError> {
        let mut pipeline = Pipeline::new(self.broker.as_ref(), session.extent.last_sequence);
        let mut ahead = Ahead::new(known, self.log.as_ref(), &self.subjects);
        let mut page = self.log.read_all(session.position, PAGE_EVENTS).await?;
        let mut caught_up = false;
        for number in 1..=RUN_PAGES {
            let last = page.last().map_or(session.position, |event| event.position);
            caught_up = page.len() < PAGE_EVENTS;
            let handing_in = self.hand_in(page, session, &mut ahead, &mut pipeline);
            if caught_up || number == RUN_PAGES {
                handing_in.await?;
                break;
            }
            let reading = async { Ok(self.log.read_all(last, PAGE_EVENTS).await?) };
            ((), page) = future::try_join(handing_in, reading).await?;
        }
        let applied = pipeline.settle().await?;
        ahead.arrived(session.position);
        let stored = u64::try_from(applied).unwrap_or(u64::MAX);
        session.extent.last_sequence += stored;
        session.extent.messages += stored;
        metric::count_messages(applied);
        Ok(Progress { applied, position: session.position, caught_up })
    }

    async fn hand_in(
        &self,
        page: Vec<RecordedEvent>,
        session: &mut Session,
        ahead: &mut Ahead<'_>,
        pipeline: &mut Pipeline<'_>,
    ) -> Result<(), RelayError> {
        for event in page {
            let position = event.position;
            if let Some(message) = self.message(session, ahead, event).await? {
                pipeline.push(message).await?;
            }
            session.position = position;
        }
        Ok(())
    }

    /// The message of an event; `None` where the event stays inside.
    async fn message(&self, session: &Session, ahead: &mut Ahead<'_>, event: RecordedEvent) -> Result<Option<Outgoing>, RelayError> {
        let position = event.position.as_i64();
        let aggregate = match self.subjects.kind(&event) {
            Kind::Published(aggregate) => aggregate,
            Kind::Internal => return Ok(None),
            Kind::Unknown if event.event_type == LINEAGE_STARTED => {
                self.check_lineage(session, event.event_id).await?;
                return Ok(None);
            }
            Kind::Unknown => return Err(RelayError::UnknownEvent { event_type: event.event_type, position }),
        };
        let subject = self.subjects.of_published(&event, aggregate).await?;
        let previous = ahead.follow(&subject, &event.event_type, event.position).await?;
        let message = outgoing(event, subject, previous, session.lineage);
        Ok(Some(message.map_err(|source| RelayError::Form { position, source })?))
    }

    /// Where a lineage begins in the log, another one than the session's may be today's.
    async fn check_lineage(&self, session: &Session, begun: Uuid) -> Result<(), RelayError> {
        if begun != session.lineage && lineage::current(self.log.as_ref()).await? != Some(session.lineage) {
            return Err(BrokerError::Moved.into());
        }
        Ok(())
    }

    /// Whether the stream ends where this relay left it, looked at now and then.
    async fn is_as_left(&self, session: &mut Session) -> Result<bool, RelayError> {
        let now = self.clock.now();
        if (TimeDelta::zero()..LOOK_INTERVAL).contains(&(now - session.looked_at)) {
            return Ok(true);
        }
        session.looked_at = now;
        match self.broker.extent().await {
            Ok(extent) => Ok(extent == session.extent),
            Err(BrokerError::NoStream) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn note(&self, outcome: Result<Progress, RelayError>) -> Result<Progress, FollowerError> {
        let trouble = outcome.as_ref().err().filter(|error| !error.is_passing()).map(|error| Chain(error).to_string());
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        outcome.map_err(|error| {
            metric::count_trouble(error.word());
            error.into()
        })
    }
}

#[async_trait]
impl Follower for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        self.note(self.run().await)
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let reached = Position::new(self.reached.load(Ordering::Relaxed)).unwrap_or_default();
        Ok(lag_behind(self.log.as_ref(), reached).await?)
    }
}
