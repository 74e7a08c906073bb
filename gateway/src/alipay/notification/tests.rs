use form_urlencoded::byte_serialize;
use proptest::prelude::*;

use super::*;
use crate::alipay::AlipayConfig;
use crate::alipay::tests::{NUMBER, key_text, settings, sign_as_alipay};

type Members = Vec<(String, Vec<u8>)>;

fn config() -> AlipayConfig {
    AlipayConfig::new(&settings()).unwrap()
}

/// Reads a body when the notification comes; public keys have no dates.
fn read_now(body: &[u8], config: &AlipayConfig) -> Result<Notification, NotificationRefusal> {
    read(body, config, &config.alipay_keys, DateTime::UNIX_EPOCH)
}

/// The members of a payment's notification, before signing.
fn paid() -> Members {
    let members = [
        ("notify_time", "2026-03-05 14:08:32"),
        ("notify_type", "trade_status_sync"),
        ("notify_id", "n-1"),
        ("charset", "utf-8"),
        ("version", "1.0"),
        ("sign_type", "RSA2"),
        ("app_id", "2026000000000001"),
        ("seller_id", "2088000000000001"),
        ("trade_no", "t-1"),
        ("out_trade_no", NUMBER),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "199.00"),
        ("gmt_payment", "2026-03-05 14:08:31"),
    ];
    members.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn set(members: &mut Members, name: &str, value: impl AsRef<[u8]>) {
    members.retain(|(other, _)| other != name);
    members.push((name.to_owned(), value.as_ref().to_vec()));
}

fn form(members: &Members) -> String {
    let member = |(name, value): &(String, Vec<u8>)| format!("{name}={}", byte_serialize(value).collect::<String>());
    members.iter().map(member).collect::<Vec<_>>().join("&")
}

fn signed(members: &Members) -> String {
    let unsigned = form(members);
    let text = Form::read(unsigned.as_bytes()).unwrap().canonical(&["sign", "sign_type"], Empty::Kept);
    let sign = sign_as_alipay(&text);
    format!("{unsigned}&sign={}", byte_serialize(sign.as_bytes()).collect::<String>())
}

fn body(change: impl FnOnce(&mut Members)) -> String {
    let mut members = paid();
    change(&mut members);
    signed(&members)
}

fn with(change: impl FnOnce(&mut Members)) -> Result<Notification, NotificationRefusal> {
    read_now(body(change).as_bytes(), &config())
}

fn without(name: &str) -> Result<Notification, NotificationRefusal> {
    with(|members| members.retain(|(other, _)| other != name))
}

fn news(change: impl FnOnce(&mut Members)) -> News {
    with(change).unwrap().news
}

fn yuan(text: &str) -> Money {
    Money::parse_major(text, Currency::Cny).unwrap()
}

#[test]
fn a_payment_is_read_whole() {
    let expected = Notification {
        notify_id: "n-1".to_owned(),
        out_trade_no: NUMBER.to_owned(),
        trade_no: "t-1".to_owned(),
        amount: yuan("199.00"),
        news: News::Paid { paid_at: Some("2026-03-05T06:08:31Z".parse().unwrap()), is_final: false },
        query_first: false,
    };
    assert_eq!(with(|_| {}), Ok(expected));
}

#[test]
fn each_state_is_read() {
    let state = |status: &str| news(|members| set(members, "trade_status", status));
    let paid_at = Some("2026-03-05T06:08:31Z".parse().unwrap());
    assert_eq!(state("TRADE_FINISHED"), News::Paid { paid_at, is_final: true });
    assert_eq!(state("WAIT_BUYER_PAY"), News::AwaitingBuyer);
    assert_eq!(state("TRADE_CLOSED"), News::Unclear);
    let unpaid = news(|members| {
        set(members, "trade_status", "TRADE_CLOSED");
        members.retain(|(name, _)| name != "gmt_payment");
    });
    assert_eq!(unpaid, News::ClosedUnpaid);
}

