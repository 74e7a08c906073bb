//! The form of messages, and answers to calls.

use super::super::answer::{Answer, AnswerError};
use super::super::sign::SignatureError;
use super::super::tests::{World, order};
use super::super::xml::{self, Members, XmlError};
use super::{cases, context};
use crate::vectors::Case;
use crate::{Gateway, GatewayError, NotificationRefusal, Precreated, ProductCodes, RawNotification, TradeState};
use domain::Channel;

#[test]
fn messages_are_read_as_by_every_other_implementation() {
    for mut case in cases("xml_parse") {
        let read = xml::read(&case.xml(), xml::ROOT).unwrap();
        assert_eq!(read, case.expect.texts("fields"), "{}", case.name);
        let written = xml::write(read.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(xml::read(written.as_bytes(), xml::ROOT), Ok(read), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn messages_that_are_not_safe_are_refused_before_anything_of_them_is_used() {
    let world = World::new(&super::settings());
    for mut case in cases("xml_reject") {
        let body = case.xml();
        let refused = xml::read(&body, xml::ROOT).is_err();
        assert_eq!(refused, case.expect.is("rejected"), "{}", case.name);
        let mut policy = case.policy.take().unwrap_or_else(|| panic!("{} has a policy", case.name));
        assert_eq!(policy.text("effect").as_deref(), Some("reject"), "{}", case.name);
        let reason = policy.text("reason").unwrap();
        assert_eq!(reason, "unsafe_xml", "{}", case.name);
        let raw = RawNotification { headers: Vec::new(), body: body.clone() };
        let now = "2026-03-05T06:08:33Z".parse().unwrap();
        for refusal in [world.native().read_notification(&raw, now).unwrap_err(), world.native().read_scan(&body).unwrap_err()] {
            // The vectors have one word for both.
            assert!(matches!(refusal, NotificationRefusal::UnsafeXml | NotificationRefusal::Malformed), "{}: {refusal}", case.name);
            assert_eq!(refusal.to_string() == reason, !case.name.contains("truncated"), "{}", case.name);
        }
        policy.assert_all_read(&case.name);
        case.assert_all_read();
    }
    assert_eq!(xml::read(b"<!DOCTYPE xml><xml/>", xml::ROOT), Err(XmlError::Unsafe));
}

#[test]
fn answers_are_verified_as_by_every_other_implementation() {
    let context = context();
    for mut case in cases("response_verify") {
        let body = case.xml();
        let world = World::new(&case.settings(&context));
        let members = xml::read(&body, xml::ROOT).unwrap();
        let is_genuine = world.merchant.config.signer.verify(&members).is_ok();
        assert_eq!(is_genuine, case.expect.is("signature_valid"), "{}", case.name);
        let answer = Answer::read(&body, &world.merchant.config);
        assert_eq!(answer.is_ok(), is_genuine, "{}", case.name);
        if let Some(fields) = case.expect.texts_if_given("fields") {
            assert_eq!(members, fields, "{}", case.name);
        }
        case.policy = None;
        case.assert_all_read();
    }
}

#[tokio::test]
async fn answers_have_the_effect_of_the_written_rules() {
    let context = context();
    for mut case in cases("response_verify") {
        let body = case.xml();
        let members = xml::read(&body, xml::ROOT).unwrap();
        let world = World::new(&case.settings(&context));
        world.canned.lay(body);
        let effect = effect_of(&world, &case, &members).await;
        let Some(mut policy) = case.policy.take() else {
            assert_eq!(Some(effect), members.get("code_url").map(|url| format!("code {url}")), "{}", case.name);
            continue;
        };
        let expected = match policy.text("effect").unwrap().as_str() {
            "business_error" => format!("business_error {}", policy.text("err_code").unwrap()),
            "reject" => format!("reject {}", policy.text("reason").unwrap()),
            other => other.to_owned(),
        };
        assert_eq!(effect, expected, "{}", case.name);
        policy.assert_all_read(&case.name);
    }
}

/// Calls what the answer's members say that it answers, and names what came of it in the words of the vectors.
async fn effect_of(world: &World, case: &Case, members: &Members) -> String {
    let number = context().orders.into_keys().next().unwrap();
    if members.contains_key("trade_state") {
        return match world.native().query(&number).await {
            Ok(TradeState::Paid(_)) => "paid".to_owned(),
            Ok(TradeState::AwaitingBuyer { .. }) => "unpaid".to_owned(),
            other => panic!("{}: {other:?}", case.name),
        };
    }
    match world.native().precreate(&order(Channel::WechatNativeV2)).await {
        Ok(Precreated::Code { code_url } | Precreated::CodeAndPrepay { code_url, .. }) => format!("code {code_url}"),
        Err(GatewayError::Unknown { source, .. }) => effect_of_unknown(source.as_ref()),
        other => panic!("{}: {other:?}", case.name),
    }
}

fn effect_of_unknown(source: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match source.downcast_ref::<crate::Inconclusive>() {
        Some(open) if open.code.starts_with("FAIL ") => return "communication_error".to_owned(),
        Some(open) => return format!("business_error {}", open.code),
        None => {}
    }
    match source.downcast_ref::<super::super::CallError>() {
        Some(super::super::CallError::Answer(AnswerError::Signature(SignatureError::Forged))) => "reject bad_signature".to_owned(),
        other => panic!("{other:?}"),
    }
}
