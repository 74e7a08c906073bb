use database::testing::TestDatabase;
use database::{Area, DatabaseError, Migration};

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

async fn an_older_program_is_refused(place: TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    database.migrate(&[FIRST, SECOND]).await.unwrap();
    assert!(matches!(database.migrate(&[FIRST]).await, Err(DatabaseError::SchemaTooNew { found: 2, known: 1 })));
    assert!(matches!(database.migrate(&[]).await, Err(DatabaseError::SchemaTooNew { found: 2, known: 0 })));
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
    an_older_program_is_refused,
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
