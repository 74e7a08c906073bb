use chrono::{DateTime, Utc};

use super::events::{
    CaptureSource, ClosedProof, ClosingCause, LatePaymentReceived, OrderItem, PayRecordClosed, PayRecordClosing, PayRecordEvent,
    PayRecordFailed, PayRecordIssued, PayRecordOpened, PayRecordPrepared, PaymentConfirmed, Prepared, SurplusPaymentReceived,
    SurplusReason,
};
use super::state::{KnownCapture, PayRecord, PayRecordStatus};
use crate::channel::Channel;
use crate::decider::Decider;
use crate::ids::{BuyerId, OrderId, PayNo};
use crate::money::Money;
use crate::order::OrderType;

/// A wish about one pay record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayRecordCommand {
    /// Record the intent to pay.
    Issue(PayRecordIssued),
    /// Record what the channel gave.
    RecordPrepared {
        /// What it is.
        prepared: Prepared,
        /// When the channel was asked for it.
        asked_at: DateTime<Utc>,
        /// Until when it can be used.
        expires_at: DateTime<Utc>,
        /// What it takes the place of, alive or not, where whoever asked had seen that: the channel lets nothing be paid by
        /// what it gave before. None for the first.
        replaces: Option<Prepared>,
    },
    /// Record that the channel refused.
    RecordRefused {
        /// The channel's word.
        code: String,
    },
    /// Record that the buyer is being sent to the channel's page.
    Open {
        /// When.
        now: DateTime<Utc>,
    },
    /// It is to end.
    BeginClosing {
        /// Why.
        cause: ClosingCause,
    },
    /// Record how it is known that nobody can pay it any more.
    Close(ClosingProof),
    /// Record money that the channel took, while its order stands as `stage` says.
    Capture {
        /// The money.
        capture: Capture,
        /// How the order stands.
        stage: OrderStage,
        /// What a confirmation says of the order.
        order: PaidOrder,
    },
}

/// What the channel or the clock says of a record that is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingProof {
    /// The channel says that it is closed.
    ChannelClosed,
    /// The channel does not know it, asked at this time.
    Absent {
        /// When the channel was asked.
        asked_at: DateTime<Utc>,
    },
    /// The wait for any word of the channel is over.
    Unproven,
}

/// Money that a channel verifiably took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The channel's own number.
    pub trade_no: String,
    /// What was taken.
    pub amount: Money,
    /// When, as the channel says.
    pub paid_at: Option<DateTime<Utc>>,
    /// The offset from UTC in which the channel wrote that time.
    pub paid_at_offset: Option<String>,
    /// When we learned of it.
    pub received_at: DateTime<Utc>,
    /// How we learned of it.
    pub learned_by: CaptureSource,
}

/// How the order of a captured pay record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStage {
    /// It awaits payment, or is to end and has not ended.
    Payable,
    /// It is paid.
    Paid,
    /// It was cancelled.
    Cancelled,
    /// It expired.
    Expired,
}

/// What a confirmation says of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidOrder {
    /// The order.
    pub order_id: OrderId,
    /// Its kind of business.
    pub order_type: OrderType,
    /// Its number there.
    pub out_business_id: String,
    /// Who bought.
    pub buyer_id: BuyerId,
    /// Its lines.
    pub items: Vec<OrderItem>,
}

/// Why a wish about a pay record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayRecordRejection {
    /// It was issued before.
    #[error("the pay record exists already")]
    AlreadyIssued,
    /// It is not waiting for this.
    #[error("the pay record's state does not allow it")]
    WrongState,
    /// A notification names another amount than the record asks for. Only the channel's answer to a query is believed.
    #[error("the amount is not the pay record's")]
    AmountDiffers,
}

impl Decider for PayRecord {
    type State = Self;
    type Command = PayRecordCommand;
    type Event = PayRecordEvent;
    type Rejection = PayRecordRejection;

