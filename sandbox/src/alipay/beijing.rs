//! Times as Alipay writes them: `yyyy-MM-dd HH:mm:ss` in Beijing, without saying so.

use chrono::{DateTime, Days, FixedOffset, NaiveDateTime, Utc};

const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The length of every such text; parsing alone would take `2026-3-5 1:2:3` too.
const TIME_LENGTH: usize = 19;

fn beijing() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).expect("eight hours are a valid offset")
}

/// The text of a time, cut to whole seconds.
pub(super) fn text(at: DateTime<Utc>) -> String {
    at.with_timezone(&beijing()).format(TIME).to_string()
}

/// The text of a time with its milliseconds, as refunds have it.
pub(super) fn fine_text(at: DateTime<Utc>) -> String {
    at.with_timezone(&beijing()).format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// The time that a text names; none if it has another form or names no time.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if text.len() != TIME_LENGTH {
        return None;
    }
    let local = NaiveDateTime::parse_from_str(text, TIME).ok()?;
    Some(local.and_local_timezone(beijing()).single()?.to_utc())
}

/// The day and the time of day as digits, as Alipay's numbers begin: `20260305`, `140809`.
pub(super) fn digits(at: DateTime<Utc>) -> (String, String) {
    let local = at.with_timezone(&beijing());
    (local.format("%Y%m%d").to_string(), local.format("%H%M%S").to_string())
}

/// The midnight that ends the day of `at`.
pub(super) fn end_of_day(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next_day = at.with_timezone(&beijing()).date_naive().checked_add_days(Days::new(1))?;
    Some(next_day.and_hms_opt(0, 0, 0)?.and_local_timezone(beijing()).single()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_and_read_in_beijing() {
        assert_eq!(text(at("2026-03-05T06:08:09.999Z")), "2026-03-05 14:08:09");
        assert_eq!(fine_text(at("2026-03-05T06:08:09.0349Z")), "2026-03-05 14:08:09.034");
        assert_eq!(parse("2026-03-05 14:08:09"), Some(at("2026-03-05T06:08:09Z")));
        assert_eq!(parse("2024-02-29 00:00:00"), Some(at("2024-02-28T16:00:00Z")));
    }

    #[test]
    fn any_other_form_is_no_time() {
        for other in [
            "",
            "2026-03-05",
            "2026-03-05T14:08:09",
            "2026-3-5 14:08:09",
            "2026-02-29 00:00:00",
            "2026-03-05 24:00:00",
            "x026-03-05 14:08:09",
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_day_ends_at_beijings_midnight() {
        assert_eq!(end_of_day(at("2026-03-05T06:08:09Z")), Some(at("2026-03-05T16:00:00Z")));
        assert_eq!(end_of_day(at("2026-03-05T16:00:00Z")), Some(at("2026-03-06T16:00:00Z")));
    }
}
