use std::time::Duration;

use database::{ConstraintKind, Database, DatabaseError, values};

use crate::on_both;

on_both!(
    a_commit_keeps_all,
    a_dropped_transaction_keeps_nothing,
    a_rolled_back_transaction_keeps_nothing,
    after_a_failed_statement_nothing_is_kept,
    after_a_dropped_statement_nothing_is_kept,
    a_refused_row_names_its_constraint,
    a_missing_row_does_not_end_the_transaction,
    fifty_transactions_at_once_all_count,
    what_its_first_statement_begins_is_whole_or_nothing,
    abandoned_transactions_hold_up_nobody,
);

const INSERT: &str = "insert into shelf (shelf_id, place) values ($1, $2)";

async fn count(database: &Database) -> i64 {
    database.fetch_one::<(i64,)>("select count(*) from shelf", vec![]).await.unwrap().0
}

async fn a_commit_keeps_all(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    transaction.execute(INSERT, values!["b", 2_i64]).await.unwrap();
    assert_eq!(transaction.fetch_one::<(i64,)>("select count(*) from shelf", vec![]).await.unwrap(), (2,));
    assert_eq!(count(database).await, 0, "what is not committed is not read");
    transaction.commit().await.unwrap();
    assert_eq!(count(database).await, 2);
}

async fn a_dropped_transaction_keeps_nothing(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    drop(transaction);
    database.execute(INSERT, values!["b", 1_i64]).await.unwrap();
    assert_eq!(count(database).await, 1);
}

async fn a_rolled_back_transaction_keeps_nothing(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(count(database).await, 0);
}

async fn after_a_failed_statement_nothing_is_kept(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    assert!(transaction.execute(INSERT, values!["a", 2_i64]).await.is_err());
    assert!(matches!(transaction.execute(INSERT, values!["b", 2_i64]).await, Err(DatabaseError::TransactionFailed)));
    assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed)));
    assert_eq!(count(database).await, 0);
}

async fn after_a_dropped_statement_nothing_is_kept(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    // The first poll hands the statement over, the second never comes.
    let dropped = tokio::time::timeout(Duration::ZERO, transaction.execute(INSERT, values!["b", 2_i64])).await;
    if dropped.is_err() {
        assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed)));
        assert_eq!(count(database).await, 0);
    } else {
        transaction.commit().await.unwrap();
        assert_eq!(count(database).await, 2);
    }
}

async fn a_refused_row_names_its_constraint(database: &Database) {
    database.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    for (row, expected) in [
        (values!["a", 1_i64], ConstraintKind::Unique),
        (values!["b", -1_i64], ConstraintKind::Check),
        (values![None::<String>, 1_i64], ConstraintKind::NotNull),
    ] {
        match database.execute(INSERT, row).await {
            Err(DatabaseError::Constraint { kind, source, .. }) => {
                assert_eq!(kind, expected);
                assert!(!format!("{source:?}").contains("Key ("), "the detail repeats values: {source:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn a_missing_row_does_not_end_the_transaction(database: &Database) {
    let mut transaction = database.begin().await.unwrap();
    let missing = transaction.fetch_one::<(String,)>("select shelf_id from shelf", vec![]).await;
    assert!(matches!(missing, Err(DatabaseError::NoRow)));
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(count(database).await, 1);
}

async fn fifty_transactions_at_once_all_count(database: &Database) {
    database.execute(INSERT, values!["a", 0_i64]).await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                let mut transaction = database.begin().await?;
                transaction.execute("update shelf set place = place + 1 where shelf_id = $1", values!["a"]).await?;
                transaction.commit().await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(database.fetch_one::<(i64,)>("select place from shelf", vec![]).await.unwrap(), (50,));
}

async fn what_its_first_statement_begins_is_whole_or_nothing(database: &Database) {
    database.execute(INSERT, values!["before", 1_i64]).await.unwrap();
    let mut transaction = database.begin_with_first().await.unwrap();
    assert_eq!(transaction.execute("update shelf set place = 2 where place = 9", vec![]).await.unwrap(), 0, "none is touched");
    transaction.execute(INSERT, values!["a", 1_i64]).await.unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = database.begin_with_first().await.unwrap();
    assert_eq!(transaction.execute(INSERT, values!["b", 1_i64]).await.unwrap(), 1);
    drop(transaction);
    let mut transaction = database.begin_with_first().await.unwrap();
    assert_eq!(transaction.fetch_one::<(i64,)>("select count(*) from shelf", vec![]).await.unwrap(), (2,));
    transaction.execute(INSERT, values!["c", 1_i64]).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = database.begin_with_first().await.unwrap();
    assert!(transaction.execute(INSERT, values!["a", 1_i64]).await.is_err());
    assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed)));
    database.begin_with_first().await.unwrap().commit().await.unwrap();
    database.begin().await.unwrap().commit().await.unwrap();
    database.begin_with_first().await.unwrap().rollback().await.unwrap();
    assert_eq!(count(database).await, 2);
}

async fn abandoned_transactions_hold_up_nobody(database: &Database) {
    for number in 0..20 {
        let mut transaction = if number % 2 == 0 { database.begin().await.unwrap() } else { database.begin_with_first().await.unwrap() };
        drop(tokio::time::timeout(Duration::ZERO, transaction.execute(INSERT, values!["lost", 1_i64])).await);
        drop(transaction);
        drop(tokio::time::timeout(Duration::ZERO, database.fetch_all::<(i64,)>("select count(*) from shelf", vec![])).await);
    }
    database.execute(INSERT, values!["kept", 1_i64]).await.unwrap();
    assert_eq!(count(database).await, 1);
    database.ping().await.unwrap();
}
