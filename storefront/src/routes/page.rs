//! Pages of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::problem::{Problem, field};
use serde::Serialize;

/// How many items a page has unless the client says so.
const LIMIT_DEFAULT: u32 = 20;

/// How many items a page may have.
const LIMIT_MAX: u32 = 200;

/// One page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` of the `items`, of which there is one more if a further page exists. `key` tells an item's
    /// place in the list.
    pub(super) fn new<I>(mut items: Vec<I>, limit: u32, key: impl Fn(&I) -> String, show: impl Fn(I) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = if has_more { items.last() } else { None };
        let next_cursor = last.map(|item| URL_SAFE_NO_PAD.encode(key(item)));
        Self { items: items.into_iter().map(show).collect(), next_cursor }
    }
}

/// The page's size. Errors: 422 outside 1 to 200.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::invalid("limit", field::OUT_OF_RANGE, "must be 1 to 200")),
    }
}

/// The key of the item behind which the page begins. Errors: 422 for a cursor that no page gave.
pub(super) fn read_cursor<K>(cursor: Option<&str>, parse: impl Fn(&str) -> Option<K>) -> Result<Option<K>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| parse(std::str::from_utf8(&bytes).ok()?));
    key.map(Some).ok_or_else(|| Problem::invalid("cursor", field::MALFORMED, "must be a next_cursor of this list"))
}
