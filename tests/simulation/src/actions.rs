//! What happens in one step: one seeded action, and then some polls.

use chassis::clock::Clock;
use chrono::TimeDelta;

use crate::broken::Broken;
use crate::ports::{Forgery, Notice, NoticeKind};
use crate::process::PROCESSES;
use crate::shop;
use crate::weather::Place;
use crate::wishes::Wish;
use crate::world::World;

mod operators;
mod people;

/// Everything that may happen, with how often it does.
const ACTIONS: [(u32, Action); 36] = [
    (6, Action::Select),
    (9, Action::OrderSelection),
    (5, Action::OrderProduct),
    (6, Action::OrderBusiness),
    (18, Action::BeginToPay),
    (20, Action::Scan),
    (20, Action::Pay),
    (2, Action::PayAnotherAmount),
    (16, Action::DeliverNotice),
    (3, Action::ForgeNotice),
    (1, Action::WrongAmountNotice),
    (2, Action::StrayCapture),
    (3, Action::DecideOnStray),
    (1, Action::RefundStray),
    (1, Action::FinishTrade),
    (6, Action::Sync),
    (4, Action::Cancel),
    (4, Action::Refund),
    (1, Action::RefundByHand),
    (2, Action::ChooseRefund),
    (1, Action::ResolveSurplus),
    (3, Action::ChangeStock),
    (3, Action::Renew),
    (1, Action::LateStorm),
    (1, Action::LoseTodo),
    (1, Action::PastExpiry),
    (8, Action::Retry),
    (4, Action::RepeatKey),
    (11, Action::Follow),
    (7, Action::Manage),
    (2, Action::ManageAssignments),
    (10, Action::ClockOn),
    (1, Action::ClockBack),
    (3, Action::CrashTask),
    (1, Action::CrashProcess),
    (3, Action::Fault),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Select,
    OrderSelection,
    OrderProduct,
    OrderBusiness,
    BeginToPay,
    Scan,
    Pay,
    PayAnotherAmount,
    DeliverNotice,
    ForgeNotice,
    WrongAmountNotice,
    StrayCapture,
    DecideOnStray,
    RefundStray,
    FinishTrade,
    Sync,
    Cancel,
    Refund,
    RefundByHand,
    ChooseRefund,
    ResolveSurplus,
    ChangeStock,
    Renew,
    LateStorm,
    LoseTodo,
    PastExpiry,
    Retry,
    RepeatKey,
    Follow,
    Manage,
    ManageAssignments,
    ClockOn,
    ClockBack,
    CrashTask,
    CrashProcess,
    Fault,
}

/// With so much under way, tasks are polled more than they are made.
const MANY_TASKS: usize = 12;

impl World {
    /// One step.
    pub(crate) fn step(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        self.stores.weather.pass();
        let passing = i64::from(self.stores.chance.below(1500));
        self.advance(TimeDelta::milliseconds(passing));
        let action = self.draw_action();
        self.act(action)?;
        let most = if self.under_way() > MANY_TASKS { 90 } else { 24 };
        for _ in 0..self.stores.chance.below(most) {
            self.poll_one()?;
        }
        self.deliver_some(TimeDelta::milliseconds(passing))?;
        self.check_step()
    }

    /// Relay and consumers of the broker go on beside.
    fn deliver_some(&mut self, passed: TimeDelta) -> Result<(), Broken> {
        let done = self.delivery.step(passed)?;
        *self.actions.entry(done).or_default() += 1;
        Ok(())
    }

    fn draw_action(&self) -> Action {
        let total = ACTIONS.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.stores.chance.below(total);
        for (weight, action) in ACTIONS {
            match drawn.checked_sub(weight) {
                Some(left) => drawn = left,
                None => return action,
            }
        }
        Action::ClockOn
    }

