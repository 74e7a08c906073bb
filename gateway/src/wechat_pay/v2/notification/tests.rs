use proptest::prelude::*;

use super::*;
use crate::Gateway;
use crate::wechat_pay::v2::tests::{APP_ID, MCH_ID, MOBILE_APP_ID, NUMBER, World, fen, settings, signed_message};

const PAID: [(&str, &str); 12] = [
    ("return_code", "SUCCESS"),
    ("result_code", "SUCCESS"),
    ("appid", APP_ID),
    ("mch_id", MCH_ID),
    ("nonce_str", "5d2b6c2a8db53831f7eda20af46e531c"),
    ("trade_type", "NATIVE"),
    ("total_fee", "19900"),
    ("fee_type", "CNY"),
    ("cash_fee", "19000"),
    ("transaction_id", "4200002345202603051234567890"),
    ("out_trade_no", NUMBER),
    ("time_end", "20260305140831"),
];

fn read(body: &[u8]) -> Result<Notification, NotificationRefusal> {
    let raw = RawNotification { headers: Vec::new(), body: body.to_vec() };
    World::new(&settings()).native().read_notification(&raw, "2026-03-05T06:08:33Z".parse().unwrap())
}

fn changed(changes: &[(&str, &str)]) -> Result<Notification, NotificationRefusal> {
    let change = |name: &str| changes.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let members: Vec<_> = PAID.into_iter().map(|(name, old)| (name, change(name).unwrap_or(old))).collect();
    read(signed_message(&settings(), &members).as_bytes())
}

#[test]
fn a_payment_s_notification_tells_of_it() {
    let expected = Notification {
        notify_id: "SUCCESS-4200002345202603051234567890".to_owned(),
        out_trade_no: NUMBER.to_owned(),
        trade_no: "4200002345202603051234567890".to_owned(),
        amount: fen(19900),
        news: News::Paid { paid_at: Some("2026-03-05T06:08:31Z".parse().unwrap()), is_final: false },
        query_first: false,
    };
    assert_eq!(changed(&[]), Ok(expected.clone()));
    assert_eq!(changed(&[("fee_type", "")]), Ok(expected));
    let failed = changed(&[("result_code", "FAIL")]).unwrap();
    assert_eq!((failed.news, failed.notify_id.as_str()), (News::AwaitingBuyer, "FAIL-4200002345202603051234567890"));
    let untimed = changed(&[("time_end", "soon")]).unwrap();
    assert_eq!(untimed.news, News::Paid { paid_at: None, is_final: false });
}

#[test]
fn each_product_is_paid_in_the_name_of_its_application() {
    for (trade_type, app_id, is_ours) in [
        ("NATIVE", APP_ID, true),
        ("JSAPI", APP_ID, true),
        ("MWEB", APP_ID, true),
        ("APP", MOBILE_APP_ID, true),
        ("APP", APP_ID, false),
        ("NATIVE", MOBILE_APP_ID, false),
        ("NATIVE", "", false),
    ] {
        let read = changed(&[("trade_type", trade_type), ("appid", app_id)]);
        assert_eq!(
            read.map(|notification| notification.query_first),
            if is_ours { Ok(false) } else { Err(NotificationRefusal::AppIdMismatch) }
        );
    }
    let other = |app_id: &str| changed(&[("trade_type", "MICROPAY"), ("appid", app_id)]).map(|notification| notification.query_first);
    assert_eq!((other(APP_ID), other(MOBILE_APP_ID)), (Ok(true), Ok(true)), "a product that is not ours is asked about");
    assert_eq!(other("wx0"), Err(NotificationRefusal::AppIdMismatch));
}

#[test]
fn every_other_refusal_has_its_own_word() {
    for (name, value, refusal) in [
        ("mch_id", "1900000999", NotificationRefusal::MerchantIdMismatch),
        ("mch_id", "", NotificationRefusal::MerchantIdMismatch),
        ("return_code", "FAIL", NotificationRefusal::UnknownStatus),
        ("result_code", "TOMORROW", NotificationRefusal::UnknownStatus),
        ("result_code", "", NotificationRefusal::Incomplete),
        ("out_trade_no", "", NotificationRefusal::Incomplete),
        ("transaction_id", "", NotificationRefusal::Incomplete),
        ("total_fee", "", NotificationRefusal::BadAmount),
        ("total_fee", "199.00", NotificationRefusal::BadAmount),
        ("total_fee", "-1", NotificationRefusal::BadAmount),
        ("fee_type", "USD", NotificationRefusal::CurrencyMismatch),
    ] {
        let refused = changed(&[(name, value)]);
        assert_eq!(refused, Err(refusal), "{name} {value}");
        assert!(refusal.is_authentic());
    }
}

#[test]
fn what_is_not_signed_by_the_channel_is_not_believed() {
    let genuine = signed_message(&settings(), &PAID);
    let refused = |body: &str| read(body.as_bytes()).unwrap_err();
    for (body, refusal) in [
        (genuine.replace("19900", "1"), NotificationRefusal::BadSignature),
        (genuine.replace("</xml>", "<x>1</x></xml>"), NotificationRefusal::BadSignature),
        (genuine.replace("</xml>", "<total_fee>1</total_fee></xml>"), NotificationRefusal::DuplicateParam),
        (genuine.replace("<sign>", "<signed>").replace("</sign>", "</signed>"), NotificationRefusal::MissingSign),
        (genuine.replace("<xml>", "<!DOCTYPE xml><xml>"), NotificationRefusal::UnsafeXml),
        (genuine.replace("<![CDATA[NATIVE]]>", "&trade;"), NotificationRefusal::UnsafeXml),
        (genuine.replace("</xml>", ""), NotificationRefusal::Malformed),
        (format!("{genuine}{genuine}"), NotificationRefusal::Malformed),
        ("a=1".to_owned(), NotificationRefusal::Malformed),
        (" ".repeat(xml::MESSAGE_LIMIT + 1), NotificationRefusal::Malformed),
    ] {
        let was = refused(&body);
        assert_eq!((was, was.is_authentic()), (refusal, false), "{body}");
    }
    assert!(read(genuine.replace("</xml>", "<empty></empty></xml>").as_bytes()).is_ok(), "members without a value are not signed");
}

#[test]
fn a_reply_is_the_channels_word_and_nothing_else() {
    let native = World::new(&settings()).native();
    let durable = native.reply(Receipt::Durable);
    assert_eq!((durable.status, durable.body), (200, DURABLE));
    assert_eq!((native.reply(Receipt::Refused).body, REFUSED.contains("SUCCESS")), (REFUSED, false));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_single_changed_byte_of_a_genuine_one_is_believed(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let genuine = signed_message(&settings(), &PAID).into_bytes();
        let mut forged = genuine.clone();
        let place = place.index(forged.len());
        forged[place] = byte;
        let believed = read(&forged);
        // Some bytes say the same in another way; none may say anything else.
        prop_assert!(believed.is_err() || believed == read(&genuine));
    }
}
