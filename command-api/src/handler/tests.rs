use chassis::clock::ManualClock;
use chassis::ids::SeededIds;
use chrono::DateTime;
use domain::decider::Decider;
use event_store::{LogReader, MemoryEventStore};

use super::*;
use crate::testing::{CORRELATION, Fault, ScriptedLog};

/// A sum, for commands that need no shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(pub(super) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added(pub(super) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Decider for Tally {
    type State = Self;
    type Command = u32;
    type Event = Added;
    type Rejection = TooMuch;

    fn decide(state: &Self, command: u32) -> Result<Vec<Added>, TooMuch> {
        if state.0 + command > 1_000 { Err(TooMuch) } else { Ok(vec![Added(command)]) }
    }

    fn evolve(state: Self, event: &Added) -> Self {
        Self(state.0 + event.0)
    }
}

impl Aggregate for Tally {
    fn written(event: &Added) -> (&'static str, u16, String) {
        ("Added", 1, event.0.to_string())
    }

    fn read(event_type: &str, schema_version: u16, data: &str) -> Result<Added, StoredFormError> {
        match (event_type, schema_version) {
            ("Added", 1) => Ok(Added(data.parse().unwrap())),
            ("Added", schema_version) => Err(StoredFormError::TooNew { event_type: event_type.to_owned(), schema_version }),
            _ => Err(StoredFormError::UnknownType { event_type: event_type.to_owned() }),
        }
    }
}

pub(super) struct Scene {
    pub(super) log: Arc<ScriptedLog>,
    memory: Arc<MemoryEventStore>,
    ids: Arc<SeededIds>,
    pub(super) handler: Arc<Handler<Tally>>,
}

pub(super) fn scene() -> Scene {
    let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH));
    let memory = Arc::new(MemoryEventStore::new(Arc::new(|| DateTime::UNIX_EPOCH)));
    let log = Arc::new(ScriptedLog::new(Arc::clone(&memory)));
    let ids = Arc::new(SeededIds::new(1, clock));
    let handler = Arc::new(Handler::new(log.clone(), ids.clone()));
    Scene { log, memory, ids, handler }
}

pub(super) fn stream() -> StreamId {
    StreamId::parse("tally-1").unwrap()
}

pub(super) fn context() -> Context {
    Context { correlation_id: CORRELATION, causation_id: None, actor: "buyer:alice".to_owned(), source: "test", event_ids: EventIds::Fresh }
}

impl Scene {
    /// A handler of another process over the same log.
    pub(super) fn other(&self) -> Arc<Handler<Tally>> {
        Arc::new(Handler::new(self.memory.clone(), self.ids.clone()))
    }

    async fn add(&self, number: u32) -> Result<Executed<Tally>, ExecuteError<TooMuch>> {
        add(&self.handler, number).await
    }

    pub(super) async fn numbers(&self) -> Vec<u32> {
        let events = self.memory.read_stream(&stream(), 0, 1_000).await.unwrap();
        events.iter().map(|event| event.data.parse().unwrap()).collect()
    }

    /// Another process adds this just before the next append.
    pub(super) fn meanwhile(&self, number: u32) {
        let other = self.other();
        self.log.meanwhile("tally", async move {
            add(&other, number).await.unwrap();
        });
    }
}

pub(super) async fn add(handler: &Handler<Tally>, number: u32) -> Result<Executed<Tally>, ExecuteError<TooMuch>> {
    handler.execute(&stream(), &context(), |tally| Tally::decide(tally, number)).await
}

#[tokio::test]
async fn a_decision_is_appended_at_the_revision_that_it_was_made_on() {
    let scene = scene();
    let first = scene.add(1).await.unwrap();
    let second = scene.add(2).await.unwrap();
    assert_eq!((first.standing.revision, second.standing.revision), (Some(0), Some(1)));
    assert_eq!((second.standing.state.0, second.events), (3, vec![Added(2)]));
    assert!(second.standing.position > first.standing.position);
    let expected: Vec<ExpectedRevision> = scene.log.tried().into_iter().map(|(_, expected, _)| expected).collect();
    assert_eq!(expected, [ExpectedRevision::NoStream, ExpectedRevision::Exactly(0)]);
}

