use std::sync::Arc;

use chrono::TimeDelta;
use database::testing::TestDatabase;
use database::{Area, Database};

use super::*;
use crate::LeasedWork;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

async fn sql_leases(place: &TestDatabase) -> SqlLeases {
    let state: Database = place.open(Area::State).await.unwrap();
    state.migrate(&[LEASE_MIGRATION]).await.unwrap();
    SqlLeases::new(state)
}

/// What every adapter promises.
async fn keeps_its_promises(leases: &dyn Leases) {
    let take = |name: &'static str, holder: &'static str, second: i64| async move {
        leases.try_acquire(name, holder, at(second), at(second) + TimeDelta::seconds(10)).await.unwrap()
    };
    assert!(take("attempts", "one", 0).await, "a free lease is taken");
    assert!(!take("attempts", "two", 9).await, "a held lease is refused");
    assert!(take("others", "two", 9).await, "another lease is another matter");
    assert!(take("attempts", "one", 5).await, "its holder prolongs it");
    assert!(!take("attempts", "two", 14).await, "and the longer time counts");
    assert!(take("attempts", "two", 15).await, "at its end anybody takes it");
    assert!(!take("attempts", "one", 16).await, "and the earlier holder has lost it");

    leases.release("attempts", "one").await.unwrap();
    assert!(!take("attempts", "one", 17).await, "who does not hold it cannot give it back");
    leases.release("attempts", "two").await.unwrap();
    assert!(take("attempts", "one", 17).await, "what was given back is free at once");
    leases.release("unheard of", "one").await.unwrap();
}

#[tokio::test]
async fn leases_in_memory_keep_their_promises() {
    keeps_its_promises(&MemoryLeases::default()).await;
}

#[tokio::test]
async fn leases_in_sqlite_keep_their_promises() {
    let place = TestDatabase::sqlite();
    keeps_its_promises(&sql_leases(&place).await).await;
}

#[tokio::test]
async fn leases_in_postgres_keep_their_promises() {
    let place = TestDatabase::postgres().await;
    keeps_its_promises(&sql_leases(&place).await).await;
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_the_lease() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let leases = sql_leases(&place).await;
        let asking: Vec<_> = (0..8)
            .map(|number| {
                let leases = leases.clone();
                tokio::spawn(async move { leases.try_acquire("attempts", &format!("holder {number}"), at(0), at(10)).await.unwrap() })
            })
            .collect();
        let mut holders = 0;
        for asked in asking {
            holders += i32::from(asked.await.unwrap());
        }
        assert_eq!(holders, 1);
    }
}

#[tokio::test]
async fn a_lease_that_is_given_back_at_a_stop_is_anothers_at_once_on_both_stores() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let leases = Arc::new(sql_leases(&place).await);
        let work = |holder: &str| LeasedWork::new(Arc::<SqlLeases>::clone(&leases), "points p07".to_owned(), holder.to_owned());
        let (one, other) = (work("one"), work("other"));
        assert!(one.is_held(at(0)).await.unwrap());
        assert!(!other.is_held(at(1)).await.unwrap());
        other.give_back().await.unwrap();
        assert!(!other.is_held(at(1)).await.unwrap(), "who does not hold it cannot give it back");
        one.give_back().await.unwrap();
        assert!(other.is_held(at(1)).await.unwrap());
        // It comes late, from a process whose lease was taken over.
        one.give_back().await.unwrap();
        assert!(!one.is_held(at(2)).await.unwrap());
        assert!(!work("third").is_held(at(2)).await.unwrap());
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error_and_no_lease() {
    let place = TestDatabase::sqlite();
    let leases = SqlLeases::new(place.open(Area::State).await.unwrap());
    leases.try_acquire("attempts", "one", at(0), at(10)).await.unwrap_err();
}
