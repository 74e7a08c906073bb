//! The way from the log through a broker to the consumers: relay, broker in memory, and workers of each part, beside the same
//! consumers that are fed from the log. It has its own chance and clock, so that what is tried here changes nothing there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chassis::clock::{Clock, ManualClock};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{LogReader, MemoryEventStore};
use followers::relay::{MemoryStream, Relay, Subjects};
use followers::{
    Consumer, Follower, LeasedWork, LogFeed, MemoryBroker, MemoryLeases, MemoryMessageFeed, ParkedMessage, ParkedState, Part, Patience,
    Tide,
};
use projections::{ConsumerProjector, ConsumerStore, Consumption, CourseSelections, Entitlements, MemoryViewStore, MemoryViews, Points};

use crate::broken::{Broken, Witness, check};
use crate::chance::Chance;
use crate::ports::SimulatedLog;
use crate::process::PROCESSES;
use crate::weather::{Place, Weather};
use crate::wishes::{Answer, Work};

mod ports;
mod tally;

use ports::{Door, Poison, Poisoned, Seen, SimulatedBroker, SimulatedFeed, SimulatedStore, WatchedTally, on_log};
use tally::{Tally, TallyRow};

/// What makes this chance another one than the rest of the run has.
const SALT: u64 = 0x0B20_CE25;

/// The most polls of one piece of work where nothing fails.
const ENDLESS_POLLS: usize = 200_000;

/// How many runs bring one worker to the end of what there is, beside a failure that passes.
const RUNS: usize = 60;

/// How often everything is done again at a rest before it counts as hanging.
const ROUNDS: usize = 40;

/// Longer than a broker waits for an acknowledgement, than a lease lasts, and than the longest wait of a hole.
const PATIENCE: TimeDelta = TimeDelta::seconds(31);

/// How many of the last things are kept for a failure's report.
const TRACED: usize = 30;

/// What outlives every process, and the processes.
pub(crate) struct Delivery {
    door: Door,
    clock: Arc<ManualClock>,
    memory: Arc<MemoryEventStore>,
    log: Arc<SimulatedLog>,
    broker: Arc<MemoryBroker>,
    leases: Arc<MemoryLeases>,
    witness: Arc<Witness>,
    poison: Arc<Poison>,
    /// What the consumers of the broker have made.
    pub(crate) views: MemoryViews,
    tally: MemoryViewStore<TallyRow>,
    /// What happened to messages on their way.
    pub(crate) seen: Arc<Seen>,
    slots: Vec<Slot>,
    tasks: Vec<(usize, Work)>,
    trace: VecDeque<&'static str>,
}

/// What of it dies with a process.
struct Slot {
    relay: Arc<Relay>,
    workers: Vec<Arc<dyn Follower>>,
    tides: Vec<Arc<dyn Follower>>,
}

/// Fewer and sooner than in the product, so that messages are given up in a run, too.
fn few_tries() -> Patience {
    Patience::new(vec![TimeDelta::seconds(1), TimeDelta::seconds(5)])
}

impl Delivery {
    pub(crate) fn new(seed: u64, memory: Arc<MemoryEventStore>, start: DateTime<Utc>) -> Self {
        let chance = Chance::seeded(seed ^ SALT);
        let weather = Weather::new(chance.clone());
        let clock = Arc::new(ManualClock::new(start));
        let broker = MemoryBroker::new(Arc::new(MemoryStream::default()), Arc::clone(&clock) as _);
        let mut delivery = Self {
            log: Arc::new(SimulatedLog::new(memory.clone(), chance.clone(), weather.clone())),
            door: Door { chance, weather },
            clock,
            memory,
            broker: Arc::new(broker),
            leases: Arc::default(),
            witness: Arc::default(),
            poison: Arc::default(),
            views: MemoryViews::default(),
            tally: MemoryViewStore::default(),
            seen: Arc::default(),
            slots: Vec::new(),
            tasks: Vec::new(),
            trace: VecDeque::new(),
        };
        delivery.slots = (0..PROCESSES).map(|slot| delivery.start(slot)).collect();
        delivery
    }

