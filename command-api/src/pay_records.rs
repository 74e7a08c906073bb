//! Beginning to pay: the intent, the channel, the outcome.

mod opening;

use domain::order::{IdempotencyKeyRecorded, Order, OrderCommand, OrderEvent, OrderRejection, OrderStatus, OrderStreamEvent};
use domain::pay_record::{ClosedProof, PayRecord, PayRecordEvent, PayRecordStatus};
use domain::{Channel, Decider, OrderId, PayNo, RefundNo};
use event_store::StreamId;
use gateway::{GatewayError, PrecreateRequest};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::channels::ConfiguredChannel;
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, Standing};
use crate::service::Commands;
use crate::streams;

/// How the pay record stands that a wish to pay led to.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The pay record.
    pub pay_no: PayNo,
    /// Its order, as it stands at the revision that the answer is made from.
    pub order: Standing<Order>,
    /// Whether this wish made the record.
    pub is_new: bool,
    /// Whether the caller's key had done it before.
    pub replayed: bool,
}

impl Attempted {
    /// The record itself.
    pub fn record(&self) -> Result<&PayRecord, CommandFailure> {
        self.order.state.pay_record(self.pay_no).ok_or(CommandFailure::Broken("an issued pay record is not on its order"))
    }
}

/// An order that the caller may command, or that there is none.
pub(crate) fn owned<'o>(caller: &Caller, order: &'o Order) -> Result<&'o Order, CommandFailure> {
    let created = order.created.as_ref().ok_or(CommandFailure::NotFound)?;
    let draft = &created.draft;
    if caller.may_command(&draft.buyer_id, draft.service.as_deref()) { Ok(order) } else { Err(CommandFailure::NotFound) }
}

/// Refuses where the caller's `If-Match` names another revision.
pub(crate) fn at_revision<A>(standing: &Standing<A>, expected: Option<u64>) -> Result<(), CommandFailure> {
    if expected.is_some() && expected != standing.revision { Err(CommandFailure::Stale) } else { Ok(()) }
}

/// The events of a decision with the caller's key before them, so that a repeat is recognised: a key that stands before
/// its pay record made it, one that stands behind it found it.
pub(crate) fn with_key(
    events: Vec<OrderStreamEvent>,
    order: &Order,
    key: Option<&CallerKey>,
    pay_no: Option<PayNo>,
) -> Vec<OrderStreamEvent> {
    let mut events = events;
    if let Some(key) = key
        && order.keys.get(&key.key_hash).is_none_or(|used| used.pay_no != pay_no && used.request_hash == key.request_hash)
    {
        let recorded = IdempotencyKeyRecorded {
            key_hash: key.key_hash.clone(),
            request_hash: key.request_hash.clone(),
            pay_no,
            refund_no: requested_in(&events),
        };
        events.insert(0, OrderStreamEvent::Order(recorded.into()));
    }
    events
}

fn requested_in(events: &[OrderStreamEvent]) -> Option<RefundNo> {
    events.iter().find_map(|event| match event {
        OrderStreamEvent::Order(OrderEvent::RefundRequested(requested)) => Some(requested.refund_no),
        _ => None,
    })
}

/// Refuses where the caller's key stands on the order for other content: it came there while this command was at work.
pub(crate) fn key_is_ours(order: &Order, key: Option<&CallerKey>) -> Result<(), CommandFailure> {
    let used = key.and_then(|key| order.keys.get(&key.key_hash).map(|used| (key, used)));
    match used {
        Some((key, used)) if used.request_hash != key.request_hash => Err(CommandFailure::KeyReused),
        _ => Ok(()),
    }
}

/// Whether the caller's key stands on the order, for whatever content.
pub(crate) fn key_is_used(order: &Order, key: Option<&CallerKey>) -> bool {
    key.is_some_and(|key| order.keys.contains_key(&key.key_hash))
}

