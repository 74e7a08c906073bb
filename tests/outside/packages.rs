//! The packages: which may use which, one version of each dependency, one set of lints.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::harness::workspace::root;

/// Every package of the workspace with those of its own packages that it may use. `chassis` is for all but `domain` and
/// `database`. A package that is not here is a mistake here or there.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("database", &[]),
    ("chassis", &[]),
    ("qr", &[]),
    ("event-store", &["database", "kurrentdb-stand-in"]),
    ("followers", &["event-store", "database", "domain"]),
    ("gateway", &["domain"]),
    ("sandbox", &["database", "domain"]),
    ("storefront", &["database", "domain"]),
    ("command-api", &["gateway", "storefront", "followers", "event-store", "database", "domain", "qr"]),
    ("projections", &["followers", "event-store", "database", "domain"]),
    ("query-api", &["storefront", "event-store", "database", "domain", "qr"]),
    ("web", &[]),
    ("paystream", EVERYTHING),
    ("bench", EVERYTHING),
    ("outside-tests", &["kurrentdb-stand-in"]),
    ("kurrentdb-stand-in", &[]),
    (
        "simulation",
        &["domain", "event-store", "database", "followers", "gateway", "sandbox", "storefront", "command-api", "projections", "query-api"],
    ),
];

/// What the binary and the benchmarks may use: all.
const EVERYTHING: &[&str] = &[
    "domain",
    "database",
    "event-store",
    "followers",
    "gateway",
    "sandbox",
    "storefront",
    "command-api",
    "projections",
    "query-api",
    "web",
];

const WITHOUT_CHASSIS: [&str; 5] = ["domain", "database", "qr", "outside-tests", "kurrentdb-stand-in"];

/// Sections of a manifest that name dependencies.
const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

struct Manifest {
    name: String,
    path: PathBuf,
    content: toml::Table,
}

impl Manifest {
    fn read(folder: &Path) -> Self {
        let path = folder.join("Cargo.toml");
        let content: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let name = content["package"]["name"].as_str().unwrap().to_owned();
        Self { name, path, content }
    }

    /// Every dependency of every section, also of those for one platform only.
    fn dependencies(&self) -> impl Iterator<Item = (&String, &toml::Value)> {
        let for_all = std::iter::once(&self.content);
        let by_platform = self.content.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
        let tables = for_all.chain(by_platform.filter_map(toml::Value::as_table));
        let sections = tables.flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)));
        sections.filter_map(toml::Value::as_table).flatten()
    }
}

fn workspace_manifest() -> toml::Table {
    std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap()
}

fn manifests() -> Vec<Manifest> {
    let workspace = workspace_manifest();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| Manifest::read(&root().join(member.as_str().unwrap()))).collect()
}

#[test]
fn packages_use_only_those_that_the_arrows_allow() {
    let rules: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let manifests = manifests();
    let own: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    assert_eq!(own, rules.keys().copied().collect::<BTreeSet<_>>(), "the packages of the workspace and those with a rule");
    for manifest in &manifests {
        let allowed = rules[manifest.name.as_str()];
        // A package that names itself switches on its own feature for its tests.
        for (dependency, _) in manifest.dependencies().filter(|(name, _)| own.contains(name.as_str()) && **name != manifest.name) {
            let may =
                allowed.contains(&dependency.as_str()) || (dependency == "chassis" && !WITHOUT_CHASSIS.contains(&manifest.name.as_str()));
            assert!(may, "{} must not use {dependency}", manifest.name);
        }
    }
}

#[test]
fn the_write_side_the_projections_and_the_read_side_never_meet_in_code() {
    for manifest in manifests() {
        let sides: Vec<_> = manifest.dependencies().map(|(name, _)| name.as_str()).collect();
        for (side, others) in [
            ("command-api", ["projections", "query-api"]),
            ("projections", ["command-api", "query-api"]),
            ("query-api", ["command-api", "projections"]),
        ] {
            assert!(manifest.name != side || !others.iter().any(|other| sides.contains(other)), "{side} uses {sides:?}");
        }
    }
}

