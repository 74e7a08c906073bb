//! Refunds that the channel made and nobody here asked for. Each is known by the channel's own number of it, which stands on
//! the order as a key's use: whatever tells of it, it is taken up once.

use chrono::{DateTime, Utc};
use domain::order::{IdempotencyKeyRecorded, Order, OrderCommand, OrderEvent, OrderRejection, OrderStreamEvent, RefundCommand};
use domain::{Decider, Money, PayNo, RefundNo};

use crate::caller::CallerKey;
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::service::Commands;
use crate::streams;

/// A refund that nobody here asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForeignRefund<'a> {
    /// The pay record whose money it gives back.
    pub(crate) pay_no: PayNo,
    /// The channel's number of the payment.
    pub(crate) trade_no: &'a str,
    /// The number under which the channel tells of the refund.
    pub(crate) number: &'a str,
}

impl ForeignRefund<'_> {
    /// Under which number of ours it counts; `None` where it was not taken up yet.
    pub(crate) fn taken_up_in(&self, order: &Order) -> Option<RefundNo> {
        order.keys.get(&self.key().key_hash).and_then(|used| used.refund_no)
    }

    fn key(&self) -> CallerKey {
        CallerKey::new("channel", &format!("refund of {}", self.trade_no), self.number, "")
    }

    /// That the order has it, as `refund_no`.
    pub(crate) fn mark(&self, refund_no: RefundNo) -> OrderStreamEvent {
        let CallerKey { key_hash, request_hash } = self.key();
        let recorded = IdempotencyKeyRecorded { key_hash, request_hash, pay_no: Some(self.pay_no), refund_no: Some(refund_no) };
        OrderStreamEvent::Order(recorded.into())
    }

    fn marked(&self, events: Vec<OrderStreamEvent>) -> Vec<OrderStreamEvent> {
        let refund_no = events.iter().find_map(|event| match event {
            OrderStreamEvent::Order(OrderEvent::RefundSucceeded(succeeded)) => Some(succeeded.refund_no),
            _ => None,
        });
        refund_no.map(|refund_no| self.mark(refund_no)).into_iter().chain(events).collect()
    }
}

/// Whether one of our refunds stands for a refund that the channel tells of under a number of its own.
pub(crate) fn stands_for_another(order: &Order, refund_no: RefundNo) -> bool {
    // A caller's own key for a refund names no pay record.
    order.keys.values().any(|used| used.pay_no.is_some() && used.refund_no == Some(refund_no))
}

impl Commands {
    /// Records a refund that the channel verifiably made, once. Errors: `Order` where more would have gone back than was
    /// paid, or where no number is left.
    pub(crate) async fn take_up_foreign_refund(
        &self,
        context: &Context,
        foreign: &ForeignRefund<'_>,
        amount: Money,
        refunded_at: Option<DateTime<Utc>>,
    ) -> Result<(), CommandFailure> {
        self.take_up_foreign_refund_if(context, foreign, amount, refunded_at, |_| true).await.map(drop)
    }

    /// The same where `is_new` holds of the order at which it is recorded; answers whether it was recorded.
    pub(crate) async fn take_up_foreign_refund_if(
        &self,
        context: &Context,
        foreign: &ForeignRefund<'_>,
        amount: Money,
        refunded_at: Option<DateTime<Utc>>,
        is_new: impl Fn(&Order) -> bool + Send + Sync,
    ) -> Result<bool, CommandFailure> {
        let (pay_no, trade_no, now) = (foreign.pay_no, foreign.trade_no.to_owned(), self.now());
        let command = RefundCommand::ObserveOne { pay_no, trade_no, amount, refunded_at, now };
        let decide = |order: &Order| {
            if foreign.taken_up_in(order).is_some() || !is_new(order) {
                return Ok(vec![]);
            }
            let events = Order::decide(order, OrderCommand::Refund(command.clone()))?;
            Ok::<_, OrderRejection>(foreign.marked(events))
        };
        let executed = self.orders.execute(&streams::order(pay_no.order_id()), context, decide).await?;
        let is_recorded = !executed.events.is_empty();
        if is_recorded {
            tracing::info!(order.id = %pay_no.order_id(), pay.no = %pay_no, "a refund was taken up that nobody here asked for");
        }
        Ok(is_recorded)
    }
}
