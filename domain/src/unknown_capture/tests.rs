use super::*;
use crate::money::Currency;
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

fn matched(number: &str) -> UnknownCaptureStreamEvent {
    let (wallet, trade_no) = ("alipay".to_owned(), TRADE_NO.to_owned());
    UnknownCaptureStreamEvent::Decided(UnknownCaptureMatched { wallet, trade_no, pay_no: pay_no(number) }.into())
}

fn unassigned(number: &str) -> UnknownCaptureStreamEvent {
    let (wallet, trade_no, cause) = ("alipay".to_owned(), TRADE_NO.to_owned(), UnassignCause::WentBack);
    UnknownCaptureStreamEvent::Decided(UnknownCaptureUnassigned { wallet, trade_no, pay_no: pay_no(number), cause }.into())
}

fn refunded(amount: i64) -> UnknownCaptureStreamEvent {
    let (wallet, trade_no) = ("alipay".to_owned(), TRADE_NO.to_owned());
    let (refunded_amount, currency, received_at) = (fen(amount), Currency::Cny, DateTime::UNIX_EPOCH);
    UnknownCaptureStreamEvent::Told(UnknownCaptureRefunded { wallet, trade_no, refunded_amount, currency, received_at }.into())
}

fn fen(amount: i64) -> MinorUnits {
    MinorUnits::new(amount).unwrap()
}

fn refund(amount: i64) -> UnknownCaptureCommand {
    UnknownCaptureCommand::Refund { total: fen(amount).of(Currency::Cny), now: DateTime::UNIX_EPOCH }
}

fn match_to(number: &str, told: Option<i64>) -> UnknownCaptureCommand {
    UnknownCaptureCommand::Match { pay_no: pay_no(number), refunded: told.map(fen) }
}

fn unassign(number: &str) -> UnknownCaptureCommand {
    UnknownCaptureCommand::Unassign { pay_no: pay_no(number), cause: UnassignCause::WentBack }
}

#[test]
fn an_assignment_ends_when_its_order_has_the_money() {
    let begun = given::<UnknownCapture>(&[came(), assigned("1234501", None)]);
    begun.when(match_to("1234501", None)).then([matched("1234501")]);
    begun.when(match_to("1234502", None)).then_rejected(UnknownCaptureRejection::Settled);
    let ended = given::<UnknownCapture>(&[came(), assigned("1234501", None), matched("1234501")]);
    assert_eq!(ended.state().settlement, Some(Settlement::Matched(pay_no("1234501"))));
    ended.when(match_to("1234501", None)).then_nothing();
    ended.when(assign("1234501", None)).then_nothing();
    for other in [match_to("1234502", None), unassign("1234501"), assign("1234502", None), resolve(None), refund(40)] {
        ended.when(other).then_rejected(UnknownCaptureRejection::Settled);
    }
}

#[test]
fn an_assignment_that_cannot_be_carried_out_leaves_the_money_to_be_decided_on() {
    let begun = [came(), assigned("1234501", Some(key("a")))];
    given::<UnknownCapture>(&begun).when(unassign("1234501")).then([unassigned("1234501")]);
    given::<UnknownCapture>(&begun).when(unassign("1234502")).then_rejected(UnknownCaptureRejection::Settled);
    let [came, begun] = begun;
    let open = given::<UnknownCapture>(&[came, begun, unassigned("1234501")]);
    assert_eq!((open.state().settlement, open.state().reason.as_deref()), (None, None));
    open.when(unassign("1234501")).then_nothing();
    open.when(unassign("1234502")).then_rejected(UnknownCaptureRejection::Settled);
    open.when(assign("1234502", None)).then([assigned("1234502", None)]);
    open.when(assign("1234501", Some(key("a")))).then([assigned("1234501", Some(key("a")))]);
    open.when(resolve(None)).then([resolved(None)]);
    // Who recorded it on the order at the same moment says so: that is a fact.
    open.when(match_to("1234501", None)).then([matched("1234501")]);
    open.when(match_to("1234502", None)).then_rejected(UnknownCaptureRejection::Settled);
}

#[test]
fn what_went_back_of_it_is_recorded_as_it_grows_and_goes_with_it_to_its_order() {
    let open = given::<UnknownCapture>(&[came(), refunded(40)]);
    assert_eq!(open.state().refunded, Some(fen(40)));
    open.when(refund(60)).then([refunded(60)]);
    for known in [refund(40), refund(39), refund(101)] {
        open.when(known).then_nothing();
    }
    let begun = given::<UnknownCapture>(&[came(), assigned("1234501", None), refunded(40)]);
    begun.when(refund(60)).then([refunded(60)]);
    begun.when(match_to("1234501", Some(40))).then([matched("1234501")]);
    begun.when(match_to("1234501", Some(60))).then([matched("1234501")]);
    for untold in [None, Some(39)] {
        begun.when(match_to("1234501", untold)).then_rejected(UnknownCaptureRejection::RefundUntold);
    }
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
fn nothing_becomes_of_money_that_did_not_come() {
    for command in [assign("1234501", None), resolve(None), refund(1), match_to("1234501", None), unassign("1234501")] {
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
    let outcomes = [matched("1234501"), unassigned("1234501"), refunded(40)];
    for event in [came(), assigned("1234501", Some(key("a"))), resolved(None)].into_iter().chain(outcomes) {
        let read = UnknownCaptureStreamEvent::from_stored(event.event_type(), event.schema_version(), &event.to_json());
        assert_eq!(read.unwrap(), event);
    }
    assert!(UnknownCaptureStreamEvent::from_stored("OrderPaid", 1, "{}").is_err());
}
