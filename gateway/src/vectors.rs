//! The shared vectors and their keys, for the tests of all adapters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// One file of vectors. What its cases have in common, the context, differs from file to file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document<C> {
    pub(crate) format: u32,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "source")]
    _source: String,
    pub(crate) context: C,
    kinds: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) input: Members,
    pub(crate) expect: Members,
    #[serde(default)]
    pub(crate) policy: Option<Members>,
    #[serde(rename = "note", default)]
    _note: Option<String>,
    #[serde(rename = "source", default)]
    _source: Option<Value>,
}

/// The members of one part of a case. Each is taken out when it is read, so that none is overlooked.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.value(name)
            .filter(|value| !value.is_null())
            .map(|value| value.as_str().unwrap_or_else(|| panic!("{name} is a text")).to_owned())
    }

    pub(crate) fn number(&mut self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.as_i64()).unwrap_or_else(|| panic!("{name} is a number"))
    }

    pub(crate) fn is(&mut self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.as_bool().unwrap_or_else(|| panic!("{name} is a yes or no")))
    }

    pub(crate) fn texts(&mut self, name: &str) -> BTreeMap<String, String> {
        self.texts_if_given(name).unwrap_or_else(|| panic!("{name} is given"))
    }

    pub(crate) fn texts_if_given(&mut self, name: &str) -> Option<BTreeMap<String, String>> {
        self.value(name).map(|value| serde_json::from_value(value).unwrap())
    }

    /// The bytes of `body`, or of `body_base64`.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        match (self.text("body"), self.text("body_base64")) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            _ => panic!("one of body and body_base64 is given"),
        }
    }

    #[track_caller]
    pub(crate) fn assert_all_read(&self, case: &str) {
        assert!(self.0.is_empty(), "{case}: these members are not understood: {:?}", self.0.keys().collect::<Vec<_>>());
    }
}

impl Case {
    pub(crate) fn input_text(&mut self, name: &str) -> String {
        self.input.text(name).unwrap_or_else(|| panic!("{}: {name} is given", self.name))
    }

    pub(crate) fn expected_text(&mut self, name: &str) -> String {
        self.expect.text(name).unwrap_or_else(|| panic!("{}: {name} is expected", self.name))
    }

    /// To be called when the case was compared: whatever it says beyond that must fail.
    #[track_caller]
    pub(crate) fn assert_all_read(&self) {
        self.input.assert_all_read(&self.name);
        self.expect.assert_all_read(&self.name);
        self.policy.iter().for_each(|policy| policy.assert_all_read(&self.name));
    }
}

impl<C: DeserializeOwned> Document<C> {
    /// Reads one of the files.
    pub(crate) fn read(name: &str) -> Self {
        serde_json::from_str(&file(name)).unwrap()
    }

    /// The cases of a kind, as many as the file says.
    pub(crate) fn cases(self, kind: &str) -> Vec<Case> {
        let expected = self.counts.get(kind).copied();
        let cases: Vec<Case> = self.cases.into_iter().filter(|case| case.kind == kind).collect();
        assert_eq!(Some(cases.len()), expected, "{kind}");
        cases
    }

    /// That every case is of a kind that is tested, every such kind has its cases, and no case's name stands twice.
    #[expect(clippy::print_stdout, reason = "how many cases there are of each kind is asked of the tests that call this")]
    pub(crate) fn assert_every_kind_is_tested(&self, tested: &[&str]) {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for case in &self.cases {
            *counted.entry(case.kind.clone()).or_default() += 1;
        }
        for (kind, count) in &counted {
            assert!(tested.contains(&kind.as_str()), "cases of a kind that nobody tests: {kind}");
            println!("{kind}: {count} cases");
        }
        assert_eq!(counted, self.counts);
        assert!(self.kinds.keys().eq(counted.keys()));
        assert!(tested.iter().all(|kind| counted.contains_key(*kind)), "a kind has lost its cases");
        let names: BTreeSet<&str> = self.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), self.cases.len(), "a case's name stands twice");
    }
}

/// Where the vectors and their keys lie: a copy beside the code, unless the environment names another place.
fn folder() -> PathBuf {
    let copy = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors");
    std::env::var_os("PAYSTREAM_VECTORS").map_or_else(copy, PathBuf::from)
}

/// The text of a file of the vectors, or of one that a case names.
pub(crate) fn file(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a throwaway key of the vectors.
pub(crate) fn key_text(name: &str) -> String {
    file(&format!("keys/{name}"))
}
