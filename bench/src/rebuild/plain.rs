//! The baseline: the same events are read page by page, and the very rows that come out are written, one transaction a page.
//! Nothing is understood, folded or looked up, so no way of making a view can be faster.

use std::time::Instant;

use database::{Backend, Database, Insert, Time, Value, values};
use projections::REBUILD_PAGE_EVENTS;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, FromRow, Row, TypeInfo, ValueRef};

use crate::figures::per_second;
use crate::trouble::{Doing, Trouble};

/// What of an event is read: about what a view is given.
type Event = (i64, String, i64, String, String);

const READ: &str = "select position, stream_id, revision, event_type, cast(data as text) from event \
     where position > $1 order by position limit $2";

/// A baseline that is ready to run.
pub(super) struct Plain {
    events: Database,
    views: Database,
    tables: Vec<Copied>,
}

/// A table's rows, in the order in which events finished them, to be written to its twin.
struct Copied {
    insert: Insert,
    empty: &'static str,
    rows: Vec<(i64, Vec<Value>)>,
}

impl Plain {
    /// Reads the rows of `tables`; they will be written to the twins that a rebuild fills, which are empty.
    pub(super) async fn prepare(events: Database, views: Database, tables: &[&str]) -> Result<Self, Trouble> {
        let mut copied = Vec::new();
        for table in tables {
            copied.push(Copied::read(&views, table).await?);
        }
        Ok(Self { events, views, tables: copied })
    }

    /// Runs it once; answers the events that it read in a second.
    pub(super) async fn run(&self) -> Result<u64, Trouble> {
        let mut left: Vec<&[(i64, Vec<Value>)]> = self.tables.iter().map(|table| table.rows.as_slice()).collect();
        let (mut after, mut read) = (0_i64, 0_u64);
        let started = Instant::now();
        loop {
            let limit = i64::try_from(REBUILD_PAGE_EVENTS).unwrap_or(i64::MAX);
            let page: Vec<Event> = self.events.fetch_all(READ, values![after, limit]).await.doing("read events plainly")?;
            let Some((last, ..)) = page.last() else { break };
            after = *last;
            read += page.len() as u64;
            let mut transaction = self.views.begin().await.doing("begin a transaction")?;
            for (table, left) in self.tables.iter().zip(&mut left) {
                let (now, later) = left.split_at(left.partition_point(|(position, _)| *position <= after));
                *left = later;
                let rows = now.iter().map(|(_, row)| row.clone()).collect();
                table.insert.apply(&mut transaction, rows).await.doing("write rows plainly")?;
            }
            transaction.commit().await.doing("commit rows")?;
        }
        let elapsed = started.elapsed();
        self.empty().await?;
        if left.iter().any(|rows| !rows.is_empty()) {
            return Err(Trouble::new("the baseline has not written all rows"));
        }
        Ok(per_second(read, elapsed))
    }

    async fn empty(&self) -> Result<(), Trouble> {
        for table in &self.tables {
            self.views.execute(table.empty, values![]).await.doing("empty a table")?;
        }
        Ok(())
    }
}

impl Copied {
    async fn read(views: &Database, table: &str) -> Result<Self, Trouble> {
        let rows: Vec<Cells> = views.fetch_all(kept(format!("select * from {table}")), values![]).await.doing("read a view's rows")?;
        let columns: Vec<&'static str> =
            rows.first().map(|row| row.names.iter().map(|name| kept(name.clone())).collect()).unwrap_or_default();
        let mut placed = Vec::with_capacity(rows.len());
        for row in rows {
            let place = row.names.iter().position(|name| name == "position").and_then(|index| row.values.get(index));
            let Some(Value::Int(Some(position))) = place else {
                return Err(Trouble::new(format!("{table} has no column position")));
            };
            placed.push((*position, row.values));
        }
        placed.sort_by_key(|(position, _)| *position);
        let twin = kept(format!("{table}_rebuild"));
        let empty = match views.backend() {
            Backend::Sqlite => kept(format!("delete from {twin}")),
            Backend::Postgres => kept(format!("truncate table {twin}")),
        };
        Ok(Self { insert: Insert::new(twin, Box::leak(columns.into_boxed_slice())), empty, rows: placed })
    }
}

/// Statements are kept for as long as the program runs, as those of the program itself are.
fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A row of whatever table.
struct Cells {
    names: Vec<String>,
    values: Vec<Value>,
}

impl FromRow<'_, SqliteRow> for Cells {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let value = |index: usize| {
            let kind = row.try_get_raw(index)?.type_info().name().to_owned();
            Ok(match kind.as_str() {
                "TEXT" => Value::Text(row.try_get(index)?),
                "BLOB" => Value::Bytes(row.try_get(index)?),
                _ => Value::Int(row.try_get(index)?),
            })
        };
        let values = (0..row.len()).map(value).collect::<sqlx::Result<_>>()?;
        Ok(Self { names: names(row.columns()), values })
    }
}

impl FromRow<'_, PgRow> for Cells {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let value = |(index, column): (usize, &sqlx::postgres::PgColumn)| {
            Ok(match column.type_info().name() {
                "TEXT" => Value::Text(row.try_get(index)?),
                "BYTEA" => Value::Bytes(row.try_get(index)?),
                "TIMESTAMPTZ" => Value::Time(row.try_get::<Option<Time>, _>(index)?),
                _ => Value::Int(row.try_get(index)?),
            })
        };
        let values = row.columns().iter().enumerate().map(value).collect::<sqlx::Result<_>>()?;
        Ok(Self { names: names(row.columns()), values })
    }
}

fn names(columns: &[impl Column]) -> Vec<String> {
    columns.iter().map(|column| column.name().to_owned()).collect()
}
