//! Times as Alipay, API v2 and bills write them: in Beijing, without saying so.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// `20260305140831`
const COMPACT: &str = "%Y%m%d%H%M%S";

/// `2026-03-05 14:08:31`
const SPACED: &str = "%Y-%m-%d %H:%M:%S";

/// How far Beijing's clocks are ahead of UTC, all year round.
const AHEAD: TimeDelta = TimeDelta::hours(8);

/// The compact text of a time, cut to whole seconds.
pub(crate) fn compact(at: DateTime<Utc>) -> String {
    text(at, COMPACT)
}

/// The spaced text of a time, cut to whole seconds.
pub(crate) fn spaced(at: DateTime<Utc>) -> String {
    text(at, SPACED)
}

/// The time that a compact text names; `None` if it has another form or names no time.
pub(crate) fn parse_compact(text: &str) -> Option<DateTime<Utc>> {
    parse(text, COMPACT, 14)
}

/// The time that a spaced text names; `None` if it has another form or names no time.
pub(crate) fn parse_spaced(text: &str) -> Option<DateTime<Utc>> {
    parse(text, SPACED, 19)
}

fn text(at: DateTime<Utc>, form: &str) -> String {
    at.naive_utc().checked_add_signed(AHEAD).unwrap_or(NaiveDateTime::MAX).format(form).to_string()
}

/// `length` is that of every such text, in bytes: the form alone would also take `2026-3-5 1:2:3`.
fn parse(text: &str, form: &str, length: usize) -> Option<DateTime<Utc>> {
    if text.len() != length {
        return None;
    }
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
    fn compact_times_are_written_and_read_in_beijing() {
        assert_eq!(compact(at("2026-03-05T06:08:09.999Z")), "20260305140809");
        assert_eq!(compact(at("2025-12-31T16:00:00Z")), "20260101000000");
        assert_eq!(parse_compact("20260305140809"), Some(at("2026-03-05T06:08:09Z")));
    }

    #[test]
    fn spaced_times_are_written_and_read_in_beijing() {
        assert_eq!(spaced(at("2026-03-05T06:08:09.999Z")), "2026-03-05 14:08:09");
        assert_eq!(spaced(at("2025-12-31T16:00:00Z")), "2026-01-01 00:00:00");
        assert_eq!(parse_spaced("2026-03-05 14:08:09"), Some(at("2026-03-05T06:08:09Z")));
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
            "２０２６-03-05 14:08",
            "2026030514080",
            "20260305240000",
            "20260229000000",
            "+0260305140809",
        ] {
            assert_eq!((parse_compact(other), parse_spaced(other)), (None, None), "{other:?}");
        }
    }

    #[test]
    fn neither_form_is_taken_for_the_other() {
        assert_eq!(parse_compact("2026-03-05 14:08:09"), None);
        assert_eq!(parse_spaced("20260305140809"), None);
    }

    proptest! {
        #[test]
        fn every_whole_second_survives_its_texts(seconds in 0_i64..4_102_444_800) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!((parse_compact(&compact(time)), parse_spaced(&spaced(time))), (Some(time), Some(time)));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,24}") {
            let _ = (parse_compact(&text), parse_spaced(&text));
        }
    }
}
