//! The shared vectors: every case is read here.

mod certificates;
mod notices;
mod requests;
mod responses;

pub(super) use certificates::bill_archive;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::secret::Secret;
use domain::{Currency, Money};
use serde::Deserialize;

use super::tests::settings;
use super::{AlipayConfig, AlipaySettings};
use crate::vectors::{Case, Document, file};

/// The kinds that are tested here.
const TESTED: [&str; 8] =
    ["request_sign", "private_key_load", "notify_verify", "return_url_verify", "response_verify", "cert_sn", "bill_parse", "amount"];

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    app_id: String,
    seller_id: String,
    orders: BTreeMap<String, String>,
    sign_type: String,
}

fn document() -> Document<Context> {
    Document::read("alipay.json")
}

fn context() -> Context {
    document().context
}

/// The cases of a kind, as many as the file says.
fn cases(kind: &str) -> Vec<Case> {
    document().cases(kind)
}

/// Our settings as the context names us, with the public key of a case.
///
/// The application's key is none of the vectors', so that a case may give any of those as Alipay's.
fn settings_of(context: &Context, alipay_public_key: &str) -> AlipaySettings {
    static KEY: OnceLock<String> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        STANDARD.encode(der.as_ref())
    });
    AlipaySettings {
        app_id: context.app_id.clone(),
        seller_id: context.seller_id.clone(),
        app_private_key: Secret::new(key.clone()),
        alipay_public_keys: vec![file(alipay_public_key)],
        ..settings()
    }
}

fn config_of(context: &Context, alipay_public_key: &str) -> Arc<AlipayConfig> {
    Arc::new(AlipayConfig::new(&settings_of(context, alipay_public_key)).unwrap())
}

#[test]
fn every_case_is_of_a_kind_that_is_tested() {
    let document = document();
    assert_eq!((document.format, document.context.sign_type.as_str()), (1, "RSA2"));
    document.assert_every_kind_is_tested(&TESTED);
}

#[test]
fn amounts_are_read_and_written_as_in_the_table() {
    for mut case in cases("amount") {
        let read = |text: &str| Money::parse_major(text, Currency::Cny).map(Money::amount_minor);
        let pairs = case.input.value("pairs").unwrap();
        for pair in pairs.as_array().unwrap() {
            let (yuan, fen) = (pair["yuan"].as_str().unwrap(), pair["fen"].as_i64().unwrap());
            assert_eq!(read(yuan), Ok(fen));
            assert_eq!(Money::new(fen, Currency::Cny).unwrap().major_text(), yuan);
        }
        let also_read: Vec<String> = serde_json::from_value(case.input.value("also_read").unwrap()).unwrap();
        let fen: Vec<i64> = serde_json::from_value(case.expect.value("also_read_fen").unwrap()).unwrap();
        assert_eq!(also_read.iter().map(|text| read(text).unwrap()).collect::<Vec<_>>(), fen);
        let refuse: Vec<String> = serde_json::from_value(case.input.value("refuse").unwrap()).unwrap();
        for text in refuse {
            assert!(read(&text).is_err(), "{text:?}");
        }
        case.assert_all_read();
    }
}
