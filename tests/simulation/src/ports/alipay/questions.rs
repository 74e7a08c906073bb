//! What it was asked, and when.

use chrono::{DateTime, Utc};

use super::Alipay;

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

    /// Notes that our number was sent for a code; whether for the first time.
    pub(in crate::ports) fn is_first(&self, out_trade_no: &str) -> bool {
        self.state().asked.insert(out_trade_no.to_owned())
    }
}
