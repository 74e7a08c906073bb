use std::sync::Arc;

use domain::Currency;
use domain::coupon::CouponStatus;
use domain::order::OrderStatus;
use followers::{Follower, LogFeed, MemoryLeases};
use gateway::TradeState;

use super::*;
use crate::process_managers::{AttemptPatience, MemoryOrderTodo, OrderUpkeep};
use crate::refunds::RefundWish;
use crate::testing::*;
use crate::{Caller, Commands, OrderRequest};

/// A shop that grants five yuan for each payment, for orders of twenty and more.
struct Shop {
    world: World,
    commands: Commands,
    upkeep: OrderUpkeep,
}

impl Shop {
    async fn new() -> Self {
        let world = World::new().await;
        world.receive("mug-black", 9).await;
        let units = |amount| MinorUnits::new(amount).unwrap();
        let rule = CouponRule { discount_amount: units(500), least_amount: units(2_000), life: TimeDelta::days(90) };
        let commands = world.granting(rule);
        let upkeep = OrderUpkeep::new(
            commands.clone(),
            Arc::new(LogFeed::new(world.log.clone(), OrderUpkeep::events())),
            Arc::new(MemoryOrderTodo::default()),
            Arc::new(MemoryLeases::default()),
            "one".to_owned(),
            AttemptPatience(TimeDelta::seconds(30)),
        );
        Self { world, commands, upkeep }
    }

    async fn pass(&self, time: TimeDelta) {
        self.world.clock.advance(time);
        for _ in 0..6 {
            self.upkeep.run_once().await.unwrap();
        }
    }

    async fn order(&self, quantity: u32, coupon_id: Option<&CouponId>) -> Result<OrderId, CommandFailure> {
        self.order_of("alice", quantity, coupon_id).await
    }

    async fn order_of(&self, name: &str, quantity: u32, coupon_id: Option<&CouponId>) -> Result<OrderId, CommandFailure> {
        let OrderRequest::Product { product_id, sku_id, client, .. } = of_product("mug", Some("mug-black"), 1) else { unreachable!() };
        let request = OrderRequest::Product { product_id, sku_id, quantity, coupon_id: coupon_id.cloned(), client };
        let (created, _) = self.commands.create_order(&buyer(name), request, None, CORRELATION).await?;
        Ok(created.resource_id.parse().unwrap())
    }

    async fn pay(&self, order_id: OrderId) {
        let pay_no = self.world.attempt(order_id).await;
        self.world.pay(pay_no).await;
        self.pass(TimeDelta::zero()).await;
    }

    /// A coupon of Alice's, and the order that it was granted for.
    async fn granted(&self) -> (CouponId, OrderId) {
        let order_id = self.order(1, None).await.unwrap();
        self.pay(order_id).await;
        (granted_for(order_id), order_id)
    }

    async fn status(&self, coupon_id: &CouponId) -> CouponStatus {
        self.commands.coupons.load(&streams::coupon(coupon_id)).await.unwrap().state.status.clone()
    }

    async fn give_back(&self, order_id: OrderId, amount: i64) {
        self.world.channel.refunds(Ok(gateway::RefundState::Succeeded { refunded_at: None }));
        let wish = RefundWish { amount: Money::new(amount, Currency::Cny).unwrap(), reason: "ill".to_owned() };
        let operator = Caller::Operator("olivia".to_owned());
        self.commands.request_refund(&operator, order_id, wish, None, None, CORRELATION).await.unwrap();
        self.pass(TimeDelta::seconds(10)).await;
    }
}

#[tokio::test]
async fn a_payment_grants_one_and_only_one() {
    let shop = Shop::new().await;
    let (coupon_id, order_id) = shop.granted().await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Usable);
    shop.pass(TimeDelta::hours(1)).await;
    let granted = shop.world.all("CouponGranted").await;
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0]["order_id"], order_id.to_string());
    assert_eq!((&granted[0]["discount_amount"], &granted[0]["buyer_id"]), (&500.into(), &"alice".into()));
}

#[tokio::test]
async fn what_costs_nothing_grants_nothing() {
    let shop = Shop::new().await;
    shop.world.create(&alice(), of_product("gift", None, 1), None).await.unwrap();
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.world.all("CouponGranted").await.len(), 0);
}

#[tokio::test]
async fn it_is_set_against_a_later_order_and_used_when_that_is_paid() {
    let shop = Shop::new().await;
    let (coupon_id, _) = shop.granted().await;
    let order_id = shop.order(1, Some(&coupon_id)).await.unwrap();
    let draft = shop.world.load(order_id).await.created.unwrap().draft;
    assert_eq!((draft.amount.as_i64(), draft.coupon.unwrap().discount_amount.as_i64()), (2_100, 500));
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Reserved { order_id, pay_no: None });
    let refused = shop.order(1, Some(&coupon_id)).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "coupon_id", code: "not_usable", .. })));
    shop.pay(order_id).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Used { order_id });
    let refused = shop.order(1, Some(&coupon_id)).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "coupon_id", .. })));
}

