//! What was answered, and must stay true.

use std::collections::{BTreeMap, BTreeSet};

use command_api::{Caller, CallerKey, CommandFailure, Created, NoticeFailure, NoticeVerdict, Renewed};
use domain::{OrderId, PayNo, RefundNo};
use event_store::{AppendError, Position, ReadError};
use followers::FollowerError;
use gateway::NotificationRefusal;

use crate::broken::{Broken, check};
use crate::ledger::{Ledger, RecordFacts, Stage};
use crate::ports::{Notice, NoticeKind, SUCCESS};
use crate::wishes::{Answer, Told, Wish};

/// What whoever sent a key was answered first.
#[derive(Debug)]
struct Kept {
    request_hash: String,
    resource: String,
    is_new: Option<bool>,
}

/// What the outside was told.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    by_key: BTreeMap<String, Kept>,
    furthest: i64,
    /// The ids of genuine notifications that were answered.
    notices: BTreeSet<String>,
    /// The order that each expired one was renewed as.
    renewed: BTreeMap<OrderId, OrderId>,
}

impl Promises {
    /// The highest position that was ever answered.
    pub(crate) fn furthest(&self) -> i64 {
        self.furthest
    }

    /// The ids of the genuine notifications that were answered.
    pub(crate) fn notices(&self) -> &BTreeSet<String> {
        &self.notices
    }

    /// Checks an answer; `captured_before` is money that the channel held when the wish was sent.
    pub(crate) fn check(&mut self, wish: &Wish, answer: &Answer, captured_before: Option<&str>, ledger: &Ledger) -> Result<(), Broken> {
        match (wish, answer) {
            (_, Answer::Failed(failure)) => sound(failure),
            (Wish::Select { .. }, Answer::Selected(created)) => self.created(wish, created, "course_selection", ledger),
            (Wish::Order { caller, .. }, Answer::Ordered(created)) => {
                self.created(wish, created, "order", ledger)?;
                owned(caller, &created.resource_id, ledger)
            }
            (Wish::Pay { caller, order_id, .. }, Answer::Attempted(told)) => {
                owned(caller, &order_id.to_string(), ledger)?;
                self.attempted(wish, *told, ledger)
            }
            (Wish::Sync { caller, pay_no, .. }, Answer::Synced(told)) => {
                owned(caller, &pay_no.order_id().to_string(), ledger)?;
                self.stands(told.position, &format!("order-{}", pay_no.order_id()), ledger)?;
                let asked = captured_before.filter(|_| !told.replayed);
                let known = asked.is_none_or(|trade_no| ledger.trades.contains_key(trade_no));
                check(known, "a sync after a payment finds it", || format!("{pay_no}: {asked:?}"))
            }
            (Wish::Cancel { caller, order_id, .. }, Answer::Cancelled(cancelled)) => {
                let order_id = order_id.to_string();
                owned(caller, &order_id, ledger)?;
                self.stands(cancelled.position, &format!("order-{order_id}"), ledger)?;
                let stage = ledger.orders.get(&order_id).map(|order| order.stage);
                let holds = !cancelled.is_proven || stage == Some(Stage::Cancelled);
                check(holds, "an order that was answered as cancelled is cancelled", || format!("{order_id}: {stage:?}"))
            }
            (Wish::Refund { order_id, .. }, Answer::Refunded(refund_no, position)) => {
                self.refunded(*order_id, *refund_no, *position, ledger)?;
                self.same_for_key(wish, &refund_no.to_string(), None, |_| false)
            }
            (Wish::Choose { refund_no: wished, .. }, Answer::Refunded(refund_no, position)) => {
                check(wished == refund_no, "an operator's choice is about the refund that was named", || refund_no.to_string())?;
                self.refunded(wished.order_id(), *refund_no, *position, ledger)
            }
            (Wish::Resolve { pay_no, .. }, Answer::Resolved(told)) => {
                self.stands(told.position, &format!("order-{}", pay_no.order_id()), ledger)
            }
            (Wish::Decide { trade_no, pay_no, .. }, Answer::Decided(answer)) => {
                self.stands(answer.position, &format!("unknown_capture-alipay-{trade_no}"), ledger)?;
                let matched = ledger.unknown.get(trade_no).and_then(|money| money.matched.clone());
                check(matched == pay_no.map(|pay_no| pay_no.to_string()), "money that was answered as assigned is on its order", || {
                    format!("{trade_no}: {matched:?}")
                })
            }
            (Wish::Decide { trade_no, .. }, Answer::Declined(refusal)) => {
                let may_be = matches!(refusal, NoticeFailure::Ended | NoticeFailure::WentBack | NoticeFailure::KeyReused);
                check(may_be, "an operator's decision is refused for what the log and the channel say", || {
                    format!("{trade_no}: {refusal:?}")
                })
            }
            (Wish::Stock { sku_id, .. }, Answer::Stocked(answer)) => {
                self.stands(answer.position, &format!("stock-{sku_id}"), ledger)?;
                self.same_for_key(wish, &answer.position.to_string(), None, |_| false)
            }
            (Wish::Renew { order_id, .. }, Answer::Renewed(renewed)) => self.renewed(*order_id, renewed, ledger),
            (Wish::Notice(notice), Answer::Noticed(verdict, reply)) => {
                if !matches!(notice.kind, NoticeKind::Forged(_)) {
                    self.notices.insert(notice.content.notify_id.clone());
                }
                noticed(notice, *verdict, reply.body == SUCCESS, ledger)
            }
            (wish, answer) => Err(Broken::new("a wish gets an answer of its kind", format!("{}: {answer:?}", wish.describe()))),
        }
    }

