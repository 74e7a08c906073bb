//! Times as WeChat Pay writes them, in Beijing.

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat, Utc};

fn beijing() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).expect("eight hours are a valid offset")
}

/// As APIv3 writes them: `2026-03-05T14:38:09+08:00`.
pub(super) fn rfc3339(at: DateTime<Utc>) -> String {
    at.with_timezone(&beijing()).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// Reads what APIv3 takes, with any offset.
pub(super) fn parse_rfc3339(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

/// As the old protocol writes them: `20260305143809`.
pub(super) fn compact(at: DateTime<Utc>) -> String {
    at.with_timezone(&beijing()).format("%Y%m%d%H%M%S").to_string()
}

/// Reads the old protocol's form.
pub(super) fn parse_compact(text: &str) -> Option<DateTime<Utc>> {
    if text.len() != 14 {
        return None;
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok()?;
    Some(local.and_local_timezone(beijing()).single()?.to_utc())
}

/// As bills write them: `2026-03-05 14:38:09`.
pub(super) fn plain(at: DateTime<Utc>) -> String {
    at.with_timezone(&beijing()).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The day: `20260305`.
pub(super) fn day(at: DateTime<Utc>) -> String {
    at.with_timezone(&beijing()).format("%Y%m%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_beijing() {
        let at: DateTime<Utc> = "2026-03-05T18:08:09.9Z".parse().unwrap();
        assert_eq!(rfc3339(at), "2026-03-06T02:08:09+08:00");
        assert_eq!((compact(at), plain(at), day(at)), ("20260306020809".into(), "2026-03-06 02:08:09".into(), "20260306".into()));
        let whole = "2026-03-05T18:08:09Z".parse().ok();
        assert_eq!(parse_rfc3339("2026-03-06T02:08:09+08:00"), whole);
        assert_eq!(parse_compact("20260306020809"), whole);
        for other in ["", "2026030602080", "20261306020809", "2026-03-06 02:0"] {
            assert_eq!(parse_compact(other), None, "{other:?}");
        }
        assert_eq!(parse_rfc3339("2026-03-06 02:08:09"), None);
    }
}
