//! What orders hold: stock and coupons.

use domain::coupon::{CouponEvent, CouponGranted, CouponReleased, CouponReserved, CouponUsed, CouponWithdrawn};
use domain::stock::{ReleaseCause, StockAdjusted, StockEvent, StockReceived, StockReleased, StockReserved, StockSold};
use domain::{BuyerId, CouponId, Currency, OrderId, SkuId};

use super::{Stored, Story, at, fen, order_id};

fn sku_id() -> SkuId {
    SkuId::parse("sku-1").unwrap()
}

/// The coupon that was granted for this order.
pub(crate) fn coupon_id(order: OrderId) -> CouponId {
    CouponId::parse(&format!("C{order}")).unwrap()
}

pub(crate) fn stock_received(quantity: u32) -> StockReceived {
    StockReceived { sku_id: sku_id(), quantity, reason: "from the factory".to_owned(), command_key: None }
}

pub(crate) fn stock_adjusted(difference: i64) -> StockAdjusted {
    StockAdjusted { sku_id: sku_id(), difference, reason: "counted".to_owned(), command_key: None }
}

pub(crate) fn stock_reserved(order: OrderId, quantity: u32) -> StockReserved {
    StockReserved {
        sku_id: sku_id(),
        order_id: order,
        buyer_id: BuyerId::parse("alice").unwrap(),
        quantity,
        buyer_limit: None,
        pay_no: None,
        order_skus: vec![sku_id()],
        check_at: at(60),
    }
}

pub(crate) fn stock_released(order: OrderId, quantity: u32, was_sold: bool) -> StockReleased {
    let cause = if was_sold { ReleaseCause::Refunded } else { ReleaseCause::OrderEnded };
    StockReleased { sku_id: sku_id(), order_id: order, quantity, was_sold, cause }
}

pub(crate) fn stock_sold(order: OrderId, quantity: u32) -> StockSold {
    StockSold { sku_id: sku_id(), order_id: order, quantity }
}

pub(crate) fn coupon_granted(order: OrderId) -> CouponGranted {
    CouponGranted {
        coupon_id: coupon_id(order),
        buyer_id: BuyerId::parse("alice").unwrap(),
        order_id: order,
        discount_amount: fen(500),
        least_amount: fen(2000),
        currency: Currency::Cny,
        granted_at: at(102),
        expires_at: at(9000),
    }
}

pub(crate) fn coupon_reserved(granted_for: OrderId, order: OrderId) -> CouponReserved {
    CouponReserved { coupon_id: coupon_id(granted_for), order_id: order, pay_no: None, check_at: at(60) }
}

pub(crate) fn coupon_released(granted_for: OrderId, order: OrderId) -> CouponReleased {
    CouponReleased { coupon_id: coupon_id(granted_for), order_id: order }
}

pub(crate) fn coupon_used(granted_for: OrderId, order: OrderId) -> CouponUsed {
    CouponUsed { coupon_id: coupon_id(granted_for), order_id: order }
}

pub(crate) fn coupon_withdrawn(granted_for: OrderId) -> CouponWithdrawn {
    CouponWithdrawn { coupon_id: coupon_id(granted_for), order_id: granted_for }
}

pub(crate) fn stock_event(event: impl Into<StockEvent>) -> Stored {
    let event = event.into();
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

pub(crate) fn coupon_event(event: impl Into<CouponEvent>) -> Stored {
    let event = event.into();
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

impl Story {
    pub(crate) async fn stock(&self, sku_id: &str, event: impl Into<StockEvent>) {
        self.append(&format!("stock-{sku_id}"), [stock_event(event)]).await;
    }

    async fn coupon(&self, granted_for: OrderId, events: impl IntoIterator<Item = CouponEvent>) {
        self.append(&format!("coupon-{}", coupon_id(granted_for)), events.into_iter().map(coupon_event)).await;
    }

    /// Two stocks and two coupons, one of which goes back with the money that it was granted for.
    pub(super) async fn stock_and_coupons(&self) {
        let [second, fourth, fifth, sixth] = [2, 4, 5, 6].map(order_id);
        self.stock("sku-1", stock_reserved(fourth, 2)).await;
        self.coupon(second, [coupon_granted(second).into()]).await;
        self.stock("sku-2", stock_adjusted(3)).await;
        self.coupon(second, [coupon_reserved(second, fourth).into()]).await;
        self.stock("sku-1", stock_released(fourth, 2, false)).await;
        self.stock("sku-1", stock_reserved(fifth, 1)).await;
        self.coupon(second, [coupon_withdrawn(second).into()]).await;
        self.coupon(second, [coupon_released(second, fourth).into(), coupon_withdrawn(second).into()]).await;
        self.stock("sku-1", stock_sold(fifth, 1)).await;
        self.coupon(fifth, [coupon_granted(fifth).into()]).await;
        self.stock("sku-1", stock_reserved(sixth, 1)).await;
        self.coupon(fifth, [coupon_reserved(fifth, sixth).into()]).await;
    }
}
