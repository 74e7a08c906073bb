use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_store::RecordedEvent;
use serde_json::Value;

use super::records::RecordFacts;
use super::{Ledger, Outside, RefundFacts, Standing, coupons, number, stock, text, time};
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
    pub(super) order_type: String,
    pub(super) out_business_id: String,
    expires_at: Option<DateTime<Utc>>,
    /// What it holds of each SKU.
    pub(super) stock: BTreeMap<String, i64>,
    /// The coupon that is set against it.
    pub(super) coupon: Option<String>,
    pub(crate) stage: Stage,
    /// Why it is to end, while it is.
    end_cause: Option<String>,
    confirmed_minor: Option<i64>,
    /// The channel's number of the payment that paid it.
    pub(crate) paid_by: Option<String>,
    pub(super) paid_at: Option<DateTime<Utc>>,
    pub(crate) is_wholly_refunded: bool,
    pub(crate) refunds: BTreeMap<String, RefundFacts>,
    pub(crate) records: BTreeMap<String, RecordFacts>,
}

impl OrderFacts {
    fn created(data: &Value) -> Self {
        Self {
            amount_minor: number(data, "amount"),
            buyer: text(data, "buyer_id"),
            service: text(data, "service"),
            order_type: text(data, "order_type"),
            out_business_id: text(data, "out_business_id"),
            expires_at: time(data, "expires_at"),
            stock: stock::lines(data),
            coupon: coupons::coupon_of(data),
            stage: Stage::Open,
            end_cause: None,
            confirmed_minor: None,
            paid_by: None,
            paid_at: None,
            is_wholly_refunded: false,
            refunds: BTreeMap::new(),
            records: BTreeMap::new(),
        }
    }

    fn business_key(&self) -> (String, String, String) {
        (self.service.clone(), self.order_type.clone(), self.out_business_id.clone())
    }

    fn ended_unproven(&self) -> bool {
        self.records.values().any(|record| record.proof == "unproven" && record.word == "closed")
    }

    /// What went back of the payment that paid it.
    pub(crate) fn refunded_minor(&self) -> i64 {
        let of_payment = self.refunds.values().filter(|refund| self.paid_by.as_ref() == Some(&refund.trade_no));
        of_payment.filter(|refund| refund.word == "succeeded").map(|refund| refund.amount_minor).sum()
    }

