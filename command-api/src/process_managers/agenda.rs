//! What is to be done about an order, and when: a pure function of the order and the clock.

use chrono::{DateTime, TimeDelta, Utc};
use domain::order::{Order, OrderStatus, RefundStatus};
use domain::pay_record::{ClosedProof, ClosingCause, PayRecord, PayRecordStatus};
use domain::{PayNo, RefundNo};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Something is held for it and it was never made: decide that it never will be.
    Abandon,
    /// Bring what it holds to where it is, and what its payment grants.
    Held,
    /// Its time is over: end it.
    Expire,
    /// Ask the channel what became of an attempt.
    Ask(PayNo),
    /// Take up an attempt whose intent is on the log and whose outcome is not.
    TakeUp(PayNo),
    /// Ask, and close the attempt at its channel if it is unpaid.
    Close(PayNo),
    /// The channels were waited for long enough.
    StopWaiting,
    /// Money came late: revive the order or give it back.
    Late(PayNo),
    /// Have the channel make a refund, or ask what became of it.
    Refund(RefundNo),
}

/// What is to be done now, and when to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agenda {
    /// To be done now, in this order.
    pub(crate) tasks: Vec<Task>,
    /// When to look next if nothing happens; `None` where nothing is left to wait for.
    pub(crate) next_at: Option<DateTime<Utc>>,
}

/// When the order last changed, and when its channels were asked last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// When the newest event of the order was recorded.
    pub(crate) touched_at: DateTime<Utc>,
    /// When all questions about it that were due were last asked, and answered.
    pub(crate) last_at: Option<DateTime<Utc>>,
    /// Whether something has happened to the order since.
    pub(crate) is_touched: bool,
}

/// How long an attempt's own appender is left alone with it: longer than the channel's time limit, so that nobody asks about
/// an attempt whose appender still waits for the channel.
#[derive(Clone, Copy, Debug)]
pub struct AttemptPatience(pub TimeDelta);

/// How long a cancel's own request is left alone with the attempts that it ends.
const CANCEL_PATIENCE: TimeDelta = TimeDelta::seconds(3);
/// Alipay wants at least 3 s between two refunds of one payment.
const BETWEEN_REFUNDS: TimeDelta = TimeDelta::seconds(4);
/// When an attempt that ended without proof is asked about again, after the end of the wait for it.
const ASK_UNPROVEN_AFTER: [TimeDelta; 2] = [TimeDelta::minutes(10), TimeDelta::hours(24)];

/// When a channel is asked about what began at `begun`: after 10 s, 30 s, each minute to 10 min, each 10 min to 1 h, then each
/// hour. The first such moment after `after`.
pub(crate) fn next_rung(begun: DateTime<Utc>, after: DateTime<Utc>) -> DateTime<Utc> {
    let age = (after - begun).num_seconds().max(0);
    let rung = match age {
        ..10 => 10,
        10..30 => 30,
        30..60 => 60,
        60..600 => (age / 60 + 1) * 60,
        600..3600 => (age / 600 + 1) * 600,
        _ => (age / 3600 + 1) * 3600,
    };
    begun + TimeDelta::seconds(rung)
}

/// What is to be done about `order` at `now`.
pub(crate) fn agenda(order: &Order, asked: Asked, patience: AttemptPatience, now: DateTime<Utc>) -> Agenda {
    let Some(created) = &order.created else {
        // It is on the list because something is held for it, and looked at when it should have been made long ago.
        let is_abandoned = order.status == OrderStatus::Abandoned;
        return Agenda { tasks: if is_abandoned { vec![Task::Held] } else { vec![Task::Abandon, Task::Held] }, next_at: None };
    };
    let mut plan = Plan { now, asked, patience, tasks: Vec::new(), next_at: None };
    if order.status == OrderStatus::AwaitingPayment {
        plan.once(created.expires_at, Task::Expire);
    }
    for record in &order.pay_records {
        plan.record(record);
    }
    if let Some(until) = order.waited_for_until() {
        plan.once(until, Task::StopWaiting);
    }
    for pay_no in order.open_late_payments() {
        plan.tasks.push(Task::Late(pay_no));
        plan.look_at(next_rung(plan.asked.touched_at, now));
    }
    plan.refunds(order);
    let holds = !created.draft.stock.is_empty() || created.draft.coupon.is_some();
    if order.status == OrderStatus::Paid || holds && order.status.ended_unpaid() {
        plan.tasks.push(Task::Held);
    }
    Agenda { tasks: plan.tasks, next_at: plan.next_at }
}

struct Plan {
    now: DateTime<Utc>,
    asked: Asked,
    patience: AttemptPatience,
    tasks: Vec<Task>,
    next_at: Option<DateTime<Utc>>,
}

impl Plan {
    fn look_at(&mut self, at: DateTime<Utc>) {
        self.next_at = Some(self.next_at.map_or(at, |next_at| next_at.min(at)));
    }

