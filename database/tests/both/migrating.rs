use database::testing::TestDatabase;
use database::{Area, DatabaseError, Migration, Schema};

const FIRST: Migration =
    Migration { version: 1, name: "first", sqlite: "create table one (a text)", postgres: "create table one (a text)" };
const SECOND: Migration = Migration {
    version: 2,
    name: "second",
    sqlite: "create table two (a text); create table three (a text)",
    postgres: "create table two (a text); create table three (a text)",
};
const BROKEN: Migration = Migration {
    version: 2,
    name: "broken",
    sqlite: "create table two (a text); create nonsense",
    postgres: "create table two (a text); create nonsense",
};
const ALTERED: Migration = Migration { sqlite: "create table one (b text)", postgres: "create table one (b text)", ..FIRST };

async fn tables_are_brought_forward_once(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    database.migrate(&[FIRST]).await.unwrap();
    database.migrate(&[SECOND, FIRST]).await.unwrap();
    database.migrate(&[FIRST, SECOND]).await.unwrap();
    database.execute("insert into three (a) values ('x')", vec![]).await.unwrap();
    let steps: Vec<(i64, String)> =
        database.fetch_all("select version, name from schema_migration order by version", vec![]).await.unwrap();
    assert_eq!(steps, [(1, "first".to_owned()), (2, "second".to_owned())]);
}

async fn an_older_program_goes_on_beside_what_was_added(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    assert_eq!(database.migrate(&[FIRST, SECOND]).await.unwrap(), Schema::Current);
    for found in [database.migrate(&[FIRST]).await, database.check_schema(&[FIRST]).await] {
        assert_eq!(found.unwrap(), Schema::Newer { found: 2, known: 1 });
    }
    assert!(matches!(database.migrate(&[ALTERED]).await, Err(DatabaseError::MigrationChanged { version: 1 })));
}

async fn an_older_program_is_refused_where_a_step_says_so(place: TestDatabase) {
    const BREAKING: &str = "drop table one; update schema_migration set oldest_program = 2";
    let database = place.open(Area::State).await.unwrap();
    database.migrate(&[FIRST, SECOND]).await.unwrap();
    let third = Migration { version: 3, name: "without one", sqlite: BREAKING, postgres: BREAKING };
    assert_eq!(database.migrate(&[FIRST, SECOND, third]).await.unwrap(), Schema::Current);
    assert!(matches!(database.migrate(&[FIRST]).await, Err(DatabaseError::SchemaTooNew { found: 3, known: 1 })));
    assert!(matches!(database.check_schema(&[FIRST]).await, Err(DatabaseError::SchemaTooNew { found: 3, known: 1 })));
    assert_eq!(database.migrate(&[FIRST, SECOND]).await.unwrap(), Schema::Newer { found: 3, known: 2 });
}

async fn a_check_names_missing_steps_and_takes_none(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    assert!(matches!(database.check_schema(&[FIRST]).await, Err(DatabaseError::SchemaTooOld { found: 0, needed: 1 })));
    database.migrate(&[FIRST]).await.unwrap();
    assert_eq!(database.check_schema(&[FIRST]).await.unwrap(), Schema::Current);
    assert!(matches!(database.check_schema(&[FIRST, SECOND]).await, Err(DatabaseError::SchemaTooOld { found: 1, needed: 2 })));
    assert!(database.execute("insert into two (a) values ('x')", vec![]).await.is_err());
}

/// The table of steps as the first programs made it.
async fn a_table_of_steps_without_the_later_column_is_read_and_brought_forward(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    database.migrate(&[FIRST]).await.unwrap();
    database.execute("alter table schema_migration drop column oldest_program", vec![]).await.unwrap();
    assert_eq!(database.check_schema(&[FIRST]).await.unwrap(), Schema::Current);
    assert_eq!(database.migrate(&[FIRST, SECOND]).await.unwrap(), Schema::Current);
    assert_eq!(database.check_schema(&[FIRST]).await.unwrap(), Schema::Newer { found: 2, known: 1 });
}

async fn an_altered_or_inserted_step_is_refused(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    database.migrate(&[FIRST]).await.unwrap();
    assert!(matches!(database.migrate(&[ALTERED, SECOND]).await, Err(DatabaseError::MigrationChanged { version: 1 })));
    let before = Migration { version: 0, name: "before", ..SECOND };
    assert!(matches!(database.migrate(&[before, FIRST]).await, Err(DatabaseError::MigrationChanged { version: 0 })));
}

async fn a_broken_step_leaves_nothing(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    assert!(database.migrate(&[FIRST, BROKEN]).await.is_err());
    database.migrate(&[FIRST, SECOND]).await.unwrap();
}

async fn two_processes_may_migrate_at_once(place: TestDatabase) {
    let (one, two) = (place.open(Area::Log).await.unwrap(), place.open(Area::Log).await.unwrap());
    let (first, second) = tokio::join!(one.migrate(&[FIRST, SECOND]), two.migrate(&[FIRST, SECOND]));
    first.unwrap();
    second.unwrap();
}

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() { super::$test(database::testing::TestDatabase::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() { super::$test(database::testing::TestDatabase::postgres().await).await; })*
        }
    };
}

on_both!(
    tables_are_brought_forward_once,
    an_older_program_goes_on_beside_what_was_added,
    an_older_program_is_refused_where_a_step_says_so,
    a_check_names_missing_steps_and_takes_none,
    a_table_of_steps_without_the_later_column_is_read_and_brought_forward,
    an_altered_or_inserted_step_is_refused,
    a_broken_step_leaves_nothing,
    two_processes_may_migrate_at_once,
);

#[tokio::test]
async fn the_areas_of_one_postgres_do_not_meet() {
    let place = TestDatabase::postgres().await;
    for area in [Area::Log, Area::Views, Area::State, Area::Sandbox] {
        let database = place.open(area).await.unwrap();
        database.migrate(&[FIRST]).await.unwrap();
        let (schema,): (String,) = database
            .fetch_one(
                "select table_schema::text from information_schema.tables where table_name = 'one' and table_schema = current_schema()",
                vec![],
            )
            .await
            .unwrap();
        assert_eq!(schema, area.schema());
    }
}
