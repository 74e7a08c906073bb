use super::*;
use crate::wechat_pay::v2::tests::{KEY, OTHER_KEY, key_text, settings};

#[track_caller]
fn refused(change: impl FnOnce(&mut WechatPayV2Settings)) -> (&'static str, String) {
    let mut settings = settings();
    change(&mut settings);
    let error = WechatPayV2Config::new(&settings).unwrap_err();
    (error.member(), error.to_string())
}

fn certified(certificate: &str, key: &str) -> WechatPayV2Settings {
    WechatPayV2Settings { client_certificate: Some(key_text(certificate)), client_key: Some(Secret::new(key_text(key))), ..settings() }
}

#[test]
fn a_whole_configuration_is_taken() {
    let config = WechatPayV2Config::new(&settings()).unwrap();
    assert_eq!(config.base_url(), "http://127.0.0.1:9/sandbox/wechat");
    assert_eq!((config.time_limit, config.has_site(), config.certificate_expires_at()), (CALL_TIME_LIMIT, true, None));
    let least = WechatPayV2Settings { mobile_app_id: None, wap_url: None, wap_name: None, timeout_ms: Some(1), ..settings() };
    let least = WechatPayV2Config::new(&least).unwrap();
    assert_eq!((least.mobile_app_id == least.app_id, least.has_site(), least.time_limit), (true, false, Duration::from_millis(1)));
}

#[test]
fn each_member_that_is_wrong_is_named() {
    assert_eq!(refused(|settings| settings.base_url = " ".to_owned()).1, "base_url is missing");
    for url in [
        "x",
        "ftp://api.example.com",
        "https://",
        "https://u@api.example.com",
        "https://u:p@api.example.com",
        "https://api.example.com?a=1",
        "https://api.example.com#a",
        "http://api.mch.weixin.qq.com",
        "http://weixin.qq.com.",
    ] {
        assert_eq!(refused(|settings| settings.base_url = url.to_owned()).0, "base_url", "{url}");
    }
    for id in ["", "wx 1", "wx-1", &"1".repeat(33)] {
        assert_eq!(refused(|settings| settings.app_id = id.to_owned()).0, "app_id", "{id}");
        assert_eq!(refused(|settings| settings.mch_id = id.to_owned()).0, "mch_id", "{id}");
        assert_eq!(refused(|settings| settings.mobile_app_id = Some(id.to_owned())).0, "mobile_app_id", "{id}");
    }
    assert_eq!(refused(|settings| settings.api_keys.clear()).1, "api_keys is missing");
    for key in ["", &KEY[1..], &format!(" {}", &KEY[1..]), &format!("\u{FEFF}{}", &KEY[3..]), &format!("{}\n", &KEY[1..])] {
        assert_eq!(refused(|settings| settings.api_keys.push(Secret::new(key.to_owned()))).0, "api_keys", "{key:?}");
    }
    for word in ["", "md5", "SHA256", "HMAC-SHA1"] {
        assert_eq!(refused(|settings| settings.sign_type = word.to_owned()).0, "sign_type", "{word}");
    }
    for ip in ["", "x", "1.2.3", "203.0.113.7:80"] {
        assert_eq!(refused(|settings| settings.server_ip = ip.to_owned()).0, "server_ip", "{ip}");
    }
    assert_eq!(refused(|settings| settings.wap_url = None).1, "wap_url is missing");
    assert_eq!(refused(|settings| settings.wap_name = None).1, "wap_name is missing");
    assert_eq!(refused(|settings| settings.wap_url = Some("shop.example.com".to_owned())).0, "wap_url");
    assert_eq!(refused(|settings| settings.wap_name = Some("店".repeat(33))).0, "wap_name");
    for timeout_ms in [0, 60_001] {
        assert_eq!(refused(|settings| settings.timeout_ms = Some(timeout_ms)).0, "timeout_ms");
    }
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    let config = WechatPayV2Config::new(&certified("wechat_mch_cert.pem", "wechat_mch_private_pkcs8.pem")).unwrap();
    assert_eq!(config.certificate_expires_at(), Some("2046-11-16T02:17:34Z".parse().unwrap()));
    for (certificate, key, member) in [
        ("wechat_mch_cert.pem", "wechat_other_private_pkcs8.pem", "client_key"),
        ("wechat_mch_cert.pem", "wechat_mch_public.pem", "client_key"),
        ("wechat_mch_public.pem", "wechat_mch_private_pkcs8.pem", "client_certificate"),
    ] {
        assert_eq!(WechatPayV2Config::new(&certified(certificate, key)).unwrap_err().member(), member);
    }
    assert_eq!(refused(|settings| settings.client_key = Some(Secret::new("x".to_owned()))).1, "client_certificate is missing");
    assert_eq!(refused(|settings| settings.client_certificate = Some("x".to_owned())).1, "client_key is missing");
}

#[test]
fn only_a_sandbox_takes_refunds_without_a_certificate() {
    let real = |settings: WechatPayV2Settings| WechatPayV2Settings { base_url: "https://api.mch.weixin.qq.com".to_owned(), ..settings };
    let can_refund = |settings: &WechatPayV2Settings| WechatPayV2Config::new(settings).unwrap().can_refund();
    assert!(can_refund(&settings()) && !can_refund(&real(settings())));
    assert!(can_refund(&real(certified("wechat_mch_cert.pem", "wechat_mch_private_pkcs8.pem"))));
}

#[test]
fn what_is_printed_shows_no_key() {
    let mut typed = certified("wechat_mch_cert.pem", "wechat_mch_private_pkcs8.pem");
    typed.api_keys.push(Secret::new(OTHER_KEY.to_owned()));
    let shown = format!("{typed:?} {:?}", WechatPayV2Config::new(&typed).unwrap());
    let errors = ["short", KEY].map(|key| {
        let wrong = WechatPayV2Settings { api_keys: vec![Secret::new(key.to_owned())], sign_type: "x".to_owned(), ..settings() };
        format!("{:?}", WechatPayV2Config::new(&wrong).unwrap_err())
    });
    for secret in [KEY, OTHER_KEY, "PRIVATE KEY", "short"] {
        assert!(!shown.contains(secret) && !errors.concat().contains(secret), "{secret}");
    }
}
