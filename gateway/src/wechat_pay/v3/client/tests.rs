use super::super::keys::MerchantKey;
use super::super::tests::{PLATFORM_SERIAL, PUBLIC_KEY_ID, client, failure, key_text, now, settings, signed_by, success};
use super::super::verification::FRESHNESS;
use super::*;

fn get() -> Call {
    Call::get("/v3/certificates?a=b%7Cc".to_owned())
}

async fn called(answer: HttpAnswer) -> Result<Answer, CallError> {
    client(&settings(), [answer]).0.call(&get()).await
}

fn with_headers(body: &str, headers: Vec<(String, Vec<u8>)>) -> HttpAnswer {
    HttpAnswer { status: 200, headers, body: body.as_bytes().to_vec() }
}

fn probe() -> HttpAnswer {
    let mut answer = success(200, "{}");
    let signature = answer.headers.iter_mut().find(|(name, _)| name == "wechatpay-signature").unwrap();
    signature.1[..19].copy_from_slice(b"WECHATPAY/SIGNTEST/");
    answer
}

fn member<'a>(authorization: &'a str, name: &str) -> &'a str {
    authorization.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap()
}

#[tokio::test]
async fn what_is_signed_is_what_goes_out() {
    let (client, canned, _) = client(&settings(), [success(200, "{}")]);
    client.call(&Call::post("/v3/pay/transactions/native?a=%7C".to_owned(), "{\"a\": 1}\n".to_owned())).await.unwrap();
    let sent = canned.last();
    assert_eq!(sent.url.as_str(), "http://127.0.0.1:9/sandbox/wechat/v3/pay/transactions/native?a=%7C");
    assert_eq!((sent.body.as_str(), sent.answer_key.as_deref()), ("{\"a\": 1}\n", Some(PUBLIC_KEY_ID)));
    let authorization = sent.authorization.as_str();
    assert!(authorization.starts_with("WECHATPAY2-SHA256-RSA2048 mchid=\"1900000109\","), "{authorization}");
    assert_eq!(member(authorization, "serial_no"), "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB");
    let (timestamp, nonce) = (member(authorization, "timestamp"), member(authorization, "nonce_str"));
    assert_eq!(timestamp, now().timestamp().to_string());
    let message = format!("POST\n/sandbox/wechat/v3/pay/transactions/native?a=%7C\n{timestamp}\n{nonce}\n{{\"a\": 1}}\n\n");
    let key = MerchantKey::read(&key_text("wechat_mch_private_pkcs8.pem")).unwrap();
    assert_eq!(member(authorization, "signature"), key.sign(message.as_bytes()).unwrap());
}

#[tokio::test]
async fn without_a_public_key_none_is_asked_for() {
    let mut settings = settings();
    settings.public_keys.clear();
    let answer = with_headers("{}", signed_by("wechat_platform_private_pkcs8.pem", PLATFORM_SERIAL, b"{}", now()));
    let (client, canned, _) = client(&settings, [answer]);
    client.call(&get()).await.unwrap();
    assert_eq!(canned.last().answer_key, None);
}

