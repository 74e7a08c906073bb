//! What was answered, and must stay true.

use std::collections::BTreeMap;

use command_api::{Caller, CommandFailure, Created, NoticeVerdict};
use domain::PayNo;
use event_store::{AppendError, Position, ReadError};
use followers::FollowerError;
use gateway::NotificationRefusal;

use crate::broken::{Broken, check};
use crate::ledger::{Ledger, Stage};
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
    notices: usize,
}

impl Promises {
    /// The highest position that was ever answered.
    pub(crate) fn furthest(&self) -> i64 {
        self.furthest
    }

    /// How many notifications were answered.
    pub(crate) fn notices(&self) -> usize {
        self.notices
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
            (Wish::Notice(notice), Answer::Noticed(verdict, reply)) => {
                self.notices += 1;
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

    fn created(&mut self, wish: &Wish, created: &Created, kind: &str, ledger: &Ledger) -> Result<(), Broken> {
        self.stands(created.position, &format!("{kind}-{}", created.resource_id), ledger)?;
        self.same_for_key(wish, &created.resource_id, Some(created.is_new), |_| false)
    }

    fn attempted(&mut self, wish: &Wish, told: Told, ledger: &Ledger) -> Result<(), Broken> {
        self.stands(told.position, &format!("order-{}", told.pay_no.order_id()), ledger)?;
        let status = |pay_no: &str| {
            let order_id = pay_no.parse::<PayNo>().ok().map(|pay_no| pay_no.order_id().to_string());
            order_id.and_then(|order_id| ledger.orders.get(&order_id)).and_then(|order| order.records.get(pay_no)).copied()
        };
        let pay_no = told.pay_no.to_string();
        check(status(&pay_no).is_some(), "a pay record that was answered is on the log", || pay_no.clone())?;
        // What the channel refused may be tried again with the same key.
        self.same_for_key(wish, &pay_no, None, |earlier| status(earlier) == Some("failed"))
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
        NoticeKind::Stray => {
            check(verdict == NoticeVerdict::Refused(NotificationRefusal::UnknownOrder), "a stray capture is not ours", what)?;
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
            check(!success || !content.word.is_paid() || on_log, "money that was acknowledged is on the log", what)
        }
    }
}
