//! The shared vectors: every case is read here.

mod bills;
mod messages;
mod notices;
mod signatures;

use std::collections::BTreeMap;

use chassis::secret::Secret;
use serde::Deserialize;

use super::WechatPayV2Settings;
use super::tests::settings;
use crate::vectors::{Case, Document};

/// The kinds that are tested here.
const TESTED: [&str; 10] = [
    "sign",
    "xml_parse",
    "xml_reject",
    "notify_verify",
    "response_verify",
    "bizpayurl",
    "native_callback",
    "pay_params",
    "refund_notify",
    "bill_parse",
];

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    appid: String,
    mch_id: String,
    api_key: String,
    orders: BTreeMap<String, KnownOrder>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownOrder {
    total_fee: String,
    trade_type: String,
}

impl Case {
    /// The bytes of the message.
    fn xml(&mut self) -> Vec<u8> {
        self.input_text("xml").into_bytes()
    }

    /// Our settings as the context names us, with the key of the case and its digest.
    fn settings(&mut self, context: &Context) -> WechatPayV2Settings {
        let api_key = self.input_text("api_key");
        let sign_type = self.input.text("sign_type").unwrap_or_else(|| "MD5".to_owned());
        WechatPayV2Settings {
            app_id: context.appid.clone(),
            mobile_app_id: None,
            mch_id: context.mch_id.clone(),
            api_keys: vec![Secret::new(api_key)],
            sign_type,
            ..settings()
        }
    }
}

fn document() -> Document<Context> {
    Document::read("wechat_v2.json")
}

fn context() -> Context {
    document().context
}

/// The cases of a kind, as many as the file says.
fn cases(kind: &str) -> Vec<Case> {
    document().cases(kind)
}

#[test]
fn every_case_is_of_a_kind_that_is_tested() {
    let document = document();
    assert_eq!((document.format, document.context.api_key.len()), (1, 32));
    document.assert_every_kind_is_tested(&TESTED);
}
