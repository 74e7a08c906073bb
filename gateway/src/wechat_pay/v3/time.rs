//! Times as WeChat Pay v3 writes them: RFC 3339 to the second, with the offset of Beijing.

use chrono::{DateTime, FixedOffset, SecondsFormat, SubsecRound, Utc};

/// How far Beijing's clocks are ahead of UTC, all year round, in seconds.
const AHEAD_S: i32 = 8 * 60 * 60;

/// The longest text of a time, in characters.
const LENGTH_LIMIT: usize = 40;

/// The text of a time, cut to whole seconds.
pub(super) fn text(at: DateTime<Utc>) -> String {
    let at = at.trunc_subsecs(0);
    match FixedOffset::east_opt(AHEAD_S) {
        Some(beijing) => at.with_timezone(&beijing).to_rfc3339_opts(SecondsFormat::Secs, false),
        None => at.to_rfc3339_opts(SecondsFormat::Secs, false),
    }
}

/// The time that a text names, whatever its offset; `None` if it has another form or names no time.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if text.len() > LENGTH_LIMIT {
        return None;
    }
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_with_beijing_s_offset_and_read_with_any() {
        assert_eq!(text(at("2026-03-05T06:38:09.9Z")), "2026-03-05T14:38:09+08:00");
        assert_eq!(text(at("2025-12-31T16:00:00Z")), "2026-01-01T00:00:00+08:00");
        assert_eq!(parse("2026-03-05T14:08:31+08:00"), Some(at("2026-03-05T06:08:31Z")));
        assert_eq!(parse("2026-03-05T06:08:31Z"), Some(at("2026-03-05T06:08:31Z")));
    }

    #[test]
    fn any_other_form_is_no_time() {
        for other in ["", "2026-03-05", "2026-03-05 14:08:31", "2026-03-05T14:08:31", "2026-02-29T00:00:00Z", "20260305140831", "x"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
        assert_eq!(parse(&format!("2026-03-05T06:08:31.{}Z", "0".repeat(60))), None);
    }

    proptest! {
        #[test]
        fn every_whole_second_survives_its_text(seconds in 0_i64..4_102_444_800) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse(&text(time)), Some(time));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,48}") {
            let _ = parse(&text);
        }
    }
}
