//! Now and then all faults end and everything is let come to rest: what must be true then is more than after a step.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use event_store::LogReader;
use futures_util::FutureExt;
use projections::{MemoryViews, SelectionRow};

use crate::broken::{Broken, check};
use crate::ledger::Stage;
use crate::ports::{Notice, NoticeKind};
use crate::process::PATIENCE;
use crate::wishes::Wish;
use crate::world::World;

/// How often the channel repeats a notification in the calm before that counts as refused for good. An acknowledgement
/// is lost at times.
const LADDER: usize = 6;
/// Runs of a follower that bring it to the log's end, beside those that the log's length asks for.
const SPARE_RUNS: usize = 40;
/// The fewest events that a follower takes in a run.
const LEAST_PAGE: usize = 100;

impl World {
    /// Lets everything come to rest, and checks what must be true then.
    pub(crate) fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.note("calm", String::new);
        self.stores.weather.calm();
        self.drain()?;
        self.stores.log.arrive();
        self.stores.alipay.arrive();
        self.deliver_all()?;
        self.finish_attempts()?;
        self.ask_about_unheard()?;
        self.run_followers()?;
        self.check_step()?;
        self.check_money()?;
        self.check_inbox()?;
        self.check_attempts()?;
        self.check_views()?;
        if self.ledger.len() > self.rebuilt_at + self.rebuilt_at / 2 {
            self.check_rebuild()?;
        }
        self.stores.weather.resume();
        Ok(())
    }

    fn deliver_all(&mut self) -> Result<(), Broken> {
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

    /// The process manager takes up every attempt without an outcome.
    fn finish_attempts(&mut self) -> Result<(), Broken> {
        self.advance(PATIENCE + TimeDelta::seconds(10));
        for _ in 0..SPARE_RUNS + self.ledger.len() / LEAST_PAGE {
            let slot = self.slot();
            let manager = self.processes[slot].manager.clone();
            self.follow(slot, manager);
            self.drain()?;
            if self.unfinished().is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn unfinished(&self) -> Option<String> {
        let records = self.ledger.orders.values().flat_map(|order| &order.records);
        records.filter(|(_, word)| **word == "preparing").map(|(pay_no, _)| pay_no.clone()).next()
    }

    fn check_attempts(&self) -> Result<(), Broken> {
        let unfinished = self.unfinished();
        check(unfinished.is_none(), "no attempt stays without an outcome", || format!("{unfinished:?}"))
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
        let (kept, answered) = (self.stores.inbox.kept().len(), self.promises.notices());
        check(kept >= answered, "a notification that was answered is kept", || format!("{kept} of {answered}"))
    }

    fn check_views(&self) -> Result<(), Broken> {
        let orders = self.stores.views.orders.rows();
        check(orders.len() == self.ledger.orders.len(), "the view has every order", || orders.len().to_string())?;
        for row in &orders {
            let order = self.ledger.orders.get(&row.order_id);
            let what = || format!("{} is {}, {order:?}", row.order_id, row.status);
            check(order.is_some_and(|order| order.stage.word() == row.status), "the view shows how each order stands", what)?;
            let paid = order.is_some_and(|order| order.stage == Stage::Paid);
            check(paid == (row.payment_status == "paid"), "the view shows what was paid", what)?;
        }
        for row in self.stores.views.pay_records.rows() {
            let order = self.ledger.orders.get(&row.order.order_id);
            let shown = row.records.iter().map(|(pay_no, record)| (pay_no.as_str(), record.status.as_str()));
            let told = order.iter().flat_map(|order| &order.records).map(|(pay_no, word)| (pay_no.as_str(), *word));
            let same = shown.eq(told);
            check(same, "the view shows how each pay record stands", || format!("{:?}, {order:?}", row.records))?;
        }
        self.check_course_table()
    }

    /// The course table has the row if and only if the selection was opened.
    fn check_course_table(&self) -> Result<(), Broken> {
        let rows = self.stores.views.course_selections.rows();
        let shown: BTreeSet<String> = rows.iter().filter_map(SelectionRow::course_table_row).map(|row| row.selection_id).collect();
        let opened = self.ledger.selections.iter().filter(|(_, selection)| selection.opened_at.is_some());
        let opened: BTreeSet<String> = opened.map(|(selection_id, _)| selection_id.clone()).collect();
        check(rows.len() == self.ledger.selections.len(), "the view has every selection", || rows.len().to_string())?;
        check(shown == opened, "the course table has a selection if and only if it was opened", || {
            format!("{:?}", shown.symmetric_difference(&opened).collect::<Vec<_>>())
        })
    }

    /// The views can be thrown away and made again.
    pub(crate) fn check_rebuild(&mut self) -> Result<(), Broken> {
        self.rebuilt_at = self.ledger.len();
        let (live, again) = (&self.stores.views, MemoryViews::default());
        let log: Arc<dyn LogReader> = self.stores.memory.clone();
        for follower in again.followers(&log) {
            loop {
                let progress = follower.run_once().now_or_never();
                let Some(Ok(progress)) = progress else {
                    return Err(Broken::new("a view is made again from the log", format!("{}: {progress:?}", follower.name())));
                };
                if progress.caught_up {
                    break;
                }
            }
        }
        let same = [
            live.orders.rows() == again.orders.rows(),
            live.pay_records.rows() == again.pay_records.rows(),
            live.course_selections.rows() == again.course_selections.rows(),
        ];
        check(same == [true; 3], "a view that is made again is equal", || format!("orders, pay records, selections: {same:?}"))
    }
}

/// What no process can acknowledge.
fn is_unbelievable(notice: &Notice) -> bool {
    notice.kind != NoticeKind::Genuine
}
