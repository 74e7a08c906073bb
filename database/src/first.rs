use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The texts that were asked for. They are the program's own, so there are few.
static TEXTS: RwLock<Option<HashMap<Box<str>, Arc<str>>>> = RwLock::new(None);

/// The text of a statement with `begin immediate` before it, the same each time, so that it is prepared once. SQLite's
/// parameters keep their numbers over all statements of a text.
pub(crate) fn with_begin(sql: &SqlStr) -> SqlStr {
    let known = TEXTS.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|texts| texts.get(sql.as_str()).cloned());
    let text = known.unwrap_or_else(|| {
        let text: Arc<str> = format!("begin immediate; {}", sql.as_str()).into();
        let mut texts = TEXTS.write().unwrap_or_else(PoisonError::into_inner);
        texts.get_or_insert_default().insert(sql.as_str().into(), Arc::clone(&text));
        text
    });
    AssertSqlSafe(text).into_sql_str()
}
