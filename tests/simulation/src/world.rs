//! The simulated world: processes, tasks, the people outside, and what they were told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chassis::clock::{Clock, ManualClock};
use chrono::{DateTime, TimeDelta, Utc};
use command_api::{Caller, CommandFailure, NoticeVerdict};
use domain::order::{Order, OrderStreamEvent};
use domain::{Decider, OrderId, SelectionId};
use event_store::{LogReader, Position, lineage};
use followers::Follower;
use futures_util::FutureExt;
use uuid::Uuid;

use crate::broken::{Broken, check};
use crate::delivery::Delivery;
use crate::ledger::{Ledger, Outside};
use crate::ports::{Alipay, Notice, NoticeKind};
use crate::process::{PROCESSES, Process, Seams, Stores, correlation_id};
use crate::promises::Promises;
use crate::shop;
use crate::wishes::{Answer, Wish, Work, perform};

/// What a task is there for.
pub(crate) enum Purpose {
    /// Somebody outside waits for it.
    Wish {
        wish: Box<Wish>,
        /// Money that the channel held when it began.
        captured_before: Option<String>,
    },
    /// Its process does it by itself.
    Own,
}

/// Something under way.
struct Task {
    slot: usize,
    purpose: Purpose,
    work: Work,
}

/// How many actions the trace holds.
const TRACED: usize = 60;
/// The most wishes that wait to be sent again.
const MOST_RETRIES: usize = 40;
/// More polls than any work takes where nothing fails.
const ENDLESS_POLLS: usize = 200_000;

/// All of it.
pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) processes: Vec<Process>,
    tasks: Vec<Task>,
    pub(crate) delivery: Delivery,
    pub(crate) ledger: Ledger,
    pub(crate) promises: Promises,
    /// Wishes that were not answered, or not well: whoever wished sends them again.
    pub(crate) retries: Vec<Wish>,
    /// Wishes with keys, to be repeated.
    pub(crate) keyed: Vec<Wish>,
    pub(crate) selections: Vec<(domain::BuyerId, SelectionId)>,
    pub(crate) orders: Vec<(Caller, OrderId)>,
    pub(crate) steps: u64,
    pub(crate) latest: DateTime<Utc>,
    pub(crate) simulated: TimeDelta,
    pub(crate) actions: BTreeMap<&'static str, u64>,
    pub(crate) trace: VecDeque<String>,
    /// The length of the log when the views were last made again.
    pub(crate) rebuilt_at: usize,
    pub(crate) keys_made: u64,
}

impl World {
    pub(crate) fn new(start_s: i64, seed: u64, seams: Seams) -> Result<Self, Broken> {
        let start = DateTime::from_timestamp(start_s, 0).unwrap_or_default();
        let clock = Arc::new(ManualClock::new(start));
        let alipay = Alipay::new(clock.clone());
        Self::over(Stores::new(seed, clock, alipay, seams), start)
    }

    /// The same over these stores.
    pub(crate) fn over(stores: Stores, start: DateTime<Utc>) -> Result<Self, Broken> {
        shop::open(&stores.catalogue, start)?;
        begin_lineage(&stores)?;
        let processes = (0..PROCESSES).map(|slot| Process::start(slot, &stores)).collect();
        let delivery = Delivery::new(stores.seed, stores.memory.clone(), start);
        Ok(Self {
            delivery,
            stores,
            processes,
            tasks: Vec::new(),
            ledger: Ledger::default(),
            promises: Promises::default(),
            retries: Vec::new(),
            keyed: Vec::new(),
            selections: Vec::new(),
            orders: Vec::new(),
            steps: 0,
            latest: start,
            simulated: TimeDelta::zero(),
            actions: BTreeMap::new(),
            trace: VecDeque::new(),
            rebuilt_at: 0,
            keys_made: 0,
        })
    }

    /// Notes what is done in this step.
    pub(crate) fn note(&mut self, action: &'static str, detail: impl FnOnce() -> String) {
        *self.actions.entry(action).or_default() += 1;
        if self.trace.len() == TRACED {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>6} {} {action}: {}", self.steps, self.stores.clock.now().format("%d %H:%M:%S%.3f"), detail()));
    }

