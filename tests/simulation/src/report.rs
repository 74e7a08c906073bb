use std::collections::BTreeMap;
use std::fmt;

use event_store::{LogReader, Position};
use futures_util::FutureExt;

use crate::broken::Broken;
use crate::ledger::{Stage, Standing};
use crate::world::World;

/// What a run did, in which every invariant held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What determined it.
    pub seed: u64,
    /// How many actions there were.
    pub steps: u64,
    /// How much time passed in it, in milliseconds.
    pub simulated_ms: u64,
    /// The actions by kind.
    pub actions: BTreeMap<&'static str, u64>,
    /// Events on the log.
    pub events: usize,
    /// The events by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Orders made.
    pub orders: usize,
    /// Orders paid.
    pub paid_orders: usize,
    /// Captures that nobody owed, or that match nothing.
    pub surplus_captures: usize,
    /// A hash of the whole log; the same seed gives the same.
    pub log_hash: u64,
}

impl Report {
    pub(crate) fn of(seed: u64, world: &World) -> Self {
        let ledger = &world.ledger;
        Self {
            seed,
            steps: world.steps,
            simulated_ms: u64::try_from(world.simulated.num_milliseconds()).unwrap_or(0),
            actions: world.actions.clone(),
            events: ledger.len(),
            kinds: kinds(world),
            orders: ledger.orders.len(),
            paid_orders: ledger.orders.values().filter(|order| order.stage == Stage::Paid).count(),
            surplus_captures: ledger.trades.values().filter(|standing| **standing != Standing::Confirmed).count(),
            log_hash: ledger.hash(),
        }
    }

    /// The same with what another run did.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.steps += other.steps;
        self.simulated_ms += other.simulated_ms;
        self.events += other.events;
        self.orders += other.orders;
        self.paid_orders += other.paid_orders;
        self.surplus_captures += other.surplus_captures;
        self.log_hash ^= other.log_hash;
        for (action, count) in &other.actions {
            *self.actions.entry(action).or_default() += count;
        }
        for (kind, count) in &other.kinds {
            *self.kinds.entry(kind.clone()).or_default() += count;
        }
        self
    }

    /// How much time passed, in whole hours.
    pub fn simulated_hours(&self) -> u64 {
        self.simulated_ms / 3_600_000
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, events, orders, paid_orders, surplus_captures, .. } = self;
        let hours = self.simulated_hours();
        write!(f, "{steps} steps, {hours} simulated hours, {events} events, {orders} orders, {paid_orders} paid, ")?;
        write!(f, "{surplus_captures} captures that nobody owed")
    }
}

/// An invariant did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What determines the run: the same seed fails in the same way.
    pub seed: u64,
    /// After so many steps.
    pub step: u64,
    /// What should hold.
    pub invariant: String,
    /// What was found.
    pub detail: String,
    /// The last actions with their answers, oldest first.
    pub trace: Vec<String>,
    /// The events of the streams that the detail names, oldest first.
    pub events: Vec<String>,
}

/// The most events that a failure shows.
const SHOWN_EVENTS: usize = 120;
/// The fewest characters of an id.
const LEAST_ID: usize = 15;

impl Failure {
    pub(crate) fn of(seed: u64, world: &World, broken: Broken) -> Self {
        let trace = world.trace.iter().cloned().collect();
        let events = named_events(world, &broken.detail);
        Self { seed, step: world.steps, invariant: broken.invariant.to_owned(), detail: broken.detail, trace, events }
    }

    pub(crate) fn at_the_start(seed: u64, broken: Broken) -> Self {
        Self { seed, step: 0, invariant: broken.invariant.to_owned(), detail: broken.detail, trace: Vec::new(), events: Vec::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.events.iter().chain(&self.trace) {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {}, step {}: broken: {}", self.seed, self.step, self.invariant)?;
        write!(f, "  {}", self.detail)
    }
}

impl std::error::Error for Failure {}

/// The events of the streams of all orders and payments whose numbers stand in `detail`.
fn named_events(world: &World, detail: &str) -> Vec<String> {
    let words = detail.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.chars().any(|c| c.is_ascii_digit()));
    let held = words.clone().filter_map(|word| world.stores.alipay.captured(word)).map(|held| held.out_trade_no);
    let numbers: Vec<String> = words.map(str::to_owned).chain(held).collect();
    let is_named = |order_id: &str| numbers.iter().any(|number| number.starts_with(order_id));
    // Ids are long; a short number may be anything.
    let ids: Vec<&String> = numbers.iter().filter(|number| number.len() >= LEAST_ID).collect();
    let read = world.stores.memory.read_all(Position::START, usize::MAX).now_or_never();
    let Some(Ok(events)) = read else { return Vec::new() };
    let shown = events.iter().filter(|event| {
        let is_orders = event.stream_id.as_str().strip_prefix("order-").is_some_and(is_named);
        is_orders || ids.iter().any(|id| event.data.contains(*id))
    });
    let shown = shown.map(|event| {
        let at = event.recorded_at.format("%d %H:%M:%S%.3f");
        format!("{:>6} {at} {} {} {}", event.position, event.stream_id, event.event_type, event.data)
    });
    let shown: Vec<String> = shown.collect();
    shown[shown.len().saturating_sub(SHOWN_EVENTS)..].to_vec()
}

/// What happened, by its kind: events on the log, and what befell messages on their way to consumers.
fn kinds(world: &World) -> BTreeMap<String, u64> {
    let on_the_way = world.delivery.seen.counts();
    let on_the_way = on_the_way.into_iter().map(|(what, count)| (what.to_owned(), count));
    world.ledger.kinds().clone().into_iter().chain(on_the_way).collect()
}
