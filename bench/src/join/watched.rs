//! A consumer's effect, with the moment at which each event's effect was durable.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use event_store::{Position, RecordedEvent};
use followers::{Asked, BookChange, Checkpoint, ConsumerEffect, EffectError, Inapplicable, Standing};

/// An effect that is watched.
pub(super) struct Watched<E> {
    inner: E,
    done: Mutex<HashMap<Position, Instant>>,
}

impl<E> Watched<E> {
    /// Watches `inner`.
    pub(super) fn new(inner: E) -> Self {
        Self { inner, done: Mutex::default() }
    }

    /// When the effect of the event at this position was durable.
    pub(super) fn done_at(&self, position: Position) -> Option<Instant> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).get(&position).copied()
    }
}

#[async_trait]
impl<E: ConsumerEffect> ConsumerEffect for Watched<E> {
    type Work = (E::Work, Vec<Position>);

    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        self.inner.checkpoint().await
    }

    async fn standing(&self, asked: &Asked) -> Result<Standing, EffectError> {
        self.inner.standing(asked).await
    }

    async fn load(&self, events: &[&RecordedEvent]) -> Result<Self::Work, EffectError> {
        Ok((self.inner.load(events).await?, Vec::new()))
    }

    fn apply(&self, work: &mut Self::Work, event: &RecordedEvent) -> Result<(), Inapplicable> {
        self.inner.apply(&mut work.0, event)?;
        work.1.push(event.position);
        Ok(())
    }

    async fn commit(&self, work: Self::Work, change: &BookChange) -> Result<Checkpoint, EffectError> {
        let (work, positions) = work;
        let moved = self.inner.commit(work, change).await?;
        let now = Instant::now();
        self.done.lock().unwrap_or_else(PoisonError::into_inner).extend(positions.into_iter().map(|position| (position, now)));
        Ok(moved)
    }
}
