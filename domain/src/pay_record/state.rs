use chrono::{DateTime, TimeDelta, Utc};

use super::events::{CaptureSource, ClosedProof, ClosingCause, PayRecordEvent, PaymentRequest, Prepared};
use crate::channel::Channel;
use crate::ids::PayNo;
use crate::money::Money;
use crate::order::Order;

/// How far a pay record has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayRecordStatus {
    /// Nothing has happened yet.
    #[default]
    Unissued,
    /// The channel is being asked for its code.
    Preparing,
    /// The buyer can pay.
    Pending,
    /// It is to end, and may still be paid.
    Closing,
    /// Paid, as owed.
    Confirmed,
    /// Ended unpaid.
    Closed,
    /// The channel refused it.
    Failed,
    /// Paid, and not owed, or paid late.
    Surplus,
}

impl PayRecordStatus {
    /// How far a record of `channel` is when it is issued: where a browser brings a form there is nothing to prepare.
    pub fn when_issued(channel: Channel) -> Self {
        if channel.takes_form() { Self::Pending } else { Self::Preparing }
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unissued | Self::Preparing => "preparing",
            Self::Pending => "pending",
            Self::Closing => "closing",
            Self::Confirmed => "confirmed",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Surplus => "surplus",
        }
    }
}

/// Money that the channel took for this record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCapture {
    /// The channel's own number.
    pub trade_no: String,
    /// What was taken.
    pub amount: Money,
    /// When, as the channel says.
    pub paid_at: DateTime<Utc>,
    /// The offset from UTC in which the channel wrote that time.
    pub paid_at_offset: Option<String>,
    /// When we learned of it.
    pub received_at: DateTime<Utc>,
    /// How we learned of it.
    pub learned_by: CaptureSource,
}

/// What is true of a pay record once it is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its number.
    pub pay_no: PayNo,
    /// The channel.
    pub channel: Channel,
    /// What is asked for.
    pub amount: Money,
    /// What is sent to the channel.
    pub request: Option<PaymentRequest>,
    /// Whether somebody's scanning our own code began it.
    pub by_scan: bool,
    /// When.
    pub issued_at: DateTime<Utc>,
}

/// What is true of a pay record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayRecord {
    /// How far it has come.
    pub status: PayRecordStatus,
    /// What it was issued with.
    pub issued: Option<Issued>,
    /// What the channel gave last, and until when it can be used.
    pub prepared: Option<(Prepared, DateTime<Utc>)>,
    /// Whether the buyer was sent to the channel's own page.
    pub opened: bool,
    /// Why it is to end, if it is.
    pub closing_cause: Option<ClosingCause>,
    /// How it is known that it ended, if it did.
    pub closed_proof: Option<ClosedProof>,
    /// The channel's word for why it refused.
    pub failure_code: Option<String>,
    /// Every capture that the channel told of. More than one is the channel's fault, and is kept all the same.
    pub captures: Vec<KnownCapture>,
    /// The channel's number of the capture that paid the order, if one of this record did.
    pub confirmed_trade_no: Option<String>,
}

impl PayRecord {
    /// How long after a code's life the channel's word "unknown" counts as proof that nobody can pay.
    pub const ABSENCE_GRACE: TimeDelta = TimeDelta::minutes(5);

    /// Whether the buyer may still pay it, as far as we know.
    pub fn is_live(&self) -> bool {
        matches!(self.status, PayRecordStatus::Preparing | PayRecordStatus::Pending | PayRecordStatus::Closing)
    }

    /// Whether the buyer has seen a code or a page of it, so that the channel must be asked before it ends.
    pub fn was_shown(&self) -> bool {
        self.opened || self.prepared.is_some()
    }

    /// Whether its code can be scanned, or its form given out, at `now`; a record that was not prepared yet counts as usable.
    pub fn code_is_usable(&self, now: DateTime<Utc>) -> bool {
        self.prepared_until().is_none_or(|until| now < until) && self.form_until().is_none_or(|until| now <= until)
    }

    /// What the QR holds, where the channel gave a code.
    pub fn code_url(&self) -> Option<&str> {
        self.prepared.as_ref().and_then(|(prepared, _)| prepared.code_url())
    }

    /// Until when what the channel gave can be used.
    pub fn prepared_until(&self) -> Option<DateTime<Utc>> {
        self.prepared.as_ref().map(|(_, expires_at)| *expires_at)
    }

    /// Whether what the channel gave for it has died at `now` while the channel would prepare the same payment anew.
    pub fn can_be_renewed(&self, now: DateTime<Utc>) -> bool {
        self.status == PayRecordStatus::Pending
            && self.issued.as_ref().is_some_and(|issued| issued.channel.prepares_again())
            && self.prepared_until().is_some_and(|until| until <= now)
    }

