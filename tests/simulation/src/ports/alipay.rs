mod questions;
mod refunds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chassis::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Money};
use gateway::{Capture, Closed, FormRequest, PrecreateRequest, TradeState};

pub(super) use refunds::OTHER_AMOUNT;
use refunds::Refunds;

use super::{Content, Notice, NoticeKind, TradeWord};

/// The channel itself, outside of every process of ours: trades, and the notifications that it still owes us.
pub(crate) struct Alipay {
    clock: Arc<dyn Clock>,
    /// For how long after a trade's time it still takes the money of who has scanned its code.
    grace: TimeDelta,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The channel's clock never goes back.
    now: DateTime<Utc>,
    trades: BTreeMap<String, Trade>,
    captures: BTreeMap<String, Captured>,
    refunds: Refunds,
    owed: Vec<Notice>,
    numbers: u64,
    on_their_way: Vec<PrecreateRequest>,
    /// When it was last asked about each of our numbers, whether it could answer or not.
    questions: BTreeMap<String, DateTime<Utc>>,
    /// Our numbers that were ever sent to it for a code.
    asked: BTreeSet<String>,
}

struct Trade {
    request: PrecreateRequest,
    /// Until when its code can be scanned.
    scannable_until: DateTime<Utc>,
    status: Status,
    /// Its notifications never arrive.
    is_deaf: bool,
}

enum Status {
    /// Its code was given out; nobody has scanned it, so that a query does not find it.
    Coded,
    Awaiting {
        trade_no: String,
    },
    Paid {
        trade_no: String,
    },
    Closed {
        trade_no: Option<String>,
    },
}

/// Money that the channel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) out_trade_no: String,
    pub(crate) amount_minor: i64,
    pub(crate) paid_at: DateTime<Utc>,
    /// Its notifications never arrive: only a query tells.
    pub(crate) is_deaf: bool,
}

/// How long a code can be scanned. Short, so that a buyer who has scanned pays now and then when another code is out.
pub(crate) const CODE_LIFE: TimeDelta = TimeDelta::minutes(8);

const ALREADY_PAID: &str = "ACQ.TRADE_HAS_SUCCESS";
const ALREADY_CLOSED: &str = "ACQ.TRADE_HAS_CLOSE";
pub(super) const OTHER_CONTENT: &str = "ACQ.CONTEXT_INCONSISTENT";

impl State {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn owe(&mut self, content: Content) {
        self.owed.push(Notice { kind: NoticeKind::Genuine, content });
    }

    /// A true notification about a trade as it stands; its number `trade_no` is known.
    fn content(&mut self, out_trade_no: &str, trade_no: &str, word: TradeWord, is_ambiguous: bool) -> Option<Content> {
        let amount_minor = match self.captures.get(trade_no) {
            Some(captured) => captured.amount_minor,
            None => self.trades.get(out_trade_no)?.request.amount.amount_minor(),
        };
        let paid_at = self.captures.get(trade_no).map(|captured| captured.paid_at);
        let refunded_minor = self.refunds.sum(trade_no);
        let notify_id = format!("N{}", self.next_number());
        let (out_trade_no, trade_no) = (out_trade_no.to_owned(), trade_no.to_owned());
        Some(Content { notify_id, out_trade_no, trade_no, amount_minor, word, paid_at, refunded_minor, is_ambiguous })
    }

    fn owe_about(&mut self, out_trade_no: &str, trade_no: &str, word: TradeWord, is_ambiguous: bool) {
        if self.trades.get(out_trade_no).is_none_or(|trade| trade.is_deaf) {
            return;
        }
        if let Some(content) = self.content(out_trade_no, trade_no, word, is_ambiguous) {
            self.owe(content);
        }
    }