    /// Checks what a process's own work came to.
    pub(crate) fn own_work(answer: &Answer) -> Result<(), Broken> {
        let Answer::Followed(Err(error)) = answer else { return Ok(()) };
        match error {
            FollowerError::Effect(effect @ (followers::EffectError::Undecodable { .. } | followers::EffectError::Refused { .. })) => {
                Err(Broken::new("a follower can take every event", effect.to_string()))
            }
            FollowerError::Work(failure) => failure.downcast_ref::<CommandFailure>().map_or(Ok(()), sound),
            _ => Ok(()),
        }
    }

    fn stands(&mut self, position: Position, stream: &str, ledger: &Ledger) -> Result<(), Broken> {
        let position = position.as_i64();
        self.furthest = self.furthest.max(position);
        let found = ledger.stream_at(position);
        check(found == Some(stream), "what was answered is on the log", || format!("{position} of {stream}; there is {found:?}"))
    }

    fn refunded(&mut self, order_id: OrderId, refund_no: RefundNo, position: Position, ledger: &Ledger) -> Result<(), Broken> {
        self.stands(position, &format!("order-{order_id}"), ledger)?;
        let refunds = ledger.orders.get(&order_id.to_string()).map(|order| &order.refunds);
        let is_there = refunds.is_some_and(|refunds| refunds.contains_key(&refund_no.to_string()));
        check(is_there, "a refund that was answered is on the log", || refund_no.to_string())
    }

    /// An expired order is made anew once, however often that is wished.
    fn renewed(&mut self, order_id: OrderId, renewed: &Renewed, ledger: &Ledger) -> Result<(), Broken> {
        let key = CallerKey::new("checkout-link", "POST /checkout/renew", &order_id.to_string(), "");
        let (own, resource) = (format!("idempotency-{}", key.key_hash), format!("order-{}", renewed.order_id));
        self.stands_by(renewed.position, &own, &resource, ledger)?;
        let first = *self.renewed.entry(order_id).or_insert(renewed.order_id);
        check(first == renewed.order_id, "an expired order is made anew once", || format!("{order_id}: {first} and {}", renewed.order_id))
    }

    /// The position of what was made, or of the caller's own key where that found what was there already.
    fn stands_by(&mut self, position: Position, key: &str, resource: &str, ledger: &Ledger) -> Result<(), Broken> {
        let is_keys_own = ledger.stream_at(position.as_i64()) == Some(key);
        self.stands(position, if is_keys_own { key } else { resource }, ledger)?;
        let begun = ledger.begun_at(resource);
        let is_there = begun.is_some_and(|begun| begun <= position.as_i64());
        check(is_there, "whoever waits for the answered position finds what was made", || format!("{resource}: {begun:?}, {position}"))
    }

    fn created(&mut self, wish: &Wish, created: &Created, kind: &str, ledger: &Ledger) -> Result<(), Broken> {
        let resource = format!("{kind}-{}", created.resource_id);
        let own = wish.key().map_or_else(|| resource.clone(), |key| format!("idempotency-{}", key.key_hash));
        let found = created.replayed && !created.is_new;
        self.stands_by(created.position, if found { &own } else { &resource }, &resource, ledger)?;
        self.same_for_key(wish, &created.resource_id, Some(created.is_new), |_| false)
    }

