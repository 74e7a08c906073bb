//! Commands that wait for one hot stream: whoever comes first decides for all that wait, one after the other on one state,
//! and appends what they decide at once. Elsewhere writers of one stream would chase each other's revisions.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use event_store::{AppendError, NewEvent, ReadError, StreamId};
use futures_util::future::{Either, select};
use tokio::sync::oneshot::{self, Receiver, Sender};
use uuid::Uuid;

use super::{Context, EventIds, ExecuteError, Executed, Handler, MAX_TRIES};
use crate::streams::Aggregate;

/// The most commands that are decided for one append.
const MOST_TOGETHER: usize = 200;
/// The most commands that wait for one stream; further ones are told to come again.
const MOST_WAITING: usize = 5_000;

type Outcome<A> = Result<Executed<A>, ExecuteError<<A as domain::Decider>::Rejection>>;
type Decision<A> = Result<Vec<<A as domain::Decider>::Event>, <A as domain::Decider>::Rejection>;
type Decide<A> = Arc<dyn Fn(&A) -> Decision<A> + Send + Sync>;

struct Waiting<A: Aggregate> {
    context: Context,
    decide: Decide<A>,
    answer: Sender<Outcome<A>>,
}

/// The commands that wait for one stream.
pub(super) struct Queue<A: Aggregate> {
    waiting: Mutex<Vec<Waiting<A>>>,
    /// Held by whoever decides and appends.
    turn: tokio::sync::Mutex<()>,
}

impl<A: Aggregate> Default for Queue<A> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<A: Aggregate> fmt::Debug for Queue<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<A: Aggregate> Queue<A> {
    /// `None` where too many wait already.
    fn join(&self, context: &Context, decide: &Decide<A>) -> Option<Receiver<Outcome<A>>> {
        let (answer, told) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST_WAITING {
            return None;
        }
        waiting.push(Waiting { context: context.clone(), decide: Arc::clone(decide), answer });
        Some(told)
    }

    /// Those that wait longest; not those whose callers have gone.
    fn take(&self) -> Vec<Waiting<A>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|waiting| !waiting.answer.is_closed());
        let most = waiting.len().min(MOST_TOGETHER);
        waiting.drain(..most).collect()
    }
}

impl<A: Aggregate> Handler<A> {
    /// As [`Handler::execute`], for streams that many write to at once. Whoever is dropped while it decides for others leaves
    /// them to decide again, so `decide` must find what it did before, as every decider does.
    pub async fn execute_together(
        &self,
        stream_id: &StreamId,
        context: &Context,
        decide: impl Fn(&A) -> Decision<A> + Send + Sync + 'static,
    ) -> Outcome<A> {
        let queue = self.queue(stream_id);
        let decide: Decide<A> = Arc::new(decide);
        for _ in 0..MAX_TRIES {
            let mut told = queue.join(context, &decide).ok_or(ExecuteError::Append(AppendError::Busy))?;
            loop {
                let turn = match select(&mut told, Box::pin(queue.turn.lock())).await {
                    Either::Left((Ok(outcome), _)) => return outcome,
                    // Whoever decided for us died.
                    Either::Left((Err(_), _)) => break,
                    Either::Right((turn, _)) => turn,
                };
                self.decide_together(stream_id, queue.take()).await;
                drop(turn);
            }
        }
        Err(ExecuteError::Contended(stream_id.clone()))
    }

    /// Decides for all of `batch` and answers each.
    async fn decide_together(&self, stream_id: &StreamId, batch: Vec<Waiting<A>>) {
        match self.decided(stream_id, &batch).await {
            Ok(outcomes) => {
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    // Nobody may wait for it any more; it is done all the same.
                    drop(waiting.answer.send(outcome));
                }
            }
            // One of them is not valid, and the others have nothing to do with it.
            Err(ExecuteError::Append(AppendError::Invalid(_))) if batch.len() > 1 => {
                for waiting in batch {
                    let outcome = self.decided(stream_id, std::slice::from_ref(&waiting)).await;
                    let outcome = outcome.and_then(|outcomes| outcomes.into_iter().next().unwrap_or(Err(ExecuteError::Stale)));
                    drop(waiting.answer.send(outcome));
                }
            }
            Err(error) => {
                let mut batch = batch.into_iter();
                let first = batch.next();
                for waiting in batch {
                    // What cannot be told twice each finds for itself.
                    if let Some(same) = same_failure(&error) {
                        drop(waiting.answer.send(Err(same)));
                    }
                }
                if let Some(waiting) = first {
                    drop(waiting.answer.send(Err(error)));
                }
            }
        }
    }

    async fn decided(&self, stream_id: &StreamId, batch: &[Waiting<A>]) -> Result<Vec<Outcome<A>>, ExecuteError<A::Rejection>> {
        let mut kept = self.cached(stream_id);
        for _ in 0..MAX_TRIES {
            let (standing, is_fresh) = match kept.take() {
                Some(standing) => (standing, false),
                None => (self.load(stream_id).await?, true),
            };
            let (mut state, mut new_events): (A, Vec<NewEvent>) = (A::clone(&standing.state), Vec::new());
            let mut decisions: Vec<Decision<A>> = Vec::with_capacity(batch.len());
            for waiting in batch {
                let decision = (waiting.decide)(&state);
                for (index, event) in decision.iter().flatten().enumerate() {
                    new_events.push(self.new_event(&waiting.context, index, event));
                    state = A::evolve(state, event);
                }
                decisions.push(decision);
            }
            let after = if new_events.is_empty() && is_fresh {
                standing
            } else if new_events.is_empty() {
                // A refusal is decided on what stands at the head; an append proves that it was the head.
                continue;
            } else {
                let is_derived = batch.iter().all(|waiting| matches!(waiting.context.event_ids, EventIds::Derived { .. }));
                let ids: Vec<Uuid> = new_events.iter().map(|event| event.event_id).collect();
                match self.append_events(stream_id, &standing, new_events, state, is_derived).await {
                    Ok(Some(after)) => after,
                    Ok(None) => continue,
                    // Of several, each is looked at by itself.
                    Err(failure) if is_derived && batch.len() == 1 => return Err(self.not_anew(stream_id, &ids, failure).await),
                    Err(failure) => return Err(failure),
                }
            };
            let executed = |decision: Decision<A>| match decision {
                Ok(events) => Ok(Executed { standing: after.clone(), events }),
                Err(rejection) => Err(ExecuteError::Rejected(rejection)),
            };
            return Ok(decisions.into_iter().map(executed).collect());
        }
        Err(ExecuteError::Contended(stream_id.clone()))
    }

    fn queue(&self, stream_id: &StreamId) -> Arc<Queue<A>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(queues.get_or_insert(stream_id.clone(), Arc::default))
    }
}

/// The same failure for another caller; `None` for those that hold what cannot be had twice.
fn same_failure<R>(error: &ExecuteError<R>) -> Option<ExecuteError<R>> {
    Some(match error {
        ExecuteError::Contended(stream_id) => ExecuteError::Contended(stream_id.clone()),
        ExecuteError::Append(AppendError::Busy) => ExecuteError::Append(AppendError::Busy),
        ExecuteError::Append(AppendError::Unknown(failure)) => ExecuteError::Append(AppendError::Unknown(failure.to_string().into())),
        ExecuteError::Append(AppendError::Unavailable(failure)) => {
            ExecuteError::Append(AppendError::Unavailable(failure.to_string().into()))
        }
        ExecuteError::Read(ReadError::Unavailable(failure)) => ExecuteError::Read(ReadError::Unavailable(failure.to_string().into())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
