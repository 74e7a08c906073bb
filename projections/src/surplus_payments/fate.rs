//! What becomes of money that was not owed.

use domain::order::{OrderEvent, OrderStreamEvent, RefundStatus, RefundSucceeded};
use domain::pay_record::PayRecordEvent;
use domain::unknown_capture::{UnknownCaptureEvent, UnknownCaptureOutcome, UnknownCaptureRefunded, UnknownCaptureStreamEvent};
use domain::{PayNo, RefundNo};
use event_store::RecordedEvent;

use super::SurplusFact;
use super::row::{LATE, SurplusRow};
use crate::projector::revision;

/// The word for a refund that cannot be begun: its order has no refund number left.
const EXHAUSTED: &str = "exhausted";

/// What has become of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It came late, or was assigned to a pay record, and whether the order takes it is not decided yet.
    Open,
    /// It came late, and the order was revived by it.
    Revived,
    /// It is on its way back.
    Refunding,
    /// All of it went back.
    Refunded,
    /// Nothing that runs by itself ends it.
    NeedsOperator,
    /// An operator has dealt with it.
    Resolved,
}

impl State {
    /// The contract's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Revived => "revived",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::NeedsOperator => "needs_operator",
            Self::Resolved => "resolved",
        }
    }
}

impl SurplusRow {
    /// The row after an event of its stream that it has not seen.
    pub(super) fn evolved(&mut self, event: &SurplusFact, recorded: &RecordedEvent) {
        match event {
            SurplusFact::Order(event) => self.order_evolved(event, recorded),
            SurplusFact::Unmatched(UnknownCaptureStreamEvent::Decided(outcome)) => self.settled(outcome, recorded),
            SurplusFact::Unmatched(UnknownCaptureStreamEvent::Told(UnknownCaptureEvent::UnknownCaptureRefunded(event))) => {
                self.unmatched_went_back(event, recorded);
            }
            // It began the row.
            SurplusFact::Unmatched(UnknownCaptureStreamEvent::Told(UnknownCaptureEvent::UnknownCaptureReceived(_))) => {}
        }
    }

    /// What was assigned to a pay record is decided when its order has it: from there on it is that order's affair, which it
    /// pays, or where it has another row.
    fn settled(&mut self, outcome: &UnknownCaptureOutcome, recorded: &RecordedEvent) {
        let state = match outcome {
            UnknownCaptureOutcome::UnknownCaptureAssigned(event) => {
                self.belongs_to(Some(event.pay_no));
                self.resolved_reason = Some(event.reason.clone());
                State::Open
            }
            UnknownCaptureOutcome::UnknownCaptureMatched(event) => {
                self.belongs_to(Some(event.pay_no));
                State::Resolved
            }
            UnknownCaptureOutcome::UnknownCaptureUnassigned(_) => {
                self.belongs_to(None);
                self.resolved_reason = None;
                self.nobodys()
            }
            UnknownCaptureOutcome::UnknownCaptureResolved(event) => {
                self.resolved_reason = Some(event.reason.clone());
                State::Resolved
            }
        };
        state.word().clone_into(&mut self.state);
        self.seen(recorded);
    }

    fn belongs_to(&mut self, pay_no: Option<PayNo>) {
        self.order_id = pay_no.map(|pay_no| pay_no.order_id().to_string());
        self.pay_no = pay_no.map(|pay_no| pay_no.to_string());
    }

    /// Unmatched money on which nobody has decided: an operator is needed for what of it is still held.
    fn nobodys(&self) -> State {
        if self.refunded_amount > 0 && self.refunded_amount >= self.amount { State::Refunded } else { State::NeedsOperator }
    }

    fn unmatched_went_back(&mut self, event: &UnknownCaptureRefunded, recorded: &RecordedEvent) {
        self.refunded_amount = self.refunded_amount.max(event.refunded_amount.as_i64());
        if self.state == State::NeedsOperator.word() {
            self.nobodys().word().clone_into(&mut self.state);
        }
        self.seen(recorded);
    }

    fn seen(&mut self, recorded: &RecordedEvent) {
        self.revision = revision(recorded);
        self.position = recorded.position.as_i64();
    }

