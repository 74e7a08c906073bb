use super::*;
use crate::scenario::given;

fn key(request: &str) -> CommandKey {
    CommandKey { key_hash: "k".to_owned(), request_hash: request.to_owned() }
}

fn rejudged(notice_id: &str, command_key: Option<CommandKey>) -> OperationEvent {
    NoticeRejudged {
        notice_id: notice_id.to_owned(),
        wallet: "alipay".to_owned(),
        out_trade_no: None,
        verdict_before: "undecided".to_owned(),
        verdict: "recorded".to_owned(),
        is_open: false,
        reason: "the store is back".to_owned(),
        command_key,
    }
    .into()
}

fn dismissed(notice_id: &str, command_key: Option<CommandKey>) -> OperationEvent {
    NoticeDismissed {
        notice_id: notice_id.to_owned(),
        wallet: "alipay".to_owned(),
        out_trade_no: Some("X1".to_owned()),
        verdict: "bad_charset".to_owned(),
        reason: "not ours".to_owned(),
        command_key,
    }
    .into()
}

#[test]
fn a_notification_is_dismissed_once_a_day() {
    given::<Operations>(&[]).when(dismissed("7", None)).then([dismissed("7", None)]);
    let day = given::<Operations>(&[dismissed("7", None)]);
    day.when(dismissed("7", None)).then_nothing();
    day.when(dismissed("8", None)).then([dismissed("8", None)]);
}

#[test]
fn every_time_that_a_notification_is_judged_anew_is_recorded() {
    given::<Operations>(&[rejudged("7", None)]).when(rejudged("7", None)).then([rejudged("7", None)]);
}

#[test]
fn a_key_does_one_thing_once() {
    let day = given::<Operations>(&[rejudged("7", Some(key("a")))]);
    day.when(rejudged("7", Some(key("a")))).then_nothing();
    day.when(rejudged("7", Some(key("b")))).then_rejected(OperationRejection::KeyReused);
    assert_eq!(day.state().done(Some(&key("a"))), Ok(Some(&rejudged("7", Some(key("a"))))));
    assert_eq!((day.state().done(None), day.state().done(Some(&key("b")))), (Ok(None), Err(OperationRejection::KeyReused)));
}

fn parked_subject() -> ParkedSubject {
    ParkedSubject {
        consumer: "points".to_owned(),
        stream_id: "order-7231982345678901234".to_owned(),
        position: "418".to_owned(),
        event_id: "0197f0a2-0000-7000-8000-000000000001".to_owned(),
        event_type: "PaymentConfirmed".to_owned(),
    }
}

fn wished(act: u128, command_key: Option<CommandKey>) -> OperationEvent {
    let (act_id, reason) = (Uuid::from_u128(act), "the order was made good by hand".to_owned());
    ParkedActRequested { act_id, act: ParkedAct::Skip, subject: parked_subject(), reason, command_key }.into()
}

fn done(act: u128) -> OperationEvent {
    let (act_id, reason) = (Uuid::from_u128(act), "the order was made good by hand".to_owned());
    ParkedActDone { act_id, act: ParkedAct::Skip, subject: parked_subject(), reason }.into()
}

fn lapsed(act: u128) -> OperationEvent {
    ParkedActLapsed { act_id: Uuid::from_u128(act), act: ParkedAct::Skip, subject: parked_subject() }.into()
}

#[test]
fn a_wish_about_a_parked_message_has_one_outcome() {
    let day = given::<Operations>(&[wished(1, None)]);
    assert_eq!(day.state().parked_act_done(Uuid::from_u128(1)), None);
    day.when(wished(1, None)).then_nothing();
    day.when(wished(2, None)).then([wished(2, None)]);
    day.when(done(1)).then([done(1)]);
    day.when(lapsed(1)).then([lapsed(1)]);
    for (outcome, was_done) in [(done(1), true), (lapsed(1), false)] {
        let day = given::<Operations>(&[wished(1, None), outcome]);
        assert_eq!(day.state().parked_act_done(Uuid::from_u128(1)), Some(was_done));
        day.when(done(1)).then_nothing();
        day.when(lapsed(1)).then_nothing();
    }
}

#[test]
fn what_nobody_wished_has_no_outcome() {
    given::<Operations>(&[wished(1, None)]).when(done(2)).then_nothing();
    given::<Operations>(&[]).when(lapsed(2)).then_nothing();
}

#[test]
fn a_key_wishes_once_about_parked_messages_too() {
    let day = given::<Operations>(&[wished(1, Some(key("a")))]);
    day.when(wished(2, Some(key("a")))).then_nothing();
    day.when(wished(2, Some(key("b")))).then_rejected(OperationRejection::KeyReused);
    day.when(rejudged("7", Some(key("b")))).then_rejected(OperationRejection::KeyReused);
}

#[test]
fn a_parked_message_is_named_by_its_consumer_and_its_place() {
    assert_eq!(parked_subject().parked_id(), "points-418");
    assert_eq!([ParkedAct::Redrive, ParkedAct::Skip].map(ParkedAct::as_str), ["redrive", "skip"]);
}
