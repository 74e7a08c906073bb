use std::fmt;

/// The oldest nats-server that Paystream uses: older ones lost acknowledged messages even where each was to be flushed.
pub const OLDEST_NATS: &str = "2.15";

/// [`OLDEST_NATS`] as numbers.
const OLDEST: (u64, u64) = (2, 15);

/// What a nats-server says that it is, for instance `2.15.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion(String);

impl ServerVersion {
    /// The version that a server tells.
    pub fn new(told: &str) -> Self {
        Self(told.to_owned())
    }

    /// Whether it is [`OLDEST_NATS`] or newer. What cannot be read is not.
    pub fn is_new_enough(&self) -> bool {
        let mut numbers = self.0.trim_start_matches('v').split(['.', '-', '+']).map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
            _ => false,
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2_15_and_newer_are_new_enough() {
        for (told, is_new_enough) in [
            ("2.15.0", true),
            ("2.15.1-RC.2", true),
            ("v2.16.0", true),
            ("3.0.0", true),
            ("2.14.9", false),
            ("2.9.10", false),
            ("1.99.0", false),
            ("", false),
            ("newest", false),
            ("2", false),
        ] {
            assert_eq!(ServerVersion::new(told).is_new_enough(), is_new_enough, "{told}");
        }
    }

    #[test]
    fn the_oldest_is_told_as_it_is_compared() {
        assert_eq!(OLDEST_NATS, format!("{}.{}", OLDEST.0, OLDEST.1));
    }
}
