use std::error::Error as _;

use super::*;
use crate::alipay::tests::{key_text, settings};

fn with(change: impl FnOnce(&mut AlipaySettings)) -> Result<AlipayConfig, AlipayConfigError> {
    let mut settings = settings();
    change(&mut settings);
    AlipayConfig::new(&settings)
}

fn refused(change: impl FnOnce(&mut AlipaySettings)) -> AlipayConfigError {
    with(change).err().unwrap()
}

#[test]
fn a_whole_configuration_is_taken() {
    let config = with(|_| {}).unwrap();
    assert_eq!((config.product_code(), config.time_limit), ("FACE_TO_FACE_PAYMENT", CALL_TIME_LIMIT));
    assert_eq!(config.gateway_url(), "http://127.0.0.1:9/sandbox/alipay/gateway.do");
    assert_eq!(with(|settings| settings.timeout_ms = Some(500)).unwrap().time_limit, Duration::from_millis(500));
    assert!(with(|settings| settings.product_code = "QR_CODE_OFFLINE".to_owned()).is_ok());
}

#[test]
fn each_missing_member_is_named() {
    let missing = |member| AlipayConfigError::Missing { member };
    assert_eq!(refused(|settings| settings.gateway_url = String::new()), missing("gateway_url"));
    assert_eq!(refused(|settings| settings.app_id = " ".to_owned()), missing("app_id"));
    assert_eq!(refused(|settings| settings.seller_id = String::new()), missing("seller_id"));
    assert_eq!(refused(|settings| settings.product_code = String::new()), missing("product_code"));
    let no_private = refused(|settings| settings.app_private_key = Secret::new(String::new()));
    assert_eq!((no_private.member(), no_private), ("app_private_key", AlipayConfigError::AppPrivateKey(KeyError::Missing)));
    let no_public = refused(|settings| settings.alipay_public_keys = Vec::new());
    assert_eq!(no_public.member(), "alipay_public_keys");
    assert_eq!(no_public, AlipayConfigError::AlipayPublicKey { number: 1, source: KeyError::Missing });
}

#[test]
fn each_wrong_member_is_named() {
    let member = |change: fn(&mut AlipaySettings)| refused(change).member();
    assert_eq!(member(|settings| settings.app_id = "2026-1".to_owned()), "app_id");
    assert_eq!(member(|settings| settings.app_id = "1".repeat(33)), "app_id");
    for wrong in ["2088", "1088000000000001", "20880000000000011", "208800000000000x"] {
        assert_eq!(refused(|settings| settings.seller_id = wrong.to_owned()).member(), "seller_id");
    }
    assert_eq!(member(|settings| settings.product_code = "QUICK_WAP_WAY".to_owned()), "product_code");
    for wrong in [0, 60_001, u64::MAX] {
        assert_eq!(refused(|settings| settings.timeout_ms = Some(wrong)).member(), "timeout_ms");
    }
    let wrong_key = refused(|settings| settings.app_private_key = Secret::new("x".to_owned()));
    assert_eq!(wrong_key, AlipayConfigError::AppPrivateKey(KeyError::Unreadable));
    let second = refused(|settings| settings.alipay_public_keys.push("x".to_owned()));
    assert_eq!(second, AlipayConfigError::AlipayPublicKey { number: 2, source: KeyError::Unreadable });
}

#[test]
fn a_gateway_is_reached_by_https_or_is_not_alipays() {
    for good in ["https://openapi.alipay.com/gateway.do", "http://sandbox:8080/sandbox/alipay/gateway.do", "http://notalipay.com/"] {
        assert!(with(|settings| settings.gateway_url = good.to_owned()).is_ok(), "{good}");
    }
    for wrong in [
        "openapi.alipay.com",
        "ftp://openapi.alipay.com/",
        "http://openapi.alipay.com/gateway.do",
        "http://OPENAPI-sandbox.dl.alipaydev.com/gateway.do",
        "http://alipay.com/",
        "http://openapi.alipay.com./gateway.do",
        "https://openapi.alipay.com/gateway.do?a=1",
        "https://openapi.alipay.com/gateway.do#a",
        "https://user:secret@openapi.alipay.com/gateway.do",
        "data:text/plain,x",
    ] {
        assert_eq!(refused(|settings| settings.gateway_url = wrong.to_owned()).member(), "gateway_url", "{wrong}");
    }
}

#[test]
fn nothing_printed_shows_the_private_key() {
    let text = key_text("alipay_app_private_pkcs8.b64");
    let secret = text.get(40..80).unwrap();
    let mut settings = settings();
    settings.app_private_key = Secret::new(text.clone());
    let config = AlipayConfig::new(&settings).unwrap();
    let printed = format!("{settings:?} {config:?}");
    settings.app_private_key = Secret::new(text.trim().get(1..).unwrap().to_owned());
    let error = AlipayConfig::new(&settings).err().unwrap();
    let shown = format!("{printed} {error} {error:?} {:?}", error.source());
    assert!(!shown.contains(secret), "{shown}");
    assert!(shown.contains("***"));
}

#[test]
fn unknown_members_are_refused() {
    let known = r#"{"gateway_url":"","app_id":"","seller_id":"","app_private_key":"","alipay_public_keys":[],"product_code":""}"#;
    assert!(serde_json::from_str::<AlipaySettings>(known).is_ok());
    let unknown = known.replace('{', r#"{"app_secret":"","#);
    assert!(serde_json::from_str::<AlipaySettings>(&unknown).is_err());
}
