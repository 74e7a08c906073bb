//! The shared vectors: every case is read here. A kind that nobody tests fails.

mod messages;
mod requests;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;

use chassis::clock::ManualClock;
use chassis::secret::Secret;
use serde::Deserialize;

use super::config::PUBLIC_KEY_ID_PREFIX;
use super::tests::{Canned, config, settings};
use super::{WechatPayClient, WechatPaySettings};
use crate::vectors::{Case, Document, file};

/// The kinds that are tested here.
const TESTED: [&str; 9] = [
    "request_sign",
    "message_verify",
    "notify_verify",
    "resource_decrypt",
    "certificates_decrypt",
    "cert_serial",
    "oaep_decrypt",
    "pay_params",
    "bill_hash",
];

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    appid: String,
    mchid: String,
    api_v3_key: String,
    public_key_id: String,
    merchant_serial_no: String,
    keys: BTreeMap<String, String>,
    max_clock_skew_seconds: i64,
    orders: BTreeMap<String, Order>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    total: i64,
    currency: String,
}

fn document() -> Document<Context> {
    Document::read("wechat_v3.json")
}

/// The cases of a kind, as many as the file says.
fn cases(kind: &str) -> Vec<Case> {
    document().cases(kind)
}

/// Our settings as the context names us, with a case's keys of WeChat Pay's.
fn settings_of(context: &Context, keys: &BTreeMap<String, String>, api_v3_key: &str) -> WechatPaySettings {
    let (public, certified): (Vec<_>, Vec<_>) = keys.iter().partition(|(serial, _)| serial.starts_with(PUBLIC_KEY_ID_PREFIX));
    WechatPaySettings {
        appid: context.appid.clone(),
        app_appid: None,
        mini_program_appid: None,
        mchid: context.mchid.clone(),
        api_v3_key: Secret::new(api_v3_key.to_owned()),
        merchant_serial: context.merchant_serial_no.clone(),
        public_keys: public.into_iter().map(|(id, name)| (id.clone(), file(name))).collect(),
        platform_certificates: certified.into_iter().map(|(_, name)| file(name)).collect(),
        ..settings()
    }
}

fn client_of(context: &Context, keys: &BTreeMap<String, String>, api_v3_key: &str) -> Arc<WechatPayClient> {
    let clock = Arc::new(ManualClock::new(super::tests::now()));
    let config = config(&settings_of(context, keys, api_v3_key));
    Arc::new(WechatPayClient::over(Box::new(Arc::new(Canned::default())), config, clock))
}

#[test]
fn every_case_is_of_a_kind_that_is_tested() {
    let document = document();
    assert_eq!(document.format, 1);
    document.assert_every_kind_is_tested(&TESTED);
    assert_eq!(document.context.max_clock_skew_seconds, super::verification::FRESHNESS.num_seconds());
    assert!(document.context.keys.contains_key(&document.context.public_key_id));
    assert_eq!(document.context.api_v3_key, super::tests::API_V3_KEY);
}
