//! The shared vectors: every case is read here.

mod bills;
mod messages;
mod notices;
mod signatures;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::WechatPayV2Settings;
use super::tests::{settings, vectors_folder};

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

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    kind: String,
    input: Parts,
    expect: Parts,
    #[serde(default)]
    policy: Option<Parts>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "source", default)]
    _source: Option<Value>,
}

/// The members of one part of a case. Each is taken out when it is read, so that none is overlooked.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
struct Parts(Map<String, Value>);

impl Parts {
    fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.as_str().unwrap_or_else(|| panic!("{name} is a text")).to_owned())
    }

    fn is(&mut self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.as_bool().unwrap_or_else(|| panic!("{name} is a yes or no")))
    }

    fn texts(&mut self, name: &str) -> Option<BTreeMap<String, String>> {
        self.value(name).map(|value| serde_json::from_value(value).unwrap())
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

    /// The bytes of the message.
    fn xml(&mut self) -> Vec<u8> {
        self.input_text("xml").into_bytes()
    }

    /// The bytes of `body_base64`.
    fn body(&mut self) -> Vec<u8> {
        STANDARD.decode(self.input_text("body_base64")).unwrap()
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

    /// To be called when the case was compared: whatever it says beyond that must fail.
    #[track_caller]
    fn assert_all_read(&self) {
        self.input.assert_all_read(&self.name);
        self.expect.assert_all_read(&self.name);
        self.policy.iter().for_each(|policy| policy.assert_all_read(&self.name));
    }
}

fn document() -> Document {
    let path = vectors_folder().join("wechat_v2.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn context() -> Context {
    document().context
}

/// The cases of a kind, as many as the file says.
fn cases(kind: &str) -> Vec<Case> {
    let document = document();
    let expected = document.counts.get(kind).copied();
    let cases: Vec<Case> = document.cases.into_iter().filter(|case| case.kind == kind).collect();
    assert_eq!(Some(cases.len()), expected, "{kind}");
    cases
}

#[test]
#[expect(clippy::print_stdout, reason = "how many cases there are of each kind is asked of this test")]
fn every_case_is_of_a_kind_that_is_tested() {
    let document = document();
    assert_eq!((document.format, document.context.api_key.len()), (1, 32));
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
}
