use std::time::Duration;

/// How long KurrentDB may take. The client itself does not end a call that a silent server leaves open.
#[derive(Clone, Copy, Debug)]
pub struct KurrentDbLimits {
    /// For an append; then its outcome is unknown.
    pub append: Duration,
    /// For each event of a read, the first included.
    pub read: Duration,
}

impl Default for KurrentDbLimits {
    fn default() -> Self {
        Self { append: Duration::from_secs(10), read: Duration::from_secs(10) }
    }
}
