//! Coupons: granted for a payment, held before the order that they are set against is made, used when it is paid.

use chrono::{DateTime, TimeDelta, Utc};
use domain::coupon::{Coupon, CouponCommand, CouponGranted, CouponRejection, CouponReserved};
use domain::order::{AppliedCoupon, OrderDraft};
use domain::{BuyerId, CouponId, Decider, MinorUnits, Money, OrderId, PayNo};

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::held::CHECK_AFTER;
use crate::orders::invalid;
use crate::service::Commands;
use crate::streams;

/// What is granted for each payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CouponRule {
    /// What a coupon takes off one order, in smallest units of the order that it is granted for.
    pub discount_amount: MinorUnits,
    /// The least sum of an order that it can be set against.
    pub least_amount: MinorUnits,
    /// How long it can be used, from the payment on.
    pub life: TimeDelta,
}

/// How long after a payment its coupon is granted at the latest: longer than a service is dark.
const GRANTED_WITHIN: TimeDelta = TimeDelta::days(10);

/// The number of the coupon for an order's payment.
fn granted_for(order_id: OrderId) -> CouponId {
    CouponId::parse(&format!("C{order_id}")).unwrap_or_else(|_| unreachable!("an order's number is a short word"))
}

impl Commands {
    /// What the coupon takes off an order of this buyer over `sum`. Errors: it cannot be set against one.
    pub(crate) async fn applied(&self, coupon_id: CouponId, buyer_id: &BuyerId, sum: Money) -> Result<AppliedCoupon, CommandFailure> {
        let standing = self.coupons.load(&streams::coupon(&coupon_id)).await?;
        let discount = standing.state.discount(buyer_id, sum, self.now()).ok_or(CouponRejection::NotUsable)?;
        Ok(AppliedCoupon { coupon_id, discount_amount: discount.minor_units() })
    }

    /// Holds the coupon of the order, if it has one.
    pub(crate) async fn reserve_coupon(&self, context: &Context, draft: &OrderDraft, pay_no: Option<PayNo>) -> Result<(), CommandFailure> {
        let Some(applied) = &draft.coupon else { return Ok(()) };
        let lines = draft.amount.of(draft.currency).checked_add(applied.discount_amount.of(draft.currency));
        let sum = lines.map_err(|_| CommandFailure::Broken("an order's sum is too large"))?;
        let wish =
            CouponReserved { coupon_id: applied.coupon_id.clone(), order_id: draft.order_id, pay_no, check_at: self.now() + CHECK_AFTER };
        let command = || CouponCommand::Reserve { wish: wish.clone(), buyer_id: draft.buyer_id.clone(), sum, now: self.now() };
        self.on_coupon(&applied.coupon_id, context, command).await
    }

    /// Lets the coupon go that is held for the order.
    pub(crate) async fn release_coupon(
        &self,
        context: &Context,
        order_id: OrderId,
        coupon_id: &CouponId,
        held_for: &[Option<PayNo>],
    ) -> Result<(), CommandFailure> {
        self.on_coupon(coupon_id, context, || CouponCommand::Release { order_id, held_for: held_for.to_vec() }).await
    }

    /// The order was paid: its coupon is used up.
    pub(crate) async fn use_coupon(&self, context: &Context, draft: &OrderDraft) -> Result<(), CommandFailure> {
        let Some(applied) = &draft.coupon else { return Ok(()) };
        match self.on_coupon(&applied.coupon_id, context, || CouponCommand::Use { order_id: draft.order_id }).await {
            Err(CommandFailure::Invalid { .. }) => {
                // The order is paid and stays so; somebody must know.
                tracing::error!(order.id = %draft.order_id, coupon.id = %applied.coupon_id, "a coupon paid for two orders");
                Ok(())
            }
            other => other,
        }
    }

    /// Grants what the rule says for the payment of an order, once. Orders that were paid long ago get nothing: a rule that is
    /// new, or a list that is made again, reaches no further back.
    pub(crate) async fn grant_coupon(&self, context: &Context, draft: &OrderDraft, paid_at: DateTime<Utc>) -> Result<(), CommandFailure> {
        let now = self.now();
        let is_due = draft.amount.as_i64() > 0 && now - paid_at < GRANTED_WITHIN;
        let Some(rule) = self.config.coupon.filter(|_| is_due) else { return Ok(()) };
        let coupon_id = granted_for(draft.order_id);
        let granted = || CouponGranted {
            coupon_id: coupon_id.clone(),
            buyer_id: draft.buyer_id.clone(),
            order_id: draft.order_id,
            discount_amount: rule.discount_amount,
            least_amount: rule.least_amount,
            currency: draft.currency,
            granted_at: now,
            expires_at: paid_at + rule.life,
        };
        let stream_id = streams::coupon(&coupon_id);
        let decide = |coupon: &Coupon| Coupon::decide(coupon, CouponCommand::Grant(granted()));
        Ok(self.coupons.execute_new(&stream_id, context, decide).await.map(drop)?)
    }

    /// What was paid went back whole: so does the coupon that was granted for it, unless it was used.
    pub(crate) async fn withdraw_coupon(&self, context: &Context, order_id: OrderId) -> Result<(), CommandFailure> {
        self.on_coupon(&granted_for(order_id), context, || CouponCommand::Withdraw).await
    }

    async fn on_coupon(
        &self,
        coupon_id: &CouponId,
        context: &Context,
        command: impl Fn() -> CouponCommand + Send + Sync,
    ) -> Result<(), CommandFailure> {
        let stream_id = streams::coupon(coupon_id);
        let executed = self.coupons.execute(&stream_id, context, |coupon| Coupon::decide(coupon, command())).await;
        Ok(executed.map(drop)?)
    }
}

impl From<CouponRejection> for CommandFailure {
    fn from(CouponRejection::NotUsable: CouponRejection) -> Self {
        invalid("coupon_id", "not_usable", "This coupon cannot be used for this order.")
    }
}

#[cfg(test)]
mod tests;
