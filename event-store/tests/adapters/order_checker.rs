//! The checker must find fault with what is known to be wrong: first with made-up readings, then with two log designs that are
//! in common use and lose or turn round events.

use database::testing::TestDatabase;
use event_store::contract::{OrderChecker, OrderFault, Seen};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use crate::PATIENCE;

fn seen(position: i64, stream_id: &str, revision: u64) -> Seen {
    Seen { position, stream_id: stream_id.to_owned(), revision }
}

#[test]
fn an_orderly_reading_is_accepted() {
    let whole = [seen(1, "a", 0), seen(2, "b", 0), seen(5, "a", 1)];
    let mut checker = OrderChecker::default();
    checker.observe(whole[..2].iter().cloned()).unwrap();
    checker.observe(whole[2..].iter().cloned()).unwrap();
    assert_eq!(checker.last(), 5);
    checker.finish(whole).unwrap();
}

#[test]
fn each_fault_of_a_reading_is_found() {
    let mut twice = OrderChecker::default();
    assert_eq!(twice.observe([seen(2, "a", 0), seen(2, "b", 0)]), Err(OrderFault::NotRising { position: 2, last: 2 }));
    let mut turned = OrderChecker::default();
    let fault = OrderFault::RevisionOutOfOrder { stream_id: "a".to_owned(), expected: 0, found: 1 };
    assert_eq!(turned.observe([seen(1, "a", 1)]), Err(fault));
    let mut late = OrderChecker::default();
    late.observe([seen(2, "a", 0)]).unwrap();
    assert_eq!(late.finish([seen(1, "b", 0), seen(2, "a", 0)]), Err(OrderFault::Late { position: 1 }));
    let mut gone = OrderChecker::default();
    gone.observe([seen(1, "a", 0)]).unwrap();
    assert_eq!(gone.finish([]), Err(OrderFault::Gone { position: 1 }));
}

const TABLE: &str = "create table wrong (
    transaction_id xid8 not null default pg_current_xact_id(),
    position bigint generated always as identity primary key,
    stream_id text not null,
    revision bigint not null,
    unique (stream_id, revision)
)";

async fn connect(place: &TestDatabase) -> PgConnection {
    PgConnection::connect(place.url_text()).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

async fn read(connection: &mut PgConnection, sql: &'static str) -> Vec<Seen> {
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(sql).fetch_all(connection).await.unwrap();
    rows.into_iter().map(|(position, stream_id, revision)| seen(position, &stream_id, u64::try_from(revision).unwrap())).collect()
}

#[tokio::test]
async fn a_bare_sequence_is_found_to_lose_events() {
    let place = TestDatabase::postgres().await;
    let (mut slow, mut quick, mut reader) = (connect(&place).await, connect(&place).await, connect(&place).await);
    run(&mut reader, TABLE).await;
    run(&mut slow, "begin; insert into wrong (stream_id, revision) values ('a', 0)").await;
    run(&mut quick, "insert into wrong (stream_id, revision) values ('b', 0)").await;

    let mut checker = OrderChecker::default();
    let everything = "select position, stream_id, revision from wrong order by position";
    checker.observe(read(&mut reader, everything).await).unwrap();
    assert_eq!(checker.last(), 2);
    run(&mut slow, "commit").await;
    checker.observe(read(&mut reader, "select position, stream_id, revision from wrong where position > 2").await).unwrap();
    assert_eq!(checker.finish(read(&mut reader, everything).await), Err(OrderFault::Late { position: 1 }));
}

#[tokio::test]
async fn the_order_of_transaction_ids_is_found_to_turn_streams_round() {
    let place = TestDatabase::postgres().await;
    let (mut slow, mut quick, mut reader) = (connect(&place).await, connect(&place).await, connect(&place).await);
    run(&mut reader, TABLE).await;
    // It has its transaction id before it reads and decides, as one that keeps a table in the same transaction has.
    run(&mut slow, "begin; select pg_current_xact_id()").await;
    run(&mut quick, "insert into wrong (stream_id, revision) values ('order-1', 0)").await;
    run(&mut slow, "insert into wrong (stream_id, revision) values ('order-1', 1); commit").await;

    let ordered = "select row_number() over (order by transaction_id, position), stream_id, revision from wrong
                   where transaction_id < pg_snapshot_xmin(pg_current_snapshot()) order by 1";
    // The design's other fault: any write transaction on the whole server, in whatever database, hides what came after it began.
    let deadline = Instant::now() + PATIENCE;
    let mut page = read(&mut reader, ordered).await;
    while page.len() < 2 {
        assert!(Instant::now() < deadline, "{page:?}");
        page = read(&mut reader, ordered).await;
    }
    let fault = OrderFault::RevisionOutOfOrder { stream_id: "order-1".to_owned(), expected: 0, found: 1 };
    assert_eq!(OrderChecker::default().observe(page), Err(fault));
}
