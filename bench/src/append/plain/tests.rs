use std::sync::Arc;
use std::time::Duration;

use database::{Area, Database, DatabaseUrl, PoolOptions};
use event_store::{ExpectedRevision, LogReader, Position, PostgresEventStore, RecordedEvent, SqliteEventStore, StreamId};

use super::{PlainPostgres, PlainSqlite};
use crate::append::load::{Appender, drive, event};
use crate::append::pair::{clock, make_tables};
use crate::postgres::PostgresServer;

/// The baseline does the whole work, or a comparison with it means nothing: what it has written is a log without gaps that our
/// own store reads, whole lives in each stream but the last of each caller.
fn assert_is_a_log(log: &[RecordedEvent], appends: u64) {
    let positions: Vec<i64> = log.iter().map(|event| event.position.as_i64()).collect();
    assert_eq!(positions, (1..).take(log.len()).collect::<Vec<i64>>());
    assert_eq!(log.len() as u64, appends);
    assert!(log.iter().any(|event| event.revision == 2 && event.event_type == "PaymentConfirmed"));
}

async fn assert_conflicts_are_refused(plain: &dyn Appender) {
    let stream_id = StreamId::parse("order-1").unwrap();
    let append = async |expected| plain.append(&stream_id, expected, event("OrderCreated", "1")).await.is_ok();
    assert!(!append(ExpectedRevision::Exactly(0)).await);
    assert!(append(ExpectedRevision::NoStream).await);
    assert!(!append(ExpectedRevision::NoStream).await);
    assert!(append(ExpectedRevision::Exactly(0)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_baseline_on_sqlite_writes_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let url = DatabaseUrl::sqlite(&path);
    make_tables(&url).await.unwrap();
    let plain = Arc::new(PlainSqlite::open(&path, clock()).await.unwrap());
    assert_conflicts_are_refused(plain.as_ref()).await;
    let round = drive(&(Arc::clone(&plain) as _), 8, Duration::from_millis(300)).await.unwrap();
    plain.close().await.unwrap();
    let store = SqliteEventStore::open(&url, clock(), "test").await.unwrap();
    assert_is_a_log(&store.read_all(Position::START, usize::MAX).await.unwrap(), round.latencies.count() + 2);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_baseline_on_postgres_writes_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = PostgresServer::start(folder.path()).await.unwrap();
    let url = server.database("plain").await.unwrap();
    make_tables(&DatabaseUrl::parse(&url).unwrap()).await.unwrap();
    let plain = Arc::new(PlainPostgres::open(&url, 4, clock()).await.unwrap());
    assert_conflicts_are_refused(plain.as_ref()).await;
    let round = drive(&(Arc::clone(&plain) as _), 8, Duration::from_millis(300)).await.unwrap();
    plain.close().await.unwrap();
    let store = PostgresEventStore::open(&DatabaseUrl::parse(&url).unwrap(), clock()).await.unwrap();
    assert_is_a_log(&store.read_all(Position::START, usize::MAX).await.unwrap(), round.latencies.count() + 2);
    assert!(server.settings().await.unwrap().ends_with("fsync on, synchronous_commit on"));
    store.shutdown().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_baseline_on_sqlite_has_the_settings_of_our_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let database = Database::open(&DatabaseUrl::sqlite(&path), Area::Log, &PoolOptions::default()).await.unwrap();
    let plain = PlainSqlite::open(&path, clock()).await.unwrap();
    for pragma in ["pragma synchronous", "pragma foreign_keys", "pragma wal_autocheckpoint", "pragma cache_size", "pragma mmap_size"] {
        let ours: Vec<(i64,)> = database.fetch_all(pragma, Vec::new()).await.unwrap();
        let theirs: Vec<(i64,)> = sqlx::query_as(pragma).fetch_all(&mut *plain.connections.take().await.unwrap()).await.unwrap();
        assert_eq!(ours, theirs, "{pragma}");
    }
    assert!(plain.settings().await.unwrap().contains("journal wal, synchronous 2"));
    database.close().await;
    plain.close().await.unwrap();
}
