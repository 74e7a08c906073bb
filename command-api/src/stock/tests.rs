use std::sync::Arc;

use chrono::TimeDelta;
use domain::order::{OrderSource, OrderStatus};
use domain::pay_record::CaptureSource;
use domain::stock::{ReleaseCause, StockLine};
use domain::{BuyerId, Currency, MinorUnits, Money};
use followers::{Follower, LogFeed, MemoryLeases};
use gateway::TradeState;
use serde_json::json;

use super::*;
use crate::OrderRequest;
use crate::held::Held;
use crate::process_managers::{AttemptPatience, MemoryOrderTodo, OrderUpkeep};
use crate::refunds::RefundWish;
use crate::testing::*;

/// A shop with five black mugs and two white ones, and its process manager.
struct Shop {
    world: World,
    upkeep: OrderUpkeep,
}

impl Shop {
    async fn new() -> Self {
        let world = World::new().await;
        world.receive("mug-black", 5).await;
        world.receive("mug-white", 2).await;
        let upkeep = OrderUpkeep::new(
            world.other_process(),
            Arc::new(LogFeed::new(world.log.clone(), OrderUpkeep::events())),
            Arc::new(MemoryOrderTodo::default()),
            Arc::new(MemoryLeases::default()),
            "one".to_owned(),
            AttemptPatience(TimeDelta::seconds(30)),
        );
        Self { world, upkeep }
    }

    async fn pass(&self, time: TimeDelta) {
        self.world.clock.advance(time);
        for _ in 0..6 {
            self.upkeep.run_once().await.unwrap();
        }
    }

    async fn counts(&self, sku_id: &str) -> (u64, u64, u64) {
        let stock = self.world.stock(sku_id).await;
        (stock.available(), stock.reserved, stock.sold)
    }

    async fn order(&self, quantity: u32) -> OrderId {
        let created = self.world.create(&alice(), black(quantity), None).await.unwrap().0;
        created.resource_id.parse().unwrap()
    }

    /// An order of both kinds of mugs, as a cart makes them.
    async fn draft(&self, blacks: u32, whites: u32) -> OrderDraft {
        let order_id = self.world.commands.ports.order_ids.next_order_id(self.world.commands.now()).await.unwrap();
        let line = |sku_id: &str, quantity| StockLine { sku_id: sku_id.parse().unwrap(), quantity, buyer_limit: None };
        OrderDraft {
            order_id,
            buyer_id: BuyerId::parse("alice").unwrap(),
            order_type: "goods".to_owned().try_into().unwrap(),
            out_business_id: order_id.to_string(),
            source: OrderSource::Product,
            service: None,
            title: "Mugs".to_owned(),
            description: None,
            items: vec![],
            amount: MinorUnits::new(0).unwrap(),
            currency: Currency::Cny,
            client: domain::order::Client::Web,
            coupon: None,
            stock: vec![line("mug-black", blacks), line("mug-white", whites)],
            hold_s: None,
        }
    }

    async fn paid(&self, quantity: u32) -> OrderId {
        let order_id = self.order(quantity).await;
        let pay_no = self.world.attempt(order_id).await;
        self.world.pay(pay_no).await;
        self.pass(TimeDelta::zero()).await;
        order_id
    }
}

fn black(quantity: u32) -> OrderRequest {
    of_product("mug", Some("mug-black"), quantity)
}

fn context() -> Context {
    Context::of_caller(&alice(), CORRELATION)
}

fn operator() -> Caller {
    Caller::Operator("olivia".to_owned())
}

#[tokio::test]
async fn stock_is_held_before_the_order_is_made_and_sold_when_it_is_paid() {
    let shop = Shop::new().await;
    let order_id = shop.order(2).await;
    assert_eq!(shop.counts("mug-black").await, (3, 2, 0));
    let pay_no = shop.world.attempt(order_id).await;
    shop.world.pay(pay_no).await;
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.counts("mug-black").await, (3, 0, 2));
    shop.pass(TimeDelta::hours(30)).await;
    assert_eq!(shop.counts("mug-black").await, (3, 0, 2), "once");
}

