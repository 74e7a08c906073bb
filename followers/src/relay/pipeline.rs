use std::collections::VecDeque;

use super::broker::{Ack, Acknowledgement, Broker, BrokerError};
use super::message::Outgoing;

/// How many messages may wait for their acknowledgements at once.
pub const IN_FLIGHT: usize = 256;

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
    acknowledgement: Acknowledgement,
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
            self.settle_one().await?;
        }
        let acknowledgement = self.broker.publish(message, self.last_sequence).await?;
        self.last_sequence += 1;
        self.waiting.push_back(Waiting { sequence: self.last_sequence, acknowledgement });
        Ok(())
    }

    /// Waits for all acknowledgements; answers how many messages were stored.
    pub(super) async fn settle(mut self) -> Result<usize, BrokerError> {
        while !self.waiting.is_empty() {
            self.settle_one().await?;
        }
        Ok(self.stored)
    }

    async fn settle_one(&mut self) -> Result<(), BrokerError> {
        let Some(oldest) = self.waiting.pop_front() else { return Ok(()) };
        match oldest.acknowledgement.await? {
            Ack { sequence, is_duplicate: false } if sequence == oldest.sequence => {
                self.stored += 1;
                Ok(())
            }
            _ => Err(BrokerError::Moved),
        }
    }
}
