//! A circuit breaker around a channel: while the channel does not answer, nothing new is begun with it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chassis::clock::Clock;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::Channel;

use crate::{
    ClientParameters, Closed, FormRequest, Gateway, GatewayError, Inconclusive, Notification, NotificationRefusal, NotificationReply,
    Operation, PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundFound, RefundRequest, RefundState, Statement,
    TradeState,
};

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// How many calls in a row must stay without an answer; at least 1.
    pub failures_to_open: u32,
    /// How long it stays open before one call may try again.
    pub open_for: TimeDelta,
}

impl BreakerConfig {
    /// Calls in a row without an answer, unless configured.
    pub const FAILURES_TO_OPEN: u32 = 5;

    /// How long to stay open, unless configured: long enough to spare a channel that is down, short enough that a buyer
    /// who tries again finds it working.
    pub const OPEN_FOR: TimeDelta = TimeDelta::seconds(15);
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures_to_open: Self::FAILURES_TO_OPEN, open_for: Self::OPEN_FOR }
    }
}

/// A channel that is left alone for a while after it did not answer several times in a row.
///
/// Open, every call answers [`GatewayError::Unknown`] at once, never `Refused`, and [`Gateway::available`] is false, so
/// that no attempt is begun. After the while one call goes through; its answer closes the breaker, its failure opens it
/// again. Notifications always pass, and so do forms, which need no call. It follows its clock alone and has no timers.
pub struct CircuitBreaker<G> {
    gateway: G,
    channel: Channel,
    config: BreakerConfig,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls pass; so many in a row had no answer.
    Closed { failures: u32 },
    /// Calls are answered here.
    Open { opened_at: DateTime<Utc> },
    /// One call is trying; the others are answered here.
    Trying { opened_at: DateTime<Utc> },
}

/// The source of an `Unknown` that the breaker itself answered. The call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the channel has not answered lately and is not asked now")]
pub struct CircuitOpen;

/// The right to make one call. Given back without an outcome, it was as if nobody had called.
struct Pass<'a, G> {
    breaker: &'a CircuitBreaker<G>,
    is_trial: bool,
}

impl<G> CircuitBreaker<G> {
    /// A closed breaker around `gateway`. `channel` names it in errors.
    pub fn new(gateway: G, channel: Channel, config: BreakerConfig, clock: Arc<dyn Clock>) -> Self {
        Self { gateway, channel, config, clock, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// The channel inside.
    pub fn inner(&self) -> &G {
        &self.gateway
    }

    /// Whether calls at `now` are answered here instead of by the channel, but for the one that may be trying.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        match *self.state() {
            State::Closed { .. } => false,
            State::Open { opened_at } => self.still_waits(opened_at, now),
            State::Trying { .. } => true,
        }
    }

    /// A clock that was set back must not keep the breaker open, so only the while after opening counts.
    fn still_waits(&self, opened_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        (TimeDelta::zero()..self.config.open_for).contains(&(now - opened_at))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is one word that is only ever replaced whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Option<Pass<'_, G>> {
        let now = self.clock.now();
        let mut state = self.state();
        match *state {
            State::Closed { .. } => Some(Pass { breaker: self, is_trial: false }),
            State::Open { opened_at } if !self.still_waits(opened_at, now) => {
                *state = State::Trying { opened_at };
                Some(Pass { breaker: self, is_trial: true })
            }
            State::Open { .. } | State::Trying { .. } => None,
        }
    }

    async fn guarded<T>(&self, operation: Operation, call: impl Future<Output = Result<T, GatewayError>>) -> Result<T, GatewayError> {
        let Some(pass) = self.enter() else {
            return Err(GatewayError::Unknown { channel: self.channel, operation, source: Box::new(CircuitOpen) });
        };
        let result = call.await;
        pass.end(result.as_ref().err().is_none_or(is_answer));
        result
    }
}

impl<G> Pass<'_, G> {
    fn end(self, was_answered: bool) {
        let now = self.breaker.clock.now();
        let limit = self.breaker.config.failures_to_open;
        let mut state = self.breaker.state();
        let next = match (*state, self.is_trial, was_answered) {
            (State::Closed { .. }, false, true) | (State::Trying { .. }, true, true) => State::Closed { failures: 0 },
            (State::Closed { failures }, false, false) if failures.saturating_add(1) < limit => State::Closed { failures: failures + 1 },
            (State::Closed { .. }, false, false) | (State::Trying { .. }, true, false) => State::Open { opened_at: now },
            // A call that set out before the breaker opened says nothing new.
            (unchanged, ..) => unchanged,
        };
        let was = std::mem::replace(&mut *state, next);
        drop(state);
        self.breaker.log(was, next);
    }
}

impl<G> CircuitBreaker<G> {
    fn log(&self, was: State, is: State) {
        match (was, is) {
            (State::Closed { .. } | State::Trying { .. }, State::Open { .. }) => {
                tracing::warn!(channel = self.channel.as_str(), "the channel does not answer and is left alone for a while");
            }
            (State::Trying { .. }, State::Closed { .. }) => tracing::info!(channel = self.channel.as_str(), "the channel answers again"),
            _ => {}
        }
    }
}

impl<G> Drop for Pass<'_, G> {
    fn drop(&mut self) {
        // A trial that was given up, for instance with its request, must not leave the breaker trying for ever.
        let mut state = self.breaker.state();
        if let (State::Trying { opened_at }, true) = (*state, self.is_trial) {
            *state = State::Open { opened_at };
        }
    }
}

/// Whether the channel answered, whatever it said.
fn is_answer(error: &GatewayError) -> bool {
    match error {
        GatewayError::Refused { .. } => true,
        GatewayError::Unknown { source, .. } => source.is::<Inconclusive>(),
    }
}

#[async_trait]
impl<G: Gateway> Gateway for CircuitBreaker<G> {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        self.guarded(Operation::Precreate, self.gateway.precreate(request)).await
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        self.guarded(Operation::Query, self.gateway.query(out_trade_no)).await
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.guarded(Operation::Close, self.gateway.close(out_trade_no)).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.guarded(Operation::Refund, self.gateway.refund(request)).await
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.guarded(Operation::QueryRefund, self.gateway.query_refund(out_trade_no, refund_no)).await
    }

    async fn find_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        self.guarded(Operation::QueryRefund, self.gateway.find_refund(out_trade_no, refund_no)).await
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.gateway.form(request)
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        self.gateway.client_parameters(channel, prepay_id, at, nonce)
    }

    async fn download_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        // Not counted: no payment waits for a statement, and trouble with one must not keep buyers from paying.
        self.gateway.download_statement(date).await
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        self.gateway.read_notification(raw, received_at)
    }

    async fn fetch_key(&self, raw: &RawNotification) {
        self.gateway.fetch_key(raw).await;
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        self.gateway.reply(receipt)
    }

    fn available(&self) -> bool {
        self.gateway.available() && !self.is_open(self.clock.now())
    }
}

impl<G> fmt::Debug for CircuitBreaker<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker").field("channel", &self.channel).field("state", &*self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
