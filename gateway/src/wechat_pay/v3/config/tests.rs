use std::error::Error as _;

use super::super::tests::{PUBLIC_KEY_ID, key_text, now, settings};
use super::*;

fn with(change: impl FnOnce(&mut WechatPaySettings)) -> Result<WechatPayConfig, WechatPayConfigError> {
    let mut settings = settings();
    change(&mut settings);
    WechatPayConfig::new(&settings, now())
}

fn refused(change: impl FnOnce(&mut WechatPaySettings)) -> WechatPayConfigError {
    with(change).err().unwrap()
}

fn key_refused(member: &'static str, source: KeyError, change: impl FnOnce(&mut WechatPaySettings)) {
    assert_eq!(refused(change), WechatPayConfigError::Key { member, number: 1, source });
}

#[test]
fn a_whole_configuration_is_taken() {
    let config = with(|_| {}).unwrap();
    assert_eq!(config.time_limit, CALL_TIME_LIMIT);
    assert_eq!(config.base_url(), "http://127.0.0.1:9/sandbox/wechat");
    assert_eq!(config.public_key_id.as_deref(), Some(PUBLIC_KEY_ID));
    assert_eq!(config.merchant_expiry().unwrap().expires_at, "2046-11-16T02:17:34Z".parse::<DateTime<Utc>>().unwrap());
    assert_eq!(with(|settings| settings.timeout_ms = Some(500)).unwrap().time_limit, Duration::from_millis(500));
    let lower = with(|settings| settings.merchant_serial.make_ascii_lowercase()).unwrap();
    assert_eq!(lower.merchant_serial, "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB");
}

#[test]
fn each_channel_has_its_app() {
    let config = with(|_| {}).unwrap();
    assert_eq!(config.appid_of(Channel::WechatNative), "wx2421b1c4370ec43b");
    assert_eq!(config.appid_of(Channel::WechatApp), "wx00000000000000aa");
    assert_eq!(config.appid_of(Channel::WechatMiniProgram), "wx00000000000000bb");
    assert!(config.is_our_appid("wx00000000000000bb") && !config.is_our_appid("wx00000000000000cc"));
    let one = with(|settings| (settings.app_appid, settings.mini_program_appid) = (None, None)).unwrap();
    assert_eq!(one.appid_of(Channel::WechatApp), "wx2421b1c4370ec43b");
    assert!(!one.is_our_appid("wx00000000000000bb"));
}

#[test]
fn either_kind_of_key_is_enough() {
    assert!(with(|settings| settings.platform_certificates.clear()).is_ok());
    let certified = with(|settings| settings.public_keys.clear()).unwrap();
    assert_eq!(certified.public_key_id, None);
    let none = |settings: &mut WechatPaySettings| {
        settings.public_keys.clear();
        settings.platform_certificates.clear();
    };
    assert_eq!(refused(none), WechatPayConfigError::Missing { member: "public_keys" });
    // They can be fetched.
    assert!(
        with(|settings| {
            none(settings);
            settings.fetch_platform_certificates = true;
        })
        .is_ok()
    );
}

#[test]
fn each_missing_member_is_named() {
    let missing = |member| WechatPayConfigError::Missing { member };
    assert_eq!(refused(|settings| settings.base_url = String::new()), missing("base_url"));
    assert_eq!(refused(|settings| settings.mchid = " ".to_owned()), missing("mchid"));
    assert_eq!(refused(|settings| settings.appid = String::new()), missing("appid"));
    assert_eq!(refused(|settings| settings.app_appid = Some(String::new())), missing("app_appid"));
    assert_eq!(refused(|settings| settings.mini_program_appid = Some(String::new())), missing("mini_program_appid"));
    assert_eq!(refused(|settings| settings.merchant_serial = String::new()), missing("merchant_serial"));
    assert_eq!(refused(|settings| settings.api_v3_key = Secret::new(String::new())), missing("api_v3_key"));
    key_refused("merchant_private_key", KeyError::Missing, |settings| settings.merchant_private_key = Secret::new(String::new()));
}

#[test]
fn each_wrong_member_is_named() {
    let member = |change: &dyn Fn(&mut WechatPaySettings)| refused(change).member();
    for wrong in ["19-1", "x", &"1".repeat(33)] {
        assert_eq!(member(&|settings| settings.mchid = wrong.to_owned()), "mchid");
    }
    for wrong in ["wx 1", "wx/1", &"w".repeat(33)] {
        assert_eq!(member(&|settings| settings.appid = wrong.to_owned()), "appid");
    }
    for wrong in ["xyz", "408B 07", &"A".repeat(65)] {
        assert_eq!(member(&|settings| settings.merchant_serial = wrong.to_owned()), "merchant_serial");
    }
    // A blank at its end, a mark at its beginning, and the v2 key of another length are the usual mistakes.
    for wrong in
        ["9f86d081884c7d659a2feaa0c55ad01", "9f86d081884c7d659a2feaa0c55ad015 ", "\u{feff}9f86d081884c7d659a2feaa0c55ad", &"键".repeat(32)]
    {
        assert_eq!(member(&|settings| settings.api_v3_key = Secret::new(wrong.to_owned())), "api_v3_key");
    }
    for wrong in ["PUB_KEY_ID_", "pub_key_id_01", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "PUB_KEY_ID_0\n1"] {
        let change = |settings: &mut WechatPaySettings| {
            settings.public_keys.insert(wrong.to_owned(), key_text("wechat_pubkey_public.pem"));
        };
        assert_eq!(member(&change), "public_keys", "{wrong}");
    }
    for wrong in [0, 60_001, u64::MAX] {
        assert_eq!(member(&|settings| settings.timeout_ms = Some(wrong)), "timeout_ms");
    }
}

