use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use async_trait::async_trait;
use domain::stored::StoredFormError;
use event_store::{Position, RecordedEvent};
use followers::{Applied, Checkpoint, Effect, EffectError, Page};

use crate::{StoreError, ViewStore};

/// What a view makes of events: pure, so that it is the same in every store and at every time.
pub trait Projector: Send + Sync + 'static {
    /// What is kept under one key.
    type Row: Clone + Send + Sync + 'static;
    /// The events that it reads, of today's shape.
    type Event: Send + Sync;

    /// The follower's name, and its checkpoint's.
    const NAME: &'static str;

    /// The stored names of the events that it wants.
    fn wanted() -> Vec<&'static str>;

    /// Reads a wanted event, in whatever shape it was stored.
    fn read(recorded: &RecordedEvent) -> Result<Self::Event, StoredFormError>;

    /// The key of the row that the event concerns; `None` where it concerns none of this view's.
    fn key(event: &Self::Event, recorded: &RecordedEvent) -> Option<String>;

    /// Whether the event can take effect on this row. If not, the follower stands before it and tries again.
    fn ready(row: Option<&Self::Row>, event: &Self::Event) -> Result<(), Unready>;

    /// The row after the event. An event that it has seen before leaves it as it is.
    fn evolve(row: Option<Self::Row>, event: &Self::Event, recorded: &RecordedEvent) -> Option<Self::Row>;
}

/// An event is about something that the view has not heard of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {key} is not known")]
pub struct Unready {
    /// What it is, for instance `order`.
    pub what: &'static str,
    /// Its number.
    pub key: String,
}

/// A projector over a store: what a follower does with its pages.
pub struct Projection<P, S> {
    store: S,
    projector: PhantomData<fn() -> P>,
}

impl<P: Projector, S: ViewStore<P::Row>> Projection<P, S> {
    /// Keeps the rows in `store`.
    pub fn new(store: S) -> Self {
        Self { store, projector: PhantomData }
    }
}

struct Read<'p, E> {
    key: Option<String>,
    event: E,
    recorded: &'p RecordedEvent,
}

/// The events of the page up to the first that cannot be read.
fn read_page<P: Projector>(page: &Page) -> (Vec<Read<'_, P::Event>>, Option<EffectError>) {
    let mut events = Vec::with_capacity(page.events.len());
    for recorded in &page.events {
        match P::read(recorded) {
            Ok(event) => events.push(Read { key: P::key(&event, recorded), event, recorded }),
            Err(source) => {
                let (position, event_type) = (recorded.position, recorded.event_type.clone());
                return (events, Some(EffectError::Undecodable { position, event_type, source }));
            }
        }
    }
    (events, None)
}

#[async_trait]
impl<P: Projector, S: ViewStore<P::Row>> Effect for Projection<P, S> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        Ok(self.store.checkpoint().await?)
    }

    async fn apply(&self, from: Checkpoint, page: &Page) -> Result<Applied, EffectError> {
        let (events, mut failure) = read_page::<P>(page);
        let keys: BTreeSet<&String> = events.iter().filter_map(|read| read.key.as_ref()).collect();
        let keys: Vec<String> = keys.into_iter().cloned().collect();
        let mut rows: BTreeMap<String, P::Row> = self.store.load(&keys).await?.into_iter().collect();
        let mut touched = BTreeSet::new();
        let mut reached: Option<Position> = None;
        let mut taken = 0;
        for Read { key, event, recorded } in events {
            if let Some(key) = key {
                if let Err(unready) = P::ready(rows.get(&key), &event) {
                    let (position, event_type) = (recorded.position, recorded.event_type.clone());
                    failure = Some(EffectError::Refused { position, event_type, source: unready.into() });
                    break;
                }
                if let Some(row) = P::evolve(rows.remove(&key), &event, recorded) {
                    rows.insert(key.clone(), row);
                    touched.insert(key);
                }
            }
            reached = Some(recorded.position);
            taken += 1;
        }
        let to = match (failure, reached) {
            (None, _) => page.reached,
            (Some(_), Some(before_it)) => before_it,
            (Some(failure), None) => return Err(failure),
        };
        rows.retain(|key, _| touched.contains(key));
        let checkpoint = self.store.commit(rows.into_iter().collect(), from, to).await?;
        Ok(Applied { checkpoint, events: taken })
    }
}

impl From<StoreError> for EffectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overtaken => Self::Overtaken,
            other => Self::Store(other.into()),
        }
    }
}

/// The number in the name of a stream of the kind `prefix`, for instance `order-`.
pub(crate) fn stream_key(recorded: &RecordedEvent, prefix: &str) -> Option<String> {
    recorded.stream_id.as_str().strip_prefix(prefix).map(str::to_owned)
}

/// A revision as a column.
pub(crate) fn revision(recorded: &RecordedEvent) -> i64 {
    i64::try_from(recorded.revision).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
