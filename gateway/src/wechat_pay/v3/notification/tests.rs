use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{NUMBER, REFUND_NO, client, fen, now, settings, signed, signed_by};
use super::*;
use crate::RefundState;
use crate::wechat_pay::v3::WechatPayClient;

const NONCE: &str = "fdasfjihihih";

fn merchant() -> std::sync::Arc<WechatPayClient> {
    client(&settings(), []).0
}

fn transaction() -> Value {
    json!({
        "mchid": "1900000109", "appid": "wx2421b1c4370ec43b", "out_trade_no": NUMBER,
        "transaction_id": "4200002345202603051234567890", "trade_type": "NATIVE", "trade_state": "SUCCESS",
        "success_time": "2026-12-01T14:08:31+08:00", "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": 19900, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY"},
    })
}

fn refunded(status: &str) -> Value {
    json!({
        "mchid": "1900000109", "out_trade_no": NUMBER, "transaction_id": "4200002345202603051234567890",
        "out_refund_no": REFUND_NO, "refund_id": "50000408942026030607145868882", "refund_status": status,
        "success_time": "2026-12-01T14:10:00+08:00", "amount": {"total": 19900, "refund": 3960, "payer_total": 19900},
    })
}

/// The outside of a notification with this content.
fn envelope(event_type: &str, kind: &str, content: &[u8]) -> Value {
    let sealed = merchant().config.api_v3_key.seal(content, NONCE, kind);
    json!({
        "id": "EV-2026120106083200001", "create_time": "2026-12-01T14:08:32+08:00", "resource_type": "encrypt-resource",
        "event_type": event_type, "summary": "x",
        "resource": {
            "original_type": kind, "algorithm": sealed.algorithm, "ciphertext": sealed.ciphertext,
            "associated_data": sealed.associated_data, "nonce": sealed.nonce,
        },
    })
}

fn raw(body: impl Into<Vec<u8>>) -> RawNotification {
    let body = body.into();
    RawNotification { headers: signed(&body, now()), body }
}

fn read_raw(raw: &RawNotification) -> Result<Notification, NotificationRefusal> {
    read(raw, now(), &merchant())
}

fn read_envelope(envelope: &Value) -> Result<Notification, NotificationRefusal> {
    read_raw(&raw(envelope.to_string()))
}

/// A payment's notification with a changed content.
fn told(change: impl FnOnce(&mut Value)) -> Result<Notification, NotificationRefusal> {
    let mut content = transaction();
    change(&mut content);
    read_envelope(&envelope(PAID, "transaction", content.to_string().as_bytes()))
}

fn told_refund(event: &str, change: impl FnOnce(&mut Value)) -> Result<Notification, NotificationRefusal> {
    let mut content = refunded(event.strip_prefix(REFUND).unwrap());
    change(&mut content);
    read_envelope(&envelope(event, "refund", content.to_string().as_bytes()))
}

/// A payment's notification with a changed outside.
fn outside(change: impl FnOnce(&mut Value)) -> Result<Notification, NotificationRefusal> {
    let mut envelope = envelope(PAID, "transaction", transaction().to_string().as_bytes());
    change(&mut envelope);
    read_envelope(&envelope)
}

#[test]
fn a_payment_is_read_whole() {
    let expected = Notification {
        notify_id: "EV-2026120106083200001".to_owned(),
        out_trade_no: NUMBER.to_owned(),
        trade_no: "4200002345202603051234567890".to_owned(),
        amount: fen(19_900),
        news: News::Paid { paid_at: Some("2026-12-01T06:08:31Z".parse().unwrap()), is_final: false },
        query_first: false,
    };
    assert_eq!(told(|_| {}), Ok(expected.clone()));
    assert_eq!(told(|content| content["trade_state"] = "REFUND".into()), Ok(expected.clone()));
    // Any of our apps, and members that are new.
    assert_eq!(told(|content| content["appid"] = "wx00000000000000bb".into()), Ok(expected.clone()));
    assert_eq!(told(|content| content["new"] = json!({"a": [1.5]})), Ok(expected));
}

