//! Money that came after its order expired: the order is revived if what it needs can be had again, else the money goes back.

use std::sync::Arc;

use domain::idempotency::{IdempotencyCommand, IdempotencyKey, IdempotencyRejection};
use domain::order::{Order, OrderCommand, OrderDraft, OrderRejection, OrderStatus};
use domain::stock::ReleaseCause;
use domain::{Decider, OrderId, PayNo};

use crate::creation::business_stream;
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError};
use crate::held::Held;
use crate::service::Commands;
use crate::streams;

impl Commands {
    /// Takes a late payment or gives it back, never both.
    ///
    /// What the order needs is held first: all of its stock, its coupon, and its business key, which nobody may take for another order
    /// meanwhile. Whoever dies in between leaves them held for this same payment, and the next look goes on from there.
    pub(crate) async fn settle_late_payment(&self, context: &Context, order_id: OrderId, pay_no: PayNo) -> Result<(), CommandFailure> {
        let standing = self.orders.load(&streams::order(order_id)).await?;
        let Some(created) = &standing.state.created else { return Err(CommandFailure::NotFound) };
        let draft = &created.draft;
        let is_expired = standing.state.status == OrderStatus::Expired;
        if is_expired && self.has_needs(context, draft, pay_no).await? && self.held(context, draft, pay_no).await? {
            match self.late(context, order_id, OrderCommand::Revive { pay_no }).await {
                Ok(_) => return Ok(()),
                // Another late payment was sooner, or it is on its way back.
                Err(CommandFailure::Order(OrderRejection::AlreadyPaid | OrderRejection::WrongState)) => {}
                Err(failure) => return Err(failure),
            }
        }
        match self.late(context, order_id, OrderCommand::RefundLatePayment { pay_no, now: self.now() }).await {
            // It has revived the order meanwhile.
            Err(CommandFailure::Order(OrderRejection::AlreadyPaid)) => Ok(()),
            // Another of the record's late payments has, and uses what is held for it.
            Ok(order) if order.paid.is_some_and(|(paid_by, _)| paid_by == pay_no) => Ok(()),
            Ok(_) => {
                let cause = ReleaseCause::LatePaymentRefunded;
                // What was held in this same context has taken the ids that follow from its cause.
                self.let_go(&context.then("let_go"), order_id, &Held::of(draft), &[Some(pay_no)], cause).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether all of the order's stock, and its coupon, could be held again. A part of it counts as none.
    async fn has_needs(&self, context: &Context, draft: &OrderDraft, pay_no: PayNo) -> Result<bool, CommandFailure> {
        match self.hold(context, draft, Some(pay_no)).await {
            Ok(()) => Ok(true),
            Err(
                CommandFailure::InsufficientStock { .. }
                | CommandFailure::BuyerLimitExceeded { .. }
                | CommandFailure::StockTaken
                | CommandFailure::Invalid { .. },
            ) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn late(&self, context: &Context, order_id: OrderId, command: OrderCommand) -> Result<Arc<Order>, CommandFailure> {
        let executed = self.orders.execute(&streams::order(order_id), context, |order| Order::decide(order, command.clone())).await?;
        for event in &executed.events {
            tracing::info!(order.id = %order_id, event = event.event_type(), "a late payment was dealt with");
        }
        Ok(executed.standing.state)
    }

    /// Whether the order has its business key for itself, so that no other order takes its place while it is revived.
    async fn held(&self, context: &Context, draft: &OrderDraft, pay_no: PayNo) -> Result<bool, CommandFailure> {
        let Some(stream_id) = business_stream(draft) else { return Ok(true) };
        let hold = || IdempotencyCommand::Hold { resource_id: draft.order_id.to_string(), pay_no };
        match self.keys.execute(&stream_id, context, |key| IdempotencyKey::decide(key, hold())).await {
            Ok(_) => Ok(true),
            Err(ExecuteError::Rejected(
                IdempotencyRejection::Claimed | IdempotencyRejection::Unclaimed | IdempotencyRejection::Redirected,
            )) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
