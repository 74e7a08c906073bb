use serde_json::Value;

use super::{Ledger, Outside, Standing, number, text};
use crate::broken::{Broken, check};
use crate::ledger::Stage;

/// What the log says of a refund.
#[derive(Clone, Debug)]
pub(crate) struct RefundFacts {
    pub(crate) trade_no: String,
    pub(crate) amount_minor: i64,
    /// The contract's word.
    pub(crate) word: &'static str,
    /// An operator says that it was made another way than by the channel.
    pub(crate) is_settled: bool,
}

impl Ledger {
    /// What went back of a payment of this order, and what the channel gave back of that.
    fn went_back(&self, order_id: &str, trade_no: &str) -> (i64, i64) {
        let refunds = self.orders.get(order_id).into_iter().flat_map(|order| order.refunds.values());
        let done = refunds.filter(|refund| refund.trade_no == trade_no && refund.word == "succeeded");
        done.fold((0, 0), |(all, by_channel), refund| {
            (all + refund.amount_minor, by_channel + if refund.is_settled { 0 } else { refund.amount_minor })
        })
    }

    /// What the log says that the channel gave back of a payment.
    pub(crate) fn given_back(&self, order_id: &str, trade_no: &str) -> i64 {
        self.went_back(order_id, trade_no).1
    }

    pub(super) fn take_refund_event(
        &mut self,
        order_id: &str,
        event_type: &str,
        data: &Value,
        outside: &Outside<'_>,
    ) -> Result<(), Broken> {
        let refund_no = text(data, "refund_no");
        match event_type {
            "RefundRequested" => {
                self.owed.remove(&(text(data, "trade_no"), "RefundRequested"));
                self.may_go_back(order_id, data, outside)?;
                self.refund_begins(order_id, data, "requested")
            }
            "RefundObserved" => {
                let trade_no = text(data, "trade_no");
                self.owed.insert((refund_no, "RefundSucceeded"));
                let by_hand = outside.alipay.gave_back_by_hand(&trade_no);
                let observed = number(data, "amount");
                check(by_hand >= observed, "a refund is observed only where one was made by hand", || {
                    format!("{trade_no}: {observed} of {by_hand}")
                })?;
                self.refund_begins(order_id, data, "processing")
            }
            "RefundSettled" => {
                self.owed.insert((refund_no.clone(), "RefundSucceeded"));
                self.refund(order_id, &refund_no)?.is_settled = true;
                Ok(())
            }
            "RefundSucceeded" => self.take_succeeded(order_id, &refund_no, data, outside),
            "RefundAccepted" => self.refund_moves(order_id, &refund_no, &["requested"], "processing"),
            "RefundFailed" => self.refund_moves(order_id, &refund_no, &["requested", "processing", "needs_operator"], "failed"),
            "RefundNeedsOperator" => self.refund_moves(order_id, &refund_no, &["requested", "processing"], "needs_operator"),
            "RefundRetried" => self.refund_moves(order_id, &refund_no, &["needs_operator"], "requested"),
            "SurplusResolved" => {
                let trade_no = text(data, "trade_no");
                let standing = self.trades.get(&trade_no).copied();
                let is_unowed = matches!(standing, Some(Standing::Surplus | Standing::Late));
                check(is_unowed, "only money that is not owed is dealt with by hand", || format!("{trade_no}: {standing:?}"))
            }
            _ => Ok(()),
        }
    }

    fn refund(&mut self, order_id: &str, refund_no: &str) -> Result<&mut RefundFacts, Broken> {
        let refund = self.order(order_id)?.refunds.get_mut(refund_no);
        refund.ok_or_else(|| Broken::new("a refund is requested before anything happens to it", refund_no))
    }

    fn refund_moves(&mut self, order_id: &str, refund_no: &str, from: &[&str], to: &'static str) -> Result<(), Broken> {
        let refund = self.refund(order_id, refund_no)?;
        check(from.contains(&refund.word), "a refund moves only forward", || format!("{refund_no} to {to}: {refund:?}"))?;
        refund.word = to;
        Ok(())
    }

    fn refund_begins(&mut self, order_id: &str, data: &Value, word: &'static str) -> Result<(), Broken> {
        let (refund_no, amount_minor) = (text(data, "refund_no"), number(data, "amount"));
        let order = self.order(order_id)?;
        let next = format!("{order_id}R{:02}", order.refunds.len() + 1);
        check(refund_no == next, "refunds are numbered one after the other", || format!("{refund_no}, not {next}"))?;
        check(amount_minor > 0, "a refund gives something back", || refund_no.clone())?;
        let facts = RefundFacts { trade_no: text(data, "trade_no"), amount_minor, word, is_settled: false };
        order.refunds.insert(refund_no, facts);
        Ok(())
    }

    /// What is not owed goes back whole and once; of what paid the order never more than was paid.
    fn may_go_back(&mut self, order_id: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let (trade_no, amount, cause) = (text(data, "trade_no"), number(data, "amount"), text(data, "cause"));
        let standing = self.trades.get(&trade_no).copied();
        let held = outside.alipay.captured(&trade_no).map_or(0, |held| held.amount_minor);
        let order = self.order(order_id)?;
        let what = || format!("{trade_no}: {amount} of {held}, {cause}, {standing:?}, {:?}", order.refunds);
        let others = order.refunds.values().filter(|refund| refund.trade_no == trade_no);
        if cause == "operator" {
            check(standing == Some(Standing::Confirmed), "an operator gives back what paid the order", what)?;
            let reserved: i64 = others.filter(|refund| refund.word != "failed").map(|refund| refund.amount_minor).sum();
            return check(reserved + amount <= held, "no more is to go back than was taken", what);
        }
        let expected = if cause == "late" { Standing::Late } else { Standing::Surplus };
        check(standing == Some(expected), "only what is not owed goes back by itself", what)?;
        check(cause != "late" || matches!(order.stage, Stage::Expired | Stage::Paid), "only an expired order was paid late", what)?;
        check(held == amount, "a refund gives back what was taken", what)?;
        check(others.count() == 0, "a capture goes back once", what)
    }

    fn take_succeeded(&mut self, order_id: &str, refund_no: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        self.owed.remove(&(refund_no.to_owned(), "RefundSucceeded"));
        let refund = self.refund(order_id, refund_no)?;
        let what = || format!("{refund_no}: {refund:?}");
        check(refund.word != "succeeded", "a refund succeeds once", what)?;
        check(refund.amount_minor == number(data, "refund_amount"), "what went back is what was requested", what)?;
        refund.word = "succeeded";
        let (trade_no, is_settled) = (refund.trade_no.clone(), refund.is_settled);
        let (all, by_channel) = self.went_back(order_id, &trade_no);
        let what = || format!("{refund_no} of {trade_no}: {all} in all, {by_channel} by the channel");
        if !is_settled {
            check(by_channel <= outside.alipay.gave_back(&trade_no), "what went back on the log went back at the channel", what)?;
        }
        let held = outside.alipay.captured(&trade_no).map_or(0, |held| held.amount_minor);
        check(all <= held, "no more goes back than was taken", what)?;
        let is_payment = self.trades.get(&trade_no) == Some(&Standing::Confirmed);
        let says_whole = data["fully_refunded"].as_bool();
        check(says_whole == Some(is_payment && all >= held), "a whole refund is called so, and no other", what)?;
        if says_whole == Some(true) {
            self.order(order_id)?.is_wholly_refunded = true;
            self.close_selection(order_id);
        }
        Ok(())
    }
}
