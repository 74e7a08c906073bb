use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chassis::clock::ManualClock;
use serde_json::json;
use tokio::sync::oneshot;

use super::super::resource::ApiV3Key;
use super::super::tests::{
    API_V3_KEY, Canned, PLATFORM_SERIAL, PLATFORM2_SERIAL, PUBLIC_KEY_ID, client, config, failure, key_text, now, settings, signed_by,
    success,
};
use super::super::transport::{HttpAnswer, Request, Transport};
use super::super::{WechatPayClient, WechatPayGateway, WechatPaySettings};
use super::*;
use crate::http::TransportError;
use crate::{Gateway, NotificationRefusal, RawNotification};

/// A listed certificate: its serial, its file, and the dates that the list gives it.
pub(in super::super) type Entry<'a> = (&'a str, &'a str, &'a str, &'a str);

pub(in super::super) const ONE: Entry<'_> =
    (PLATFORM_SERIAL, "wechat_platform_cert.pem", "2026-11-22T00:00:00+08:00", "2031-01-07T10:34:56+08:00");
pub(in super::super) const TWO: Entry<'_> =
    (PLATFORM2_SERIAL, "wechat_platform2_cert.pem", "2026-11-23T00:00:00+08:00", "2031-01-07T10:34:56+08:00");

pub(in super::super) fn list_under(api_v3_key: &str, entries: &[Entry<'_>]) -> String {
    let key = ApiV3Key::new(api_v3_key.as_bytes()).unwrap();
    let entry = |(serial, file, effective, expires): &Entry<'_>| {
        let sealed = key.seal(key_text(file).as_bytes(), "61f9c719728a", "certificate");
        json!({
            "serial_no": serial, "effective_time": effective, "expire_time": expires,
            "encrypt_certificate": {
                "algorithm": sealed.algorithm, "nonce": sealed.nonce, "associated_data": "certificate", "ciphertext": sealed.ciphertext,
            },
        })
    };
    json!({ "data": entries.iter().map(entry).collect::<Vec<_>>() }).to_string()
}