impl Commands {
    /// Begins to pay an order through `channel`, or answers the attempt that is on its way.
    pub async fn create_pay_record(
        &self,
        caller: &Caller,
        order_id: OrderId,
        channel: Channel,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<Attempted, CommandFailure> {
        let stream_id = streams::order(order_id);
        let standing = self.orders.load(&stream_id).await?;
        let order = owned(caller, &standing.state)?;
        if let Some(key) = key
            && let Some(replayed) = self.replayed_attempt(order_id, order, key).await?
        {
            return Ok(replayed);
        }
        let configured = self.ports.channels.get(channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let live = order.live_pay_record(channel).is_some_and(|record| record.code_is_usable(self.now()));
        if !live && !configured.gateway.available() {
            return Err(CommandFailure::ChannelUnavailable);
        }
        let context = Context::of_caller(caller, correlation_id);
        let attempted = self.issue(&context, order_id, channel, configured, key, if_match).await?;
        // A form is made only when a browser comes for it.
        let asks_now = attempted.is_new && !attempted.replayed && !channel.takes_form();
        if asks_now { self.precreate(&context, attempted, configured).await } else { Ok(attempted) }
    }

    /// What the caller's key did before; `None` where it did nothing, or led only to an attempt that nobody was ever shown.
    async fn replayed_attempt(&self, order_id: OrderId, order: &Order, key: &CallerKey) -> Result<Option<Attempted>, CommandFailure> {
        let Some(used) = order.keys.get(&key.key_hash) else { return Ok(None) };
        if used.request_hash != key.request_hash {
            return Err(CommandFailure::KeyReused);
        }
        let Some(pay_no) = led_to(order, Some(key)) else { return Ok(None) };
        // What the caller was told is what the record was when the key's own work on it had ended.
        let (key_hash, mut recorded, mut issued, mut prepared, mut is_new) = (key.key_hash.clone(), false, false, false, false);
        let standing = self
            .orders
            .load_until(&streams::order(order_id), |event| {
                match event {
                    OrderStreamEvent::Order(OrderEvent::IdempotencyKeyRecorded(event)) => {
                        recorded |= event.key_hash == key_hash && event.pay_no == Some(pay_no);
                        is_new |= recorded && !issued;
                    }
                    OrderStreamEvent::PayRecord(PayRecordEvent::PayRecordIssued(event)) if event.pay_no == pay_no => {
                        issued = true;
                        // There was nothing to wait for.
                        prepared |= event.channel.takes_form();
                    }
                    OrderStreamEvent::PayRecord(PayRecordEvent::PayRecordPrepared(event)) => prepared |= event.pay_no == pay_no,
                    _ => {}
                }
                recorded && prepared
            })
            .await?;
        Ok(Some(Attempted { pay_no, order: standing, is_new, replayed: true }))
    }

    async fn issue(
        &self,
        context: &Context,
        order_id: OrderId,
        channel: Channel,
        configured: &ConfiguredChannel,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
    ) -> Result<Attempted, CommandFailure> {
        let now = self.now();
        let wish = configured.wish(channel, now);
        let executed = self
            .orders
            .execute_at(&streams::order(order_id), if_match, context, |order| {
                // The same key at work elsewhere was sooner: what it led to is the answer, unless that led to nothing.
                if key_is_ours(order, key).is_err() || led_to(order, key).is_some() {
                    return Ok(vec![]);
                }
                let events = Order::decide(order, OrderCommand::Attempt(wish.clone()))?;
                let pay_no = issued_in(&events).or_else(|| live_pay_no(order, channel));
                Ok::<_, OrderRejection>(with_key(events, order, key, pay_no))
            })
            .await?;
        key_is_ours(&executed.standing.state, key)?;
        if let Some(key) = key.filter(|_| executed.events.is_empty() && led_to(&executed.standing.state, key).is_some()) {
            let replayed = self.replayed_attempt(order_id, &executed.standing.state, key).await?;
            return replayed.ok_or(CommandFailure::Broken("a key led to an attempt and to none"));
        }
        let new_pay_no = issued_in(&executed.events);
        let pay_no = new_pay_no.or_else(|| live_pay_no(&executed.standing.state, channel));
        let pay_no = pay_no.ok_or(CommandFailure::Broken("an attempt led to no pay record"))?;
        // The same key at work elsewhere was sooner.
        let replayed = executed.events.is_empty() && key.is_some_and(|key| executed.standing.state.keys.contains_key(&key.key_hash));
        Ok(Attempted { pay_no, order: executed.standing, is_new: new_pay_no.is_some(), replayed })
    }

    /// Asks the channel for the code of an attempt just issued, and records what it says. Nothing is known where it does
    /// not answer: the record stays `preparing`, and the process manager asks what became of it.
    pub(crate) async fn precreate(
        &self,
        context: &Context,
        attempted: Attempted,
        configured: &ConfiguredChannel,
    ) -> Result<Attempted, CommandFailure> {
        let request = precreate_request(attempted.record()?)?;
        let pay_no = attempted.pay_no;
        let command = match configured.gateway.precreate(&request).await {
            Ok(precreated) => {
                let code_expires_at = (self.now() + configured.code_life).min(request.time_expire);
                OrderCommand::RecordPrepared { pay_no, code_url: precreated.code_url, code_expires_at }
            }
            Err(GatewayError::Refused { code, .. }) => OrderCommand::RecordRefused { pay_no, code },
            Err(error @ GatewayError::Unknown { .. }) => {
                tracing::warn!(pay.no = %pay_no, error = &error as &dyn std::error::Error, "the channel gave no code; it will be asked");
                return Ok(attempted);
            }
        };
        let refused = match &command {
            OrderCommand::RecordRefused { code, .. } => Some(code.clone()),
            _ => None,
        };
        let stream_id = streams::order(pay_no.order_id());
        match self.orders.execute(&stream_id, context, |order| Order::decide(order, command.clone())).await {
            Ok(executed) => match refused {
                Some(code) => Err(CommandFailure::ChannelRefused { code }),
                None => Ok(Attempted { order: executed.standing, ..attempted }),
            },
            // It ended while the channel was asked, and its code was never shown.
            Err(ExecuteError::Rejected(OrderRejection::PayRecord(_))) => self.ended_meanwhile(&stream_id, attempted).await,
            Err(error) => Err(error.into()),
        }
    }
}

impl Commands {
    /// What is answered where an attempt ended while the channel was asked for its code: why, or what took its place.
    async fn ended_meanwhile(&self, stream_id: &StreamId, attempted: Attempted) -> Result<Attempted, CommandFailure> {
        let standing = self.orders.load(stream_id).await?;
        let order = &standing.state;
        match order.status {
            OrderStatus::Paid => return Err(CommandFailure::Order(OrderRejection::AlreadyPaid)),
            OrderStatus::AwaitingPayment => {}
            _ => return Err(CommandFailure::Order(OrderRejection::Ended)),
        }
        let channel = order.pay_record(attempted.pay_no).and_then(|record| record.issued.as_ref()).map(|issued| issued.channel);
        let successor = channel.and_then(|channel| live_pay_no(order, channel));
        match successor {
            Some(pay_no) => Ok(Attempted { pay_no, order: standing, is_new: false, ..attempted }),
            None => Ok(Attempted { order: standing, ..attempted }),
        }
    }
}

/// The attempt that the key led to, unless nobody was ever shown it.
fn led_to(order: &Order, key: Option<&CallerKey>) -> Option<PayNo> {
    let pay_no = key.and_then(|key| order.keys.get(&key.key_hash))?.pay_no?;
    let led_to_nothing =
        |record: &PayRecord| record.status == PayRecordStatus::Failed || record.closed_proof == Some(ClosedProof::NeverShown);
    (!order.pay_record(pay_no).is_some_and(led_to_nothing)).then_some(pay_no)
}

fn issued_in(events: &[OrderStreamEvent]) -> Option<PayNo> {
    events.iter().find_map(|event| match event {
        OrderStreamEvent::PayRecord(PayRecordEvent::PayRecordIssued(issued)) => Some(issued.pay_no),
        _ => None,
    })
}

fn live_pay_no(order: &Order, channel: Channel) -> Option<PayNo> {
    order.live_pay_record(channel).and_then(|record| record.issued.as_ref()).map(|issued| issued.pay_no)
}

fn precreate_request(record: &PayRecord) -> Result<PrecreateRequest, CommandFailure> {
    const BROKEN: CommandFailure = CommandFailure::Broken("a pay record for a channel has no request");
    let issued = record.issued.as_ref().ok_or(BROKEN)?;
    let request = issued.request.as_ref().ok_or(BROKEN)?;
    Ok(PrecreateRequest {
        out_trade_no: issued.pay_no.to_string(),
        amount: issued.amount,
        subject: request.subject.clone(),
        product_code: request.product_code.clone(),
        time_expire: request.time_expire,
        notify_url: request.notify_url.clone(),
    })
}

#[cfg(test)]
mod tests;
