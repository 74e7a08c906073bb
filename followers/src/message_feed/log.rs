use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use event_store::Position;

use super::{Batch, Message, MessageFeed, MessageFeedError, Part};
use crate::{Feed, Lag};

/// Messages straight from the log, where there is no broker: in order, each once, and without acknowledgements, since the
/// checkpoint moves with the effect.
pub struct LogMessageFeed {
    feed: Arc<dyn Feed>,
}

impl LogMessageFeed {
    /// The events of `feed` as messages.
    pub fn new(feed: Arc<dyn Feed>) -> Self {
        Self { feed }
    }
}

#[async_trait]
impl MessageFeed for LogMessageFeed {
    fn part(&self) -> Option<Part> {
        None
    }

    async fn batch(&self, after: Position, limit: usize) -> Result<Batch, MessageFeedError> {
        let page = self.feed.page(after, limit).await.map_err(|error| MessageFeedError::Unavailable(error.into()))?;
        let messages = page.events.into_iter().map(|event| Message { event, link: None, deliveries: 1, receipt: 0 }).collect();
        Ok(Batch { messages, reached: Some(page.reached), caught_up: page.caught_up, unknown: page.unknown })
    }

    async fn ack(&self, _: &[u64]) -> Result<(), MessageFeedError> {
        Ok(())
    }

    async fn nak(&self, _: u64, _: TimeDelta) -> Result<(), MessageFeedError> {
        Ok(())
    }

    async fn lag(&self, after: Position) -> Result<Lag, MessageFeedError> {
        self.feed.lag(after).await.map_err(|error| MessageFeedError::Unavailable(error.into()))
    }
}
