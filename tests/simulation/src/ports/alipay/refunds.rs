use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use gateway::{RefundRequest, RefundState};

use super::{Alipay, Notice, NoticeKind, State, TradeWord};

const NO_TRADE: &str = "ACQ.TRADE_NOT_EXIST";
pub(in crate::ports) const OTHER_AMOUNT: &str = "ACQ.DISCORDANT_REPEAT_REQUEST";
const TOO_MUCH: &str = "ACQ.REASON_TRADE_REFUND_FEE_ERR";
const NEVER: &str = "ACQ.TRADE_NOT_ALLOW_REFUND";
const BALANCE: &str = "ACQ.SELLER_BALANCE_NOT_ENOUGH";

/// What the channel gave back, by its number of the payment and our number of the refund.
#[derive(Default)]
pub(super) struct Refunds {
    made: BTreeMap<(String, String), Refunded>,
    on_their_way: Vec<RefundRequest>,
    /// Numbers that it will never give money back under.
    refused: BTreeSet<(String, String)>,
    /// The sums that went back by hand on its website, by its number of the payment.
    by_hand: BTreeMap<String, i64>,
}

/// Money that the channel gave back under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refunded {
    pub(crate) amount_minor: i64,
    pub(crate) refunded_at: DateTime<Utc>,
}

impl Refunds {
    /// The sum that was given back of a payment.
    pub(super) fn sum(&self, trade_no: &str) -> i64 {
        self.made.iter().filter(|((of, _), _)| of == trade_no).map(|(_, refunded)| refunded.amount_minor).sum()
    }

    fn find(&self, trade_no: &str, refund_no: &str) -> Option<Refunded> {
        self.made.get(&(trade_no.to_owned(), refund_no.to_owned())).copied()
    }
}

impl State {
    /// The channel's number of the money that it holds under ours.
    pub(super) fn trade_no_of(&self, out_trade_no: &str) -> Option<String> {
        let of = self.captures.iter().find(|(_, captured)| captured.out_trade_no == out_trade_no);
        of.map(|(trade_no, _)| trade_no.clone())
    }

    fn refund(&mut self, request: &RefundRequest) -> RefundState {
        let needs_operator = |code: &str| RefundState::NeedsOperator { code: code.to_owned() };
        let Some(trade_no) = self.trade_no_of(&request.out_trade_no) else { return needs_operator(NO_TRADE) };
        let amount_minor = request.amount.amount_minor();
        match self.refunds.find(&trade_no, &request.refund_no) {
            // The repeat of what was done says so only to a query.
            Some(refunded) if refunded.amount_minor == amount_minor => return RefundState::Processing,
            Some(_) => return needs_operator(OTHER_AMOUNT),
            None => {}
        }
        let held = self.captures.get(&trade_no).map_or(0, |captured| captured.amount_minor);
        if self.refunds.sum(&trade_no) + amount_minor > held {
            return RefundState::Failed { code: TOO_MUCH.to_owned() };
        }
        if self.refunds.refused.contains(&(trade_no.clone(), request.refund_no.clone())) {
            return RefundState::Failed { code: NEVER.to_owned() };
        }
        RefundState::Succeeded { refunded_at: Some(self.give_back(&request.out_trade_no, &trade_no, &request.refund_no, amount_minor)) }
    }

    /// Gives money back, and owes a notification of it.
    fn give_back(&mut self, out_trade_no: &str, trade_no: &str, refund_no: &str, amount_minor: i64) -> DateTime<Utc> {
        let refunded_at = self.now;
        self.refunds.made.insert((trade_no.to_owned(), refund_no.to_owned()), Refunded { amount_minor, refunded_at });
        let held = self.captures.get(trade_no).map_or(0, |captured| captured.amount_minor);
        let word = if self.refunds.sum(trade_no) == held { TradeWord::Closed } else { TradeWord::Success };
        self.owe_about(out_trade_no, trade_no, word, false);
        refunded_at
    }

