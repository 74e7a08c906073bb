use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use database::testing::TestDatabase;
use database::{DatabaseError, DatabaseUrl};
use event_store::contract::{self, OrderChecker, Place, Seen};
use event_store::{
    AppendError, Appended, EventStore, ExpectedRevision, LogReader, NewEvent, OpenError, Position, PostgresEventStore, lineage,
};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::proxy::Proxy;
use crate::{PATIENCE, at, clock, event, events, stream};

struct OnServer {
    database: TestDatabase,
    opened: Mutex<Option<Arc<PostgresEventStore>>>,
}

#[async_trait]
impl Place for OnServer {
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

async fn open(database: &TestDatabase) -> PostgresEventStore {
    PostgresEventStore::open(database.url(), clock()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_postgres_keeps_the_contract() {
    contract::run(async || OnServer { database: TestDatabase::postgres().await, opened: Mutex::new(None) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_one_log() {
    let place = TestDatabase::postgres().await;
    let stores = [Arc::new(open(&place).await), Arc::new(open(&place).await)];
    let reader = tokio::spawn(follow_until(stores[0].clone(), 32 * 30 * 2));
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                for number in 0..30 {
                    // Half of the streams are written by both processes.
                    let name = if writer < 16 { format!("own-{writer}") } else { format!("shared-{}", number % 3) };
                    append_somewhere(&store, &name, events(2)).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let checker = timeout(PATIENCE, reader).await.unwrap().unwrap();
    let everything = stores[1].read_all(Position::START, usize::MAX).await.unwrap();
    checker.finish(everything.iter().map(Seen::from)).unwrap();
    let positions: Vec<i64> = everything.iter().map(|event| event.position.as_i64()).collect();
    assert_eq!(positions, (1..=32 * 30 * 2).collect::<Vec<i64>>(), "no gaps between two processes");
    assert!(everything.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at));
}

async fn append_somewhere(store: &PostgresEventStore, name: &str, new: Vec<NewEvent>) -> Appended {
    let mut expected = ExpectedRevision::NoStream;
    loop {
        match store.append(&stream(name), expected, new.clone()).await {
            Ok(appended) => return appended,
            Err(AppendError::Conflict { actual, .. }) => expected = actual.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exactly),
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn follow_until(store: Arc<PostgresEventStore>, end: i64) -> OrderChecker {
    let mut checker = OrderChecker::default();
    while checker.last() < end {
        let page = store.read_all(Position::new(checker.last()).unwrap(), 100).await.unwrap();
        checker.observe(page.iter().map(Seen::from)).unwrap();
    }
    checker
}

#[tokio::test]
async fn an_append_of_one_process_wakes_the_other() {
    let place = TestDatabase::postgres().await;
    let (one, other) = (open(&place).await, open(&place).await);
    let mut appended = other.appended();
    for number in 1..=3 {
        let written = one.append(&stream(&format!("note-{number}")), ExpectedRevision::NoStream, events(1)).await.unwrap();
        timeout(PATIENCE, appended.wait_for(|position| *position == written.last_position())).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_id_of_another_process_is_taken() {
    let place = TestDatabase::postgres().await;
    let (one, other) = (open(&place).await, open(&place).await);
    let taken = event("taken");
    one.append(&stream("note-1"), ExpectedRevision::NoStream, vec![taken.clone()]).await.unwrap();
    let refused = other.append(&stream("note-2"), ExpectedRevision::NoStream, vec![taken.clone()]).await;
    assert!(matches!(refused, Err(AppendError::Invalid(_))), "{refused:?}");
    let repeat = other.append(&stream("note-1"), ExpectedRevision::NoStream, vec![taken]).await.unwrap();
    assert_eq!(repeat.positions, [Position::new(1).unwrap()]);
}

#[tokio::test]
async fn the_tables_refuse_changes_of_what_has_happened() {
    let place = TestDatabase::postgres().await;
    let store = open(&place).await;
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(2)).await.unwrap();
    for sql in [
        "update event set data = '{}' where position = 1",
        "update event set data = '{}' where position = 100",
        "delete from event where position = 2",
        "truncate event",
    ] {
        let refused = store.database().execute(sql, vec![]).await;
        assert!(matches!(refused, Err(DatabaseError::Constraint { .. })), "{sql}: {refused:?}");
    }
    assert_eq!(store.read_all(Position::START, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_unknown_and_the_repeat_tells() {
    let place = TestDatabase::postgres().await;
    let (proxy, store) = through_proxy(&place).await;
    let new = events(3);
    proxy.swallow_next_answer();
    let lost = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    let repeat = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await.unwrap();
    assert_eq!(repeat.last_revision, 2);
    let kept = store.read_stream(&stream("note-1"), 0, 10).await.unwrap();
    assert_eq!(kept.iter().map(|event| event.position).collect::<Vec<_>>(), repeat.positions);
    assert_eq!(kept.len(), 3, "it is there once");
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_found_again() {
    let place = TestDatabase::postgres().await;
    let (proxy, store) = through_proxy(&place).await;
    store.append(&stream("note-0"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    let mut appended = store.appended();
    proxy.go_down();
    let new = events(2);
    // The first may have been sent over a line that was already dead.
    let lost = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_) | AppendError::Unavailable(_))), "{lost:?}");
    let refused = store.append(&stream("note-1"), ExpectedRevision::NoStream, new.clone()).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert!(store.ping().await.is_err());

    proxy.come_up();
    assert_eq!(store.append(&stream("note-1"), ExpectedRevision::NoStream, new).await.unwrap().last_revision, 1);
    assert_eq!(eventually_head(&store).await.as_i64(), 3);
    // Another process appends; the listener has to have come back too, or the poll behind it.
    let other = open(&place).await;
    let written = other.append(&stream("note-2"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    timeout(PATIENCE, appended.wait_for(|position| *position == written.last_position())).await.unwrap().unwrap();
}

async fn eventually_head(store: &PostgresEventStore) -> Position {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.head().await {
            Ok(head) => return head,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_terminated_writer_connection_is_replaced() {
    let place = TestDatabase::postgres().await;
    let store = open(&place).await;
    for round in 0..3 {
        let name = format!("note-{round}");
        store.append(&stream(&name), ExpectedRevision::NoStream, events(1)).await.unwrap();
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()";
        let _ = store.database().fetch_one::<(i64,)>(cut, vec![]).await;
        let new = events(1);
        let deadline = Instant::now() + PATIENCE;
        let appended = loop {
            match store.append(&stream(&name), ExpectedRevision::Exactly(0), new.clone()).await {
                Ok(appended) => break appended,
                Err(AppendError::Unknown(_) | AppendError::Unavailable(_)) => assert!(Instant::now() < deadline),
                Err(error) => panic!("{error:?}"),
            }
        };
        assert_eq!(appended.last_revision, 1);
    }
    assert_eq!(eventually_head(&store).await.as_i64(), 6);
}

/// A store that reaches its server through a proxy, unencrypted so that the proxy may look.
async fn through_proxy(place: &TestDatabase) -> (Proxy, PostgresEventStore) {
    let text = place.url_text();
    let (scheme, rest) = text.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, server) = authority.rsplit_once('@').unwrap();
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    let proxy = Proxy::start(server).await;
    let mark = if path.contains('?') { '&' } else { '?' };
    let url = format!("{scheme}://{user}@127.0.0.1:{}/{path}{mark}sslmode=disable", proxy.port());
    let store = PostgresEventStore::open(&DatabaseUrl::parse(&url).unwrap(), clock()).await.unwrap();
    (proxy, store)
}

#[tokio::test]
async fn times_do_not_fall_between_processes_with_other_clocks() {
    let place = TestDatabase::postgres().await;
    let ahead = PostgresEventStore::open(place.url(), Arc::new(|| at(2_000))).await.unwrap();
    let behind = PostgresEventStore::open(place.url(), Arc::new(|| at(1_000))).await.unwrap();
    ahead.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    assert_eq!(behind.append(&stream("note-2"), ExpectedRevision::NoStream, events(1)).await.unwrap().recorded_at, at(2_000));
}

#[tokio::test]
async fn two_that_open_a_new_log_at_once_agree_on_its_lineage() {
    let place = TestDatabase::postgres().await;
    let (one, two) = tokio::join!(open(&place), open(&place));
    let [first, second] = [1, 2].map(Uuid::from_u128);
    let (one, two) = tokio::join!(lineage::ensure(&one, first), lineage::ensure(&two, second));
    assert_eq!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn a_log_in_postgres_wants_a_postgres() {
    let place = TestDatabase::sqlite();
    let refused = PostgresEventStore::open(place.url(), clock()).await.err();
    assert!(matches!(refused, Some(OpenError::BadUrl(_))), "{refused:?}");
}

#[tokio::test]
async fn the_last_revision_is_found_by_the_index_even_when_the_plan_was_made_on_an_empty_log() {
    let place = TestDatabase::postgres().await;
    let store = open(&place).await;
    for number in 0..40 {
        let expected = if number == 0 { ExpectedRevision::NoStream } else { ExpectedRevision::Exactly(number * 500 - 1) };
        store.append(&stream("long"), expected, events(500)).await.unwrap();
    }
    let scans = "select coalesce(sum(seq_tup_read), 0)::bigint from pg_stat_user_tables where relname = 'event'";
    let flush = "select count(*) from (select pg_stat_force_next_flush()) as flushed";
    store.database().fetch_all::<(i64,)>(flush, vec![]).await.unwrap();
    let (read,): (i64,) = store.database().fetch_one(scans, vec![]).await.unwrap();
    assert!(read < 20_000, "{read} rows were read by scanning the whole log");
}
