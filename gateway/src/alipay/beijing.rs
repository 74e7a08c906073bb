//! Times as Alipay writes them: `yyyy-MM-dd HH:mm:ss` in Beijing, without saying so.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

const FORM: &str = "%Y-%m-%d %H:%M:%S";

/// The length of every such text; the form alone would also take `2026-3-5 1:2:3`.
const LENGTH: usize = 19;

/// How far Beijing's clocks are ahead of UTC, all year round.
const AHEAD: TimeDelta = TimeDelta::hours(8);

/// The text of a time, cut to whole seconds.
pub(super) fn text(at: DateTime<Utc>) -> String {
    at.naive_utc().checked_add_signed(AHEAD).unwrap_or(NaiveDateTime::MAX).format(FORM).to_string()
}

/// The time that a text names; `None` if it has another form or names no time.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if text.len() != LENGTH {
        return None;
    }
    let local = NaiveDateTime::parse_from_str(text, FORM).ok()?;
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
        assert_eq!(text(at("2026-03-05T06:08:09.999Z")), "2026-03-05 14:08:09");
        assert_eq!(text(at("2025-12-31T16:00:00Z")), "2026-01-01 00:00:00");
        assert_eq!(parse("2026-03-05 14:08:09"), Some(at("2026-03-05T06:08:09Z")));
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
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn every_whole_second_survives_its_text(seconds in 0_i64..4_102_444_800) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse(&text(time)), Some(time));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,24}") {
            let _ = parse(&text);
        }
    }
}
