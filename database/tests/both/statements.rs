use chrono::DateTime;
use database::{Database, DatabaseError, KeyedSelect, Time, Value, values};

use crate::{SHELVES, Shelf, on_both};

on_both!(
    what_is_written_is_read,
    missing_values_are_read_as_missing,
    times_keep_their_microseconds,
    returning_is_answered_from_the_writer,
    one_row_is_demanded_or_optional,
    rows_are_found_by_many_keys,
    parameters_may_come_in_any_order_and_twice,
    a_read_cannot_write,
);

async fn insert(database: &Database, shelf_id: &str, place: i64) {
    database.execute("insert into shelf (shelf_id, place) values ($1, $2)", values![shelf_id, place]).await.unwrap();
}

async fn what_is_written_is_read(database: &Database) {
    let filled_at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
    let touched = database
        .execute(
            "insert into shelf (shelf_id, place, note, filled_at, label) values ($1, $2, $3, $4, $5)",
            values!["上架", 7_i64, "two\nlines", filled_at, vec![0_u8, 255]],
        )
        .await
        .unwrap();
    assert_eq!(touched, 1);
    let expected = Shelf {
        shelf_id: "上架".to_owned(),
        place: Some(7),
        note: Some("two\nlines".to_owned()),
        filled_at: Some(Time(filled_at)),
        label: Some(vec![0, 255]),
    };
    assert_eq!(database.fetch_all::<Shelf>(SHELVES, vec![]).await.unwrap(), vec![expected]);
}

async fn missing_values_are_read_as_missing(database: &Database) {
    let nothing = values!["a", None::<i64>, None::<String>, None::<Time>, None::<Vec<u8>>];
    database.execute("insert into shelf (shelf_id, place, note, filled_at, label) values ($1, $2, $3, $4, $5)", nothing).await.unwrap();
    let shelf: Shelf = database.fetch_one(SHELVES, vec![]).await.unwrap();
    assert_eq!(shelf, Shelf { shelf_id: "a".to_owned(), place: None, note: None, filled_at: None, label: None });
}

async fn times_keep_their_microseconds(database: &Database) {
    let cases = ["1969-12-31T23:59:59.999999Z", "1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z", "2106-02-07T06:28:16.000001Z"];
    for text in cases {
        let time: DateTime<chrono::Utc> = text.parse().unwrap();
        let sql = "insert into shelf (shelf_id, filled_at) values ($1, $2)
                   on conflict (shelf_id) do update set filled_at = excluded.filled_at returning filled_at";
        let (back,): (Time,) = database.fetch_one(sql, values!["a", time]).await.unwrap();
        assert_eq!(back.0, time);
        let found: Vec<(String,)> =
            database.fetch_all("select shelf_id from shelf where filled_at >= $1 and filled_at <= $1", values![Time(time)]).await.unwrap();
        assert_eq!(found.len(), 1, "{text}");
    }
    let finer = DateTime::from_timestamp(5, 1_999).unwrap();
    assert_eq!(Time::from(finer).0, DateTime::from_timestamp(5, 1_000).unwrap());
}

async fn returning_is_answered_from_the_writer(database: &Database) {
    let sql = "insert into shelf (shelf_id, place) values ($1, $2) on conflict (shelf_id) do nothing returning shelf_id";
    let first: Option<(String,)> = database.fetch_optional(sql, values!["a", 1_i64]).await.unwrap();
    let again: Option<(String,)> = database.fetch_optional(sql, values!["a", 1_i64]).await.unwrap();
    assert_eq!((first, again), (Some(("a".to_owned(),)), None));
    assert_eq!(database.fetch_all::<Shelf>(SHELVES, vec![]).await.unwrap().len(), 1);
}

async fn one_row_is_demanded_or_optional(database: &Database) {
    let sql = "select shelf_id from shelf where shelf_id = $1";
    assert!(matches!(database.fetch_one::<(String,)>(sql, values!["a"]).await, Err(DatabaseError::NoRow)));
    assert_eq!(database.fetch_optional::<(String,)>(sql, values!["a"]).await.unwrap(), None);
    insert(database, "a", 1).await;
    assert_eq!(database.fetch_one::<(String,)>(sql, values!["a"]).await.unwrap().0, "a");
}

async fn rows_are_found_by_many_keys(database: &Database) {
    static BY_ID: KeyedSelect = KeyedSelect::new("select shelf_id from shelf where shelf_id", "order by shelf_id");
    for place in 0..300 {
        insert(database, &format!("{place:03}"), place).await;
    }
    for wanted in [0_usize, 1, 2, 8, 9, 64, 65, 256, 257, 300] {
        let keys: Vec<String> = (0..wanted).map(|place| format!("{place:03}")).collect();
        let mut found: Vec<String> =
            database.fetch_by_keys::<(String,)>(&BY_ID, &keys).await.unwrap().into_iter().map(|row| row.0).collect();
        found.sort();
        assert_eq!(found, keys);
    }
    let mut transaction = database.begin().await.unwrap();
    let unknown = ["none".to_owned(), "007".to_owned()];
    assert_eq!(transaction.fetch_by_keys::<(String,)>(&BY_ID, &unknown).await.unwrap(), vec![("007".to_owned(),)]);
}

async fn parameters_may_come_in_any_order_and_twice(database: &Database) {
    insert(database, "a", 1).await;
    let sql = "select shelf_id, place from shelf where place = $2 and shelf_id = $1 and place <= $2";
    let found: Option<(String, i64)> = database.fetch_optional(sql, vec![Value::from("a"), Value::from(1_i64)]).await.unwrap();
    assert_eq!(found, Some(("a".to_owned(), 1)));
}

async fn a_read_cannot_write(database: &Database) {
    let sql =
        "with gone as (select shelf_id from shelf) delete from shelf where shelf_id in (select shelf_id from gone) returning shelf_id";
    insert(database, "a", 1).await;
    let answer = database.fetch_all::<(String,)>(sql, vec![]).await;
    match database.backend() {
        database::Backend::Sqlite => assert!(matches!(answer, Err(DatabaseError::ReadOnly(_))), "{answer:?}"),
        database::Backend::Postgres => assert_eq!(answer.unwrap().len(), 1),
    }
}
