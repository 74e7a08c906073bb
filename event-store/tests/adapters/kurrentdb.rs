//! The log in KurrentDB through the official client, against a stand-in of the server in this process. What it shows is about our
//! adapter; `paystream contract-check` asks a real server.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use event_store::contract::{self, Place};
use event_store::{
    AppendError, Appended, EventFilter, EventStore, ExpectedRevision, KurrentDbEventStore, KurrentDbLimits, LogReader, LogUrl, NewEvent,
    OpenError, Position, ReadError, StreamId, limits, lineage,
};
use kurrentdb_stand_in::{Fault, StandIn};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::{PATIENCE, at, clock, event, events, stream};

struct OnStandIn {
    stand_in: Arc<StandIn>,
    prefix: String,
    opened: Mutex<Option<Arc<KurrentDbEventStore>>>,
}

#[async_trait]
impl Place for OnStandIn {
    async fn open(&self) -> Arc<dyn EventStore> {
        let store = Arc::new(open(&self.stand_in, &self.prefix).await);
        *self.opened.lock().unwrap() = Some(store.clone());
        store
    }

    async fn close(&self) {
        let opened = self.opened.lock().unwrap().take();
        opened.unwrap().shutdown().await;
    }

    fn dense(&self) -> bool {
        false
    }

    fn keeps_ids_unique(&self) -> bool {
        false
    }
}

async fn try_open(stand_in: &StandIn, prefix: &str, limits: KurrentDbLimits) -> Result<KurrentDbEventStore, OpenError> {
    let LogUrl::KurrentDb(url) = LogUrl::parse(&stand_in.url(prefix)).unwrap() else { panic!("it is KurrentDB's") };
    KurrentDbEventStore::open_with(&url, clock(), limits).await
}

async fn open(stand_in: &StandIn, prefix: &str) -> KurrentDbEventStore {
    try_open(stand_in, prefix, KurrentDbLimits::default()).await.unwrap()
}

/// Appends as a caller does who repeats while nothing is known or nothing is there.
async fn append_at_last(store: &KurrentDbEventStore, stream_id: &StreamId, new: &[NewEvent]) -> Appended {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.append(stream_id, ExpectedRevision::NoStream, new.to_vec()).await {
            Ok(appended) => return appended,
            Err(AppendError::Unknown(_) | AppendError::Unavailable(_)) if Instant::now() < deadline => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_kurrentdb_keeps_the_contract() {
    let stand_in = Arc::new(StandIn::start());
    let places = AtomicU32::new(0);
    contract::run(async || OnStandIn {
        stand_in: stand_in.clone(),
        prefix: format!("place-{}-", places.fetch_add(1, Ordering::Relaxed)),
        opened: Mutex::new(None),
    })
    .await;
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_found_to_be_written() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    stand_in.fault(Fault::Failed { is_written: true });
    let appended = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(3)).await.unwrap();
    assert_eq!((appended.last_revision, appended.is_repeat), (2, false), "it is this very append that was written");
    assert_eq!(stand_in.events("log-"), 3);
}

#[tokio::test]
async fn an_append_of_which_nothing_is_known_is_repeated_without_harm() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    let new = events(3);
    stand_in.fault(Fault::Failed { is_written: false });
    let unknown = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    let appended = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await.unwrap();
    let again = store.append(&stream("note-1"), ExpectedRevision::NoStream, new).await.unwrap();
    assert_eq!(again, Appended { is_repeat: true, ..appended });
    assert_eq!(stand_in.events("log-"), 3);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let stand_in = StandIn::start();
    let short = KurrentDbLimits { append: Duration::from_millis(500), ..KurrentDbLimits::default() };
    let store = try_open(&stand_in, "log-", short).await.unwrap();
    stand_in.fault(Fault::Silent { is_written: true });
    let written = append_at_last(&store, &stream("note-1"), &events(2)).await;
    assert_eq!(written.last_revision, 1);

    let new = events(2);
    stand_in.fault(Fault::Silent { is_written: false });
    let unknown = store.append(&stream("note-2"), ExpectedRevision::NoStream, new.clone()).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    append_at_last(&store, &stream("note-2"), &new).await;
    assert_eq!(stand_in.events("log-"), 4);
}

#[tokio::test]
async fn an_append_without_an_answer_that_came_too_late_is_a_conflict() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(2)).await.unwrap();
    stand_in.fault(Fault::Failed { is_written: false });
    let late = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await;
    assert!(matches!(late, Err(AppendError::Conflict { actual: Some(1), .. })), "{late:?}");
}

#[tokio::test]
async fn an_append_finds_the_leader() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    stand_in.fault(Fault::NotLeader);
    stand_in.fault(Fault::NotLeader);
    let appended = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    assert!(!appended.is_repeat);
}

#[tokio::test]
async fn what_the_server_refuses_is_not_written_and_said_to_be_so() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    stand_in.fault(Fault::Refused);
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert_eq!(stand_in.events("log-"), 0);
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_is_found_again() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    store.ping().await.unwrap();
    for round in 0..3 {
        stand_in.go_down();
        let new = events(2);
        let name = stream(&format!("round-{round}"));
        let away = store.append(&name, ExpectedRevision::NoStream, new.clone()).await;
        assert!(matches!(away, Err(AppendError::Unknown(_) | AppendError::Unavailable(_))), "{away:?}");
        let away = store.read_all(Position::START, 10).await;
        assert!(matches!(away, Err(ReadError::Unavailable(_))), "{away:?}");
        assert!(store.ping().await.is_err());
        stand_in.come_up();
        append_at_last(&store, &name, &new).await;
    }
    store.ping().await.unwrap();
    assert_eq!(stand_in.events("log-"), 7, "and nothing was written twice");
}

