use super::*;
use crate::scenario::given;

const TRADE_NO: &str = "T1";

fn received() -> UnknownCaptureReceived {
    UnknownCaptureReceived {
        wallet: "alipay".to_owned(),
        trade_no: TRADE_NO.to_owned(),
        out_trade_no: "X1".to_owned(),
        amount: MinorUnits::new(100).unwrap(),
        currency: Currency::Cny,
        paid_at: None,
        paid_at_offset: None,
        received_at: DateTime::UNIX_EPOCH,
    }
}

fn key(request: &str) -> CommandKey {
    CommandKey { key_hash: "k".to_owned(), request_hash: request.to_owned() }
}

fn pay_no(text: &str) -> PayNo {
    text.parse().unwrap()
}

fn assign(number: &str, command_key: Option<CommandKey>) -> UnknownCaptureCommand {
    UnknownCaptureCommand::Assign { pay_no: pay_no(number), reason: "the buyer showed it".to_owned(), command_key }
}

fn resolve(command_key: Option<CommandKey>) -> UnknownCaptureCommand {
    UnknownCaptureCommand::Resolve { reason: "went back by hand".to_owned(), command_key }
}

fn came() -> UnknownCaptureStreamEvent {
    UnknownCaptureStreamEvent::Told(received().into())
}

fn assigned(number: &str, command_key: Option<CommandKey>) -> UnknownCaptureStreamEvent {
    let (wallet, trade_no, reason) = ("alipay".to_owned(), TRADE_NO.to_owned(), "the buyer showed it".to_owned());
    UnknownCaptureStreamEvent::Decided(UnknownCaptureAssigned { wallet, trade_no, pay_no: pay_no(number), reason, command_key }.into())
}

fn resolved(command_key: Option<CommandKey>) -> UnknownCaptureStreamEvent {
    let (wallet, trade_no, reason) = ("alipay".to_owned(), TRADE_NO.to_owned(), "went back by hand".to_owned());
    UnknownCaptureStreamEvent::Decided(UnknownCaptureResolved { wallet, trade_no, reason, command_key }.into())
}

#[test]
fn an_unknown_capture_told_twice_is_recorded_once_whatever_became_of_it() {
    given::<UnknownCapture>(&[]).when(UnknownCaptureCommand::Receive(received())).then([came()]);
    for settled in [vec![came()], vec![came(), assigned("1234501", None)], vec![came(), resolved(None)]] {
        given::<UnknownCapture>(&settled).when(UnknownCaptureCommand::Receive(received())).then_nothing();
    }
}

#[test]
fn it_is_assigned_to_one_pay_record_and_to_no_other() {
    given::<UnknownCapture>(&[came()]).when(assign("1234501", None)).then([assigned("1234501", None)]);
    let settled = given::<UnknownCapture>(&[came(), assigned("1234501", None)]);
    assert_eq!(settled.state().settlement, Some(Settlement::Assigned(pay_no("1234501"))));
    settled.when(assign("1234501", None)).then_nothing();
    settled.when(assign("1234502", None)).then_rejected(UnknownCaptureRejection::Settled);
    settled.when(resolve(None)).then_rejected(UnknownCaptureRejection::Settled);
}

#[test]
fn it_is_resolved_once_and_then_belongs_to_no_pay_record() {
    given::<UnknownCapture>(&[came()]).when(resolve(None)).then([resolved(None)]);
    let settled = given::<UnknownCapture>(&[came(), resolved(None)]);
    assert_eq!(settled.state().settlement, Some(Settlement::Resolved));
    settled.when(resolve(None)).then_nothing();
    settled.when(assign("1234501", None)).then_rejected(UnknownCaptureRejection::Settled);
}

#[test]
fn money_that_did_not_come_is_neither_assigned_nor_resolved() {
    for command in [assign("1234501", None), resolve(None)] {
        given::<UnknownCapture>(&[]).when(command).then_rejected(UnknownCaptureRejection::Unknown);
    }
}

#[test]
fn a_key_does_one_thing_once() {
    let settled = given::<UnknownCapture>(&[came(), assigned("1234501", Some(key("a")))]);
    settled.when(assign("1234501", Some(key("a")))).then_nothing();
    settled.when(assign("1234501", Some(key("b")))).then_rejected(UnknownCaptureRejection::KeyReused);
    settled.when(resolve(Some(key("b")))).then_rejected(UnknownCaptureRejection::KeyReused);
    given::<UnknownCapture>(&[came(), resolved(Some(key("a")))]).when(resolve(Some(key("a")))).then_nothing();
}

#[test]
fn every_event_of_the_stream_is_read_as_it_was_written() {
    for event in [came(), assigned("1234501", Some(key("a"))), resolved(None)] {
        let read = UnknownCaptureStreamEvent::from_stored(event.event_type(), event.schema_version(), &event.to_json());
        assert_eq!(read.unwrap(), event);
    }
    assert!(UnknownCaptureStreamEvent::from_stored("OrderPaid", 1, "{}").is_err());
}
