//! Money that matched nothing: whom operators gave it to, and whether it came there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Ledger, OrderFacts, Outside, Standing, number, text};
use crate::broken::{Broken, check};

/// What the log says of money that matched nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnknownFacts {
    /// The pay records that it was ever assigned to.
    assigned_to: BTreeSet<String>,
    /// The pay record that it is on its way to.
    pub(crate) on_its_way: Option<String>,
    /// The pay record that it came to, as its own stream says.
    pub(crate) matched: Option<String>,
    is_resolved: bool,
    refunded_minor: i64,
    amount_minor: i64,
}

impl UnknownFacts {
    pub(super) fn was_assigned_to(&self, pay_no: &str) -> bool {
        self.assigned_to.contains(pay_no)
    }

    /// The contract's word for how it stands in the operators' list.
    pub(crate) fn word(&self) -> &'static str {
        if self.matched.is_some() || self.is_resolved {
            "resolved"
        } else if self.on_its_way.is_some() {
            "open"
        } else if self.refunded_minor >= self.amount_minor {
            "refunded"
        } else {
            "needs_operator"
        }
    }
}

impl Ledger {
    /// Money that matches nothing is told of once, is on its way to one pay record at a time, and comes to one at most.
    pub(super) fn take_unknown(&mut self, event_type: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let (trade_no, pay_no) = (text(data, "trade_no"), text(data, "pay_no"));
        if event_type == "UnknownCaptureReceived" {
            let amount_minor = number(data, "amount");
            self.unknown.insert(trade_no.clone(), UnknownFacts { amount_minor, ..UnknownFacts::default() });
            return self.take_capture(&trade_no, &text(data, "out_trade_no"), amount_minor, Standing::Unknown, outside);
        }
        let is_nobodys = self.trades.get(&trade_no) == Some(&Standing::Unknown);
        let money = self.unknown.get_mut(&trade_no).ok_or_else(|| Broken::new("money came before it is decided on", trade_no.as_str()))?;
        let what = format!("{event_type} of {trade_no}: {money:?}, {pay_no}, nobody's {is_nobodys}");
        let is_open = money.on_its_way.is_none() && money.matched.is_none() && !money.is_resolved;
        let holds = match event_type {
            "UnknownCaptureAssigned" => {
                money.assigned_to.insert(pay_no.clone());
                is_open && money.on_its_way.replace(pay_no).is_none()
            }
            "UnknownCaptureMatched" => {
                money.on_its_way = None;
                let is_its = money.was_assigned_to(&pay_no);
                is_its && !is_nobodys && money.matched.replace(pay_no).is_none()
            }
            "UnknownCaptureUnassigned" => money.matched.is_none() && money.on_its_way.take() == Some(pay_no),
            "UnknownCaptureResolved" => is_open && !std::mem::replace(&mut money.is_resolved, true),
            "UnknownCaptureRefunded" => {
                let total = number(data, "refunded_amount");
                let is_news = total > money.refunded_minor;
                money.refunded_minor = total;
                is_news && total <= outside.alipay.gave_back_by_hand(&trade_no) && money.matched.is_none()
            }
            _ => true,
        };
        check(holds, "money that matches nothing is decided on once, and comes where it was assigned to", || what)
    }

    /// No money that an operator assigned is left without an outcome, and none is both on an order and nobody's.
    pub(crate) fn check_unknown_at_rest(&self) -> Result<(), Broken> {
        for (trade_no, money) in &self.unknown {
            let is_nobodys = self.trades.get(trade_no) == Some(&Standing::Unknown);
            let what = || format!("{trade_no}: {money:?}, nobody's {is_nobodys}");
            check(money.on_its_way.is_none(), "no assigned capture stays without outcome", what)?;
            check(money.matched.is_none() == is_nobodys, "money is on its order or nobody's, and its own stream says which", what)?;
        }
        Ok(())
    }

    /// The order that a pay record is of.
    pub(crate) fn order_of(&self, pay_no: &str) -> Option<&OrderFacts> {
        self.orders.get(pay_no.get(..pay_no.len().checked_sub(2)?)?)
    }

    /// The pay record that the channel's money is on, as the log has it: the one that the channel names, but for money that
    /// came under a number of nobody's and was brought to another.
    pub(crate) fn pay_no_of(&self, trade_no: &str, named: &str) -> String {
        let matched = self.unknown.get(trade_no).and_then(|money| money.matched.clone());
        matched.unwrap_or_else(|| named.to_owned())
    }
}
