use std::time::Duration;

use database::testing::TestDatabase;
use database::{Area, Backend, Database, DatabaseError, DatabaseUrl, PoolOptions, values};

use crate::tables;

#[test]
fn an_address_hides_its_password() {
    let url = DatabaseUrl::parse("postgres://shop:s3cret@db.example:5433/pay?sslmode=require").unwrap();
    for shown in [format!("{url:?}"), url.to_string()] {
        assert_eq!(shown, "postgres://shop:***@db.example:5433/pay");
    }
    assert_eq!(DatabaseUrl::parse("sqlite:data/log.db").unwrap().to_string(), "sqlite:data/log.db");
    assert_eq!(DatabaseUrl::parse("sqlite:///var/log.db").unwrap().to_string(), "sqlite:/var/log.db");
}

#[test]
fn other_addresses_are_refused_and_not_repeated() {
    for bad in ["", "mysql://s3cret@x", "sqlite:", "sqlite::memory:", "sqlite:a.db?mode=ro", "postgres://s3cret:s3cret@[", "log.db"] {
        match DatabaseUrl::parse(bad) {
            Err(error @ DatabaseError::BadUrl(_)) => assert!(!format!("{error} {error:?}").contains("s3cret")),
            other => panic!("{bad}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_sqlite_file_and_its_folder_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some/data/state.db");
    let database = Database::open(&DatabaseUrl::sqlite(&path), Area::State, &PoolOptions::default()).await.unwrap();
    assert_eq!(database.backend(), Backend::Sqlite);
    assert!(path.exists());
}

#[tokio::test]
async fn only_views_may_lose_their_last_commits() {
    let folder = tempfile::tempdir().unwrap();
    for (area, synchronous) in [(Area::Log, 2), (Area::State, 2), (Area::Sandbox, 2), (Area::Views, 1)] {
        let url = DatabaseUrl::sqlite(folder.path().join(area.schema()));
        let database = Database::open(&url, area, &PoolOptions::default()).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        assert_eq!(transaction.fetch_one::<(i64,)>("pragma synchronous", vec![]).await.unwrap(), (synchronous,));
        assert_eq!(transaction.fetch_one::<(String,)>("pragma journal_mode", vec![]).await.unwrap().0, "wal");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    std::fs::write(&path, "this is a long enough text to be anything but a database file, is it not? ".repeat(20)).unwrap();
    assert!(Database::open(&DatabaseUrl::sqlite(&path), Area::State, &PoolOptions::default()).await.is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = DatabaseUrl::parse(&format!("postgres://nobody@127.0.0.1:{port}/none")).unwrap();
    let options = PoolOptions { acquire_timeout: Duration::from_secs(1), ..PoolOptions::default() };
    assert!(matches!(Database::open(&url, Area::Log, &options).await, Err(DatabaseError::Unavailable(_))));
}

#[tokio::test]
async fn sqlite_held_by_another_is_busy_and_then_free() {
    let place = TestDatabase::sqlite();
    let (one, two) = (tables(&place).await, place.open(Area::Views).await.unwrap());
    let mut holder = one.begin().await.unwrap();
    holder.execute("insert into shelf (shelf_id) values ($1)", values!["a"]).await.unwrap();
    let refused = two.begin().await;
    assert!(matches!(refused, Err(DatabaseError::Busy(_))), "{refused:?}");
    holder.commit().await.unwrap();
    two.begin().await.unwrap().commit().await.unwrap();
    two.ping().await.unwrap();
}

#[tokio::test]
async fn a_full_sqlite_is_full_and_recovers_by_itself() {
    let place = TestDatabase::sqlite();
    let database = tables(&place).await;
    database.execute("insert into shelf (shelf_id) values ($1)", values!["before"]).await.unwrap();
    let pages: (i64,) = database.fetch_one("select page_count from pragma_page_count", vec![]).await.unwrap();
    let limit = |pages: i64| if pages == 0 { "pragma max_page_count = 1073741823" } else { "pragma max_page_count = 1" };
    database.execute(limit(1), vec![]).await.unwrap();
    assert!(pages.0 > 1);

    let large = "x".repeat(1_000_000);
    let mut transaction = database.begin().await.unwrap();
    let refused = transaction.execute("insert into shelf (shelf_id, note) values ($1, $2)", values!["large", large.as_str()]).await;
    assert!(matches!(refused, Err(DatabaseError::Full(_))), "{refused:?}");
    drop(transaction);

    database.execute(limit(0), vec![]).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute("insert into shelf (shelf_id, note) values ($1, $2)", values!["after", large.as_str()]).await.unwrap();
    transaction.commit().await.unwrap();
    database.ping().await.unwrap();
    let kept: Vec<(String,)> = database.fetch_all("select shelf_id from shelf order by shelf_id", vec![]).await.unwrap();
    assert_eq!(kept, [("after".to_owned(),), ("before".to_owned(),)]);
}

#[tokio::test]
async fn a_postgres_connection_that_was_cut_is_replaced() {
    let place = TestDatabase::postgres().await;
    let database = tables(&place).await;
    database.execute("insert into shelf (shelf_id) values ($1)", values!["a"]).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    let other = place.open(Area::State).await.unwrap();
    let cut = "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()) as cut";
    other.fetch_one::<(i64,)>(cut, vec![]).await.unwrap();
    let lost = transaction.execute("insert into shelf (shelf_id) values ($1)", values!["b"]).await;
    assert!(matches!(lost, Err(DatabaseError::Unavailable(_))), "{lost:?}");
    drop(transaction);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while database.execute("insert into shelf (shelf_id) values ($1) on conflict do nothing", values!["c"]).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the pool found no new connection");
    }
    assert_eq!(database.fetch_one::<(i64,)>("select count(*) from shelf", vec![]).await.unwrap(), (2,));
}

#[tokio::test]
async fn a_read_only_postgres_is_not_ready() {
    let place = TestDatabase::postgres().await;
    let database = tables(&place).await;
    database.ping().await.unwrap();
    let reader = DatabaseUrl::parse(&format!("{}?options=-c%20default_transaction_read_only%3Don", place.url_text())).unwrap();
    let reader = Database::open(&reader, Area::Views, &PoolOptions::default()).await.unwrap();
    assert!(matches!(reader.ping().await, Err(DatabaseError::Unfit(_))));
    let refused = reader.execute("insert into shelf (shelf_id) values ($1)", values!["a"]).await;
    assert!(matches!(refused, Err(DatabaseError::ReadOnly(_))), "{refused:?}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_on_postgres_is_stopped() {
    let place = TestDatabase::postgres().await;
    let options = PoolOptions { statement_timeout: Duration::from_millis(50), ..PoolOptions::default() };
    let database = Database::open(place.url(), Area::Views, &options).await.unwrap();
    let stopped = database.fetch_all::<(i64,)>("select count(*) from generate_series(1, 100000000)", vec![]).await;
    assert!(matches!(stopped, Err(DatabaseError::Unavailable(_))), "{stopped:?}");
}

#[tokio::test]
async fn a_postgres_that_would_lose_commits_is_refused() {
    let place = TestDatabase::postgres().await;
    let careless = DatabaseUrl::parse(&format!("{}?options=-c%20synchronous_commit%3Doff", place.url_text())).unwrap();
    let refused = Database::open(&careless, Area::Log, &PoolOptions::default()).await;
    assert!(matches!(refused, Err(DatabaseError::Unfit(_))), "{refused:?}");
}

#[tokio::test]
async fn waits_see_what_was_committed_meanwhile_whatever_the_server_prefers() {
    let place = TestDatabase::postgres().await;
    let strict = DatabaseUrl::parse(&format!("{}?options=-c%20default_transaction_isolation%3Dserializable", place.url_text())).unwrap();
    let database = Database::open(&strict, Area::Log, &PoolOptions::default()).await.unwrap();
    let isolation: (String,) = database.fetch_one("select current_setting('transaction_isolation')", vec![]).await.unwrap();
    assert_eq!(isolation.0, "read committed");
}