    fn order_evolved(&mut self, event: &OrderStreamEvent, recorded: &RecordedEvent) {
        // Once it has paid the order, it is that payment, and what goes back of it is the order's affair.
        if self.state == State::Revived.word() {
            return;
        }
        let before = self.clone();
        let state = match event {
            OrderStreamEvent::PayRecord(PayRecordEvent::PaymentConfirmed(event)) if self.is_payment(event.pay_no, &event.trade_no) => {
                State::Revived
            }
            OrderStreamEvent::PayRecord(_) => return,
            OrderStreamEvent::Order(event) => {
                self.refund_evolved(event);
                self.judged()
            }
        };
        state.word().clone_into(&mut self.state);
        if *self != before {
            self.seen(recorded);
        }
    }

    fn is_payment(&self, pay_no: PayNo, trade_no: &str) -> bool {
        self.trade_no == trade_no && self.pay_no.as_deref() == Some(pay_no.to_string().as_str())
    }

    fn refund_evolved(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::RefundRequested(event) if self.is_payment(event.pay_no, &event.trade_no) => {
                self.refund_begins(event.refund_no, RefundStatus::Requested);
            }
            OrderEvent::RefundObserved(event) if self.is_payment(event.pay_no, &event.trade_no) => {
                self.refund_begins(event.refund_no, RefundStatus::Processing);
            }
            OrderEvent::RefundRequested(event) => self.another_begins(event.refund_no),
            OrderEvent::RefundObserved(event) => self.another_begins(event.refund_no),
            OrderEvent::RefundSucceeded(event) => self.went_back(event),
            OrderEvent::RefundAccepted(event) => self.refund_is(event.refund_no, RefundStatus::Processing),
            OrderEvent::RefundRetried(event) => self.refund_is(event.refund_no, RefundStatus::Requested),
            OrderEvent::RefundFailed(event) => self.refund_is(event.refund_no, RefundStatus::Failed),
            OrderEvent::RefundNeedsOperator(event) => self.refund_is(event.refund_no, RefundStatus::NeedsOperator),
            OrderEvent::SurplusResolved(event) if self.is_payment(event.pay_no, &event.trade_no) => {
                self.resolved_reason = Some(event.reason.clone());
            }
            _ => {}
        }
    }

    /// A refund that still needs something done stays the one that is shown.
    fn refund_begins(&mut self, refund_no: RefundNo, status: RefundStatus) {
        let is_over = |word: &str| [RefundStatus::Failed.as_str(), RefundStatus::Succeeded.as_str(), EXHAUSTED].contains(&word);
        if self.refund_status.as_deref().is_none_or(is_over) {
            self.refund_no = Some(refund_no.to_string());
            self.refund_status = Some(status.as_str().to_owned());
        }
    }

    /// The order's last refund number was used for other money.
    fn another_begins(&mut self, refund_no: RefundNo) {
        let is_last = RefundNo::new(refund_no.order_id(), RefundNo::MAX_NUMBER).is_ok_and(|last| last == refund_no);
        if is_last && self.refund_status.is_none() {
            self.refund_status = Some(EXHAUSTED.to_owned());
        }
    }

    fn refund_is(&mut self, refund_no: RefundNo, status: RefundStatus) {
        if self.refund_no.as_deref() == Some(refund_no.to_string().as_str()) {
            self.refund_status = Some(status.as_str().to_owned());
        }
    }

    fn went_back(&mut self, event: &RefundSucceeded) {
        if self.is_payment(event.pay_no, &event.trade_no) {
            self.refunded_amount = self.refunded_amount.saturating_add(event.refund_amount.as_i64());
            self.refund_is(event.refund_no, RefundStatus::Succeeded);
        }
    }

    /// What the columns say together: a fact about money before an operator's word, and that before what is still to do.
    fn judged(&self) -> State {
        let status = self.refund_status.as_deref();
        let is_under_way = [RefundStatus::Requested.as_str(), RefundStatus::Processing.as_str()].map(Some).contains(&status);
        match status {
            _ if self.refunded_amount > 0 && self.refunded_amount >= self.amount => State::Refunded,
            _ if is_under_way => State::Refunding,
            _ if self.resolved_reason.is_some() => State::Resolved,
            None if self.kind == LATE => State::Open,
            _ => State::NeedsOperator,
        }
    }
}