    fn attempted(&mut self, wish: &Wish, told: Told, ledger: &Ledger) -> Result<(), Broken> {
        self.stands(told.position, &format!("order-{}", told.pay_no.order_id()), ledger)?;
        let status = |pay_no: &str| {
            let order_id = pay_no.parse::<PayNo>().ok().map(|pay_no| pay_no.order_id().to_string());
            order_id.and_then(|order_id| ledger.orders.get(&order_id)).and_then(|order| order.records.get(pay_no))
        };
        let pay_no = told.pay_no.to_string();
        check(status(&pay_no).is_some(), "a pay record that was answered is on the log", || pay_no.clone())?;
        // What the channel refused, or never gave a code for, may be tried again with the same key.
        self.same_for_key(wish, &pay_no, None, |earlier| status(earlier).is_some_and(RecordFacts::led_to_nothing))
    }

    /// One key stands for one thing and for one content.
    fn same_for_key(&mut self, wish: &Wish, resource: &str, is_new: Option<bool>, may_change: impl Fn(&str) -> bool) -> Result<(), Broken> {
        let Some(key) = wish.key() else { return Ok(()) };
        let new = || Kept { request_hash: key.request_hash.clone(), resource: resource.to_owned(), is_new };
        let kept = self.by_key.entry(key.key_hash.clone()).or_insert_with(new);
        let detail = || format!("{}: {resource}, before {}", wish.describe(), kept.resource);
        check(kept.request_hash == key.request_hash, "a key is answered for one content only", detail)?;
        check(kept.resource == resource || may_change(&kept.resource), "a key stands for one thing", detail)?;
        let same = kept.is_new == is_new || kept.resource != resource;
        check(same, "a repeat is answered as the first was", || format!("{}: new {is_new:?}", wish.describe()))?;
        *kept = new();
        Ok(())
    }
}

/// A failure that the outside can bring about; anything else is a fault of ours.
fn sound(failure: &CommandFailure) -> Result<(), Broken> {
    let is_ours = matches!(
        failure,
        CommandFailure::Broken(_)
            | CommandFailure::Stored(_)
            | CommandFailure::Read(ReadError::Damaged { .. })
            | CommandFailure::Append(AppendError::Invalid(_))
    );
    check(!is_ours, "the command side meets only failures from outside", || format!("{failure:?}"))
}

/// Nobody is answered about somebody else's order.
fn owned(caller: &Caller, order_id: &str, ledger: &Ledger) -> Result<(), Broken> {
    let order = ledger.orders.get(order_id).ok_or_else(|| Broken::new("what was answered is on the log", order_id))?;
    let may = match caller {
        Caller::Buyer(buyer) => order.buyer == buyer.as_str(),
        Caller::Service(service) => order.service == *service,
        Caller::Operator(_) | Caller::CheckoutLink => true,
    };
    check(may, "an order is answered to its owner only", || format!("{order_id} to {}", caller.actor()))
}

fn noticed(notice: &Notice, verdict: NoticeVerdict, success: bool, ledger: &Ledger) -> Result<(), Broken> {
    let content = &notice.content;
    let what = || format!("{:?} {} of {}: {verdict:?}", notice.kind, content.notify_id, content.out_trade_no);
    let on_log = ledger.trades.contains_key(&content.trade_no);
    match notice.kind {
        NoticeKind::Forged(_) => check(matches!(verdict, NoticeVerdict::Refused(_)) && !success, "a forged notification is refused", what),
        // One that could be read in two ways comes again until the channel has confirmed it.
        NoticeKind::Stray if content.is_ambiguous && verdict == NoticeVerdict::Unconfirmed => {
            check(!success, "what was not confirmed is not acknowledged", what)
        }
        NoticeKind::Stray => {
            let is_unknown = verdict == NoticeVerdict::Refused(NotificationRefusal::UnknownOrder);
            let is_dealt_with = !matches!(verdict, NoticeVerdict::Refused(_));
            check(is_unknown || is_dealt_with, "a stray capture is nobody's, or dealt with", what)?;
            check(on_log, "a stray capture is on the log", what)
        }
        // Its repeat is told by a query; what matters is that what it says is not believed, which the log shows.
        NoticeKind::WrongAmount => Ok(()),
        NoticeKind::Genuine => {
            check(
                !matches!(verdict, NoticeVerdict::Refused(refusal) if refusal != NotificationRefusal::AmountMismatch),
                "a genuine notification is believed",
                what,
            )?;
            check(!success || !content.tells_of_money() || on_log, "money that was acknowledged is on the log", what)
        }
    }
}
