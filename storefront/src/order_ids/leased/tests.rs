use std::collections::HashSet;
use std::sync::Arc;

use chassis::clock::ManualClock;
use chrono::TimeDelta;
use database::testing::TestDatabase;

use super::*;
use crate::testing::{self, now};

async fn leased(database: &Database, configured: Option<u16>) -> LeasedIds {
    LeasedIds::acquire(database.clone(), "host-1", configured, now()).await.unwrap()
}

#[tokio::test]
async fn two_processes_give_out_no_number_twice() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let (one, two) = (leased(&database, None).await, leased(&database, None).await);
    let mut seen = HashSet::new();
    for step in 0..500 {
        let at = now() + TimeDelta::microseconds(step * 100);
        for ids in [&one, &two] {
            assert!(seen.insert(ids.next_order_id(at).await.unwrap().to_string()));
            assert!(seen.insert(ids.next_selection_id(at).await.unwrap().to_string()));
        }
    }
}

#[tokio::test]
async fn a_leap_of_the_clock_takes_the_lease_up_again() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let ids = leased(&database, Some(5)).await;
    let before = ids.next_order_id(now()).await.unwrap();
    let later = now() + TimeDelta::hours(3);
    let after = ids.next_order_id(later).await.unwrap();
    assert!(before < after);
    assert_eq!((ids.lease().worker(), ids.lease().until()), (5, later + WorkerLease::LIFE));
    assert!(ids.next_order_id(now()).await.unwrap() > after);
}

#[tokio::test]
async fn more_ids_than_a_lease_has_left_make_it_longer() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let ids = leased(&database, None).await;
    let end = ids.lease().until();
    let mut seen = HashSet::new();
    for _ in 0..10_000 {
        assert!(seen.insert(ids.next_order_id(end).await.unwrap()));
    }
    assert_eq!(ids.lease().until(), end + WorkerLease::LIFE);
}

#[tokio::test]
async fn a_number_that_went_to_another_process_is_not_used_any_more() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let sleeper = leased(&database, None).await;
    let first = sleeper.next_order_id(now()).await.unwrap();
    let later = now() + TimeDelta::hours(1);
    let taker = LeasedIds::acquire(database.clone(), "host-2", None, later).await.unwrap();
    assert_eq!(taker.lease().worker(), sleeper.lease().worker());
    let (of_taker, of_sleeper) = (taker.next_order_id(later).await.unwrap(), sleeper.next_order_id(later).await.unwrap());
    assert_ne!(taker.lease().worker(), sleeper.lease().worker());
    assert!(first < of_taker && first < of_sleeper && of_taker != of_sleeper);
}

#[tokio::test]
async fn a_configured_number_that_went_to_another_process_stops_the_ids() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let sleeper = leased(&database, Some(5)).await;
    let later = now() + TimeDelta::hours(1);
    let taker = LeasedIds::acquire(database.clone(), "host-2", Some(5), later).await.unwrap();
    let refused = sleeper.next_order_id(later).await;
    assert!(matches!(&refused, Err(OrderIdError::WorkerTaken { worker: 5, holder, .. }) if holder == "host-2"), "{refused:?}");
    // What lies within its own lease is its own.
    let (of_sleeper, of_taker) = (sleeper.next_order_id(now()).await.unwrap(), taker.next_order_id(now()).await.unwrap());
    assert!(of_sleeper < of_taker);
}

#[tokio::test]
async fn without_the_store_ids_go_on_until_the_lease_ends() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let ids = leased(&database, None).await;
    database.close().await;
    let end = ids.lease().until();
    assert!(ids.next_order_id(end).await.is_ok());
    let refused = ids.next_order_id(end + TimeDelta::microseconds(1)).await;
    assert!(matches!(&refused, Err(OrderIdError::Failed(error)) if error.is_temporary()), "{refused:?}");
}

#[tokio::test]
async fn a_running_process_keeps_its_lease_and_shutting_down_gives_it_back() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    let ids = Arc::new(leased(&database, Some(5)).await);
    let last = ids.next_order_id(now()).await.unwrap();
    let (clock, shutdown) = (Arc::new(ManualClock::new(now())), Shutdown::new());
    let running = tokio::spawn({
        let (ids, clock, shutdown) = (Arc::clone(&ids), Arc::clone(&clock), shutdown.clone());
        async move { ids.run_every(Duration::from_millis(1), clock.as_ref(), &shutdown).await }
    });
    clock.advance(TimeDelta::seconds(59));
    let renewed = clock.now() + WorkerLease::LIFE;
    let kept = async {
        while ids.lease().until() < renewed {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.unwrap();
    shutdown.trigger();
    running.await.unwrap();
    let next = leased(&database, Some(5)).await;
    assert!(next.next_order_id(now()).await.unwrap() > last);
    assert!(matches!(ids.next_order_id(now() + TimeDelta::seconds(1)).await, Err(OrderIdError::WorkerTaken { .. })));
}
