use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Ledger, Outside, number, text, time};
use crate::broken::{Broken, check};
use crate::ledger::Stage;

/// How long after its life an attempt that the channel says nothing of is waited for.
const UNPROVEN_AFTER: TimeDelta = TimeDelta::hours(24);
/// How long after its life the channel's ignorance proves nothing.
const ABSENCE_GRACE: TimeDelta = TimeDelta::minutes(5);

/// What the log says of a pay record.
#[derive(Clone, Debug)]
pub(crate) struct RecordFacts {
    /// The contract's word.
    pub(crate) word: &'static str,
    /// How its end is known.
    pub(crate) proof: String,
    /// When it ended unpaid.
    pub(crate) closed_at: Option<DateTime<Utc>>,
    time_expire: Option<DateTime<Utc>>,
    code_expires_at: Option<DateTime<Utc>>,
}

impl RecordFacts {
    pub(super) fn issued(data: &Value) -> Self {
        Self {
            word: "preparing",
            proof: String::new(),
            closed_at: None,
            time_expire: time(&data["request"], "time_expire"),
            code_expires_at: None,
        }
    }

    /// Whether it may still be paid, as far as the log knows.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.word, "preparing" | "pending" | "closing")
    }

    /// Whether nobody was ever shown its code, or the channel refused it: its key may lead to another.
    pub(crate) fn led_to_nothing(&self) -> bool {
        self.word == "failed" || self.proof == "never_shown"
    }

    /// Until when its payment can be begun.
    fn until(&self) -> Option<DateTime<Utc>> {
        self.time_expire.into_iter().chain(self.code_expires_at).min()
    }
}

impl Ledger {
    pub(super) fn take_record(&mut self, order_id: &str, event_type: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let recorded_at = self.recorded_at;
        let pay_no = text(data, "pay_no");
        if event_type == "PayRecordIssued" {
            return self.take_issued(order_id, &pay_no, data);
        }
        let may: &[&str] = match event_type {
            "PayRecordPrepared" | "PayRecordFailed" => &["preparing"],
            "PayRecordClosing" => &["preparing", "pending"],
            "PayRecordClosed" => &["preparing", "pending", "closing"],
            "PaymentConfirmed" | "SurplusPaymentReceived" | "LatePaymentReceived" => &[],
            _ => return Ok(()),
        };
        let what = |before: Option<&RecordFacts>| format!("{event_type} of {pay_no}, which is {before:?}");
        let order = self.order(order_id)?;
        let Some(record) = order.records.get_mut(&pay_no) else {
            return Err(Broken::new("a pay record moves only forward", what(None)));
        };
        check(may.is_empty() || may.contains(&record.word), "a pay record moves only forward", || what(Some(record)))?;
        record.word = match event_type {
            "PayRecordPrepared" => "pending",
            "PayRecordFailed" => "failed",
            "PayRecordClosing" => "closing",
            "PayRecordClosed" => {
                record.proof = text(data, "proof");
                record.closed_at = recorded_at;
                proof_holds(&pay_no, record, outside)?;
                "closed"
            }
            "PaymentConfirmed" => "confirmed",
            // A record that paid its order stays the confirmed one, whatever else came for it.
            "SurplusPaymentReceived" if record.word == "confirmed" => "confirmed",
            _ => "surplus",
        };
        if event_type == "PayRecordPrepared" {
            record.code_expires_at = time(data, "expires_at");
            self.shown.push(pay_no);
        }
        Ok(())
    }

    fn take_issued(&mut self, order_id: &str, pay_no: &str, data: &Value) -> Result<(), Broken> {
        let order = self.order(order_id)?;
        let next = format!("{order_id}{:02}", order.records.len() + 1);
        check(pay_no == next, "attempts are numbered one after the other", || format!("{pay_no}, not {next}"))?;
        check(order.stage == Stage::Open, "only an order that awaits payment is attempted", || pay_no.to_owned())?;
        check(number(data, "amount") == order.amount_minor, "an attempt asks for what is owed", || pay_no.to_owned())?;
        order.records.insert(pay_no.to_owned(), RecordFacts::issued(data));
        Ok(())
    }
}

/// The channel never says that a trade is closed while it is open or paid, its ignorance proves something only after the
/// life of the code, and what nobody ever said is waited for a day.
fn proof_holds(pay_no: &str, record: &RecordFacts, outside: &Outside<'_>) -> Result<(), Broken> {
    let after = |wait: TimeDelta| record.until().is_some_and(|until| outside.latest >= until + wait);
    let is_unpaid = outside.alipay.captured_for(pay_no).is_none();
    let holds = match record.proof.as_str() {
        "channel_closed" => outside.alipay.is_closed(pay_no),
        "never_shown" => is_unpaid && record.code_expires_at.is_none(),
        "absent_after_grace" => is_unpaid && after(ABSENCE_GRACE) && !outside.alipay.can_be_paid(pay_no),
        "unproven" => record.word == "closing" && after(UNPROVEN_AFTER),
        _ => false,
    };
    check(holds, "a pay record is closed only where nobody can pay it", || format!("{pay_no}: {record:?}"))
}
