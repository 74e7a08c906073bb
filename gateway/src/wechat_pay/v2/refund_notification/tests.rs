use chassis::secret::Secret;
use proptest::prelude::*;

use crate::wechat_pay::v2::WechatPayV2Settings;
use crate::wechat_pay::v2::seal::tests::seal;
use crate::wechat_pay::v2::tests::{APP_ID, KEY, MCH_ID, MOBILE_APP_ID, NUMBER, OTHER_KEY, World, fen, settings};
use crate::{Gateway, News, Notification, NotificationRefusal, RawNotification, RefundState};

const INSIDE: [(&str, &str); 9] = [
    ("transaction_id", "4200002345202603051234567890"),
    ("out_trade_no", NUMBER),
    ("refund_id", "50000408942026030607145868882"),
    ("out_refund_no", "7231000000000001R01"),
    ("total_fee", "19900"),
    ("refund_fee", "3960"),
    ("settlement_refund_fee", "3950"),
    ("refund_status", "SUCCESS"),
    ("success_time", "2026-03-06 16:24:13"),
];

/// What is inside, with this change.
fn inside(changed: &str, value: &str) -> String {
    let members = INSIDE.map(|(name, old)| format!("<{name}><![CDATA[{}]]></{name}>", if name == changed { value } else { old }));
    format!("<root>{}</root>", members.concat())
}

fn outside(app_id: &str, mch_id: &str, sealed: &str) -> String {
    format!(
        "<xml><return_code>SUCCESS</return_code><appid><![CDATA[{app_id}]]></appid><mch_id><![CDATA[{mch_id}]]></mch_id>\
         <nonce_str><![CDATA[TeqClE3i0mvn3DrK]]></nonce_str><req_info><![CDATA[{sealed}]]></req_info></xml>"
    )
}

fn read_by(settings: &WechatPayV2Settings, body: &str) -> Result<Notification, NotificationRefusal> {
    let raw = RawNotification { headers: Vec::new(), body: body.as_bytes().to_vec() };
    World::new(settings).native().read_notification(&raw, "2026-03-06T08:24:14Z".parse().unwrap())
}

fn read(body: &str) -> Result<Notification, NotificationRefusal> {
    read_by(&settings(), body)
}

fn changed(name: &str, value: &str) -> Result<Notification, NotificationRefusal> {
    read(&outside(APP_ID, MCH_ID, &seal(inside(name, value).as_bytes(), KEY)))
}

#[test]
fn a_refund_s_notification_tells_of_it_and_is_always_asked_about() {
    let expected = Notification {
        notify_id: "SUCCESS-50000408942026030607145868882".to_owned(),
        out_trade_no: NUMBER.to_owned(),
        trade_no: "4200002345202603051234567890".to_owned(),
        amount: fen(19900),
        news: News::Refund {
            refund_no: "7231000000000001R01".to_owned(),
            amount: fen(3960),
            state: RefundState::Succeeded { refunded_at: Some("2026-03-06T08:24:13Z".parse().unwrap()) },
        },
        query_first: true,
    };
    assert_eq!(changed("", ""), Ok(expected));
    let news = |word: &str| changed("refund_status", word).map(|notification| (notification.news, notification.query_first));
    let with = |state| Ok((News::Refund { refund_no: "7231000000000001R01".to_owned(), amount: fen(3960), state }, true));
    assert_eq!(news("CHANGE"), with(RefundState::NeedsOperator { code: "CHANGE".to_owned() }));
    assert_eq!(news("REFUNDCLOSE"), with(RefundState::Failed { code: "REFUNDCLOSE".to_owned() }));
    assert_eq!(news("TOMORROW"), with(RefundState::Unrecognised("TOMORROW".to_owned())));
}

#[test]
fn what_lacks_a_member_or_says_the_impossible_is_refused() {
    for name in ["transaction_id", "out_trade_no", "refund_id", "out_refund_no", "refund_status"] {
        assert_eq!(changed(name, ""), Err(NotificationRefusal::Incomplete), "{name}");
    }
    for (name, value) in [("total_fee", ""), ("refund_fee", ""), ("refund_fee", "39.60"), ("refund_fee", "19901"), ("refund_fee", "0")] {
        assert_eq!(changed(name, value), Err(NotificationRefusal::BadAmount), "{name} {value}");
    }
}

#[test]
fn one_for_another_merchant_is_refused() {
    let sealed = seal(inside("", "").as_bytes(), KEY);
    assert!(read(&outside(MOBILE_APP_ID, MCH_ID, &sealed)).is_ok());
    assert_eq!(read(&outside("wx0", MCH_ID, &sealed)), Err(NotificationRefusal::AppIdMismatch));
    assert_eq!(read(&outside(APP_ID, "1900000999", &sealed)), Err(NotificationRefusal::MerchantIdMismatch));
    let failed = outside(APP_ID, MCH_ID, &sealed).replace("SUCCESS", "FAIL");
    assert_eq!(read(&failed), Err(NotificationRefusal::Malformed));
    let unsealed = "<xml><return_code>FAIL</return_code><return_msg>x</return_msg></xml>";
    assert_eq!(read(unsealed), Err(NotificationRefusal::MissingSign));
}

#[test]
fn what_our_key_does_not_open_is_refused_and_not_taken_for_genuine() {
    let whole = inside("", "");
    let sealed = seal(whole.as_bytes(), KEY);
    let bomb = "<!DOCTYPE r [<!ENTITY a \"x\">]><root><refund_id>&a;</refund_id></root>";
    for sealed in [
        seal(whole.as_bytes(), OTHER_KEY),
        sealed[..sealed.len() - 4].to_owned(),
        sealed[..sealed.len() / 2].to_owned(),
        format!("{}A{}", &sealed[..20], &sealed[21..]),
        "AAAA".to_owned(),
        "!".to_owned(),
        seal(b"", KEY),
        seal(whole.replace("root", "xml").as_bytes(), KEY),
        seal(whole.replace("</root>", "<refund_id>1</refund_id></root>").as_bytes(), KEY),
        seal(bomb.as_bytes(), KEY),
    ] {
        let refusal = read(&outside(APP_ID, MCH_ID, &sealed)).unwrap_err();
        assert_eq!((refusal, refusal.is_authentic()), (NotificationRefusal::NotEncryptedForUs, false), "{sealed}");
    }
}

#[test]
fn while_one_key_follows_another_both_open() {
    let both = WechatPayV2Settings { api_keys: vec![Secret::new(KEY.to_owned()), Secret::new(OTHER_KEY.to_owned())], ..settings() };
    for key in [KEY, OTHER_KEY] {
        assert!(read_by(&both, &outside(APP_ID, MCH_ID, &seal(inside("", "").as_bytes(), key))).is_ok());
    }
}

proptest! {
    #[test]
    fn nothing_sealed_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&outside(APP_ID, MCH_ID, &seal(&text, KEY)));
    }
}
