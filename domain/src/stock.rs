//! The stock of one SKU: what is in the house, what is held for orders, what was sold. It is never negative, and each
//! reservation ends as sold or comes back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::ids::{BuyerId, OrderId, PayNo, SkuId};
use crate::stored::stored_events;

stored_events! {
    /// What may happen on the stream `stock-{sku_id}`.
    StockEvent {
        /// More came into the house.
        StockReceived = 1,
        /// Some is held for an order.
        StockReserved = 1,
        /// What was held or sold is for sale again.
        StockReleased = 1,
        /// What was held is the buyer's.
        StockSold = 1,
        /// The books were set to what was counted.
        StockAdjusted = 1,
    }
}

/// One line of what an order holds in stock, lines of the same SKU summed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StockLine {
    /// The SKU.
    pub sku_id: SkuId,
    /// How many.
    pub quantity: u32,
    /// How many of it one buyer may hold and have bought, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_limit: Option<u32>,
}

/// The caller's key that a command on stock came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CommandKey {
    /// SHA-256 of the caller, the route and the key, in lower-case hex.
    pub key_hash: String,
    /// SHA-256 of what was asked, in lower-case hex.
    pub request_hash: String,
}

/// More came into the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StockReceived {
    /// Of this SKU.
    pub sku_id: SkuId,
    /// How many.
    pub quantity: u32,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// Some is held for an order, which may not exist yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StockReserved {
    /// Of this SKU.
    pub sku_id: SkuId,
    /// For this order.
    pub order_id: OrderId,
    /// Whose order it is.
    pub buyer_id: BuyerId,
    /// How many.
    pub quantity: u32,
    /// How many of it one buyer may hold and have bought, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_limit: Option<u32>,
    /// The late payment for which an expired order takes it again; absent where the order is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_no: Option<PayNo>,
    /// Every SKU that the same order holds.
    pub order_skus: Vec<SkuId>,
    /// When it is looked whether the order was ever made. This releases nothing by itself.
    pub check_at: DateTime<Utc>,
}

/// Why stock is for sale again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// The order was never made: not all that it needs could be had, or whoever made it died.
    NotOrdered,
    /// The order ended unpaid.
    OrderEnded,
    /// It is held anew for a late payment of the same order, in the same append.
    HeldAnew,
    /// Money that came late went back.
    LatePaymentRefunded,
    /// What was paid for it went back whole.
    Refunded,
}

/// What was held or sold is for sale again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StockReleased {
    /// Of this SKU.
    pub sku_id: SkuId,
    /// It was this order's.
    pub order_id: OrderId,
    /// How many.
    pub quantity: u32,
    /// Whether it was sold already, and not only held.
    pub was_sold: bool,
    /// Why.
    pub cause: ReleaseCause,
}

/// What was held is the buyer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StockSold {
    /// Of this SKU.
    pub sku_id: SkuId,
    /// By this order.
    pub order_id: OrderId,
    /// How many.
    pub quantity: u32,
}

/// The books were set to what was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StockAdjusted {
    /// Of this SKU.
    pub sku_id: SkuId,
    /// How many more than the books said; negative for fewer.
    pub difference: i64,
    /// In the operator's words.
    pub reason: String,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<CommandKey>,
}

/// What is held for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// How many.
    pub quantity: u32,
    /// Whose order it is.
    pub buyer_id: BuyerId,
    /// The late payment that it is held for, if it is.
    pub pay_no: Option<PayNo>,
    /// Whether it counts towards the buyer's limit.
    pub is_limited: bool,
}

/// What one order bought. Every order that ever bought some is kept, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sale {
    order_id: OrderId,
    quantity: u32,
}

/// What is true of one SKU's stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// In the house and not sold, held or not.
    pub on_hand: u64,
    /// Of these, held for orders.
    pub reserved: u64,
    /// Sold and not returned.
    pub sold: u64,
    reservations: BTreeMap<OrderId, Reservation>,
    /// By rising order number.
    sales: Vec<Sale>,
    /// What each buyer holds and has bought where that was limited, and which sale was whose.
    by_buyer: BTreeMap<BuyerId, u32>,
    limited_sales: BTreeMap<OrderId, BuyerId>,
    keys: BTreeMap<String, String>,
}

/// A wish about one SKU's stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockCommand {
    /// Take in more.
    Receive {
        /// Of this SKU.
        sku_id: SkuId,
        /// How many, at least 1.
        quantity: u32,
        /// In the operator's words.
        reason: String,
        /// The operator's key.
        command_key: Option<CommandKey>,
    },
    /// Set the books to what was counted.
    Adjust {
        /// Of this SKU.
        sku_id: SkuId,
        /// How many more than the books say, not 0.
        difference: i64,
        /// In the operator's words.
        reason: String,
        /// The operator's key.
        command_key: Option<CommandKey>,
    },
    /// Hold some for an order.
    Reserve(StockReserved),
    /// Let go what is held for an order.
    Release {
        /// Of this SKU.
        sku_id: SkuId,
        /// For this order.
        order_id: OrderId,
        /// Only if it is held for one of these late payments, or, as `None`, since the order was made: who let go what they
        /// do not know of would take it from a payment that came meanwhile.
        held_for: Vec<Option<PayNo>>,
        /// Why.
        cause: ReleaseCause,
    },
    /// An order was paid.
    Sell {
        /// The line, as the order has it.
        line: StockLine,
        /// The order.
        order_id: OrderId,
        /// Whose it is.
        buyer_id: BuyerId,
        /// The time.
        now: DateTime<Utc>,
    },
    /// What an order bought comes back, and what it still holds.
    Return {
        /// Of this SKU.
        sku_id: SkuId,
        /// The order.
        order_id: OrderId,
    },
}

