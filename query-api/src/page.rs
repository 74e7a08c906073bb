//! Pages of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::problem::{Problem, field};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How many items a page has unless the client says so.
const LIMIT_DEFAULT: u32 = 20;

/// How many items a page may have.
const LIMIT_MAX: u32 = 200;

/// 9999-12-31T00:00:00Z in seconds: later than whatever stands in a list.
const AFTER_ALL_S: i64 = 253_402_214_400;

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// The place of an item in a list that begins with the newest: its time, and its id among those of the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The item's time.
    pub(crate) at: DateTime<Utc>,
    /// Its id.
    pub(crate) id: String,
}

impl<T> Page<T> {
    /// A page of `limit` of the `rows`, of which there is one more if a further page exists.
    pub(crate) fn new<R, E>(
        mut rows: Vec<R>,
        limit: u32,
        place: impl Fn(&R) -> Place,
        show: impl Fn(R) -> Result<T, E>,
    ) -> Result<Self, E> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if has_more { rows.last().map(|row| place(row).to_cursor()) } else { None };
        Ok(Self { items: rows.into_iter().map(show).collect::<Result<_, E>>()?, next_cursor })
    }

    /// Its items and the cursor of the next page, for an answer that holds more than a list.
    pub(crate) fn into_parts(self) -> (Vec<T>, Option<String>) {
        (self.items, self.next_cursor)
    }
}

impl Place {
    fn to_cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.at.timestamp_micros(), self.id))
    }

    fn from_cursor(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (micros, id) = text.split_once('.')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?).filter(|at| at.timestamp() <= AFTER_ALL_S)?;
        let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        (at >= DateTime::UNIX_EPOCH && is_plain).then(|| Self { at, id: id.to_owned() })
    }

    /// Before the first item of every list.
    fn start() -> Self {
        Self { at: DateTime::from_timestamp(AFTER_ALL_S, 0).unwrap_or(DateTime::<Utc>::MAX_UTC), id: String::new() }
    }

    /// The place behind which the page begins. Errors: 422 for a cursor that no page gave.
    pub(crate) fn read(cursor: Option<&str>) -> Result<Self, Problem> {
        let Some(cursor) = cursor else { return Ok(Self::start()) };
        Self::from_cursor(cursor).ok_or_else(|| Problem::invalid("cursor", field::MALFORMED, "must be a next_cursor of this list"))
    }
}

/// The page's size. Errors: 422 outside 1 to 200.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::invalid("limit", field::OUT_OF_RANGE, "must be 1 to 200")),
    }
}

#[cfg(test)]
mod tests {
    use chassis::problem::Code;

    use super::*;

    #[test]
    fn a_cursor_is_the_place_that_it_was_made_of() {
        for id in ["7231", "723101-2026072022001.4", "unknown_capture-alipay-T1"] {
            let place = Place { at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(), id: id.to_owned() };
            assert_eq!(Place::read(Some(&place.to_cursor())).unwrap(), place);
            assert!(Place::read(None).unwrap().at > place.at);
        }
    }

    #[test]
    fn a_cursor_that_no_page_gave_is_refused() {
        let made = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let texts =
            ["%".to_owned(), String::new(), made("1"), made("1."), made("x.1"), made("1.a b"), made("-1.1"), made("253402300800000000.1")];
        for text in texts {
            let problem = Place::read(Some(&text)).unwrap_err();
            assert_eq!((problem.code, problem.errors[0].field.as_str()), (Code::Invalid, "cursor"), "{text}");
        }
    }

    #[test]
    fn a_page_has_1_to_200_items() {
        assert_eq!((limit(None).unwrap(), limit(Some(1)).unwrap(), limit(Some(200)).unwrap()), (20, 1, 200));
        for asked in [0, 201, u32::MAX] {
            assert_eq!(limit(Some(asked)).unwrap_err().errors[0].field, "limit");
        }
    }

    #[test]
    fn a_page_names_the_next_one_only_where_there_is_one() {
        let page = |count: u32| {
            let place = |row: &u32| Place { at: DateTime::UNIX_EPOCH, id: row.to_string() };
            Page::new((0..count).collect(), 2, place, Ok::<u32, ()>).unwrap()
        };
        assert_eq!((page(2).items, page(2).next_cursor), (vec![0, 1], None));
        let with_more = page(3);
        assert_eq!(with_more.items, [0, 1]);
        assert_eq!(Place::read(with_more.next_cursor.as_deref()).unwrap().id, "1");
    }
}
