//! The suite that every adapter of the log passes: what [`EventStore`] promises, tried under concurrency and restarts.
//!
//! Each check panics where a promise is broken.
#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed, and says so by a panic")]

mod appending;
mod concurrent;
mod order;
mod reading;
mod repeating;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use order::{OrderChecker, OrderFault, Seen};

use crate::port::{AppendError, Appended, EventStore, ExpectedRevision, LogReader, Metadata, NewEvent, Position, RecordedEvent, StreamId};

/// How long a check waits for what must come at some time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where one log is kept; each check gets a new, empty one.
#[async_trait]
pub trait Place: Send + Sync {
    /// Opens the log, or opens it again after [`Place::close`].
    async fn open(&self) -> Arc<dyn EventStore>;

    /// Ends the opened log as an orderly end of its process would; appends under way may still be answered.
    async fn close(&self);

    /// Whether positions are 1, 2, 3, … without gaps.
    fn dense(&self) -> bool {
        true
    }
}

/// Runs the whole suite, each check on a place that `make` makes. Must be called on a Tokio runtime of several threads.
pub async fn run<P: Place>(make: impl AsyncFn() -> P) {
    appending::expectations_are_held(&make().await).await;
    appending::conflicts_say_where_the_stream_is(&make().await).await;
    appending::what_cannot_be_written_is_refused(&make().await).await;
    appending::an_id_names_one_event(&make().await).await;
    appending::what_is_written_is_read_exactly(&make().await).await;
    appending::times_never_fall(&make().await).await;
    repeating::a_repeat_answers_the_first_result(&make().await).await;
    repeating::repeats_at_once_answer_one_result(&make().await).await;
    repeating::a_repeat_after_a_restart_answers_the_first_result(&make().await).await;
    repeating::what_only_looks_like_a_repeat_is_a_conflict(&make().await).await;
    reading::an_unknown_stream_is_empty(&make().await).await;
    reading::pages_resume_anywhere(&make().await).await;
    reading::pages_may_be_large(&make().await).await;
    reading::filters_admit_what_they_say(&make().await).await;
    reading::followers_are_woken(&make().await).await;
    concurrent::one_stream_holds_under_many_writers(&make().await).await;
    concurrent::a_conflict_fails_its_caller_alone(&make().await).await;
    concurrent::a_reader_sees_no_late_arrival(&make().await).await;
    concurrent::dropped_appends_are_whole_or_absent(&make().await).await;
    concurrent::a_restart_in_the_middle_loses_no_answer(&make().await).await;
}

fn stream(name: &str) -> StreamId {
    StreamId::parse(name).unwrap()
}

/// A new event whose data say `note`.
fn event(note: &str) -> NewEvent {
    NewEvent {
        event_id: Uuid::now_v7(),
        event_type: "NoteTaken".to_owned(),
        schema_version: 1,
        data: format!(r#"{{"note":"{note}"}}"#),
        metadata: Metadata {
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            actor: "contract".to_owned(),
            source: "contract".to_owned(),
        },
    }
}

fn events(note: &str, count: usize) -> Vec<NewEvent> {
    (0..count).map(|number| event(&format!("{note}-{number}"))).collect()
}

/// Appends to a stream that has no other writer, wherever it is.
async fn push(store: &dyn EventStore, stream_id: &StreamId, new: Vec<NewEvent>) -> Appended {
    let last = store.read_stream(stream_id, 0, usize::MAX).await.unwrap().last().map(|event| event.revision);
    store.append(stream_id, after(last), new).await.unwrap()
}

/// The expectation of one who has seen `last`.
fn after(last: Option<u64>) -> ExpectedRevision {
    last.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exactly)
}

async fn read_everything<S: LogReader + ?Sized>(store: &S) -> Vec<RecordedEvent> {
    store.read_all(Position::START, usize::MAX).await.unwrap()
}

/// Checks the whole log: order, revisions, and density where it is promised.
async fn check_whole(place: &dyn Place, store: &dyn EventStore) -> Vec<RecordedEvent> {
    let everything = read_everything(store).await;
    let mut checker = OrderChecker::default();
    checker.observe(everything.iter().map(Seen::from)).unwrap();
    checker.finish(everything.iter().map(Seen::from)).unwrap();
    if place.dense() {
        let positions: Vec<i64> = everything.iter().map(|event| event.position.as_i64()).collect();
        let expected: Vec<i64> = (1..).take(positions.len()).collect();
        assert_eq!(positions, expected, "positions have no gaps");
    }
    assert_eq!(store.head().await.unwrap(), everything.last().map(|event| event.position).unwrap_or_default());
    everything
}

fn conflict_at(answer: Result<Appended, AppendError>) -> Option<u64> {
    match answer {
        Err(AppendError::Conflict { actual, .. }) => actual,
        other => panic!("a conflict was due: {other:?}"),
    }
}