#[tokio::test]
async fn it_is_its_owners() {
    let shop = Shop::new().await;
    let (coupon_id, _) = shop.granted().await;
    let refused = shop.order_of("bob", 1, Some(&coupon_id)).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "coupon_id", .. })));
    let unknown = shop.order(1, Some(&CouponId::parse("C1").unwrap())).await;
    assert!(matches!(unknown, Err(CommandFailure::Invalid { field: "coupon_id", .. })));
}

#[tokio::test]
async fn it_comes_back_when_its_order_ends_unpaid() {
    let shop = Shop::new().await;
    let (coupon_id, _) = shop.granted().await;
    let cancelled = shop.order(1, Some(&coupon_id)).await.unwrap();
    shop.commands.cancel_order(&alice(), cancelled, None, None, None, CORRELATION).await.unwrap();
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Usable);
    shop.order(1, Some(&coupon_id)).await.unwrap();
    shop.pass(ORDER_LIFE).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Usable);
}

#[tokio::test]
async fn it_comes_back_when_whoever_held_it_died_before_the_order() {
    let shop = Shop::new().await;
    let (coupon_id, _) = shop.granted().await;
    shop.world.log.next("order-", Fault::Unavailable);
    assert!(shop.order(1, Some(&coupon_id)).await.is_err());
    assert!(matches!(shop.status(&coupon_id).await, CouponStatus::Reserved { .. }));
    shop.pass(TimeDelta::minutes(3)).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Usable);
    assert_eq!(shop.world.stock("mug-black").await.reserved, 0);
}

#[tokio::test]
async fn a_late_payment_takes_it_again_or_goes_back() {
    for is_taken in [false, true] {
        let shop = Shop::new().await;
        let (coupon_id, _) = shop.granted().await;
        let order_id = shop.order(1, Some(&coupon_id)).await.unwrap();
        let pay_no = shop.world.attempt(order_id).await;
        shop.world.channel.queries(Ok(TradeState::ClosedUnpaid));
        shop.pass(ORDER_LIFE).await;
        if is_taken {
            shop.order(1, Some(&coupon_id)).await.unwrap();
        }
        shop.world.channel.queries(Ok(paid("trade-9", 2_100)));
        shop.world.sync(pay_no).await.unwrap();
        shop.pass(TimeDelta::zero()).await;
        let order = shop.world.load(order_id).await;
        let expected = if is_taken { (OrderStatus::Expired, 1) } else { (OrderStatus::Paid, 0) };
        assert_eq!((order.status, order.refunds.len()), expected);
        assert_eq!(shop.status(&coupon_id).await == CouponStatus::Used { order_id }, !is_taken);
        assert_eq!(shop.world.stock("mug-black").await.reserved, u64::from(is_taken));
    }
}

#[tokio::test]
async fn one_that_was_granted_goes_back_with_the_whole_payment_but_not_when_used() {
    let shop = Shop::new().await;
    let (coupon_id, order_id) = shop.granted().await;
    shop.give_back(order_id, 1_000).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Usable, "a part is not the whole");
    shop.give_back(order_id, 1_600).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Withdrawn);

    let shop = Shop::new().await;
    let (coupon_id, first) = shop.granted().await;
    let second = shop.order(1, Some(&coupon_id)).await.unwrap();
    shop.pay(second).await;
    shop.give_back(first, 2_600).await;
    assert_eq!(shop.status(&coupon_id).await, CouponStatus::Used { order_id: second });
}

#[tokio::test]
async fn one_that_is_granted_by_a_look_from_before_the_refund_goes_back_too() {
    let shop = Shop::new().await;
    let order_id = shop.order(1, None).await.unwrap();
    let pay_no = shop.world.attempt(order_id).await;
    shop.world.pay(pay_no).await;
    let seen = shop.world.load(order_id).await;
    shop.give_back(order_id, 2_600).await;
    assert_eq!(shop.world.all("CouponGranted").await, [] as [serde_json::Value; 0]);

    // A process that stood still since before the refund grants it, and dies.
    let (draft, (_, paid_at)) = (seen.created.unwrap().draft, seen.paid.unwrap());
    let context = Context::of_caller(&alice(), CORRELATION);
    shop.commands.grant_coupon(&context, &draft, paid_at).await.unwrap();
    shop.pass(TimeDelta::zero()).await;
    assert_eq!(shop.status(&granted_for(order_id)).await, CouponStatus::Withdrawn);
}
