//! The shared vectors: every case is read here. A kind that nobody tests fails.

mod messages;
mod requests;
mod resources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::clock::ManualClock;
use chassis::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::PUBLIC_KEY_ID_PREFIX;
use super::tests::{Canned, config, settings, vectors_folder};
use super::{WechatPayClient, WechatPaySettings};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "source")]
    _source: String,
    context: Context,
    kinds: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
    cases: Vec<Case>,
}

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

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    kind: String,
    input: Members,
    expect: Members,
    #[serde(default)]
    policy: Option<Members>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "source", default)]
    _source: Option<Value>,
}

/// The members of one part of a case. Each is taken out when it is read, so that none is overlooked.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
struct Members(Map<String, Value>);

impl Members {
    fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.value(name)
            .filter(|value| !value.is_null())
            .map(|value| value.as_str().unwrap_or_else(|| panic!("{name} is a text")).to_owned())
    }

    fn number(&mut self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.as_i64()).unwrap_or_else(|| panic!("{name} is a number"))
    }

    fn is(&mut self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.as_bool().unwrap_or_else(|| panic!("{name} is a yes or no")))
    }

    fn texts(&mut self, name: &str) -> BTreeMap<String, String> {
        serde_json::from_value(self.value(name).unwrap_or_else(|| panic!("{name} is given"))).unwrap()
    }

    /// The bytes of `body`, or of `body_base64`.
    fn body(&mut self) -> Vec<u8> {
        match (self.text("body"), self.text("body_base64")) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            _ => panic!("one of body and body_base64 is given"),
        }
    }

    #[track_caller]
    fn assert_all_read(&self, case: &str) {
        assert!(self.0.is_empty(), "{case}: these members are not understood: {:?}", self.0.keys().collect::<Vec<_>>());
    }
}

impl Case {
    fn input_text(&mut self, name: &str) -> String {
        self.input.text(name).unwrap_or_else(|| panic!("{}: {name} is given", self.name))
    }

    fn expected_text(&mut self, name: &str) -> String {
        self.expect.text(name).unwrap_or_else(|| panic!("{}: {name} is expected", self.name))
    }

    /// To be called when the case was compared: whatever it says beyond that must fail.
    #[track_caller]
    fn assert_all_read(&self) {
        self.input.assert_all_read(&self.name);
        self.expect.assert_all_read(&self.name);
        self.policy.iter().for_each(|policy| policy.assert_all_read(&self.name));
    }
}

fn document() -> Document {
    let path = vectors_folder().join("wechat_v3.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The cases of a kind, as many as the file says.
fn cases(kind: &str) -> Vec<Case> {
    let document = document();
    let expected = document.counts.get(kind).copied();
    let cases: Vec<Case> = document.cases.into_iter().filter(|case| case.kind == kind).collect();
    assert_eq!(Some(cases.len()), expected, "{kind}");
    cases
}

/// The text of a file that a case names.
fn file(name: &str) -> String {
    let path = vectors_folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
#[expect(clippy::print_stdout, reason = "how many cases there are of each kind is asked of this test")]
fn every_case_is_of_a_kind_that_is_tested() {
    let document = document();
    assert_eq!(document.format, 1);
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for case in &document.cases {
        *counted.entry(case.kind.clone()).or_default() += 1;
    }
    for (kind, count) in &counted {
        assert!(TESTED.contains(&kind.as_str()), "cases of a kind that nobody tests: {kind}");
        println!("{kind}: {count} cases");
    }
    assert_eq!(counted, document.counts);
    assert!(document.kinds.keys().eq(counted.keys()));
    assert!(TESTED.iter().all(|kind| counted.contains_key(*kind)), "a kind has lost its cases");
    let names: BTreeSet<&str> = document.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), document.cases.len(), "a case's name stands twice");
    assert_eq!(document.context.max_clock_skew_seconds, super::verification::FRESHNESS.num_seconds());
    assert!(document.context.keys.contains_key(&document.context.public_key_id));
    assert_eq!(document.context.api_v3_key, super::tests::API_V3_KEY);
}
