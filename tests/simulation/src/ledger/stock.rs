use std::collections::BTreeMap;

use serde_json::Value;

use super::{Ledger, number, text};
use crate::broken::{Broken, check};
use crate::ledger::Stage;

/// What the log says of the stock of a SKU.
#[derive(Clone, Debug, Default)]
pub(crate) struct StockFacts {
    /// In the house: what is held, and what is for sale.
    on_hand: i64,
    /// What is held, by order.
    pub(crate) held: BTreeMap<String, i64>,
    /// What is sold, by order.
    pub(crate) sold: BTreeMap<String, i64>,
    /// Who has, or had, what is limited, by order.
    buyers: BTreeMap<String, String>,
    /// All that ever came in, with what counts have corrected.
    received: i64,
}

impl StockFacts {
    /// What a buyer holds of it and has bought, where that is limited.
    fn had_by(&self, buyer: &str) -> i64 {
        let all = self.held.iter().chain(&self.sold);
        all.filter(|(order_id, _)| self.buyers.get(*order_id).is_some_and(|had| had == buyer)).map(|(_, quantity)| quantity).sum()
    }

    /// What is in the house, held and sold.
    pub(crate) fn shown(&self) -> (i64, i64, i64) {
        (self.on_hand, self.held.values().sum(), self.sold.values().sum())
    }
}

impl Ledger {
    pub(super) fn take_stock_event(&mut self, sku_id: &str, event_type: &str, data: &Value) -> Result<(), Broken> {
        let stock = self.stock.entry(sku_id.to_owned()).or_default();
        let (order_id, quantity) = (text(data, "order_id"), number(data, "quantity"));
        let what = format!("{event_type} of {quantity} {sku_id} for {order_id}: {stock:?}");
        let holds = match event_type {
            "StockReceived" | "StockAdjusted" => {
                let change = if event_type == "StockReceived" { quantity } else { number(data, "difference") };
                stock.on_hand += change;
                stock.received += change;
                true
            }
            "StockReserved" => {
                if !data["buyer_limit"].is_null() {
                    stock.buyers.insert(order_id.clone(), text(data, "buyer_id"));
                }
                stock.held.insert(order_id.clone(), quantity).is_none() && !stock.sold.contains_key(&order_id)
            }
            "StockSold" => {
                stock.on_hand -= quantity;
                stock.held.remove(&order_id).is_none_or(|held| held == quantity) && stock.sold.insert(order_id, quantity).is_none()
            }
            "StockReleased" if data["was_sold"].as_bool() == Some(true) => {
                stock.on_hand += quantity;
                stock.sold.remove(&order_id) == Some(quantity)
            }
            "StockReleased" => stock.held.remove(&order_id) == Some(quantity),
            _ => true,
        };
        check(holds, "stock is held once for an order, and sold or comes back", || what.clone())?;
        let (held, sold): (i64, i64) = (stock.held.values().sum(), stock.sold.values().sum());
        check(stock.on_hand >= held, "stock is never negative", || what.clone())?;
        check(stock.on_hand + sold == stock.received, "what came in is in the house or sold", || what.clone())?;
        match data["buyer_limit"].as_i64() {
            Some(limit) => check(stock.had_by(&text(data, "buyer_id")) <= limit, "no buyer has more than the limit", || what),
            None => Ok(()),
        }
    }

    /// At rest nothing is held, and what is sold is what orders were paid for whose money did not go back.
    pub(crate) fn check_stock_at_rest(&self) -> Result<(), Broken> {
        for (sku_id, stock) in &self.stock {
            check(stock.held.is_empty(), "stock is held only for orders that can be paid", || format!("{sku_id}: {:?}", stock.held))?;
            let owed = self.orders.iter().filter(|(_, order)| order.stage == Stage::Paid && !order.is_wholly_refunded);
            let owed = owed.filter_map(|(order_id, order)| Some((order_id.clone(), *order.stock.get(sku_id)?)));
            let owed: BTreeMap<String, i64> = owed.collect();
            check(owed == stock.sold, "stock is sold to those who paid for it", || format!("{sku_id}: {:?}, not {owed:?}", stock.sold))?;
        }
        Ok(())
    }
}

/// What an order holds of each SKU.
pub(super) fn lines(data: &Value) -> BTreeMap<String, i64> {
    let lines = data["stock"].as_array().into_iter().flatten();
    lines.map(|line| (text(line, "sku_id"), number(line, "quantity"))).collect()
}