    /// Something that is due from `at` on, until it changes the order.
    fn once(&mut self, at: DateTime<Utc>, task: Task) {
        if at <= self.now {
            self.tasks.push(task);
            self.look_at(next_rung(at, self.now));
        } else {
            self.look_at(at);
        }
    }

    /// Whether nobody was asked since the moment `at`, which is over.
    fn is_due(&self, at: DateTime<Utc>) -> bool {
        at <= self.now && self.asked.last_at.is_none_or(|asked_at| asked_at < at)
    }

    /// Whether all that was due was asked at this moment or later.
    fn was_asked_after(&self, at: DateTime<Utc>) -> bool {
        self.asked.last_at.is_some_and(|asked_at| at <= asked_at)
    }

    /// Asks at each rung since `begun`, and at the moments of `also`; at once if `now`.
    fn ask(&mut self, begun: DateTime<Utc>, now: bool, also: &[DateTime<Utc>], task: Task) {
        let last = self.asked.last_at.unwrap_or(begun).max(begun);
        if now || self.is_due(next_rung(begun, last)) || also.iter().any(|at| self.is_due(*at)) {
            self.tasks.push(task);
        }
        self.look_at(next_rung(begun, self.now));
        if let Some(at) = also.iter().filter(|at| **at > self.now).min() {
            self.look_at(*at);
        }
    }

    fn record(&mut self, record: &PayRecord) {
        let Some((issued, request)) = record.issued.as_ref().and_then(|issued| Some((issued, issued.request.as_ref()?))) else { return };
        let until = record.begins_until();
        // From this moment on the channel's ignorance is proof.
        let grace_over: Vec<DateTime<Utc>> = until.map(|until| until + PayRecord::ABSENCE_GRACE).into_iter().collect();
        // From this moment on the channel closes it.
        let closable = Some(issued.issued_at + issued.channel.closes_after()).filter(|at| *at > self.asked.touched_at);
        let ends_known: Vec<DateTime<Utc>> = grace_over.iter().copied().chain(closable).collect();
        match record.status {
            PayRecordStatus::Preparing => {
                let patient = issued.issued_at + self.patience.0;
                self.ask(patient, false, &[patient], Task::TakeUp(issued.pay_no));
            }
            // Nobody has it yet: the channel knows nothing of it.
            PayRecordStatus::Pending if !record.was_shown() => {}
            PayRecordStatus::Pending => self.ask(issued.issued_at, false, &grace_over, Task::Ask(issued.pay_no)),
            // Its own code may yet be paid: whoever has scanned it in time may do so up to the end that the channel was told.
            PayRecordStatus::Confirmed | PayRecordStatus::Surplus if record.is_settled_by_others() => {
                let over = request.time_expire + PayRecord::ABSENCE_GRACE;
                if !self.was_asked_after(over) {
                    self.ask(issued.issued_at, false, &[over], Task::Ask(issued.pay_no));
                }
            }
            PayRecordStatus::Closing if record.closing_cause == Some(ClosingCause::OrderCancelled) => {
                let patient = self.asked.touched_at + CANCEL_PATIENCE;
                self.ask(patient, false, &[vec![patient], ends_known].concat(), Task::Close(issued.pay_no));
            }
            PayRecordStatus::Closing => {
                self.ask(self.asked.touched_at, self.asked.is_touched, &ends_known, Task::Close(issued.pay_no));
            }
            PayRecordStatus::Closed if record.closed_proof == Some(ClosedProof::Unproven) => {
                // After a long down-time it was closed long after the wait was over.
                let waited = (until.unwrap_or(issued.issued_at) + Order::UNPROVEN_AFTER).max(self.asked.touched_at);
                for after in ASK_UNPROVEN_AFTER {
                    let at = waited + after;
                    if self.is_due(at) {
                        self.tasks.push(Task::Ask(issued.pay_no));
                        break;
                    }
                }
                if let Some(at) = ASK_UNPROVEN_AFTER.into_iter().map(|after| waited + after).find(|at| *at > self.now) {
                    self.look_at(at);
                }
            }
            _ => {}
        }
    }

    /// One refund of a payment at a time; the next one a little later.
    fn refunds(&mut self, order: &Order) {
        for refund in order.refunds.iter().filter(|refund| refund.status.is_open()) {
            let before = order.refunds.iter().filter(|other| other.is_of(refund.pay_no, &refund.trade_no));
            let before: Vec<_> = before.take_while(|other| other.refund_no != refund.refund_no).collect();
            if before.iter().any(|other| other.status.is_open()) {
                continue;
            }
            // The outcome of the one before is an event of the order.
            let next_refund_at = self.asked.touched_at + BETWEEN_REFUNDS;
            if !before.is_empty() && next_refund_at > self.now {
                self.look_at(next_refund_at);
                continue;
            }
            let begun = refund.requested_at.unwrap_or(self.asked.touched_at);
            let now = self.asked.is_touched && refund.status == RefundStatus::Requested;
            self.ask(begun, now, &[], Task::Refund(refund.refund_no));
        }
    }
}

#[cfg(test)]
mod tests;
