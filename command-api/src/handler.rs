//! The one write routine: read, fold, decide, append at the revision read, at most [`MAX_TRIES`] tries.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chassis::ids::{IdSource, derived_id};
use domain::stored::StoredFormError;
use event_store::{AppendError, EventStore, ExpectedRevision, Metadata, NewEvent, Position, ReadError, StreamId};
use lru::LruCache;
use uuid::Uuid;

use crate::streams::Aggregate;

mod context;
mod together;

pub use context::{Context, EventIds};
use together::Queue;

/// How often a decision is made anew because the stream had moved.
pub const MAX_TRIES: usize = 3;
/// How often an append whose outcome is unknown is repeated as it was.
const MAX_REPEATS: usize = 2;
/// How many folded states of one kind of aggregate are kept.
const CACHED_STATES: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// How many streams that many write to have a queue. One that is pushed out is still there for those who wait in it.
const QUEUES: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
/// Events read from a stream at a time.
const PAGE: usize = 500;

/// Why a command had no effect, or none that is known.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// A rule refused it.
    #[error("the command is refused")]
    Rejected(R),
    /// The stream moved at each try.
    #[error("{0} moved at every try")]
    Contended(StreamId),
    /// The log refused or could not be reached.
    #[error("the log could not be written")]
    Append(#[source] AppendError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// What is stored cannot be understood.
    #[error("a stored event cannot be read")]
    Stored(#[from] StoredFormError),
    /// The stream is not at the revision that the caller knows.
    #[error("the stream is at another revision than the caller knows")]
    Stale,
}

/// An aggregate as it stands at a revision.
#[derive(Debug)]
pub struct Standing<A> {
    /// What is true.
    pub state: Arc<A>,
    /// The stream's last revision; `None` where it has no event.
    pub revision: Option<u64>,
    /// The position of the stream's last event.
    pub position: Position,
    /// The last event's id, the cause of what follows from it.
    pub last_event_id: Option<Uuid>,
}

impl<A> Clone for Standing<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), revision: self.revision, position: self.position, last_event_id: self.last_event_id }
    }
}

