//! Reading one's own writes: the position that a query is to wait for.

use chassis::problem::{Code, Problem, field};
use event_store::Position;
use http::HeaderMap;

use crate::progress::{Behind, Follower};
use crate::state::QueryState;

/// The header that names the position.
pub(crate) const HEADER: &str = "paystream-after";
const HEADER_AS_WRITTEN: &str = "Paystream-After";
const PARAMETER: &str = "after_position";

/// When to come again after a view was behind, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// Waits until `followers` have reached the position that the request names in its header or in its query string; of
/// two, the later one.
///
/// Errors: 422 for what is no position, 503 `view_behind` if they have not reached it in time.
pub(crate) async fn reached(
    state: &QueryState,
    followers: &[Follower],
    headers: &HeaderMap,
    parameter: Option<&str>,
) -> Result<(), Problem> {
    let Some(position) = asked(headers, parameter)? else { return Ok(()) };
    match state.progress.reach(followers, position).await {
        Ok(()) => Ok(()),
        Err(Behind::Late) => Err(Problem::new(Code::ViewBehind).retry_after(RETRY_AFTER_S)),
        Err(Behind::Unreadable(error)) => Err(crate::failure::QueryFailure::Views(error).into()),
    }
}

fn asked(headers: &HeaderMap, parameter: Option<&str>) -> Result<Option<Position>, Problem> {
    let mut latest = None;
    for value in headers.get_all(HEADER) {
        latest = latest.max(Some(parse(HEADER_AS_WRITTEN, value.to_str().unwrap_or_default())?));
    }
    if let Some(text) = parameter {
        latest = latest.max(Some(parse(PARAMETER, text)?));
    }
    Ok(latest)
}

/// Reads a position as it stands in bodies and headers: plain digits. Errors: 422 naming `name`.
pub(crate) fn parse(name: &'static str, text: &str) -> Result<Position, Problem> {
    let plain = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = if plain { text.parse().ok() } else { None };
    number
        .and_then(Position::new)
        .ok_or_else(|| Problem::invalid(name, field::MALFORMED, "must be a position, as commands answer it in Paystream-Position"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: Option<&str>, parameter: Option<&str>) -> Result<Option<i64>, Problem> {
        let mut headers = HeaderMap::new();
        if let Some(text) = header {
            headers.insert(HEADER, text.parse().unwrap());
        }
        asked(&headers, parameter).map(|position| position.map(Position::as_i64))
    }

    #[test]
    fn a_position_comes_by_header_or_parameter_and_the_later_one_counts() {
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some("7"), None), Ok(Some(7)));
        assert_eq!(of(None, Some("9")), Ok(Some(9)));
        assert_eq!(of(Some("7"), Some("9")), Ok(Some(9)));
        assert_eq!(of(Some("9"), Some("7")), Ok(Some(9)));
    }

    #[test]
    fn what_is_no_position_is_refused_by_name() {
        for text in ["", "-1", "+1", "1.5", "soon", "99999999999999999999999999", " 1", "１"] {
            let problem = of(None, Some(text)).unwrap_err();
            assert_eq!((problem.code, problem.errors[0].field.as_str()), (Code::Invalid, "after_position"), "{text:?}");
        }
        assert_eq!(of(Some("soon"), None).unwrap_err().errors[0].field, "Paystream-After");
    }
}