/// Why a wish about stock is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockRejection {
    /// There is not so much.
    #[error("only {available} are available")]
    Insufficient {
        /// What is there and not held.
        available: u64,
    },
    /// One buyer may not have so many.
    #[error("a buyer may have {limit}")]
    LimitExceeded {
        /// What one may have.
        limit: u32,
    },
    /// The order has another quantity, or has bought it already.
    #[error("the order's stock stands otherwise")]
    OtherwiseTaken,
    /// The quantity is 0 or too large to count.
    #[error("the quantity cannot be")]
    WrongQuantity,
    /// The caller's key was used for something else.
    #[error("the key was used for something else")]
    KeyReused,
}

impl Stock {
    /// What may be held for the next order.
    pub fn available(&self) -> u64 {
        self.on_hand.saturating_sub(self.reserved)
    }

    /// What is held for an order.
    pub fn reservation(&self, order_id: OrderId) -> Option<&Reservation> {
        self.reservations.get(&order_id)
    }

    /// How many an order has bought and not brought back.
    pub fn sold_to(&self, order_id: OrderId) -> Option<u32> {
        self.sale(order_id).ok().map(|index| self.sales[index].quantity)
    }

    fn sale(&self, order_id: OrderId) -> Result<usize, usize> {
        self.sales.binary_search_by_key(&order_id, |sale| sale.order_id)
    }

    /// Whether this key did this already.
    fn has_done(&self, key: Option<&CommandKey>) -> Result<bool, StockRejection> {
        match key.and_then(|key| self.keys.get(&key.key_hash).map(|done| *done == key.request_hash)) {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) => Err(StockRejection::KeyReused),
        }
    }
}

impl Decider for Stock {
    type State = Self;
    type Command = StockCommand;
    type Event = StockEvent;
    type Rejection = StockRejection;

    fn decide(state: &Self, command: StockCommand) -> Result<Vec<StockEvent>, StockRejection> {
        match command {
            StockCommand::Receive { sku_id, quantity, reason, command_key } => {
                if state.has_done(command_key.as_ref())? {
                    return Ok(vec![]);
                }
                // Far below what the counts hold, and what JSON's readers hold exactly.
                if quantity == 0 || state.on_hand + state.sold > u64::from(u32::MAX) {
                    return Err(StockRejection::WrongQuantity);
                }
                Ok(vec![StockReceived { sku_id, quantity, reason, command_key }.into()])
            }
            StockCommand::Adjust { sku_id, difference, reason, command_key } => {
                if state.has_done(command_key.as_ref())? {
                    return Ok(vec![]);
                }
                if difference == 0 || difference.unsigned_abs() > u64::from(u32::MAX) {
                    return Err(StockRejection::WrongQuantity);
                }
                if difference < 0 && difference.unsigned_abs() > state.available() {
                    return Err(StockRejection::Insufficient { available: state.available() });
                }
                Ok(vec![StockAdjusted { sku_id, difference, reason, command_key }.into()])
            }
            StockCommand::Reserve(wish) => reserve(state, wish),
            StockCommand::Release { sku_id, order_id, held_for, cause } => Ok(match state.reservation(order_id) {
                Some(held) if held_for.contains(&held.pay_no) => {
                    vec![StockReleased { sku_id, order_id, quantity: held.quantity, was_sold: false, cause }.into()]
                }
                _ => vec![],
            }),
            StockCommand::Sell { line, order_id, buyer_id, now } => sell(state, line, order_id, buyer_id, now),
            StockCommand::Return { sku_id, order_id } => {
                let sold = state.sold_to(order_id).map(|quantity| (quantity, true));
                let held = state.reservation(order_id).map(|held| (held.quantity, false));
                let back = sold.or(held).map(|(quantity, was_sold)| {
                    StockReleased { sku_id, order_id, quantity, was_sold, cause: ReleaseCause::Refunded }.into()
                });
                Ok(back.into_iter().collect())
            }
        }
    }

    fn evolve(mut state: Self, event: &StockEvent) -> Self {
        match event {
            StockEvent::StockReceived(event) => {
                state.on_hand += u64::from(event.quantity);
                state.remember(event.command_key.as_ref());
            }
            StockEvent::StockAdjusted(event) => {
                state.on_hand = state.on_hand.saturating_add_signed(event.difference);
                state.remember(event.command_key.as_ref());
            }
            StockEvent::StockReserved(event) => {
                state.reserved += u64::from(event.quantity);
                if event.buyer_limit.is_some() {
                    *state.by_buyer.entry(event.buyer_id.clone()).or_default() += event.quantity;
                }
                let reservation = Reservation {
                    quantity: event.quantity,
                    buyer_id: event.buyer_id.clone(),
                    pay_no: event.pay_no,
                    is_limited: event.buyer_limit.is_some(),
                };
                state.reservations.insert(event.order_id, reservation);
            }
            StockEvent::StockSold(event) => state.take_sold(event),
            StockEvent::StockReleased(event) => state.take_back(event),
        }
        state
    }
}

