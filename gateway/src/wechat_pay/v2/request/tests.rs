use domain::Channel;

use super::*;
use crate::wechat_pay::v2::tests::{fen, order, settings};

fn config() -> WechatPayV2Config {
    WechatPayV2Config::new(&settings()).unwrap()
}

fn member(members: &CallMembers, name: &str) -> String {
    members.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone()).unwrap()
}

#[test]
fn what_breaks_a_rule_is_not_sent() {
    let refused = |change: fn(&mut PrecreateRequest)| {
        let mut request = order(Channel::WechatNativeV2);
        change(&mut request);
        unified_order(Product::Native, &request, &config()).unwrap_err().0
    };
    for number in ["12345", "a b c d", "12345\"", "1234567@"] {
        assert_eq!(numbered(number), Err(Unsendable("out_trade_no")), "{number}");
    }
    assert_eq!(refused(|request| request.out_trade_no = "1".repeat(33)), "out_trade_no");
    assert!(numbered("1a_-|*").is_ok() && numbered(&"1".repeat(32)).is_ok());
    assert_eq!(refused(|request| request.amount = fen(0)), "total_fee");
    assert_eq!(refused(|request| request.subject = "\n \t".to_owned()), "subject");
    for url in ["ftp://pay.example.com", "https://pay.example.com/a b", "https://pay.example.com/?a=1", "https://pay.example.com/#a", "x"] {
        let request = PrecreateRequest { notify_url: url.to_owned(), ..order(Channel::WechatNativeV2) };
        assert_eq!(unified_order(Product::Native, &request, &config()), Err(Unsendable("notify_url")), "{url}");
    }
    assert_eq!(refused(|request| request.notify_url = format!("https://{}", "a".repeat(249))), "notify_url");
    for openid in ["", "a b", "<openid>", &"a".repeat(129)] {
        let request = PrecreateRequest { payer_openid: Some(openid.to_owned()), ..order(Channel::WechatJsapiV2) };
        assert_eq!(unified_order(Product::Jsapi, &request, &config()), Err(Unsendable("payer_openid")), "{openid}");
    }
    assert_eq!(refund_query("723100000000000101", &"1".repeat(65)), Err(Unsendable("out_refund_no")));
    for product_id in ["", "a b", "商品", &"1".repeat(33)] {
        assert_eq!(product_number(product_id), Err(Unsendable("product_id")), "{product_id}");
    }
    assert_eq!(Unsendable("subject").code(), "paystream.invalid_subject");
}

#[test]
fn a_long_subject_is_cut_between_characters() {
    let body = |subject: String| {
        let request = PrecreateRequest { subject, ..order(Channel::WechatNativeV2) };
        member(&unified_order(Product::Native, &request, &config()).unwrap(), "body")
    };
    assert_eq!(body("课".repeat(43)), "课".repeat(42));
    assert_eq!(body("a".repeat(200)).len(), 127);
    assert_eq!(body(" a\u{0}b\n".to_owned()), "a b");
}

#[test]
fn an_unknown_payer_s_address_is_ours_but_in_a_phone_s_browser() {
    let ip = |product: Product| {
        let request = PrecreateRequest { payer_client_ip: None, ..order(product.channel()) };
        unified_order(product, &request, &config()).map(|members| member(&members, "spbill_create_ip"))
    };
    assert_eq!(ip(Product::Jsapi).as_deref(), Ok("203.0.113.7"));
    assert_eq!(ip(Product::App).as_deref(), Ok("203.0.113.7"));
    assert_eq!(ip(Product::H5), Err(Unsendable("payer_client_ip")));
}

#[test]
fn a_text_cannot_leave_its_member() {
    let request = PrecreateRequest { subject: "]]><sign>x</sign><body>&a;".to_owned(), ..order(Channel::WechatNativeV2) };
    let config = config();
    let members = unified_order(Product::Native, &request, &config).unwrap();
    let text = message(&config, "wx1", "n1", &members);
    let read = xml::read(text.as_bytes(), xml::ROOT).unwrap();
    assert_eq!(read["body"], request.subject);
    assert_eq!(config.signer.verify(&read), Ok(()));
}

#[test]
fn members_without_a_value_are_not_sent() {
    let config = config();
    let text = message(&config, "wx1", "n1", &[("a", String::new()), ("b", "1".to_owned())]);
    let read = xml::read(text.as_bytes(), xml::ROOT).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["appid", "b", "mch_id", "nonce_str", "sign", "sign_type"]);
}

#[test]
fn a_nonce_is_used_once() {
    let (one, two) = (nonce().unwrap(), nonce().unwrap());
    assert_ne!(one, two);
    assert!(one.len() == 32 && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}