#[tokio::test]
async fn a_log_without_a_server_is_not_opened_and_one_that_is_asked_for_a_write_writes_nothing() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    store.ping().await.unwrap();
    assert_eq!(stand_in.events("log-"), 0);
    assert_eq!(store.server_version().await.unwrap(), "25.1.0");
    stand_in.go_down();
    let refused = try_open(&stand_in, "log-", KurrentDbLimits::default()).await.err();
    assert!(matches!(refused, Some(OpenError::Read(_))), "{refused:?}");
}

#[tokio::test]
async fn an_append_of_one_process_wakes_the_other() {
    let stand_in = StandIn::start();
    let (one, other) = (open(&stand_in, "log-").await, open(&stand_in, "log-").await);
    let mut appended = other.appended();
    for number in 1..=3 {
        let written = one.append(&stream(&format!("note-{number}")), ExpectedRevision::NoStream, events(1)).await.unwrap();
        timeout(PATIENCE, appended.wait_for(|position| *position == written.last_position())).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn logs_of_other_names_on_one_server_do_not_meet() {
    let stand_in = StandIn::start();
    let (one, other) = (open(&stand_in, "one-").await, open(&stand_in, "other-").await);
    one.append(&stream("note-1"), ExpectedRevision::NoStream, events(2)).await.unwrap();
    let theirs = other.append(&stream("note-1"), ExpectedRevision::NoStream, events(3)).await.unwrap();
    assert_eq!(one.read_all(Position::START, 100).await.unwrap().len(), 2);
    assert_eq!(other.read_stream(&stream("note-1"), 0, 100).await.unwrap().len(), 3);
    assert_eq!(other.head().await.unwrap(), theirs.last_position());
    assert!(one.head().await.unwrap() < theirs.last_position());
}

/// The server compares ids only with what stands where an append belongs. Who counts on more must not use this store.
#[tokio::test]
async fn an_id_may_name_an_event_on_each_stream() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    let twice = event("twice");
    for name in ["note-1", "note-2"] {
        let appended = store.append(&stream(name), ExpectedRevision::NoStream, vec![twice.clone()]).await.unwrap();
        assert!(!appended.is_repeat, "{name}");
    }
}

#[tokio::test]
async fn what_the_server_would_not_take_is_not_sent() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    let mut new = events(limits::MAX_EVENTS);
    // Within our own limit, and beyond the server's by what is kept beside each event.
    for event in &mut new {
        event.data = format!("\"{}\"", "x".repeat(1_868));
        event.metadata.causation_id = Some(event.event_id);
    }
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, new).await;
    assert!(matches!(refused, Err(AppendError::Invalid(_))), "{refused:?}");
    assert_eq!(stand_in.events("log-"), 0);
}

#[tokio::test]
async fn a_position_that_the_log_never_gave_out_is_refused_and_breaks_nothing() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    let appended = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(2)).await.unwrap();
    let between = Position::new(appended.positions[0].as_i64() + 1).unwrap();
    let refused = store.read_all(between, 10).await;
    assert!(matches!(refused, Err(ReadError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.read_all(appended.positions[0], 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_streams_events_are_found_by_that_stream() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    for number in 0..5 {
        store.append(&stream(&format!("note-{number}")), ExpectedRevision::NoStream, events(2)).await.unwrap();
    }
    let filter = EventFilter { stream_id: Some(stream("note-3")), ..EventFilter::default() };
    let found = store.read_all_filtered(Position::START, 10, &filter).await.unwrap();
    assert_eq!(found.iter().map(|event| event.revision).collect::<Vec<_>>(), [0, 1]);
    let rest = store.read_all_filtered(found[0].position, 10, &filter).await.unwrap();
    assert_eq!(rest, found[1..]);
}

#[tokio::test]
async fn times_do_not_fall_with_the_clock_or_a_restart() {
    let stand_in = StandIn::start();
    let LogUrl::KurrentDb(url) = LogUrl::parse(&stand_in.url("log-")).unwrap() else { panic!("it is KurrentDB's") };
    let ahead = KurrentDbEventStore::open(&url, Arc::new(|| at(2_000))).await.unwrap();
    ahead.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    ahead.shutdown().await;
    let behind = KurrentDbEventStore::open(&url, Arc::new(|| at(1_000))).await.unwrap();
    assert_eq!(behind.append(&stream("note-2"), ExpectedRevision::NoStream, events(1)).await.unwrap().recorded_at, at(2_000));
}

#[tokio::test]
async fn after_its_end_a_log_refuses_appends() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    store.shutdown().await;
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_log_keeps_its_lineage_until_it_is_renewed() {
    let stand_in = StandIn::start();
    let store = open(&stand_in, "log-").await;
    let [first, second, third] = [1, 2, 3].map(Uuid::from_u128);
    assert_eq!(lineage::ensure(&store, first).await.unwrap(), first);
    let other = open(&stand_in, "log-").await;
    assert_eq!(lineage::ensure(&other, second).await.unwrap(), first);
    assert_eq!(lineage::renew(&other, third).await.unwrap(), Some(first));
    assert_eq!(lineage::current(&store).await.unwrap(), Some(third));
}