    fn precreate(&mut self, request: &PrecreateRequest) -> Result<String, &'static str> {
        match self.trades.get(&request.out_trade_no) {
            Some(trade) if trade.request != *request => return Err(OTHER_CONTENT),
            Some(Trade { status: Status::Paid { .. }, .. }) => return Err(ALREADY_PAID),
            Some(Trade { status: Status::Closed { .. }, .. }) => return Err(ALREADY_CLOSED),
            Some(_) => {}
            None => {
                let scannable_until = request.time_expire.min(self.now + CODE_LIFE);
                let trade = Trade { request: request.clone(), scannable_until, status: Status::Coded, is_deaf: false };
                self.trades.insert(request.out_trade_no.clone(), trade);
            }
        }
        Ok(format!("https://qr.channel.example/{}", request.out_trade_no))
    }

    /// The merchant signed a form. The channel hears of it only when a browser comes with it, until when it is as a code
    /// that nobody has scanned.
    fn form(&mut self, request: &FormRequest) -> Result<(), &'static str> {
        let request = PrecreateRequest {
            out_trade_no: request.out_trade_no.clone(),
            channel: domain::Channel::AlipayPage,
            amount: request.amount,
            subject: request.subject.clone(),
            product_code: request.product_code.clone(),
            time_expire: request.time_expire,
            notify_url: request.notify_url.clone(),
            payer_openid: None,
            payer_client_ip: None,
        };
        match self.trades.get(&request.out_trade_no) {
            Some(trade) if trade.request != request => Err(OTHER_CONTENT),
            Some(_) => Ok(()),
            None => {
                let scannable_until = request.time_expire;
                let trade = Trade { request: request.clone(), scannable_until, status: Status::Coded, is_deaf: false };
                self.trades.insert(request.out_trade_no, trade);
                Ok(())
            }
        }
    }

    /// What it says of money that it took.
    fn paid(&self, trade_no: &str) -> TradeState {
        let Some(captured) = self.captures.get(trade_no) else { return TradeState::Unrecognised("PAID_WITHOUT_MONEY".to_owned()) };
        let amount = Money::new(captured.amount_minor, Currency::Cny).unwrap_or_else(|_| Money::zero(Currency::Cny));
        let is_whole = self.refunds.sum(trade_no) == captured.amount_minor;
        let capture =
            Capture { trade_no: trade_no.to_owned(), amount, paid_at: Some(captured.paid_at), is_final: is_whole, has_refunds: false };
        if is_whole { TradeState::ClosedRefunded(capture) } else { TradeState::Paid(capture) }
    }

    /// What its time has ended is closed.
    fn expire(&mut self, now: DateTime<Utc>, grace: TimeDelta) {
        self.now = self.now.max(now);
        let now = self.now;
        let mut ended = Vec::new();
        for (out_trade_no, trade) in &mut self.trades {
            if let Status::Awaiting { trade_no } = &trade.status
                && now >= trade.request.time_expire + grace
            {
                ended.push((out_trade_no.clone(), trade_no.clone()));
                trade.status = Status::Closed { trade_no: Some(trade_no.clone()) };
            }
        }
        for (out_trade_no, trade_no) in ended {
            self.owe_about(&out_trade_no, &trade_no, TradeWord::Closed, false);
        }
    }
}

