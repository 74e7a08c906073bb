//! A buyer's coupon: granted after a payment, set against one later order, back when that order ends unpaid.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::ids::{BuyerId, CouponId, OrderId, PayNo};
use crate::money::{Currency, MinorUnits, Money};
use crate::stored::stored_events;

stored_events! {
    /// What may happen on the stream `coupon-{coupon_id}`.
    CouponEvent {
        /// A buyer got it.
        CouponGranted = 1,
        /// It is held for an order.
        CouponReserved = 1,
        /// It may be used again.
        CouponReleased = 1,
        /// The order that it was set against was paid.
        CouponUsed = 1,
        /// What it was granted for went back.
        CouponWithdrawn = 1,
    }
}

/// A buyer got a coupon for a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CouponGranted {
    /// Its number.
    pub coupon_id: CouponId,
    /// Whose it is.
    pub buyer_id: BuyerId,
    /// The order whose payment it was granted for.
    pub order_id: OrderId,
    /// What it takes off one order, in smallest units.
    pub discount_amount: MinorUnits,
    /// The least sum of an order that it can be set against, in smallest units.
    pub least_amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// When it was granted.
    pub granted_at: DateTime<Utc>,
    /// Until when it can be set against an order.
    pub expires_at: DateTime<Utc>,
}

/// A coupon is held for an order, which may not exist yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CouponReserved {
    /// Its number.
    pub coupon_id: CouponId,
    /// For this order.
    pub order_id: OrderId,
    /// The late payment for which an expired order takes it again; absent where the order is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_no: Option<PayNo>,
    /// When it is looked whether the order was ever made. This releases nothing by itself.
    pub check_at: DateTime<Utc>,
}

/// A coupon may be used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CouponReleased {
    /// Its number.
    pub coupon_id: CouponId,
    /// It was held for this order.
    pub order_id: OrderId,
}

/// The order that a coupon was set against was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CouponUsed {
    /// Its number.
    pub coupon_id: CouponId,
    /// The order.
    pub order_id: OrderId,
}

/// What a coupon was granted for went back before it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CouponWithdrawn {
    /// Its number.
    pub coupon_id: CouponId,
    /// The order whose payment went back.
    pub order_id: OrderId,
}

/// How a coupon stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CouponStatus {
    /// There is none of that number.
    #[default]
    Ungranted,
    /// It can be set against an order.
    Usable,
    /// It is held for an order, and for a late payment of it if one is named.
    Reserved {
        /// The order.
        order_id: OrderId,
        /// The late payment.
        pay_no: Option<PayNo>,
    },
    /// It was set against an order that was paid.
    Used {
        /// The order.
        order_id: OrderId,
    },
    /// What it was granted for went back.
    Withdrawn,
}

/// What is true of a coupon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coupon {
    /// What was granted, once it was.
    pub granted: Option<CouponGranted>,
    /// How it stands.
    pub status: CouponStatus,
    /// What it was granted for went back while it was held: it is withdrawn when it is let go.
    is_forfeit: bool,
}

/// A wish about a coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CouponCommand {
    /// Give it to a buyer.
    Grant(CouponGranted),
    /// Hold it for an order of this buyer over this sum.
    Reserve {
        /// What is recorded.
        wish: CouponReserved,
        /// Whose order it is.
        buyer_id: BuyerId,
        /// The sum of the order's lines.
        sum: Money,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Let it go, only if it is held for one of these late payments, or, as `None`, since the order was made.
    Release {
        /// The order.
        order_id: OrderId,
        /// What it may be held for.
        held_for: Vec<Option<PayNo>>,
    },
    /// The order that it is held for was paid.
    Use {
        /// The order.
        order_id: OrderId,
    },
    /// What it was granted for went back.
    Withdraw,
}

/// Why a wish about a coupon is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CouponRejection {
    /// It is not this buyer's, was used, is held for another order, was withdrawn, has expired, or wants a larger order.
    #[error("the coupon cannot be set against this order")]
    NotUsable,
}

impl Coupon {
    /// What it takes off an order of this buyer over `sum` at `now`; `None` where it cannot be set against one.
    pub fn discount(&self, buyer_id: &BuyerId, sum: Money, now: DateTime<Utc>) -> Option<Money> {
        let granted = self.granted.as_ref().filter(|_| self.status == CouponStatus::Usable)?;
        granted.discount(buyer_id, sum).filter(|_| now < granted.expires_at)
    }
}

