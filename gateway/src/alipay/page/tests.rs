use domain::{Currency, Money};

use crate::alipay::form::{Empty, Form};
use crate::alipay::keys::ApplicationKey;
use crate::alipay::tests::{NUMBER, answering, http_answer, key_text, settings};
use crate::{FormRequest, Gateway, GatewayError, PaymentForm};

fn request() -> FormRequest {
    FormRequest {
        out_trade_no: NUMBER.to_owned(),
        amount: Money::new(19_900, Currency::Cny).unwrap(),
        subject: "Rust 系统编程 \"第 3 期\"".to_owned(),
        product_code: "FAST_INSTANT_TRADE_PAY".to_owned(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/alipay".to_owned(),
        return_url: "https://shop.example.com/return/alipay?a=1&b=2".to_owned(),
    }
}

fn form(request: &FormRequest) -> Result<PaymentForm, GatewayError> {
    let (gateway, canned) = answering(&settings(), Ok(http_answer("")));
    let form = gateway.form(request);
    assert!(canned.sent().is_empty(), "a form is made without a call");
    form
}

#[test]
fn common_members_stand_in_the_address_and_the_content_in_one_field() {
    let form = form(&request()).unwrap();
    let (address, query) = form.action.split_once('?').unwrap();
    assert_eq!(address, settings().gateway_url);
    let members = Form::read(query.as_bytes()).unwrap();
    for (name, expected) in [
        ("app_id", "2026000000000001"),
        ("method", "alipay.trade.page.pay"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-03-05 14:08:09"),
        ("version", "1.0"),
        ("notify_url", "https://pay.example.com/notify/alipay"),
        ("return_url", "https://shop.example.com/return/alipay?a=1&b=2"),
    ] {
        assert_eq!(members.get(name), Some(expected.as_bytes()), "{name}");
    }
    assert_eq!(members.iter().count(), 9);
    let [(name, content)] = form.fields.as_slice() else { panic!("{form:?}") };
    assert_eq!(name, "biz_content");
    let content: serde_json::Value = serde_json::from_str(content).unwrap();
    let expected = serde_json::json!({
        "out_trade_no": NUMBER, "total_amount": "199.00", "subject": "Rust 系统编程 \"第 3 期\"",
        "product_code": "FAST_INSTANT_TRADE_PAY", "time_expire": "2026-03-05 14:38:09",
    });
    assert_eq!(content, expected);
}

#[test]
fn a_phone_s_form_names_its_own_product_and_the_way_out() {
    let form = form(&FormRequest { product_code: "QUICK_WAP_WAY".to_owned(), ..request() }).unwrap();
    let (_, query) = form.action.split_once('?').unwrap();
    assert_eq!(Form::read(query.as_bytes()).unwrap().get("method"), Some(b"alipay.trade.wap.pay".as_slice()));
    let content: serde_json::Value = serde_json::from_str(&form.fields[0].1).unwrap();
    let expected = serde_json::json!({
        "out_trade_no": NUMBER, "total_amount": "199.00", "subject": "Rust 系统编程 \"第 3 期\"",
        "product_code": "QUICK_WAP_WAY", "time_expire": "2026-03-05 14:38:09",
        "quit_url": "https://shop.example.com/return/alipay?a=1&b=2",
    });
    assert_eq!(content, expected);
}

#[test]
fn what_a_browser_posts_is_what_was_signed() {
    let form = form(&request()).unwrap();
    let (_, query) = form.action.split_once('?').unwrap();
    let fields = crate::alipay::form::write(form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let whole = format!("{query}&{fields}");
    let members = Form::read(whole.as_bytes()).unwrap();
    let key = ApplicationKey::read(&key_text("alipay_app_private_pkcs8.pem")).unwrap();
    let sign = key.sign(&members.canonical(&["sign"], Empty::Kept)).unwrap();
    assert_eq!(members.get("sign"), Some(sign.as_bytes()));
}

#[test]
fn the_same_request_gives_the_same_form_at_the_same_time() {
    assert_eq!(form(&request()).unwrap(), form(&request()).unwrap());
}

#[test]
fn what_breaks_a_rule_of_alipays_makes_no_form() {
    let cases = [
        (FormRequest { out_trade_no: "a-b".to_owned(), ..request() }, "out_trade_no"),
        (FormRequest { amount: Money::zero(Currency::Cny), ..request() }, "total_amount"),
        (FormRequest { subject: "x&total_amount=1".to_owned(), ..request() }, "subject"),
        (FormRequest { product_code: "QUICK_WAP_PAY".to_owned(), ..request() }, "product_code"),
        (FormRequest { product_code: "FACE_TO_FACE_PAYMENT".to_owned(), ..request() }, "product_code"),
        (FormRequest { notify_url: String::new(), ..request() }, "notify_url"),
        (FormRequest { return_url: "javascript:alert(1)".to_owned(), ..request() }, "return_url"),
        (FormRequest { return_url: format!("https://{}", "a".repeat(249)), ..request() }, "return_url"),
    ];
    for (request, member) in cases {
        match form(&request) {
            Err(GatewayError::Refused { code, .. }) => assert_eq!(code, format!("paystream.invalid_{member}")),
            other => panic!("{other:?}"),
        }
    }
}
