use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// What a statement's row becomes: a tuple, or a structure with `#[derive(sqlx::FromRow)]`, of `i64`, `String`, [`crate::Time`],
/// `Vec<u8>` and options of them. It is implemented for all that both drivers can read.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
