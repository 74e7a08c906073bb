//! Creation by key: what is created, with its number and prices, is fixed by a claim before it is made, so that a retry
//! after a crash finishes the same work and two at once make one.

use std::future::Future;

use domain::course_selection::{CourseSelected, CourseSelection, CourseSelectionCommand, SelectionStatus};
use domain::idempotency::{IdempotencyCommand, IdempotencyKey, IdempotencyKeyClaimed, IdempotencyRejection, Intent};
use domain::order::{Order, OrderCommand, OrderDraft, OrderRejection, OrderSource, OrderStatus, OrderType, PaymentStatus};
use domain::{BuyerId, Decider, PayNo, ProductId, SelectionId};
use event_store::{Position, StreamId};

use crate::caller::CallerKey;
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, MAX_TRIES};
use crate::held::Held;
use crate::service::Commands;
use crate::streams;

/// What a creating command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The number of what was created, or was there already.
    pub resource_id: String,
    /// Whether this key made it; otherwise it was there already under its business key.
    pub is_new: bool,
    /// Whether the caller's key had done it before.
    pub replayed: bool,
    /// The position of the last event that the answer is made from.
    pub position: Position,
}

/// The key under which a thing exists at most once at a time, whoever asks.
#[derive(Clone)]
pub(crate) struct NaturalKey {
    key_hash: String,
    content_hash: String,
    /// Whether an order has it only while it can be paid: the buyer may buy the same again.
    until_paid: bool,
}

impl NaturalKey {
    /// The key of the order that a buyer has open for a product whose code was scanned.
    pub(crate) fn of_scan(buyer_id: &BuyerId, product_id: &ProductId) -> Self {
        let key_hash = streams::hash(&["scan", buyer_id.as_str(), product_id.as_str()]);
        Self { key_hash, content_hash: streams::hash(&[]), until_paid: true }
    }
}

/// What a caller's key has done before.
enum Replay {
    /// Nothing.
    Unclaimed,
    /// What it was sent for.
    Done(Created),
    /// It fixed an order that was given up before it was made: it may fix another.
    Abandoned { generation: u32 },
}

/// How what a claim fixed stands.
enum ClaimStanding {
    Missing,
    Abandoned,
    Live(Position),
    Over(Position),
}

impl Commands {
    /// Creates what `resolve` resolves, once for each caller's key and once for each natural key.
    pub(crate) async fn create(
        &self,
        context: &Context,
        caller_key: Option<&CallerKey>,
        resolve: impl Future<Output = Result<Intent, CommandFailure>> + Send,
    ) -> Result<Created, CommandFailure> {
        self.create_under(context, caller_key, None, resolve).await
    }