#[tokio::test]
async fn more_than_there_is_makes_no_order_and_holds_nothing() {
    let shop = Shop::new().await;
    let refused = shop.world.create(&alice(), black(6), Some(&key("k", "six"))).await;
    assert!(matches!(&refused, Err(CommandFailure::InsufficientStock { sku_id, available: 5 }) if sku_id.as_str() == "mug-black"));
    assert_eq!(shop.counts("mug-black").await, (5, 0, 0));
    assert_eq!(shop.world.all("OrderCreated").await, Vec::<serde_json::Value>::new());
    // Only what succeeded is answered again: when more has come in the same key makes the order, at the price of that day.
    shop.world.receive("mug-black", 1).await;
    shop.world.change("mug", |draft| draft.skus[0].price = Money::new(9_900, Currency::Cny).unwrap()).await;
    let made = shop.world.create(&alice(), black(6), Some(&key("k", "six"))).await.unwrap().0;
    assert!(!made.replayed);
    assert_eq!(shop.world.all("OrderCreated").await[0]["amount"], 6 * 9_900);
    assert_eq!(shop.counts("mug-black").await, (0, 6, 0));
    let again = shop.world.create(&alice(), black(6), Some(&key("k", "six"))).await.unwrap().0;
    assert_eq!((again.resource_id, again.replayed), (made.resource_id, true));
}

#[tokio::test]
async fn what_is_held_beside_something_that_is_missing_is_let_go() {
    let shop = Shop::new().await;
    let draft = shop.draft(2, 3).await;
    let refused = shop.world.commands.order_made(&context(), &draft).await;
    assert!(matches!(&refused, Err(CommandFailure::InsufficientStock { sku_id, available: 2 }) if sku_id.as_str() == "mug-white"));
    assert_eq!((shop.counts("mug-black").await, shop.counts("mug-white").await), ((5, 0, 0), (2, 0, 0)));
    assert_eq!(shop.world.order_types(draft.order_id).await, ["OrderAbandoned"]);
    let late = shop.world.commands.order_made(&context(), &OrderDraft { stock: vec![], ..draft }).await;
    assert!(matches!(late, Err(CommandFailure::InProgress)), "{late:?}");
}

#[tokio::test]
async fn what_somebody_held_who_died_before_the_order_comes_back() {
    let shop = Shop::new().await;
    let draft = shop.draft(2, 1).await;
    shop.world.commands.reserve_stock(&context(), &draft, None).await.unwrap();
    shop.pass(TimeDelta::seconds(100)).await;
    assert_eq!(shop.counts("mug-black").await, (3, 2, 0), "it may still be made");
    shop.pass(TimeDelta::seconds(30)).await;
    assert_eq!((shop.counts("mug-black").await, shop.counts("mug-white").await), ((5, 0, 0), (2, 0, 0)));
    assert_eq!(shop.world.order_types(draft.order_id).await, ["OrderAbandoned"]);
    let released = shop.world.all("StockReleased").await;
    assert!(released.iter().all(|released| released["cause"] == json!(ReleaseCause::NotOrdered)), "{released:?}");
    // Whoever comes to life again finds that it is over, and what they held in the mean time comes back too.
    let late = shop.world.commands.order_made(&context(), &draft).await;
    assert!(matches!(late, Err(CommandFailure::InProgress)), "{late:?}");
    assert_eq!(shop.counts("mug-black").await, (5, 0, 0));
}

#[tokio::test]
async fn an_order_that_is_made_keeps_what_it_holds_past_the_check() {
    let shop = Shop::new().await;
    shop.order(2).await;
    shop.pass(TimeDelta::minutes(3)).await;
    assert_eq!(shop.counts("mug-black").await, (3, 2, 0));
}

#[tokio::test]
async fn a_key_whose_order_was_given_up_makes_another() {
    let shop = Shop::new().await;
    shop.world.log.next("order-", Fault::Unavailable);
    let died = shop.world.create(&alice(), black(2), Some(&key("k", "two"))).await;
    assert!(matches!(died, Err(CommandFailure::Append(_))));
    shop.pass(TimeDelta::minutes(3)).await;
    assert_eq!(shop.counts("mug-black").await, (5, 0, 0));
    let made = shop.world.create(&alice(), black(2), Some(&key("k", "two"))).await.unwrap().0;
    assert_eq!((made.is_new, made.replayed), (true, false));
    assert_eq!(shop.counts("mug-black").await, (3, 2, 0));
    let again = shop.world.create(&alice(), black(2), Some(&key("k", "two"))).await.unwrap().0;
    assert_eq!((again.resource_id, again.replayed), (made.resource_id, true));
}

