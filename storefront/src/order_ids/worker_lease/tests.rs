use std::collections::HashSet;

use database::testing::TestDatabase;

use super::*;
use crate::testing::{self, now};

async fn acquire(database: &Database, configured: Option<u16>, at: DateTime<Utc>) -> Result<WorkerLease, OrderIdError> {
    WorkerLease::acquire(database, "host-1", configured, at).await
}

/// The last moment of a lease that began now.
fn last() -> DateTime<Utc> {
    now() + WorkerLease::LIFE
}

fn after() -> DateTime<Utc> {
    last() + TimeDelta::microseconds(1)
}

async fn two_leases_never_share_a_number(test: TestDatabase) {
    let database = testing::migrated(&test).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { acquire(&database, None, now()).await.unwrap().worker() })
        })
        .collect();
    let mut workers = HashSet::new();
    for task in tasks {
        workers.insert(task.await.unwrap());
    }
    assert_eq!(workers, (0..16).collect());
}

async fn of_many_that_ask_for_one_number_one_gets_it(test: TestDatabase) {
    let database = testing::migrated(&test).await;
    // Once for a number that nobody had, once for one whose lease has run out.
    for at in [now(), after()] {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { acquire(&database, Some(7), at).await })
            })
            .collect();
        let mut got = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(lease) => got += i32::from(lease.worker() == 7),
                Err(OrderIdError::WorkerTaken { worker: 7, .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(got, 1);
    }
}

async fn a_lease_that_ran_out_is_taken_over_and_its_ids_are_passed_over(test: TestDatabase) {
    let database = testing::migrated(&test).await;
    let first = acquire(&database, Some(3), now()).await.unwrap();
    let refused = acquire(&database, Some(3), last()).await;
    assert!(matches!(refused, Err(OrderIdError::WorkerTaken { worker: 3, until, .. }) if until == first.until()), "{refused:?}");
    let second = acquire(&database, Some(3), after()).await.unwrap();
    assert_eq!(second.started_after, first.until());
    // The first holder was asleep, or its clock is behind: its ids end before the second's begin.
    let last_of_first = first.sequence().unwrap().next_order_id(first.until());
    let first_of_second = second.sequence().unwrap().next_order_id(now());
    assert!(last_of_first < first_of_second);
    assert_eq!(first.renew(&database, after()).await.unwrap(), None);
    first.release(&database, now()).await.unwrap();
    assert!(second.renew(&database, after()).await.unwrap().is_some());
}

async fn a_renewed_lease_goes_on(test: TestDatabase) {
    let database = testing::migrated(&test).await;
    let lease = acquire(&database, Some(3), now()).await.unwrap();
    let renewed = lease.renew(&database, last()).await.unwrap().unwrap();
    assert_eq!(renewed.until(), last() + WorkerLease::LIFE);
    assert!(matches!(acquire(&database, Some(3), after()).await, Err(OrderIdError::WorkerTaken { .. })));
    // A clock that went back does not make it shorter, nor does a renewal that was overtaken by another.
    for earlier in [&renewed, &lease] {
        assert_eq!(earlier.renew(&database, now()).await.unwrap().unwrap(), renewed);
    }
    // Nobody else took it meanwhile.
    let late = renewed.until() + TimeDelta::days(1);
    assert_eq!(renewed.renew(&database, late).await.unwrap().unwrap().until(), late + WorkerLease::LIFE);
}

async fn a_choice_that_was_overtaken_takes_nothing(test: TestDatabase) {
    let database = testing::migrated(&test).await;
    let lease = acquire(&database, Some(3), now()).await.unwrap();
    for used_until in [None, Some(now()), Some(lease.until())] {
        let claimed = claim(&database, "host-2", Choice { worker: 3, used_until }, now()).await.unwrap();
        assert_eq!(claimed, None, "{used_until:?}");
    }
    assert!(lease.renew(&database, now()).await.unwrap().is_some());
}

async fn a_number_given_back_is_free_at_once(test: TestDatabase) {
    let database = testing::migrated(&test).await;
    let lease = acquire(&database, Some(3), now()).await.unwrap();
    let used_until = now() + TimeDelta::seconds(5);
    lease.release(&database, used_until).await.unwrap();
    let next = acquire(&database, Some(3), now()).await.unwrap();
    assert_eq!((next.started_after, next.until()), (used_until, used_until + WorkerLease::LIFE));
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use super::TestDatabase;
            $(#[tokio::test]
            async fn $name() {
                super::$name(TestDatabase::sqlite()).await;
            })*
        }
        mod postgres {
            use super::TestDatabase;
            $(#[tokio::test]
            async fn $name() {
                super::$name(TestDatabase::postgres().await).await;
            })*
        }
    };
}

on_both!(
    two_leases_never_share_a_number,
    of_many_that_ask_for_one_number_one_gets_it,
    a_lease_that_ran_out_is_taken_over_and_its_ids_are_passed_over,
    a_renewed_lease_goes_on,
    a_choice_that_was_overtaken_takes_nothing,
    a_number_given_back_is_free_at_once,
);

#[tokio::test]
async fn a_configured_number_of_11_bits_is_refused() {
    let test = TestDatabase::sqlite();
    let database = testing::migrated(&test).await;
    assert!(matches!(acquire(&database, Some(1024), now()).await, Err(OrderIdError::InvalidWorker(_))));
    assert_eq!(acquire(&database, Some(1023), now()).await.unwrap().worker(), 1023);
}

fn slot(worker: u16, is_leased: bool, used_until: DateTime<Utc>) -> Slot {
    Slot { worker, holder: String::new(), is_leased, used_until }
}

fn worker(slots: &[Slot]) -> Option<u16> {
    match choose(slots, None, now()) {
        Ok(choice) => Some(choice.worker),
        Err(OrderIdError::NoFreeWorker) => None,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_number_is_chosen_among_those_left_behind_then_the_unused_then_those_of_clocks_ahead() {
    let (past, ahead) = (now() - TimeDelta::seconds(1), now() + TimeDelta::days(1));
    assert_eq!(worker(&[]), Some(0));
    assert_eq!(worker(&[slot(0, true, now()), slot(1, true, past), slot(3, false, past)]), Some(1));
    assert_eq!(worker(&[slot(0, true, ahead), slot(1, false, ahead), slot(3, true, ahead)]), Some(2));
    let mut full: Vec<Slot> = (0..=SnowflakeSequence::MAX_WORKER).map(|worker| slot(worker, true, ahead)).collect();
    assert_eq!(worker(&full), None);
    full[9].is_leased = false;
    assert_eq!(worker(&full), Some(9));
}