    fn decide(state: &Self, command: PayRecordCommand) -> Result<Vec<PayRecordEvent>, PayRecordRejection> {
        if let PayRecordCommand::Issue(issued) = command {
            return if state.issued.is_none() { Ok(vec![issued.into()]) } else { Err(PayRecordRejection::AlreadyIssued) };
        }
        let issued = state.issued.as_ref().ok_or(PayRecordRejection::WrongState)?;
        let pay_no = issued.pay_no;
        match command {
            PayRecordCommand::Issue(_) => Err(PayRecordRejection::AlreadyIssued),
            PayRecordCommand::RecordPrepared { prepared, asked_at, expires_at, replaces } => match state.status {
                PayRecordStatus::Preparing => Ok(vec![PayRecordPrepared { pay_no, prepared, expires_at }.into()]),
                PayRecordStatus::Pending if state.prepared.as_ref().is_some_and(|held| *held == (prepared.clone(), expires_at)) => {
                    Ok(vec![])
                }
                // What was asked for when the last one had died takes its place.
                PayRecordStatus::Pending if state.prepared_until().is_some_and(|until| until <= asked_at && until < expires_at) => {
                    Ok(vec![PayRecordPrepared { pay_no, prepared, expires_at }.into()])
                }
                // It was asked for after what stands here had come, so the channel has let that die.
                PayRecordStatus::Pending if stands(state, replaces.as_ref(), expires_at) => {
                    Ok(vec![PayRecordPrepared { pay_no, prepared, expires_at }.into()])
                }
                PayRecordStatus::Pending => Ok(vec![]),
                _ => Err(PayRecordRejection::WrongState),
            },
            PayRecordCommand::RecordRefused { code } => match state.status {
                // A form that cannot be made was never given out.
                PayRecordStatus::Preparing | PayRecordStatus::Pending if !state.was_shown() => {
                    Ok(vec![PayRecordFailed { pay_no, code }.into()])
                }
                PayRecordStatus::Failed => Ok(vec![]),
                _ => Err(PayRecordRejection::WrongState),
            },
            PayRecordCommand::Open { now } => match state.status {
                PayRecordStatus::Preparing | PayRecordStatus::Pending if state.opened => Ok(vec![]),
                PayRecordStatus::Preparing | PayRecordStatus::Pending => Ok(vec![PayRecordOpened { pay_no, opened_at: now }.into()]),
                _ => Err(PayRecordRejection::WrongState),
            },
            PayRecordCommand::BeginClosing { cause } => Ok(begin_closing(state, cause)),
            PayRecordCommand::Close(proof) => close(state, proof),
            PayRecordCommand::Capture { capture, stage, order } => captured(state, capture, stage, order),
        }
    }

    fn evolve(state: Self, event: &PayRecordEvent) -> Self {
        state.evolved(event)
    }
}

/// Whether `replaces` is what the record holds, and does not live longer than what is to take its place.
fn stands(state: &PayRecord, replaces: Option<&Prepared>, until: DateTime<Utc>) -> bool {
    state.prepared.as_ref().is_some_and(|(held, held_until)| replaces == Some(held) && *held_until <= until)
}

/// A record that nobody has seen ends at once; one that was shown must be asked about first.
fn begin_closing(state: &PayRecord, cause: ClosingCause) -> Vec<PayRecordEvent> {
    let Some(issued) = &state.issued else { return vec![] };
    let pay_no = issued.pay_no;
    match state.status {
        PayRecordStatus::Preparing | PayRecordStatus::Pending if !state.was_shown() => {
            vec![PayRecordClosed { pay_no, proof: ClosedProof::NeverShown }.into()]
        }
        PayRecordStatus::Preparing | PayRecordStatus::Pending => vec![PayRecordClosing { pay_no, cause }.into()],
        _ => vec![],
    }
}

