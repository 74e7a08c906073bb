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
