//! What operators do, here and on the channel's website.

use command_api::{Caller, NoticeDesk, NoticeFilter, NoticeState, OperatorChoice, RefundWish, StockChange};
use domain::{Currency, Money, OrderId, PayNo, RefundNo};
use futures_util::FutureExt;

use crate::ledger::{Stage, Standing};
use crate::shop::{self, STOCKED};
use crate::wishes::{REASON, Wish};
use crate::world::World;

/// The newest notifications among which an operator chooses.
const MOST_NOTICES: u32 = 8;

fn operator() -> Caller {
    Caller::Operator("op".to_owned())
}

impl World {
    /// Gives back a part of what an order was paid with, or all of it, now and then several at once.
    pub(super) fn refund(&mut self) {
        let chance = self.stores.chance.clone();
        let is_paid = |order_id: &OrderId| self.ledger.orders.get(&order_id.to_string()).is_some_and(|order| order.stage == Stage::Paid);
        let paid: Vec<OrderId> = self.orders.iter().map(|(_, order_id)| *order_id).filter(is_paid).collect();
        let Some(order_id) = chance.recent(&paid).copied() else { return };
        let owed = self.ledger.orders.get(&order_id.to_string()).map_or(0, |order| order.amount_minor);
        let at_once = if chance.one_in(3) { 3 } else { 1 };
        for _ in 0..at_once {
            let amount_minor = match chance.below(4) {
                0 => owed,
                1 => owed / 2,
                2 => owed - owed / 2,
                _ => i64::from(chance.below(u32::try_from(owed).unwrap_or(0) + 2)),
            };
            let Ok(amount) = Money::new(amount_minor, Currency::Cny) else { return };
            let key = self.some_key(&operator(), &format!("refund {order_id}"), &amount_minor.to_string());
            let if_match = self.some_if_match(order_id);
            let wish = RefundWish { amount, reason: REASON.to_owned() };
            self.wish("refund", Wish::Refund { caller: operator(), order_id, wish, key, if_match });
        }
    }

    /// Somebody gives money back on the channel's website.
    pub(super) fn refund_by_hand(&mut self) {
        let chance = self.stores.chance.clone();
        let is_ours = |trade_no: &String| self.ledger.trades.get(trade_no).is_some_and(|standing| *standing != Standing::Unknown);
        let captures: Vec<_> = self.stores.alipay.captures().into_iter().filter(|(trade_no, _)| is_ours(trade_no)).collect();
        let Some((trade_no, held)) = chance.recent(&captures).cloned() else { return };
        let left = held.amount_minor - self.stores.alipay.gave_back(&trade_no);
        let amount_minor = if chance.one_in(2) { left } else { i64::from(chance.below(u32::try_from(left).unwrap_or(0) + 1)) };
        let is_done = self.stores.alipay.refund_by_hand(&trade_no, amount_minor);
        self.note("refund by hand", || format!("{amount_minor} of {trade_no} of {}: {is_done}", held.out_trade_no));
    }

    /// Deals with a refund that needs an operator, or tries to with another.
    pub(super) fn choose_refund(&mut self) {
        let chance = self.stores.chance.clone();
        let refunds = self.ledger.orders.values().flat_map(|order| &order.refunds);
        let any = chance.one_in(6);
        let stuck: Vec<RefundNo> = refunds
            .filter(|(_, refund)| any || refund.word == "needs_operator")
            .filter_map(|(refund_no, _)| refund_no.parse().ok())
            .collect();
        let Some(refund_no) = chance.recent(&stuck).copied() else { return };
        let (choice, word) = if chance.one_in(3) { (OperatorChoice::Settle, "settle") } else { (OperatorChoice::Retry, "retry") };
        let key = self.some_key(&operator(), &format!("{word} {refund_no}"), REASON);
        self.wish("choose for a refund", Wish::Choose { caller: operator(), refund_no, choice, key });
    }

