//! Which refund of the log a line stands for that has a number of the channel's own. It is decided from the order as it is
//! when something is written, so that whatever else tells of the same money meanwhile is seen.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::order::{Order, Refund, RefundCause, RefundStatus};
use domain::{Money, PayNo, RefundNo};

use crate::refunds::{ForeignRefund, stands_for_another};

/// What the channel says of a line's refund when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It made it, over the line's sum; when, where it names the time.
    Confirmed(Option<DateTime<Utc>>),
    /// It does not say so.
    NotConfirmed,
    /// It did not answer.
    NotAnswered,
}

/// What the channel says of a refund of ours that went back by the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtChannel {
    /// Nothing went back under our number: it was made there by hand, under another one.
    Absent,
    /// It was made under our number, so no line under another one is about it.
    Made,
    /// Neither is certain.
    Unsure,
    /// It did not answer.
    NotAnswered,
}

/// A line of a statement about a refund under a number of the channel's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'s> {
    pub(super) number: &'s str,
    pub(super) amount: Money,
    pub(super) answer: Answer,
}

/// All such lines of one payment, and what the channel was asked about it.
#[derive(Clone, Debug)]
pub(super) struct OfPayment<'s> {
    pub(super) pay_no: PayNo,
    pub(super) trade_no: &'s str,
    pub(super) lines: Vec<Line<'s>>,
    /// Refunds of ours by what the channel says of our number.
    pub(super) ours: BTreeMap<RefundNo, AtChannel>,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The log has it.
    OnLog,
    /// The log has it with another sum.
    Differs,
    /// The log certainly lacks it, and the channel confirms it.
    New,
    /// The channel does not confirm it, or nobody can tell whether the log has it.
    ChannelOnly,
    /// The same, as long as the channel does not answer.
    Unanswered,
}

/// The lines of one payment beside its refunds on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matching {
    /// Each line's place.
    pub(super) places: Vec<Place>,
    /// Lines whose number is to be put to a refund of the log.
    pub(super) marks: Vec<(usize, RefundNo)>,
    /// The refunds of the log that these lines tell of, or may.
    pub(super) told: BTreeSet<RefundNo>,
}

impl<'s> OfPayment<'s> {
    pub(super) fn foreign(&self, line: &Line<'s>) -> ForeignRefund<'s> {
        ForeignRefund { pay_no: self.pay_no, trade_no: self.trade_no, number: line.number }
    }

    /// Our own refunds of a line's sum, of which the channel has to be asked before it is known what the line is about.
    pub(super) fn to_ask(&self, order: &Order) -> Vec<RefundNo> {
        let is_open = |line: &&Line<'s>| line.answer != Answer::NotAnswered && self.foreign(line).taken_up_in(order).is_none();
        let sums: Vec<Money> = self.lines.iter().filter(is_open).map(|line| line.amount).collect();
        let (_, ours) = self.unmarked(order);
        ours.into_iter().filter(|refund| sums.contains(&refund.amount)).map(|refund| refund.refund_no).collect()
    }

    /// What went back of the payment by the log without a number of the channel's own: seen there as a part of a running
    /// total, and our own.
    fn unmarked<'o>(&self, order: &'o Order) -> (Vec<&'o Refund>, Vec<&'o Refund>) {
        let is_unmarked = |refund: &&Refund| {
            let is_back = refund.status == RefundStatus::Succeeded && refund.is_of(self.pay_no, self.trade_no);
            is_back && !stands_for_another(order, refund.refund_no)
        };
        order.refunds.iter().filter(is_unmarked).partition(|refund| refund.cause == RefundCause::ChannelSide)
    }

