use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::channel::Channel;
use crate::ids::{BuyerId, OrderId, PayNo};
use crate::money::{Currency, MinorUnits, Money};
use crate::order::OrderType;
use crate::scenario;

fn given(events: &[PayRecordEvent]) -> scenario::Given<PayRecord> {
    scenario::given(events)
}

fn minute(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn order_id() -> OrderId {
    OrderId::parse("7231982345678901234").unwrap()
}

fn pay_no() -> PayNo {
    PayNo::new(order_id(), 1).unwrap()
}

fn money(amount: i64) -> Money {
    Money::new(amount, Currency::Cny).unwrap()
}

/// Issued at minute 0, taken by the channel until minute 30.
fn issued() -> PayRecordIssued {
    PayRecordIssued {
        pay_no: pay_no(),
        order_id: order_id(),
        channel: Channel::AlipayQr,
        amount: MinorUnits::new(100).unwrap(),
        currency: Currency::Cny,
        request: Some(PaymentRequest {
            subject: "Rust for beginners".to_owned(),
            product_code: "QR_CODE_OFFLINE".to_owned(),
            time_expire: minute(30),
            notify_url: "https://pay.example/notify/alipay".to_owned(),
            payer: None,
        }),
        by_scan: false,
        issued_at: minute(0),
    }
}

fn code(code_url: &str) -> Prepared {
    Prepared::Code { code_url: code_url.to_owned() }
}

fn prepared(until: i64) -> PayRecordEvent {
    PayRecordPrepared { pay_no: pay_no(), prepared: code("https://qr.alipay.com/bax1"), expires_at: minute(until) }.into()
}

fn opened() -> PayRecordEvent {
    PayRecordOpened { pay_no: pay_no(), opened_at: minute(1) }.into()
}

fn failed() -> PayRecordEvent {
    PayRecordFailed { pay_no: pay_no(), code: "ACQ.INVALID_PARAMETER".to_owned() }.into()
}

fn closing() -> PayRecordEvent {
    PayRecordClosing { pay_no: pay_no(), cause: ClosingCause::CodeExpired }.into()
}

fn closed(proof: ClosedProof) -> PayRecordEvent {
    PayRecordClosed { pay_no: pay_no(), proof }.into()
}

fn paid_order() -> PaidOrder {
    PaidOrder {
        order_id: order_id(),
        order_type: OrderType::course(),
        out_business_id: "7".to_owned(),
        buyer_id: BuyerId::parse("buyer-1").unwrap(),
        items: vec![],
    }
}

fn capture(amount: i64, learned_by: CaptureSource, stage: OrderStage) -> PayRecordCommand {
    let capture = Capture {
        trade_no: "T1".to_owned(),
        amount: money(amount),
        paid_at: Some(minute(5)),
        paid_at_offset: None,
        received_at: minute(6),
        learned_by,
    };
    PayRecordCommand::Capture { capture, stage, order: paid_order() }
}

fn confirmed() -> PayRecordEvent {
    let known = KnownCapture {
        trade_no: "T1".to_owned(),
        amount: money(100),
        paid_at: minute(5),
        paid_at_offset: None,
        received_at: minute(6),
        learned_by: CaptureSource::Query,
    };
    confirmation(pay_no(), Channel::AlipayQr, known, paid_order()).into()
}

fn surplus(amount: i64, reason: SurplusReason) -> PayRecordEvent {
    SurplusPaymentReceived {
        pay_no: pay_no(),
        order_id: order_id(),
        reason,
        amount: MinorUnits::new(amount).unwrap(),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: "T1".to_owned(),
        paid_at: minute(5),
        paid_at_offset: None,
        received_at: minute(6),
        learned_by: CaptureSource::Query,
    }
    .into()
}

#[test]
fn an_attempt_is_issued_once() {
    given(&[]).when(PayRecordCommand::Issue(issued())).then([issued().into()]);
    given(&[issued().into()]).when(PayRecordCommand::Issue(issued())).then_rejected(PayRecordRejection::AlreadyIssued);
}

#[test]
fn nothing_but_its_issue_is_asked_of_an_attempt_that_is_not() {
    let wishes = [
        PayRecordCommand::RecordPrepared { prepared: code("c"), asked_at: minute(0), expires_at: minute(1), replaces: None },
        PayRecordCommand::RecordRefused { code: "c".to_owned() },
        PayRecordCommand::Open { now: minute(1) },
        PayRecordCommand::BeginClosing { cause: ClosingCause::CodeExpired },
        PayRecordCommand::Close(ClosingProof::ChannelClosed),
        capture(100, CaptureSource::Query, OrderStage::Payable),
    ];
    for wish in wishes {
        given(&[]).when(wish).then_rejected(PayRecordRejection::WrongState);
    }
}

#[test]
fn what_nobody_saw_ends_at_once_and_what_was_shown_is_closing() {
    let wish = || PayRecordCommand::BeginClosing { cause: ClosingCause::CodeExpired };
    given(&[issued().into()]).when(wish()).then([closed(ClosedProof::NeverShown)]);
    given(&[issued().into(), prepared(30)]).when(wish()).then([closing()]);
    given(&[issued().into(), opened()]).when(wish()).then([closing()]);
}

#[test]
fn what_is_over_or_closing_is_not_closed_again() {
    let lives = [
        vec![failed()],
        vec![closed(ClosedProof::NeverShown)],
        vec![prepared(30), closing()],
        vec![prepared(30), confirmed()],
        vec![prepared(30), surplus(1, SurplusReason::AmountMismatch)],
    ];
    for life in lives {
        let events: Vec<PayRecordEvent> = std::iter::once(issued().into()).chain(life).collect();
        given(&events).when(PayRecordCommand::BeginClosing { cause: ClosingCause::ChannelSwitched }).then_nothing();
    }
}

#[test]
fn money_is_owed_late_or_surplus_as_its_order_stands() {
    let record = given(&[issued().into(), prepared(30)]);
    let query = CaptureSource::Query;
    record.when(capture(100, query, OrderStage::Payable)).then([confirmed()]);
    record.when(capture(100, query, OrderStage::Paid)).then([surplus(100, SurplusReason::PaidTwice)]);
    record.when(capture(100, query, OrderStage::Cancelled)).then([surplus(100, SurplusReason::AfterCancel)]);
    let late = LatePaymentReceived {
        pay_no: pay_no(),
        order_id: order_id(),
        amount: MinorUnits::new(100).unwrap(),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: "T1".to_owned(),
        paid_at: minute(5),
        paid_at_offset: None,
        received_at: minute(6),
        learned_by: query,
    };
    record.when(capture(100, query, OrderStage::Expired)).then([late.into()]);
}

#[test]
fn another_sum_is_surplus_by_query_and_refused_by_notification_however_its_order_stands() {
    let record = given(&[issued().into(), prepared(30)]);
    for stage in [OrderStage::Payable, OrderStage::Paid, OrderStage::Cancelled, OrderStage::Expired] {
        for amount in [0, 99, 101] {
            let mismatch = surplus(amount, SurplusReason::AmountMismatch);
            record.when(capture(amount, CaptureSource::Query, stage)).then([mismatch]);
            record.when(capture(amount, CaptureSource::Notification, stage)).then_rejected(PayRecordRejection::AmountDiffers);
        }
    }
}

#[test]
fn a_capture_that_is_known_changes_nothing() {
    for known in [confirmed(), surplus(100, SurplusReason::PaidTwice)] {
        let record = given(&[issued().into(), known]);
        for stage in [OrderStage::Payable, OrderStage::Paid, OrderStage::Cancelled, OrderStage::Expired] {
            record.when(capture(100, CaptureSource::Notification, stage)).then_nothing();
        }
    }
}

#[test]
fn a_code_is_usable_until_its_end_and_one_that_is_awaited_counts_as_usable() {
    let awaited = given(&[issued().into()]);
    assert!(awaited.state().code_is_usable(minute(500)));
    let pending = given(&[issued().into(), prepared(10)]);
    assert!(pending.state().code_is_usable(minute(10) - TimeDelta::microseconds(1)));
    assert!(!pending.state().code_is_usable(minute(10)));
}

fn on_a_page() -> PayRecordEvent {
    PayRecordIssued { channel: Channel::AlipayPage, ..issued() }.into()
}

#[test]
fn a_payment_on_the_channels_page_needs_no_preparing_and_ends_at_once_until_its_form_is_given_out() {
    let unopened = given(&[on_a_page()]);
    assert_eq!((unopened.state().status, unopened.state().was_shown()), (PayRecordStatus::Pending, false));
    unopened.when(PayRecordCommand::BeginClosing { cause: ClosingCause::OrderExpired }).then([closed(ClosedProof::NeverShown)]);
    unopened.when(PayRecordCommand::RecordRefused { code: "ACQ.INVALID_PARAMETER".to_owned() }).then([failed()]);
    unopened.when(PayRecordCommand::Open { now: minute(1) }).then([opened()]);
    let given_out = given(&[on_a_page(), opened()]);
    given_out.when(PayRecordCommand::Open { now: minute(2) }).then_nothing();
    given_out.when(PayRecordCommand::BeginClosing { cause: ClosingCause::OrderExpired }).then([PayRecordClosing {
        pay_no: pay_no(),
        cause: ClosingCause::OrderExpired,
    }
    .into()]);
    let refused = PayRecordCommand::RecordRefused { code: "ACQ.INVALID_PARAMETER".to_owned() };
    given_out.when(refused).then_rejected(PayRecordRejection::WrongState);
}

#[test]
fn a_form_is_given_out_up_to_two_minutes_before_its_end_and_can_be_brought_up_to_it() {
    for life in [vec![on_a_page()], vec![on_a_page(), opened()]] {
        let record = given(&life);
        assert!(record.state().code_is_usable(minute(28)));
        assert!(!record.state().code_is_usable(minute(28) + TimeDelta::microseconds(1)));
        assert_eq!(record.state().begins_until(), Some(minute(30)));
    }
    let given_out = given(&[on_a_page(), opened(), closing()]);
    let absent = |minutes| PayRecordCommand::Close(ClosingProof::Absent { asked_at: minute(minutes) });
    given_out.when(absent(34)).then_nothing();
    given_out.when(absent(35)).then([closed(ClosedProof::AbsentAfterGrace)]);
    assert_eq!(given(&[issued().into()]).state().form_until(), None);
}

#[test]
fn a_payment_begins_before_the_codes_end_and_the_channels_expiry() {
    let until = |events: &[PayRecordEvent]| given(events).state().begins_until();
    assert_eq!(until(&[]), None);
    assert_eq!(until(&[issued().into()]), Some(minute(30)));
    assert_eq!(until(&[issued().into(), prepared(10)]), Some(minute(10)));
    assert_eq!(until(&[issued().into(), prepared(90)]), Some(minute(30)));
}

#[test]
fn a_record_says_how_far_it_has_come() {
    let status = |life: &[PayRecordEvent]| {
        let events: Vec<PayRecordEvent> = std::iter::once(issued().into()).chain(life.iter().cloned()).collect();
        let record = given(&events);
        (record.state().status, record.state().is_live(), record.state().was_shown())
    };
    assert_eq!(status(&[]), (PayRecordStatus::Preparing, true, false));
    assert_eq!(status(&[prepared(30)]), (PayRecordStatus::Pending, true, true));
    assert_eq!(status(&[opened()]), (PayRecordStatus::Pending, true, true));
    assert_eq!(status(&[prepared(30), closing()]), (PayRecordStatus::Closing, true, true));
    assert_eq!(status(&[prepared(30), closing(), closed(ClosedProof::Unproven)]), (PayRecordStatus::Closed, false, true));
    assert_eq!(status(&[failed()]), (PayRecordStatus::Failed, false, false));
    assert_eq!(status(&[confirmed()]), (PayRecordStatus::Confirmed, false, false));
    assert_eq!(status(&[surplus(1, SurplusReason::AmountMismatch)]), (PayRecordStatus::Surplus, false, false));
}

#[test]
fn a_status_has_the_contracts_word() {
    use PayRecordStatus::*;
    let words = [Preparing, Pending, Closing, Confirmed, Closed, Failed, Surplus].map(PayRecordStatus::as_str);
    assert_eq!(words, ["preparing", "pending", "closing", "confirmed", "closed", "failed", "surplus"]);
}
