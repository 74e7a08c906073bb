use chrono::TimeDelta;

use super::World;
use crate::broken::{Broken, check};
use crate::ledger::{Stage, Standing};

/// How often ten minutes pass: longer than an order can be paid, its attempts closed, and each refund asked about again.
const TENS_OF_MINUTES: usize = 13;
/// Beyond all that is ever looked at again.
const FOR_EVER: TimeDelta = TimeDelta::days(36_500);

impl World {
    /// Time passes, after a down-time of days or without one, until the channels have been asked all that they will be.
    pub(super) fn let_days_pass(&mut self) -> Result<(), Broken> {
        if self.stores.chance.one_in(2) {
            let days = 1 + i64::from(self.stores.chance.below(7));
            self.advance(TimeDelta::days(days));
        }
        for _ in 0..TENS_OF_MINUTES {
            self.rest_for(TimeDelta::minutes(10))?;
            self.check_found_soon()?;
        }
        for _ in 0..2 {
            self.rest_for(TimeDelta::hours(25))?;
        }
        self.check_found_by_asking()
    }

    /// What buyers told of is dealt with.
    pub(super) fn let_an_hour_pass(&mut self) -> Result<(), Broken> {
        (0..6).try_for_each(|_| self.rest_for(TimeDelta::minutes(10)))
    }

    fn rest_for(&mut self, by: TimeDelta) -> Result<(), Broken> {
        self.advance(by);
        self.deliver_all()?;
        self.manage_all()
    }

    /// While an order can be paid, its channel is asked every ten minutes at the least.
    fn check_found_soon(&self) -> Result<(), Broken> {
        let open = self.ledger.orders.values().filter(|order| order.stage == Stage::Open);
        for (pay_no, record) in open.flat_map(|order| &order.records).filter(|(_, record)| record.word == "pending") {
            let trade_no = self.stores.alipay.captured_for(pay_no);
            let is_found = trade_no.as_ref().is_none_or(|trade_no| self.ledger.trades.contains_key(trade_no));
            check(is_found, "a payment that nobody tells of is found within ten minutes", || {
                format!("{trade_no:?} of {pay_no}: {record:?}")
            })?;
        }
        Ok(())
    }

    /// A payment that no notification tells of is found by asking, unless the wait for it was given up: then it is asked
    /// about twice more, which may fail.
    fn check_found_by_asking(&self) -> Result<(), Broken> {
        for (trade_no, held) in self.stores.alipay.captures() {
            let order = held.out_trade_no.get(..held.out_trade_no.len().saturating_sub(2)).and_then(|id| self.ledger.orders.get(id));
            let Some(record) = order.and_then(|order| order.records.get(&held.out_trade_no)) else { continue };
            let is_found = self.ledger.trades.contains_key(&trade_no) || record.proof == "unproven";
            check(is_found, "a payment that nobody tells of is found by asking", || format!("{trade_no} {held:?}: {record:?}"))?;
        }
        Ok(())
    }

    /// Every order, attempt, late payment and refund has come to its end, and so has the list of what is to be done.
    pub(super) fn check_nothing_hangs(&mut self) -> Result<(), Broken> {
        for (order_id, order) in &self.ledger.orders {
            let is_over = !matches!(order.stage, Stage::Open | Stage::Closing);
            check(is_over, "every order is paid or ends", || format!("{order_id}: {order:?}"))?;
            let live = order.records.iter().find(|(_, record)| record.is_live());
            check(live.is_none(), "every attempt ends", || format!("{live:?}"))?;
            let open = order.refunds.iter().find(|(_, refund)| matches!(refund.word, "requested" | "processing"));
            check(open.is_none(), "every refund ends or needs an operator", || format!("{open:?}"))?;
        }
        self.ledger.check_stock_at_rest()?;
        self.ledger.check_coupons_at_rest(self.latest)?;
        self.ledger.check_unknown_at_rest()?;
        self.check_late()?;
        self.check_asked_on()?;
        self.check_given_back()?;
        check(self.due(FOR_EVER)? == 0, "the to-do list comes to its end", || format!("{:?}", self.due(FOR_EVER)))?;
        self.check_todo_again()
    }

