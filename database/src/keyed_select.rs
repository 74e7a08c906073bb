use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::upsert::placeholders;
use crate::{Database, DatabaseError, Row, Transaction, Value};

/// How many keys one statement names: a few fixed numbers, so that each statement is prepared once and used again.
const SIZES: [usize; 4] = [1, 8, 64, 256];

/// Reads rows by a list of text keys, on both databases. Keep it in a `static`, where its texts are made once.
///
/// The texts are the program's own, never input.
#[derive(Debug)]
pub struct KeyedSelect {
    before: &'static str,
    after: &'static str,
    texts: [OnceLock<Arc<str>>; SIZES.len()],
}

impl KeyedSelect {
    /// The statement `{before} in (…) {after}`, for instance `select … from order_view where order_id` and `for update`.
    pub const fn new(before: &'static str, after: &'static str) -> Self {
        Self { before, after, texts: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Each statement and its values; the last statement is filled up by repeating a key.
    fn statements<'a>(&'a self, keys: &'a [String]) -> impl Iterator<Item = (SqlStr, Vec<Value>)> + Send + 'a {
        const LARGEST: usize = SIZES[SIZES.len() - 1];
        keys.chunks(LARGEST).map(|chunk| {
            let index = SIZES.iter().position(|size| *size >= chunk.len()).unwrap_or(SIZES.len() - 1);
            let size = SIZES[index];
            let text = self.texts[index].get_or_init(|| {
                let mut text = format!("{} in (", self.before);
                placeholders(&mut text, 1, size);
                text.push_str(") ");
                text.push_str(self.after);
                text.into()
            });
            let mut values: Vec<Value> = chunk.iter().map(Value::from).collect();
            if let Some(last) = values.last().cloned() {
                values.resize(size, last);
            }
            (AssertSqlSafe(Arc::clone(text)).into_sql_str(), values)
        })
    }
}

impl Database {
    /// The rows of `keys`, in no promised order beyond 256 keys; an unknown key has none. Keys should be named once each.
    pub async fn fetch_by_keys<T: Row>(&self, select: &KeyedSelect, keys: &[String]) -> Result<Vec<T>, DatabaseError> {
        let mut rows = Vec::with_capacity(keys.len());
        for (text, values) in select.statements(keys) {
            rows.extend(self.fetch_text::<T>(text, values).await?);
        }
        Ok(rows)
    }
}

impl Transaction {
    /// The rows of `keys`, in no promised order beyond 256 keys; an unknown key has none. Keys should be named once each.
    pub async fn fetch_by_keys<T: Row>(&mut self, select: &KeyedSelect, keys: &[String]) -> Result<Vec<T>, DatabaseError> {
        let mut rows = Vec::with_capacity(keys.len());
        for (text, values) in select.statements(keys) {
            rows.extend(self.fetch_text::<T>(text, values).await?);
        }
        Ok(rows)
    }
}