    /// Notes what came of something, beside the action itself.
    fn note_answer(&mut self, slot: usize, text: &str) {
        if let Some(last) = self.trace.back_mut() {
            last.push_str("\n           process ");
            last.push_str(&slot.to_string());
            last.push_str(": ");
            last.push_str(text);
        }
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, by: TimeDelta) {
        self.stores.clock.advance(by);
        self.latest = self.latest.max(self.stores.clock.now());
        self.simulated += by.max(TimeDelta::zero());
    }

    /// A process at random.
    pub(crate) fn slot(&self) -> usize {
        self.stores.chance.index(PROCESSES)
    }

    /// Sends a wish to a process.
    pub(crate) fn send(&mut self, wish: Wish) {
        let slot = self.slot();
        let correlation_id = self.correlation_of(&wish);
        let captured_before = match &wish {
            Wish::Sync { pay_no, .. } => self.stores.alipay.captured_for(&pay_no.to_string()),
            _ => None,
        };
        let commands = self.processes[slot].commands.clone();
        let work = perform(commands, wish.clone(), correlation_id, &self.stores.seams.take_notice);
        self.tasks.push(Task { slot, purpose: Purpose::Wish { wish: Box::new(wish), captured_before }, work });
    }

    fn correlation_of(&mut self, wish: &Wish) -> Uuid {
        let correlation_id = correlation_id(&self.stores.ids);
        if let Wish::Notice(Notice { kind: NoticeKind::Forged(_), .. }) = wish {
            self.ledger.forged.insert(correlation_id);
        }
        correlation_id
    }

    /// Lets a process do one run of a follower of its own.
    pub(crate) fn follow(&mut self, slot: usize, follower: Arc<dyn Follower>) {
        let work: Work = Box::pin(async move { Answer::Followed(follower.run_once().await) });
        self.tasks.push(Task { slot, purpose: Purpose::Own, work });
    }

    /// How much is under way.
    pub(crate) fn under_way(&self) -> usize {
        self.tasks.len()
    }