#[tokio::test]
async fn every_unpaid_end_lets_go() {
    let shop = Shop::new().await;
    let cancelled = shop.order(1).await;
    shop.order(2).await;
    shop.world.commands.cancel_order(&alice(), cancelled, None, None, None, CORRELATION).await.unwrap();
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.counts("mug-black").await, (3, 2, 0));
    shop.pass(ORDER_LIFE).await;
    assert_eq!(shop.counts("mug-black").await, (5, 0, 0));
}

#[tokio::test]
async fn a_short_hold_ends_the_order_sooner() {
    let shop = Shop::new().await;
    shop.world.change("mug", |draft| draft.hold_s = Some(300)).await;
    let order_id = shop.order(2).await;
    let created = shop.world.load(order_id).await.created.unwrap();
    assert!(created.expires_at <= created.created_at + TimeDelta::seconds(300));
    shop.pass(TimeDelta::seconds(301)).await;
    assert_eq!(shop.counts("mug-black").await, (5, 0, 0));
}

#[tokio::test]
async fn a_buyer_gets_no_more_than_the_limit_and_another_gets_theirs() {
    let shop = Shop::new().await;
    shop.world.change("mug", |draft| draft.buyer_limit = Some(2)).await;
    shop.order(2).await;
    let refused = shop.world.create(&alice(), black(1), None).await;
    assert!(matches!(refused, Err(CommandFailure::BuyerLimitExceeded { limit: 2, .. })));
    shop.world.create(&buyer("bob"), black(2), None).await.unwrap();
    assert_eq!(shop.counts("mug-black").await, (1, 4, 0));
}

#[tokio::test]
async fn what_was_paid_and_went_back_whole_is_for_sale_again() {
    let shop = Shop::new().await;
    let order_id = shop.paid(2).await;
    shop.world.channel.refunds(Ok(gateway::RefundState::Succeeded { refunded_at: None }));
    let wish = |amount| RefundWish { amount: Money::new(amount, Currency::Cny).unwrap(), reason: "broken".to_owned() };
    shop.world.commands.request_refund(&operator(), order_id, wish(2_600), None, None, CORRELATION).await.unwrap();
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.counts("mug-black").await, (3, 0, 2), "a part is not the whole");
    shop.world.channel.refunds(Ok(gateway::RefundState::Succeeded { refunded_at: None }));
    shop.world.commands.request_refund(&operator(), order_id, wish(2_600), None, None, CORRELATION).await.unwrap();
    shop.pass(TimeDelta::seconds(10)).await;
    assert_eq!(shop.counts("mug-black").await, (5, 0, 0));
}

/// An order of two black mugs that expired before its payment was told.
async fn paid_late(shop: &Shop) -> OrderId {
    let order_id = shop.order(2).await;
    let pay_no = shop.world.attempt(order_id).await;
    shop.world.channel.queries(Ok(TradeState::ClosedUnpaid));
    shop.pass(ORDER_LIFE).await;
    assert_eq!((shop.world.load(order_id).await.status, shop.counts("mug-black").await), (OrderStatus::Expired, (5, 0, 0)));
    shop.world.pay(pay_no).await;
    order_id
}

#[tokio::test]
async fn a_late_payment_takes_the_stock_again() {
    let shop = Shop::new().await;
    let order_id = paid_late(&shop).await;
    shop.pass(TimeDelta::zero()).await;
    assert_eq!((shop.world.load(order_id).await.status, shop.counts("mug-black").await), (OrderStatus::Paid, (3, 0, 2)));
}

