//! Notifications and returns.

use std::collections::BTreeMap;
use std::sync::Arc;

use chassis::clock::ManualClock;
use domain::{Currency, Money};

use super::super::charset::Charset;
use super::super::form::{Empty, Form};
use super::super::tests::{Canned, answering, http_answer};
use super::super::{AlipayGateway, notification, signed_return};
use super::{Context, cases, config_of, context, settings_of};
use crate::vectors::{Case, Members};
use crate::{Gateway, News, Notification, NotificationRefusal, RawNotification, Receipt};

/// When the vectors' notifications come. Public keys have no dates, so it makes no difference here.
const NOW: &str = "2026-03-05T06:08:33Z";

#[test]
fn notifications_are_verified_as_by_every_other_implementation() {
    let context = context();
    for mut case in cases("notify_verify") {
        let body = case.input.body();
        let config = config_of(&context, &case.input_text("alipay_public_key"));
        let verified = notification::verified(&body, &config.alipay_keys, NOW.parse().unwrap());
        assert_eq!(verified.is_ok(), case.expect.is("signature_valid"), "{}: {:?}", case.name, verified.err());
        if let Ok(form) = verified {
            compare_with_facts(&mut case, &form);
        }
        assert!(case.policy.take().is_some(), "{}", case.name);
        case.assert_all_read();
    }
}

fn compare_with_facts(case: &mut Case, form: &Form<'_>) {
    let charset = case.expect.text("canonical_charset").map_or(Charset::Utf8, |name| Charset::parse(name.as_bytes()).unwrap());
    let text = |bytes: &[u8]| charset.decode(bytes).unwrap().into_owned();
    let params: BTreeMap<String, String> = form.iter().map(|(name, value)| (text(name), text(value))).collect();
    assert_eq!(params, case.expect.texts("params"), "{}", case.name);
    // Members without a value are signed in some notifications and not in others; the case says which.
    let texts = [Empty::Kept, Empty::Dropped].map(|empty| text(&form.canonical(&["sign", "sign_type"], empty)));
    let expected = case.expected_text("canonical");
    assert!(texts.contains(&expected), "{}: {texts:?}", case.name);
}

#[test]
fn notifications_have_the_effect_of_the_written_rules() {
    let context = context();
    for mut case in cases("notify_verify") {
        let settings = settings_of(&context, &case.input_text("alipay_public_key"));
        let (gateway, _) = answering(&settings, Ok(http_answer("")));
        let raw = RawNotification { headers: Vec::new(), body: case.input.body() };
        let now = NOW.parse().unwrap();
        let read = gateway.read_notification(&raw, now);
        let mut policy = case.policy.take().unwrap_or_else(|| panic!("{} has a policy", case.name));
        let judged = read.as_ref().map_err(|refusal| *refusal).and_then(|notification| judge(notification, &context));
        compare_with_policy(&case.name, &mut policy, judged.as_ref().map(|(notification, news)| (*notification, *news)), &gateway);
        policy.assert_all_read(&case.name);
    }
}

/// Compares with the context's orders, as the command handler does with its pay record.
fn judge<'a>(notification: &'a Notification, context: &Context) -> Result<(&'a Notification, &'a News), NotificationRefusal> {
    let expected = context.orders.get(&notification.out_trade_no).map(|yuan| Money::parse_major(yuan, Currency::Cny).unwrap());
    notification.judge(expected).map(|news| (notification, news))
}

fn compare_with_policy(
    name: &str,
    policy: &mut Members,
    judged: Result<(&Notification, &News), &NotificationRefusal>,
    gateway: &AlipayGateway,
) {
    let effect = policy.text("effect").unwrap_or_else(|| panic!("{name} has an effect"));
    let reply = policy.text("reply");
    let reason = policy.text("reason");
    let may_query_first = policy.is("may_query_first");
    let refund_total = policy.text("refund_total");
    let is_final = policy.is("final");
    let receipt = match judged {
        Err(refusal) => {
            assert_eq!((effect.as_str(), reason), ("reject", Some(refusal.to_string())), "{name}");
            Receipt::Refused
        }
        Ok((notification, news)) => {
            assert_eq!(reason, None, "{name}");
            if notification.query_first && effect != "ask_trade_query" {
                assert!(may_query_first, "{name}: it is asked about first");
            }
            if !(notification.query_first && effect == "ask_trade_query") {
                assert_eq!(effect_of(news), effect, "{name}");
                let told = match news {
                    News::Refunded { total, .. } => (Some(total.major_text()), false),
                    News::Paid { is_final, .. } => (None, *is_final),
                    News::AwaitingBuyer | News::ClosedUnpaid | News::Unclear | News::Refund { .. } => (None, false),
                };
                assert_eq!(told, (refund_total, is_final), "{name}");
            }
            Receipt::Durable
        }
    };
    let sent = gateway.reply(receipt).body;
    match reply {
        Some(reply) => assert_eq!(sent, reply, "{name}"),
        None => assert_ne!(sent, "success", "{name}"),
    }
}

fn effect_of(news: &News) -> &'static str {
    match news {
        News::Paid { .. } => "paid",
        News::AwaitingBuyer => "none",
        News::ClosedUnpaid => "closed",
        News::Refunded { whole: false, .. } => "refund_partial",
        News::Refunded { whole: true, .. } => "refund_full",
        News::Unclear => "ask_trade_query",
        News::Refund { .. } => "told by WeChat Pay only",
    }
}

#[test]
fn returns_are_verified_in_both_forms_and_only_shown() {
    let context = context();
    for mut case in cases("return_url_verify") {
        let query = case.input_text("query");
        let public_key = case.input_text("alipay_public_key");
        let config = config_of(&context, &public_key);
        let text = signed_return(query.as_bytes(), &config.alipay_keys, NOW.parse().unwrap()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(text.is_some(), case.expect.is("signature_valid"), "{}", case.name);
        assert_eq!(text, case.expect.text("canonical"), "{}", case.name);
        let clock = Arc::new(ManualClock::new("2026-03-05T06:08:40Z".parse().unwrap()));
        let config = super::AlipayConfig::new(&settings_of(&context, &public_key)).unwrap();
        let gateway = AlipayGateway::over(Box::new(Arc::new(Canned::default())), config, clock);
        assert_eq!(gateway.is_genuine_return(query.as_bytes()), text.is_some(), "{}", case.name);
        // Nothing in the port takes a return, so it can have no other effect than a page.
        let mut policy = case.policy.take().unwrap_or_else(|| panic!("{} has a policy", case.name));
        assert_eq!(policy.text("effect").as_deref(), Some("show_pending_page"), "{}", case.name);
        assert_eq!(policy.text("note").as_deref(), Some("never a proof of payment"), "{}", case.name);
        policy.assert_all_read(&case.name);
        case.assert_all_read();
    }
}
