use std::collections::{BTreeMap, BTreeSet};

use event_store::RecordedEvent;
use serde_json::Value;

use super::{Ledger, Outside, Standing, number, text, time};
use crate::broken::{Broken, check};

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Closing,
    Paid,
    Cancelled,
    Expired,
}

impl Stage {
    /// The contract's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Open => "awaiting_payment",
            Self::Closing => "closing",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    fn is_payable(self) -> bool {
        matches!(self, Self::Open | Self::Closing)
    }
}

/// What the log says of an order.
#[derive(Clone, Debug)]
pub(crate) struct OrderFacts {
    pub(crate) amount_minor: i64,
    pub(crate) buyer: String,
    pub(crate) service: String,
    order_type: String,
    out_business_id: String,
    pub(crate) stage: Stage,
    confirmed_minor: Option<i64>,
    refunds: BTreeSet<String>,
    /// The contract's word for each pay record.
    pub(crate) records: BTreeMap<String, &'static str>,
}

impl OrderFacts {
    fn created(data: &Value) -> Self {
        Self {
            amount_minor: number(data, "amount"),
            buyer: text(data, "buyer_id"),
            service: text(data, "service"),
            order_type: text(data, "order_type"),
            out_business_id: text(data, "out_business_id"),
            stage: Stage::Open,
            confirmed_minor: None,
            refunds: BTreeSet::new(),
            records: BTreeMap::new(),
        }
    }

    fn business_key(&self) -> (String, String, String) {
        (self.service.clone(), self.order_type.clone(), self.out_business_id.clone())
    }

    fn is_live(word: &str) -> bool {
        matches!(word, "preparing" | "pending" | "closing")
    }
}

impl Ledger {
    pub(super) fn take_order_event(
        &mut self,
        order_id: &str,
        event: &RecordedEvent,
        data: &Value,
        outside: &Outside<'_>,
    ) -> Result<(), Broken> {
        match event.event_type.as_str() {
            "OrderCreated" => return self.take_created(order_id, data),
            "PaymentConfirmed" => self.take_confirmed(order_id, data, outside)?,
            "SurplusPaymentReceived" => {
                let trade_no = text(data, "trade_no");
                self.take_capture(&trade_no, &text(data, "pay_no"), number(data, "amount"), Standing::Surplus, outside)?;
                self.owed.insert((trade_no, "RefundRequested"));
            }
            "LatePaymentReceived" => {
                let order = self.order(order_id)?;
                check(order.stage == Stage::Expired, "only an expired order is paid late", || order_id.to_owned())?;
                self.take_capture(&text(data, "trade_no"), &text(data, "pay_no"), number(data, "amount"), Standing::Late, outside)?;
            }
            "RefundRequested" => {
                self.owed.remove(&(text(data, "trade_no"), "RefundRequested"));
                self.take_refund(order_id, data, outside)?;
            }
            "PayRecordClosed" => Self::proof_holds(data, outside)?,
            _ => {}
        }
        self.take_record(order_id, &event.event_type, data)?;
        self.take_stage(order_id, &event.event_type)
    }

    fn order(&mut self, order_id: &str) -> Result<&mut OrderFacts, Broken> {
        self.orders.get_mut(order_id).ok_or_else(|| Broken::new("an order is created before anything happens to it", order_id))
    }

    fn take_created(&mut self, order_id: &str, data: &Value) -> Result<(), Broken> {
        let facts = OrderFacts::created(data);
        let before = self.live_business.insert(facts.business_key(), order_id.to_owned());
        check(before.is_none(), "a business key has one live order", || format!("{order_id} beside {before:?}"))?;
        let before = self.orders.insert(order_id.to_owned(), facts);
        check(before.is_none(), "an order is created once", || order_id.to_owned())
    }

    fn take_confirmed(&mut self, order_id: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let (pay_no, trade_no, amount) = (text(data, "pay_no"), text(data, "trade_no"), number(data, "amount"));
        let order = self.order(order_id)?;
        check(order.confirmed_minor.is_none(), "an order is confirmed at most once", || format!("{order_id} by {pay_no}"))?;
        check(order.stage.is_payable(), "an order that has ended is not confirmed", || format!("{order_id} {:?}", order.stage))?;
        check(order.amount_minor == amount, "what is confirmed is what was owed", || format!("{order_id}: {amount}"))?;
        order.confirmed_minor = Some(amount);
        let (is_course, out_business_id, buyer) = (order.order_type == "course", order.out_business_id.clone(), order.buyer.clone());
        self.owed.insert((order_id.to_owned(), "OrderPaid"));
        if is_course {
            self.open_selection(&out_business_id, &buyer, time(data, "paid_at"))?;
        }
        if amount == 0 {
            return check(trade_no == pay_no, "nothing was owed, so no channel was asked", || trade_no.clone());
        }
        self.take_capture(&trade_no, &pay_no, amount, Standing::Confirmed, outside)
    }