#[tokio::test]
async fn a_success_counts_only_with_its_signature() {
    assert_eq!(called(success(200, "{}")).await.unwrap(), Answer::Verified { status: 200, body: b"{}".to_vec() });
    assert_eq!(called(success(204, "")).await.unwrap(), Answer::Verified { status: 204, body: Vec::new() });
    let unverified = |answer| async {
        match called(answer).await {
            Err(CallError::Unverified(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(unverified(with_headers("{}", Vec::new())).await, Unverified::MissingHeader);
    let other = signed_by("wechat_other_private_pkcs8.pem", PUBLIC_KEY_ID, b"{}", now());
    assert_eq!(unverified(with_headers("{}", other)).await, Unverified::BadSignature);
    assert_eq!(unverified(HttpAnswer { body: b"{ }".to_vec(), ..success(200, "{}") }).await, Unverified::BadSignature);
    let unknown = signed_by("wechat_pubkey_private_pkcs8.pem", "PUB_KEY_ID_00", b"{}", now());
    assert_eq!(unverified(with_headers("{}", unknown)).await, Unverified::UnknownSerial);
    let stale = signed_by("wechat_pubkey_private_pkcs8.pem", PUBLIC_KEY_ID, b"{}", now() - FRESHNESS - TimeDelta::seconds(1));
    assert_eq!(unverified(with_headers("{}", stale)).await, Unverified::ClockSkew);
}

#[tokio::test]
async fn an_error_is_taken_by_its_code_alone() {
    let error = |status, code: Option<&str>| Answer::Error { status, code: code.map(str::to_owned) };
    assert_eq!(called(failure(404, "ORDER_NOT_EXIST")).await.unwrap(), error(404, Some("ORDER_NOT_EXIST")));
    for body in
        ["", "<html>", "[]", r#"{"message":"x"}"#, r#"{"code":""}"#, r#"{"code":1}"#, r#"{"code":"支付"}"#, r#"{"code":"A","code":"B"}"#]
    {
        let answer = HttpAnswer { status: 400, headers: Vec::new(), body: body.as_bytes().to_vec() };
        assert_eq!(called(answer).await.unwrap(), error(400, None), "{body}");
    }
    let long = format!(r#"{{"code":"{}"}}"#, "A".repeat(65));
    assert_eq!(called(HttpAnswer { status: 500, headers: Vec::new(), body: long.into_bytes() }).await.unwrap(), error(500, None));
    // A signature does not make a redirect an answer.
    assert_eq!(called(HttpAnswer { status: 302, ..success(200, "{}") }).await.unwrap(), error(302, None));
}

#[tokio::test]
async fn a_test_of_wechat_pay_s_is_asked_again_once_and_never_believed() {
    let (client, canned, _) = client(&settings(), [probe(), success(200, "{}"), probe(), probe()]);
    assert!(matches!(client.call(&get()).await, Ok(Answer::Verified { .. })));
    assert_eq!(canned.paths().len(), 2);
    assert!(matches!(client.call(&get()).await, Err(CallError::Unverified(Unverified::Probe))));
    assert_eq!(canned.paths().len(), 4);
}

#[tokio::test]
async fn the_distance_of_the_clocks_is_noted_from_every_answer() {
    let dated = |date: &str, answer: HttpAnswer| {
        let headers = answer.headers.into_iter().chain([("date".to_owned(), date.as_bytes().to_vec())]).collect();
        HttpAnswer { headers, ..answer }
    };
    let ahead = dated("Tue, 01 Dec 2026 06:09:42 GMT", success(200, "{}"));
    let behind = dated("Tue, 01 Dec 2026 06:07:32 GMT", failure(401, "SIGN_ERROR"));
    let (client, _, _) = client(&settings(), [ahead, behind, dated("yesterday", success(200, "{}"))]);
    assert_eq!(client.clock_skew(), None);
    client.call(&get()).await.unwrap();
    assert_eq!(client.clock_skew(), Some(TimeDelta::seconds(70)));
    client.call(&get()).await.unwrap();
    assert_eq!(client.clock_skew(), Some(TimeDelta::seconds(-60)));
    client.call(&get()).await.unwrap();
    assert_eq!(client.clock_skew(), Some(TimeDelta::seconds(-60)));
}

#[test]
fn the_ends_of_all_certificates_are_told() {
    let (client, _, _) = client(&settings(), []);
    let serials: Vec<String> = client.key_expiries().into_iter().map(|expiry| expiry.serial).collect();
    assert_eq!(serials, ["408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB", PLATFORM_SERIAL]);
    assert_eq!(serials.iter().map(|serial| client.is_merchants(serial)).collect::<Vec<_>>(), [true, false]);
    assert!(client.decrypt_sensitive("x").is_none());
}
