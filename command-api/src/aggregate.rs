//! One code for both wallets: it holds our own link, and the wallet that scans it decides which channel is asked.

use domain::order::{IdempotencyKeyRecorded, Order, OrderRejection, OrderStreamEvent};
use domain::{Channel, OrderId};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, Standing};
use crate::pay_records::{key_is_ours, owned, with_key};
use crate::service::Commands;
use crate::streams;

/// The order's own code, as it was given out.
#[derive(Clone, Debug)]
pub(crate) struct AggregateCode {
    /// The order at the revision that the answer is made from.
    pub(crate) order: Standing<Order>,
    /// Whether this wish was the first for it.
    pub(crate) is_new: bool,
    /// Whether the caller's key had done it before.
    pub(crate) replayed: bool,
}

/// The channels that a scan can lead to.
const LED_TO: [Channel; 4] = [Channel::AlipayWap, Channel::AlipayQr, Channel::WechatH5, Channel::WechatJsapi];

impl Commands {
    /// Gives out the order's own code. No channel is asked and no attempt begins before a wallet scans it.
    pub(crate) async fn give_aggregate_code(
        &self,
        caller: &Caller,
        order_id: OrderId,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<AggregateCode, CommandFailure> {
        let stream_id = streams::order(order_id);
        let standing = self.orders.load(&stream_id).await?;
        let order = owned(caller, &standing.state)?;
        let mark = mark(order_id);
        if let Some(key) = key.filter(|key| order.keys.contains_key(&key.key_hash)) {
            key_is_ours(order, Some(key))?;
            let order = self.when_key_was_used(&stream_id, key).await?;
            // Whoever gave it out first left the mark behind the key.
            let is_new = !order.state.keys.contains_key(&mark.key_hash);
            return Ok(AggregateCode { order, is_new, replayed: true });
        }
        if !LED_TO.into_iter().any(|channel| self.ports.channels.offers(channel)) {
            return Err(CommandFailure::ChannelNotConfigured);
        }
        let now = self.now();
        let context = Context::of_caller(caller, correlation_id);
        let executed = self
            .orders
            .execute_at(&stream_id, if_match, &context, |order| {
                if key_is_ours(order, key).is_err() {
                    return Ok(vec![]);
                }
                order.may_begin_payment(now)?;
                let is_given = order.keys.contains_key(&mark.key_hash);
                let given = if is_given { vec![] } else { vec![OrderStreamEvent::Order(mark.clone().into())] };
                Ok::<_, OrderRejection>(with_key(given, order, key, None))
            })
            .await?;
        key_is_ours(&executed.standing.state, key)?;
        let is_mark = |event: &OrderStreamEvent| *event == OrderStreamEvent::Order(mark.clone().into());
        let is_new = executed.events.iter().any(is_mark);
        Ok(AggregateCode { order: executed.standing, is_new, replayed: false })
    }
}

/// That the code was given out stands on the order as a key's use: there is one such code, whoever asks for it.
fn mark(order_id: OrderId) -> IdempotencyKeyRecorded {
    let CallerKey { key_hash, request_hash } = CallerKey::new("order", "aggregate", &order_id.to_string(), "");
    IdempotencyKeyRecorded { key_hash, request_hash, pay_no: None, refund_no: None }
}

#[cfg(test)]
mod tests;