fn close(state: &PayRecord, proof: ClosingProof) -> Result<Vec<PayRecordEvent>, PayRecordRejection> {
    let issued = state.issued.as_ref().ok_or(PayRecordRejection::WrongState)?;
    let proof = match (state.status, proof) {
        (PayRecordStatus::Closed | PayRecordStatus::Failed, _) => return Ok(vec![]),
        (PayRecordStatus::Confirmed | PayRecordStatus::Surplus | PayRecordStatus::Unissued, _) => {
            return Err(PayRecordRejection::WrongState);
        }
        (_, ClosingProof::ChannelClosed) => ClosedProof::ChannelClosed,
        (PayRecordStatus::Preparing, ClosingProof::Absent { .. }) if !state.was_shown() => ClosedProof::NeverShown,
        (_, ClosingProof::Absent { asked_at }) => match state.begins_until() {
            // The code may yet be scanned: the channel's ignorance proves nothing, and the record stays as it is.
            Some(until) if asked_at < until + PayRecord::ABSENCE_GRACE => return Ok(vec![]),
            _ => ClosedProof::AbsentAfterGrace,
        },
        (PayRecordStatus::Closing, ClosingProof::Unproven) => ClosedProof::Unproven,
        (_, ClosingProof::Unproven) => return Err(PayRecordRejection::WrongState),
    };
    Ok(vec![PayRecordClosed { pay_no: issued.pay_no, proof }.into()])
}

fn captured(record: &PayRecord, capture: Capture, stage: OrderStage, order: PaidOrder) -> Result<Vec<PayRecordEvent>, PayRecordRejection> {
    let issued = record.issued.as_ref().ok_or(PayRecordRejection::WrongState)?;
    if record.knows_capture(&capture.trade_no) {
        return Ok(vec![]);
    }
    if capture.amount != issued.amount && capture.learned_by == CaptureSource::Notification {
        return Err(PayRecordRejection::AmountDiffers);
    }
    let surplus = match stage {
        _ if capture.amount != issued.amount => Some(SurplusReason::AmountMismatch),
        OrderStage::Paid => Some(SurplusReason::PaidTwice),
        OrderStage::Cancelled => Some(SurplusReason::AfterCancel),
        OrderStage::Payable | OrderStage::Expired => None,
    };
    let (pay_no, channel) = (issued.pay_no, issued.channel);
    let paid_at = capture.paid_at.unwrap_or(capture.received_at);
    let (amount, currency) = (capture.amount.minor_units(), capture.amount.currency());
    let Capture { trade_no, paid_at_offset, received_at, learned_by, .. } = capture;
    let event = if let Some(reason) = surplus {
        let order_id = order.order_id;
        SurplusPaymentReceived {
            pay_no,
            order_id,
            reason,
            amount,
            currency,
            channel,
            trade_no,
            paid_at,
            paid_at_offset,
            received_at,
            learned_by,
        }
        .into()
    } else if stage == OrderStage::Expired {
        let order_id = order.order_id;
        LatePaymentReceived { pay_no, order_id, amount, currency, channel, trade_no, paid_at, paid_at_offset, received_at, learned_by }
            .into()
    } else {
        let known = KnownCapture { trade_no, amount: capture.amount, paid_at, paid_at_offset, received_at, learned_by };
        confirmation(pay_no, channel, known, order).into()
    };
    Ok(vec![event])
}

/// The fact that `capture` paid `order` through the pay record `pay_no`.
pub(crate) fn confirmation(pay_no: PayNo, channel: Channel, capture: KnownCapture, order: PaidOrder) -> PaymentConfirmed {
    let PaidOrder { order_id, order_type, out_business_id, buyer_id, items } = order;
    PaymentConfirmed {
        pay_no,
        order_id,
        order_type,
        out_business_id,
        buyer_id,
        amount: capture.amount.minor_units(),
        currency: capture.amount.currency(),
        channel,
        trade_no: capture.trade_no,
        paid_at: capture.paid_at,
        paid_at_offset: capture.paid_at_offset,
        received_at: capture.received_at,
        learned_by: capture.learned_by,
        items,
    }
}
