use std::collections::HashSet;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::{DatabaseError, Transaction, Value};

/// How many rows one statement writes: a few fixed numbers, so that each statement is prepared once and used again.
const CHUNKS: [usize; 6] = [128, 32, 8, 4, 2, 1];

/// Inserts rows, many in a statement; a row that breaks a rule of the table fails all. Keep it in a `static`.
///
/// The names are the program's own, never input.
#[derive(Debug)]
pub struct Insert {
    table: &'static str,
    columns: &'static [&'static str],
    texts: [OnceLock<Arc<str>>; CHUNKS.len()],
}

impl Insert {
    /// Inserts into these columns of `table`.
    pub const fn new(table: &'static str, columns: &'static [&'static str]) -> Self {
        Self { table, columns, texts: [const { OnceLock::new() }; CHUNKS.len()] }
    }

    /// Writes `rows`, each the values of the columns.
    pub async fn apply(&self, transaction: &mut Transaction, rows: Vec<Vec<Value>>) -> Result<(), DatabaseError> {
        check_width(self.table, self.columns.len(), rows.iter())?;
        in_chunks(transaction, &self.texts, rows, |count| insert_text(self.table, self.columns, count).into()).await
    }
}

/// Inserts rows or replaces them by key, many in a statement. Keep it in a `static`, where its texts are made once.
///
/// The names are the program's own, never input.
#[derive(Debug)]
pub struct Upsert {
    table: &'static str,
    key: &'static [&'static str],
    columns: &'static [&'static str],
    texts: [OnceLock<Arc<str>>; CHUNKS.len()],
}

impl Upsert {
    /// Upserts into `table`, whose unique key is `key`. `columns` are the others, which a later row replaces; with none of
    /// them a row that is there already stays as it is.
    pub const fn new(table: &'static str, key: &'static [&'static str], columns: &'static [&'static str]) -> Self {
        Self { table, key, columns, texts: [const { OnceLock::new() }; CHUNKS.len()] }
    }

    /// Writes `rows`, each the values of the key and then of the columns. Of rows with the same key the last counts.
    pub async fn apply(&self, transaction: &mut Transaction, rows: &[Vec<Value>]) -> Result<(), DatabaseError> {
        check_width(self.table, self.key.len() + self.columns.len(), rows.iter())?;
        let rows = self.last_of_each_key(rows).into_iter().cloned().collect();
        in_chunks(transaction, &self.texts, rows, |count| self.text(count)).await
    }

    /// Postgres refuses a statement that meets a row twice, so only the last of each key is left, in the given order.
    fn last_of_each_key<'a>(&self, rows: &'a [Vec<Value>]) -> Vec<&'a Vec<Value>> {
        let mut seen = HashSet::with_capacity(rows.len());
        let mut kept: Vec<_> = rows.iter().rev().filter(|row| seen.insert(row.get(..self.key.len()))).collect();
        kept.reverse();
        kept
    }

    fn text(&self, rows: usize) -> Arc<str> {
        let mut text = insert_text(self.table, &[self.key, self.columns].concat(), rows);
        let set: Vec<_> = self.columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let then = if set.is_empty() { "nothing".to_owned() } else { format!("update set {}", set.join(", ")) };
        // Writing to a String cannot fail.
        let _ = write!(text, " on conflict ({}) do {then}", self.key.join(", "));
        text.into()
    }
}

fn check_width<'a>(table: &str, width: usize, mut rows: impl Iterator<Item = &'a Vec<Value>>) -> Result<(), DatabaseError> {
    if rows.any(|row| row.len() != width) {
        return Err(DatabaseError::Unfit(format!("a row for {table} has not {width} values")));
    }
    Ok(())
}

async fn in_chunks(
    transaction: &mut Transaction,
    texts: &[OnceLock<Arc<str>>; CHUNKS.len()],
    rows: Vec<Vec<Value>>,
    text_of: impl Fn(usize) -> Arc<str>,
) -> Result<(), DatabaseError> {
    let mut rows = rows.into_iter();
    for (size, text) in CHUNKS.into_iter().zip(texts) {
        while rows.len() >= size {
            let values = rows.by_ref().take(size).flatten().collect();
            let text = text.get_or_init(|| text_of(size));
            transaction.execute_text(AssertSqlSafe(Arc::clone(text)).into_sql_str(), values).await?;
        }
    }
    Ok(())
}

fn insert_text(table: &str, columns: &[&str], rows: usize) -> String {
    let mut text = format!("insert into {table} ({}) values ", columns.join(", "));
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        placeholders(&mut text, row * columns.len() + 1, columns.len());
        text.push(')');
    }
    text
}

/// Appends `$first, …`, `count` of them.
pub(crate) fn placeholders(text: &mut String, first: usize, count: usize) {
    for number in first..first + count {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}${number}", if number == first { "" } else { ", " });
    }
}
