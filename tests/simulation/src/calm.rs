//! Now and then all faults end and everything is let come to rest: what must be true then is more than after a step. In a
//! long rest days pass too, after which nothing may be left hanging.

mod long;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use chassis::clock::Clock;
use chrono::TimeDelta;
use futures_util::FutureExt;

use crate::broken::{Broken, check};
use crate::ports::{Notice, NoticeKind};
use crate::process::PATIENCE;
use crate::wishes::Wish;
use crate::world::World;

/// How often the channel repeats a notification in the calm before that counts as refused for good. An acknowledgement
/// is lost at times.
const LADDER: usize = 6;
/// Runs of a follower that bring it to the log's end, beside those that the log's length asks for.
const SPARE_RUNS: usize = 40;
/// The fewest events, or orders, that a follower takes in a run.
const LEAST_PAGE: usize = 50;

/// How long everything is let rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// As long as it takes what was begun to end.
    Short,
    /// Until the channels have been asked all that they will ever be asked.
    Long,
}

impl World {
    /// Lets everything come to rest, and checks what must be true then.
    pub(crate) fn come_to_rest(&mut self, rest: Rest) -> Result<(), Broken> {
        self.note("calm", || format!("{rest:?}"));
        self.stores.weather.calm();
        self.drain()?;
        self.stores.log.arrive();
        self.stores.alipay.arrive();
        self.deliver_all()?;
        self.advance(PATIENCE + TimeDelta::seconds(20));
        self.manage_all()?;
        if rest == Rest::Long {
            self.let_days_pass()?;
        }
        self.ask_about_unheard()?;
        if rest == Rest::Long {
            self.let_an_hour_pass()?;
        }
        self.run_followers()?;
        self.delivery.come_to_rest()?;
        self.check_step()?;
        self.check_money()?;
        self.check_inbox()?;
        self.check_views()?;
        if rest == Rest::Long {
            self.check_nothing_hangs()?;
        }
        if self.ledger.len() > self.rebuilt_at + self.rebuilt_at / 2 {
            self.check_rebuild()?;
        }
        self.stores.weather.resume();
        Ok(())
    }

    pub(crate) fn deliver_all(&mut self) -> Result<(), Broken> {
        for _ in 0..LADDER {
            let owed = self.stores.alipay.owed();
            for notice in owed {
                self.send(Wish::Notice(notice));
                self.drain()?;
            }
        }
        let unheard = self.stores.alipay.owed().into_iter().find(|notice| !is_unbelievable(notice));
        check(unheard.is_none(), "a genuine notification is acknowledged in the end", || format!("{unheard:?}"))
    }

    /// The process managers do all that is due now.
    pub(crate) fn manage_all(&mut self) -> Result<(), Broken> {
        let slot = self.slot();
        let runs = SPARE_RUNS + (self.ledger.len() + self.ledger.orders.len()) / LEAST_PAGE;
        for _ in 0..runs {
            let manager = self.processes[slot].manager.clone();
            self.follow(slot, manager.clone());
            self.drain()?;
            let assignments = self.processes[slot].assignments.clone();
            self.follow(slot, assignments.clone());
            self.drain()?;
            let managers: [Arc<dyn followers::Follower>; 2] = [manager, assignments];
            let mut is_caught_up = true;
            for manager in &managers {
                is_caught_up &= Self::blocking(manager.lag())?.is_ok_and(|lag| lag.events == 0);
            }
            if is_caught_up && self.due(TimeDelta::zero())? == 0 {
                return Ok(());
            }
        }
        let due = self.stores.todo.due(self.stores.clock.now(), 3).now_or_never();
        Err(Broken::new("what is due is done", format!("after {runs} runs this is still due: {due:?}")))
    }

    /// How many orders and moneys are on the to-do lists for the time from now on that `within` names.
    pub(crate) fn due(&self, within: TimeDelta) -> Result<usize, Broken> {
        let until = self.stores.clock.now() + within;
        let orders = self.stores.todo.due(until, u32::MAX).now_or_never();
        match (orders, self.stores.assignments.due(until, u32::MAX).now_or_never()) {
            (Some(Ok(orders)), Some(Ok(moneys))) => Ok(orders.len() + moneys.len()),
            _ => Err(Broken::new("the memory's to-do list answers at once", "it did not")),
        }
    }

    /// Buyers whose payment nobody tells of say that they have paid.
    fn ask_about_unheard(&mut self) -> Result<(), Broken> {
        let captures = self.stores.alipay.captures();
        let unheard = captures.iter().filter(|(trade_no, held)| held.is_deaf && !self.ledger.trades.contains_key(*trade_no));
        let numbers: Vec<_> = unheard.filter_map(|(_, held)| held.out_trade_no.parse::<domain::PayNo>().ok()).collect();
        for pay_no in numbers {
            let caller = self.owner(pay_no.order_id());
            self.send(Wish::Sync { caller, pay_no, key: None });
            self.drain()?;
        }
        Ok(())
    }

    fn run_followers(&mut self) -> Result<(), Broken> {
        let slot = self.slot();
        for follower in self.processes[slot].followers.clone() {
            for _ in 0..SPARE_RUNS + self.ledger.len() / LEAST_PAGE {
                self.follow(slot, Arc::clone(&follower));
                self.drain()?;
                let lag = follower.lag();
                if Self::blocking(lag)?.is_ok_and(|lag| lag.events == 0) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Polls a future of a port until it is done.
    fn blocking<T>(future: impl Future<Output = T>) -> Result<T, Broken> {
        const MOST_POLLS: usize = 100_000;
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..MOST_POLLS {
            if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return Ok(done);
            }
        }
        Err(Broken::new("what is begun ends", "a read of a port"))
    }

    fn check_money(&self) -> Result<(), Broken> {
        let captures = self.stores.alipay.captures();
        let missing = captures.iter().find(|(trade_no, _)| !self.ledger.trades.contains_key(*trade_no));
        check(missing.is_none(), "money that the channel holds is on the log", || format!("{missing:?}"))
    }

    fn check_inbox(&self) -> Result<(), Broken> {
        let kept: BTreeSet<String> = self.stores.inbox.kept().into_iter().filter_map(|notice| notice.notify_id).collect();
        let lost = self.promises.notices().difference(&kept).next();
        check(lost.is_none(), "a notification that was answered is kept", || format!("{lost:?}"))
    }
}

/// What no process can acknowledge.
fn is_unbelievable(notice: &Notice) -> bool {
    notice.kind != NoticeKind::Genuine
}
