use std::net::IpAddr;

use super::super::tests::{config, fen, precreate_request, refund_request, settings};
use super::*;

fn precreated(channel: Channel, change: impl FnOnce(&mut PrecreateRequest)) -> Result<String, Unsendable> {
    let mut request = precreate_request(channel);
    change(&mut request);
    precreate(&request, channel, &config(&settings()))
}

fn refused(channel: Channel, change: impl FnOnce(&mut PrecreateRequest)) -> &'static str {
    precreated(channel, change).unwrap_err().0
}

const NATIVE: Channel = Channel::WechatNative;

#[test]
fn each_product_names_its_app_and_its_payer() {
    let value = |channel| serde_json::from_str::<serde_json::Value>(&precreated(channel, |_| {}).unwrap()).unwrap();
    let native = value(NATIVE);
    assert_eq!((native["payer"].is_null(), native["scene_info"].is_null()), (true, true));
    assert_eq!(value(Channel::WechatApp)["appid"], "wx00000000000000aa");
    let mini = value(Channel::WechatMiniProgram);
    assert_eq!((&mini["appid"], &mini["payer"]["openid"]), (&"wx00000000000000bb".into(), &"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".into()));
    let h5 = value(Channel::WechatH5);
    assert_eq!((&h5["scene_info"]["payer_client_ip"], &h5["scene_info"]["h5_info"]["type"]), (&"14.23.150.211".into(), &"Wap".into()));
    assert!(h5["payer"].is_null());
    let ipv6: IpAddr = "2001:db8::1".parse().unwrap();
    assert!(precreated(Channel::WechatH5, |request| request.payer_client_ip = Some(ipv6)).unwrap().contains("\"2001:db8::1\""));
}

#[test]
fn what_breaks_a_rule_is_not_sent() {
    for number in ["", "12345", &"1".repeat(33), "1234/6", "1234?6", "1234|6", "12345\n", "订单号六个字"] {
        assert_eq!(refused(NATIVE, |request| number.clone_into(&mut request.out_trade_no)), "out_trade_no", "{number}");
    }
    assert!(precreated(NATIVE, |request| request.out_trade_no = "123456".to_owned()).is_ok());
    assert!(precreated(NATIVE, |request| request.out_trade_no = "1".repeat(32)).is_ok());
    assert_eq!(refused(NATIVE, |request| request.amount = domain::Money::zero(domain::Currency::Cny)), "amount");
    assert_eq!(refused(NATIVE, |request| request.subject = " \n\u{0}".to_owned()), "description");
    for url in [
        "ftp://a",
        "pay.example.com",
        "https://pay.example.com/n?a=b",
        "https://pay.example.com/ a",
        &format!("https://{}", "a".repeat(248)),
    ] {
        assert_eq!(refused(NATIVE, |request| url.clone_into(&mut request.notify_url)), "notify_url", "{url}");
    }
    for channel in [Channel::WechatJsapi, Channel::WechatMiniProgram] {
        for openid in [None, Some(String::new()), Some("a b".to_owned()), Some("a".repeat(129))] {
            assert_eq!(refused(channel, |request| request.payer_openid = openid), "openid");
        }
    }
    assert_eq!(refused(Channel::WechatH5, |request| request.payer_client_ip = None), "payer_client_ip");
    assert_eq!(refused(NATIVE, |request| request.channel = Channel::WechatApp), "channel");
    assert_eq!(Unsendable("openid").code(), "paystream.invalid_openid");
}

#[test]
fn a_long_subject_is_cut_between_characters_and_always_in_the_same_place() {
    let description = |subject: &str| {
        let body = precreated(NATIVE, |request| subject.clone_into(&mut request.subject)).unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["description"].as_str().unwrap().to_owned()
    };
    assert_eq!(description(&"书".repeat(100)), "书".repeat(42));
    assert_eq!(description(&"x".repeat(300)), "x".repeat(127));
    assert_eq!(description(" a\r\nb \"c\" "), "a  b \"c\"");
    assert_eq!(description(&format!("{}🎓", "x".repeat(125))), "x".repeat(125));
}

#[test]
fn a_refund_keeps_its_rules_and_never_fails_for_its_reason() {
    let with = |change: &dyn Fn(&mut RefundRequest)| {
        let mut request = refund_request();
        change(&mut request);
        refund(&request)
    };
    let whole = with(&|request| request.amount = request.total).unwrap();
    assert!(whole.contains(r#""amount":{"refund":19900,"total":19900,"currency":"CNY"}"#), "{whole}");
    for reason in [None, Some(String::new()), Some(" \n".to_owned())] {
        assert!(!with(&|request| request.reason.clone_from(&reason)).unwrap().contains("reason"), "{reason:?}");
    }
    let long = with(&|request| request.reason = Some("退".repeat(60))).unwrap();
    assert!(long.contains(&format!(r#""reason":"{}","#, "退".repeat(26))), "{long}");
    assert!(!with(&|request| request.notify_url = None).unwrap().contains("notify_url"));
    assert_eq!(with(&|request| request.refund_no = String::new()), Err(Unsendable("out_refund_no")));
    assert_eq!(with(&|request| request.refund_no = "1".repeat(65)), Err(Unsendable("out_refund_no")));
    assert_eq!(with(&|request| request.refund_no = "a/b".to_owned()), Err(Unsendable("out_refund_no")));
    assert_eq!(with(&|request| request.out_trade_no = "1".to_owned()), Err(Unsendable("out_trade_no")));
    assert_eq!(with(&|request| request.amount = fen(19_901)), Err(Unsendable("amount")));
    assert_eq!(with(&|request| request.notify_url = Some("x".to_owned())), Err(Unsendable("notify_url")));
}

#[test]
fn nothing_that_is_signed_for_a_client_holds_the_end_of_a_line() {
    assert_eq!(client("wx201410272009395522657a690389285100", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"), Ok(()));
    for prepay_id in ["", "wx\n1", "wx 1", &"w".repeat(65)] {
        assert_eq!(client(prepay_id, "n"), Err(Unsendable("prepay_id")), "{prepay_id}");
    }
    for nonce in ["", "n\n", "n-1", &"n".repeat(33)] {
        assert_eq!(client("wx1", nonce), Err(Unsendable("nonce")), "{nonce}");
    }
}
