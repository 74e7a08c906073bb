//! The shared vectors: what independent implementations sign and accept, this one does too.

use std::path::PathBuf;

use rsa::RsaPrivateKey;
use rsa::RsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use serde_json::Value;

use super::*;
use crate::alipay::charset::Charset;
use crate::alipay::form;

fn folder() -> PathBuf {
    let copy = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../gateway/vectors");
    std::env::var_os("PAYSTREAM_VECTORS").map_or_else(copy, PathBuf::from)
}

fn cases(kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("alipay.json")).expect("the vectors are there");
    let document: Value = serde_json::from_str(&text).unwrap();
    let of_kind = |case: &&Value| case["kind"] == kind;
    document["cases"].as_array().unwrap().iter().filter(of_kind).cloned().collect()
}

fn signing_key(file: &str) -> SigningKey<Sha256> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    SigningKey::new(RsaPrivateKey::from_pkcs8_pem(&text).unwrap())
}

fn verifying_key(file: &str) -> VerifyingKey<Sha256> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    VerifyingKey::new(RsaPublicKey::from_public_key_pem(&text).unwrap())
}

fn members(params: &Value, charset: Charset) -> Members {
    let params = params.as_object().unwrap();
    params.iter().map(|(name, value)| (name.clone(), charset.encode(value.as_str().unwrap()))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn requests_are_signed_exactly_as_by_others() {
    let cases = cases("request_sign");
    assert_eq!(cases.len(), 13);
    let app_key = verifying_key("keys/alipay_app_public.pem");
    for case in cases {
        let canonical = canonical_request(&members(&case["input"]["params"], Charset::Utf8));
        assert_eq!(String::from_utf8(canonical.clone()).unwrap(), text(&case["expect"]["canonical"]), "{}", case["name"]);
        let sign = sign(&signing_key(text(&case["input"]["private_key"])), &canonical).unwrap();
        assert_eq!(sign, text(&case["expect"]["sign"]), "{}", case["name"]);
        assert!(verify(&app_key, &canonical, sign.as_bytes()), "{}", case["name"]);
    }
}

/// Notices whose own signed text differs from what the sandbox would sign: empty members are left out here.
const SIGNED_OTHERWISE: [&str; 1] = ["notify_success_empty_member_signed"];

#[test]
fn notices_are_signed_exactly_as_by_others() {
    let platform = signing_key("keys/alipay_platform_private_pkcs8.pem");
    let mut compared = 0;
    for case in cases("notify_verify") {
        let name = text(&case["name"]);
        if case["expect"]["signature_valid"] != true || SIGNED_OTHERWISE.contains(&name) {
            continue;
        }
        let charset = case["expect"]["canonical_charset"].as_str().map_or(Charset::Utf8, |word| Charset::parse(word).unwrap());
        let params = members(&case["expect"]["params"], charset);
        let canonical = canonical_notification(&params);
        assert_eq!(canonical, charset.encode(text(&case["expect"]["canonical"])), "{name}");
        assert_eq!(sign(&platform, &canonical).unwrap().as_bytes(), params["sign"], "{name}");
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} notices were compared");
}

#[test]
fn notices_are_read_from_their_raw_bytes_as_by_others() {
    let mut read = 0;
    for case in cases("notify_verify") {
        let (Some(body), true) = (case["input"]["body"].as_str(), case["expect"]["params"].is_object()) else { continue };
        let mut found = Members::new();
        form::read_into(&mut found, body.as_bytes()).unwrap();
        let charset = case["expect"]["canonical_charset"].as_str().map_or(Charset::Utf8, |word| Charset::parse(word).unwrap());
        assert_eq!(found, members(&case["expect"]["params"], charset), "{}", case["name"]);
        read += 1;
    }
    assert!(read >= 20, "only {read} notices were read");
}

#[test]
fn answers_are_signed_exactly_as_by_others() {
    let platform = signing_key("keys/alipay_platform_private_pkcs8.pem");
    let case = cases("response_verify").into_iter().find(|case| case["name"] == "response_precreate_escaped_slashes").unwrap();
    let node = text(&case["expect"]["signed_content"]);
    let body = format!("{{\"alipay_trade_precreate_response\":{node},\"sign\":\"{}\"}}", sign(&platform, node.as_bytes()).unwrap());
    assert_eq!(body, text(&case["input"]["body"]));
}

#[test]
fn anything_but_the_signature_of_these_bytes_is_refused() {
    let (app, app_public) = (signing_key("keys/alipay_app_private_pkcs8.pem"), verifying_key("keys/alipay_app_public.pem"));
    let good = sign(&app, b"a=1").unwrap();
    assert!(verify(&app_public, b"a=1", good.as_bytes()));
    assert!(!verify(&app_public, b"a=2", good.as_bytes()));
    assert!(!verify(&verifying_key("keys/alipay_other_public.pem"), b"a=1", good.as_bytes()));
    for sign in ["", "AAAA", "not base64", &good[1..], &format!("{good}\n"), &good.replace('=', "")] {
        assert!(!verify(&app_public, b"a=1", sign.as_bytes()), "{sign:?}");
    }
}
