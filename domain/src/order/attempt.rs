//! The rules of beginning to pay.

use super::commands::{Attempt, OrderRejection};
use super::events::OrderCreated;
use super::state::{Order, OrderStatus};
use super::stream::OrderStreamEvent;
use crate::decider::Decider;
use crate::ids::PayNo;
use crate::pay_record::{ClosingCause, PayRecord, PayRecordCommand, PayRecordIssued, PayRecordStatus, PaymentRequest};

/// The text of an order as a wallet may show it: without what could be read as a part of the channel's signed text,
/// and at most 128 characters.
pub fn wallet_subject(title: &str) -> String {
    const MAX_CHARS: usize = 128;
    let harmless = |c: char| if matches!(c, '&' | '=' | '/') || c.is_control() { ' ' } else { c };
    title.chars().map(harmless).take(MAX_CHARS).collect::<String>().trim().to_owned()
}

pub(super) fn attempt(order: &Order, created: &OrderCreated, attempt: &Attempt) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    match order.status {
        OrderStatus::AwaitingPayment => {}
        OrderStatus::Paid => return Err(OrderRejection::AlreadyPaid),
        _ => return Err(OrderRejection::Ended),
    }
    let is_replaced = |record: &PayRecord| record.issued.as_ref().is_some_and(|issued| Some(issued.pay_no) == attempt.replaces);
    let live = order.live_pay_record(attempt.channel).filter(|record| !is_replaced(record));
    if attempt.now < created.expires_at && live.is_some_and(|record| record.code_is_usable(attempt.now)) {
        return Ok(vec![]);
    }
    if created.expires_at - attempt.now < Order::LEAST_TIME_TO_PAY {
        return Err(OrderRejection::Expiring);
    }
    // The channel prepares the same payment anew, under the same number.
    if live.is_some_and(|record| record.can_be_renewed(attempt.now)) {
        return Ok(vec![]);
    }
    let scanned = order.pay_records.iter().filter(|record| record.issued.as_ref().is_some_and(|issued| issued.by_scan));
    if attempt.by_scan && scanned.count() >= Order::MOST_SCANS {
        return Err(OrderRejection::AttemptsExhausted);
    }
    let issued = issue(order, created, attempt)?;
    let mut events = Vec::new();
    for record in &order.pay_records {
        let same_channel = record.issued.as_ref().is_some_and(|issued| issued.channel == attempt.channel);
        let cause = if same_channel && !is_replaced(record) { ClosingCause::CodeExpired } else { ClosingCause::ChannelSwitched };
        events.extend(PayRecord::decide(record, PayRecordCommand::BeginClosing { cause })?);
    }
    let mut events: Vec<OrderStreamEvent> = events.into_iter().map(OrderStreamEvent::PayRecord).collect();
    events.extend(issued);
    Ok(events)
}

/// A title of nothing that a wallet may show leaves the order's number.
fn subject(created: &OrderCreated) -> String {
    let subject = wallet_subject(&created.draft.title);
    if subject.is_empty() { created.draft.order_id.to_string() } else { subject }
}

fn issue(order: &Order, created: &OrderCreated, attempt: &Attempt) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let number = u8::try_from(order.pay_records.len() + 1).map_err(|_| OrderRejection::AttemptsExhausted)?;
    let pay_no = PayNo::new(created.draft.order_id, number).map_err(|_| OrderRejection::AttemptsExhausted)?;
    let issued = PayRecordIssued {
        pay_no,
        order_id: created.draft.order_id,
        channel: attempt.channel,
        amount: created.draft.amount,
        currency: created.draft.currency,
        request: Some(PaymentRequest {
            subject: subject(created),
            product_code: attempt.product_code.clone(),
            time_expire: created.expires_at,
            notify_url: attempt.notify_url.clone(),
            payer: attempt.payer.clone(),
        }),
        by_scan: attempt.by_scan,
        issued_at: attempt.now,
    };
    let events = PayRecord::decide(&PayRecord::default(), PayRecordCommand::Issue(issued))?;
    Ok(events.into_iter().map(OrderStreamEvent::PayRecord).collect())
}

/// Ends an attempt whose code never reached us, and takes the next number if there is still time to pay.
pub(super) fn reattempt(
    order: &Order,
    created: &OrderCreated,
    pay_no: PayNo,
    next: &Attempt,
) -> Result<Vec<OrderStreamEvent>, OrderRejection> {
    let record = order.pay_record(pay_no).ok_or(OrderRejection::UnknownPayRecord)?;
    if record.status != PayRecordStatus::Preparing {
        return Ok(vec![]);
    }
    let cause = ClosingCause::CodeExpired;
    let ended = PayRecord::decide(record, PayRecordCommand::BeginClosing { cause })?;
    let mut events: Vec<OrderStreamEvent> = ended.into_iter().map(OrderStreamEvent::PayRecord).collect();
    let after = Order::fold(order.clone(), &events);
    match attempt(&after, created, next) {
        Ok(next_attempt) => events.extend(next_attempt),
        // The buyer is told when they ask again; what is certain is that the old attempt is over.
        Err(OrderRejection::Expiring | OrderRejection::AttemptsExhausted | OrderRejection::Ended | OrderRejection::AlreadyPaid) => {}
        Err(rejection) => return Err(rejection),
    }
    Ok(events)
}