impl<A: Default> Default for Standing<A> {
    fn default() -> Self {
        Self { state: Arc::default(), revision: None, position: Position::START, last_event_id: None }
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Executed<A: Aggregate> {
    /// How the aggregate stands after it.
    pub standing: Standing<A>,
    /// What it appended; none where it was so already.
    pub events: Vec<A::Event>,
}

/// Executes commands on one kind of aggregate.
pub struct Handler<A: Aggregate> {
    log: Arc<dyn EventStore>,
    ids: Arc<dyn IdSource>,
    cache: Mutex<LruCache<StreamId, Standing<A>>>,
    queues: Mutex<LruCache<StreamId, Arc<Queue<A>>>>,
}

impl<A: Aggregate> Handler<A> {
    /// A handler that writes to `log`.
    pub fn new(log: Arc<dyn EventStore>, ids: Arc<dyn IdSource>) -> Self {
        let queues = Mutex::new(LruCache::new(QUEUES));
        Self { log, ids, cache: Mutex::new(LruCache::new(CACHED_STATES)), queues }
    }

    /// How the aggregate stands now, read at the head of its stream.
    pub async fn load(&self, stream_id: &StreamId) -> Result<Standing<A>, ExecuteError<A::Rejection>> {
        let standing = self.read_on(stream_id, self.cached(stream_id).unwrap_or_default()).await?;
        self.keep(stream_id, &standing);
        Ok(standing)
    }

    /// How the aggregate stood right after the first event that `is_last` holds for; as it stands now where none does.
    pub async fn load_until(
        &self,
        stream_id: &StreamId,
        mut is_last: impl FnMut(&A::Event) -> bool + Send,
    ) -> Result<Standing<A>, ExecuteError<A::Rejection>> {
        let mut standing = Standing::default();
        self.fold_on(stream_id, &mut standing, &mut is_last).await?;
        Ok(standing)
    }

    /// How the aggregate stood when the log had come to `position`; how it stands now where there is none.
    pub async fn load_at(&self, stream_id: &StreamId, position: Option<Position>) -> Result<Standing<A>, ExecuteError<A::Rejection>> {
        match position {
            Some(position) => self.load_as_of(stream_id, position).await,
            None => self.load(stream_id).await,
        }
    }

    /// How the aggregate stood when the log had come to `position`.
    async fn load_as_of(&self, stream_id: &StreamId, position: Position) -> Result<Standing<A>, ExecuteError<A::Rejection>> {
        let mut standing = Standing::default();
        loop {
            let next = standing.revision.map_or(0, |revision| revision + 1);
            let page = self.log.read_stream(stream_id, next, PAGE).await?;
            let whole = page.len() == PAGE;
            let mut state = Arc::unwrap_or_clone(std::mem::take(&mut standing.state));
            let mut is_over = false;
            for recorded in page {
                is_over = recorded.position > position;
                if is_over {
                    break;
                }
                let event = A::read(&recorded.event_type, recorded.schema_version, &recorded.data)?;
                state = A::evolve(state, &event);
                standing.revision = Some(recorded.revision);
                standing.position = recorded.position;
                standing.last_event_id = Some(recorded.event_id);
            }
            standing.state = Arc::new(state);
            if is_over || !whole {
                return Ok(standing);
            }
        }
    }

    /// Decides with `decide` and appends what it decides.
    ///
    /// A kept state may serve a decision that appends, since the append checks the revision. A refusal, or a decision
    /// that nothing is to be done, is made on what stands at the stream's head.
    pub async fn execute(
        &self,
        stream_id: &StreamId,
        context: &Context,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, A::Rejection> + Send + Sync,
    ) -> Result<Executed<A>, ExecuteError<A::Rejection>> {
        self.execute_on(self.cached(stream_id), stream_id, None, context, decide).await
    }

    /// As [`Self::execute`], only while the stream is at the revision `known` to the caller, if one is. Errors: `Stale`.
    pub async fn execute_at(
        &self,
        stream_id: &StreamId,
        known: Option<u64>,
        context: &Context,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, A::Rejection> + Send + Sync,
    ) -> Result<Executed<A>, ExecuteError<A::Rejection>> {
        self.execute_on(self.cached(stream_id), stream_id, known, context, decide).await
    }

    /// As [`Self::execute`], for a stream that most likely has no event yet: nothing is read unless it has.
    pub async fn execute_new(
        &self,
        stream_id: &StreamId,
        context: &Context,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, A::Rejection> + Send + Sync,
    ) -> Result<Executed<A>, ExecuteError<A::Rejection>> {
        let kept = self.cached(stream_id).unwrap_or_default();
        self.execute_on(Some(kept), stream_id, None, context, decide).await
    }

    async fn execute_on(
        &self,
        mut kept: Option<Standing<A>>,
        stream_id: &StreamId,
        known: Option<u64>,
        context: &Context,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, A::Rejection> + Send + Sync,
    ) -> Result<Executed<A>, ExecuteError<A::Rejection>> {
        for _ in 0..MAX_TRIES {
            let (mut standing, fresh) = match kept.take() {
                Some(standing) => (standing, false),
                None => (self.load(stream_id).await?, true),
            };
            if known.is_some() && standing.revision != known {
                if fresh {
                    return Err(ExecuteError::Stale);
                }
                continue;
            }
            let mut decision = decide(&standing.state);
            if !fresh && !decision.as_ref().is_ok_and(|events| !events.is_empty()) {
                standing = self.load(stream_id).await?;
                decision = decide(&standing.state);
            }
            let events = decision.map_err(ExecuteError::Rejected)?;
            if events.is_empty() {
                return Ok(Executed { standing, events });
            }
            match self.append(stream_id, &standing, context, &events).await? {
                Some(standing) => return Ok(Executed { standing, events }),
                None => kept = None,
            }
        }
        Err(ExecuteError::Contended(stream_id.clone()))
    }

    /// Appends at the standing's revision; `None` where the stream had moved.
    async fn append(
        &self,
        stream_id: &StreamId,
        standing: &Standing<A>,
        context: &Context,
        events: &[A::Event],
    ) -> Result<Option<Standing<A>>, ExecuteError<A::Rejection>> {
        let new_events: Vec<NewEvent> = events.iter().enumerate().map(|(index, event)| self.new_event(context, index, event)).collect();
        let ids: Vec<Uuid> = new_events.iter().map(|event| event.event_id).collect();
        let state = events.iter().fold(A::clone(&standing.state), A::evolve);
        let is_derived = matches!(context.event_ids, EventIds::Derived { .. });
        match self.append_events(stream_id, standing, new_events, state, is_derived).await {
            Err(failure) if is_derived => Err(self.not_anew(stream_id, &ids, failure).await),
            appended => appended,
        }
    }

    /// Why derived events were not appended: where the stream has one of them already, what follows from their cause was
    /// recorded before and others have gone on from it, so the stream has moved. Whoever looks anew goes on from there too. It is
    /// a net only: a log that knows ids by their place alone refuses nothing here, and what may not come twice is for deciders.
    async fn not_anew(&self, stream_id: &StreamId, ids: &[Uuid], failure: ExecuteError<A::Rejection>) -> ExecuteError<A::Rejection> {
        if !matches!(failure, ExecuteError::Append(AppendError::Invalid(_))) {
            return failure;
        }
        match self.has_one_of(stream_id, ids).await {
            Ok(true) => ExecuteError::Contended(stream_id.clone()),
            Ok(false) => failure,
            Err(unread) => unread,
        }
    }

    async fn has_one_of(&self, stream_id: &StreamId, ids: &[Uuid]) -> Result<bool, ExecuteError<A::Rejection>> {
        let mut from = 0;
        loop {
            let page = self.log.read_stream(stream_id, from, PAGE).await?;
            let Some(last) = page.last() else { return Ok(false) };
            if page.iter().any(|event| ids.contains(&event.event_id)) {
                return Ok(true);
            }
            from = last.revision + 1;
        }
    }

    /// Appends at the standing's revision what leads to `state`; `None` where the stream had moved. Where all ids are derived,
    /// a repeat may be another worker's, who goes on from it.
    async fn append_events(
        &self,
        stream_id: &StreamId,
        standing: &Standing<A>,
        new_events: Vec<NewEvent>,
        state: A,
        is_derived: bool,
    ) -> Result<Option<Standing<A>>, ExecuteError<A::Rejection>> {
        let expected = standing.revision.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exactly);
        let last_event_id = new_events.last().map(|event| event.event_id);
        let mut repeats = 0;
        let appended = loop {
            match self.log.append(stream_id, expected, new_events.clone()).await {
                // Somebody else who derives the same ids was sooner: what this decision goes on to is theirs to do.
                Ok(appended) if appended.is_repeat && (repeats == 0 || is_derived) => return Ok(None),
                Ok(appended) => break appended,
                Err(AppendError::Conflict { .. }) => return Ok(None),
                // The identical append answers what the first one did, if it did anything.
                Err(AppendError::Unknown(_)) if repeats < MAX_REPEATS => repeats += 1,
                Err(error) => return Err(ExecuteError::Append(error)),
            }
        };
        let standing =
            Standing { state: Arc::new(state), revision: Some(appended.last_revision), position: appended.last_position(), last_event_id };
        self.keep(stream_id, &standing);
        Ok(Some(standing))
    }

    fn new_event(&self, context: &Context, index: usize, event: &A::Event) -> NewEvent {
        let (event_type, schema_version, data) = A::written(event);
        let event_id = match context.event_ids {
            EventIds::Fresh => self.ids.event_id(),
            EventIds::Derived { cause, handler } => derived_id(cause, &format!("{handler}/{event_type}/{index}")),
        };
        let metadata = Metadata {
            correlation_id: context.correlation_id,
            causation_id: context.causation_id,
            actor: context.actor.clone(),
            source: context.source.to_owned(),
        };
        NewEvent { event_id, event_type: event_type.to_owned(), schema_version, data, metadata }
    }

    async fn read_on(&self, stream_id: &StreamId, mut standing: Standing<A>) -> Result<Standing<A>, ExecuteError<A::Rejection>> {
        self.fold_on(stream_id, &mut standing, &mut |_| false).await?;
        Ok(standing)
    }

    async fn fold_on(
        &self,
        stream_id: &StreamId,
        standing: &mut Standing<A>,
        is_last: &mut (dyn FnMut(&A::Event) -> bool + Send),
    ) -> Result<(), ExecuteError<A::Rejection>> {
        loop {
            let next = standing.revision.map_or(0, |revision| revision + 1);
            let page = self.log.read_stream(stream_id, next, PAGE).await?;
            let page_len = page.len();
            if page_len == 0 {
                // A kept state is shared: it is copied only where something is new.
                return Ok(());
            }
            let mut state = Arc::unwrap_or_clone(std::mem::take(&mut standing.state));
            let mut found = false;
            for recorded in page {
                let event = A::read(&recorded.event_type, recorded.schema_version, &recorded.data)?;
                found = is_last(&event);
                state = A::evolve(state, &event);
                standing.revision = Some(recorded.revision);
                standing.position = recorded.position;
                standing.last_event_id = Some(recorded.event_id);
                if found {
                    break;
                }
            }
            standing.state = Arc::new(state);
            if found || page_len < PAGE {
                return Ok(());
            }
        }
    }

    fn cached(&self, stream_id: &StreamId) -> Option<Standing<A>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(stream_id).cloned()
    }

    fn keep(&self, stream_id: &StreamId, standing: &Standing<A>) {
        if standing.revision.is_none() {
            return;
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        // Two commands may end out of order: the later revision stays.
        if cache.peek(stream_id).is_none_or(|kept| kept.revision < standing.revision) {
            cache.put(stream_id.clone(), standing.clone());
        }
    }
}

#[cfg(test)]
mod tests;
