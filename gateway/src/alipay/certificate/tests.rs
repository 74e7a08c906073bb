use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::alipay::answer::{Answer, AnswerError};
use crate::alipay::form::{self, Empty, Form};
use crate::alipay::keys::{ApplicationKey, Untrusted};
use crate::alipay::tests::{Canned, answering, http_answer, key_text, settings};
use crate::alipay::{AlipayCertificates, AlipayConfig, AlipayConfigError, AlipaySettings};
use crate::{Gateway, NotificationRefusal, RawNotification, TradeState};

const METHOD: &str = "alipay.trade.query";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A throwaway certificate that lies beside this file.
fn text(file: &str) -> String {
    file_text(file)
}

/// The same for other tests.
pub(in crate::alipay) fn file_text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/alipay/certificate/tests").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(file: &str) -> Vec<Certificate> {
    Certificate::read_all(&text(file)).unwrap()
}

fn judge(file: &str, roots: &str) -> Result<Validity, CertificateError> {
    let certificates = read(file);
    judged(&certificates[0], &certificates[1..], &read(roots))
}

pub(in crate::alipay) fn certified(alipay: &[&str]) -> AlipaySettings {
    let certificates = AlipayCertificates {
        app_certificate: text("application.pem"),
        alipay_certificates: alipay.iter().map(|file| text(file)).collect(),
        root_certificates: text("roots.pem"),
    };
    AlipaySettings { alipay_public_keys: Vec::new(), certificates: Some(certificates), ..settings() }
}

fn refused(change: impl FnOnce(&mut AlipaySettings)) -> AlipayConfigError {
    let mut settings = certified(&["alipay.pem"]);
    change(&mut settings);
    AlipayConfig::new(&settings).err().unwrap()
}

fn refused_certificate(file: &str) -> CertificateError {
    match refused(|settings| settings.certificates.as_mut().unwrap().alipay_certificates.push(text(file))) {
        AlipayConfigError::Certificate { member: "alipay_certificates", number: 2, source } => source,
        other => panic!("{other:?}"),
    }
}

fn sign(key: &str, message: &[u8]) -> String {
    ApplicationKey::read(&key_text(key)).unwrap().sign(message).unwrap()
}

pub(in crate::alipay) const CURRENT: &str = "alipay_platform_private_pkcs8.pem";
pub(in crate::alipay) const NEXT: &str = "alipay_other_private_pkcs8.pem";

