use std::collections::BTreeSet;
use std::sync::Arc;

use super::ConsumerEffect;
use crate::parking::{Asked, BookChange};
use crate::relay::Subjects;
use crate::{Feed, FeedError, Follower, FollowerError, Lag, PAGE_EVENTS, Progress, SubjectFilter};
use async_trait::async_trait;
use chassis::clock::Clock;

/// Tells how far a consumer of a broker has come in the log, whose parts each go at their own pace: moves its checkpoint to
/// just before the first event that its marks do not cover. Queries wait for that checkpoint, and the lag is told from it.
pub struct Tide<E> {
    feed: Arc<dyn Feed>,
    effect: Arc<E>,
    subjects: Arc<Subjects>,
    filters: Vec<SubjectFilter>,
    clock: Arc<dyn Clock>,
}

impl<E: ConsumerEffect> Tide<E> {
    /// The tide of `effect`, which gets what `filters` admit, over the events of the log that it wants.
    pub fn new(feed: Arc<dyn Feed>, effect: Arc<E>, subjects: Arc<Subjects>, filters: Vec<SubjectFilter>, clock: Arc<dyn Clock>) -> Self {
        Self { feed, effect, subjects, filters, clock }
    }
}

#[async_trait]
impl<E: ConsumerEffect> Follower for Tide<E> {
    fn name(&self) -> &'static str {
        self.effect.name()
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let from = self.effect.checkpoint().await?;
        let page = self.feed.page(from.position, PAGE_EVENTS).await?;
        let mut subjects = Vec::with_capacity(page.events.len());
        for event in &page.events {
            let subject = self.subjects.of(event).await.map_err(FeedError::from)?;
            subjects.push(subject.filter(|subject| self.filters.iter().any(|filter| filter.admits(subject))));
        }
        let asked = Asked {
            consumer: self.effect.name(),
            skipped_for: self.effect.skipped_for(),
            subjects: subjects.iter().flatten().cloned().collect(),
            streams: BTreeSet::new(),
            part: None,
            now: self.clock.now(),
            most_due: 0,
        };
        let marks = self.effect.standing(&asked).await?.marks;
        let mut reached = from.position;
        let mut is_whole = true;
        for (event, subject) in page.events.iter().zip(subjects) {
            if subject.is_some_and(|subject| marks.get(&subject).is_none_or(|mark| *mark < event.position)) {
                is_whole = false;
                break;
            }
            reached = event.position;
        }
        if is_whole {
            reached = page.reached;
        }
        if reached > from.position {
            let change = BookChange { to: Some(reached), ..BookChange::new(self.effect.name(), from) };
            let nothing = self.effect.load(&[]).await?;
            self.effect.commit(nothing, &change).await?;
        } else if !is_whole {
            return Err(FollowerError::Waiting);
        }
        Ok(Progress { applied: 0, position: reached, caught_up: page.caught_up && is_whole })
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let from = self.effect.checkpoint().await?;
        Ok(self.feed.lag(from.position).await?)
    }
}