#[test]
fn each_wrong_key_is_named_with_its_reason() {
    key_refused("merchant_private_key", KeyError::Unreadable, |settings| settings.merchant_private_key = Secret::new("x".to_owned()));
    let public = |text: String| {
        move |settings: &mut WechatPaySettings| {
            settings.public_keys.insert(PUBLIC_KEY_ID.to_owned(), text);
        }
    };
    key_refused("public_keys", KeyError::Missing, public(String::new()));
    key_refused("public_keys", KeyError::MerchantKey, public(key_text("wechat_mch_public.pem")));
    key_refused("platform_certificates", KeyError::MerchantKey, |settings| {
        settings.platform_certificates = vec![key_text("wechat_mch_cert.pem")];
    });
    let second = refused(|settings| settings.platform_certificates.push("x".to_owned()));
    let source = KeyError::Unreadable;
    assert_eq!(second, WechatPayConfigError::Key { member: "platform_certificates", number: 2, source });
    assert_eq!((second.member(), second.source().unwrap().to_string()), ("platform_certificates", source.to_string()));
}

#[test]
fn a_pair_that_does_not_match_is_refused() {
    key_refused("merchant_certificate", KeyError::NotThePair, |settings| {
        settings.merchant_certificate = Some(key_text("wechat_platform_cert.pem"));
    });
    key_refused("merchant_certificate", KeyError::OtherSerial, |settings| settings.merchant_serial = "01".to_owned());
    key_refused("merchant_certificate", KeyError::Unreadable, |settings| settings.merchant_certificate = Some("x".to_owned()));
    assert!(with(|settings| settings.merchant_certificate = None).unwrap().merchant_expiry().is_none());
}

#[test]
fn a_certificate_out_of_its_time_or_of_another_issuer_is_refused() {
    let only = |settings: &mut WechatPaySettings| settings.merchant_certificate = None;
    let at = |time: &str| {
        let mut settings = settings();
        only(&mut settings);
        WechatPayConfig::new(&settings, time.parse().unwrap()).err()
    };
    let refused = |source| Some(WechatPayConfigError::Key { member: "platform_certificates", number: 1, source });
    assert_eq!(at("2026-11-21T02:17:33Z"), refused(KeyError::NotYetValid));
    assert_eq!(at("2046-11-16T02:17:35Z"), refused(KeyError::Expired));
    key_refused("platform_certificates", KeyError::OtherIssuer, |settings| {
        settings.platform_authority = Some(key_text("wechat_platform2_cert.pem"));
    });
    assert!(with(|settings| settings.platform_authority = Some(key_text("wechat_platform_cert.pem"))).is_ok());
    key_refused("platform_authority", KeyError::Unreadable, |settings| settings.platform_authority = Some("x".to_owned()));
}

#[test]
fn wechat_pay_is_reached_by_https_or_it_is_not_wechat_pay() {
    for good in
        ["https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com/", "http://sandbox:8080/sandbox/wechat", "http://notqq.com"]
    {
        assert!(with(|settings| settings.base_url = good.to_owned()).is_ok(), "{good}");
    }
    for bad in [
        "http://api.mch.weixin.qq.com",
        "http://QQ.com./x",
        "ftp://api.mch.weixin.qq.com",
        "api.mch.weixin.qq.com",
        "https://user:pass@api.mch.weixin.qq.com",
        "https://api.mch.weixin.qq.com/?a=b",
        "https://api.mch.weixin.qq.com/#a",
    ] {
        assert_eq!(refused(|settings| settings.base_url = bad.to_owned()).member(), "base_url", "{bad}");
    }
}

#[test]
fn settings_are_read_whole_or_not_at_all() {
    let text = r#"{"base_url":"https://api.mch.weixin.qq.com","mchid":"1","appid":"wx1","api_v3_key":"k","merchant_serial":"01","merchant_private_key":"p"}"#;
    let settings: WechatPaySettings = serde_json::from_str(text).unwrap();
    assert!(!settings.fetch_platform_certificates && settings.public_keys.is_empty() && settings.timeout_ms.is_none());
    assert!(serde_json::from_str::<WechatPaySettings>(&text.replace("mchid", "mch_id")).is_err());
    assert!(serde_json::from_str::<WechatPaySettings>(&text.replacen('{', r#"{"mch_key":"x","#, 1)).is_err());
}