impl CouponGranted {
    fn discount(&self, buyer_id: &BuyerId, sum: Money) -> Option<Money> {
        let fits = self.buyer_id == *buyer_id && self.currency == sum.currency() && self.least_amount <= sum.minor_units();
        // It never gives money out.
        fits.then(|| self.discount_amount.min(sum.minor_units()).of(self.currency))
    }
}

impl Decider for Coupon {
    type State = Self;
    type Command = CouponCommand;
    type Event = CouponEvent;
    type Rejection = CouponRejection;

    fn decide(state: &Self, command: CouponCommand) -> Result<Vec<CouponEvent>, CouponRejection> {
        if let CouponCommand::Grant(wish) = command {
            return Ok(if state.granted.is_some() { vec![] } else { vec![wish.into()] });
        }
        let Some(granted) = &state.granted else {
            return if matches!(command, CouponCommand::Withdraw | CouponCommand::Release { .. }) {
                Ok(vec![])
            } else {
                Err(CouponRejection::NotUsable)
            };
        };
        let coupon_id = granted.coupon_id.clone();
        match command {
            CouponCommand::Grant(_) => Ok(vec![]),
            CouponCommand::Reserve { wish, buyer_id, sum, now } => reserve(state, granted, wish, &buyer_id, sum, now),
            CouponCommand::Release { order_id, held_for } => Ok(match state.status {
                CouponStatus::Reserved { order_id: held, pay_no } if held == order_id && held_for.contains(&pay_no) => {
                    let mut events: Vec<CouponEvent> = vec![CouponReleased { coupon_id: coupon_id.clone(), order_id }.into()];
                    if state.is_forfeit {
                        events.push(CouponWithdrawn { coupon_id, order_id: granted.order_id }.into());
                    }
                    events
                }
                _ => vec![],
            }),
            CouponCommand::Use { order_id } => match state.status {
                CouponStatus::Reserved { order_id: held, .. } if held == order_id => Ok(vec![CouponUsed { coupon_id, order_id }.into()]),
                CouponStatus::Used { order_id: used_by } if used_by == order_id => Ok(vec![]),
                // The order is paid with it: whatever came in between, nobody else may use it any more.
                CouponStatus::Usable => Ok(vec![CouponUsed { coupon_id, order_id }.into()]),
                _ => Err(CouponRejection::NotUsable),
            },
            CouponCommand::Withdraw => Ok(match state.status {
                CouponStatus::Usable => vec![CouponWithdrawn { coupon_id, order_id: granted.order_id }.into()],
                CouponStatus::Reserved { .. } if !state.is_forfeit => {
                    vec![CouponWithdrawn { coupon_id, order_id: granted.order_id }.into()]
                }
                _ => vec![],
            }),
        }
    }

    fn evolve(mut state: Self, event: &CouponEvent) -> Self {
        match event {
            CouponEvent::CouponGranted(event) => {
                state.granted = Some(event.clone());
                state.status = CouponStatus::Usable;
            }
            CouponEvent::CouponReserved(event) => {
                state.status = CouponStatus::Reserved { order_id: event.order_id, pay_no: event.pay_no };
            }
            CouponEvent::CouponReleased(_) => state.status = CouponStatus::Usable,
            CouponEvent::CouponUsed(event) => state.status = CouponStatus::Used { order_id: event.order_id },
            CouponEvent::CouponWithdrawn(_) => match state.status {
                // Who has it in an order keeps it there.
                CouponStatus::Reserved { .. } => state.is_forfeit = true,
                _ => state.status = CouponStatus::Withdrawn,
            },
        }
        state
    }
}

fn reserve(
    coupon: &Coupon,
    granted: &CouponGranted,
    wish: CouponReserved,
    buyer_id: &BuyerId,
    sum: Money,
    now: DateTime<Utc>,
) -> Result<Vec<CouponEvent>, CouponRejection> {
    if let CouponStatus::Reserved { order_id, pay_no } = coupon.status
        && order_id == wish.order_id
        && !coupon.is_forfeit
    {
        if pay_no == wish.pay_no {
            return Ok(vec![]);
        }
        // Whoever ends the order now lets go only what it held before.
        let released = CouponReleased { coupon_id: granted.coupon_id.clone(), order_id };
        return Ok(vec![released.into(), wish.into()]);
    }
    // An order that was made in time may take it again for its late payment.
    let in_time = now < granted.expires_at || wish.pay_no.is_some();
    let is_usable = coupon.status == CouponStatus::Usable && in_time && granted.discount(buyer_id, sum).is_some();
    if is_usable { Ok(vec![wish.into()]) } else { Err(CouponRejection::NotUsable) }
}

#[cfg(test)]
mod tests;
