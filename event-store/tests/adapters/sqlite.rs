use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use database::testing::TestDatabase;
use database::{Area, DatabaseError, values};
use event_store::contract::{self, Place};
use event_store::{AppendError, EventStore, ExpectedRevision, LogReader, OpenError, Position, ReadError, SqliteEventStore, lineage};
use uuid::Uuid;

use crate::{at, clock, events, stream};

struct InFile {
    database: TestDatabase,
    opened: Mutex<Option<Arc<SqliteEventStore>>>,
}

#[async_trait]
impl Place for InFile {
    async fn open(&self) -> Arc<dyn EventStore> {
        let store = Arc::new(open(&self.database).await);
        *self.opened.lock().unwrap() = Some(store.clone());
        store
    }

    async fn close(&self) {
        let opened = self.opened.lock().unwrap().take();
        opened.unwrap().shutdown().await;
    }
}

async fn open(database: &TestDatabase) -> SqliteEventStore {
    SqliteEventStore::open(database.url(), clock(), "http://127.0.0.1:8080").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_sqlite_keeps_the_contract() {
    contract::run(async || InFile { database: TestDatabase::sqlite(), opened: Mutex::new(None) }).await;
}

#[tokio::test]
async fn one_process_holds_the_file_and_says_who_it_is() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    let refused = SqliteEventStore::open(place.url(), clock(), "other").await.err();
    assert!(matches!(refused, Some(OpenError::Held { holder }) if holder == "http://127.0.0.1:8080"));
    store.announce("http://127.0.0.1:9").unwrap();
    let refused = SqliteEventStore::open(place.url(), clock(), "other").await.err();
    assert!(matches!(refused, Some(OpenError::Held { holder }) if holder == "http://127.0.0.1:9"));
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    store.shutdown().await;
    assert_eq!(open(&place).await.head().await.unwrap().as_i64(), 1);
}

#[tokio::test]
async fn a_log_keeps_its_lineage_until_it_is_renewed() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    let [first, second, third] = [1, 2, 3].map(Uuid::from_u128);
    assert_eq!(lineage::ensure(&store, first).await.unwrap(), first);
    store.shutdown().await;
    let store = open(&place).await;
    assert_eq!(lineage::ensure(&store, second).await.unwrap(), first);
    assert_eq!(lineage::renew(&store, third).await.unwrap(), Some(first));
    assert_eq!(lineage::current(&store).await.unwrap(), Some(third));
}

#[tokio::test]
async fn the_file_refuses_changes_of_what_has_happened() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(2)).await.unwrap();
    for sql in ["update event set data = '{}' where position = 1", "delete from event where position = 2", "delete from event"] {
        let refused = store.database().execute(sql, vec![]).await;
        assert!(matches!(refused, Err(DatabaseError::Constraint { .. })), "{sql}: {refused:?}");
    }
    assert_eq!(store.read_all(Position::START, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_read_only_log_refuses_and_recovers_by_itself() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    let new = events(2);
    store.database().execute("pragma query_only = on", vec![]).await.unwrap();
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert!(store.ping().await.is_err());
    store.database().execute("pragma query_only = off", vec![]).await.unwrap();
    assert_eq!(store.head().await.unwrap(), Position::START);
    assert_eq!(store.append(&stream("note-1"), ExpectedRevision::NoStream, new).await.unwrap().last_revision, 1);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_writes_nothing_and_is_recovered_from() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    let mut large = events(50);
    for event in &mut large {
        event.data = format!("\"{}\"", "x".repeat(10_000));
    }
    store.database().execute("pragma max_page_count = 1", vec![]).await.unwrap();
    let refused = store.append(&stream("note-2"), ExpectedRevision::NoStream, large.clone()).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.read_all(Position::START, 100).await.unwrap().len(), 1, "nothing is half-done");

    store.database().execute("pragma max_page_count = 1073741823", vec![]).await.unwrap();
    let appended = store.append(&stream("note-2"), ExpectedRevision::NoStream, large).await.unwrap();
    assert_eq!(appended.positions.first(), Position::new(2).as_ref());
    assert_eq!(store.read_all(Position::START, 100).await.unwrap().len(), 51);
}

#[tokio::test]
async fn a_file_locked_by_a_stranger_is_unavailable_until_it_lets_go() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    store.database().execute("pragma busy_timeout = 20", vec![]).await.ok();
    let stranger = place.open(Area::Log).await.unwrap();
    let held = stranger.begin().await.unwrap();
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.head().await.unwrap(), Position::START, "reads go on");
    held.rollback().await.unwrap();
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
}

#[tokio::test]
async fn a_hole_is_told_as_damage() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(3)).await.unwrap();
    for sql in ["drop trigger event_is_not_deleted", "delete from event where position = 2"] {
        store.database().execute(sql, vec![]).await.unwrap();
    }
    store.shutdown().await;
    let store = open(&place).await;
    let damaged = store.read_all(Position::START, 10).await;
    assert!(matches!(damaged, Err(ReadError::Damaged { position: 2, .. })), "{damaged:?}");
    let damaged = store.read_stream(&stream("note-1"), 0, 10).await;
    assert!(matches!(damaged, Err(ReadError::Damaged { position: 3, .. })), "{damaged:?}");
}

