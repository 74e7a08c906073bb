//! Two databases behind one enum: SQLite for one machine, Postgres for several, one SQL text for both.
//!
//! A statement is written once, with `$1…`, `on conflict`, `returning`, `bigint` and [`Time`]. What cannot be shared is a
//! method with two bodies beside each other, chosen by [`Database::backend`]. Tables differ only in their DDL, see [`Migration`].

mod area;
mod error;
mod first;
mod keyed_select;
mod migration;
mod pool;
mod postgres;
mod privileges;
mod row;
mod scratch;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod transaction;
mod upsert;
mod url;
mod value;

pub use area::Area;
pub use error::{ConstraintKind, DatabaseError, Failure};
pub use keyed_select::KeyedSelect;
pub use migration::{Migration, Schema};
pub use pool::{Backend, Database, PoolOptions};
pub use privileges::Replication;
pub use row::Row;
pub use scratch::ScratchDatabase;
pub use time::Time;
pub use transaction::Transaction;
pub use upsert::{Insert, Upsert};
pub use url::DatabaseUrl;
pub use value::Value;
