//! Certificate mode, as a merchant's SDK sees it.

use serde_json::{Value, json};

use crate::world::{Answer, FORM, World, form};

const METHOD: &str = "alipay.trade.query";

/// Asks for a trade that does not exist, naming these serials.
async fn asked(world: &World, serials: &[(&str, &str)]) -> (Answer, Value) {
    let mut members = world.members(METHOD, &json!({"out_trade_no": "1001"}), None);
    members.retain(|(name, _)| name != "sign");
    members.extend(serials.iter().map(|(name, serial)| ((*name).to_owned(), (*serial).to_owned())));
    let members = world.signed(members);
    let sent = world.client.post(&world.credentials.gateway_url).header("content-type", FORM).body(form(&members)).send().await.unwrap();
    let body = sent.text().await.unwrap();
    let value: Value = serde_json::from_str(&body).unwrap();
    (world.read(body), value["alipay_cert_sn"].clone())
}

#[tokio::test]
async fn a_call_that_names_certificates_is_answered_under_one() {
    let world = World::start().await;
    let files = &world.credentials.certificates;
    let (own, roots) = (("app_cert_sn", files.app_cert_sn.as_str()), ("alipay_root_cert_sn", files.alipay_root_cert_sn.as_str()));
    let (answer, serial) = asked(&world, &[own, roots]).await;
    answer.assert_refused("ACQ.TRADE_NOT_EXIST");
    assert_eq!(serial, json!(files.alipay_cert_sn));
    let (answer, serial) = asked(&world, &[]).await;
    answer.assert_refused("ACQ.TRADE_NOT_EXIST");
    assert_eq!(serial, Value::Null);
}

#[tokio::test]
async fn a_call_that_names_other_certificates_is_turned_away() {
    let world = World::start().await;
    let files = &world.credentials.certificates;
    let (own, roots) = (("app_cert_sn", files.app_cert_sn.as_str()), ("alipay_root_cert_sn", files.alipay_root_cert_sn.as_str()));
    for (serials, sub_code) in [
        (&[own][..], "isv.missing-root-cert-sn"),
        (&[roots], "isv.missing-app-cert-sn"),
        (&[("app_cert_sn", "0"), roots], "isv.invalid-app-cert-sn"),
        (&[own, ("alipay_root_cert_sn", "0")], "isv.invalid-root-cert-sn"),
    ] {
        let (answer, serial) = asked(&world, serials).await;
        assert_eq!((answer.sub_code(), answer.is_signed, serial), (sub_code, false, Value::Null));
    }
}

#[tokio::test]
async fn the_certificates_stay_the_same_after_a_restart() {
    let world = World::start().await;
    let before = world.credentials.certificates.clone();
    assert_eq!(world.restarted().await.credentials.certificates, before);
    for text in [&before.app_certificate, &before.alipay_certificate, &before.root_certificate] {
        assert!(text.starts_with("-----BEGIN CERTIFICATE-----\n"), "{text}");
    }
}
