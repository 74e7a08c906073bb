//! What both databases must do alike, run on each; and what only one of them has.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod migrating;
mod opening;
mod statements;
mod transactions;
mod writing;

use database::testing::TestDatabase;
use database::{Area, Database, Migration, Time};

/// Runs one test on SQLite and on Postgres.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let place = database::testing::TestDatabase::sqlite();
                super::$test(&crate::tables(&place).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                let place = database::testing::TestDatabase::postgres().await;
                super::$test(&crate::tables(&place).await).await;
            })*
        }
    };
}
pub(crate) use on_both;

const TABLES: &[Migration] = &[Migration {
    version: 1,
    name: "shelf",
    sqlite: "create table shelf (
                 shelf_id text not null primary key,
                 place integer,
                 note text,
                 filled_at integer,
                 label blob,
                 check (place >= 0)
             ) strict",
    postgres: "create table shelf (
                   shelf_id text not null primary key,
                   place bigint,
                   note text,
                   filled_at timestamptz,
                   label bytea,
                   constraint shelf_place_check check (place >= 0)
               )",
}];

#[derive(Debug, PartialEq, sqlx::FromRow)]
#[expect(clippy::struct_field_names, reason = "the column has this name")]
struct Shelf {
    shelf_id: String,
    place: Option<i64>,
    note: Option<String>,
    filled_at: Option<Time>,
    label: Option<Vec<u8>>,
}

const SHELVES: &str = "select shelf_id, place, note, filled_at, label from shelf order by shelf_id";

async fn tables(place: &TestDatabase) -> Database {
    let database = place.open(Area::Views).await.unwrap();
    database.migrate(TABLES).await.unwrap();
    database
}
