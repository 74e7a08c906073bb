//! The suite that every adapter of the log passes: what [`EventStore`] promises, tried under concurrency and restarts.
//!
//! Each check panics where a promise is broken.
#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed, and says so by a panic")]

mod appending;
mod concurrent;
mod order;
mod own_place;
mod reading;
mod repeating;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use order::{OrderChecker, OrderFault, Seen};
pub use own_place::{OwnPlaces, OwnPlacesError};

use crate::port::{AppendError, Appended, EventStore, ExpectedRevision, LogReader, Metadata, NewEvent, Position, RecordedEvent, StreamId};

/// How long a check waits for what must come at some time, on however busy a machine.
const PATIENCE: Duration = Duration::from_mins(3);

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

    /// Whether an event id that another event has is refused, on whatever stream.
    fn keeps_ids_unique(&self) -> bool {
        true
    }
}

/// What came of a check that broke no promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The promise was kept.
    Kept,
    /// The adapter does not promise it.
    NotPromised,
}

type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One check of the suite.
pub struct Check {
    name: &'static str,
    run: for<'a> fn(&'a dyn Place) -> Running<'a>,
    /// Whether the adapter promises at all what this looks at.
    is_promised: fn(&dyn Place) -> bool,
}

macro_rules! checks {
    ($($module:ident :: $name:ident $(if $promised:path)?,)+) => {
        /// All checks, in the order of what they build on.
        pub static CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            run: |place| Box::pin($module::$name(place)),
            is_promised: |_place| true $(&& $promised(_place))?,
        },)+];
    };
}

checks! {
    appending::expectations_are_held,
    appending::conflicts_say_where_the_stream_is,
    appending::what_cannot_be_written_is_refused,
    appending::an_id_names_one_event if Place::keeps_ids_unique,
    appending::what_is_written_is_read_exactly,
    appending::times_never_fall,
    repeating::a_repeat_answers_the_first_result,
    repeating::repeats_at_once_answer_one_result,
    repeating::a_repeat_after_a_restart_answers_the_first_result,
    repeating::what_only_looks_like_a_repeat_is_a_conflict,
    reading::an_unknown_stream_is_empty,
    reading::pages_resume_anywhere,
    reading::pages_may_be_large,
    reading::filters_admit_what_they_say,
    reading::followers_are_woken,
    concurrent::one_stream_holds_under_many_writers,
    concurrent::a_conflict_fails_its_caller_alone,
    concurrent::a_reader_sees_no_late_arrival,
    concurrent::dropped_appends_are_whole_or_absent,
    concurrent::a_restart_in_the_middle_loses_no_answer,
}

impl Check {
    /// What it looks at, as a sentence with `_` for blanks.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Looks. Panics where the promise is broken. Must be called on a Tokio runtime of several threads.
    pub async fn run(&self, place: &dyn Place) -> Outcome {
        if !(self.is_promised)(place) {
            return Outcome::NotPromised;
        }
        (self.run)(place).await;
        Outcome::Kept
    }

    /// Looks, and answers what a panic says where the promise is broken.
    pub async fn attempt(&'static self, place: Arc<dyn Place>) -> Result<Outcome, String> {
        let done = tokio::spawn(async move { self.run(&*place).await }).await;
        done.map_err(|error| match error.try_into_panic().map(|said| said.downcast::<String>().map(|text| *text)) {
            Ok(Ok(text)) => text,
            Ok(Err(said)) => said.downcast_ref::<&str>().map_or_else(|| "it broke down".to_owned(), |text| (*text).to_owned()),
            Err(error) => error.to_string(),
        })
    }
}

/// Runs the whole suite, each check on a place that `make` makes. Panics where a promise is broken; see [`Check::run`].
pub async fn run<P: Place>(make: impl AsyncFn() -> P) {
    for check in CHECKS {
        check.run(&make().await).await;
    }
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