#[tokio::test]
async fn times_do_not_fall_with_the_clock_or_a_restart() {
    let place = TestDatabase::sqlite();
    let store = SqliteEventStore::open(place.url(), Arc::new(|| at(2_000)), "").await.unwrap();
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    store.shutdown().await;
    let store = SqliteEventStore::open(place.url(), Arc::new(|| at(1_000)), "").await.unwrap();
    assert_eq!(store.append(&stream("note-2"), ExpectedRevision::NoStream, events(1)).await.unwrap().recorded_at, at(2_000));
}

#[tokio::test]
async fn after_its_end_a_log_refuses_appends() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    store.shutdown().await;
    store.shutdown().await;
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn what_waits_at_the_end_is_written() {
    let place = TestDatabase::sqlite();
    let store = Arc::new(open(&place).await);
    let names: Vec<_> = (0..300).map(|number| stream(&format!("note-{number}"))).collect();
    let tasks: Vec<_> = names
        .iter()
        .map(|name| {
            let (store, name) = (store.clone(), name.clone());
            tokio::spawn(async move { store.append(&name, ExpectedRevision::NoStream, events(2)).await })
        })
        .collect();
    // On one thread each task has handed in its append by the time this one is run again.
    tokio::task::yield_now().await;
    store.shutdown().await;
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(open(&place).await.head().await.unwrap().as_i64(), 600);
}

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let place = TestDatabase::sqlite();
    let store = Arc::new(open(&place).await);
    let stranger = place.open(Area::Log).await.unwrap();
    let held = stranger.begin().await.unwrap();
    let tasks: Vec<_> = (0..6_000)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.append(&stream(&format!("note-{number}")), ExpectedRevision::NoStream, events(1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    held.rollback().await.unwrap();
    let mut busy = 0;
    let mut written = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => written += 1,
            Err(AppendError::Busy) => busy += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(busy >= 1_000, "{busy} of 6,000 were told that the queue is full");
    assert_eq!(store.head().await.unwrap().as_i64(), written);
}

#[tokio::test]
async fn a_stored_value_that_cannot_be_read_is_damage() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    store.database().execute("drop trigger event_is_not_updated", vec![]).await.unwrap();
    store.database().execute("update event set stream_id = $1", values!["a name with blanks"]).await.unwrap();
    store.shutdown().await;
    let store = open(&place).await;
    let damaged = store.read_all(Position::START, 10).await;
    assert!(matches!(damaged, Err(ReadError::Damaged { position: 1, .. })), "{damaged:?}");
}

/// What was read from memory, and what the file says once it is opened anew.
#[tokio::test]
async fn what_was_just_written_is_read_as_it_stands_in_the_file() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    for number in 0..30 {
        store.append(&stream(&format!("note-{number}")), ExpectedRevision::NoStream, events(2)).await.unwrap();
        store.append(&stream(&format!("note-{number}")), ExpectedRevision::Exactly(1), events(1)).await.unwrap();
    }
    let all = store.read_all(Position::START, 1_000).await.unwrap();
    let late = store.read_all(Position::new(70).unwrap(), 5).await.unwrap();
    let one = store.read_stream(&stream("note-7"), 1, 10).await.unwrap();
    store.shutdown().await;
    let store = open(&place).await;
    assert_eq!((all.len(), late.len(), one.len()), (90, 5, 2));
    assert_eq!(store.read_all(Position::START, 1_000).await.unwrap(), all);
    assert_eq!(store.read_all(Position::new(70).unwrap(), 5).await.unwrap(), late);
    assert_eq!(store.read_stream(&stream("note-7"), 1, 10).await.unwrap(), one);
}

/// A stream that the file has and the process has not met: the index finds it, and its caller alone is refused.
#[tokio::test]
async fn a_stream_of_before_the_start_is_not_begun_again() {
    let place = TestDatabase::sqlite();
    let store = open(&place).await;
    let first = events(2);
    store.append(&stream("note-1"), ExpectedRevision::NoStream, first.clone()).await.unwrap();
    store.shutdown().await;
    let store = Arc::new(open(&place).await);
    let append = |name: &str, new| {
        let (store, name) = (store.clone(), stream(name));
        tokio::spawn(async move { store.append(&name, ExpectedRevision::NoStream, new).await })
    };
    let (refused, repeated, written) = (append("note-1", events(1)), append("note-1", first), append("note-2", events(1)));
    let refused = refused.await.unwrap();
    assert!(matches!(refused, Err(AppendError::Conflict { actual: Some(1), .. })), "{refused:?}");
    assert!(repeated.await.unwrap().unwrap().is_repeat);
    assert_eq!(written.await.unwrap().unwrap().positions, [Position::new(3).unwrap()]);
}