#[test]
fn a_refund_is_read_whole() {
    let at = Some("2026-12-01T06:10:00Z".parse().unwrap());
    for (event, state) in [
        ("REFUND.SUCCESS", RefundState::Succeeded { refunded_at: at }),
        ("REFUND.CLOSED", RefundState::Failed { code: "CLOSED".to_owned() }),
        ("REFUND.ABNORMAL", RefundState::NeedsOperator { code: "ABNORMAL".to_owned() }),
    ] {
        let notification = told_refund(event, |_| {}).unwrap();
        assert_eq!((notification.out_trade_no.as_str(), notification.amount), (NUMBER, fen(19_900)));
        assert_eq!(notification.news, News::Refund { refund_no: REFUND_NO.to_owned(), amount: fen(3_960), state });
    }
}

#[test]
fn what_is_for_somebody_else_is_refused_for_that() {
    assert_eq!(told(|content| content["mchid"] = "1900000110".into()), Err(NotificationRefusal::MerchantIdMismatch));
    assert_eq!(told(|content| content["mchid"].take().as_null().unwrap_or(())), Err(NotificationRefusal::MerchantIdMismatch));
    assert_eq!(told(|content| content["appid"] = "wx0000000000000000".into()), Err(NotificationRefusal::AppIdMismatch));
    assert_eq!(told(|content| content["appid"].take().as_null().unwrap_or(())), Err(NotificationRefusal::AppIdMismatch));
    assert_eq!(told_refund("REFUND.SUCCESS", |content| content["mchid"] = "1".into()), Err(NotificationRefusal::MerchantIdMismatch));
}

#[test]
fn what_is_no_sum_of_ours_is_refused_for_that() {
    for total in [json!(0), json!(-1), json!(null), json!(10_000_000_001_i64)] {
        assert_eq!(told(|content| content["amount"]["total"] = total.clone()), Err(NotificationRefusal::BadAmount), "{total}");
    }
    for total in [json!("19900"), json!(199.5), json!(1e30), json!([1])] {
        assert_eq!(told(|content| content["amount"]["total"] = total.clone()), Err(NotificationRefusal::Incomplete), "{total}");
    }
    assert_eq!(told(|content| content["amount"] = Value::Null), Err(NotificationRefusal::BadAmount));
    for currency in [json!("USD"), json!("cny"), json!(""), json!(null)] {
        assert_eq!(told(|content| content["amount"]["currency"] = currency.clone()), Err(NotificationRefusal::CurrencyMismatch));
    }
    let refund = |change: &dyn Fn(&mut Value)| told_refund("REFUND.SUCCESS", |content| change(&mut content["amount"]));
    assert_eq!(refund(&|amount| amount["refund"] = 19_901.into()), Err(NotificationRefusal::BadAmount));
    assert_eq!(refund(&|amount| amount["refund"] = 0.into()), Err(NotificationRefusal::BadAmount));
    assert_eq!(refund(&|amount| amount["total"] = Value::Null), Err(NotificationRefusal::BadAmount));
    assert_eq!(refund(&|amount| amount["currency"] = "USD".into()), Err(NotificationRefusal::CurrencyMismatch));
    assert!(refund(&|amount| amount["refund"] = 19_900.into()).is_ok());
}

#[test]
fn what_contradicts_itself_is_refused_for_that() {
    for state in ["NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR"] {
        assert_eq!(told(|content| content["trade_state"] = state.into()), Err(NotificationRefusal::Contradictory), "{state}");
    }
    assert_eq!(told(|content| content["trade_state"] = "SOMETHING_NEW".into()), Err(NotificationRefusal::UnknownStatus));
    let state = |state: &str| told_refund("REFUND.SUCCESS", |content| content["refund_status"] = state.into());
    for other in ["CLOSED", "ABNORMAL", "PROCESSING"] {
        assert_eq!(state(other), Err(NotificationRefusal::Contradictory), "{other}");
    }
    assert_eq!(state("SOMETHING_NEW"), Err(NotificationRefusal::UnknownStatus));
    assert_eq!(state(""), Err(NotificationRefusal::Incomplete));
    assert_eq!(outside(|envelope| envelope["resource_type"] = "plain".into()), Err(NotificationRefusal::Contradictory));
    assert_eq!(outside(|envelope| envelope["resource"]["original_type"] = "refund".into()), Err(NotificationRefusal::Contradictory));
    // A payment's content under a refund's name, and the other way round.
    let swapped = envelope("REFUND.SUCCESS", "refund", transaction().to_string().as_bytes());
    assert_eq!(read_envelope(&swapped), Err(NotificationRefusal::Incomplete));
    let swapped = envelope(PAID, "transaction", refunded("SUCCESS").to_string().as_bytes());
    assert_eq!(read_envelope(&swapped), Err(NotificationRefusal::AppIdMismatch));
}