#[test]
fn the_domain_has_nothing_that_waits_reads_or_tells_the_time() {
    let forbidden = ["tokio", "async-trait", "futures-util", "axum", "http", "hyper", "reqwest", "sqlx", "tracing", "rand", "tempfile"];
    let domain = Manifest::read(&root().join("domain"));
    for (dependency, _) in domain.dependencies() {
        assert!(!forbidden.contains(&dependency.as_str()), "domain uses {dependency}");
    }
    let workspace = workspace_manifest();
    let chrono = &workspace["workspace"]["dependencies"]["chrono"];
    assert_eq!(chrono["default-features"].as_bool(), Some(false), "chrono would bring a clock");
    let features: Vec<_> = chrono["features"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert!(!features.contains(&"clock") && !features.contains(&"now"), "{features:?}");
}

#[test]
fn the_sandbox_and_the_gateway_share_no_implementation_of_signatures() {
    let uses = |folder: &str, name: &str| {
        let manifest = Manifest::read(&root().join(folder));
        manifest.content["dependencies"].as_table().unwrap().contains_key(name)
    };
    assert!(!uses("sandbox", "gateway"));
    assert!(!uses("sandbox", "aws-lc-rs"), "the sandbox signs with another library than the gateway verifies with");
    assert!(!uses("gateway", "rsa"), "rsa is not constant in time; our side does not sign with it");
}

#[test]
fn every_package_takes_lints_edition_and_dependencies_from_the_workspace() {
    for manifest in manifests() {
        let content = &manifest.content;
        let shown = manifest.path.display();
        assert_eq!(content["lints"]["workspace"].as_bool(), Some(true), "{shown}: lints");
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert_eq!(content["package"][key]["workspace"].as_bool(), Some(true), "{shown}: {key}");
        }
        for (dependency, value) in manifest.dependencies() {
            assert_eq!(value["workspace"].as_bool(), Some(true), "{shown}: {dependency} has a version of its own");
        }
    }
}

#[test]
fn no_package_or_module_has_a_name_that_says_nothing() {
    let empty_words = ["common", "utils", "util", "core", "shared", "helpers", "types", "misc"];
    for manifest in manifests() {
        assert!(!empty_words.contains(&manifest.name.as_str()), "{}", manifest.name);
        let folder = manifest.path.parent().unwrap();
        for file in rust_files(&folder.join("src")) {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            assert!(!empty_words.contains(&stem), "{}", file.display());
        }
    }
}

#[test]
fn a_plain_cargo_run_starts_paystream() {
    let workspace = workspace_manifest();
    let defaults = workspace["workspace"]["default-members"].as_array().unwrap();
    assert_eq!(defaults.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>(), ["paystream"]);
}

#[test]
fn what_must_be_simulated_neither_spawns_nor_sleeps_nor_asks_the_clock() {
    let mut read = 0;
    for file in simulated_files() {
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let found = words_of_a_runtime(code);
        assert!(found.is_empty(), "{} uses, by line, {found:?}", file.display());
        read += 1;
    }
    assert!(read > 60, "only {read} files were read");
    for place in
        ["command-api/src/handler.rs", "command-api/src/process_managers.rs", "followers/src/follower.rs", "projections/src/set.rs"]
    {
        assert!(simulated_files().any(|file| file == Path::new(place)), "{place} was not read");
    }
}

/// Where the simulation is not: HTTP, a real broker's adapter, and the loops that wait for events and messages. A page that follows
/// its order is HTTP too.
const NOT_SIMULATED: [&str; 6] = [
    "command-api/src/routes.rs",
    "command-api/src/routes/",
    "command-api/src/checkout.rs",
    "followers/src/run.rs",
    "followers/src/consumer/run.rs",
    "followers/src/jetstream_feed.rs",
];

/// The files of what must be simulated, below the root; their tests run on a runtime of their own.
fn simulated_files() -> impl Iterator<Item = PathBuf> {
    let folders = ["domain/src", "followers/src", "projections/src", "command-api/src"];
    let files = folders.into_iter().flat_map(|folder| rust_files(&root().join(folder)));
    let files = files.map(|file| file.strip_prefix(root()).unwrap().to_owned());
    files.filter(|file| {
        let shown = file.to_str().unwrap();
        let is_test =
            file.ends_with("tests.rs") || file.components().any(|part| ["tests", "testing"].map(OsStr::new).contains(&part.as_os_str()));
        !is_test && !NOT_SIMULATED.iter().any(|place| shown.starts_with(place))
    })
}

/// What spawns, selects, sleeps or asks a clock, with the number of its line. Comments may speak of it.
fn words_of_a_runtime(code: &str) -> Vec<(usize, &'static str)> {
    const WORDS: [&str; 13] = [
        // What it brings in does not stand on the line.
        "use tokio::{",
        "tokio::spawn",
        "tokio::time",
        "tokio::select",
        "tokio::task",
        "tokio::runtime",
        "thread::sleep",
        "thread::spawn",
        "spawn_blocking",
        "select!",
        "Instant::now",
        "SystemTime::now",
        "Utc::now",
    ];
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.flat_map(|(index, line)| WORDS.into_iter().filter(|word| line.contains(word)).map(move |word| (index + 1, word))).collect()
}

#[test]
fn the_words_of_a_runtime_are_found_and_comments_are_not() {
    let code = "// tokio::spawn is not for here\nlet now = Utc::now();\nselect! {}\nuse tokio::{sync::watch, time::sleep};\n";
    assert_eq!(words_of_a_runtime(code), [(2, "Utc::now"), (3, "select!"), (4, "use tokio::{")]);
    assert_eq!(words_of_a_runtime("    tokio::time::sleep(wait).await;"), [(1, "tokio::time")]);
}

/// Every Rust file below a folder.
pub(super) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
