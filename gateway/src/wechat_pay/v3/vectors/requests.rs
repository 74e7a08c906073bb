//! Requests, their bodies, and what clients are handed.

use chrono::DateTime;
use domain::Channel;

use super::super::content;
use super::super::keys::MerchantKey;
use super::super::signing::{SCHEME, Signable, lines};
use super::super::tests::{fen, native};
use super::super::{WechatPayGateway, parameters};
use super::{cases, client_of, document};
use crate::vectors::{Case, file};
use crate::{Gateway, PrecreateRequest, RefundRequest};

#[test]
fn requests_are_signed_as_by_every_other_implementation() {
    for mut case in cases("request_sign") {
        let (method, url, body) = (case.input_text("method"), case.input_text("url"), case.input_text("body"));
        let (mchid, serial, nonce) = (case.input_text("mchid"), case.input_text("serial_no"), case.input_text("nonce"));
        let key = MerchantKey::read(&file(&case.input_text("private_key"))).unwrap();
        let timestamp = case.input.number("timestamp");
        let at = DateTime::from_timestamp(timestamp, 0).unwrap();
        let signable = Signable { method: &method, path_and_query: &url, at, nonce: &nonce, body: &body };
        assert_eq!(signable.message(), case.expected_text("message"), "{}", case.name);
        let signature = case.expected_text("signature");
        assert_eq!(key.sign(signable.message().as_bytes()).unwrap(), signature, "{}", case.name);

        let authorization = signable.authorization(&mchid, &serial, &key).unwrap();
        let (scheme, members) = authorization.split_once(' ').unwrap();
        assert_eq!((scheme, case.expected_text("authorization_scheme").as_str()), (SCHEME, SCHEME), "{}", case.name);
        let member = |member: &str| {
            let (name, value) = member.split_once('=').unwrap();
            (name.to_owned(), value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap().to_owned())
        };
        let members: std::collections::BTreeMap<String, String> = members.split(',').map(member).collect();
        assert_eq!(members, case.expect.texts("authorization_members"), "{}", case.name);
        case.assert_all_read();
    }
}

fn body_of(name: &str) -> String {
    let mut case: Case = cases("request_sign").into_iter().find(|case| case.name == name).unwrap();
    case.input_text("body")
}

#[test]
fn payments_are_written_as_every_other_implementation_writes_them() {
    let context = document().context;
    let client = client_of(&context, &context.keys, &context.api_v3_key);
    let request = |channel| PrecreateRequest {
        out_trade_no: "SO20260305140809000123".to_owned(),
        channel,
        amount: fen(19_900),
        subject: "课程商城-Rust 系统编程".to_owned(),
        product_code: String::new(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/wechat/v3".to_owned(),
        payer_openid: Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
        payer_client_ip: Some("14.23.150.211".parse().unwrap()),
    };
    for (name, channel) in [
        ("request_native", Channel::WechatNative),
        ("request_jsapi", Channel::WechatJsapi),
        ("request_jsapi", Channel::WechatMiniProgram),
        ("request_h5", Channel::WechatH5),
        ("request_app", Channel::WechatApp),
    ] {
        // Nothing of ours rides along in `attach`.
        let expected = body_of(name).replace(r#""attach":"支付测试","#, "");
        assert_eq!(content::precreate(&request(channel), channel, &client.config).unwrap(), expected, "{channel}");
    }
    assert_eq!(content::close(&client.config).unwrap(), body_of("request_close"));
    let refund = RefundRequest {
        out_trade_no: "SO20260305140809000123".to_owned(),
        refund_no: "RF-0001".to_owned(),
        amount: fen(3_960),
        total: fen(19_900),
        reason: Some("商品已售完".to_owned()),
        notify_url: Some("https://pay.example.com/notify/wechat/v3/refund".to_owned()),
    };
    assert_eq!(content::refund(&refund).unwrap(), body_of("request_refund"));
}

#[test]
fn clients_are_handed_what_every_other_implementation_hands_them() {
    let context = document().context;
    for mut case in cases("pay_params") {
        let client = client_of(&context, &context.keys, &context.api_v3_key);
        let (kind, appid, prepay_id) = (case.input_text("kind"), case.input_text("appid"), case.input_text("prepay_id"));
        let (timestamp, nonce) = (case.input_text("timestamp"), case.input_text("nonce"));
        let at = DateTime::from_timestamp(timestamp.parse().unwrap(), 0).unwrap();
        assert_eq!((appid.as_str(), case.input_text("private_key").as_str()), (&*context.appid, "keys/wechat_mch_private_pkcs8.pem"));
        let (gateway, channel) = match kind.as_str() {
            "jsapi" => (WechatPayGateway::jsapi(client), Channel::WechatJsapi),
            "app" => (WechatPayGateway::app(client), Channel::WechatApp),
            other => panic!("{other}"),
        };
        let handed = gateway.client_parameters(channel, &prepay_id, at, &nonce).unwrap();
        let get = |name: &str| handed.get(name).unwrap_or_else(|| panic!("{name} is handed")).to_owned();
        let (message, signature) = if channel == Channel::WechatJsapi {
            assert_eq!((get("signType"), get("package")), ("RSA".to_owned(), format!("prepay_id={prepay_id}")));
            (lines(&[&get("appId"), &get("timeStamp"), &get("nonceStr"), &get("package")]), get("paySign"))
        } else {
            assert_eq!((get("package"), get("partnerid")), ("Sign=WXPay".to_owned(), context.mchid.clone()));
            (lines(&[&get("appid"), &get("timestamp"), &get("noncestr"), &get("prepayid")]), get("sign"))
        };
        assert_eq!(message, case.expected_text("message"), "{}", case.name);
        assert_eq!(signature, case.expected_text("signature"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn a_mini_program_is_handed_the_same_under_its_own_app() {
    let (gateway, _) = native([]);
    let config = &gateway.client.config;
    let handed = parameters::jsapi(config, Channel::WechatMiniProgram, "wx20", super::super::tests::now(), "n").unwrap();
    assert_eq!(handed.get("appId"), Some("wx00000000000000bb"));
}