#[tokio::test]
async fn events_say_who_wished_and_what_led_to_it() {
    let scene = scene();
    let context = Context { causation_id: Some(Uuid::from_u128(9)), ..context() };
    let executed = scene.handler.execute(&stream(), &context, |_| Ok(vec![Added(1)])).await.unwrap();
    let recorded = scene.memory.read_stream(&stream(), 0, 10).await.unwrap().pop().unwrap();
    assert_eq!((recorded.event_type.as_str(), recorded.schema_version, recorded.data.as_str()), ("Added", 1, "1"));
    let expected = Metadata {
        correlation_id: CORRELATION,
        causation_id: Some(Uuid::from_u128(9)),
        actor: "buyer:alice".to_owned(),
        source: "test".to_owned(),
    };
    assert_eq!(recorded.metadata, expected);
    assert_eq!(executed.standing.last_event_id, Some(recorded.event_id));
    assert_eq!(executed.standing.position, recorded.position);
}

#[tokio::test]
async fn a_stream_that_moved_is_read_and_decided_anew() {
    let scene = scene();
    scene.add(1).await.unwrap();
    scene.meanwhile(990);
    let executed = scene.add(9).await.unwrap();
    assert_eq!((executed.standing.state.0, executed.standing.revision), (1_000, Some(2)));

    let scene = self::scene();
    scene.add(1).await.unwrap();
    scene.meanwhile(999);
    assert!(matches!(scene.add(9).await, Err(ExecuteError::Rejected(TooMuch))), "what fitted before fits no more");
    assert_eq!(scene.numbers().await, [1, 999]);
}

#[tokio::test]
async fn a_third_try_succeeds_and_a_fourth_is_not_made() {
    let scene = scene();
    for _ in 0..MAX_TRIES - 1 {
        scene.log.next("tally", Fault::Conflict);
    }
    assert_eq!(scene.add(1).await.unwrap().standing.state.0, 1);
    scene.log.tried();

    for _ in 0..MAX_TRIES {
        scene.log.next("tally", Fault::Conflict);
    }
    assert!(matches!(scene.add(1).await, Err(ExecuteError::Contended(contended)) if contended == stream()));
    assert_eq!(scene.log.tried().len(), MAX_TRIES);
    assert_eq!(scene.numbers().await, [1]);
}