#[test]
fn another_kind_of_event_is_known_to_be_unknown() {
    for event in ["TRANSACTION.SOMETHING_NEW", "REFUND.SOMETHING_NEW", "REFUND.", "PAYSCORE.USER_OPEN_SERVICE", ""] {
        let refusal = outside(|envelope| envelope["event_type"] = event.into()).unwrap_err();
        assert_eq!((refusal, refusal.is_authentic()), (NotificationRefusal::UnknownType, true), "{event}");
    }
}

#[test]
fn each_number_must_be_there() {
    for name in ["out_trade_no", "transaction_id"] {
        assert_eq!(told(|content| content[name] = "".into()), Err(NotificationRefusal::Incomplete), "{name}");
        assert_eq!(told(|content| content[name] = Value::Null), Err(NotificationRefusal::Incomplete), "{name}");
        assert_eq!(told(|content| content[name] = 1.into()), Err(NotificationRefusal::Incomplete), "{name}");
    }
    assert_eq!(told_refund("REFUND.CLOSED", |content| content["out_refund_no"] = "".into()), Err(NotificationRefusal::Incomplete));
    assert_eq!(outside(|envelope| envelope["id"] = "".into()), Err(NotificationRefusal::Incomplete));
    for name in ["event_type", "resource_type", "resource"] {
        assert_eq!(outside(|envelope| drop(envelope.as_object_mut().unwrap().remove(name))), Err(NotificationRefusal::Incomplete));
    }
}

#[test]
fn what_is_encrypted_in_another_way_is_refused_with_its_reason() {
    let resource = |name: &str, value: Value| outside(|envelope| envelope["resource"][name] = value);
    assert_eq!(resource("algorithm", "AES-128-CBC".into()), Err(NotificationRefusal::AlgorithmNotAllowed));
    for nonce in ["", "fdasfjihihi", "fdasfjihihihx"] {
        assert_eq!(resource("nonce", nonce.into()), Err(NotificationRefusal::BadNonce), "{nonce}");
    }
    for ciphertext in ["", "AAAA", "***", "AAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(resource("ciphertext", ciphertext.into()), Err(NotificationRefusal::BadCiphertext), "{ciphertext}");
    }
    assert_eq!(resource("nonce", "fdasfjihihiX".into()), Err(NotificationRefusal::Undecryptable));
    assert_eq!(resource("associated_data", "refund".into()), Err(NotificationRefusal::Undecryptable));
    assert_eq!(resource("associated_data", Value::Null), Err(NotificationRefusal::Undecryptable));
    assert_eq!(resource("ciphertext", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()), Err(NotificationRefusal::Undecryptable));
    let mut settings = settings();
    settings.api_v3_key = chassis::secret::Secret::new("11111111111111111111111111111111".to_owned());
    let raw = raw(envelope(PAID, "transaction", transaction().to_string().as_bytes()).to_string());
    let refusal = read(&raw, now(), &client(&settings, []).0).unwrap_err();
    assert_eq!((refusal, refusal.is_authentic()), (NotificationRefusal::Undecryptable, true));
}