    /// Takes in a little stock, so that it is short at times, or corrects the books by a count.
    pub(super) fn change_stock(&mut self) {
        let chance = self.stores.chance.clone();
        let sku_id = shop::sku(STOCKED[chance.index(STOCKED.len())]);
        let booked =
            if chance.one_in(4) { StockChange::Adjustment(i64::from(chance.below(7)) - 3) } else { StockChange::Receipt(chance.below(8)) };
        let key = self.some_key(&operator(), &format!("stock {sku_id}"), &format!("{booked:?}"));
        self.wish("change stock", Wish::Stock { caller: operator(), sku_id, change: booked, key });
    }

    /// Decides on money that matched nothing: mostly it belongs to a pay record that asked for as much.
    pub(super) fn decide_on_stray(&mut self) {
        let chance = self.stores.chance.clone();
        let state = (!chance.one_in(6)).then_some(NoticeState::Open);
        let filter = NoticeFilter { verdict: Some("unknown_order".to_owned()), state };
        let Some(Ok(notices)) = self.stores.inbox.page(&filter, None, MOST_NOTICES).now_or_never() else { return };
        let Some(notice) = chance.pick(&notices).cloned() else { return };
        let Some(trade_no) = notice.trade_no else { return };
        let amount_minor = notice.amount.map_or(0, Money::amount_minor);
        let any = chance.one_in(4);
        let fits = |pay_no: &&String| any || self.ledger.order_of(pay_no).is_some_and(|order| order.amount_minor == amount_minor);
        let fitting: Vec<&String> = self.ledger.shown.iter().filter(fits).collect();
        let chosen = chance.recent(&fitting).and_then(|pay_no| pay_no.parse::<PayNo>().ok());
        let pay_no = chosen.filter(|_| !chance.one_in(8));
        let content = format!("{pay_no:?}");
        let key = self.some_key(&operator(), &format!("decide {}", notice.notice_id), &content);
        let wish = Wish::Decide { caller: operator(), notice_id: notice.notice_id, trade_no, pay_no, key };
        self.wish("decide on a stray capture", wish);
    }

    /// Somebody gives unmatched money back on the channel's website.
    pub(super) fn refund_stray(&mut self) {
        let chance = self.stores.chance.clone();
        let unknown = self.ledger.trades.iter().filter(|(_, standing)| **standing == Standing::Unknown);
        let unknown: Vec<String> = unknown.map(|(trade_no, _)| trade_no.clone()).collect();
        let Some(trade_no) = chance.recent(&unknown).cloned() else { return };
        let held = self.stores.alipay.captured(&trade_no).map_or(0, |held| held.amount_minor);
        let left = held - self.stores.alipay.gave_back(&trade_no);
        let amount_minor = if chance.one_in(2) { left } else { i64::from(chance.below(u32::try_from(left).unwrap_or(0) + 1)) };
        let is_done = self.stores.alipay.refund_stray(&trade_no, amount_minor);
        self.note("refund of a stray capture", || format!("{amount_minor} of {trade_no}: {is_done}"));
    }

    /// Says that money that was not owed was dealt with.
    pub(super) fn resolve_surplus(&mut self) {
        let is_unowed = |standing: &Standing| matches!(standing, Standing::Surplus | Standing::Late);
        let unowed: Vec<String> = self.ledger.trades.iter().filter(|(_, standing)| is_unowed(standing)).map(|(no, _)| no.clone()).collect();
        let Some(trade_no) = self.stores.chance.recent(&unowed).cloned() else { return };
        let Some(held) = self.stores.alipay.captured(&trade_no) else { return };
        let Ok(pay_no) = self.ledger.pay_no_of(&trade_no, &held.out_trade_no).parse::<PayNo>() else { return };
        let key = self.some_key(&operator(), &format!("resolve {pay_no}"), &trade_no);
        self.wish("resolve a surplus", Wish::Resolve { caller: operator(), pay_no, trade_no, key });
    }
}
