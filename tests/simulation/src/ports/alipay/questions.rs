//! What it was asked, and when.

use chrono::{DateTime, TimeDelta, Utc};

use super::Alipay;

/// Two workers of the process manager that derive the same event, where nobody knows what became of the append of one, may
/// both take themselves for its appender; they send the same content.
const AT_ONCE: TimeDelta = TimeDelta::minutes(1);

impl Alipay {
    /// Notes that it is asked about our number.
    pub(in crate::ports) fn is_asked(&self, out_trade_no: &str) {
        let mut state = self.state();
        let now = state.now;
        state.questions.insert(out_trade_no.to_owned(), now);
    }

    /// When it was last asked about our number.
    pub(crate) fn asked_at(&self, out_trade_no: &str) -> Option<DateTime<Utc>> {
        self.state().questions.get(out_trade_no).copied()
    }

    /// Notes that our number was sent for a code; whether for the first time, or by two at once.
    pub(in crate::ports) fn is_first(&self, out_trade_no: &str) -> bool {
        let mut state = self.state();
        let now = state.now;
        now - *state.asked.entry(out_trade_no.to_owned()).or_insert(now) < AT_ONCE
    }
}
