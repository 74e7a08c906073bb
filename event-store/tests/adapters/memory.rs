use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use event_store::contract::{self, Place};
use event_store::{EventStore, ExpectedRevision, LogReader, MemoryEventStore, Position};

use crate::{at, clock, events, stream};

struct InMemory {
    log: Arc<MemoryEventStore>,
    dense: bool,
}

#[async_trait]
impl Place for InMemory {
    async fn open(&self) -> Arc<dyn EventStore> {
        self.log.clone()
    }

    async fn close(&self) {}

    fn dense(&self) -> bool {
        self.dense
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_memory_keeps_the_contract() {
    contract::run(async || InMemory { log: Arc::new(MemoryEventStore::new(clock())), dense: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_in_memory_keeps_the_contract_with_gaps_between_its_positions() {
    contract::run(async || InMemory { log: Arc::new(MemoryEventStore::with_gaps(clock(), 97)), dense: false }).await;
}

#[tokio::test]
async fn only_where_positions_are_numbers_is_a_step_back_reckoned() {
    let at = |number| Position::new(number).unwrap();
    let dense = MemoryEventStore::new(clock());
    assert_eq!((dense.step_back(at(5), 3), dense.step_back(at(5), 9)), (Some(at(2)), Some(Position::START)));
    let with_gaps = MemoryEventStore::with_gaps(clock(), 97);
    with_gaps.append(&stream("note-1"), ExpectedRevision::NoStream, events(3)).await.unwrap();
    assert_eq!(with_gaps.step_back(with_gaps.head().await.unwrap(), 1), None);
    assert!(with_gaps.read_all(at(96), 10).await.is_err(), "nothing is there");
    assert_eq!(with_gaps.read_all(at(97), 10).await.unwrap().len(), 2);
}

#[test]
fn the_log_in_memory_needs_no_runtime_and_never_waits() {
    let store = MemoryEventStore::new(clock());
    let notes = stream("note-1");
    let mut append = pin!(store.append(&notes, ExpectedRevision::NoStream, events(2)));
    let Poll::Ready(answer) = append.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { panic!("it waits") };
    assert_eq!(answer.unwrap().last_position(), *store.appended().borrow());
    let mut read = pin!(store.read_stream(&notes, 0, 10));
    assert!(matches!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(events)) if events.len() == 2));
}

#[tokio::test]
async fn times_do_not_fall_with_the_clock() {
    let now = Arc::new(Mutex::new(at(2_000)));
    let told = now.clone();
    let store = MemoryEventStore::new(Arc::new(move || *told.lock().unwrap()));
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(1)).await.unwrap();
    *now.lock().unwrap() = at(1_000);
    assert_eq!(store.append(&stream("note-2"), ExpectedRevision::NoStream, events(1)).await.unwrap().recorded_at, at(2_000));
}

#[tokio::test]
async fn a_store_can_be_handed_on_as_a_reader() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new(clock()));
    let reader: Arc<dyn LogReader> = store.clone();
    store.append(&stream("note-1"), ExpectedRevision::NoStream, events(3)).await.unwrap();
    assert_eq!(reader.head().await.unwrap().as_i64(), 3);
}
