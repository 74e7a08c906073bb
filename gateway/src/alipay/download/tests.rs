use std::sync::Arc;

use chassis::clock::ManualClock;
use chrono::{DateTime, Utc};

use super::*;
use crate::alipay::certificate::tests::{CURRENT, NEXT, body, certified, file_text, notice};
use crate::alipay::tests::{Canned, http_answer};
use crate::alipay::{AlipayConfig, AlipaySettings};
use crate::fetch_turn::FETCH_RETRY;
use crate::{Gateway, NotificationRefusal, TradeState};

const NUMBER: &str = "723100000000000101";
/// The serial of `alipay.pem`, which is not configured here.
const UNKNOWN: &str = "33ab81388a67744fa650826af31d7ca2";

/// When both certificates count.
fn december() -> DateTime<Utc> {
    "2026-12-05T06:00:00Z".parse().unwrap()
}

/// A gateway that gets these answers, one after another.
fn gateway(settings: &AlipaySettings, answers: &[String]) -> (AlipayGateway, Arc<Canned>, Arc<ManualClock>) {
    let (canned, clock) = (Arc::new(Canned::default()), Arc::new(ManualClock::new(december())));
    for answer in answers {
        canned.lay_answer(Ok(http_answer(answer.clone())));
    }
    let config = AlipayConfig::new(settings).unwrap();
    (AlipayGateway::over(Box::new(canned.clone()), config, clock.clone()), canned, clock)
}