    /// Each line's place beside the order as it stands. Lines of the same sum are matched first, each refund once, those that
    /// the channel confirms before others; what is left of both sides matches if it is the same in sum. Nothing is new while
    /// a running total stands on the log that may have counted it.
    pub(super) fn matched(&self, order: &Order) -> Matching {
        let mut matching = Matching { places: vec![Place::ChannelOnly; self.lines.len()], marks: Vec::new(), told: BTreeSet::new() };
        let mut open = self.place_known(order, &mut matching);
        let (mut seen, mut ours) = self.unmarked(order);
        let mut is_counted_blindly = false;
        for is_confirmed in [true, false] {
            open.retain(|&place| {
                let line = &self.lines[place];
                if line.answer == Answer::NotAnswered || matches!(line.answer, Answer::Confirmed(_)) != is_confirmed {
                    return true;
                }
                let of_seen = take(&mut seen, |refund| refund.amount == line.amount);
                is_counted_blindly |= of_seen.is_some() && !is_confirmed;
                let is_by_hand = |refund: &Refund| refund.amount == line.amount && self.says(refund) == Some(AtChannel::Absent);
                let Some(refund) = of_seen.or_else(|| take(&mut ours, is_by_hand)) else { return true };
                matching.puts_on_log(place, refund, is_confirmed);
                false
            });
        }
        if self.are_the_same_in_sum(&open, &seen) {
            matching.told.extend(seen.iter().map(|refund| refund.refund_no));
            if open.iter().all(|&place| self.lines[place].answer != Answer::NotAnswered) {
                self.put_together(&mut matching, &open, &seen);
                return matching;
            }
        }
        is_counted_blindly |= !seen.is_empty();
        for place in open {
            let line = &self.lines[place];
            let same_sum = ours.iter().filter(|refund| refund.amount == line.amount);
            let unsettled = same_sum.filter(|refund| self.says(refund) != Some(AtChannel::Made)).copied().next();
            matching.places[place] = match (line.answer, unsettled) {
                (Answer::NotAnswered, _) => {
                    let told = take(&mut seen, |refund| refund.amount == line.amount).or(unsettled);
                    matching.told.extend(told.map(|refund| refund.refund_no));
                    Place::Unanswered
                }
                (Answer::NotConfirmed, _) => Place::ChannelOnly,
                (Answer::Confirmed(_), Some(refund)) => {
                    matching.told.insert(refund.refund_no);
                    if self.says(refund) == Some(AtChannel::Unsure) { Place::ChannelOnly } else { Place::Unanswered }
                }
                (Answer::Confirmed(_), None) if is_counted_blindly => Place::ChannelOnly,
                (Answer::Confirmed(_), None) => Place::New,
            };
        }
        matching
    }

    /// Places the lines whose numbers the order knows; answers which of the others are to be placed. A number that stands
    /// there twice is placed once.
    fn place_known(&self, order: &Order, matching: &mut Matching) -> Vec<usize> {
        let known: Vec<Option<RefundNo>> = self.lines.iter().map(|line| self.foreign(line).taken_up_in(order)).collect();
        let (mut open, mut numbers) = (Vec::new(), BTreeSet::new());
        for (place, line) in self.lines.iter().enumerate() {
            let Some(refund_no) = known[place] else {
                if numbers.insert(line.number) {
                    open.push(place);
                }
                continue;
            };
            let Some(refund) = order.refund(refund_no) else { continue };
            matching.told.insert(refund_no);
            // A running total may stand for several.
            let together = sum(self.lines.iter().zip(&known).filter(|(_, known)| **known == Some(refund_no)).map(|(line, _)| line.amount));
            let is_same = line.amount == refund.amount || together == Some(refund.amount);
            matching.places[place] = if is_same { Place::OnLog } else { Place::Differs };
        }
        open
    }

    fn are_the_same_in_sum(&self, open: &[usize], seen: &[&Refund]) -> bool {
        let lines = sum(open.iter().map(|&place| self.lines[place].amount));
        lines.is_some() && lines == sum(seen.iter().map(|refund| refund.amount))
    }

    /// All of `open` are all of `seen`. Their numbers are kept where there is one refund for all of them to stand for.
    fn put_together(&self, matching: &mut Matching, open: &[usize], seen: &[&Refund]) {
        let are_confirmed = open.iter().all(|&place| matches!(self.lines[place].answer, Answer::Confirmed(_)));
        for &place in open {
            matching.places[place] = Place::OnLog;
            if let ([refund], true) = (seen, are_confirmed) {
                matching.marks.push((place, refund.refund_no));
            }
        }
    }

    fn says(&self, refund: &Refund) -> Option<AtChannel> {
        self.ours.get(&refund.refund_no).copied()
    }
}

impl Matching {
    fn puts_on_log(&mut self, place: usize, refund: &Refund, is_confirmed: bool) {
        self.places[place] = Place::OnLog;
        self.told.insert(refund.refund_no);
        if is_confirmed {
            self.marks.push((place, refund.refund_no));
        }
    }
}

fn take<'o>(refunds: &mut Vec<&'o Refund>, is_it: impl Fn(&Refund) -> bool) -> Option<&'o Refund> {
    let place = refunds.iter().position(|refund| is_it(refund))?;
    Some(refunds.remove(place))
}

/// `None` for none, and for what has no sum.
fn sum(mut amounts: impl Iterator<Item = Money>) -> Option<Money> {
    let first = amounts.next()?;
    amounts.try_fold(first, |sum, amount| sum.checked_add(amount).ok())
}
