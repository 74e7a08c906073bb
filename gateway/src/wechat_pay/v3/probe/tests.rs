use super::super::WechatPaySettings;
use super::super::certificates::tests::{ONE, TWO, first, list, list_under};
use super::super::tests::{PLATFORM2_SERIAL, client, failure, key_text, now, settings, signed_by, success};
use super::super::transport::HttpAnswer;
use super::*;

/// What a probe says of this configuration if the two calls are answered so.
async fn probed(settings: &WechatPaySettings, answers: impl IntoIterator<Item = HttpAnswer>) -> Result<Probed, ProbeError> {
    client(settings, answers).0.probe().await
}

fn unknown_payment() -> HttpAnswer {
    failure(404, "ORDER_NOT_EXIST")
}

#[tokio::test]
async fn a_good_configuration_is_proven_by_the_list_that_a_known_key_signed() {
    let all_well = Ok(Probed { is_key_proven: true, not_configured: Vec::new() });
    assert_eq!(probed(&settings(), [unknown_payment(), success(200, &list(&[ONE]))]).await, all_well);
    assert_eq!(probed(&settings(), [unknown_payment(), first(&list(&[ONE]))]).await, all_well);
    for busy in [failure(429, "FREQUENCY_LIMITED"), failure(500, "SYSTEM_ERROR")] {
        assert_eq!(probed(&settings(), [busy, success(200, &list(&[ONE]))]).await, all_well);
    }
    // Without platform certificates nothing that is signed is answered.
    let unproven = Ok(Probed { is_key_proven: false, not_configured: Vec::new() });
    assert_eq!(probed(&settings(), [unknown_payment(), failure(404, "RESOURCE_NOT_EXISTS")]).await, unproven);
}

#[tokio::test]
async fn a_certificate_that_nobody_has_configured_is_named_unless_it_is_fetched_anyhow() {
    let answers = || [unknown_payment(), success(200, &list(&[ONE, TWO]))];
    assert_eq!(probed(&settings(), answers()).await.unwrap().not_configured, [PLATFORM2_SERIAL]);
    let fetching = WechatPaySettings { fetch_platform_certificates: true, ..settings() };
    assert!(probed(&fetching, answers()).await.unwrap().not_configured.is_empty());
}

#[tokio::test]
async fn each_mistake_has_its_own_word() {
    let other_key = list_under("0000000000000000000000000000000f", &[ONE]);
    let forged = |body: &str| {
        let signed = signed_by("wechat_other_private_pkcs8.pem", super::super::tests::PUBLIC_KEY_ID, body.as_bytes(), now());
        HttpAnswer { status: 200, headers: signed, body: body.as_bytes().to_vec() }
    };
    let page = HttpAnswer { status: 404, headers: Vec::new(), body: b"<html>".to_vec() };
    for (answers, expected) in [
        (vec![failure(401, "SIGN_ERROR")], ProbeError::Merchant("SIGN_ERROR".to_owned())),
        (vec![failure(403, "NO_AUTH")], ProbeError::Merchant("NO_AUTH".to_owned())),
        (vec![page], ProbeError::Silent),
        (vec![unknown_payment(), success(200, &other_key)], ProbeError::ApiV3Key),
        (vec![unknown_payment(), forged(&list(&[ONE]))], ProbeError::Signature("the signature does not fit".to_owned())),
        (vec![forged("{}")], ProbeError::Signature("the signature does not fit".to_owned())),
    ] {
        assert_eq!(probed(&settings(), answers).await, Err(expected));
    }
    let authority = WechatPaySettings {
        platform_authority: Some(key_text("wechat_platform2_cert.pem")),
        platform_certificates: Vec::new(),
        ..settings()
    };
    assert_eq!(probed(&authority, [unknown_payment(), success(200, &list(&[ONE]))]).await, Err(ProbeError::Authority));
}