    /// Polls one task at random; its answer is checked if it has one.
    pub(crate) fn poll_one(&mut self) -> Result<(), Broken> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let index = self.stores.chance.index(self.tasks.len());
        let polled = self.tasks[index].work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.stores.witness.heard()?;
        let Poll::Ready(answer) = polled else { return Ok(()) };
        let task = self.tasks.swap_remove(index);
        self.catch_up_ledger()?;
        self.answered(task, &answer)
    }

    /// Polls until nothing is under way.
    pub(crate) fn drain(&mut self) -> Result<(), Broken> {
        for _ in 0..ENDLESS_POLLS {
            if self.tasks.is_empty() {
                return Ok(());
            }
            self.poll_one()?;
        }
        Err(Broken::new("what is begun ends", format!("{} tasks are still under way", self.tasks.len())))
    }

    fn answered(&mut self, task: Task, answer: &Answer) -> Result<(), Broken> {
        let shown = format!("{answer:?}");
        let slot = task.slot;
        match task.purpose {
            Purpose::Own => {
                self.note_answer(slot, &shown);
                Promises::own_work(answer)
            }
            Purpose::Wish { wish, captured_before } => {
                self.note_answer(slot, &format!("{}: {shown}", wish.describe()));
                self.promises.check(&wish, answer, captured_before.as_deref(), &self.ledger)?;
                self.learn(*wish, answer);
                Ok(())
            }
        }
    }

    /// What the people outside, and the channel, make of an answer.
    fn learn(&mut self, wish: Wish, answer: &Answer) {
        let chance = self.stores.chance.clone();
        match (wish, answer) {
            (Wish::Select { buyer, .. }, Answer::Selected(created)) => {
                if let Ok(selection_id) = created.resource_id.parse() {
                    self.selections.push((buyer, selection_id));
                }
            }
            (Wish::Order { caller, .. }, Answer::Ordered(created)) => {
                if let Ok(order_id) = created.resource_id.parse() {
                    self.orders.push((caller, order_id));
                }
            }
            (Wish::Renew { order_id, .. }, Answer::Renewed(renewed)) => {
                let owner = self.owner(order_id);
                self.orders.push((owner, renewed.order_id));
            }
            (Wish::Notice(notice), Answer::Noticed(verdict, reply)) => {
                let is_stray = notice.kind == NoticeKind::Stray && *verdict != NoticeVerdict::Unconfirmed;
                let ladder_ends = is_stray && chance.one_in(3);
                let is_heard = reply.body == crate::ports::SUCCESS && !chance.one_in(10);
                if is_heard || ladder_ends {
                    self.stores.alipay.settle_notice(&notice.content.notify_id);
                }
            }
            // The channel sends its notifications again by itself.
            (Wish::Notice(_), _) => {}
            (wish, Answer::Failed(failure)) if may_pass(failure) => self.regret(wish),
            _ => {}
        }
    }

    fn regret(&mut self, wish: Wish) {
        if self.retries.len() < MOST_RETRIES && self.stores.chance.per_mille(700) {
            self.retries.push(wish);
        }
    }

    fn dropped(&mut self, task: Task) {
        if let Purpose::Wish { wish, .. } = task.purpose
            && !matches!(*wish, Wish::Notice(_))
        {
            self.regret(*wish);
        }
    }

    /// Drops one task at whatever await it stands; answers in which process.
    pub(crate) fn crash_task(&mut self) -> Option<usize> {
        if self.tasks.is_empty() {
            return None;
        }
        let task = self.tasks.swap_remove(self.stores.chance.index(self.tasks.len()));
        let slot = task.slot;
        self.dropped(task);
        Some(slot)
    }

    /// Kills a process with all that is under way in it, and starts it again.
    pub(crate) fn crash_process(&mut self, slot: usize) -> usize {
        let tasks = std::mem::take(&mut self.tasks);
        let (lost, kept): (Vec<Task>, Vec<Task>) = tasks.into_iter().partition(|task| task.slot == slot);
        self.tasks = kept;
        let count = lost.len();
        for task in lost {
            self.dropped(task);
        }
        self.processes[slot] = Process::start(slot, &self.stores);
        self.delivery.crash(slot);
        count
    }

    /// The to-do list is thrown away while every process is down: it is made again from the log.
    pub(crate) fn lose_todo(&mut self) {
        self.stores.forget_todo();
        for slot in 0..PROCESSES {
            self.crash_process(slot);
        }
    }

    /// An order as the log has it now.
    pub(crate) fn order_on_log(&self, order_id: OrderId) -> Option<Order> {
        let stream_id = command_api::streams::order(order_id);
        let events = self.stores.memory.read_stream(&stream_id, 0, usize::MAX).now_or_never()?.ok()?;
        events.iter().try_fold(Order::default(), |order, event| {
            let event = OrderStreamEvent::from_stored(&event.event_type, event.schema_version, &event.data).ok()?;
            Some(Order::evolve(order, &event))
        })
    }

    /// Takes what has come to the log since, and checks it.
    pub(crate) fn catch_up_ledger(&mut self) -> Result<(), Broken> {
        let after = Position::new(self.ledger.position()).unwrap_or_default();
        let read = self.stores.memory.read_all(after, usize::MAX).now_or_never();
        let Some(Ok(events)) = read else { return Err(Broken::new("the memory's log answers at once", "it did not")) };
        self.ledger.take(&events, &Outside { alipay: &self.stores.alipay, latest: self.latest })
    }

    /// What must hold after every step.
    pub(crate) fn check_step(&mut self) -> Result<(), Broken> {
        self.stores.witness.heard()?;
        self.catch_up_ledger()?;
        let (seen, promised) = (self.ledger.position(), self.promises.furthest());
        check(promised <= seen, "what was answered is on the log", || format!("position {promised} of {seen}"))
    }
}

/// A log says which history it is before anything else; the relay asks for it.
fn begin_lineage(stores: &Stores) -> Result<(), Broken> {
    let begun = lineage::ensure(stores.memory.as_ref(), Uuid::from_u128(1)).now_or_never();
    match begun {
        Some(Ok(_)) => Ok(()),
        other => Err(Broken::new("the memory's log has a lineage", format!("{other:?}"))),
    }
}

/// Whether asking again may help.
fn may_pass(failure: &CommandFailure) -> bool {
    matches!(
        failure,
        CommandFailure::ChannelUnavailable
            | CommandFailure::ChannelRefused { .. }
            | CommandFailure::InProgress
            | CommandFailure::Contended(_)
            | CommandFailure::Append(_)
            | CommandFailure::Read(_)
            | CommandFailure::Storefront(_)
            | CommandFailure::OrderId(_)
            | CommandFailure::Inbox(_)
    )
}