    fn take_refund(&mut self, order_id: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let (trade_no, amount) = (text(data, "trade_no"), number(data, "amount"));
        let standing = self.trades.get(&trade_no).copied();
        let is_unowed = matches!(standing, Some(Standing::Surplus | Standing::Late));
        check(is_unowed, "only what is not owed goes back by itself", || format!("{trade_no}: {standing:?}"))?;
        let held = outside.alipay.captured(&trade_no).map(|held| held.amount_minor);
        check(held == Some(amount), "a refund gives back what was taken", || format!("{trade_no}: {amount} of {held:?}"))?;
        let order = self.order(order_id)?;
        check(order.refunds.insert(trade_no.clone()), "a capture goes back once", || trade_no)
    }

    /// The channel never says that a trade is closed while it is open or paid.
    fn proof_holds(data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let (pay_no, proof) = (text(data, "pay_no"), text(data, "proof"));
        let holds = match proof.as_str() {
            "channel_closed" => outside.alipay.is_closed(&pay_no),
            _ => outside.alipay.captured_for(&pay_no).is_none(),
        };
        check(holds, "a pay record is closed only where nobody can pay it", || format!("{pay_no} by {proof}"))
    }

    fn take_record(&mut self, order_id: &str, event_type: &str, data: &Value) -> Result<(), Broken> {
        let pay_no = text(data, "pay_no");
        let order = self.order(order_id)?;
        let before = order.records.get(&pay_no).copied();
        let what = || format!("{event_type} of {pay_no}, which is {before:?}");
        let (may, after) = match event_type {
            "PayRecordIssued" => {
                let next = format!("{order_id}{:02}", order.records.len() + 1);
                check(pay_no == next, "attempts are numbered one after the other", what)?;
                check(order.stage == Stage::Open, "only an order that awaits payment is attempted", what)?;
                check(number(data, "amount") == order.amount_minor, "an attempt asks for what is owed", what)?;
                (before.is_none(), "preparing")
            }
            "PayRecordPrepared" => (before == Some("preparing"), "pending"),
            "PayRecordFailed" => (before == Some("preparing"), "failed"),
            "PayRecordClosing" => (matches!(before, Some("preparing" | "pending")), "closing"),
            "PayRecordClosed" => (before.is_some_and(OrderFacts::is_live), "closed"),
            "PaymentConfirmed" => (before.is_some(), "confirmed"),
            "SurplusPaymentReceived" | "LatePaymentReceived" => (before.is_some(), "surplus"),
            _ => return Ok(()),
        };
        check(may, "a pay record moves only forward", what)?;
        order.records.insert(pay_no.clone(), after);
        if event_type == "PayRecordPrepared" {
            self.shown.push(pay_no);
        }
        Ok(())
    }

    fn take_stage(&mut self, order_id: &str, event_type: &str) -> Result<(), Broken> {
        let order = self.order(order_id)?;
        let before = order.stage;
        let what = || format!("{event_type} of {order_id}, which is {before:?}");
        let after = match event_type {
            "OrderClosing" => {
                check(before == Stage::Open, "an order begins to end once", what)?;
                Stage::Closing
            }
            "OrderPaid" => {
                check(before.is_payable() && order.confirmed_minor.is_some(), "a paid order was confirmed", what)?;
                Stage::Paid
            }
            "OrderCancelled" | "OrderExpired" => {
                check(before.is_payable(), "an order ends once, and never after it was paid", what)?;
                let live = order.records.values().any(|word| OrderFacts::is_live(word));
                check(!live, "an order ends only when none of its attempts can be paid", what)?;
                if event_type == "OrderCancelled" { Stage::Cancelled } else { Stage::Expired }
            }
            "OrderRevived" => {
                check(before == Stage::Expired, "only an expired order is revived", what)?;
                Stage::Open
            }
            _ => return Ok(()),
        };
        order.stage = after;
        let business_key = order.business_key();
        match after {
            Stage::Paid => {
                self.owed.remove(&(order_id.to_owned(), "OrderPaid"));
            }
            Stage::Cancelled | Stage::Expired => {
                self.live_business.remove(&business_key);
            }
            Stage::Open | Stage::Closing => {}
        }
        Ok(())
    }
}
