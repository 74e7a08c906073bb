//! What we sign: requests, links of fixed codes, parameters of pages and apps.

use std::collections::BTreeMap;

use domain::Channel;

use super::super::sign::{Signer, string_to_sign};
use super::super::tests::World;
use super::super::{WechatPayV2Config, WechatPayV2Settings};
use super::{cases, context};
use crate::vectors::Case;
use crate::{Gateway, ProductCodes};

fn pairs(members: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    members.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn signer(settings: &WechatPayV2Settings) -> Signer {
    WechatPayV2Config::new(settings).unwrap().signer
}

/// Compares the text and the signature of the case's members, and answers them.
fn compare(case: &mut Case) -> (WechatPayV2Settings, BTreeMap<String, String>, String) {
    let settings = case.settings(&context());
    let params = case.input.texts("params");
    let sign = signer(&settings).sign(pairs(&params));
    let text = string_to_sign(pairs(&params), settings.api_keys[0].expose());
    assert_eq!(text, case.expected_text("string_to_sign"), "{}", case.name);
    assert_eq!(sign, case.expected_text("sign"), "{}", case.name);
    (settings, params, sign)
}

#[test]
fn members_are_signed_as_by_every_other_implementation() {
    for mut case in cases("sign") {
        compare(&mut case);
        case.assert_all_read();
    }
}

#[test]
fn the_link_of_a_fixed_code_is_signed_bare_and_encoded_in_the_link_only() {
    for mut case in cases("bizpayurl") {
        let (settings, params, _) = compare(&mut case);
        let world = World::new(&settings);
        let at = params["time_stamp"].parse().ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0)).unwrap();
        let link = world.native().product_link(&params["product_id"], at, &params["nonce_str"]).unwrap();
        assert_eq!(link, case.expected_text("example_url"), "{}", case.name);
        let query = link.strip_prefix("weixin://wxpay/bizpayurl?").unwrap();
        let read: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(read, case.expect.texts("query"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn pages_and_apps_get_their_parameters_signed() {
    for mut case in cases("pay_params") {
        let (settings, params, sign) = compare(&mut case);
        let member = case.input_text("member");
        let world = World::new(&settings);
        let (channel, prepay_id, time, nonce) = match member.as_str() {
            "paySign" => {
                (Channel::WechatJsapiV2, params["package"].strip_prefix("prepay_id=").unwrap(), &params["timeStamp"], &params["nonceStr"])
            }
            "sign" => (Channel::WechatAppV2, params["prepayid"].as_str(), &params["timestamp"], &params["noncestr"]),
            other => panic!("{}: who takes {other}?", case.name),
        };
        let at = chrono::DateTime::from_timestamp(time.parse().unwrap(), 0).unwrap();
        let signed = world.gateway(channel).client_parameters(channel, prepay_id, at, nonce).unwrap();
        let expected: BTreeMap<String, String> = params.clone().into_iter().chain([(member, sign)]).collect();
        let signed: BTreeMap<String, String> = signed.members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(signed, expected, "{}", case.name);
        case.assert_all_read();
    }
}
