use database::{ConstraintKind, Database, DatabaseError, Insert, Time, Upsert, Value, values};

use crate::{SHELVES, Shelf, on_both};

on_both!(
    rows_are_inserted_and_replaced,
    of_equal_keys_the_last_counts,
    without_columns_a_row_stays,
    a_row_of_another_width_is_refused,
    an_insert_replaces_nothing
);

static SHELF: Upsert = Upsert::new("shelf", &["shelf_id"], &["place", "note", "filled_at", "label"]);
static NEW_SHELF: Insert = Insert::new("shelf", &["shelf_id", "place"]);
static SHELF_KEY: Upsert = Upsert::new("shelf", &["shelf_id"], &[]);

fn row(number: i64, note: &str) -> Vec<Value> {
    values![format!("{number:04}"), number, note, None::<Time>, None::<Vec<u8>>]
}

async fn upsert(database: &Database, rows: &[Vec<Value>]) {
    let mut transaction = database.begin().await.unwrap();
    SHELF.apply(&mut transaction, rows).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn rows_are_inserted_and_replaced(database: &Database) {
    for count in [0_i64, 1, 7, 8, 9, 32, 41, 128, 170, 300] {
        let note = format!("of {count}");
        let rows: Vec<_> = (0..count).map(|number| row(number, &note)).collect();
        upsert(database, &rows).await;
        let found: Vec<Shelf> = database.fetch_all(SHELVES, vec![]).await.unwrap();
        assert_eq!(found.len(), usize::try_from(count).unwrap());
        for (number, shelf) in (0..).zip(found) {
            assert_eq!((shelf.place, shelf.note.as_deref()), (Some(number), Some(note.as_str())));
        }
    }
}

async fn of_equal_keys_the_last_counts(database: &Database) {
    upsert(database, &[row(1, "first"), row(2, "other"), row(1, "last")]).await;
    let notes: Vec<_> = database.fetch_all::<Shelf>(SHELVES, vec![]).await.unwrap().into_iter().map(|shelf| shelf.note.unwrap()).collect();
    assert_eq!(notes, ["last", "other"]);
}

async fn without_columns_a_row_stays(database: &Database) {
    upsert(database, &[row(1, "kept")]).await;
    let mut transaction = database.begin().await.unwrap();
    SHELF_KEY.apply(&mut transaction, &[values!["0001"], values!["0002"]]).await.unwrap();
    transaction.commit().await.unwrap();
    let notes: Vec<_> = database.fetch_all::<Shelf>(SHELVES, vec![]).await.unwrap().into_iter().map(|shelf| shelf.note).collect();
    assert_eq!(notes, [Some("kept".to_owned()), None]);
}

async fn a_row_of_another_width_is_refused(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    let refused = SHELF.apply(&mut transaction, &[values!["a"]]).await;
    assert!(matches!(refused, Err(DatabaseError::Unfit(_))));
}

async fn an_insert_replaces_nothing(database: &Database) {
    let rows = |from: i64| (from..from + 45).map(|number| values![format!("{number:04}"), number]).collect();
    let mut transaction = database.begin().await.unwrap();
    NEW_SHELF.apply(&mut transaction, rows(0)).await.unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    let refused = NEW_SHELF.apply(&mut transaction, rows(44)).await;
    assert!(matches!(refused, Err(DatabaseError::Constraint { kind: ConstraintKind::Unique, .. })), "{refused:?}");
    drop(transaction);
    assert_eq!(database.fetch_all::<Shelf>(SHELVES, vec![]).await.unwrap().len(), 45);
}
