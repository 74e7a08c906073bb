use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Ledger, number, text};
use crate::broken::{Broken, check};
use crate::ledger::Stage;

/// How long after a payment its coupon is granted at the latest: what was dark for longer grants none.
const GRANTED_WITHIN: TimeDelta = TimeDelta::days(10);

/// What the log says of a coupon.
#[derive(Clone, Debug)]
pub(crate) struct CouponFacts {
    pub(crate) buyer: String,
    /// The order whose payment it was granted for.
    granted_for: String,
    discount_minor: i64,
    least_minor: i64,
    /// The order that holds it.
    held_by: Option<String>,
    used_by: Option<String>,
    /// What it was granted for went back.
    is_forfeit: bool,
    /// It went back too: nobody can use it any more.
    is_gone: bool,
}

impl CouponFacts {
    fn granted(data: &Value) -> Self {
        Self {
            buyer: text(data, "buyer_id"),
            granted_for: text(data, "order_id"),
            discount_minor: number(data, "discount_amount"),
            least_minor: number(data, "least_amount"),
            held_by: None,
            used_by: None,
            is_forfeit: false,
            is_gone: false,
        }
    }

    /// Whether it can be set against an order.
    pub(crate) fn is_usable(&self) -> bool {
        self.held_by.is_none() && self.used_by.is_none() && !self.is_gone
    }

    /// The view's word, and the order that has it.
    pub(crate) fn shown(&self) -> (&'static str, Option<&str>) {
        match (&self.used_by, &self.held_by) {
            (Some(used_by), _) => ("used", Some(used_by)),
            (None, Some(held_by)) => ("reserved", Some(held_by)),
            (None, None) => (if self.is_gone { "withdrawn" } else { "usable" }, None),
        }
    }
}

impl Ledger {
    pub(super) fn take_coupon_event(&mut self, coupon_id: &str, event_type: &str, data: &Value) -> Result<(), Broken> {
        let order_id = text(data, "order_id");
        if event_type == "CouponGranted" {
            return self.take_granted(coupon_id, &order_id, data);
        }
        let order = self.orders.get(&order_id);
        let (is_paid, has_ended, is_refunded) = (
            order.is_some_and(|order| order.stage == Stage::Paid),
            order.map_or(self.abandoned.contains(&order_id), |order| matches!(order.stage, Stage::Cancelled | Stage::Expired)),
            order.is_some_and(|order| order.is_wholly_refunded),
        );
        let Some(coupon) = self.coupons.get_mut(coupon_id) else {
            return Err(Broken::new("a coupon is granted before anything happens to it", coupon_id));
        };
        let what = format!("{event_type} of {coupon_id} for {order_id}: {coupon:?}");
        match event_type {
            "CouponReserved" => {
                check(coupon.is_usable(), "a coupon is held by at most one order, and used at most once", || what)?;
                coupon.held_by = Some(order_id);
            }
            "CouponReleased" => {
                let is_held_anew = order.is_some_and(|order| order.stage == Stage::Expired);
                check(coupon.held_by.as_deref() == Some(&order_id), "a coupon is let go by the order that holds it", || what.clone())?;
                check(has_ended || is_held_anew, "a coupon comes back when its order ended unpaid", || what)?;
                coupon.held_by = None;
            }
            "CouponUsed" => {
                let may = coupon.used_by.is_none() && !coupon.is_gone && coupon.held_by.as_ref().is_none_or(|held_by| *held_by == order_id);
                check(may, "a coupon is held by at most one order, and used at most once", || what.clone())?;
                check(is_paid, "a coupon is used by an order that was paid", || what)?;
                coupon.held_by = None;
                coupon.used_by = Some(order_id);
            }
            "CouponWithdrawn" => {
                check(is_refunded && coupon.granted_for == order_id, "a coupon goes back with all that was paid, never else", || {
                    what.clone()
                })?;
                check(coupon.used_by.is_none() && !coupon.is_gone, "a coupon goes back once, unless it was used", || what)?;
                coupon.is_gone = coupon.held_by.is_none();
                coupon.is_forfeit = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_granted(&mut self, coupon_id: &str, order_id: &str, data: &Value) -> Result<(), Broken> {
        let facts = CouponFacts::granted(data);
        let order = self.orders.get(order_id);
        let is_earned = order.is_some_and(|order| order.stage == Stage::Paid && order.amount_minor > 0 && order.buyer == facts.buyer);
        let is_first = !self.coupons.values().any(|coupon| coupon.granted_for == order_id);
        check(is_earned && is_first, "a coupon is granted once for each order that was paid", || format!("{coupon_id} for {order:?}"))?;
        let before = self.coupons.insert(coupon_id.to_owned(), facts);
        check(before.is_none(), "a coupon is granted once for each order that was paid", || format!("{coupon_id}: {before:?}"))
    }

    /// An order owes the sum of its lines less what its coupon takes off, which it holds.
    pub(super) fn check_owed(&self, order_id: &str, data: &Value) -> Result<(), Broken> {
        let lines = data["items"].as_array().into_iter().flatten();
        let sum: i64 = lines.map(|line| number(line, "quantity") * number(line, "unit_price_amount")).sum();
        let coupon_id = coupon_of(data);
        let coupon = coupon_id.as_ref().and_then(|coupon_id| self.coupons.get(coupon_id));
        let fits = coupon.is_some_and(|coupon| {
            coupon.held_by.as_deref() == Some(order_id) && coupon.buyer == text(data, "buyer_id") && coupon.least_minor <= sum
        });
        check(fits || coupon_id.is_none(), "an order holds the coupon that is set against it", || format!("{order_id}: {coupon:?}"))?;
        let off = coupon.map_or(0, |coupon| coupon.discount_minor.min(sum));
        check(number(data, "amount") == sum - off, "an order owes its lines less its coupon", || format!("{order_id}: {sum} less {off}"))
    }

    /// At rest no order waits for its payment any more.
    pub(crate) fn check_coupons_at_rest(&self, now: DateTime<Utc>) -> Result<(), Broken> {
        let held = self.coupons.iter().find(|(_, coupon)| coupon.held_by.is_some());
        check(held.is_none(), "no coupon is held by an order that has ended", || format!("{held:?}"))?;
        let by_order: BTreeMap<&str, &CouponFacts> = self.coupons.values().map(|coupon| (coupon.granted_for.as_str(), coupon)).collect();
        for (order_id, order) in self.orders.iter().filter(|(_, order)| order.stage == Stage::Paid) {
            let granted = by_order.get(order_id.as_str());
            let is_recent = order.paid_at.is_some_and(|paid_at| now - paid_at < GRANTED_WITHIN);
            let is_earned = is_recent && order.amount_minor > 0 && !order.is_wholly_refunded;
            let holds = granted.map_or(!is_earned, |coupon| order.is_wholly_refunded == coupon.is_forfeit || coupon.used_by.is_some());
            check(holds, "a coupon is granted for each order that stays paid", || format!("{order_id}: {granted:?}, {order:?}"))?;
            let own = order.coupon.as_ref().map(|coupon_id| self.coupons.get(coupon_id));
            let is_used = own.is_none_or(|own| own.is_some_and(|own| own.used_by.as_ref() == Some(order_id)));
            check(is_used, "the coupon of a paid order is used", || format!("{order_id}: {own:?}"))?;
        }
        Ok(())
    }
}

/// The coupon that an order is made with.
pub(super) fn coupon_of(data: &Value) -> Option<String> {
    Some(text(&data["coupon"], "coupon_id")).filter(|coupon_id| !coupon_id.is_empty())
}