impl Stock {
    fn remember(&mut self, key: Option<&CommandKey>) {
        if let Some(key) = key {
            self.keys.insert(key.key_hash.clone(), key.request_hash.clone());
        }
    }

    fn take_sold(&mut self, event: &StockSold) {
        let quantity = u64::from(event.quantity);
        self.on_hand = self.on_hand.saturating_sub(quantity);
        self.reserved = self.reserved.saturating_sub(quantity);
        self.sold += quantity;
        if let Some(held) = self.reservations.remove(&event.order_id)
            && held.is_limited
        {
            self.limited_sales.insert(event.order_id, held.buyer_id);
        }
        if let Err(place) = self.sale(event.order_id) {
            self.sales.insert(place, Sale { order_id: event.order_id, quantity: event.quantity });
        }
    }

    fn take_back(&mut self, event: &StockReleased) {
        let quantity = u64::from(event.quantity);
        let buyer_id = if event.was_sold {
            self.sold = self.sold.saturating_sub(quantity);
            self.on_hand += quantity;
            if let Ok(place) = self.sale(event.order_id) {
                self.sales.remove(place);
            }
            self.limited_sales.remove(&event.order_id)
        } else {
            self.reserved = self.reserved.saturating_sub(quantity);
            self.reservations.remove(&event.order_id).filter(|held| held.is_limited).map(|held| held.buyer_id)
        };
        if let Some(buyer_id) = buyer_id
            && let Some(had) = self.by_buyer.get_mut(&buyer_id)
        {
            *had = had.saturating_sub(event.quantity);
            if *had == 0 {
                self.by_buyer.remove(&buyer_id);
            }
        }
    }
}

fn reserve(stock: &Stock, wish: StockReserved) -> Result<Vec<StockEvent>, StockRejection> {
    if wish.quantity == 0 {
        return Err(StockRejection::WrongQuantity);
    }
    if stock.sold_to(wish.order_id).is_some() {
        return Err(StockRejection::OtherwiseTaken);
    }
    if let Some(held) = stock.reservation(wish.order_id) {
        if held.quantity != wish.quantity || held.buyer_id != wish.buyer_id {
            return Err(StockRejection::OtherwiseTaken);
        }
        if held.pay_no == wish.pay_no {
            return Ok(vec![]);
        }
        within_limit(stock, &wish, if held.is_limited { held.quantity } else { 0 })?;
        // Whoever ends the order now lets go only what it held before.
        let (sku_id, cause) = (wish.sku_id.clone(), ReleaseCause::HeldAnew);
        let released = StockReleased { sku_id, order_id: wish.order_id, quantity: wish.quantity, was_sold: false, cause };
        return Ok(vec![released.into(), wish.into()]);
    }
    if u64::from(wish.quantity) > stock.available() {
        return Err(StockRejection::Insufficient { available: stock.available() });
    }
    within_limit(stock, &wish, 0)?;
    Ok(vec![wish.into()])
}

/// Whether the buyer may have so many, `own` of which this order holds already.
fn within_limit(stock: &Stock, wish: &StockReserved, own: u32) -> Result<(), StockRejection> {
    let Some(limit) = wish.buyer_limit else { return Ok(()) };
    let others = stock.by_buyer.get(&wish.buyer_id).copied().unwrap_or(0).saturating_sub(own);
    if others.saturating_add(wish.quantity) > limit { Err(StockRejection::LimitExceeded { limit }) } else { Ok(()) }
}

/// What is held becomes sold. Where nothing is held, as after a release that came too late to matter, what is there is
/// taken now: the order is paid.
fn sell(
    stock: &Stock,
    line: StockLine,
    order_id: OrderId,
    buyer_id: BuyerId,
    now: DateTime<Utc>,
) -> Result<Vec<StockEvent>, StockRejection> {
    if stock.sold_to(order_id).is_some() {
        return Ok(vec![]);
    }
    let StockLine { sku_id, quantity, buyer_limit } = line;
    if let Some(held) = stock.reservation(order_id) {
        return Ok(vec![StockSold { sku_id, order_id, quantity: held.quantity }.into()]);
    }
    if u64::from(quantity) > stock.available() {
        return Err(StockRejection::Insufficient { available: stock.available() });
    }
    let order_skus = vec![sku_id.clone()];
    let reserved =
        StockReserved { sku_id: sku_id.clone(), order_id, buyer_id, quantity, buyer_limit, pay_no: None, order_skus, check_at: now };
    Ok(vec![reserved.into(), StockSold { sku_id, order_id, quantity }.into()])
}

#[cfg(test)]
mod tests;