    fn start(&self, slot: usize) -> Slot {
        let broker = SimulatedBroker { stream: Arc::clone(self.broker.stream()), door: self.door.clone() };
        let relay = Relay::new(self.log.clone(), Arc::new(broker), self.clock.clone());
        let mut made = Slot { relay: Arc::new(relay), workers: Vec::new(), tides: Vec::new() };
        let watched =
            WatchedTally { inner: self.tally.clone(), log: self.memory.clone(), witness: self.witness.clone(), seen: self.seen.clone() };
        self.consumer::<Tally>(slot, &(Arc::new(watched) as _), &mut made);
        self.consumer::<CourseSelections>(slot, &(Arc::new(self.views.course_selections.clone()) as _), &mut made);
        self.consumer::<Points>(slot, &(Arc::new(self.views.points.clone()) as _), &mut made);
        self.consumer::<Entitlements>(slot, &(Arc::new(self.views.entitlements.clone()) as _), &mut made);
        made
    }

    fn consumer<P: ConsumerProjector>(&self, slot: usize, rows: &Arc<dyn ConsumerStore<P::Row>>, made: &mut Slot) {
        let store = SimulatedStore { inner: Arc::clone(rows), door: self.door.clone() };
        let inner = Consumption::<P, SimulatedStore<P::Row>>::new(store);
        let effect = Arc::new(Poisoned { inner, poison: self.poison.clone(), door: self.door.clone() });
        for part in Part::all() {
            let feed = MemoryMessageFeed::new(self.broker.clone(), P::NAME, P::subjects(), part);
            let feed = SimulatedFeed { inner: Arc::new(feed), door: self.door.clone() };
            let lease = LeasedWork::new(self.leases.clone(), format!("{} {part}", P::NAME), format!("process-{slot}"));
            made.workers.push(Arc::new(
                Consumer::new(Arc::new(feed), Arc::clone(&effect), self.clock.clone()).with_patience(few_tries()).with_lease(lease),
            ));
        }
        let log: Arc<dyn LogReader> = self.log.clone();
        let feed = Arc::new(LogFeed::new(log.clone(), P::wanted()));
        made.tides.push(Arc::new(Tide::new(feed, effect, Arc::new(Subjects::new(log)), P::subjects(), self.clock.clone())));
    }

    fn note(&mut self, what: &'static str) -> &'static str {
        if self.trace.len() == TRACED {
            self.trace.pop_front();
        }
        self.trace.push_back(what);
        what
    }

    /// One step: some of what processes do by themselves, or something that befalls them. Answers what it was.
    pub(crate) fn step(&mut self, passed: TimeDelta) -> Result<&'static str, Broken> {
        self.door.weather.pass();
        self.clock.advance(passed.max(TimeDelta::zero()));
        let chance = self.door.chance.clone();
        let slot = chance.index(PROCESSES);
        let done = match chance.below(100) {
            0..25 => self.begin(slot, "relay", |slot, _| slot.relay.clone()),
            25..80 => {
                for _ in 0..4 {
                    self.begin(slot, "consume", |slot, chance| Arc::clone(&slot.workers[chance.index(slot.workers.len())]));
                }
                self.note("consume")
            }
            80..84 => self.begin(slot, "tide", |slot, chance| Arc::clone(&slot.tides[chance.index(slot.tides.len())])),
            84..90 => {
                if !self.tasks.is_empty() {
                    drop(self.tasks.swap_remove(chance.index(self.tasks.len())));
                }
                self.note("a delivery is dropped")
            }
            90..93 => {
                self.clock.advance(TimeDelta::seconds(i64::from(chance.below(40))));
                self.note("the delivery's clock goes on")
            }
            93 if chance.one_in(4) => {
                self.poison.mend();
                self.note("poison is mended")
            }
            94 if chance.one_in(2) => {
                self.redrive_parked()?;
                self.note("parked messages are re-driven")
            }
            93..97 => self.note("a pause of the delivery"),
            97 => {
                let place = [Place::Log, Place::Channel, Place::Tables][chance.index(3)];
                self.door.weather.storm(place, [100, 400, 1000][chance.index(3)], 1 + chance.below(40));
                self.note("a storm on the way to consumers")
            }
            98 if chance.one_in(4) => {
                self.broker.lose_everything();
                self.note("the broker is lost")
            }
            _ => {
                self.broker.stream().truncate(self.broker.stream().messages().len().saturating_sub(chance.index(5)));
                self.note("the broker loses its last messages")
            }
        };
        for _ in 0..chance.below(60) {
            self.poll_one();
        }
        self.heard().map(|()| done)
    }

    fn begin(&mut self, slot: usize, what: &'static str, pick: impl Fn(&Slot, &Chance) -> Arc<dyn Follower>) -> &'static str {
        let follower = pick(&self.slots[slot], &self.door.chance);
        self.tasks.push((slot, Box::pin(async move { Answer::Followed(follower.run_once().await) })));
        self.note(what)
    }

    fn poll_one(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        let index = self.door.chance.index(self.tasks.len());
        if self.tasks[index].1.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            drop(self.tasks.swap_remove(index));
        }
    }