#[test]
fn a_time_of_payment_that_is_none_does_not_hide_the_payment() {
    for time in ["", "now", "2026-03-05"] {
        assert_eq!(news(|members| set(members, "gmt_payment", time)), News::Paid { paid_at: None, is_final: false });
    }
}

#[test]
fn refunds_are_read_as_running_totals() {
    let refund = |status: &str, total: &str, number: Option<&str>| {
        news(|members| {
            set(members, "trade_status", status);
            set(members, "refund_fee", total);
            if let Some(number) = number {
                set(members, "out_biz_no", number);
            }
        })
    };
    let read =
        |total: &str, whole, number: Option<&str>| News::Refunded { total: yuan(total), whole, refund_no: number.map(str::to_owned) };
    assert_eq!(refund("TRADE_SUCCESS", "30.00", Some("R1")), read("30.00", false, Some("R1")));
    assert_eq!(refund("TRADE_FINISHED", "30.00", None), read("30.00", false, None));
    assert_eq!(refund("TRADE_SUCCESS", "199.00", None), read("199.00", true, None));
    assert_eq!(refund("TRADE_CLOSED", "199.00", Some("R2")), read("199.00", true, Some("R2")));
    assert_eq!(refund("TRADE_SUCCESS", "0.00", None), news(|_| {}));
    assert_eq!(refund("TRADE_CLOSED", "198.99", None), News::Unclear);
    assert_eq!(refund("TRADE_CLOSED", "0.00", Some("R3")), News::Unclear);
    assert_eq!(refund("WAIT_BUYER_PAY", "1.00", None), News::Unclear);
}

#[test]
fn amounts_that_are_none_are_refused() {
    for amount in ["199", "199.0"] {
        assert_eq!(with(|members| set(members, "total_amount", amount)).unwrap().amount, yuan("199.00"), "{amount}");
    }
    assert_eq!(with(|members| set(members, "total_amount", "")), Err(NotificationRefusal::BadAmount));
    for amount in ["-1.00", "+1.00", "1.000", "1e2", " 1.00", "1,0", "１.00", "100000000.01"] {
        assert_eq!(with(|members| set(members, "total_amount", amount)), Err(NotificationRefusal::BadAmount), "{amount}");
        assert_eq!(with(|members| set(members, "refund_fee", amount)), Err(NotificationRefusal::BadAmount), "{amount}");
    }
    assert_eq!(with(|members| set(members, "refund_fee", "199.01")), Err(NotificationRefusal::BadAmount));
    assert_eq!(without("total_amount"), Err(NotificationRefusal::BadAmount));
}

#[test]
fn a_notification_for_somebody_else_is_refused() {
    for (name, value, refusal) in [
        ("notify_type", "batch_refund_notify", NotificationRefusal::UnknownType),
        ("app_id", "2026000000000002", NotificationRefusal::AppIdMismatch),
        ("app_id", "", NotificationRefusal::AppIdMismatch),
        ("seller_id", "2088000000000002", NotificationRefusal::SellerIdMismatch),
        ("trade_status", "TRADE_PENDING", NotificationRefusal::UnknownStatus),
        ("trade_status", "trade_success", NotificationRefusal::UnknownStatus),
        ("trade_status", "", NotificationRefusal::UnknownStatus),
    ] {
        assert_eq!(with(|members| set(members, name, value)), Err(refusal), "{name}={value}");
        assert!(refusal.is_authentic());
    }
    for (name, refusal) in [
        ("notify_type", NotificationRefusal::NotANotification),
        ("app_id", NotificationRefusal::AppIdMismatch),
        ("trade_status", NotificationRefusal::UnknownStatus),
        ("notify_id", NotificationRefusal::Incomplete),
        ("out_trade_no", NotificationRefusal::Incomplete),
        ("trade_no", NotificationRefusal::Incomplete),
    ] {
        assert_eq!(without(name), Err(refusal), "without {name}");
    }
    assert_eq!(with(|members| set(members, "notify_type", "")), Err(NotificationRefusal::NotANotification));
    assert!(!NotificationRefusal::NotANotification.is_authentic(), "every buyer holds such a text");
    assert_eq!(with(|members| set(members, "trade_no", "")), Err(NotificationRefusal::Incomplete));
    assert!(NotificationRefusal::Incomplete.is_authentic());
}

