//! What buyers and other business systems do.

use command_api::{BusinessItem, BusinessOrder, Caller, CallerKey, OrderRequest};
use domain::order::{Client, OrderType};
use domain::{CouponId, Currency, MinorUnits, OrderId, PayNo};

use crate::broken::Broken;
use crate::ledger::Stage;
use crate::shop::{self, BUYERS, COURSES, MUGS, PRODUCTS, SERVICES};
use crate::wishes::Wish;
use crate::world::World;

/// The most wishes with keys that are kept for repeats.
const MOST_KEYED: usize = 60;

impl World {
    fn one_of(&self, names: &[&'static str]) -> &'static str {
        self.stores.chance.pick(names).copied().unwrap_or_default()
    }

    /// A key for a new wish, sometimes.
    pub(super) fn some_key(&mut self, caller: &Caller, route: &str, content: &str) -> Option<CallerKey> {
        if self.stores.chance.one_in(3) {
            return None;
        }
        self.keys_made += 1;
        Some(CallerKey::new(&caller.actor(), route, &format!("k{}", self.keys_made), content))
    }

    /// Sends a wish, and remembers it where it has a key.
    pub(super) fn wish(&mut self, action: &'static str, wish: Wish) {
        self.note(action, || wish.describe());
        if wish.key().is_some() {
            if self.keyed.len() == MOST_KEYED {
                self.keyed.remove(0);
            }
            self.keyed.push(wish.clone());
            // Two tabs, or a proxy that repeats.
            if self.stores.chance.one_in(6) {
                self.send(wish.clone());
            }
        }
        self.send(wish);
    }

    pub(super) fn select(&mut self) {
        let buyer = shop::buyer(self.one_of(&BUYERS));
        let course = self.one_of(&COURSES);
        let key = self.some_key(&Caller::Buyer(buyer.clone()), "select", course);
        self.wish("select", Wish::Select { buyer, course: shop::product(course), key });
    }

    pub(super) fn order_selection(&mut self) {
        let Some((buyer, selection_id)) = self.stores.chance.recent(&self.selections).cloned() else { return self.select() };
        let caller = Caller::Buyer(buyer);
        let request = OrderRequest::CourseSelection { selection_id, client: Client::Web };
        let key = self.some_key(&caller, "order", &selection_id.to_string());
        self.wish("order a selection", Wish::Order { caller, request, key });
    }

    pub(super) fn order_product(&mut self) -> Result<(), Broken> {
        if self.stores.chance.one_in(6) {
            self.change_price()?;
        }
        let buyer = self.one_of(&BUYERS);
        let caller = Caller::Buyer(shop::buyer(buyer));
        let name = self.one_of(&PRODUCTS);
        let sku = (name == "mug").then(|| shop::sku(self.one_of(&MUGS)));
        let quantity = 1 + self.stores.chance.below(3);
        let coupon_id = self.some_coupon(buyer).filter(|_| name != "gift");
        let key = self.some_key(&caller, "order", &format!("{quantity} {name} {coupon_id:?}"));
        let request = OrderRequest::Product { product_id: shop::product(name), sku_id: sku, quantity, coupon_id, client: Client::H5 };
        self.wish("order a product", Wish::Order { caller, request, key });
        Ok(())
    }

    /// A coupon, now and then: mostly one of the buyer's that can be used, else any.
    fn some_coupon(&self, buyer: &str) -> Option<CouponId> {
        let chance = &self.stores.chance;
        if chance.one_in(2) {
            return None;
        }
        let any = chance.one_in(6);
        let coupons = self.ledger.coupons.iter().filter(|(_, coupon)| any || (coupon.buyer == buyer && coupon.is_usable()));
        let ids: Vec<&String> = coupons.map(|(coupon_id, _)| coupon_id).collect();
        chance.recent(&ids).and_then(|coupon_id| coupon_id.parse().ok())
    }

    pub(super) fn order_business(&mut self) {
        let chance = self.stores.chance.clone();
        let service = self.one_of(&SERVICES);
        let caller = Caller::Service(service.to_owned());
        // Few numbers, so that they are used again, in turn and at once.
        let out_business_id = format!("b{}", chance.below(6) + u32::try_from(self.steps / 150 % 100_000).unwrap_or(0) * 6);
        // Seldom with another content, which is refused while the first stands.
        let price = if chance.one_in(8) { 777 } else { 1500 };
        let order = BusinessOrder {
            buyer_id: shop::buyer(BUYERS[0]),
            order_type: OrderType::parse("fine").unwrap_or_else(|_| OrderType::course()),
            out_business_id: out_business_id.clone(),
            title: "A fine".to_owned(),
            description: None,
            items: vec![BusinessItem {
                goods_id: shop::product("fine"),
                name: "Fine".to_owned(),
                unit_price_amount: MinorUnits::new(price).unwrap_or_else(|_| unreachable!("a small price")),
                quantity: 1,
            }],
            currency: Currency::Cny,
        };
        let key = self.some_key(&caller, "order", &format!("{out_business_id} {price}"));
        self.wish("order for a business", Wish::Order { caller, request: OrderRequest::Business(order), key });
    }

    /// The caller of an order, or now and then somebody else.
    fn some_caller(&self, owner: &Caller) -> Caller {
        match self.stores.chance.below(20) {
            0 => Caller::Buyer(shop::buyer(self.one_of(&BUYERS))),
            1 => Caller::Operator("op".to_owned()),
            2 => Caller::CheckoutLink,
            _ => owner.clone(),
        }
    }

    fn some_order(&self) -> Option<(Caller, OrderId)> {
        self.stores.chance.recent(&self.orders).map(|(owner, order_id)| (self.some_caller(owner), *order_id))
    }

    /// Mostly one that awaits payment.
    fn some_payable_order(&self) -> Option<(Caller, OrderId)> {
        if self.stores.chance.one_in(5) {
            return self.some_order();
        }
        let is_open = |order_id: &OrderId| self.ledger.orders.get(&order_id.to_string()).is_some_and(|order| order.stage == Stage::Open);
        let open: Vec<_> = self.orders.iter().rev().filter(|(_, order_id)| is_open(order_id)).take(6).collect();
        self.stores.chance.pick(&open).map(|(owner, order_id)| (self.some_caller(owner), *order_id))
    }

    pub(super) fn some_if_match(&self, order_id: OrderId) -> Option<u64> {
        let revision = self.ledger.revision(&format!("order-{order_id}"))?;
        self.stores.chance.one_in(8).then_some(revision)
    }

    pub(super) fn begin_to_pay(&mut self) {
        let Some((caller, order_id)) = self.some_payable_order() else { return };
        let key = self.some_key(&caller, &format!("pay {order_id}"), "alipay_qr");
        let if_match = self.some_if_match(order_id);
        self.wish("begin to pay", Wish::Pay { caller, order_id, key, if_match });
    }

    pub(super) fn scan(&mut self) {
        let chance = self.stores.chance.clone();
        // Only what was shown can be scanned; what the channel knows beside that was never seen.
        let shown: Vec<String> = self.stores.alipay.scannable().into_iter().filter(|pay_no| self.ledger.shown.contains(pay_no)).collect();
        let Some(pay_no) = chance.recent(&shown).cloned() else { return };
        let is_shown = self.stores.alipay.scan(&pay_no, chance.one_in(10));
        self.note("scan", || format!("{pay_no}: {is_shown}"));
    }

    pub(super) fn pay(&mut self, action: &'static str, excess_minor: i64) {
        let chance = self.stores.chance.clone();
        let Some(pay_no) = chance.recent(&self.stores.alipay.awaiting()).cloned() else { return };
        let is_paid = self.stores.alipay.pay(&pay_no, excess_minor, chance.one_in(12));
        self.note(action, || format!("{pay_no}: {is_paid}"));
    }

    pub(super) fn sync(&mut self) {
        let Some(pay_no) = self.stores.chance.recent(&self.ledger.shown).and_then(|pay_no| pay_no.parse::<PayNo>().ok()) else { return };
        let owner = self.owner(pay_no.order_id());
        let caller = self.some_caller(&owner);
        let key = self.some_key(&caller, &format!("sync {pay_no}"), "");
        self.wish("sync", Wish::Sync { caller, pay_no, key });
    }

    /// Who may command an order.
    pub(crate) fn owner(&self, order_id: OrderId) -> Caller {
        match self.ledger.orders.get(&order_id.to_string()) {
            Some(order) if order.service.is_empty() => Caller::Buyer(shop::buyer(&order.buyer)),
            Some(order) => Caller::Service(order.service.clone()),
            None => Caller::CheckoutLink,
        }
    }

    pub(super) fn cancel(&mut self) {
        let Some((caller, order_id)) = self.some_order() else { return };
        let key = self.some_key(&caller, &format!("cancel {order_id}"), "");
        let if_match = self.some_if_match(order_id);
        self.wish("cancel", Wish::Cancel { caller, order_id, key, if_match });
    }

    /// Whoever holds the link of an expired order wants it anew.
    pub(super) fn renew(&mut self) {
        let is_expired =
            |order_id: &OrderId| self.ledger.orders.get(&order_id.to_string()).is_some_and(|order| order.stage == Stage::Expired);
        let expired: Vec<OrderId> = self.orders.iter().map(|(_, order_id)| *order_id).filter(is_expired).collect();
        let Some(order_id) = self.stores.chance.recent(&expired).copied() else { return };
        let Some(order) = self.order_on_log(order_id) else { return };
        let wish = Wish::Renew { order_id, order: Box::new(order) };
        self.note("renew", || wish.describe());
        if self.stores.chance.one_in(4) {
            self.send(wish.clone());
        }
        self.send(wish);
    }

    /// Whoever got no answer sends the same again.
    pub(super) fn retry(&mut self) {
        if self.retries.is_empty() {
            return;
        }
        let index = self.stores.chance.index(self.retries.len());
        let wish = self.retries.swap_remove(index);
        self.note("retry", || wish.describe());
        self.send(wish);
    }

    /// A key comes again, with the same content or with another.
    pub(super) fn repeat_key(&mut self) {
        let Some(wish) = self.stores.chance.pick(&self.keyed).cloned() else { return };
        if self.stores.chance.one_in(3) {
            let other = with_other_content(wish);
            self.note("key with other content", || other.describe());
            return self.send(other);
        }
        self.note("key again", || wish.describe());
        self.send(wish);
    }
}

/// The same key, and something else that is wished.
fn with_other_content(wish: Wish) -> Wish {
    let other = |key: Option<CallerKey>| key.map(|key| CallerKey { request_hash: format!("{}-other", key.request_hash), ..key });
    match wish {
        Wish::Select { buyer, key, .. } => Wish::Select { buyer, course: shop::product(COURSES[1]), key: other(key) },
        Wish::Order { caller: caller @ Caller::Buyer(_), key, .. } => {
            let request = OrderRequest::Product {
                product_id: shop::product("notes"),
                sku_id: None,
                quantity: 9,
                coupon_id: None,
                client: Client::App,
            };
            Wish::Order { caller, request, key: other(key) }
        }
        Wish::Order { caller, request, key } => Wish::Order { caller, request, key: other(key) },
        Wish::Pay { caller, order_id, key, if_match } => Wish::Pay { caller, order_id, key: other(key), if_match },
        Wish::Sync { caller, pay_no, key } => Wish::Sync { caller, pay_no, key: other(key) },
        Wish::Cancel { caller, order_id, key, if_match } => Wish::Cancel { caller, order_id, key: other(key), if_match },
        Wish::Refund { caller, order_id, wish, key, if_match } => Wish::Refund { caller, order_id, wish, key: other(key), if_match },
        Wish::Choose { caller, refund_no, choice, key } => Wish::Choose { caller, refund_no, choice, key: other(key) },
        Wish::Resolve { caller, pay_no, trade_no, key } => Wish::Resolve { caller, pay_no, trade_no, key: other(key) },
        Wish::Decide { caller, notice_id, trade_no, pay_no, key } => Wish::Decide { caller, notice_id, trade_no, pay_no, key: other(key) },
        Wish::Stock { caller, sku_id, change, key } => Wish::Stock { caller, sku_id, change, key: other(key) },
        unkeyed @ (Wish::Renew { .. } | Wish::Notice(_)) => unkeyed,
    }
}
