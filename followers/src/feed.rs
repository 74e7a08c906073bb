use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use event_store::lineage::LINEAGE_STARTED;
use event_store::{LogReader, Position, ReadError, RecordedEvent};

/// Where a follower's events come from: the log, or a broker that was filled from it.
#[async_trait]
pub trait Feed: Send + Sync {
    /// The events of the kinds that this feed is for, after `after` and in order, found among the next `limit` events.
    async fn page(&self, after: Position, limit: usize) -> Result<Page, FeedError>;

    /// How much lies after `after`.
    async fn lag(&self, after: Position) -> Result<Lag, FeedError>;
}

/// A stretch of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The events that are wanted, in order.
    pub events: Vec<RecordedEvent>,
    /// How far the stretch reaches; what lies between was of other kinds.
    pub reached: Position,
    /// Whether nothing lay behind it when it was read.
    pub caught_up: bool,
    /// How many events were of a type that nobody here knows: a newer version of Paystream may have written them.
    pub unknown: u64,
}

/// How far a follower is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// At most so many events lie before it.
    pub events: u64,
    /// When the log took the first of them; absent where there is none.
    pub since: Option<DateTime<Utc>>,
}

/// Why a feed gave no page.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log did not answer.
    #[error("the feed cannot be read from the log")]
    Log(#[from] ReadError),
}

/// The feed straight from the log.
pub struct LogFeed {
    log: Arc<dyn LogReader>,
    wanted: HashSet<&'static str>,
    known: HashSet<&'static str>,
}

impl LogFeed {
    /// The log's events of the types `wanted`, by their stored names.
    pub fn new(log: Arc<dyn LogReader>, wanted: impl IntoIterator<Item = &'static str>) -> Self {
        Self { log, wanted: wanted.into_iter().collect(), known: known_types().collect() }
    }
}

/// The types of all events that this version writes; what else is met was written by another one.
fn known_types() -> impl Iterator<Item = &'static str> {
    domain::published::stored_shapes().map(|(name, _)| name).chain([LINEAGE_STARTED])
}

#[async_trait]
impl Feed for LogFeed {
    async fn page(&self, after: Position, limit: usize) -> Result<Page, FeedError> {
        let mut events = self.log.read_all(after, limit).await?;
        let caught_up = events.len() < limit;
        let reached = events.last().map_or(after, |event| event.position);
        let unknown = events.iter().filter(|event| !self.is_known(&event.event_type)).count();
        events.retain(|event| self.wanted.contains(event.event_type.as_str()));
        Ok(Page { events, reached, caught_up, unknown: u64::try_from(unknown).unwrap_or(u64::MAX) })
    }

    async fn lag(&self, after: Position) -> Result<Lag, FeedError> {
        lag_behind(self.log.as_ref(), after).await
    }
}

/// How much of the log lies after `after`.
pub(crate) async fn lag_behind(log: &dyn LogReader, after: Position) -> Result<Lag, FeedError> {
    let Some(next) = log.read_all(after, 1).await?.pop() else {
        return Ok(Lag::default());
    };
    let head = log.head().await?.max(next.position);
    Ok(Lag { events: head.as_i64().abs_diff(after.as_i64()), since: Some(next.recorded_at) })
}

impl LogFeed {
    fn is_known(&self, event_type: &str) -> bool {
        self.known.contains(event_type) || self.wanted.contains(event_type)
    }
}

#[cfg(test)]
mod tests;