/// The gateway's answer with this text as the certificate, signed by nobody.
fn downloaded(text: &str) -> String {
    let content = STANDARD.encode(text);
    format!(r#"{{"alipay_open_app_alipaycert_download_response":{{"code":"10000","msg":"Success","alipay_cert_content":"{content}"}}}}"#)
}

fn calls(canned: &Canned) -> Vec<String> {
    let method = |query: &str| query.split('&').find_map(|member| member.strip_prefix("method=")).unwrap_or_default().to_owned();
    canned.sent().iter().map(|request| method(&request.query)).collect()
}

#[tokio::test]
async fn an_answer_under_an_unknown_certificate_is_believed_once_it_is_fetched() {
    let answers = [body(CURRENT, UNKNOWN), downloaded(&file_text("alipay.pem")), body(CURRENT, UNKNOWN)];
    let (gateway, canned, _) = gateway(&certified(&["alipay_next.pem"]), &answers);
    for _ in 0..2 {
        assert_eq!(gateway.query(NUMBER).await.unwrap(), TradeState::AwaitingBuyer { trade_no: None });
    }
    assert_eq!(calls(&canned), ["alipay.trade.query", METHOD, "alipay.trade.query"]);
    assert!(canned.sent()[1].body.contains(UNKNOWN));
    let serials: Vec<_> = gateway.certificates().into_iter().map(|certificate| certificate.serial).collect();
    assert_eq!((serials.len(), serials[2].as_str()), (3, UNKNOWN));
}

#[tokio::test]
async fn a_notification_under_an_unknown_certificate_is_read_once_it_is_fetched() {
    // Its issuers stand in the configured files.
    let alone = file_text("alipay.pem").split_inclusive("-----END CERTIFICATE-----\n").next().unwrap().to_owned();
    let (gateway, canned, _) = gateway(&certified(&["alipay_next.pem"]), &[downloaded(&alone)]);
    let (known, unknown) = (notice(NEXT, None), notice(CURRENT, Some(UNKNOWN)));
    assert_eq!(gateway.read_notification(&unknown, december()), Err(NotificationRefusal::UnknownSerial));
    tokio::join!(gateway.fetch_key(&unknown), gateway.fetch_key(&unknown), gateway.fetch_key(&known));
    assert_eq!(calls(&canned), [METHOD]);
    assert!(gateway.read_notification(&unknown, december()).is_ok() && gateway.read_notification(&known, december()).is_ok());
    // Under the new certificate's name another key still signs nothing.
    let forged = notice("alipay_app_private_pkcs8.pem", Some(UNKNOWN));
    assert_eq!(gateway.read_notification(&forged, december()), Err(NotificationRefusal::BadSignature));
}

#[tokio::test]
async fn a_certificate_that_is_not_alipays_is_not_believed() {
    let refused = r#"{"alipay_open_app_alipaycert_download_response":{"code":"40004","sub_code":"isv.x"}}"#.to_owned();
    for (text, said) in [
        (refused, "does not give it out: isv.x"),
        (downloaded(&file_text("foreign.pem")), "another one"),
        (downloaded(&file_text("alipay_next.pem")), "another one"),
        (downloaded("nonsense"), "refused"),
        (downloaded(""), "no certificate"),
        ("<html>".to_owned(), "cannot be read"),
    ] {
        let (gateway, _, _) = gateway(&certified(&["alipay_next.pem"]), &[text]);
        let configured = gateway.config.certified.as_ref().unwrap();
        let error = gateway.download(UNKNOWN, configured).await.err().unwrap();
        assert!(Chain(&error).to_string().contains(said), "{said}: {}", Chain(&error));
        assert!(!gateway.keys().knows(UNKNOWN));
    }
}

#[tokio::test]
async fn a_certificate_of_another_issuer_holder_or_time_is_not_believed() {
    let genuine = downloaded(&file_text("alipay.pem"));
    // None of the configured roots stands behind it.
    let (foreign, _, _) = gateway(&certified(&["alipay_next.pem"]), &[downloaded(&file_text("foreign.pem"))]);
    let serial = Certificate::read_all(&file_text("foreign.pem")).unwrap()[0].serial.clone();
    let error = foreign.download(&serial, foreign.config.certified.as_ref().unwrap()).await.err().unwrap();
    assert!(matches!(error, NotFetched::Certificate(CertificateError::ForeignIssuer)), "{error:?}");
    // Made out to somebody else than the configured one.
    let mut config = AlipayConfig::new(&certified(&["alipay_next.pem"])).unwrap();
    for certificate in &mut config.certified.as_mut().unwrap().configured {
        certificate.make_out_to("Somebody else");
    }
    let canned = Arc::new(Canned::default());
    canned.lay_answer(Ok(http_answer(genuine.clone())));
    let elsewhere = AlipayGateway::over(Box::new(canned), config, Arc::new(ManualClock::new(december())));
    let error = elsewhere.download(UNKNOWN, elsewhere.config.certified.as_ref().unwrap()).await.err().unwrap();
    assert!(matches!(error, NotFetched::OtherHolder), "{error:?}");
    // Out of its time.
    let (late, _, clock) = gateway(&certified(&["alipay_next.pem"]), &[genuine]);
    clock.set("2027-02-01T00:00:00Z".parse().unwrap());
    let error = late.download(UNKNOWN, late.config.certified.as_ref().unwrap()).await.err().unwrap();
    assert!(matches!(error, NotFetched::Certificate(CertificateError::Expired)), "{error:?}");
}

#[tokio::test]
async fn what_is_asked_for_in_vain_is_not_asked_for_again_for_a_while() {
    let refused = || downloaded("nonsense");
    let answers = [refused(), body(CURRENT, UNKNOWN), downloaded(&file_text("alipay.pem")), refused()];
    let (gateway, canned, clock) = gateway(&certified(&["alipay_next.pem"]), &answers);
    let made_up = |digit: char| notice(CURRENT, Some(&digit.to_string().repeat(SERIAL_LENGTH)));
    for digit in ['a', 'b', 'c'] {
        gateway.fetch_key(&made_up(digit)).await;
    }
    assert_eq!(calls(&canned).len(), 1);
    // What has no serial's form is asked for at no time.
    for serial in [None, Some(""), Some("../../etc"), Some("33AB81388A67744FA650826AF31D7CA2")] {
        clock.set(december() + FETCH_RETRY);
        gateway.fetch_key(&notice(CURRENT, serial)).await;
    }
    clock.set(december());
    assert_eq!(calls(&canned).len(), 1);
    // Answers to our own calls have a turn of their own.
    assert_eq!(gateway.query(NUMBER).await.unwrap(), TradeState::AwaitingBuyer { trade_no: None });
    assert_eq!(calls(&canned).len(), 3);
    clock.set(december() + FETCH_RETRY);
    gateway.fetch_key(&made_up('d')).await;
    assert_eq!(calls(&canned).len(), 4);
}

#[tokio::test]
async fn in_public_key_mode_nothing_is_fetched() {
    let (gateway, canned, _) = gateway(&crate::alipay::tests::settings(), &[]);
    gateway.fetch_key(&notice(CURRENT, Some(UNKNOWN))).await;
    assert!(calls(&canned).is_empty());
}

#[test]
fn only_so_many_fetched_certificates_are_kept_and_the_configured_ones_always() {
    let config = AlipayConfig::new(&certified(&["alipay_next.pem"])).unwrap();
    let fetched = AlipayConfig::new(&certified(&["alipay.pem"])).unwrap();
    let configured = config.certificates()[1].serial.clone();
    let mut keys = config.alipay_keys.clone();
    for _ in 0..50 {
        keys = keys.with_fetched(fetched.alipay_keys.first().clone());
    }
    assert_eq!((keys.count(), keys.knows(&configured)), (9, true));
}
