//! What the consumers of a broker run over: each waits here and there and fails as the weather has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use event_store::{LogReader, MemoryEventStore, Position, RecordedEvent};
use followers::relay::{Acknowledgement, Broker, BrokerError, Extent, Fault, MemoryStream, Outgoing, Tail};
use followers::{
    Asked, Batch, BookChange, Checkpoint, ConsumerEffect, EffectError, Inapplicable, Lag, MessageFeed, MessageFeedError, ParkedChange,
    ParkedState, Part, Standing,
};
use futures_util::FutureExt;
use projections::{ConsumerStore, StoreError, ViewStore};

use super::tally::{TallyRow, WANTED};
use crate::broken::{Witness, check};
use crate::chance::Chance;
use crate::ports::SimulatedFault;
use crate::weather::{Place, Weather};

/// The most polls that one wait takes.
const MOST_POLLS: u32 = 2;

/// How each of these ports waits and fails.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
}

impl Door {
    async fn is_shut(&self, place: Place) -> bool {
        self.chance.pause(MOST_POLLS).await;
        self.weather.strikes(place)
    }
}

/// The broker as the relay sees it: messages and acknowledgements are lost on their way.
pub(crate) struct SimulatedBroker {
    pub(crate) stream: Arc<MemoryStream>,
    pub(crate) door: Door,
}

impl SimulatedBroker {
    async fn enter(&self) -> Result<(), BrokerError> {
        if self.door.is_shut(Place::Channel).await { Err(BrokerError::TimedOut) } else { Ok(()) }
    }
}

#[async_trait]
impl Broker for SimulatedBroker {
    async fn ensure_stream(&self) -> Result<(), BrokerError> {
        self.enter().await?;
        self.stream.ensure_stream().await
    }

    async fn tail(&self) -> Result<Tail, BrokerError> {
        self.enter().await?;
        self.stream.tail().await
    }

    async fn extent(&self) -> Result<Extent, BrokerError> {
        self.enter().await?;
        self.stream.extent().await
    }

    async fn publish(&self, message: Outgoing, expected_last_sequence: u64) -> Result<Acknowledgement, BrokerError> {
        if self.door.is_shut(Place::Channel).await {
            let faults = [Fault::LostAck, Fault::Lost, Fault::Refused, Fault::Duplicate];
            self.stream.befall([faults[self.door.chance.index(faults.len())]]);
        }
        self.stream.publish(message, expected_last_sequence).await
    }
}

/// A consumer's feed: batches are shuffled and doubled, acknowledgements are lost.
pub(crate) struct SimulatedFeed {
    pub(crate) inner: Arc<dyn MessageFeed>,
    pub(crate) door: Door,
}

impl SimulatedFeed {
    async fn enter(&self) -> Result<(), MessageFeedError> {
        let is_shut = self.door.is_shut(Place::Channel).await;
        if is_shut { Err(MessageFeedError::Unavailable(Box::new(SimulatedFault))) } else { Ok(()) }
    }
}

#[async_trait]
impl MessageFeed for SimulatedFeed {
    fn part(&self) -> Option<Part> {
        self.inner.part()
    }

    async fn batch(&self, after: Position, limit: usize) -> Result<Batch, MessageFeedError> {
        self.enter().await?;
        // Short batches, so that an order's messages come in several.
        let limit = limit.min(1 + self.door.chance.index(6));
        let mut batch = self.inner.batch(after, limit).await?;
        if self.door.chance.one_in(6) {
            batch.messages.extend(batch.messages.clone());
        }
        for index in (1..batch.messages.len()).rev() {
            batch.messages.swap(index, self.door.chance.index(index + 1));
        }
        self.door.chance.pause(1).await;
        Ok(batch)
    }

    async fn ack(&self, receipts: &[u64]) -> Result<(), MessageFeedError> {
        self.enter().await?;
        // Each may be lost by itself.
        let kept: Vec<u64> = receipts.iter().copied().filter(|_| !self.door.weather.strikes(Place::Channel)).collect();
        self.inner.ack(&kept).await
    }

    async fn nak(&self, receipt: u64, delay: TimeDelta) -> Result<(), MessageFeedError> {
        self.enter().await?;
        self.inner.nak(receipt, delay).await
    }

    async fn lag(&self, after: Position) -> Result<Lag, MessageFeedError> {
        self.inner.lag(after).await
    }
}

/// The rows of a consumer, with its marks and parked messages.
pub(crate) struct SimulatedStore<R> {
    pub(crate) inner: Arc<dyn ConsumerStore<R>>,
    pub(crate) door: Door,
}

impl<R> SimulatedStore<R> {
    async fn enter(&self) -> Result<(), StoreError> {
        let is_shut = self.door.is_shut(Place::Tables).await;
        if is_shut { Err(database::DatabaseError::TransactionFailed.into()) } else { Ok(()) }
    }
}

#[async_trait]
impl<R: Send + 'static> ViewStore<R> for SimulatedStore<R> {
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.enter().await?;
        self.inner.checkpoint().await
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<(String, R)>, StoreError> {
        self.enter().await?;
        self.inner.load(keys).await
    }

    async fn commit(&self, rows: Vec<(String, R)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError> {
        self.inner.commit(rows, from, to).await
    }
}

