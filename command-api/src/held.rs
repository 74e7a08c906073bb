//! What is held for an order before it is made: stock and a coupon. All of it is held or nothing; it is let go only once the
//! order's own stream says that it will not be needed, since another process may be making the very same order.

use std::fmt;

use chrono::TimeDelta;
use domain::order::{Order, OrderDraft, OrderStatus, PaymentStatus, RefundCause};
use domain::stock::ReleaseCause;
use domain::{CouponId, OrderId, PayNo, SkuId};

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::service::Commands;
use crate::streams;

/// After so long it is looked whether the order was made that something is held for. Longer than any request takes.
pub(crate) const CHECK_AFTER: TimeDelta = TimeDelta::minutes(2);

/// Something that is held for an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// Stock of a SKU.
    Stock(SkuId),
    /// A coupon.
    Coupon(CouponId),
}

impl Held {
    /// Reads the name of its stream; `None` where that is none of these.
    pub fn parse(stream: &str) -> Option<Self> {
        let stock = || stream.strip_prefix("stock-").and_then(|sku_id| sku_id.parse().ok()).map(Self::Stock);
        stock().or_else(|| stream.strip_prefix("coupon-").and_then(|coupon_id| coupon_id.parse().ok()).map(Self::Coupon))
    }

    /// What an order of this draft holds.
    pub(crate) fn of(draft: &OrderDraft) -> Vec<Self> {
        let stock = draft.stock.iter().map(|line| Self::Stock(line.sku_id.clone()));
        stock.chain(draft.coupon.iter().map(|coupon| Self::Coupon(coupon.coupon_id.clone()))).collect()
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stock(sku_id) => streams::stock(sku_id).fmt(f),
            Self::Coupon(coupon_id) => streams::coupon(coupon_id).fmt(f),
        }
    }
}

impl Commands {
    /// Holds all that the order needs, or nothing that stays: at creation, or anew for a late payment.
    pub(crate) async fn hold(&self, context: &Context, draft: &OrderDraft, pay_no: Option<PayNo>) -> Result<(), CommandFailure> {
        self.reserve_stock(context, draft, pay_no).await?;
        self.reserve_coupon(context, draft, pay_no).await
    }

    /// Lets go what is held for the order, where it is held for one of `held_for`.
    pub(crate) async fn let_go(
        &self,
        context: &Context,
        order_id: OrderId,
        held: &[Held],
        held_for: &[Option<PayNo>],
        cause: ReleaseCause,
    ) -> Result<(), CommandFailure> {
        for held in held {
            match held {
                Held::Stock(sku_id) => self.release_stock(context, order_id, sku_id, held_for, cause).await?,
                Held::Coupon(coupon_id) => self.release_coupon(context, order_id, coupon_id, held_for).await?,
            }
        }
        Ok(())
    }

    /// Brings stock and coupons to where the order is: sold and used if it is paid, back if it has ended or its money went
    /// back. `orphaned` names what is held for an order that was never made.
    pub(crate) async fn settle_held(&self, context: &Context, order_id: OrderId, orphaned: &[Held]) -> Result<(), CommandFailure> {
        let standing = self.orders.load(&streams::order(order_id)).await?;
        let order = &standing.state;
        let Some(created) = &order.created else {
            return match order.status {
                OrderStatus::Abandoned => self.let_go(context, order_id, orphaned, &[None], ReleaseCause::NotOrdered).await,
                _ => Ok(()),
            };
        };
        let draft = &created.draft;
        match order.status {
            OrderStatus::Cancelled | OrderStatus::Expired => {
                self.let_go(context, order_id, &Held::of(draft), &over(order), ReleaseCause::OrderEnded).await
            }
            OrderStatus::Paid => {
                // A coupon that paid is used, whatever becomes of the money.
                self.use_coupon(context, draft).await?;
                if order.payment_status() == PaymentStatus::Refunded {
                    self.return_stock(context, draft).await?;
                    self.withdraw_coupon(context, order_id).await
                } else {
                    self.sell_stock(context, draft).await?;
                    let Some((_, paid_at)) = order.paid else { return Ok(()) };
                    self.grant_coupon(context, draft, paid_at).await
                }
            }
            OrderStatus::Uncreated | OrderStatus::Abandoned | OrderStatus::AwaitingPayment | OrderStatus::Closing => Ok(()),
        }
    }
}

/// What an ended order may still hold and does not need: what it held from the start, and what was held for late payments
/// that have gone back.
fn over(order: &Order) -> Vec<Option<PayNo>> {
    // Only those of which the log says so: money may have come late since it was read.
    let went_back = |pay_no: &PayNo| order.refunds.iter().any(|refund| refund.pay_no == *pay_no && refund.cause == RefundCause::Late);
    let numbers = order.pay_records.iter().filter_map(|record| record.issued.as_ref()).map(|issued| issued.pay_no);
    std::iter::once(None).chain(numbers.filter(went_back).map(Some)).collect()
}