#[test]
fn a_notification_without_its_seller_is_asked_about_first() {
    assert!(without("seller_id").unwrap().query_first);
    assert!(with(|members| set(members, "seller_id", "")).unwrap().query_first);
}

#[test]
fn a_text_that_could_be_split_otherwise_is_asked_about_first() {
    assert!(with(|members| set(members, "subject", "a=1&b=2")).unwrap().query_first);
    assert!(with(|members| set(members, "subject", "Tom & Jerry = 2")).unwrap().query_first);
    assert!(!with(|members| set(members, "subject", "Tom & Jerry")).unwrap().query_first);
    assert!(!with(|members| set(members, "passback_params", "a%3D1%26b%3D2")).unwrap().query_first);
}

/// The same signed bytes, split so that the amount and the state come from what was the subject.
#[test]
fn a_split_that_moves_the_amount_never_acts_by_itself() {
    let genuine = body(|members| {
        set(members, "total_amount", "0.01");
        set(members, "trade_status", "WAIT_BUYER_PAY");
        set(members, "subject", "x&total_amount=199.00&trade_no=t-1&trade_status=TRADE_SUCCESS&zz=");
    });
    let honest = read_now(genuine.as_bytes(), &config()).unwrap();
    assert_eq!((honest.amount, honest.query_first), (yuan("0.01"), true));

    let mut split: Members = Vec::new();
    for (name, value) in Form::read(genuine.as_bytes()).unwrap().iter() {
        split.push((str::from_utf8(name).unwrap().to_owned(), value.to_vec()));
    }
    split.retain(|(name, _)| name != "version");
    set(&mut split, "subject", "x");
    set(&mut split, "total_amount", "199.00");
    set(&mut split, "trade_status", "TRADE_SUCCESS");
    set(&mut split, "zz", "&total_amount=0.01&trade_no=t-1&trade_status=WAIT_BUYER_PAY&version=1.0");
    let forged = read_now(form(&split).as_bytes(), &config()).unwrap();
    assert_eq!((forged.amount, forged.query_first), (yuan("199.00"), true));
    assert!(matches!(forged.news, News::Paid { .. }));
}

#[test]
fn a_members_name_cannot_hide_members() {
    // Two members whose names follow each other in the signed text become one: `trade_no=t-1&trade_status` is its name.
    let hiding = body(|_| {}).replace("&trade_no=t-1", "").replace("&trade_status=", "&trade_no%3Dt-1%26trade_status=");
    assert_eq!(read_now(hiding.as_bytes(), &config()), Err(NotificationRefusal::Malformed));
}

#[test]
fn what_is_altered_has_a_bad_signature() {
    let good = body(|_| {});
    let refused = |body: &str| read_now(body.as_bytes(), &config()).unwrap_err();
    assert_eq!(refused(&good.replace("199.00", "199.01")), NotificationRefusal::BadSignature);
    assert_eq!(refused(&format!("{good}&x=1")), NotificationRefusal::BadSignature);
    assert_eq!(refused(&good.replace("&version=1.0", "")), NotificationRefusal::BadSignature);
    assert_eq!(refused(&good.replace("&sign=", "&sign=+")), NotificationRefusal::BadSignature);
    assert_eq!(refused(&good.replace("sign_type=RSA2", "sign_type=RSA")), NotificationRefusal::SignTypeNotAllowed);
    assert_eq!(refused(good.split("&sign=").next().unwrap()), NotificationRefusal::MissingSign);
    assert_eq!(refused(&format!("{}&sign=", good.split("&sign=").next().unwrap())), NotificationRefusal::MissingSign);
    assert_eq!(refused(&format!("{good}&version=1.0")), NotificationRefusal::DuplicateParam);
    assert_eq!(refused(&format!("{good}&%")), NotificationRefusal::Malformed);
    assert_eq!(refused(""), NotificationRefusal::MissingSign);
    for refusal in [NotificationRefusal::BadSignature, NotificationRefusal::SignTypeNotAllowed, NotificationRefusal::MissingSign] {
        assert!(!refusal.is_authentic());
    }
}

