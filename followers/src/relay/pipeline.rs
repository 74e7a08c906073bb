use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::future::{MaybeDone, maybe_done};

use super::broker::{Ack, Acknowledgement, Broker, BrokerError};
use super::message::Outgoing;

/// How many messages may wait for their acknowledgements at once.
pub const IN_FLIGHT: usize = 256;

/// How many acknowledgements are waited for together when so many are in flight: acknowledgements come in order, so that one
/// wake-up serves all of them, while the broker still has the others before it.
const SETTLED_TOGETHER: usize = 32;

/// Messages on their way to the broker, in order. Each expects the sequence number of the one before it: where one is not
/// stored, none of the later ones is.
pub(super) struct Pipeline<'a> {
    broker: &'a dyn Broker,
    waiting: VecDeque<Waiting>,
    last_sequence: u64,
    stored: usize,
}

struct Waiting {
    sequence: u64,
    acknowledgement: MaybeDone<Acknowledgement>,
}

impl<'a> Pipeline<'a> {
    /// Publishes behind the sequence number `last_sequence`.
    pub(super) fn new(broker: &'a dyn Broker, last_sequence: u64) -> Self {
        Self { broker, waiting: VecDeque::new(), last_sequence, stored: 0 }
    }

    /// Hands a message in, once there is room for it.
    ///
    /// Errors: whatever befell this message or an earlier one. What is in flight is then of no use any more: drop the pipeline
    /// and read the stream's end.
    pub(super) async fn push(&mut self, message: Outgoing) -> Result<(), BrokerError> {
        if self.waiting.len() >= IN_FLIGHT {
            self.settle_some(SETTLED_TOGETHER).await?;
        }
        let acknowledgement = self.broker.publish(message, self.last_sequence).await?;
        self.last_sequence += 1;
        self.waiting.push_back(Waiting { sequence: self.last_sequence, acknowledgement: maybe_done(acknowledgement) });
        Ok(())
    }

    /// Waits for all acknowledgements; answers how many messages were stored.
    pub(super) async fn settle(mut self) -> Result<usize, BrokerError> {
        while !self.waiting.is_empty() {
            self.settle_one().await?;
        }
        Ok(self.stored)
    }

    /// Waits for the oldest `count` acknowledgements.
    async fn settle_some(&mut self, count: usize) -> Result<(), BrokerError> {
        let Some(newest) = self.waiting.get_mut(count.saturating_sub(1)) else { return Ok(()) };
        (&mut newest.acknowledgement).await;
        let has_failed = matches!(newest.acknowledgement, MaybeDone::Done(Err(_)));
        // The oldest failure says what befell all that came behind it. One that has no answer by now gets none: its whole
        // time need not be waited for as well.
        for left in (0..count).rev() {
            let is_silent = |oldest: &mut Waiting| (&mut oldest.acknowledgement).now_or_never().is_none();
            if has_failed && self.waiting.front_mut().is_some_and(is_silent) {
                self.waiting.drain(..left);
            }
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), BrokerError> {
        let Some(Waiting { sequence, mut acknowledgement }) = self.waiting.pop_front() else { return Ok(()) };
        (&mut acknowledgement).await;
        match Pin::new(&mut acknowledgement).take_output().transpose()? {
            Some(Ack { sequence: stored, is_duplicate: false }) if stored == sequence => {
                self.stored += 1;
                Ok(())
            }
            _ => Err(BrokerError::Moved),
        }
    }
}
