//! Processes: what dies in a crash, over stores that do not.

use std::sync::Arc;

use chassis::clock::{Clock, ManualClock};
use chassis::ids::{IdSource, SeededIds};
use chrono::TimeDelta;
use command_api::process_managers::{
    AssignmentTodo, Assignments, AttemptPatience, MemoryAssignmentTodo, MemoryOrderTodo, OrderTodo, OrderUpkeep,
};
use command_api::{
    Channels, CommandConfig, Commands, ConfiguredChannel, CouponRule, MemoryInbox, MemoryStatementBook, NoticeInbox, Ports, Unverified,
};
use domain::ids::SnowflakeSequence;
use domain::{Channel, MinorUnits};
use event_store::{EventStore, LogReader, MemoryEventStore};
use followers::{FeedFollower, Follower, Leases, LogFeed, MemoryLeases};
use gateway::Gateway;
use projections::{
    Coupons, CourseSelections, MemoryViews, Orders, PayRecords, Points, Projection, Projector, SelectionRow, Stocks, SurplusPayments,
    ViewStore,
};
use storefront::catalogue::{Catalogue, MemoryCatalogue};
use storefront::order_ids::{OrderIdSource, UnleasedIds};
use storefront::person_keys::MemoryPersonKeys;

use crate::broken::Witness;
use crate::chance::Chance;
use crate::ports::{
    Alipay, AlipayAdapter, CODE_LIFE, SimulatedAssignments, SimulatedCatalogue, SimulatedInbox, SimulatedLeases, SimulatedLog,
    SimulatedNumbers, SimulatedTodo, SimulatedView,
};
use crate::weather::Weather;
use crate::wishes::TakeNotice;

/// How many processes share the log and the tables.
pub(crate) const PROCESSES: usize = 2;
/// How long an order can be paid.
const ORDER_LIFE: TimeDelta = TimeDelta::minutes(30);
/// How long an attempt's own appender is left alone with it.
pub(crate) const PATIENCE: TimeDelta = TimeDelta::seconds(30);

/// Puts something in the place of a port, or gives it back as it is.
type Seam<P> = Box<dyn Fn(Arc<P>) -> Arc<P>>;

/// The same for the way to the channel.
type ChannelSeam = Box<dyn Fn(Arc<dyn Gateway>, &Arc<Alipay>) -> Arc<dyn Gateway>>;

/// Where tests of the simulator put faulty ports.
pub(crate) struct Seams {
    pub(crate) log: Seam<dyn EventStore>,
    pub(crate) channel: ChannelSeam,
    pub(crate) numbers: Seam<dyn OrderIdSource>,
    pub(crate) todo: Seam<dyn OrderTodo>,
    pub(crate) assignments: Seam<dyn AssignmentTodo>,
    pub(crate) leases: Seam<dyn Leases>,
    pub(crate) selections: Seam<dyn ViewStore<SelectionRow>>,
    pub(crate) take_notice: Arc<TakeNotice>,
}

impl Default for Seams {
    fn default() -> Self {
        Self {
            log: Box::new(|log| log),
            channel: Box::new(|channel, _| channel),
            numbers: Box::new(|numbers| numbers),
            todo: Box::new(|todo| todo),
            assignments: Box::new(|assignments| assignments),
            leases: Box::new(|leases| leases),
            selections: Box::new(|selections| selections),
            take_notice: Arc::new(|commands, raw, correlation_id| {
                Box::pin(async move { commands.take_alipay_notice(raw, Unverified::Keep, correlation_id).await })
            }),
        }
    }
}

/// What outlives every process.
pub(crate) struct Stores {
    pub(crate) seed: u64,
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ids: Arc<SeededIds>,
    /// What is really kept, for the checks.
    pub(crate) memory: Arc<MemoryEventStore>,
    /// The log as processes see it.
    pub(crate) log: Arc<SimulatedLog>,
    pub(crate) alipay: Arc<Alipay>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) views: MemoryViews,
    pub(crate) catalogue: Arc<MemoryCatalogue>,
    pub(crate) inbox: Arc<MemoryInbox>,
    pub(crate) todo: Arc<dyn OrderTodo>,
    pub(crate) assignments: Arc<dyn AssignmentTodo>,
    leases: Arc<dyn Leases>,
    selections: Arc<dyn ViewStore<SelectionRow>>,
    numbers: Vec<Arc<dyn OrderIdSource>>,
    pub(crate) seams: Seams,
}

impl Stores {
    pub(crate) fn new(seed: u64, clock: Arc<ManualClock>, alipay: Alipay, seams: Seams) -> Self {
        let chance = Chance::seeded(seed);
        let weather = Weather::new(chance.clone());
        let log_clock = Arc::clone(&clock);
        let memory = Arc::new(MemoryEventStore::new(Arc::new(move || log_clock.now())));
        let log = SimulatedLog::new((seams.log)(memory.clone()), chance.clone(), weather.clone());
        let views = MemoryViews::default();
        let started_at = clock.now();
        let sequences = (0..PROCESSES).filter_map(|worker| SnowflakeSequence::new(u16::try_from(worker).ok()?, started_at).ok());
        let numbers = sequences.map(|sequence| (seams.numbers)(Arc::new(UnleasedIds::new(sequence)))).collect();
        Self {
            seed,
            ids: Arc::new(SeededIds::new(seed, clock.clone())),
            alipay: Arc::new(alipay),
            todo: (seams.todo)(Arc::new(MemoryOrderTodo::default())),
            assignments: (seams.assignments)(Arc::new(MemoryAssignmentTodo::default())),
            leases: (seams.leases)(Arc::new(MemoryLeases::default())),
            selections: (seams.selections)(Arc::new(views.course_selections.clone())),
            log: Arc::new(log),
            witness: Arc::default(),
            catalogue: Arc::default(),
            inbox: Arc::default(),
            chance,
            weather,
            clock,
            memory,
            views,
            numbers,
            seams,
        }
    }