    /// The contract's word for what of its money has come.
    pub(crate) fn payment_word(&self) -> &'static str {
        match (self.stage, self.refunded_minor()) {
            (Stage::Paid, 0) => "paid",
            (Stage::Paid, back) if back < self.amount_minor => "partially_refunded",
            (Stage::Paid, _) => "refunded",
            _ => "unpaid",
        }
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
            "OrderAbandoned" => {
                self.abandoned.insert(order_id.to_owned());
                let is_made = self.orders.contains_key(order_id);
                return check(!is_made, "an order is made or abandoned, never both", || order_id.to_owned());
            }
            "PaymentConfirmed" => self.take_confirmed(order_id, data, outside)?,
            "SurplusPaymentReceived" => {
                let trade_no = text(data, "trade_no");
                self.reason_holds(order_id, data)?;
                self.take_capture(&trade_no, &text(data, "pay_no"), number(data, "amount"), Standing::Surplus, outside)?;
                self.owed.insert((trade_no, "RefundRequested"));
            }
            "LatePaymentReceived" => {
                let order = self.order(order_id)?;
                check(order.stage == Stage::Expired, "only an expired order is paid late", || order_id.to_owned())?;
                check(number(data, "amount") == order.amount_minor, "what came late is what was owed", || order_id.to_owned())?;
                self.take_capture(&text(data, "trade_no"), &text(data, "pay_no"), number(data, "amount"), Standing::Late, outside)?;
            }
            event_type => self.take_refund_event(order_id, event_type, data, outside)?,
        }
        self.take_record(order_id, &event.event_type, data, outside)?;
        self.take_stage(order_id, &event.event_type, data, outside)
    }

    fn reason_holds(&mut self, order_id: &str, data: &Value) -> Result<(), Broken> {
        let order = self.order(order_id)?;
        let (reason, amount) = (text(data, "reason"), number(data, "amount"));
        let holds = match reason.as_str() {
            "amount_mismatch" => amount != order.amount_minor,
            "paid_twice" => amount == order.amount_minor && order.stage == Stage::Paid,
            "after_cancel" => amount == order.amount_minor && order.stage == Stage::Cancelled,
            _ => false,
        };
        check(holds, "money is called surplus for a reason that holds", || format!("{order_id} {:?}: {reason}", order.stage))
    }

    pub(super) fn order(&mut self, order_id: &str) -> Result<&mut OrderFacts, Broken> {
        self.orders.get_mut(order_id).ok_or_else(|| Broken::new("an order is created before anything happens to it", order_id))
    }

    fn take_created(&mut self, order_id: &str, data: &Value) -> Result<(), Broken> {
        let is_abandoned = self.abandoned.contains(order_id);
        check(!is_abandoned, "an order is made or abandoned, never both", || order_id.to_owned())?;
        self.check_owed(order_id, data)?;
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
        order.paid_by = Some(trade_no.clone());
        order.paid_at = time(data, "paid_at");
        self.owed.remove(&(order_id.to_owned(), "PaymentConfirmed"));
        self.owed.insert((order_id.to_owned(), "OrderPaid"));
        if is_course {
            self.open_selection(&out_business_id, &buyer, order_id, time(data, "paid_at"))?;
        }
        if amount == 0 {
            return check(trade_no == pay_no, "nothing was owed, so no channel was asked", || trade_no.clone());
        }
        self.take_capture(&trade_no, &pay_no, amount, Standing::Confirmed, outside)
    }

    fn take_stage(&mut self, order_id: &str, event_type: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let order = self.order(order_id)?;
        let before = order.stage;
        let what = || format!("{event_type} of {order_id}, which is {before:?}");
        let after = match event_type {
            "OrderClosing" => {
                check(before == Stage::Open, "an order begins to end once", what)?;
                order.end_cause = Some(text(data, "cause"));
                Stage::Closing
            }
            "OrderPaid" => {
                check(before.is_payable() && order.confirmed_minor.is_some(), "a paid order was confirmed", what)?;
                Stage::Paid
            }
            "OrderCancelled" | "OrderExpired" => {
                check(before.is_payable(), "an order ends once, and never after it was paid", what)?;
                let live = order.records.values().any(RecordFacts::is_live);
                check(!live, "an order ends only when none of its attempts can be paid", what)?;
                let is_unproven = data["unproven"].as_bool();
                check(is_unproven == Some(order.ended_unproven()), "an end without proof is called so, and no other", what)?;
                let (cause, stage) = if event_type == "OrderCancelled" { ("cancel", Stage::Cancelled) } else { ("expiry", Stage::Expired) };
                check(order.end_cause.as_deref().is_none_or(|begun| begun == cause), "an order ends as it began to", what)?;
                stage
            }
            "OrderRevived" => {
                check(before == Stage::Expired, "only an expired order is revived", what)?;
                Stage::Open
            }
            _ => return Ok(()),
        };
        if after == Stage::Expired || (after == Stage::Closing && order.end_cause.as_deref() == Some("expiry")) {
            let is_over = order.expires_at.is_some_and(|expires_at| outside.latest >= expires_at);
            check(is_over, "an order expires when its time is over", what)?;
        }
        order.stage = after;
        let business_key = order.business_key();
        match after {
            Stage::Paid => {
                order.end_cause = None;
                self.owed.remove(&(order_id.to_owned(), "OrderPaid"));
            }
            Stage::Cancelled | Stage::Expired => {
                self.live_business.remove(&business_key);
            }
            Stage::Open => {
                order.end_cause = None;
                self.owed.insert((order_id.to_owned(), "PaymentConfirmed"));
                let other = self.live_business.insert(business_key, order_id.to_owned());
                check(other.is_none(), "a business key has one live order", || format!("{order_id} beside {other:?}"))?;
            }
            Stage::Closing => {}
        }
        Ok(())
    }
}
