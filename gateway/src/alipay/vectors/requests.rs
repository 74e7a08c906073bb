//! Signing, and the forms of private keys.

use std::collections::BTreeMap;

use domain::{Currency, Money};

use super::super::content;
use super::super::form::Form;
use super::super::keys::ApplicationKey;
use super::super::request::{canonical, signed};
use super::cases;
use crate::RefundRequest;
use crate::vectors::file;

#[test]
fn requests_are_signed_as_by_every_other_implementation() {
    for mut case in cases("request_sign") {
        let params = case.input.texts("params");
        let members: BTreeMap<&str, String> = params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let key = ApplicationKey::read(&file(&case.input_text("private_key"))).unwrap();
        assert_eq!(case.input_text("sign_type"), "RSA2");
        assert_eq!(canonical(&members), case.expected_text("canonical"), "{}", case.name);
        let sign = case.expected_text("sign");
        assert_eq!(key.sign(canonical(&members).as_bytes()).unwrap(), sign, "{}", case.name);

        // What is sent is exactly what was signed, beside the signature.
        let request = signed(&members, &key).unwrap();
        let whole = format!("{}&{}", request.query, request.body);
        let sent = Form::read(whole.as_bytes()).unwrap();
        let sent: BTreeMap<&str, &str> =
            sent.iter().map(|(name, value)| (str::from_utf8(name).unwrap(), str::from_utf8(value).unwrap())).collect();
        let filled = members.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, value.as_str()));
        assert_eq!(sent, filled.chain([("sign", sign.as_str())]).collect(), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn refunds_are_written_as_every_other_implementation_writes_them() {
    let fen = |amount_minor| Money::new(amount_minor, Currency::Cny).unwrap();
    let content = |name: &str| {
        let mut case = cases("request_sign").into_iter().find(|case| case.name == name).unwrap();
        case.input.texts("params").remove("biz_content").unwrap()
    };
    let request = RefundRequest {
        out_trade_no: "SO20260305140809000123".to_owned(),
        refund_no: "RF-0001".to_owned(),
        amount: fen(3_000),
        total: fen(19_900),
        reason: Some("正常退款".to_owned()),
        notify_url: None,
    };
    assert_eq!(content::refund(&request).unwrap(), content("request_refund_partial"));
    let query = content::refund_query(&request.out_trade_no, &request.refund_no);
    assert_eq!(query.unwrap(), content("request_refund_query"));
}

#[test]
fn private_keys_are_read_in_every_form() {
    for mut case in cases("private_key_load") {
        let key = ApplicationKey::read(&case.input_text("key")).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(key.sign(case.input_text("message").as_bytes()).unwrap(), case.expected_text("sign"), "{}", case.name);
        case.assert_all_read();
    }
}
