//! What the settings of all adapters are checked for.

use std::time::Duration;

use reqwest::Url;

/// How long one call may take from its first byte to its last, unless configured.
pub const CALL_TIME_LIMIT: Duration = Duration::from_secs(8);

/// How long a call may be configured to take at most. A buyer waits for it.
pub const LONGEST_CALL_TIME_LIMIT: Duration = Duration::from_mins(1);

/// The longest id that a channel gives, in characters.
const ID_LIMIT: usize = 32;

/// What is wrong with a member. Each adapter's own error of its configuration says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It must be given and is not.
    Missing { member: &'static str },
    /// Its value cannot be right.
    Invalid { member: &'static str, expected: &'static str },
}

/// A value that is not blank.
pub(crate) fn given<'a>(member: &'static str, value: &'a str) -> Result<&'a str, Flaw> {
    if value.trim().is_empty() { Err(Flaw::Missing { member }) } else { Ok(value) }
}

/// An id of digits.
pub(crate) fn digits(member: &'static str, value: &str) -> Result<String, Flaw> {
    let id = given(member, value)?;
    if id.len() <= ID_LIMIT && id.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(id.to_owned())
    } else {
        Err(Flaw::Invalid { member, expected: "at most 32 digits are expected" })
    }
}

/// An id of letters and digits.
pub(crate) fn letters_and_digits(member: &'static str, value: &str) -> Result<String, Flaw> {
    let id = given(member, value)?;
    if id.len() <= ID_LIMIT && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(id.to_owned())
    } else {
        Err(Flaw::Invalid { member, expected: "at most 32 letters and digits are expected" })
    }
}

/// The address that calls go to. `domains` are the channel's own; `secured` says that those are spoken to over TLS alone.
pub(crate) fn address(member: &'static str, value: &str, domains: &[&str], secured: &'static str) -> Result<Url, Flaw> {
    let invalid = |expected| Flaw::Invalid { member, expected };
    let url = Url::parse(given(member, value)?).map_err(|_| invalid("a URL is expected"))?;
    let host = url.host_str().ok_or(invalid("a URL with a host is expected"))?.trim_end_matches('.');
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("a URL without a query, a fragment and a user is expected"));
    }
    let is_under = |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    match url.scheme() {
        "https" => Ok(url),
        // A sandbox of ours needs no certificate; a channel itself is never spoken to in the clear.
        "http" if !domains.iter().any(is_under) => Ok(url),
        "http" => Err(invalid(secured)),
        _ => Err(invalid("an http or https URL is expected")),
    }
}

/// The time limit of a call, from milliseconds.
pub(crate) fn time_limit(timeout_ms: Option<u64>) -> Result<Duration, Flaw> {
    let limit = timeout_ms.map_or(CALL_TIME_LIMIT, Duration::from_millis);
    if (Duration::from_millis(1)..=LONGEST_CALL_TIME_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(Flaw::Invalid { member: "timeout_ms", expected: "1 to 60000 milliseconds are expected" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is expected where a value cannot be right.
    fn expected<T>(checked: Result<T, Flaw>) -> Option<&'static str> {
        match checked.err()? {
            Flaw::Missing { .. } => None,
            Flaw::Invalid { expected, .. } => Some(expected),
        }
    }

    #[test]
    fn a_blank_value_is_missing_whatever_is_expected_of_it() {
        let missing = Flaw::Missing { member: "m" };
        for blank in ["", " \t\n"] {
            assert_eq!(given("m", blank), Err(missing));
            assert_eq!(digits("m", blank), Err(missing));
            assert_eq!(letters_and_digits("m", blank), Err(missing));
            assert_eq!(address("m", blank, &[], ""), Err(missing));
        }
        assert_eq!(given("m", " x"), Ok(" x"));
    }

    #[test]
    fn ids_have_a_limit_and_an_alphabet() {
        let longest = "1".repeat(32);
        assert_eq!((digits("m", &longest), letters_and_digits("m", &longest)), (Ok(longest.clone()), Ok(longest.clone())));
        assert_eq!(letters_and_digits("m", "wx1A"), Ok("wx1A".to_owned()));
        for bad in [format!("{longest}1"), "1 ".to_owned(), "１".to_owned(), "-1".to_owned()] {
            assert!(digits("m", &bad).is_err() && letters_and_digits("m", &bad).is_err(), "{bad}");
        }
        assert_eq!(expected(digits("m", "wx1A")), Some("at most 32 digits are expected"));
    }

    #[test]
    fn a_channel_s_own_hosts_are_not_spoken_to_in_the_clear() {
        let address = |value: &str| address("m", value, &["alipay.com", "qq.com"], "https is expected");
        for own in ["http://qq.com", "http://api.mch.QQ.com/x", "http://qq.com./", "http://openapi.alipay.com"] {
            assert_eq!(expected(address(own)), Some("https is expected"), "{own}");
            assert!(address(&own.replace("http:", "https:")).is_ok(), "{own}");
        }
        for other in ["http://127.0.0.1:9/sandbox", "http://notqq.com", "http://qq.com.example.com"] {
            assert!(address(other).is_ok(), "{other}");
        }
        for bad in ["qq.com", "ftp://example.com", "https://a@example.com", "https://example.com?a", "https://example.com#a", "data:x"] {
            assert!(expected(address(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_call_s_time_is_limited_from_both_sides() {
        assert_eq!(time_limit(None), Ok(CALL_TIME_LIMIT));
        assert_eq!((time_limit(Some(1)), time_limit(Some(60_000))), (Ok(Duration::from_millis(1)), Ok(LONGEST_CALL_TIME_LIMIT)));
        assert!(time_limit(Some(0)).is_err() && time_limit(Some(60_001)).is_err());
    }
}