    /// A process dies, with all that is under way in it.
    pub(crate) fn crash(&mut self, slot: usize) {
        self.tasks.retain(|(of, _)| *of != slot);
        self.slots[slot] = self.start(slot);
    }

    fn heard(&self) -> Result<(), Broken> {
        self.witness.heard().map_err(|broken| Broken { detail: format!("{}\nbefore: {:?}", broken.detail, self.trace), ..broken })
    }

    fn parked(&self) -> Vec<ParkedMessage> {
        let views = &self.views;
        [self.tally.parked(), views.course_selections.parked(), views.points.parked(), views.entitlements.parked()].concat()
    }

    /// Operators have everything tried again that was given up.
    fn redrive_parked(&self) -> Result<(), Broken> {
        let now = self.clock.now();
        for message in self.parked().into_iter().filter(|message| message.state != ParkedState::Behind) {
            let id = message.parked_id.as_str();
            let done = match message.consumer.as_str() {
                "tally" => self.tally.at_the_desk(|book| book.redrive(id, now)),
                "points" => self.views.points.at_the_desk(|book| book.redrive(id, now)),
                "entitlements" => self.views.entitlements.at_the_desk(|book| book.redrive(id, now)),
                _ => self.views.course_selections.at_the_desk(|book| book.redrive(id, now)),
            };
            done.map_err(|error| Broken::new("a parked message can be re-driven", format!("{id}: {error}")))?;
        }
        Ok(())
    }

    /// One run; whether nothing is left to do. What keeps failing is never at rest.
    fn drive(&self, follower: &dyn Follower) -> Result<bool, Broken> {
        let mut run = std::pin::pin!(follower.run_once());
        for _ in 0..ENDLESS_POLLS {
            if let Poll::Ready(done) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.heard()?;
                return Ok(done.is_ok_and(|progress| progress.caught_up));
            }
        }
        Err(Broken::new("what is begun ends", follower.name()))
    }

    /// Lets everything arrive, and checks that nothing is lost.
    pub(crate) fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.door.weather.calm();
        self.poison.mend();
        for _ in 0..ENDLESS_POLLS {
            self.poll_one();
        }
        check(self.tasks.is_empty(), "what is begun ends", || format!("{} deliveries", self.tasks.len()))?;
        let mut rounds = 0;
        while !self.round()? {
            rounds += 1;
            check(rounds < ROUNDS, "every message is delivered in the end", || {
                let reached = [&self.slots[0].relay, &self.slots[1].relay].map(|relay| relay.trouble());
                let (head, reached_by) = (self.head(), self.reached());
                format!(
                    "{} unacknowledged, parked: {:?}, {reached_by:?} of {head}, {reached:?}",
                    self.broker.unacknowledged(),
                    self.parked()
                )
            })?;
        }
        self.door.weather.resume();
        self.check_tally()
    }

    /// Everything is done once; whether nothing is left to do.
    fn round(&mut self) -> Result<bool, Broken> {
        self.clock.advance(PATIENCE);
        self.redrive_parked()?;
        let slot = &self.slots[self.door.chance.index(PROCESSES)];
        let all = [Arc::clone(&slot.relay) as Arc<dyn Follower>].into_iter().chain(slot.workers.iter().chain(&slot.tides).cloned());
        for follower in all {
            for _ in 0..RUNS {
                if self.drive(follower.as_ref())? {
                    break;
                }
            }
        }
        let has_come = |checkpoint: i64| checkpoint == self.head();
        Ok(self.broker.unacknowledged() == 0 && self.parked().is_empty() && self.reached().into_iter().all(has_come))
    }

    /// How far each consumer's tide is.
    fn reached(&self) -> [i64; 4] {
        let views = &self.views;
        [self.tally.reached(), views.points.reached(), views.course_selections.reached(), views.entitlements.reached()]
    }

    fn head(&self) -> i64 {
        use futures_util::FutureExt;
        self.memory.head().now_or_never().and_then(Result::ok).unwrap_or_default().as_i64()
    }

    fn check_tally(&self) -> Result<(), Broken> {
        for (order_id, row) in self.tally.entries() {
            let told = on_log(&self.memory, &order_id);
            check(row == told, "no message is lost and none has its effect twice", || format!("{order_id}: {row:?}, on the log {told:?}"))?;
        }
        Ok(())
    }

    /// How many orders the tally has.
    pub(crate) fn tallied(&self) -> usize {
        self.tally.rows().len()
    }
}