    /// Until when its form may be given out: the channel takes no shorter time to pay. `None` where there is no form.
    pub fn form_until(&self) -> Option<DateTime<Utc>> {
        let issued = self.issued.as_ref().filter(|issued| issued.channel.takes_form())?;
        issued.request.as_ref().map(|request| request.time_expire - Order::LEAST_TIME_TO_PAY)
    }

    /// Until when a payment of it can be begun: the end of its code's life, and never after `time_expire`, up to which a
    /// form that was given out can be brought. A channel that does not know the record after this has never seen its buyer
    /// and never will.
    pub fn begins_until(&self) -> Option<DateTime<Utc>> {
        let time_expire = self.issued.as_ref().and_then(|issued| issued.request.as_ref()).map(|request| request.time_expire);
        time_expire.into_iter().chain(self.prepared_until()).min()
    }

    pub(super) fn evolved(mut self, event: &PayRecordEvent) -> Self {
        match event {
            PayRecordEvent::PayRecordIssued(event) => {
                self.status = PayRecordStatus::when_issued(event.channel);
                self.issued = Some(Issued {
                    pay_no: event.pay_no,
                    channel: event.channel,
                    amount: event.amount.of(event.currency),
                    request: event.request.clone(),
                    by_scan: event.by_scan,
                    issued_at: event.issued_at,
                });
            }
            PayRecordEvent::PayRecordPrepared(event) => {
                self.status = PayRecordStatus::Pending;
                self.prepared = Some((event.prepared.clone(), event.expires_at));
            }
            PayRecordEvent::PayRecordOpened(_) => {
                self.status = PayRecordStatus::Pending;
                self.opened = true;
            }
            PayRecordEvent::PayRecordFailed(event) => {
                self.status = PayRecordStatus::Failed;
                self.failure_code = Some(event.code.clone());
            }
            PayRecordEvent::PayRecordClosing(event) => {
                self.status = PayRecordStatus::Closing;
                self.closing_cause = Some(event.cause);
            }
            PayRecordEvent::PayRecordClosed(event) => {
                self.status = PayRecordStatus::Closed;
                self.closed_proof = Some(event.proof);
            }
            PayRecordEvent::PaymentConfirmed(event) => {
                self.status = PayRecordStatus::Confirmed;
                self.confirmed_trade_no = Some(event.trade_no.clone());
                self.capture(KnownCapture {
                    trade_no: event.trade_no.clone(),
                    amount: event.amount.of(event.currency),
                    paid_at: event.paid_at,
                    paid_at_offset: event.paid_at_offset.clone(),
                    received_at: event.received_at,
                    learned_by: event.learned_by,
                });
            }
            PayRecordEvent::SurplusPaymentReceived(event) => {
                // A record that paid its order stays the confirmed one, whatever else the channel took for it.
                if self.status != PayRecordStatus::Confirmed {
                    self.status = PayRecordStatus::Surplus;
                }
                self.capture(KnownCapture {
                    trade_no: event.trade_no.clone(),
                    amount: event.amount.of(event.currency),
                    paid_at: event.paid_at,
                    paid_at_offset: event.paid_at_offset.clone(),
                    received_at: event.received_at,
                    learned_by: event.learned_by,
                });
            }
            PayRecordEvent::LatePaymentReceived(event) => {
                self.status = PayRecordStatus::Surplus;
                self.capture(KnownCapture {
                    trade_no: event.trade_no.clone(),
                    amount: event.amount.of(event.currency),
                    paid_at: event.paid_at,
                    paid_at_offset: event.paid_at_offset.clone(),
                    received_at: event.received_at,
                    learned_by: event.learned_by,
                });
            }
        }
        self
    }

    /// Whether it holds money, and all of it came under other numbers: whoever was shown its own code may still pay that.
    pub fn is_settled_by_others(&self) -> bool {
        let is_assigned = |capture: &KnownCapture| capture.learned_by == CaptureSource::Assigned;
        self.was_shown() && !self.captures.is_empty() && self.captures.iter().all(is_assigned)
    }

    /// Whether the capture with the channel's number `trade_no` is on the log already.
    pub fn knows_capture(&self, trade_no: &str) -> bool {
        self.captures.iter().any(|capture| capture.trade_no == trade_no)
    }

    /// A revived order confirms what came late, so one capture may be told twice.
    fn capture(&mut self, capture: KnownCapture) {
        if !self.knows_capture(&capture.trade_no) {
            self.captures.push(capture);
        }
    }
}
