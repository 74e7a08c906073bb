//! How a sandbox is set up.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Url;

/// How a sandbox is set up. [`SandboxConfig::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where browsers and merchants reach this sandbox, without a slash at the end, for instance `http://127.0.0.1:8080`.
    pub public_url: String,
    /// How much shorter or longer than the channel's the waits between two deliveries of a notification are.
    pub notify_scale: NotifyScale,
    /// Host names besides this machine's own (`localhost`, loopback addresses) that notifications may be sent to.
    pub notify_hosts: Vec<String>,
    /// How long a call with a time-out fault is held before its connection is closed without an answer.
    pub fault_hold: Duration,
}

impl SandboxConfig {
    /// A sandbox reached at `public_url` with the real ladder, notifying this machine only, holding faults for 20 s.
    pub fn new(public_url: impl Into<String>) -> Self {
        let public_url = public_url.into();
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            notify_scale: NotifyScale::REAL,
            notify_hosts: Vec::new(),
            fault_hold: Duration::from_secs(20),
        }
    }

    /// Whether notifications may be sent to `url`: http or https, to this machine or to one of `notify_hosts`.
    pub(crate) fn may_notify(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let Some(host) = url.host_str() else { return false };
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let is_own = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        let is_allowed = self.notify_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
        matches!(url.scheme(), "http" | "https") && (is_own || is_allowed)
    }
}

/// A factor for the waits of the notification ladder. Unit: millionths; never negative, at most 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifyScale {
    parts_per_million: i64,
}

/// The text is no factor between 0 and 1000 with at most six decimal places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a notification scale is a decimal number from 0 to 1000 with at most six decimal places")]
pub struct NotifyScaleError;

impl NotifyScale {
    /// The channel's own waits.
    pub const REAL: Self = Self { parts_per_million: PARTS };

    /// A wait of the real ladder, scaled; whole microseconds, rounded down.
    pub(crate) fn apply(self, wait: TimeDelta) -> TimeDelta {
        TimeDelta::microseconds(wait.num_milliseconds() * self.parts_per_million / 1_000)
    }
}

const PARTS: i64 = 1_000_000;

impl FromStr for NotifyScale {
    type Err = NotifyScaleError;

    /// Reads a decimal text such as `1`, `0.05` or `2.5`.
    fn from_str(text: &str) -> Result<Self, NotifyScaleError> {
        let (whole, places) = match text.split_once('.') {
            None => (text, ""),
            Some((whole, places)) if (1..=6).contains(&places.len()) => (whole, places),
            Some(_) => return Err(NotifyScaleError),
        };
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=4).contains(&whole.len()) || !digits_only(whole) || !digits_only(places) {
            return Err(NotifyScaleError);
        }
        let number = |digits: &str| digits.parse::<i64>().map_err(|_| NotifyScaleError);
        let parts_per_million = number(whole)? * PARTS + number(&format!("{places:0<6}"))?;
        if parts_per_million > 1_000 * PARTS {
            return Err(NotifyScaleError);
        }
        Ok(Self { parts_per_million })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_shortens_and_lengthens_waits_exactly() {
        let wait = TimeDelta::minutes(4);
        for (text, expected_ms) in [("1", 240_000), ("0.001", 240), ("0", 0), ("2.5", 600_000), ("1000", 240_000_000)] {
            assert_eq!(text.parse::<NotifyScale>().unwrap().apply(wait), TimeDelta::milliseconds(expected_ms), "{text}");
        }
        assert_eq!("1.000000".parse(), Ok(NotifyScale::REAL));
    }

    #[test]
    fn anything_but_a_plain_decimal_is_no_scale() {
        for text in ["", "-1", "+1", "1.", ".5", "1e3", "0.0000001", "1000.1", "99999", "1,5", " 1", "NaN"] {
            assert_eq!(text.parse::<NotifyScale>(), Err(NotifyScaleError), "{text:?}");
        }
    }

    #[test]
    fn only_this_machine_is_notified_unless_more_is_allowed() {
        let mut config = SandboxConfig::new("http://127.0.0.1:8080/");
        assert_eq!(config.public_url, "http://127.0.0.1:8080");
        for url in ["http://127.0.0.1:9/notify", "https://localhost/n", "http://[::1]:80/", "http://127.8.8.8/"] {
            assert!(config.may_notify(url), "{url}");
        }
        for url in [
            "http://10.0.0.1/",
            "http://paystream:8080/n",
            "http://localhost.example.com/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "",
            "127.0.0.1",
            "http://127.0.0.1@10.0.0.1/",
            "http://[::2]/",
        ] {
            assert!(!config.may_notify(url), "{url}");
        }
        config.notify_hosts = vec!["paystream".to_owned()];
        assert!(config.may_notify("http://PAYSTREAM:8080/n"));
        assert!(!config.may_notify("http://other:8080/n"));
    }
}