    /// Of an attempt that ended without proof the channel is asked once more at the least.
    fn check_asked_on(&self) -> Result<(), Broken> {
        let records = self.ledger.orders.values().flat_map(|order| &order.records);
        for (pay_no, record) in records.filter(|(_, record)| record.word == "closed" && record.proof == "unproven") {
            let asked_at = self.stores.alipay.asked_at(pay_no);
            let is_asked = asked_at > record.closed_at;
            check(is_asked, "asking goes on after an end without proof", || format!("{pay_no}: {asked_at:?}, {record:?}"))?;
        }
        Ok(())
    }

    /// Each late payment was taken, or goes back.
    fn check_late(&self) -> Result<(), Broken> {
        let late = self.ledger.trades.iter().filter(|(_, standing)| **standing == Standing::Late);
        let refunds = || self.ledger.orders.values().flat_map(|order| order.refunds.values());
        let open = late.map(|(trade_no, _)| trade_no).find(|trade_no| !refunds().any(|refund| refund.trade_no == **trade_no));
        check(open.is_none(), "each late payment is taken or goes back", || format!("{open:?}"))
    }

    /// What went back on the log is what went back at the channel.
    fn check_given_back(&self) -> Result<(), Broken> {
        for (trade_no, held) in self.stores.alipay.captures() {
            let pay_no = self.ledger.pay_no_of(&trade_no, &held.out_trade_no);
            let order_id = &pay_no[..pay_no.len().saturating_sub(2)];
            let Some(order) = self.ledger.orders.get(order_id) else { continue };
            // Of what somebody gives back of a stray capture its notifications alone tell, and their ladder ends.
            if self.ledger.unknown.contains_key(&trade_no) && self.stores.alipay.gave_back_by_hand(&trade_no) > 0 {
                continue;
            }
            // Of what was made after it was refused for the moment, a channel whose notifications never arrive tells only
            // whoever asks again, and that is the operator.
            let stuck = order.refunds.iter().filter(|(_, refund)| held.is_deaf && refund.word == "needs_operator");
            let untold: i64 = stuck.filter_map(|(refund_no, _)| self.stores.alipay.gave_back_under(&trade_no, refund_no)).sum();
            // Nobody can tell whether a refund that an operator settled was the one made by hand at the channel.
            let settled = order.refunds.values().filter(|refund| refund.is_settled && refund.trade_no == trade_no);
            let settled: i64 = settled.map(|refund| refund.amount_minor).sum();
            let (ours, theirs) = (self.ledger.given_back(order_id, &trade_no), self.stores.alipay.gave_back(&trade_no));
            let is_told = (ours + untold..=ours + untold + settled).contains(&theirs);
            check(is_told, "what went back on the log went back at the channel, and no less", || {
                format!("{trade_no} of {}: {ours} on the log, {theirs} at the channel, {:?}", held.out_trade_no, order.refunds)
            })?;
        }
        Ok(())
    }

    /// The to-do list can be thrown away and made again: nothing is done twice.
    fn check_todo_again(&mut self) -> Result<(), Broken> {
        let before = self.ledger.len();
        self.lose_todo();
        self.manage_all()?;
        // Whether its own code was paid too is asked once more of a record that other money has settled: the list made again
        // does not know that it was, until the next look.
        self.advance(TimeDelta::hours(1));
        self.manage_all()?;
        self.check_step()?;
        let (after, due) = (self.ledger.len(), self.due(FOR_EVER)?);
        check(before == after && due == 0, "a to-do list that is made again asks for nothing that was done", || {
            format!("{} new events, {due} orders on it", after - before)
        })
    }
}
