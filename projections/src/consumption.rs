use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use async_trait::async_trait;
use domain::stored::StoredFormError;
use event_store::RecordedEvent;
use followers::{Asked, BookChange, Checkpoint, ConsumerEffect, EffectError, Inapplicable, Standing, SubjectFilter};

use crate::{ConsumerStore, Projector};

#[cfg(test)]
mod tests;

/// A projector that is fed with messages, from a broker or from the log.
pub trait ConsumerProjector: Projector {
    /// The name of its checkpoint and its parked messages while its tables are made again.
    const REBUILD_NAME: &'static str;

    /// The subjects on which a broker has what it wants.
    fn subjects() -> Vec<SubjectFilter>;
}

/// A projector over a store: what a consumer does with its messages.
pub struct Consumption<P, S> {
    store: S,
    name: &'static str,
    projector: PhantomData<fn() -> P>,
}

impl<P: ConsumerProjector, S: ConsumerStore<P::Row>> Consumption<P, S> {
    /// Keeps the rows in `store`.
    pub fn new(store: S) -> Self {
        Self { store, name: P::NAME, projector: PhantomData }
    }

    /// The same for a rebuild: what cannot be taken is parked under another name, until the tables are exchanged.
    pub(crate) fn rebuilding(store: S) -> Self {
        Self { store, name: P::REBUILD_NAME, projector: PhantomData }
    }
}

/// The rows that a batch concerns.
#[derive(Debug)]
pub struct Rows<R> {
    rows: BTreeMap<String, R>,
    touched: BTreeSet<String>,
}

#[async_trait]
impl<P: ConsumerProjector, S: ConsumerStore<P::Row>> ConsumerEffect for Consumption<P, S> {
    type Work = Rows<P::Row>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn skipped_for(&self) -> &'static str {
        P::NAME
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        Ok(self.store.checkpoint().await?)
    }

    async fn standing(&self, asked: &Asked) -> Result<Standing, EffectError> {
        Ok(self.store.standing(asked).await?)
    }

    async fn load(&self, events: &[&RecordedEvent]) -> Result<Rows<P::Row>, EffectError> {
        let keys = events.iter().filter_map(|recorded| P::key(&P::read(recorded).ok()?, recorded));
        let keys: BTreeSet<String> = keys.collect();
        let keys: Vec<String> = keys.into_iter().collect();
        let rows = if keys.is_empty() { Vec::new() } else { self.store.load(&keys).await? };
        Ok(Rows { rows: rows.into_iter().collect(), touched: BTreeSet::new() })
    }

    fn apply(&self, work: &mut Rows<P::Row>, recorded: &RecordedEvent) -> Result<(), Inapplicable> {
        let event = P::read(recorded).map_err(|error| unreadable(&error))?;
        let Some(key) = P::key(&event, recorded) else { return Ok(()) };
        P::ready(work.rows.get(&key), &event).map_err(|unready| Inapplicable(unready.to_string()))?;
        if let Some(row) = P::evolve(work.rows.remove(&key), &event, recorded) {
            work.rows.insert(key.clone(), row);
            work.touched.insert(key);
        }
        Ok(())
    }

    async fn commit(&self, mut work: Rows<P::Row>, change: &BookChange) -> Result<Checkpoint, EffectError> {
        work.rows.retain(|key, _| work.touched.contains(key));
        Ok(self.store.commit_with(work.rows.into_iter().collect(), change).await?)
    }
}

/// Why an event cannot be read, without a word of what stands in it.
fn unreadable(error: &StoredFormError) -> Inapplicable {
    Inapplicable(match error {
        StoredFormError::Malformed { source, .. } => format!("{error}: line {}, column {}", source.line(), source.column()),
        other => other.to_string(),
    })
}
