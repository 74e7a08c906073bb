//! Beginning to pay: the intent, the channel, the outcome.

mod opening;
mod preparing;

use domain::order::{Attempt, IdempotencyKeyRecorded, Order, OrderCommand, OrderEvent, OrderRejection, OrderStatus, OrderStreamEvent};
use domain::pay_record::{ClosedProof, PayRecord, PayRecordEvent, PayRecordStatus};
use domain::{Channel, Decider, OrderId, PayNo, RefundNo};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, Standing};
use crate::payer::Payer;
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

/// A wish to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayWish {
    /// Through which channel.
    pub channel: Channel,
    /// Who pays, where the channel must be told.
    pub payer: Payer,
    /// Whether somebody's scanning our own code began it.
    pub by_scan: bool,
}

impl PayWish {
    /// To pay through `channel`, which need not be told who pays.
    pub fn through(channel: Channel) -> Self {
        Self { channel, payer: Payer::default(), by_scan: false }
    }
}

impl Commands {
    /// Begins to pay an order through `channel`, which need not be told who pays, or answers the attempt that is on its way.
    pub async fn create_pay_record(
        &self,
        caller: &Caller,
        order_id: OrderId,
        channel: Channel,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<Attempted, CommandFailure> {
        self.begin_payment(caller, order_id, &PayWish::through(channel), key, if_match, correlation_id).await
    }

    /// Begins to pay an order, or answers the attempt that is on its way. What a channel gave for that and what has died
    /// since is asked for anew, where the channel prepares the same payment again.
    pub async fn begin_payment(
        &self,
        caller: &Caller,
        order_id: OrderId,
        wish: &PayWish,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
        correlation_id: Uuid,
    ) -> Result<Attempted, CommandFailure> {
        let channel = wish.channel;
        let stream_id = streams::order(order_id);
        let standing = self.orders.load(&stream_id).await?;
        let order = owned(caller, &standing.state)?;
        if let Some(key) = key
            && let Some(replayed) = self.replayed_attempt(order_id, order, key).await?
        {
            return Ok(replayed);
        }
        let configured = self.ports.channels.get(channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let attempt = self.attempt(order, wish, configured).await?;
        let usable = |record: &&PayRecord| record.code_is_usable(self.now()) && !is_numbered(record, attempt.replaces);
        let live = order.live_pay_record(channel).filter(usable);
        let context = Context::of_caller(caller, correlation_id);
        if !self.ports.channels.offers(channel) {
            // What was begun while it was offered can be paid still; nothing new is made.
            let pay_no = live.and_then(|record| record.issued.as_ref()).map(|issued| issued.pay_no);
            let pay_no = pay_no.filter(|_| order.status == OrderStatus::AwaitingPayment).ok_or(CommandFailure::ChannelNotConfigured)?;
            at_revision(&standing, if_match)?;
            let order = self.key_recorded(&stream_id, &context, key, Some(pay_no)).await?;
            return Ok(Attempted { pay_no, order, is_new: false, replayed: false });
        }
        if live.is_none() && !configured.gateway.available() {
            return Err(CommandFailure::ChannelUnavailable);
        }
        let attempted = self.issue(&context, order_id, attempt, key, if_match).await?;
        // A form is made only when a browser comes for it.
        let asks_first = attempted.is_new && !channel.takes_form();
        let asks_again = !attempted.is_new && attempted.record()?.can_be_renewed(self.now());
        match (attempted.replayed, asks_first, asks_again) {
            (false, true, _) => self.precreate(&context, attempted, configured).await,
            (false, false, true) => self.renew(&context, attempted, configured).await,
            _ => Ok(attempted),
        }
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
        wish: Attempt,
        key: Option<&CallerKey>,
        if_match: Option<u64>,
    ) -> Result<Attempted, CommandFailure> {
        let channel = wish.channel;
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

/// Whether the record has this number.
fn is_numbered(record: &PayRecord, pay_no: Option<PayNo>) -> bool {
    pay_no.is_some() && record.issued.as_ref().map(|issued| issued.pay_no) == pay_no
}

#[cfg(test)]
mod tests;