    /// Refunds that were given up as unanswered reach the channel after all.
    pub(super) fn refunds_arrive(&mut self) {
        for request in std::mem::take(&mut self.refunds.on_their_way) {
            // Nobody waits for the answer.
            let _ = self.refund(&request);
        }
    }
}

impl Alipay {
    /// Gives money back, once for each number.
    pub(crate) fn refund(&self, request: &RefundRequest) -> RefundState {
        self.state().refund(request)
    }

    /// The merchant's account is empty for the moment.
    pub(in crate::ports) fn has_no_balance() -> RefundState {
        RefundState::NeedsOperator { code: BALANCE.to_owned() }
    }

    /// Refuses a refund for good, unless it was made; what it then says of it.
    pub(in crate::ports) fn refuse_refund(&self, request: &RefundRequest) -> RefundState {
        let mut state = self.state();
        if let Some(trade_no) = state.trade_no_of(&request.out_trade_no)
            && state.refunds.find(&trade_no, &request.refund_no).is_none()
        {
            state.refunds.refused.insert((trade_no, request.refund_no.clone()));
        }
        state.refund(request)
    }

    /// The same with money that came under a number that nobody gave out.
    pub(crate) fn refund_stray(&self, trade_no: &str, amount_minor: i64) -> bool {
        let mut state = self.state();
        let Some(captured) = state.captures.get(trade_no).cloned() else { return false };
        if amount_minor <= 0 || state.refunds.sum(trade_no) + amount_minor > captured.amount_minor {
            return false;
        }
        let refund_no = format!("W{}", state.next_number());
        *state.refunds.by_hand.entry(trade_no.to_owned()).or_default() += amount_minor;
        state.give_back(&captured.out_trade_no, trade_no, &refund_no, amount_minor);
        let word = if state.refunds.sum(trade_no) == captured.amount_minor { TradeWord::Closed } else { TradeWord::Success };
        if let Some(content) = state.content(&captured.out_trade_no, trade_no, word, false) {
            state.owed.push(Notice { kind: NoticeKind::Stray, content });
        }
        true
    }

    /// Somebody gives money back on the channel's website; whether it did. The channel must be able to tell us.
    pub(crate) fn refund_by_hand(&self, trade_no: &str, amount_minor: i64) -> bool {
        let mut state = self.state();
        let Some(captured) = state.captures.get(trade_no).filter(|captured| !captured.is_deaf).cloned() else { return false };
        if amount_minor <= 0 || state.refunds.sum(trade_no) + amount_minor > captured.amount_minor {
            return false;
        }
        let refund_no = format!("W{}", state.next_number());
        *state.refunds.by_hand.entry(trade_no.to_owned()).or_default() += amount_minor;
        state.give_back(&captured.out_trade_no, trade_no, &refund_no, amount_minor);
        true
    }

    /// The sum that it gave back of a payment.
    pub(crate) fn gave_back(&self, trade_no: &str) -> i64 {
        self.state().refunds.sum(trade_no)
    }

    /// The part of it that went back by hand on its website.
    pub(crate) fn gave_back_by_hand(&self, trade_no: &str) -> i64 {
        self.state().refunds.by_hand.get(trade_no).copied().unwrap_or(0)
    }

    /// The sum that it gave back of a payment under our number.
    pub(crate) fn gave_back_under(&self, trade_no: &str, refund_no: &str) -> Option<i64> {
        self.state().refunds.find(trade_no, refund_no).map(|refunded| refunded.amount_minor)
    }

    /// Takes a refund that reaches the channel only later.
    pub(in crate::ports) fn delay_refund(&self, request: &RefundRequest) {
        self.state().refunds.on_their_way.push(request.clone());
    }

