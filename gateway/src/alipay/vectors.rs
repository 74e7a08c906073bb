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
use serde_json::{Map, Value};

use super::tests::{settings, vectors_folder};
use super::{AlipayConfig, AlipaySettings};

/// The kinds that are tested here.
const TESTED: [&str; 8] =
    ["request_sign", "private_key_load", "notify_verify", "return_url_verify", "response_verify", "cert_sn", "bill_parse", "amount"];

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
    app_id: String,
    seller_id: String,
    orders: BTreeMap<String, String>,
    sign_type: String,
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
        self.value(name).map(|value| value.as_str().unwrap_or_else(|| panic!("{name} is a text")).to_owned())
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
    let path = vectors_folder().join("alipay.json");
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

/// The text of a file that a case names.
fn file(name: &str) -> String {
    let path = vectors_folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
#[expect(clippy::print_stdout, reason = "how many cases there are of each kind is asked of this test")]
fn every_case_is_of_a_kind_that_is_tested() {
    let document = document();
    assert_eq!((document.format, document.context.sign_type.as_str()), (1, "RSA2"));
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
    let names: std::collections::BTreeSet<&str> = document.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), document.cases.len(), "a case's name stands twice");
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