    fn act(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::Select => self.select(),
            Action::OrderSelection => self.order_selection(),
            Action::OrderProduct => self.order_product()?,
            Action::OrderBusiness => self.order_business(),
            Action::BeginToPay => self.begin_to_pay(),
            Action::Scan => self.scan(),
            Action::Pay => self.pay("pay", 0),
            Action::PayAnotherAmount => self.pay("pay another amount", 1),
            Action::DeliverNotice => self.deliver_notice(),
            Action::ForgeNotice => self.forge_notice(),
            Action::WrongAmountNotice => self.wrong_amount_notice(),
            Action::StrayCapture => self.stray_capture(),
            Action::DecideOnStray => self.decide_on_stray(),
            Action::RefundStray => self.refund_stray(),
            Action::FinishTrade => self.finish_trade(),
            Action::Sync => self.sync(),
            Action::Cancel => self.cancel(),
            Action::Refund => self.refund(),
            Action::RefundByHand => self.refund_by_hand(),
            Action::ChooseRefund => self.choose_refund(),
            Action::ResolveSurplus => self.resolve_surplus(),
            Action::ChangeStock => self.change_stock(),
            Action::Renew => self.renew(),
            Action::LateStorm => self.late_storm(),
            Action::LoseTodo => self.todo_is_lost(),
            Action::PastExpiry => self.past_expiry(),
            Action::Retry => self.retry(),
            Action::RepeatKey => self.repeat_key(),
            Action::Follow => self.follow_some(),
            Action::Manage => self.manage(),
            Action::ManageAssignments => self.manage_assignments(),
            Action::ClockOn => self.clock_on(),
            Action::ClockBack => self.clock_back(),
            Action::CrashTask => self.crash_some_task(),
            Action::CrashProcess => self.crash_some_process(),
            Action::Fault => self.fault(),
        }
        Ok(())
    }

    fn deliver_notice(&mut self) {
        let owed = self.stores.alipay.owed();
        let chance = self.stores.chance.clone();
        // Any of them: late, and out of order.
        let Some(notice) = chance.pick(&owed).cloned() else { return self.note("no notice", String::new) };
        let wish = Wish::Notice(notice);
        match chance.below(10) {
            0 => self.note("notice lost", || wish.describe()),
            1 => {
                self.note("notice twice", || wish.describe());
                self.send(wish.clone());
                self.send(wish);
            }
            _ => {
                self.note("notice", || wish.describe());
                self.send(wish);
            }
        }
    }

    fn forge_notice(&mut self) {
        let chance = self.stores.chance.clone();
        let Some(out_trade_no) = chance.recent(&self.ledger.shown).cloned() else { return };
        let content = self.stores.alipay.untrue(&out_trade_no, 100);
        let forgery = Forgery::ALL[chance.index(Forgery::ALL.len())];
        let wish = Wish::Notice(Notice { kind: NoticeKind::Forged(forgery), content });
        self.note("forged notice", || wish.describe());
        self.send(wish);
    }

    fn wrong_amount_notice(&mut self) {
        let Some(out_trade_no) = self.stores.chance.recent(&self.ledger.shown).cloned() else { return };
        let content = self.stores.alipay.untrue(&out_trade_no, 1);
        let wish = Wish::Notice(Notice { kind: NoticeKind::WrongAmount, content });
        self.note("notice of a wrong amount", || wish.describe());
        self.send(wish);
    }

    fn stray_capture(&mut self) {
        let chance = self.stores.chance.clone();
        let known = chance.recent(&self.orders).map(|(_, order_id)| format!("{order_id}98"));
        let out_trade_no = match chance.below(3) {
            0 => known.unwrap_or_else(|| "not-ours".to_owned()),
            1 => format!("not-ours-{}", chance.below(1000)),
            _ => format!("77{:06}01", chance.below(1_000_000)),
        };
        // Mostly what somebody owes: it was paid under a wrong number.
        let shown = chance.recent(&self.ledger.shown).and_then(|pay_no| self.ledger.order_of(pay_no));
        let amount_minor = shown.map(|order| order.amount_minor).filter(|_| !chance.one_in(4)).unwrap_or(4200);
        let is_taken = self.stores.alipay.stray(&out_trade_no, amount_minor, chance.one_in(3));
        self.note("stray capture", || format!("{out_trade_no}: {amount_minor}, {is_taken}"));
    }

    fn finish_trade(&mut self) {
        let captures: Vec<String> = self.stores.alipay.captures().into_keys().collect();
        let Some(trade_no) = self.stores.chance.recent(&captures).cloned() else { return };
        self.note("trade is final", || trade_no.clone());
        self.stores.alipay.finish(&trade_no);
    }

    fn follow_some(&mut self) {
        let slot = self.slot();
        let followers = &self.processes[slot].followers;
        let Some(follower) = self.stores.chance.pick(followers).cloned() else { return };
        self.note("follow", || format!("{} in process {slot}", follower.name()));
        self.follow(slot, follower);
    }

    fn manage(&mut self) {
        let slot = self.slot();
        let manager = self.processes[slot].manager.clone();
        self.note("manage", || format!("order upkeep in process {slot}"));
        self.follow(slot, manager);
    }

    fn manage_assignments(&mut self) {
        let slot = self.slot();
        let manager = self.processes[slot].assignments.clone();
        self.note("manage", || format!("assignments in process {slot}"));
        self.follow(slot, manager);
    }

    fn clock_on(&mut self) {
        let chance = self.stores.chance.clone();
        let by = match chance.below(100) {
            0..60 => TimeDelta::seconds(i64::from(chance.below(30))),
            60..90 => TimeDelta::seconds(i64::from(chance.below(300))),
            90..98 => TimeDelta::minutes(i64::from(chance.below(40))),
            98 => TimeDelta::hours(i64::from(chance.below(30))),
            _ => TimeDelta::days(i64::from(chance.below(20))),
        };
        self.note("clock on", || by.to_string());
        self.advance(by);
    }

    /// The moment after which nobody can pay, or soon after it, when notifications and expiry meet.
    fn past_expiry(&mut self) {
        let by = TimeDelta::milliseconds(29 * 60_000 + i64::from(self.stores.chance.below(120_000)));
        self.note("clock past expiry", || by.to_string());
        self.advance(by);
    }

    /// The channel is away for more than a day, while the process manager asks.
    fn late_storm(&mut self) {
        if !self.stores.chance.one_in(3) {
            return;
        }
        self.stores.weather.storm(Place::Channel, 1000, 40);
        let by = TimeDelta::hours(25);
        self.note("channel away", || by.to_string());
        self.advance(by);
        self.manage();
    }

    fn todo_is_lost(&mut self) {
        // Seldom: both processes die with it.
        if !self.stores.chance.one_in(3) {
            return;
        }
        self.note("the to-do list is lost", String::new);
        self.lose_todo();
    }

    fn clock_back(&mut self) {
        let by = TimeDelta::milliseconds(i64::from(self.stores.chance.below(3000)));
        self.note("clock back", || by.to_string());
        self.advance(-by);
    }

    fn crash_some_task(&mut self) {
        let slot = self.crash_task();
        self.note("a task is dropped", || format!("in process {slot:?}"));
    }

    fn crash_some_process(&mut self) {
        let slot = self.stores.chance.index(PROCESSES);
        let lost = self.crash_process(slot);
        self.note("a process dies", || format!("{slot} with {lost} tasks"));
    }

    fn fault(&mut self) {
        let chance = self.stores.chance.clone();
        let steps = 1 + chance.below(40);
        match chance.below(8) {
            0 => {
                self.note("circuit open", || format!("for {steps} steps"));
                self.stores.weather.refuse_channel(steps);
            }
            1 | 2 => {
                self.note("given up requests arrive", String::new);
                self.stores.log.arrive();
                self.stores.alipay.arrive();
            }
            _ => {
                let place = Place::ALL[chance.index(Place::ALL.len())];
                let per_mille = [100, 400, 1000][chance.index(3)];
                self.note("storm", || format!("{place:?} {per_mille} of 1000 for {steps} steps"));
                self.stores.weather.storm(place, per_mille, steps);
            }
        }
    }

    /// The prices of the shop change.
    fn change_price(&mut self) -> Result<(), Broken> {
        let chance = self.stores.chance.clone();
        let priced = ["course-rust", "course-sql", "mug", "notes", "print"];
        let name = priced[chance.index(priced.len())];
        let price = shop::usual_price(name) + i64::from(chance.below(50));
        self.note("price", || format!("{name} {price}"));
        shop::put(&self.stores.catalogue, name, price, self.stores.clock.now())
    }
}