    /// What became of a refund.
    pub(in crate::ports) fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> RefundState {
        let state = self.state();
        let refunded = state.trade_no_of(out_trade_no).and_then(|trade_no| state.refunds.find(&trade_no, refund_no));
        refunded.map_or(RefundState::NotFound, |refunded| RefundState::Succeeded { refunded_at: Some(refunded.refunded_at) })
    }

    /// Everything that it gave back, by its number of the payment and our number of the refund.
    #[cfg(test)]
    pub(crate) fn refunds(&self) -> BTreeMap<(String, String), Refunded> {
        self.state().refunds.made.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chassis::clock::ManualClock;
    use chrono::TimeDelta;
    use domain::{Currency, Money};
    use gateway::{PrecreateRequest, TradeState};

    use super::*;

    const NUMBER: &str = "101";

    fn fen(amount_minor: i64) -> Money {
        Money::new(amount_minor, Currency::Cny).unwrap()
    }

    /// A channel that holds 100 fen.
    fn paid() -> Alipay {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let alipay = Alipay::new(Arc::new(ManualClock::new(now)));
        let request = PrecreateRequest {
            out_trade_no: NUMBER.to_owned(),
            channel: domain::Channel::AlipayQr,
            amount: fen(100),
            subject: "course".to_owned(),
            product_code: "QR_CODE_OFFLINE".to_owned(),
            time_expire: now + TimeDelta::minutes(30),
            notify_url: "https://pay.example.com/notify/alipay".to_owned(),
            payer_openid: None,
            payer_client_ip: None,
        };
        alipay.precreate(&request).unwrap();
        assert!(alipay.scan(NUMBER, false) && alipay.pay(NUMBER, 0, false));
        alipay
    }

    fn request(refund_no: &str, amount_minor: i64) -> RefundRequest {
        let (out_trade_no, refund_no) = (NUMBER.to_owned(), refund_no.to_owned());
        RefundRequest { out_trade_no, refund_no, amount: fen(amount_minor), total: fen(100), reason: None, notify_url: None }
    }

    fn is_done(state: &RefundState) -> bool {
        matches!(state, RefundState::Succeeded { .. })
    }

    #[test]
    fn a_number_gives_back_once() {
        let alipay = paid();
        assert_eq!(alipay.query_refund(NUMBER, "R1"), RefundState::NotFound);
        assert!(is_done(&alipay.refund(&request("R1", 30))));
        assert_eq!(alipay.refund(&request("R1", 30)), RefundState::Processing);
        assert!(matches!(alipay.refund(&request("R1", 31)), RefundState::NeedsOperator { code } if code == OTHER_AMOUNT));
        assert!(is_done(&alipay.query_refund(NUMBER, "R1")));
        assert_eq!(alipay.refunds().len(), 1);
    }

    #[test]
    fn no_more_is_given_back_than_was_taken() {
        let alipay = paid();
        assert!(is_done(&alipay.refund(&request("R1", 30))));
        assert!(matches!(alipay.refund(&request("R2", 71)), RefundState::Failed { code } if code == TOO_MUCH));
        assert!(matches!(alipay.query(NUMBER), TradeState::Paid(_)));
        assert!(is_done(&alipay.refund(&request("R2", 70))));
        assert!(matches!(alipay.query(NUMBER), TradeState::ClosedRefunded(_)));
    }

    #[test]
    fn what_was_never_paid_is_not_given_back() {
        let other = RefundRequest { out_trade_no: "102".to_owned(), ..request("R1", 1) };
        assert!(matches!(paid().refund(&other), RefundState::NeedsOperator { code } if code == NO_TRADE));
    }

    #[test]
    fn a_refund_that_was_given_up_may_arrive_after_all() {
        let alipay = paid();
        alipay.delay_refund(&request("R1", 30));
        assert_eq!(alipay.query_refund(NUMBER, "R1"), RefundState::NotFound);
        alipay.arrive();
        assert!(is_done(&alipay.query_refund(NUMBER, "R1")));
    }
}
