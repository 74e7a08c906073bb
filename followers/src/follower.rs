use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use event_store::{Position, StoreFailure};

use crate::{Checkpoint, Effect, EffectError, Feed, FeedError, Lag, Page, metric};

/// How many events a page spans: few enough that a page is quickly done, enough that a commit is shared by many.
pub const PAGE_EVENTS: usize = 200;

/// Something that follows the log.
#[async_trait]
pub trait Follower: Send + Sync {
    /// Its name, the label of its metrics.
    fn name(&self) -> &'static str;

    /// Does one page's worth of work. Futures may be dropped at any await; nothing is half done then.
    async fn run_once(&self) -> Result<Progress, FollowerError>;

    /// How far it is behind.
    async fn lag(&self) -> Result<Lag, FollowerError>;

    /// Gives back the lease that it works by, if it works by one, so that another need not wait for its end. Its loop asks
    /// for this at an orderly stop, when no run is under way; a lease that is not given back ends by itself.
    async fn release(&self) -> Result<(), FollowerError> {
        Ok(())
    }
}

/// What one run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many events it took.
    pub applied: usize,
    /// How far it has come.
    pub position: Position,
    /// Whether nothing lay behind that when it was read.
    pub caught_up: bool,
}

/// Why a run did nothing. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum FollowerError {
    /// Another worker of the same name was faster, or a rebuild has replaced the tables. The next run goes on from there.
    #[error("another worker has moved the checkpoint")]
    Overtaken,
    /// What lies ahead has yet to come by another way. It is no failure: the next run looks again soon.
    #[error("what lies ahead has not come yet")]
    Waiting,
    /// The events could not be read.
    #[error("the feed gave no page")]
    Feed(#[from] FeedError),
    /// Their effect did not take place; the checkpoint stands before them.
    #[error("the page had no effect")]
    Effect(#[source] EffectError),
    /// What the follower does beside its tables failed.
    #[error("the follower's work failed")]
    Work(#[source] StoreFailure),
}

impl From<EffectError> for FollowerError {
    fn from(error: EffectError) -> Self {
        match error {
            EffectError::Overtaken => Self::Overtaken,
            other => Self::Effect(other),
        }
    }
}

/// A follower that takes pages from a feed and gives them to an effect.
pub struct FeedFollower {
    feed: Arc<dyn Feed>,
    effect: Arc<dyn Effect>,
    page_events: usize,
    /// What the last run left, so that the next need not read it. Taken out for the time of a run: one that is dropped or
    /// fails leaves none.
    checkpoint: Mutex<Option<Checkpoint>>,
}

impl FeedFollower {
    /// Follows `feed`, [`PAGE_EVENTS`] events a page.
    pub fn new(feed: Arc<dyn Feed>, effect: Arc<dyn Effect>) -> Self {
        Self { feed, effect, page_events: PAGE_EVENTS, checkpoint: Mutex::new(None) }
    }

    /// The same with another size of page, for a rebuild, where nobody waits for the single page.
    #[must_use]
    pub fn with_page_events(self, page_events: usize) -> Self {
        Self { page_events: page_events.max(1), ..self }
    }

    async fn stored_checkpoint(&self) -> Result<Checkpoint, FollowerError> {
        let kept = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).take();
        match kept {
            Some(checkpoint) => Ok(checkpoint),
            None => Ok(self.effect.checkpoint().await?),
        }
    }

    fn keep(&self, checkpoint: Checkpoint) {
        *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
    }

    async fn take(&self, from: Checkpoint, page: &Page) -> Result<Progress, FollowerError> {
        if page.reached == from.position {
            self.keep(from);
            return Ok(Progress { applied: 0, position: from.position, caught_up: page.caught_up });
        }
        let applied = self.effect.apply(from, page).await?;
        self.keep(applied.checkpoint);
        metric::count_applied(self.effect.name(), applied.events);
        let position = applied.checkpoint.position;
        let whole = position >= page.reached;
        if whole {
            metric::count_unknown(self.effect.name(), page.unknown);
        }
        Ok(Progress { applied: applied.events, position, caught_up: page.caught_up && whole })
    }
}

#[async_trait]
impl Follower for FeedFollower {
    fn name(&self) -> &'static str {
        self.effect.name()
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let from = self.stored_checkpoint().await?;
        let page = self.feed.page(from.position, self.page_events).await?;
        self.take(from, &page).await
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let checkpoint = self.effect.checkpoint().await?;
        Ok(self.feed.lag(checkpoint.position).await?)
    }
}

#[cfg(test)]
mod tests;
