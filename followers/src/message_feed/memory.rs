use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chassis::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Position;

use super::decode::decode;
use super::{Batch, Message, MessageFeed, MessageFeedError, Part, SubjectFilter};
use crate::Lag;
use crate::relay::{MemoryStream, Outgoing};

/// How long a delivered message may stay without an answer before it is delivered again.
const ACK_WAIT: TimeDelta = TimeDelta::seconds(30);

/// A broker in memory, for the simulation and tests: durable consumers of a [`MemoryStream`], which a relay fills. It delivers
/// again what was not acknowledged, behind newer messages, as a real one does. It may be emptied whole.
pub struct MemoryBroker {
    stream: Arc<MemoryStream>,
    clock: Arc<dyn Clock>,
    consumers: Mutex<BTreeMap<String, Cursor>>,
}

/// Where a durable consumer stands.
#[derive(Default)]
struct Cursor {
    /// The index of the next message that was never delivered.
    next: usize,
    /// What was delivered and not acknowledged, by its index.
    pending: BTreeMap<usize, Pending>,
}

struct Pending {
    message: Message,
    due_at: DateTime<Utc>,
}

impl MemoryBroker {
    /// Consumers of `stream`.
    pub fn new(stream: Arc<MemoryStream>, clock: Arc<dyn Clock>) -> Self {
        Self { stream, clock, consumers: Mutex::default() }
    }

    fn consumers(&self) -> MutexGuard<'_, BTreeMap<String, Cursor>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages, as the relay sees them.
    pub fn stream(&self) -> &Arc<MemoryStream> {
        &self.stream
    }

    /// How many messages were delivered and not acknowledged, by all consumers.
    pub fn unacknowledged(&self) -> usize {
        self.consumers().values().map(|cursor| cursor.pending.len()).sum()
    }

    /// Loses everything: messages, consumers and what was not acknowledged.
    pub fn lose_everything(&self) {
        self.stream.lose();
        self.consumers().clear();
    }
}

fn key(name: &str, part: Part) -> String {
    format!("{name} {part}")
}

fn is_wanted(subject: &str, filters: &[SubjectFilter], part: Part) -> bool {
    Part::of_subject(subject) == Some(part) && filters.iter().any(|filter| filter.admits(subject))
}

/// What a durable consumer of a [`MemoryBroker`] gets of one part. It is made with the first question, and again after the
/// broker was emptied.
pub struct MemoryMessageFeed {
    broker: Arc<MemoryBroker>,
    name: String,
    filters: Vec<SubjectFilter>,
    part: Part,
}

impl MemoryMessageFeed {
    /// The consumer `name` of `part`.
    pub fn new(broker: Arc<MemoryBroker>, name: &str, filters: Vec<SubjectFilter>, part: Part) -> Self {
        Self { broker, name: name.to_owned(), filters, part }
    }

    fn deliver(&self, limit: usize) -> Result<Batch, MessageFeedError> {
        let now = self.broker.clock.now();
        let mut consumers = self.broker.consumers();
        let cursor = consumers.entry(key(&self.name, self.part)).or_default();
        let mut delivered = self.broker.stream.look(|messages| self.deliver_new(cursor, messages, now, limit))?;
        let due = cursor.pending.iter().filter(|(index, pending)| pending.due_at <= now && !delivered.contains(index));
        let due: Vec<usize> = due.map(|(index, _)| *index).take(limit - delivered.len()).collect();
        delivered.extend(due);
        let mut messages = Vec::new();
        for index in delivered {
            let Some(pending) = cursor.pending.get_mut(&index) else { continue };
            (pending.due_at, pending.message.deliveries) = (now + ACK_WAIT, pending.message.deliveries + 1);
            messages.push(pending.message.clone());
        }
        Ok(Batch { caught_up: messages.len() < limit, messages, reached: None, unknown: 0 })
    }

    /// Delivers what was never delivered; answers the indexes.
    fn deliver_new(
        &self,
        cursor: &mut Cursor,
        messages: &[Outgoing],
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<usize>, MessageFeedError> {
        let mut delivered = Vec::new();
        while delivered.len() < limit
            && let Some(outgoing) = messages.get(cursor.next)
        {
            if is_wanted(&outgoing.subject, &self.filters, self.part) {
                let value = |name: &str| outgoing.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
                let (link, event) = decode(&outgoing.subject, value, &outgoing.body)?;
                let receipt = u64::try_from(cursor.next).unwrap_or(u64::MAX);
                let message = Message { event, link: Some(link), deliveries: 0, receipt };
                cursor.pending.insert(cursor.next, Pending { message, due_at: now });
                delivered.push(cursor.next);
            }
            cursor.next += 1;
        }
        Ok(delivered)
    }

    /// Does something to a message that is pending; one that is not, for instance after the broker was emptied, is passed over.
    fn with_pending(&self, receipt: u64, change: impl FnOnce(&mut Cursor, usize)) {
        let mut consumers = self.broker.consumers();
        let Ok(index) = usize::try_from(receipt) else { return };
        if let Some(cursor) = consumers.get_mut(&key(&self.name, self.part))
            && cursor.pending.contains_key(&index)
        {
            change(cursor, index);
        }
    }
}

#[async_trait]
impl MessageFeed for MemoryMessageFeed {
    fn part(&self) -> Option<Part> {
        Some(self.part)
    }

    async fn batch(&self, _: Position, limit: usize) -> Result<Batch, MessageFeedError> {
        self.deliver(limit)
    }

    async fn ack(&self, receipts: &[u64]) -> Result<(), MessageFeedError> {
        for receipt in receipts {
            self.with_pending(*receipt, |cursor, index| {
                cursor.pending.remove(&index);
            });
        }
        Ok(())
    }

    async fn nak(&self, receipt: u64, delay: TimeDelta) -> Result<(), MessageFeedError> {
        let due_at = self.broker.clock.now() + delay;
        self.with_pending(receipt, |cursor, index| {
            if let Some(pending) = cursor.pending.get_mut(&index) {
                pending.due_at = due_at;
            }
        });
        Ok(())
    }

    async fn lag(&self, _: Position) -> Result<Lag, MessageFeedError> {
        let consumers = self.broker.consumers();
        let cursor = consumers.get(&key(&self.name, self.part));
        let next = cursor.map_or(0, |cursor| cursor.next);
        let wanted = |outgoing: &&Outgoing| is_wanted(&outgoing.subject, &self.filters, self.part);
        let ahead = self.broker.stream.look(|messages| messages.iter().skip(next).filter(wanted).count());
        let pending = cursor.map_or(0, |cursor| cursor.pending.len());
        let since = cursor.and_then(|cursor| cursor.pending.values().next()).map(|pending| pending.message.event.recorded_at);
        Ok(Lag { events: u64::try_from(ahead + pending).unwrap_or(u64::MAX), since })
    }
}
