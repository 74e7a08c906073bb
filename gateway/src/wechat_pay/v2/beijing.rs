//! Times as API v2 writes them: in Beijing, without saying so.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// `20260305140831`, in requests, answers and notifications of payments.
const COMPACT: &str = "%Y%m%d%H%M%S";

/// `2026-03-05 14:08:31`, in what tells of refunds and in bills.
const SPACED: &str = "%Y-%m-%d %H:%M:%S";

/// How far Beijing's clocks are ahead of UTC, all year round.
const AHEAD: TimeDelta = TimeDelta::hours(8);

/// The compact text of a time, cut to whole seconds.
pub(super) fn compact(at: DateTime<Utc>) -> String {
    at.naive_utc().checked_add_signed(AHEAD).unwrap_or(NaiveDateTime::MAX).format(COMPACT).to_string()
}

/// The text of a day: `20260305`.
pub(super) fn day(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

/// The time that a compact text names; `None` if it has another form or names no time.
pub(super) fn parse_compact(text: &str) -> Option<DateTime<Utc>> {
    (text.len() == 14).then(|| parse(text, COMPACT))?
}

/// The time that a spaced text names; `None` if it has another form or names no time.
pub(super) fn parse_spaced(text: &str) -> Option<DateTime<Utc>> {
    // The form alone would also take `2026-3-5 1:2:3`.
    (text.len() == 19).then(|| parse(text, SPACED))?
}

fn parse(text: &str, form: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, form).ok()?;
    Some(local.checked_sub_signed(AHEAD)?.and_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_and_read_in_beijing() {
        assert_eq!(compact(at("2026-03-05T06:08:09.999Z")), "20260305140809");
        assert_eq!(compact(at("2025-12-31T16:00:00Z")), "20260101000000");
        assert_eq!(parse_compact("20260305140809"), Some(at("2026-03-05T06:08:09Z")));
        assert_eq!(parse_spaced("2026-03-05 14:08:09"), Some(at("2026-03-05T06:08:09Z")));
        assert_eq!(day(NaiveDate::from_ymd_opt(2026, 3, 5).unwrap()), "20260305");
    }

    #[test]
    fn any_other_form_is_no_time() {
        for other in ["", "2026030514080", "20260305240000", "20260229000000", "2026-03-05T14:08:09", "2026-3-5 14:08:09", "+0260305140809"]
        {
            assert_eq!((parse_compact(other), parse_spaced(other)), (None, None), "{other:?}");
        }
        assert_eq!(parse_compact("2026-03-05 14:08:09"), None);
        assert_eq!(parse_spaced("20260305140809"), None);
    }

    proptest! {
        #[test]
        fn every_whole_second_survives_its_text(seconds in 0_i64..4_102_444_800) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse_compact(&compact(time)), Some(time));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,24}") {
            let _ = (parse_compact(&text), parse_spaced(&text));
        }
    }
}