pub(in crate::alipay) fn body(key: &str, serial: &str) -> String {
    let node = r#"{"code":"10000","out_trade_no":"723100000000000101","trade_status":"WAIT_BUYER_PAY"}"#;
    format!(r#"{{"alipay_trade_query_response":{node},"alipay_cert_sn":"{serial}","sign":"{}"}}"#, sign(key, node.as_bytes()))
}

#[test]
fn a_serial_is_the_digest_of_the_issuer_and_the_decimal_number() {
    // Computed by another implementation.
    assert_eq!(read("alipay.pem")[0].serial, "33ab81388a67744fa650826af31d7ca2");
    assert_eq!(read("application.pem")[0].serial, "88d85cb24c8484f5510c5eea4fe89966");
    assert_eq!(root_serial(&read("roots.pem")), "0948534183ee09bd0c62dda12309fee1");
    assert_eq!(root_serial(&read("only_ec_roots.pem")), "");
    for (bytes, expected) in [(&[][..], "0"), (&[0], "0"), (&[1, 0], "256"), (&[0xff; 9], "4722366482869645213695")] {
        assert_eq!(decimal(bytes), expected);
    }
}

#[test]
fn a_certificate_counts_as_long_as_everything_behind_it() {
    let validity = judge("alipay.pem", "roots.pem").unwrap();
    assert_eq!((validity.from, validity.until), (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
    assert_eq!(judge("alipay_next.pem", "roots.pem").unwrap().until, at("2030-01-01T00:00:00Z"));
    assert_eq!(validity.check(at("2025-12-31T23:59:59Z")), Err(CertificateError::NotYetValid));
    assert_eq!((validity.check(validity.from), validity.check(validity.until)), (Ok(()), Ok(())));
    assert_eq!(validity.check(at("2027-01-01T00:00:01Z")), Err(CertificateError::Expired));
}

#[test]
fn only_authorities_below_the_roots_issue_certificates() {
    for (file, roots) in [("foreign.pem", "roots.pem"), ("by_no_authority.pem", "roots.pem"), ("alipay.pem", "only_ec_roots.pem")] {
        assert_eq!(judge(file, roots), Err(CertificateError::ForeignIssuer), "{file}");
    }
    // Without that of its issuer beside it nothing leads to the root.
    let alone = read("alipay.pem").swap_remove(0);
    assert_eq!(judged(&alone, &[], &read("roots.pem")), Err(CertificateError::ForeignIssuer));
    // A changed certificate is nobody's.
    let mut changed = alone;
    *changed.signed.last_mut().unwrap() ^= 1;
    assert_eq!(judged(&changed, &read("alipay.pem")[1..], &read("roots.pem")), Err(CertificateError::ForeignIssuer));
}

#[test]
fn each_certificate_that_cannot_be_used_is_refused_with_its_own_reason() {
    assert_eq!(refused_certificate("foreign.pem"), CertificateError::ForeignIssuer);
    assert_eq!(refused_certificate("by_no_authority.pem"), CertificateError::ForeignIssuer);
    assert_eq!(refused_certificate("application_as_alipay.pem"), CertificateError::ApplicationCertificate);
    assert_eq!(refused_certificate("small_key.pem"), CertificateError::NotRsa);
    assert_eq!(refused_certificate("ec_key.pem"), CertificateError::NotRsa);
    assert_eq!(refused_certificate("README.md"), CertificateError::Unreadable);
    let of = |member, source| AlipayConfigError::Certificate { member, number: 1, source };
    let with = |change: fn(&mut AlipayCertificates)| refused(|settings| change(settings.certificates.as_mut().unwrap()));
    assert_eq!(with(|texts| texts.app_certificate = text("alipay.pem")), of("app_certificate", CertificateError::OtherKey));
    assert_eq!(with(|texts| texts.app_certificate = " ".to_owned()), of("app_certificate", CertificateError::Missing));
    assert_eq!(with(|texts| texts.alipay_certificates.clear()), of("alipay_certificates", CertificateError::Missing));
    assert_eq!(with(|texts| texts.root_certificates = text("only_ec_roots.pem")), of("root_certificates", CertificateError::NotRsa));
    assert_eq!(with(|texts| texts.root_certificates.truncate(900)), of("root_certificates", CertificateError::Unreadable));
    let both = refused(|settings| settings.alipay_public_keys.push(key_text("alipay_platform_public.pem")));
    assert!(matches!(both, AlipayConfigError::Invalid { member: "alipay_public_keys", .. }));
    let many = text("roots.pem").repeat(FILE_LIMIT);
    assert_eq!(Certificate::read_all(&many).err(), Some(CertificateError::Unreadable));
}

#[test]
fn a_start_needs_certificates_that_count_now() {
    let config = |alipay: &[&str]| AlipayConfig::new(&certified(alipay)).unwrap();
    let refused = |config: &AlipayConfig, now| match config.check_dates(at(now)).unwrap_err() {
        AlipayConfigError::Certificate { member, source, .. } => (member, source),
        other => panic!("{other:?}"),
    };
    let current = config(&["alipay.pem"]);
    assert_eq!(current.check_dates(at("2026-03-05T00:00:00Z")), Ok(()));
    assert_eq!(refused(&current, "2027-02-01T00:00:00Z"), ("alipay_certificates", CertificateError::Expired));
    assert_eq!(refused(&current, "2025-02-01T00:00:00Z"), ("app_certificate", CertificateError::NotYetValid));
    assert_eq!(refused(&config(&["alipay_next.pem"]), "2026-03-05T00:00:00Z"), ("alipay_certificates", CertificateError::NotYetValid));
    // While one follows another, one of them is enough.
    let both = config(&["alipay.pem", "alipay_next.pem"]);
    assert_eq!((both.check_dates(at("2026-03-05T00:00:00Z")), both.check_dates(at("2027-02-01T00:00:00Z"))), (Ok(()), Ok(())));
    let members: Vec<_> = both.certificates().into_iter().map(|certificate| certificate.member).collect();
    assert_eq!(members, ["app_certificate", "alipay_certificates", "alipay_certificates"]);
    assert!(AlipayConfig::new(&settings()).unwrap().certificates().is_empty());
}

#[test]
fn an_answer_is_believed_under_the_certificate_that_it_names() {
    let config = AlipayConfig::new(&certified(&["alipay.pem", "alipay_next.pem"])).unwrap();
    let (current, next) = (read("alipay.pem")[0].serial.clone(), read("alipay_next.pem")[0].serial.clone());
    let read = |body: &str, now: &str| Answer::read(body.as_bytes(), METHOD, &config.alipay_keys, at(now)).map(|_| ());
    let untrusted = |why| Err(AnswerError::Untrusted(why));
    let (march, december, later) = ("2026-03-05T06:00:00Z", "2026-12-05T06:00:00Z", "2027-03-05T06:00:00Z");
    assert_eq!(read(&body(CURRENT, &current), march), Ok(()));
    assert_eq!(read(&body(CURRENT, ""), march), Ok(()));
    assert_eq!(read(&body(NEXT, &next), december), Ok(()));
    assert_eq!(read(&body(CURRENT, &current), december), Ok(()));
    assert_eq!(read(&body(NEXT, &next), march), untrusted(Untrusted::NotYetValid));
    assert_eq!(read(&body(CURRENT, &current), later), untrusted(Untrusted::Expired));
    assert_eq!(read(&body(CURRENT, &next), december), untrusted(Untrusted::Forged));
    assert_eq!(read(&body(CURRENT, "0123456789abcdef"), march), untrusted(Untrusted::UnknownCertificate));
    assert_eq!(read(&body("alipay_app_private_pkcs8.pem", &current), march), untrusted(Untrusted::Forged));
}

#[tokio::test]
async fn every_request_names_our_certificate_and_the_roots() {
    let settings = certified(&["alipay.pem"]);
    let answer = body(CURRENT, &read("alipay.pem")[0].serial);
    let (gateway, canned): (_, Arc<Canned>) = answering(&settings, Ok(http_answer(answer)));
    let state = gateway.query("723100000000000101").await.unwrap();
    assert_eq!(state, TradeState::AwaitingBuyer { trade_no: None });
    let sent = &canned.sent()[0];
    let whole = format!("{}&{}", sent.query, sent.body);
    let members = Form::read(whole.as_bytes()).unwrap();
    for (name, expected) in
        [("app_cert_sn", "88d85cb24c8484f5510c5eea4fe89966"), ("alipay_root_cert_sn", "0948534183ee09bd0c62dda12309fee1")]
    {
        assert_eq!(members.get(name), Some(expected.as_bytes()));
    }
    let signed = sign("alipay_app_private_pkcs8.pem", &members.canonical(&["sign"], Empty::Kept));
    assert_eq!(members.get("sign"), Some(signed.as_bytes()));
}

/// A notification of a payment, signed with a key and naming a certificate if one is given.
pub(in crate::alipay) fn notice(key: &str, serial: Option<&str>) -> RawNotification {
    let mut members = vec![
        ("app_id", "2026000000000001"),
        ("notify_id", "1"),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", "723100000000000101"),
        ("seller_id", "2088000000000001"),
        ("total_amount", "199.00"),
        ("trade_no", "2026"),
        ("trade_status", "TRADE_SUCCESS"),
    ];
    members.extend(serial.map(|serial| ("alipay_cert_sn", serial)));
    let unsigned = form::write(members.clone());
    let sign = sign(key, &Form::read(unsigned.as_bytes()).unwrap().canonical(&[], Empty::Kept));
    members.push(("sign", &sign));
    RawNotification { headers: Vec::new(), body: form::write(members).into_bytes() }
}

#[test]
fn a_notification_is_judged_by_the_time_it_came() {
    let (gateway, _) = answering(&certified(&["alipay.pem", "alipay_next.pem"]), Ok(http_answer("")));
    let next = read("alipay_next.pem")[0].serial.clone();
    let read = |raw: &RawNotification, now: &str| gateway.read_notification(raw, at(now)).map(|notification| notification.trade_no);
    assert_eq!(read(&notice(CURRENT, None), "2026-03-05T06:00:00Z"), Ok("2026".to_owned()));
    assert_eq!(read(&notice(NEXT, Some(&next)), "2026-12-05T06:00:00Z"), Ok("2026".to_owned()));
    assert_eq!(read(&notice(CURRENT, None), "2027-03-05T06:00:00Z"), Err(NotificationRefusal::CertificateExpired));
    assert_eq!(read(&notice(NEXT, None), "2026-03-05T06:00:00Z"), Err(NotificationRefusal::CertificateNotYetValid));
    assert_eq!(read(&notice(CURRENT, Some("00")), "2026-03-05T06:00:00Z"), Err(NotificationRefusal::UnknownSerial));
    assert_eq!(read(&notice("alipay_app_private_pkcs8.pem", None), "2026-03-05T06:00:00Z"), Err(NotificationRefusal::BadSignature));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), place in 0_usize..1200, value: u8) {
        prop_assert!(Certificate::parse(&bytes).is_none());
        let _ = (first_element(&bytes), decimal(&bytes));
        let good = text("application.pem");
        let base64: String = good.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut der = STANDARD.decode(base64).unwrap();
        if let Some(byte) = der.get_mut(place) {
            *byte = value;
            let _ = Certificate::parse(&der);
        }
    }
}