pub(in super::super) fn list(entries: &[Entry<'_>]) -> String {
    list_under(API_V3_KEY, entries)
}

fn signed_list(private_key: &str, serial: &str, body: &str, at: DateTime<Utc>) -> HttpAnswer {
    HttpAnswer { status: 200, headers: signed_by(private_key, serial, body.as_bytes(), at), body: body.as_bytes().to_vec() }
}

/// Settings of a merchant who fetches, and has the first certificate alone.
fn fetching() -> WechatPaySettings {
    let mut settings = settings();
    settings.public_keys.clear();
    settings.fetch_platform_certificates = true;
    settings
}

/// The same, with no key at all yet.
fn bare() -> WechatPaySettings {
    WechatPaySettings { platform_certificates: Vec::new(), ..fetching() }
}

pub(in super::super) fn first(body: &str) -> HttpAnswer {
    signed_list("wechat_platform_private_pkcs8.pem", PLATFORM_SERIAL, body, now())
}

fn knows(client: &WechatPayClient) -> Vec<bool> {
    [PLATFORM_SERIAL, PLATFORM2_SERIAL].iter().map(|serial| client.keys().get(serial).is_some()).collect()
}

async fn fetched(settings: &WechatPaySettings, answer: HttpAnswer) -> (Result<CertificatesFetched, String>, Arc<WechatPayClient>) {
    let (client, canned, _) = client(settings, [answer]);
    let fetched = client.fetch_certificates().await.map_err(|error| {
        let source = error.source().unwrap();
        format!("{source}{}", source.source().map_or(String::new(), |cause| format!(": {cause}")))
    });
    assert_eq!(canned.paths(), ["GET /sandbox/wechat/v3/certificates"]);
    (fetched, client)
}

#[tokio::test]
async fn two_certificates_are_kept_side_by_side() {
    let (result, client) = fetched(&fetching(), first(&list(&[ONE, TWO]))).await;
    assert_eq!((result, knows(&client)), (Ok(CertificatesFetched::Taken(2)), vec![true, true]));
    // The list's dates bind where they are narrower than the certificate's own.
    let expiry = client.key_expiries().into_iter().find(|expiry| expiry.serial == PLATFORM2_SERIAL).unwrap();
    assert_eq!(expiry.expires_at, "2031-01-07T02:34:56Z".parse::<DateTime<Utc>>().unwrap());
}

#[tokio::test]
async fn the_very_first_list_may_be_signed_by_one_of_its_own() {
    let (result, client) = fetched(&bare(), first(&list(&[ONE, TWO]))).await;
    assert_eq!((result, knows(&client)), (Ok(CertificatesFetched::Taken(2)), vec![true, true]));
    let by_nobody = signed_list("wechat_other_private_pkcs8.pem", PLATFORM_SERIAL, &list(&[ONE]), now());
    let (result, client) = fetched(&bare(), by_nobody).await;
    assert!(result.unwrap_err().contains("does not fit"));
    assert_eq!(knows(&client), [false, false]);
    let by_unlisted = signed_list("wechat_platform2_private_pkcs8.pem", PLATFORM2_SERIAL, &list(&[ONE]), now());
    assert!(fetched(&bare(), by_unlisted).await.0.unwrap_err().contains("not known"));
}

#[tokio::test]
async fn a_list_of_a_known_key_must_carry_its_signature() {
    let forged = signed_list("wechat_other_private_pkcs8.pem", PLATFORM_SERIAL, &list(&[TWO]), now());
    let (result, client) = fetched(&fetching(), forged).await;
    assert!(result.unwrap_err().contains("does not fit"));
    assert_eq!(knows(&client), [true, false]);
    let stale = signed_list("wechat_platform_private_pkcs8.pem", PLATFORM_SERIAL, &list(&[TWO]), now() - TimeDelta::seconds(301));
    assert!(fetched(&fetching(), stale).await.0.unwrap_err().contains("too far"));
    let bare = HttpAnswer { headers: Vec::new(), ..first(&list(&[TWO])) };
    assert!(fetched(&fetching(), bare).await.0.unwrap_err().contains("missing"));
}

#[tokio::test]
async fn a_list_under_another_key_is_refused_as_a_whole() {
    let (result, client) = fetched(&fetching(), first(&list_under("11111111111111111111111111111111", &[ONE, TWO]))).await;
    assert!(result.unwrap_err().contains("decrypted: the tag"));
    assert_eq!(knows(&client), [true, false]);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_left_out() {
    let late = (PLATFORM2_SERIAL, "wechat_platform2_cert.pem", "2027-01-01T00:00:00+08:00", "2031-01-07T10:34:56+08:00");
    let over = (PLATFORM2_SERIAL, "wechat_platform2_cert.pem", "2026-01-01T00:00:00+08:00", "2026-11-30T10:34:56+08:00");
    for other in [late, over] {
        let (result, client) = fetched(&fetching(), first(&list(&[ONE, other]))).await;
        assert_eq!((result, knows(&client)), (Ok(CertificatesFetched::Taken(1)), vec![true, false]));
        assert!(fetched(&bare(), first(&list(&[other]))).await.0.unwrap_err().contains("none of the listed"));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_what_the_list_says_is_refused() {
    let renamed = (PLATFORM_SERIAL, "wechat_platform2_cert.pem", ONE.2, ONE.3);
    assert!(fetched(&fetching(), first(&list(&[renamed]))).await.0.unwrap_err().contains("another serial number"));
    let own = ("408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB", "wechat_mch_cert.pem", ONE.2, ONE.3);
    assert!(fetched(&fetching(), first(&list(&[own]))).await.0.unwrap_err().contains("merchant's own"));
    let key = (PLATFORM_SERIAL, "wechat_pubkey_public.pem", ONE.2, ONE.3);
    assert!(fetched(&fetching(), first(&list(&[key]))).await.0.unwrap_err().contains("not readable"));
    let mut settings = fetching();
    settings.platform_authority = Some(key_text("wechat_platform_cert.pem"));
    let (result, client) = fetched(&settings, first(&list(&[ONE, TWO]))).await;
    assert!(result.unwrap_err().contains("authority"));
    assert_eq!(knows(&client), [true, false]);
}

#[tokio::test]
async fn what_is_no_list_is_refused() {
    let many = list(&[ONE; 17]);
    for body in ["", "x", "{}", r#"{"data":{}}"#, r#"{"data":[{}]}"#, r#"{"data":[],"data":[]}"#, r#"{"data":[]}"#, &many] {
        assert!(fetched(&fetching(), first(body)).await.0.is_err(), "{body}");
    }
    let undated = list(&[(PLATFORM_SERIAL, "wechat_platform_cert.pem", "soon", ONE.3)]);
    assert!(fetched(&fetching(), first(&undated)).await.0.unwrap_err().contains("list cannot be read"));
}

#[tokio::test]
async fn a_merchant_with_public_keys_alone_has_none() {
    let (result, client) = fetched(&settings(), failure(404, "RESOURCE_NOT_EXISTS")).await;
    assert_eq!((result, knows(&client)), (Ok(CertificatesFetched::NoneHere), vec![true, false]));
    assert!(client.keys().get(PUBLIC_KEY_ID).is_some());
    for (status, code) in [(404, "ORDER_NOT_EXIST"), (403, "NO_AUTH"), (500, "SYSTEM_ERROR")] {
        assert!(fetched(&settings(), failure(status, code)).await.0.unwrap_err().contains(code));
    }
}

fn lay(canned: &Canned, serial: &str, private_key: &str, body: &str, at: DateTime<Utc>) {
    canned.lay(signed_list(private_key, serial, body, at));
}

#[tokio::test]
async fn they_are_fetched_before_a_call_when_it_is_time() {
    let (client, canned, clock) = client(&fetching(), []);
    let one = |at| lay(&canned, PLATFORM_SERIAL, "wechat_platform_private_pkcs8.pem", "{}", at);
    let list_of = |entries: &[Entry<'_>], at| {
        lay(&canned, PLATFORM_SERIAL, "wechat_platform_private_pkcs8.pem", &list(entries), at);
    };
    let call = || Call::get("/v3/x".to_owned());
    list_of(&[ONE], now());
    one(now());
    client.call(&call()).await.unwrap();
    one(now());
    client.call(&call()).await.unwrap();
    let paths = ["GET /sandbox/wechat/v3/certificates", "GET /sandbox/wechat/v3/x", "GET /sandbox/wechat/v3/x"];
    assert_eq!(canned.paths(), paths);
    // Rotation: the old and the new one together, then the new one alone.
    let later = now() + CERTIFICATES_KEEP;
    clock.set(later);
    list_of(&[ONE, TWO], later);
    lay(&canned, PLATFORM2_SERIAL, "wechat_platform2_private_pkcs8.pem", "{}", later);
    client.call(&call()).await.unwrap();
    assert_eq!((canned.paths().len(), knows(&client)), (5, vec![true, true]));
}

#[tokio::test]
async fn an_answer_under_an_unknown_certificate_has_the_list_fetched_once() {
    let (client, canned, clock) = client(&fetching(), []);
    let two = |at| lay(&canned, PLATFORM2_SERIAL, "wechat_platform2_private_pkcs8.pem", "{}", at);
    let call = || Call::get("/v3/x".to_owned());
    lay(&canned, PLATFORM_SERIAL, "wechat_platform_private_pkcs8.pem", &list(&[ONE]), now());
    two(now());
    lay(&canned, PLATFORM_SERIAL, "wechat_platform_private_pkcs8.pem", &list(&[ONE]), now());
    assert!(matches!(client.call(&call()).await, Err(CallError::Unverified(Unverified::UnknownSerial))));
    assert_eq!(canned.paths().len(), 3);
    // It was not in the list, so the list is left alone for a while.
    two(now());
    assert!(client.call(&call()).await.is_err());
    assert_eq!(canned.paths().len(), 4);
    let later = now() + CERTIFICATES_RETRY;
    clock.set(later);
    two(later);
    lay(&canned, PLATFORM_SERIAL, "wechat_platform_private_pkcs8.pem", &list(&[ONE, TWO]), later);
    client.call(&call()).await.unwrap();
    assert_eq!((canned.paths().len(), knows(&client)), (6, vec![true, true]));
    // An id of a public key is never fetched.
    lay(&canned, "PUB_KEY_ID_00", "wechat_platform2_private_pkcs8.pem", "{}", later);
    assert!(client.call(&call()).await.is_err());
    assert_eq!(canned.paths().len(), 7);
}

#[tokio::test]
async fn a_fetch_that_fails_keeps_what_is_known_and_is_not_tried_at_once() {
    let (client, canned, clock) = client(&fetching(), []);
    let one = |at| lay(&canned, PLATFORM_SERIAL, "wechat_platform_private_pkcs8.pem", "{}", at);
    canned.lay(failure(500, "SYSTEM_ERROR"));
    one(now());
    client.call(&Call::get("/v3/x".to_owned())).await.unwrap();
    one(now());
    client.call(&Call::get("/v3/x".to_owned())).await.unwrap();
    assert_eq!((canned.paths().len(), knows(&client)), (3, vec![true, false]));
    let later = now() + CERTIFICATES_RETRY;
    clock.set(later);
    canned.lay(failure(404, "RESOURCE_NOT_EXISTS"));
    one(later);
    client.call(&Call::get("/v3/x".to_owned())).await.unwrap();
    assert_eq!(canned.paths().len(), 5);
}

#[tokio::test]
async fn nothing_is_fetched_where_that_is_not_configured() {
    let (client, canned, _) = client(&settings(), [success(200, "{}")]);
    client.fetch_certificate(PLATFORM2_SERIAL, NamedBy::Answer).await;
    client.call(&Call::get("/v3/x".to_owned())).await.unwrap();
    assert_eq!(canned.paths(), ["GET /sandbox/wechat/v3/x"]);
}

#[tokio::test]
async fn a_notification_under_a_new_certificate_is_read_once_the_list_is_fetched() {
    let (client, canned, clock) = client(&fetching(), [first(&list(&[ONE]))]);
    let channel = WechatPayGateway::native(client.clone());
    client.fetch_certificates().await.unwrap();
    let body = b"{}".to_vec();
    let raw = |serial: &str, at| {
        let headers = signed_by("wechat_platform2_private_pkcs8.pem", serial, &body, at);
        RawNotification { headers, body: body.clone() }
    };
    let new = raw(PLATFORM2_SERIAL, now());
    assert_eq!(channel.read_notification(&new, now()), Err(NotificationRefusal::UnknownSerial));
    canned.lay(first(&list(&[ONE, TWO])));
    // All who meet the new serial at once have it fetched once, however fresh the list is.
    tokio::join!(channel.fetch_key(&new), channel.fetch_key(&new), channel.fetch_key(&new));
    assert_eq!((canned.paths().len(), knows(&client)), (2, vec![true, true]));
    assert_eq!(channel.read_notification(&new, now()), Err(NotificationRefusal::Incomplete));
    // A made-up serial has it fetched in vain, and then no other.
    canned.lay(first(&list(&[ONE, TWO])));
    for serial in ["AB", "AC", "AD"] {
        channel.fetch_key(&raw(serial, now())).await;
    }
    assert_eq!(canned.paths().len(), 3);
    // An answer of WeChat Pay's own has a turn of its own.
    canned.lay(first(&list(&[ONE, TWO])));
    client.fetch_certificate("AE", NamedBy::Answer).await;
    assert_eq!(canned.paths().len(), 4);
    // What is known, what is no certificate's, and what names nothing have nothing fetched.
    clock.set(now() + CERTIFICATES_RETRY);
    for raw in [new, raw("PUB_KEY_ID_00", now()), RawNotification { headers: Vec::new(), body: Vec::new() }] {
        channel.fetch_key(&raw).await;
    }
    assert_eq!(canned.paths().len(), 4);
}

/// Gives each request its answer when the test has it.
struct Slow(Mutex<VecDeque<oneshot::Receiver<HttpAnswer>>>);

#[async_trait]
impl Transport for Slow {
    async fn send(&self, _: Request) -> Result<HttpAnswer, TransportError> {
        let answer = self.0.lock().unwrap().pop_front().unwrap();
        Ok(answer.await.unwrap())
    }
}

#[tokio::test]
async fn a_slow_list_does_not_take_away_what_a_later_fetch_brought() {
    let (first_gives, first_answer) = oneshot::channel();
    let (second_gives, second_answer) = oneshot::channel();
    let slow = Slow(Mutex::new([first_answer, second_answer].into()));
    let client = WechatPayClient::over(Box::new(slow), config(&fetching()), Arc::new(ManualClock::new(now())));
    // An answer and a notification each have the list fetched, at once. Polled in this order, they send in it.
    tokio::join!(client.fetch_certificate(PLATFORM2_SERIAL, NamedBy::Answer), async {
        tokio::join!(client.fetch_certificate(PLATFORM2_SERIAL, NamedBy::Notification), async {
            second_gives.send(first(&list(&[ONE, TWO]))).unwrap();
        });
        assert_eq!(knows(&client), [true, true]);
        first_gives.send(first(&list(&[ONE]))).unwrap();
    });
    assert_eq!(knows(&client), [true, true]);
    assert!(client.refreshing.turns.of(NamedBy::Answer).may_ask(now()), "what it was fetched for is there");
}

#[tokio::test]
async fn a_list_that_comes_after_a_later_fetch_failed_counts() {
    let (first_gives, first_answer) = oneshot::channel();
    let (second_gives, second_answer) = oneshot::channel();
    let slow = Slow(Mutex::new([first_answer, second_answer].into()));
    let client = WechatPayClient::over(Box::new(slow), config(&fetching()), Arc::new(ManualClock::new(now())));
    let (earlier, later) = tokio::join!(client.fetch_certificates(), async {
        second_gives.send(failure(500, "SYSTEM_ERROR")).unwrap();
        let later = client.fetch_certificates().await;
        first_gives.send(first(&list(&[ONE, TWO]))).unwrap();
        later
    });
    assert!(later.is_err());
    assert_eq!((earlier.unwrap(), knows(&client)), (CertificatesFetched::Taken(2), vec![true, true]));
}