#[async_trait]
impl<R: Send + 'static> ConsumerStore<R> for SimulatedStore<R> {
    async fn standing(&self, asked: &Asked) -> Result<Standing, StoreError> {
        self.enter().await?;
        self.inner.standing(asked).await
    }

    async fn commit_with(&self, rows: Vec<(String, R)>, change: &BookChange) -> Result<Checkpoint, StoreError> {
        self.enter().await?;
        let committed = self.inner.commit_with(rows, change).await?;
        // It is done, and the answer may be lost.
        self.enter().await?;
        Ok(committed)
    }
}

/// The tally's rows, each looked at when it is written.
pub(crate) struct WatchedTally {
    pub(crate) inner: projections::MemoryViewStore<TallyRow>,
    pub(crate) log: Arc<MemoryEventStore>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) seen: Arc<Seen>,
}

/// How often messages were parked, and taken or given up on after that.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeMap<&'static str, u64>>);

impl Seen {
    fn note(&self, change: &ParkedChange) {
        let what = match change {
            ParkedChange::Park(message) if message.state == ParkedState::Behind => "message parked behind another",
            ParkedChange::Park(_) => "message parked",
            ParkedChange::Change { after, .. } if after.state == ParkedState::Parked => "message given up",
            ParkedChange::Change { .. } | ParkedChange::Hold { .. } => return,
            ParkedChange::Release { .. } => "message taken after it was parked",
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// How often what happened.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The positions of an order's payments and refunds, as the log has them.
pub(crate) fn on_log(log: &MemoryEventStore, order_id: &str) -> TallyRow {
    let stream_id = event_store::StreamId::parse(&format!("order-{order_id}"));
    let read = stream_id.and_then(|stream_id| log.read_stream(&stream_id, 0, usize::MAX).now_or_never());
    let events = read.and_then(Result::ok).unwrap_or_default();
    let of = |name: &str| events.iter().filter(|event| event.event_type == name).map(|event| event.position.as_i64()).collect();
    TallyRow { payments: of(WANTED[0]), refunds: of(WANTED[1]), is_overtaken: false }
}

#[async_trait]
impl ViewStore<TallyRow> for WatchedTally {
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.inner.checkpoint().await
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<(String, TallyRow)>, StoreError> {
        self.inner.load(keys).await
    }

    async fn commit(&self, rows: Vec<(String, TallyRow)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError> {
        self.inner.commit(rows, from, to).await
    }
}

#[async_trait]
impl ConsumerStore<TallyRow> for WatchedTally {
    async fn standing(&self, asked: &Asked) -> Result<Standing, StoreError> {
        self.inner.standing(asked).await
    }

    async fn commit_with(&self, rows: Vec<(String, TallyRow)>, change: &BookChange) -> Result<Checkpoint, StoreError> {
        let written = rows.clone();
        let committed = self.inner.commit_with(rows, change).await?;
        change.parked.iter().for_each(|parked| self.seen.note(parked));
        for (order_id, row) in written {
            let told = on_log(&self.log, &order_id);
            let in_order = told.payments.starts_with(&row.payments) && told.refunds.starts_with(&row.refunds) && !row.is_overtaken;
            let invariant = "each message has its effect once, and those of an order in order";
            if let Err(broken) = check(in_order, invariant, || format!("{order_id}: {row:?}, on the log {told:?}")) {
                self.witness.report(broken);
            }
        }
        Ok(committed)
    }
}

/// Which messages cannot be taken at the moment, by consumer and position.
#[derive(Debug, Default)]
pub(crate) struct Poison {
    met: Mutex<BTreeMap<(&'static str, i64), bool>>,
}

/// In so many messages one is poison to a consumer at first.
const POISON_ONE_IN: u32 = 14;

impl Poison {
    fn is_poison(&self, consumer: &'static str, position: i64, door: &Door) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        *met.entry((consumer, position)).or_insert_with(|| door.weather.trouble(1000).is_some() && door.chance.one_in(POISON_ONE_IN))
    }

    /// All of it is mended.
    pub(crate) fn mend(&self) {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).values_mut().for_each(|is_poison| *is_poison = false);
    }
}

/// An effect that cannot take poison.
pub(crate) struct Poisoned<E> {
    pub(crate) inner: E,
    pub(crate) poison: Arc<Poison>,
    pub(crate) door: Door,
}

#[async_trait]
impl<E: ConsumerEffect> ConsumerEffect for Poisoned<E> {
    type Work = E::Work;

    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        self.inner.checkpoint().await
    }

    async fn standing(&self, asked: &Asked) -> Result<Standing, EffectError> {
        self.inner.standing(asked).await
    }

    async fn load(&self, events: &[&RecordedEvent]) -> Result<E::Work, EffectError> {
        self.inner.load(events).await
    }

    fn apply(&self, work: &mut E::Work, event: &RecordedEvent) -> Result<(), Inapplicable> {
        if self.poison.is_poison(self.inner.name(), event.position.as_i64(), &self.door) {
            return Err(Inapplicable("simulated poison".to_owned()));
        }
        self.inner.apply(work, event)
    }

    async fn commit(&self, work: E::Work, change: &BookChange) -> Result<Checkpoint, EffectError> {
        self.inner.commit(work, change).await
    }
}