    /// Throws the to-do lists away; processes that were started before still have the old ones.
    pub(crate) fn forget_todo(&mut self) {
        self.todo = (self.seams.todo)(Arc::new(MemoryOrderTodo::default()));
        self.assignments = (self.seams.assignments)(Arc::new(MemoryAssignmentTodo::default()));
    }

    fn channel(&self) -> Arc<dyn Gateway> {
        let adapter = AlipayAdapter {
            alipay: Arc::clone(&self.alipay),
            chance: self.chance.clone(),
            weather: self.weather.clone(),
            log: Arc::clone(&self.memory),
            witness: Arc::clone(&self.witness),
        };
        (self.seams.channel)(Arc::new(adapter), &self.alipay)
    }

    fn ports(&self, slot: usize) -> Ports {
        let (chance, weather) = (&self.chance, &self.weather);
        let inbox: Arc<dyn NoticeInbox> = self.inbox.clone();
        let catalogue: Arc<dyn Catalogue> = self.catalogue.clone();
        let configured = ConfiguredChannel {
            gateway: self.channel(),
            product_code: "QR_CODE_OFFLINE".to_owned(),
            notify_url: "https://pay.example/notify/alipay".to_owned(),
            refund_notify_url: None,
            code_life: CODE_LIFE,
        };
        Ports {
            log: self.log.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            order_ids: Arc::new(SimulatedNumbers::new(Arc::clone(&self.numbers[slot]), chance.clone(), weather.clone())),
            catalogue: Arc::new(SimulatedCatalogue::new(catalogue, chance.clone(), weather.clone())),
            person_keys: Arc::new(MemoryPersonKeys::new(self.ids.clone())),
            inbox: Arc::new(SimulatedInbox::new(inbox, chance.clone(), weather.clone())),
            statements: Arc::new(MemoryStatementBook::default()),
            channels: Channels::default().with(Channel::AlipayQr, configured),
        }
    }

    fn follower<P: Projector>(&self, rows: Arc<dyn ViewStore<P::Row>>) -> Arc<dyn Follower> {
        let log: Arc<dyn LogReader> = self.log.clone();
        let rows = SimulatedView::new(rows, self.chance.clone(), self.weather.clone());
        let effect = Projection::<P, SimulatedView<P::Row>>::new(rows);
        Arc::new(FeedFollower::new(Arc::new(LogFeed::new(log, P::wanted())), Arc::new(effect)))
    }
}

/// One process: what it holds in memory is lost when it dies.
pub(crate) struct Process {
    pub(crate) commands: Commands,
    pub(crate) followers: Vec<Arc<dyn Follower>>,
    pub(crate) manager: Arc<OrderUpkeep>,
    pub(crate) assignments: Arc<Assignments>,
}

impl Process {
    /// A fresh process in this slot.
    pub(crate) fn start(slot: usize, stores: &Stores) -> Self {
        let ports = stores.ports(slot);
        let log: Arc<dyn LogReader> = stores.log.clone();
        let commands = Commands::new(ports, CommandConfig { order_life: ORDER_LIFE, coupon: coupon_rule() });
        let todo = SimulatedTodo::new(Arc::clone(&stores.todo), stores.chance.clone(), stores.weather.clone());
        let leases = SimulatedLeases::new(Arc::clone(&stores.leases), stores.chance.clone(), stores.weather.clone());
        let feed = Arc::new(LogFeed::new(Arc::clone(&log), OrderUpkeep::events()));
        let (todo, leases, holder) = (Arc::new(todo), Arc::new(leases), format!("process-{slot}"));
        let decided = Arc::new(LogFeed::new(log, Assignments::events()));
        let decisions = SimulatedAssignments::new(Arc::clone(&stores.assignments), stores.chance.clone(), stores.weather.clone());
        let same_leases = Arc::clone(&leases) as Arc<dyn Leases>;
        let assignments = Assignments::new(commands.clone(), decided, Arc::new(decisions), same_leases, holder.clone());
        let manager = OrderUpkeep::new(commands.clone(), feed, todo, leases, holder, AttemptPatience(PATIENCE));
        let followers = vec![
            stores.follower::<Orders>(Arc::new(stores.views.orders.clone())),
            stores.follower::<PayRecords>(Arc::new(stores.views.pay_records.clone())),
            stores.follower::<CourseSelections>(Arc::clone(&stores.selections)),
            stores.follower::<SurplusPayments>(Arc::new(stores.views.surplus_payments.clone())),
            stores.follower::<Points>(Arc::new(stores.views.points.clone())),
            stores.follower::<Stocks>(Arc::new(stores.views.stock.clone())),
            stores.follower::<Coupons>(Arc::new(stores.views.coupons.clone())),
        ];
        Self { commands, followers, manager: Arc::new(manager), assignments: Arc::new(assignments) }
    }
}

/// What each payment earns: more than one mug costs, less than two.
fn coupon_rule() -> Option<CouponRule> {
    let (discount_amount, least_amount) = (MinorUnits::new(3000).ok()?, MinorUnits::new(2000).ok()?);
    Some(CouponRule { discount_amount, least_amount, life: TimeDelta::days(40) })
}

/// Ids of requests from outside.
pub(crate) fn correlation_id(ids: &SeededIds) -> uuid::Uuid {
    ids.event_id()
}