#[tokio::test]
async fn an_append_whose_outcome_is_unknown_is_repeated_as_it_was() {
    for fault in [Fault::UnknownBefore, Fault::UnknownAfter] {
        let scene = scene();
        scene.log.next("tally", fault);
        let executed = scene.add(7).await.unwrap();
        assert_eq!(scene.numbers().await, [7], "it is written once, whenever the answer was lost");
        let recorded = scene.memory.read_stream(&stream(), 0, 10).await.unwrap();
        assert_eq!((executed.standing.revision, executed.standing.position), (Some(0), recorded[0].position));
        let tried = scene.log.tried();
        assert_eq!(tried.len(), 2);
        assert_eq!(tried[0], tried[1], "stream, expectation, ids and contents are the same");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_by_the_first_result_although_the_stream_has_moved_on() {
    let scene = scene();
    let other = scene.other();
    scene.log.next("tally", Fault::UnknownAfter);
    scene.log.meanwhile("tally", async move {
        add(&other, 5).await.unwrap();
    });
    let executed = scene.add(7).await.unwrap();
    assert_eq!(scene.numbers().await, [7, 5]);
    assert_eq!((executed.standing.revision, executed.standing.state.0), (Some(0), 7));
    assert_eq!(scene.handler.load(&stream()).await.unwrap().state.0, 12);
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_told_as_unknown() {
    let scene = scene();
    for _ in 0..=MAX_REPEATS {
        scene.log.next("tally", Fault::UnknownBefore);
    }
    assert!(matches!(scene.add(7).await, Err(ExecuteError::Append(AppendError::Unknown(_)))));
    assert_eq!(scene.log.tried().len(), 1 + MAX_REPEATS);
    assert_eq!(scene.numbers().await, [0; 0]);
    assert_eq!(scene.add(7).await.unwrap().standing.revision, Some(0), "nothing of it was kept in memory");
}

#[tokio::test]
async fn a_full_queue_and_a_log_that_is_gone_are_told_at_once() {
    let scene = scene();
    scene.log.next("tally", Fault::Busy);
    assert!(matches!(scene.add(1).await, Err(ExecuteError::Append(AppendError::Busy))));
    scene.log.next("tally", Fault::Unavailable);
    assert!(matches!(scene.add(1).await, Err(ExecuteError::Append(AppendError::Unavailable(_)))));
    assert_eq!(scene.log.tried().len(), 2);
    scene.log.fail_reads(1);
    assert!(matches!(scene.add(1).await, Err(ExecuteError::Read(ReadError::Unavailable(_)))));
    assert_eq!(scene.numbers().await, [0; 0]);
}

#[tokio::test]
async fn a_kept_state_spares_the_read_of_a_decision_that_appends() {
    let scene = scene();
    scene.add(1).await.unwrap();
    let reads = scene.log.reads();
    scene.add(2).await.unwrap();
    assert_eq!(scene.log.reads(), reads);
    assert_eq!(scene.numbers().await, [1, 2]);
}

#[tokio::test]
async fn a_kept_state_never_serves_a_refusal() {
    let scene = scene();
    scene.add(1).await.unwrap();
    add(&scene.other(), 10).await.unwrap();
    let at_least_ten = |tally: &Tally| if tally.0 < 10 { Err(TooMuch) } else { Ok(vec![Added(1)]) };
    let executed = scene.handler.execute(&stream(), &context(), at_least_ten).await.unwrap();
    assert_eq!(executed.standing.state.0, 12, "what was kept would have refused");
}

#[tokio::test]
async fn a_kept_state_never_serves_that_nothing_is_to_be_done() {
    let scene = scene();
    scene.add(1).await.unwrap();
    add(&scene.other(), 10).await.unwrap();
    let unless_one = |tally: &Tally| if tally.0 == 1 { Ok(vec![]) } else { Ok(vec![Added(1)]) };
    let executed = scene.handler.execute(&stream(), &context(), unless_one).await.unwrap();
    assert_eq!((executed.events.len(), executed.standing.state.0), (1, 12));
    let so_already = scene.handler.execute(&stream(), &context(), |_| Ok(vec![])).await.unwrap();
    assert_eq!((so_already.events.len(), so_already.standing.revision), (0, Some(2)));
}

#[tokio::test]
async fn a_later_state_is_not_replaced_by_an_earlier_one() {
    let scene = scene();
    let early = scene.add(1).await.unwrap().standing;
    scene.add(2).await.unwrap();
    scene.handler.keep(&stream(), &early);
    assert_eq!(scene.handler.cached(&stream()).unwrap().revision, Some(1));
    scene.handler.keep(&StreamId::parse("tally-2").unwrap(), &Standing::default());
    assert!(scene.handler.cached(&StreamId::parse("tally-2").unwrap()).is_none(), "of an unknown stream nothing is kept");
}

#[tokio::test]
async fn what_is_new_is_written_without_a_read() {
    let scene = scene();
    let executed = scene.handler.execute_new(&stream(), &context(), |tally| Tally::decide(tally, 1)).await.unwrap();
    assert_eq!((executed.standing.revision, scene.log.reads()), (Some(0), 0));
}

#[tokio::test]
async fn what_was_thought_new_is_decided_on_what_stands() {
    let scene = scene();
    add(&scene.other(), 1_000).await.unwrap();
    let refused = scene.handler.execute_new(&stream(), &context(), |tally| Tally::decide(tally, 1)).await;
    assert!(matches!(refused, Err(ExecuteError::Rejected(TooMuch))));
    assert_eq!(scene.numbers().await, [1_000]);
}

#[tokio::test]
async fn a_stream_is_folded_up_to_an_event_or_whole() {
    let scene = scene();
    let ones = u32::try_from(PAGE).unwrap() + 100;
    for _ in 0..ones {
        scene.handler.execute(&stream(), &context(), |_| Ok(vec![Added(1)])).await.unwrap();
    }
    let fresh = scene.other();
    assert_eq!(fresh.load(&stream()).await.unwrap().state.0, ones, "pages are read to the end");
    let mut seen = 0;
    let until = fresh
        .load_until(&stream(), |_| {
            seen += 1;
            seen == PAGE + 7
        })
        .await
        .unwrap();
    assert_eq!((until.state.0, until.revision), (ones - 93, Some(u64::from(ones) - 94)));
    let recorded = scene.memory.read_stream(&stream(), u64::from(ones) - 94, 1).await.unwrap().pop().unwrap();
    assert_eq!((until.position, until.last_event_id), (recorded.position, Some(recorded.event_id)));
    let whole = fresh.load_until(&stream(), |_| false).await.unwrap();
    assert_eq!(whole.state.0, ones);
    assert_eq!(scene.handler.load(&stream()).await.unwrap().state.0, ones, "an earlier state is never kept for decisions");
}

#[tokio::test]
async fn an_unknown_stream_stands_at_nothing() {
    let standing = scene().handler.load(&stream()).await.unwrap();
    assert_eq!((standing.revision, standing.position, standing.last_event_id), (None, Position::START, None));
}

#[tokio::test]
async fn an_event_of_a_later_version_is_a_typed_failure_and_nothing_is_written_behind_it() {
    let scene = scene();
    scene.add(1).await.unwrap();
    let later = NewEvent {
        event_id: Uuid::from_u128(4),
        event_type: "Added".to_owned(),
        schema_version: 2,
        data: "{}".to_owned(),
        metadata: scene.memory.read_stream(&stream(), 0, 1).await.unwrap()[0].metadata.clone(),
    };
    scene.memory.append(&stream(), ExpectedRevision::Exactly(0), vec![later]).await.unwrap();
    assert!(matches!(scene.handler.load(&stream()).await, Err(ExecuteError::Stored(StoredFormError::TooNew { schema_version: 2, .. }))));
    assert!(matches!(scene.add(1).await, Err(ExecuteError::Stored(_))), "a kept state does not write past what it cannot read");
    assert!(matches!(add(&scene.other(), 1).await, Err(ExecuteError::Stored(_))));
    assert_eq!(scene.memory.head().await.unwrap().as_i64(), 2);
}

#[tokio::test]
async fn events_of_a_process_manager_have_ids_that_follow_from_their_cause() {
    let derived = |cause| Context { event_ids: EventIds::Derived { cause: Uuid::from_u128(cause), handler: "manager" }, ..context() };
    let ids = |cause| async move {
        let scene = scene();
        scene.handler.execute(&stream(), &derived(cause), |_| Ok(vec![Added(1), Added(2)])).await.unwrap();
        let events = scene.memory.read_stream(&stream(), 0, 10).await.unwrap();
        events.into_iter().map(|event| event.event_id).collect::<Vec<_>>()
    };
    let first = ids(1).await;
    assert_eq!(first, ids(1).await);
    assert_ne!(first[0], first[1]);
    assert_ne!(first, ids(2).await);
}

#[tokio::test]
async fn what_a_cause_led_to_before_is_not_written_again_behind_what_came_since() {
    let scene = scene();
    let derived = |cause| Context { event_ids: EventIds::Derived { cause: Uuid::from_u128(cause), handler: "manager" }, ..context() };
    let other = StreamId::parse("tally-2").unwrap();
    for cause in [1, 2] {
        scene.handler.execute(&stream(), &derived(cause), |_| Ok(vec![Added(1)])).await.unwrap();
    }
    let again = scene.handler.execute(&stream(), &derived(1), |_| Ok(vec![Added(1)])).await;
    assert!(matches!(again, Err(ExecuteError::Contended(contended)) if contended == stream()));
    // One id on two streams is a fault of ours.
    let elsewhere = scene.handler.execute(&other, &derived(1), |_| Ok(vec![Added(1)])).await;
    assert!(matches!(elsewhere, Err(ExecuteError::Append(AppendError::Invalid(_)))));
    assert_eq!(scene.memory.head().await.unwrap().as_i64(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_once_lose_nothing_that_they_were_told_is_written() {
    let scene = scene();
    let writers = (0..16).map(|_| {
        let handler = scene.other();
        tokio::spawn(async move {
            let mut written = 0;
            for _ in 0..20 {
                match handler.execute(&stream(), &context(), |_| Ok(vec![Added(1)])).await {
                    Ok(_) => written += 1,
                    Err(ExecuteError::Contended(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            written
        })
    });
    let mut written = 0;
    for writer in writers.collect::<Vec<_>>() {
        written += writer.await.unwrap();
    }
    assert_eq!(scene.numbers().await.iter().sum::<u32>(), written);
}