#[test]
fn a_missing_sign_type_means_the_pinned_one() {
    assert!(without("sign_type").is_ok());
}

#[test]
fn members_without_a_value_may_be_signed_or_not() {
    let kept = body(|members| set(members, "body", ""));
    assert!(read_now(kept.as_bytes(), &config()).is_ok());
    let dropped = format!("{}&body=", body(|_| {}));
    assert!(read_now(dropped.as_bytes(), &config()).is_ok());
    let not_text = format!("{}&%ff=", body(|_| {}));
    assert!(read_now(not_text.as_bytes(), &config()).is_ok());
}

#[test]
fn a_second_alipay_key_is_accepted_while_both_are_configured() {
    let mut settings = settings();
    settings.alipay_public_keys = vec![key_text("alipay_other_public.pem")];
    let body = body(|_| {});
    let other = AlipayConfig::new(&settings).unwrap();
    assert_eq!(read_now(body.as_bytes(), &other), Err(NotificationRefusal::BadSignature));
    settings.alipay_public_keys.push(key_text("alipay_platform_public.pem"));
    let both = AlipayConfig::new(&settings).unwrap();
    assert!(read_now(body.as_bytes(), &both).is_ok());
}

#[test]
fn gbk_is_verified_as_bytes_and_bytes_of_another_set_are_refused() {
    let gbk = |name: &str, value: &[u8]| {
        with(|members| {
            set(members, "charset", "GBK");
            set(members, name, value);
        })
    };
    assert!(gbk("subject", &[0xcf, 0xb5, 0xcd, 0xb3]).is_ok());
    assert_eq!(gbk("subject", &[0xff]), Err(NotificationRefusal::BadCharset));
    assert_eq!(with(|members| set(members, "subject", [0xca, 0xe9])), Err(NotificationRefusal::BadCharset));
    assert_eq!(with(|members| set(members, "charset", "latin1")), Err(NotificationRefusal::BadCharset));
    assert!(without("charset").is_ok());
    assert!(NotificationRefusal::BadCharset.is_authentic());
}

#[test]
fn a_body_beyond_the_limit_is_refused_unread() {
    let ten_megabytes = vec![b'a'; 10 * 1024 * 1024];
    assert_eq!(read_now(&ten_megabytes, &config()), Err(NotificationRefusal::Malformed));
    let largest = body(|members| set(members, "body", vec![b'x'; NOTIFICATION_LIMIT - 2000]));
    assert!(largest.len() <= NOTIFICATION_LIMIT);
    assert!(read_now(largest.as_bytes(), &config()).is_ok());
}

#[test]
fn a_notification_is_judged_by_our_record() {
    let notification = with(|_| {}).unwrap();
    assert_eq!(notification.judge(Some(yuan("199.00"))), Ok(&notification.news));
    assert_eq!(notification.judge(Some(yuan("199.01"))), Err(NotificationRefusal::AmountMismatch));
    assert_eq!(notification.judge(None), Err(NotificationRefusal::UnknownOrder));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(read_now(&bytes, &config()).is_err());
    }

    #[test]
    fn no_change_of_one_byte_is_believed_to_say_something_else(place: prop::sample::Index, byte: u8) {
        let good = body(|_| {});
        let mut changed = good.clone().into_bytes();
        changed[place.index(good.len())] = byte;
        match read_now(&changed, &config()) {
            Ok(notification) => prop_assert_eq!(notification, read_now(good.as_bytes(), &config()).unwrap()),
            Err(refusal) => prop_assert!(!refusal.is_authentic(), "{}", refusal),
        }
    }
}