#[tokio::test]
async fn a_second_late_payment_goes_back_and_leaves_the_stock_to_the_first() {
    let shop = Shop::new().await;
    let order_id = paid_late(&shop).await;
    let pay_no = PayNo::new(order_id, 1).unwrap();
    let second = captured("trade-2", shop.world.record(pay_no).await.issued.unwrap().amount.amount_minor());
    shop.world.commands.record_capture(&context(), pay_no, &second, CaptureSource::Query).await.unwrap();
    // Whoever revived it died before the stock was sold.
    for _ in 0..2 {
        shop.world.commands.settle_late_payment(&context(), order_id, pay_no).await.unwrap();
    }
    let order = shop.world.load(order_id).await;
    assert_eq!((order.status, order.refunds.len(), shop.counts("mug-black").await), (OrderStatus::Paid, 1, (3, 2, 0)));
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.counts("mug-black").await, (3, 0, 2));
}

#[tokio::test]
async fn a_late_payment_goes_back_when_the_stock_is_gone() {
    let shop = Shop::new().await;
    let order_id = paid_late(&shop).await;
    shop.world.create(&buyer("bob"), black(4), None).await.unwrap();
    shop.pass(TimeDelta::zero()).await;
    let order = shop.world.load(order_id).await;
    assert_eq!((order.status, order.refunds.len()), (OrderStatus::Expired, 1));
    assert_eq!(shop.counts("mug-black").await, (1, 4, 0));
}

#[tokio::test]
async fn a_part_of_the_stock_counts_as_none_for_a_late_payment() {
    let shop = Shop::new().await;
    let draft = shop.draft(2, 2).await;
    shop.world.create(&buyer("bob"), of_product("mug", Some("mug-white"), 1), None).await.unwrap();
    let pay_no = PayNo::new(draft.order_id, 1).unwrap();
    let refused = shop.world.commands.reserve_stock(&context(), &draft, Some(pay_no)).await;
    assert!(matches!(refused, Err(CommandFailure::InsufficientStock { .. })));
    let cause = ReleaseCause::LatePaymentRefunded;
    shop.world.commands.let_go(&context(), draft.order_id, &Held::of(&draft), &[Some(pay_no)], cause).await.unwrap();
    assert_eq!((shop.counts("mug-black").await, shop.counts("mug-white").await), ((5, 0, 0), (1, 1, 0)));
}

#[tokio::test]
async fn a_receipt_is_taken_in_once_for_each_key() {
    let shop = Shop::new().await;
    let sku_id: SkuId = "mug-black".parse().unwrap();
    let receive = async |key: Option<CallerKey>, quantity| {
        let change = StockChange::Receipt(quantity);
        shop.world.commands.change_stock(&operator(), &sku_id, change, "came".to_owned(), key.as_ref(), CORRELATION).await
    };
    let first = receive(Some(key("k", "three")), 3).await.unwrap();
    assert_eq!((first.available, first.replayed), (8, false));
    receive(None, 1).await.unwrap();
    let again = receive(Some(key("k", "three")), 3).await.unwrap();
    assert_eq!(again, StockAnswer { replayed: true, ..first }, "as it stood when the key changed it");
    assert!(matches!(receive(Some(key("k", "four")), 4).await, Err(CommandFailure::KeyReused)));
    assert_eq!(shop.counts("mug-black").await, (9, 0, 0));
}

#[tokio::test]
async fn the_books_are_set_to_what_was_counted_but_not_below_what_is_promised() {
    let shop = Shop::new().await;
    shop.order(2).await;
    let sku_id: SkuId = "mug-black".parse().unwrap();
    let adjust = async |difference| {
        let change = StockChange::Adjustment(difference);
        shop.world.commands.change_stock(&operator(), &sku_id, change, "counted".to_owned(), None, CORRELATION).await
    };
    assert!(matches!(adjust(-4).await, Err(CommandFailure::InsufficientStock { available: 3, .. })));
    assert_eq!(adjust(-3).await.unwrap().available, 0);
    assert_eq!(adjust(1).await.unwrap().available, 1);
    let (red, one) = ("mug-red".parse().unwrap(), StockChange::Receipt(1));
    let unknown = shop.world.commands.change_stock(&operator(), &red, one, String::new(), None, CORRELATION).await;
    assert!(matches!(unknown, Err(CommandFailure::NotFound)));
}