impl Alipay {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, grace: TimeDelta::zero(), state: Mutex::default() }
    }

    /// One that still takes the money of who has begun to pay, for so long after a trade's time.
    #[cfg(test)]
    pub(crate) fn with_grace(clock: Arc<dyn Clock>, grace: TimeDelta) -> Self {
        Self { grace, ..Self::new(clock) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.expire(self.clock.now(), self.grace);
        state
    }

    /// Our numbers whose codes can be scanned now.
    pub(crate) fn scannable(&self) -> Vec<String> {
        let state = self.state();
        let may = |trade: &Trade| matches!(trade.status, Status::Coded) && state.now < trade.scannable_until;
        state.trades.iter().filter(|(_, trade)| may(trade)).map(|(out_trade_no, _)| out_trade_no.clone()).collect()
    }

    /// Our numbers whose buyers have scanned and not paid.
    pub(crate) fn awaiting(&self) -> Vec<String> {
        let state = self.state();
        let awaiting = state.trades.iter().filter(|(_, trade)| matches!(trade.status, Status::Awaiting { .. }));
        awaiting.map(|(out_trade_no, _)| out_trade_no.clone()).collect()
    }

    /// A buyer scans the code of `out_trade_no`; whether the wallet then shows what is to be paid.
    pub(crate) fn scan(&self, out_trade_no: &str, is_deaf: bool) -> bool {
        let mut state = self.state();
        let number = state.next_number();
        let now = state.now;
        let Some(trade) = state.trades.get_mut(out_trade_no) else { return false };
        match &trade.status {
            Status::Coded if now < trade.scannable_until => {
                let trade_no = format!("T{number}");
                trade.status = Status::Awaiting { trade_no: trade_no.clone() };
                trade.is_deaf = is_deaf;
                state.owe_about(out_trade_no, &trade_no, TradeWord::Awaiting, false);
                true
            }
            Status::Awaiting { .. } => true,
            Status::Coded | Status::Paid { .. } | Status::Closed { .. } => false,
        }
    }

    /// The buyer who has scanned pays; `excess_minor` is what the channel wrongly takes beside the amount.
    pub(crate) fn pay(&self, out_trade_no: &str, excess_minor: i64, is_ambiguous: bool) -> bool {
        let mut state = self.state();
        let paid_at = state.now;
        let Some(trade) = state.trades.get_mut(out_trade_no) else { return false };
        let Status::Awaiting { trade_no } = &trade.status else { return false };
        let trade_no = trade_no.clone();
        trade.status = Status::Paid { trade_no: trade_no.clone() };
        let amount_minor = trade.request.amount.amount_minor() + excess_minor;
        let captured = Captured { out_trade_no: out_trade_no.to_owned(), amount_minor, paid_at, is_deaf: trade.is_deaf };
        state.captures.insert(trade_no.clone(), captured);
        state.owe_about(out_trade_no, &trade_no, TradeWord::Success, is_ambiguous);
        true
    }

    /// The channel takes money for a number that nobody gave out, once for each, and tells of it; whether it did.
    pub(crate) fn stray(&self, out_trade_no: &str, amount_minor: i64, is_ambiguous: bool) -> bool {
        let mut state = self.state();
        if state.trade_no_of(out_trade_no).is_some() {
            return false;
        }
        let number = state.next_number();
        let (trade_no, paid_at) = (format!("T{number}"), state.now);
        let captured = Captured { out_trade_no: out_trade_no.to_owned(), amount_minor, paid_at, is_deaf: true };
        state.captures.insert(trade_no.clone(), captured);
        if let Some(content) = state.content(out_trade_no, &trade_no, TradeWord::Success, is_ambiguous) {
            state.owed.push(Notice { kind: NoticeKind::Stray, content });
        }
        true
    }

    /// Whether it holds money under a number that it was never asked to hold money under.
    pub(super) fn is_stray(&self, out_trade_no: &str) -> bool {
        let state = self.state();
        !state.trades.contains_key(out_trade_no) && state.trade_no_of(out_trade_no).is_some()
    }

    /// Months later a paid trade is final, and the channel says so.
    pub(crate) fn finish(&self, trade_no: &str) {
        let mut state = self.state();
        let Some(out_trade_no) = state.captures.get(trade_no).map(|captured| captured.out_trade_no.clone()) else { return };
        state.owe_about(&out_trade_no, trade_no, TradeWord::Finished, false);
    }

    /// What a notification about `out_trade_no` would say that is not true.
    pub(crate) fn untrue(&self, out_trade_no: &str, amount_minor: i64) -> Content {
        let mut state = self.state();
        let number = state.next_number();
        let known = state.trades.get(out_trade_no).and_then(|trade| match &trade.status {
            Status::Coded => None,
            Status::Awaiting { trade_no } | Status::Paid { trade_no } => Some(trade_no.clone()),
            Status::Closed { trade_no } => trade_no.clone(),
        });
        Content {
            notify_id: format!("F{number}"),
            out_trade_no: out_trade_no.to_owned(),
            trade_no: known.unwrap_or_else(|| format!("F{number}")),
            amount_minor,
            word: TradeWord::Success,
            paid_at: Some(state.now),
            refunded_minor: 0,
            is_ambiguous: false,
        }
    }

    /// The notifications that the channel still owes.
    pub(crate) fn owed(&self) -> Vec<Notice> {
        self.state().owed.clone()
    }

    /// The channel does not send this notification again: it was acknowledged, or its ladder has ended.
    pub(crate) fn settle_notice(&self, notify_id: &str) {
        self.state().owed.retain(|notice| notice.content.notify_id != notify_id);
    }

    /// Money that it holds, by its own number.
    pub(crate) fn captures(&self) -> BTreeMap<String, Captured> {
        self.state().captures.clone()
    }

    /// Money that it holds under this number.
    pub(crate) fn captured(&self, trade_no: &str) -> Option<Captured> {
        self.state().captures.get(trade_no).cloned()
    }

    /// The channel's number of the money that it holds for ours.
    pub(crate) fn captured_for(&self, out_trade_no: &str) -> Option<String> {
        match &self.state().trades.get(out_trade_no)?.status {
            Status::Paid { trade_no } => Some(trade_no.clone()),
            _ => None,
        }
    }

    /// The amount that was asked for under our number.
    #[cfg(test)]
    pub(crate) fn asked_for(&self, out_trade_no: &str) -> Option<i64> {
        self.state().trades.get(out_trade_no).map(|trade| trade.request.amount.amount_minor())
    }

    /// Whether somebody who was shown its code could pay it now.
    pub(crate) fn can_be_paid(&self, out_trade_no: &str) -> bool {
        let state = self.state();
        state.trades.get(out_trade_no).is_some_and(|trade| match &trade.status {
            Status::Coded => state.now < trade.scannable_until,
            Status::Awaiting { .. } => true,
            Status::Paid { .. } | Status::Closed { .. } => false,
        })
    }

    /// Whether it holds the trade as closed and unpaid.
    pub(crate) fn is_closed(&self, out_trade_no: &str) -> bool {
        self.state().trades.get(out_trade_no).is_some_and(|trade| matches!(trade.status, Status::Closed { .. }))
    }

    /// Requests that were given up as unanswered reach it after all.
    pub(crate) fn arrive(&self) {
        let mut state = self.state();
        for request in std::mem::take(&mut state.on_their_way) {
            // Nobody waits for the answer.
            let _ = state.precreate(&request);
        }
        state.refunds_arrive();
    }

    pub(super) fn precreate(&self, request: &PrecreateRequest) -> Result<String, &'static str> {
        self.state().precreate(request)
    }

    /// Takes a request that reaches the channel only later.
    pub(super) fn delay(&self, request: &PrecreateRequest) {
        self.state().on_their_way.push(request.clone());
    }

    /// A form is signed for a number; whether it says what the earlier ones of the number said.
    pub(super) fn form(&self, request: &FormRequest) -> Result<(), &'static str> {
        self.state().form(request)
    }

    pub(super) fn query(&self, out_trade_no: &str) -> TradeState {
        let state = self.state();
        match state.trades.get(out_trade_no).map(|trade| &trade.status) {
            None => state.trade_no_of(out_trade_no).map_or(TradeState::NotFound, |trade_no| state.paid(&trade_no)),
            Some(Status::Coded) => TradeState::NotFound,
            Some(Status::Awaiting { trade_no }) => TradeState::AwaitingBuyer { trade_no: Some(trade_no.clone()) },
            Some(Status::Closed { .. }) => TradeState::ClosedUnpaid,
            Some(Status::Paid { trade_no }) => state.paid(trade_no),
        }
    }

    pub(super) fn close(&self, out_trade_no: &str) -> Closed {
        let mut state = self.state();
        let Some(trade) = state.trades.get_mut(out_trade_no) else { return Closed::NotFound };
        match &trade.status {
            Status::Coded => Closed::NotFound,
            Status::Awaiting { trade_no } => {
                let trade_no = trade_no.clone();
                trade.status = Status::Closed { trade_no: Some(trade_no.clone()) };
                state.owe_about(out_trade_no, &trade_no, TradeWord::Closed, false);
                Closed::Done
            }
            Status::Paid { .. } | Status::Closed { .. } => Closed::StateForbids,
        }
    }
}
