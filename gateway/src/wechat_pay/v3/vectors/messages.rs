//! Answers and notifications.

use chrono::{DateTime, Utc};
use domain::{Currency, Money};

use super::super::WechatPayGateway;
use super::super::notification;
use super::super::verification::{SignedHeaders, Unverified};
use super::{Context, cases, client_of, document};
use crate::vectors::{Case, Members};
use crate::{Gateway, News, Notification, NotificationRefusal, RawNotification, Receipt, RefundState};

fn headers(case: &mut Case) -> Vec<(String, Vec<u8>)> {
    case.input.texts("headers").into_iter().map(|(name, value)| (name, value.into_bytes())).collect()
}

fn received_at(case: &mut Case) -> DateTime<Utc> {
    DateTime::from_timestamp(case.input.number("now"), 0).unwrap()
}

/// The vectors' word for why something is not believed.
fn reason(error: Unverified) -> &'static str {
    match error {
        Unverified::MissingHeader => "missing_header",
        Unverified::ClockSkew => "clock_skew",
        Unverified::UnknownSerial => "unknown_serial",
        // A test of WeChat Pay's must fail as any wrong signature does; here it is also known for what it is.
        Unverified::Probe | Unverified::BadSignature => "bad_signature",
        Unverified::BadHeader | Unverified::OtherAlgorithm | Unverified::ExpiredKey => "none of the vectors'",
    }
}

#[test]
fn messages_are_verified_as_by_every_other_implementation() {
    let context = document().context;
    for mut case in cases("message_verify") {
        let (body, headers, received_at) = (case.input.body(), headers(&mut case), received_at(&mut case));
        let client = client_of(&context, &case.input.texts("keys"), &context.api_v3_key);
        let verified = SignedHeaders::read(&headers).and_then(|headers| headers.verify(&body, &client.keys(), received_at));
        assert_eq!(verified.is_ok(), case.expect.is("valid"), "{}: {verified:?}", case.name);
        assert_eq!(verified.err().map(|error| reason(error).to_owned()), case.expect.text("reason"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn notifications_are_verified_and_decrypted_as_by_every_other_implementation() {
    let context = document().context;
    for mut case in cases("notify_verify") {
        let raw = RawNotification { headers: headers(&mut case), body: case.input.body() };
        let received_at = received_at(&mut case);
        let client = client_of(&context, &case.input.texts("keys"), &case.input_text("api_v3_key"));
        let verified = notification::verified(&raw, received_at, &client);
        assert_eq!(verified.is_ok(), case.expect.is("valid"), "{}: {:?}", case.name, verified.err());
        let opened = verified.ok().map(|envelope| {
            let text = client.config.api_v3_key.open(&envelope.resource.sealed);
            (envelope.event_type, text.map(|text| String::from_utf8(text).unwrap()))
        });
        let text = opened.as_ref().and_then(|(_, text)| text.clone().ok());
        assert_eq!(text.is_some(), case.expect.is("decrypted"), "{}", case.name);
        assert_eq!(text, case.expect.text("plaintext"), "{}", case.name);
        if let Some(event_type) = case.expect.text("event_type") {
            assert_eq!(opened.unwrap().0, event_type, "{}", case.name);
        }
        assert!(case.policy.take().is_some(), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn notifications_have_the_effect_of_the_written_rules() {
    let context = document().context;
    for mut case in cases("notify_verify") {
        let raw = RawNotification { headers: headers(&mut case), body: case.input.body() };
        let received_at = received_at(&mut case);
        let client = client_of(&context, &case.input.texts("keys"), &case.input_text("api_v3_key"));
        let gateway = WechatPayGateway::native(client);
        let read = gateway.read_notification(&raw, received_at);
        let judged = read.as_ref().map_err(|refusal| *refusal).and_then(|notification| judge(notification, &context));
        let mut policy = case.policy.take().unwrap_or_else(|| panic!("{} has a policy", case.name));
        compare_with_policy(&case.name, &mut policy, judged, &gateway);
        policy.assert_all_read(&case.name);
    }
}

/// Compares with the context's orders, as the command handler does with its pay record.
fn judge<'a>(notification: &'a Notification, context: &Context) -> Result<&'a News, NotificationRefusal> {
    let expected = context.orders.get(&notification.out_trade_no).map(|order| {
        let currency = Currency::parse(&order.currency).unwrap();
        Money::new(order.total, currency).unwrap()
    });
    notification.judge(expected)
}

fn compare_with_policy(name: &str, policy: &mut Members, judged: Result<&News, NotificationRefusal>, gateway: &WechatPayGateway) {
    let effect = policy.text("effect").unwrap_or_else(|| panic!("{name} has an effect"));
    let refund = policy.value("refund").map(|fen| fen.as_i64().unwrap());
    let receipt = match judged {
        // Genuine, and of a kind that concerns nobody here: it is kept, and need not come again.
        Err(NotificationRefusal::UnknownType) => {
            assert_eq!(effect, "none", "{name}");
            Receipt::Durable
        }
        Err(refusal) => {
            assert_eq!((effect.as_str(), policy.text("reason").as_deref()), ("reject", Some(word_of(refusal))), "{name}");
            Receipt::Refused
        }
        Ok(news) => {
            let (word, given_back) = effect_of(news);
            assert_eq!(word, effect, "{name}");
            assert!(refund.is_none_or(|fen| given_back == Some(fen)), "{name}: {given_back:?}");
            Receipt::Durable
        }
    };
    let sent = gateway.reply(receipt).status;
    match policy.value("reply_status") {
        Some(serde_json::Value::Array(allowed)) => assert!(allowed.contains(&sent.into()), "{name}"),
        Some(serde_json::Value::String(words)) => {
            assert_eq!(words, "4xx or 5xx");
            assert!((400..600).contains(&sent), "{name}");
        }
        None => assert_eq!(matches!(sent, 200 | 204), receipt == Receipt::Durable, "{name}"),
        Some(other) => panic!("{name}: {other}"),
    }
}

/// The vectors' word for a refusal.
fn word_of(refusal: NotificationRefusal) -> &'static str {
    match refusal {
        NotificationRefusal::BadSignature | NotificationRefusal::SignatureProbe => "bad_signature",
        NotificationRefusal::Undecryptable => "decrypt_failed",
        NotificationRefusal::MerchantIdMismatch => "mchid_mismatch",
        NotificationRefusal::AppIdMismatch => "appid_mismatch",
        NotificationRefusal::UnknownOrder => "unknown_order",
        NotificationRefusal::AmountMismatch => "amount_mismatch",
        other => panic!("{other}"),
    }
}

fn effect_of(news: &News) -> (&'static str, Option<i64>) {
    match news {
        News::Paid { .. } => ("paid", None),
        News::Refund { amount, state, refund_no } => {
            assert_eq!(refund_no, "RF-0001");
            let word = match state {
                RefundState::Succeeded { refunded_at } => {
                    assert!(refunded_at.is_some());
                    "refunded"
                }
                RefundState::Failed { .. } => "refund_closed",
                RefundState::NeedsOperator { .. } => "refund_abnormal",
                other => panic!("{other:?}"),
            };
            (word, Some(amount.amount_minor()))
        }
        other => panic!("{other:?}"),
    }
}