    /// The same under the natural key `natural`, where what is resolved has none of its own.
    pub(crate) async fn create_under(
        &self,
        context: &Context,
        caller_key: Option<&CallerKey>,
        natural: Option<&NaturalKey>,
        resolve: impl Future<Output = Result<Intent, CommandFailure>> + Send,
    ) -> Result<Created, CommandFailure> {
        let mut abandoned = None;
        if let Some(key) = caller_key {
            match self.replay(context, key, natural).await? {
                Replay::Done(created) => return Ok(created),
                Replay::Abandoned { generation } => abandoned = Some(generation),
                Replay::Unclaimed => {}
            }
        }
        let intent = resolve.await?;
        if let Some(key) = caller_key {
            let stream_id = streams::idempotency(&key.key_hash);
            let (request_hash, fixed) = (&key.request_hash, &intent);
            let claim = || match abandoned {
                None => IdempotencyCommand::Claim { request_hash: request_hash.clone(), intent: fixed.clone() },
                Some(generation) => {
                    IdempotencyCommand::Replace { generation, request_hash: request_hash.clone(), intent: fixed.clone(), held_for: None }
                }
            };
            match self.keys.execute_new(&stream_id, context, |state| IdempotencyKey::decide(state, claim())).await {
                Ok(_) => {}
                Err(ExecuteError::Rejected(IdempotencyRejection::Claimed)) => {
                    return match self.replay(context, key, natural).await? {
                        Replay::Done(created) => Ok(created),
                        Replay::Unclaimed | Replay::Abandoned { .. } => Err(CommandFailure::InProgress),
                    };
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.finish(context, intent, caller_key, natural).await
    }

    /// Finishes what the caller's key fixed, if it fixed anything that still may be.
    async fn replay(&self, context: &Context, key: &CallerKey, natural: Option<&NaturalKey>) -> Result<Replay, CommandFailure> {
        let standing = self.keys.load(&streams::idempotency(&key.key_hash)).await?;
        let Some(claimed) = &standing.state.claimed else { return Ok(Replay::Unclaimed) };
        if claimed.request_hash != key.request_hash {
            return Err(CommandFailure::KeyReused);
        }
        let own = claimed.intent.resource_id();
        let created = match standing.state.redirected_to.as_ref().filter(|resource_id| **resource_id != own) {
            Some(resource_id) => {
                // What was answered is how it stood when the key came to answer with it.
                Created { resource_id: resource_id.clone(), is_new: false, replayed: true, position: standing.position }
            }
            None => match self.claim_standing(&claimed.intent).await? {
                // Once made it is this key's for ever, even where it has ended and another has its natural key since.
                ClaimStanding::Live(position) | ClaimStanding::Over(position) => {
                    Created { resource_id: own, is_new: true, replayed: true, position }
                }
                ClaimStanding::Missing => self.finish(context, claimed.intent.clone(), Some(key), natural).await?,
                // Nobody was ever answered with it.
                ClaimStanding::Abandoned => return Ok(Replay::Abandoned { generation: claimed.generation }),
            },
        };
        Ok(Replay::Done(Created { replayed: true, ..created }))
    }

    async fn finish(
        &self,
        context: &Context,
        intent: Intent,
        caller_key: Option<&CallerKey>,
        natural: Option<&NaturalKey>,
    ) -> Result<Created, CommandFailure> {
        let Some(natural) = natural_key(&intent).or_else(|| natural.cloned()) else { return self.made(context, &intent, true).await };
        let stream_id = streams::idempotency(&natural.key_hash);
        for _ in 0..MAX_TRIES {
            let claim = || IdempotencyCommand::Claim { request_hash: natural.content_hash.clone(), intent: intent.clone() };
            match self.keys.execute_new(&stream_id, context, |state| IdempotencyKey::decide(state, claim())).await {
                Ok(_) => return self.made(context, &intent, true).await,
                Err(ExecuteError::Rejected(IdempotencyRejection::Claimed)) => {}
                Err(error) => return Err(error.into()),
            }
            // The caller's key is bound only as it was before what it is bound by was looked at.
            let known = self.revision_of(caller_key).await?;
            let standing = self.keys.load(&stream_id).await?;
            let Some(claimed) = standing.state.claimed.clone() else { continue };
            if claimed.intent.resource_id() == intent.resource_id() {
                return self.made(context, &intent, true).await;
            }
            if let Some(created) = self.own_before(&intent, caller_key).await? {
                return Ok(created);
            }
            if let Some(created) = self.under_claim(context, &natural, &claimed, &intent).await? {
                match self.bound_elsewhere(context, caller_key, known, &intent, &created.resource_id).await {
                    Err(CommandFailure::Stale) => continue,
                    elsewhere => return Ok(elsewhere?.unwrap_or(created)),
                }
            }
            // The key is bound before the claim is replaced: the same key, at work elsewhere, may have found another answer.
            match self.bound_elsewhere(context, caller_key, known, &intent, &intent.resource_id()).await {
                Err(CommandFailure::Stale) => continue,
                Ok(Some(created)) => return Ok(created),
                Ok(None) => {}
                Err(failure) => return Err(failure),
            }
            let held_for = standing.state.held_for;
            if held_for.is_some() {
                if self.is_being_revived(&claimed.intent).await? {
                    return Err(CommandFailure::InProgress);
                }
                // It may have been revived since it was looked at.
                let now = self.claim_standing(&claimed.intent).await?;
                if !self.gives_way(&now, &natural, &claimed.intent).await? {
                    continue;
                }
            }
            if self.replaced(context, &natural, &claimed, &intent, held_for).await? {
                return self.made(context, &intent, true).await;
            }
        }
        Err(CommandFailure::Contended(stream_id))
    }

    /// What another claim of the same natural key stands for; `None` where that has ended and may be replaced.
    async fn under_claim(
        &self,
        context: &Context,
        natural: &NaturalKey,
        claimed: &IdempotencyKeyClaimed,
        wished: &Intent,
    ) -> Result<Option<Created>, CommandFailure> {
        let standing = self.claim_standing(&claimed.intent).await?;
        if self.gives_way(&standing, natural, &claimed.intent).await? {
            return Ok(None);
        }
        if claimed.request_hash != natural.content_hash || !same_owner(&claimed.intent, wished) {
            return Err(CommandFailure::BusinessIdConflict);
        }
        let created = match standing {
            ClaimStanding::Live(position) => {
                Created { resource_id: claimed.intent.resource_id(), is_new: false, replayed: false, position }
            }
            // Whoever claimed has not made it yet, or has died before: either of us may.
            ClaimStanding::Missing | ClaimStanding::Abandoned | ClaimStanding::Over(_) => {
                self.made(context, &claimed.intent, false).await?
            }
        };
        Ok(Some(created))
    }

    /// Whether what a claim stands for lets another take its place.
    async fn gives_way(&self, standing: &ClaimStanding, natural: &NaturalKey, intent: &Intent) -> Result<bool, CommandFailure> {
        let has_ended = matches!(standing, ClaimStanding::Over(_) | ClaimStanding::Abandoned);
        Ok(has_ended || (natural.until_paid && self.is_past_payment(intent).await?))
    }

    /// Whether the ended claim was replaced by ours; not where somebody else was sooner.
    async fn replaced(
        &self,
        context: &Context,
        natural: &NaturalKey,
        ended: &IdempotencyKeyClaimed,
        intent: &Intent,
        held_for: Option<PayNo>,
    ) -> Result<bool, CommandFailure> {
        let replace = || IdempotencyCommand::Replace {
            generation: ended.generation,
            request_hash: natural.content_hash.clone(),
            intent: intent.clone(),
            held_for,
        };
        let stream_id = streams::idempotency(&natural.key_hash);
        match self.keys.execute(&stream_id, context, |state| IdempotencyKey::decide(state, replace())).await {
            Ok(_) => Ok(true),
            Err(ExecuteError::Rejected(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What the same key, at work elsewhere, made of this intent before somebody else came to have its natural key.
    async fn own_before(&self, intent: &Intent, caller_key: Option<&CallerKey>) -> Result<Option<Created>, CommandFailure> {
        if caller_key.is_none() {
            return Ok(None);
        }
        Ok(match self.claim_standing(intent).await? {
            ClaimStanding::Missing | ClaimStanding::Abandoned => None,
            ClaimStanding::Live(position) | ClaimStanding::Over(position) => {
                Some(Created { resource_id: intent.resource_id(), is_new: true, replayed: true, position })
            }
        })
    }

    /// The revision of the caller's key, where there is one.
    async fn revision_of(&self, caller_key: Option<&CallerKey>) -> Result<Option<u64>, CommandFailure> {
        let Some(key) = caller_key else { return Ok(None) };
        Ok(self.keys.load(&streams::idempotency(&key.key_hash)).await?.revision)
    }

    /// Has the caller's key answer with `resource_id`; what it answers with already, where that is something else. Errors: `Stale`
    /// where the key is not at the revision `known` any more.
    async fn bound_elsewhere(
        &self,
        context: &Context,
        caller_key: Option<&CallerKey>,
        known: Option<u64>,
        wished: &Intent,
        resource_id: &str,
    ) -> Result<Option<Created>, CommandFailure> {
        let Some(key) = caller_key else { return Ok(None) };
        let redirect = || IdempotencyCommand::Redirect { resource_id: resource_id.to_owned() };
        let stream_id = streams::idempotency(&key.key_hash);
        match self.keys.execute_at(&stream_id, known, context, |state| IdempotencyKey::decide(state, redirect())).await {
            Ok(_) => return Ok(None),
            Err(ExecuteError::Rejected(IdempotencyRejection::Redirected)) => {}
            Err(error) => return Err(error.into()),
        }
        let standing = self.keys.load(&stream_id).await?;
        let answered = standing.state.resource_id().ok_or(CommandFailure::Broken("a redirected key answers with nothing"))?;
        let position = self.position_of(wished, &answered).await?;
        Ok(Some(Created { resource_id: answered, is_new: false, replayed: true, position }))
    }

    /// Makes what the claim fixed, unless it is made.
    async fn made(&self, context: &Context, intent: &Intent, is_new: bool) -> Result<Created, CommandFailure> {
        let position = match intent {
            Intent::Order(draft) => self.order_made(context, draft).await?,
            Intent::CourseSelection(selected) => {
                let stream_id = streams::course_selection(selected.selection_id);
                let select = || CourseSelectionCommand::Select(selected.clone());
                let executed = self.selections.execute_new(&stream_id, context, |state| CourseSelection::decide(state, select())).await?;
                executed.standing.position
            }
        };
        Ok(Created { resource_id: intent.resource_id(), is_new, replayed: false, position })
    }

    /// Holds what the order needs and makes it, whichever of both was done before.
    pub(crate) async fn order_made(&self, context: &Context, draft: &OrderDraft) -> Result<Position, CommandFailure> {
        if let Err(failure) = self.hold(context, draft, None).await {
            return self.order_not_made(context, draft, failure).await;
        }
        let stream_id = streams::order(draft.order_id);
        let now = self.now();
        let expires_at = self.order_expiry(draft, now);
        let create = || OrderCommand::Create { draft: draft.clone(), now, expires_at };
        match self.orders.execute_new(&stream_id, context, |state| Order::decide(state, create())).await {
            Ok(executed) => Ok(executed.standing.position),
            Err(ExecuteError::Rejected(OrderRejection::AlreadyCreated)) => {
                let standing = self.orders.load(&stream_id).await?;
                let same = standing.state.created.as_ref().is_some_and(|created| created.draft == *draft);
                if !same {
                    return Err(CommandFailure::Broken("an order number was given out twice"));
                }
                // If it has come further meanwhile, what was held just now follows.
                self.settle_held(context, draft.order_id, &[]).await?;
                Ok(standing.position)
            }
            Err(ExecuteError::Rejected(OrderRejection::Ended)) => {
                self.settle_held(context, draft.order_id, &Held::of(draft)).await?;
                Err(CommandFailure::InProgress)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Lets go what was held of an order that lacks something else, once it is decided that it never is made.
    async fn order_not_made(&self, context: &Context, draft: &OrderDraft, failure: CommandFailure) -> Result<Position, CommandFailure> {
        let stream_id = streams::order(draft.order_id);
        match failure {
            // Also where nothing was held: a key that is sent again gets today's prices and limits, not those of its first time.
            CommandFailure::InsufficientStock { .. } | CommandFailure::BuyerLimitExceeded { .. } | CommandFailure::Invalid { .. } => {
                let abandon = || OrderCommand::Abandon { order_id: draft.order_id };
                match self.orders.execute_new(&stream_id, context, |state| Order::decide(state, abandon())).await {
                    Ok(_) => {
                        self.settle_held(context, draft.order_id, &Held::of(draft)).await?;
                        Err(failure)
                    }
                    Err(ExecuteError::Rejected(OrderRejection::AlreadyCreated)) => Ok(self.orders.load(&stream_id).await?.position),
                    Err(error) => Err(error.into()),
                }
            }
            CommandFailure::StockTaken => {
                let standing = self.orders.load(&stream_id).await?;
                if standing.state.created.is_some() { Ok(standing.position) } else { Err(failure) }
            }
            failure => Err(failure),
        }
    }

    /// Whether an order was made that nobody can pay any more.
    async fn is_past_payment(&self, intent: &Intent) -> Result<bool, CommandFailure> {
        let Intent::Order(draft) = intent else { return Ok(false) };
        let standing = self.orders.load(&streams::order(draft.order_id)).await?;
        Ok(!matches!(standing.state.status, OrderStatus::Uncreated | OrderStatus::AwaitingPayment))
    }

    /// Whether money came late for an order that has ended, and it is not known yet what becomes of it.
    async fn is_being_revived(&self, intent: &Intent) -> Result<bool, CommandFailure> {
        let Intent::Order(draft) = intent else { return Ok(false) };
        let standing = self.orders.load(&streams::order(draft.order_id)).await?;
        Ok(!standing.state.open_late_payments().is_empty())
    }

    async fn claim_standing(&self, intent: &Intent) -> Result<ClaimStanding, CommandFailure> {
        match intent {
            Intent::Order(draft) => {
                let standing = self.orders.load(&streams::order(draft.order_id)).await?;
                Ok(match standing.state.status {
                    OrderStatus::Uncreated => ClaimStanding::Missing,
                    OrderStatus::Abandoned => ClaimStanding::Abandoned,
                    status if status.ended_unpaid() => ClaimStanding::Over(standing.position),
                    _ => ClaimStanding::Live(standing.position),
                })
            }
            Intent::CourseSelection(selected) => {
                let standing = self.selections.load(&streams::course_selection(selected.selection_id)).await?;
                Ok(match &standing.state.selected {
                    None => ClaimStanding::Missing,
                    Some(selected) if self.selection_status(selected).await? == SelectionStatus::Ended => {
                        ClaimStanding::Over(standing.position)
                    }
                    Some(_) => ClaimStanding::Live(standing.position),
                })
            }
        }
    }

    async fn position_of(&self, intent: &Intent, resource_id: &str) -> Result<Position, CommandFailure> {
        const BROKEN: CommandFailure = CommandFailure::Broken("a key answers with a number that is none");
        Ok(match intent {
            Intent::Order(_) => self.orders.load(&streams::order(resource_id.parse().map_err(|_| BROKEN)?)).await?.position,
            Intent::CourseSelection(_) => {
                self.selections.load(&streams::course_selection(resource_id.parse().map_err(|_| BROKEN)?)).await?.position
            }
        })
    }

    /// How a selection stands: a paid one was opened when the order that its business key has was paid.
    pub(crate) async fn selection_status(&self, selected: &CourseSelected) -> Result<SelectionStatus, CommandFailure> {
        self.selection_status_as_of(selected, None).await
    }

    /// The same when the log had come to `position`; as it stands now where there is none.
    pub(crate) async fn selection_status_as_of(
        &self,
        selected: &CourseSelected,
        position: Option<Position>,
    ) -> Result<SelectionStatus, CommandFailure> {
        let opened_at = if selected.price_amount.as_i64() == 0 {
            Some(selected.selected_at)
        } else {
            let key = self.keys.load_at(&streams::idempotency(&course_order_key(selected.selection_id)), position).await?;
            match key.state.claimed.as_ref().map(|claimed| &claimed.intent) {
                Some(Intent::Order(draft)) => {
                    let order = self.orders.load_at(&streams::order(draft.order_id), position).await?;
                    if order.state.payment_status() == PaymentStatus::Refunded {
                        // The seat went back with the money: the course may be chosen anew.
                        return Ok(SelectionStatus::Ended);
                    }
                    order.state.paid.map(|(_, paid_at)| paid_at)
                }
                _ => None,
            }
        };
        Ok(selected.status(opened_at, self.now()))
    }
}

fn course_order_key(selection_id: SelectionId) -> String {
    business_key("", &OrderType::course(), &selection_id.to_string())
}

fn business_key(service: &str, order_type: &OrderType, out_business_id: &str) -> String {
    streams::hash(&["business", service, order_type.as_str(), out_business_id])
}

/// The stream of an order's business key; `None` where it has none.
pub(crate) fn business_stream(draft: &OrderDraft) -> Option<StreamId> {
    natural_key(&Intent::Order(draft.clone())).map(|natural| streams::idempotency(&natural.key_hash))
}

fn natural_key(intent: &Intent) -> Option<NaturalKey> {
    match intent {
        Intent::CourseSelection(selected) => Some(NaturalKey {
            key_hash: streams::hash(&["selection", selected.buyer_id.as_str(), selected.course_id.as_str()]),
            content_hash: streams::hash(&[]),
            until_paid: false,
        }),
        Intent::Order(draft) => match draft.source {
            OrderSource::Product => None,
            // A selection is the whole of what the buyer says; prices are ours and may have changed since.
            OrderSource::CourseSelection => Some(NaturalKey {
                key_hash: business_key("", &draft.order_type, &draft.out_business_id),
                content_hash: streams::hash(&[]),
                until_paid: false,
            }),
            OrderSource::Business => Some(NaturalKey {
                key_hash: business_key(draft.service.as_deref().unwrap_or_default(), &draft.order_type, &draft.out_business_id),
                content_hash: content_hash(draft),
                until_paid: false,
            }),
        },
    }
}

/// What another business system says of its order, as one hash.
fn content_hash(draft: &OrderDraft) -> String {
    let mut parts = vec![draft.buyer_id.to_string(), draft.title.clone(), draft.currency.code().to_owned()];
    parts.push(format!("{:?}", draft.description));
    for item in &draft.items {
        parts.push(item.goods_id.to_string());
        parts.push(item.name.clone());
        parts.push(format!("{}x{}", item.quantity, item.unit_price_amount.as_i64()));
    }
    streams::hash(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn same_owner(claimed: &Intent, wished: &Intent) -> bool {
    match (claimed, wished) {
        (Intent::Order(claimed), Intent::Order(wished)) => claimed.buyer_id == wished.buyer_id && claimed.service == wished.service,
        (Intent::CourseSelection(claimed), Intent::CourseSelection(wished)) => claimed.buyer_id == wished.buyer_id,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