#[test]
fn a_name_that_stands_twice_is_refused_outside_and_inside() {
    let inside = transaction().to_string().replacen('{', r#"{"out_trade_no":"1","#, 1);
    assert_eq!(read_envelope(&envelope(PAID, "transaction", inside.as_bytes())), Err(NotificationRefusal::DuplicateParam));
    let inside = transaction().to_string().replace(r#""total":19900"#, r#""total":1,"total":19900"#);
    assert_eq!(read_envelope(&envelope(PAID, "transaction", inside.as_bytes())), Err(NotificationRefusal::DuplicateParam));
    let outside = envelope(PAID, "transaction", transaction().to_string().as_bytes()).to_string();
    let twice = outside.replacen('{', r#"{"id":"EV-1","#, 1);
    assert_eq!(read_raw(&raw(twice)), Err(NotificationRefusal::DuplicateParam));
}

#[test]
fn what_is_signed_and_not_readable_is_refused() {
    for body in ["", "{", "<xml/>", "[]{}", "\u{feff}{}"] {
        assert_eq!(read_raw(&raw(body)), Err(NotificationRefusal::Malformed), "{body}");
    }
    for body in ["{}", "[]", "null", "1", r#"{"event_type":1}"#] {
        assert_eq!(read_raw(&raw(body)), Err(NotificationRefusal::Incomplete), "{body}");
    }
    for content in [b"".as_slice(), b"{", b"\xff", b"<root/>"] {
        assert_eq!(read_envelope(&envelope(PAID, "transaction", content)), Err(NotificationRefusal::Malformed));
    }
    assert_eq!(read_envelope(&envelope(PAID, "transaction", b"[]")), Err(NotificationRefusal::Incomplete));
}

#[test]
fn size_is_looked_at_first_and_nothing_is_read_of_too_much() {
    let large = RawNotification { headers: Vec::new(), body: vec![b' '; NOTIFICATION_LIMIT + 1] };
    assert_eq!(read_raw(&large), Err(NotificationRefusal::TooLarge));
    let fits = RawNotification { headers: Vec::new(), body: vec![b' '; NOTIFICATION_LIMIT] };
    assert_eq!(read_raw(&fits), Err(NotificationRefusal::MissingHeader));
}

#[test]
fn what_is_not_signed_by_wechat_pay_is_refused_with_its_reason() {
    let body = envelope(PAID, "transaction", transaction().to_string().as_bytes()).to_string().into_bytes();
    let with = |headers| RawNotification { headers, body: body.clone() };
    let refused = |headers| read_raw(&with(headers)).unwrap_err();
    assert_eq!(refused(Vec::new()), NotificationRefusal::MissingHeader);
    assert_eq!(
        refused(signed_by("wechat_other_private_pkcs8.pem", super::super::tests::PUBLIC_KEY_ID, &body, now())),
        NotificationRefusal::BadSignature
    );
    assert_eq!(refused(signed_by("wechat_pubkey_private_pkcs8.pem", "PUB_KEY_ID_00", &body, now())), NotificationRefusal::UnknownSerial);
    let hour = chrono::TimeDelta::hours(1);
    assert_eq!(refused(signed(&body, now() - hour)), NotificationRefusal::ClockSkew);
    // Replayed: genuine at first, later not.
    let replayed = with(signed(&body, now()));
    assert!(read(&replayed, now() + chrono::TimeDelta::seconds(300), &merchant()).is_ok());
    assert_eq!(read(&replayed, now() + chrono::TimeDelta::seconds(301), &merchant()), Err(NotificationRefusal::ClockSkew));
    let header = |name: &str, value: &[u8]| {
        let mut headers = signed(&body, now());
        headers.iter_mut().find(|(header, _)| header == name).unwrap().1 = value.to_vec();
        refused(headers)
    };
    assert_eq!(header("wechatpay-signature-type", b"WECHATPAY2-SM2-WITH-SM3"), NotificationRefusal::SignTypeNotAllowed);
    assert_eq!(header("wechatpay-signature", b"WECHATPAY/SIGNTEST/abc"), NotificationRefusal::SignatureProbe);
    assert_eq!(header("wechatpay-nonce", b"a\nb"), NotificationRefusal::BadHeader);
    assert!(!NotificationRefusal::SignatureProbe.is_suspicious() && NotificationRefusal::BadSignature.is_suspicious());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_is_signed_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read_raw(&raw(body)).is_err());
    }

    #[test]
    fn nothing_that_is_encrypted_makes_the_reader_panic(content in prop::collection::vec(any::<u8>(), 0..200), is_refund in any::<bool>()) {
        let (event, kind) = if is_refund { ("REFUND.SUCCESS", "refund") } else { (PAID, "transaction") };
        prop_assert!(read_envelope(&envelope(event, kind, &content)).is_err());
    }

    #[test]
    fn a_cut_content_is_never_news(share in 0_usize..100) {
        let content = transaction().to_string();
        let length = content.len() * share / 100;
        prop_assert!(read_envelope(&envelope(PAID, "transaction", &content.as_bytes()[..length])).is_err());
    }

    #[test]
    fn no_headers_and_body_make_the_reader_panic_or_believe(
        headers in prop::collection::vec(("(wechatpay-(serial|nonce|signature|timestamp)|[a-z-]{0,12})", prop::collection::vec(any::<u8>(), 0..64)), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let raw = RawNotification { headers, body };
        prop_assert!(read_raw(&raw).is_err());
    }
}
