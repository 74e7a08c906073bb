//! What the documents say is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::harness::workspace::root;
use super::harness::{SharedPaystream, binary, run};
use super::packages::rust_files;

static SHARED: SharedPaystream = SharedPaystream::new("documents");

/// Variables of tests and benchmarks: Paystream ignores them, and `.env.example` does not name them.
fn belongs_to_tests(variable: &str) -> bool {
    variable.starts_with("PAYSTREAM_TEST_") || variable.starts_with("PAYSTREAM_BENCH_") || variable == "PAYSTREAM_VECTORS"
}

/// The words of a text that look like our variables.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_'));
    // A name that ends in an underscore is the beginning of names, as in `PAYSTREAM_*`.
    words.filter(|word| word.starts_with("PAYSTREAM_") && !word.ends_with('_') && !belongs_to_tests(word)).map(str::to_owned).collect()
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].iter().map(|name| root().join(name)).collect();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a document's shell examples, continued lines joined.
fn shell_lines(document: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    let mut pending = String::new();
    for line in document.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside && matches!(language.trim(), "sh" | "bash" | "shell" | "console");
            continue;
        }
        if !inside {
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        if let Some(start) = line.strip_suffix('\\') {
            pending.push_str(start);
        } else {
            lines.push(std::mem::take(&mut pending) + line);
        }
    }
    lines.retain(|line| !line.is_empty() && !line.starts_with('#'));
    lines
}

#[test]
fn every_variable_in_the_code_is_in_the_example_and_every_one_in_the_example_is_in_the_code() {
    let mut in_code = BTreeSet::new();
    for folder in [
        "chassis",
        "paystream",
        "command-api",
        "query-api",
        "projections",
        "gateway",
        "sandbox",
        "storefront",
        "event-store",
        "followers",
        "web",
        "database",
    ] {
        for file in rust_files(&root().join(folder).join("src")) {
            in_code.extend(variables(&read(&file)));
        }
    }
    let example = variables(&read(&root().join(".env.example")));
    assert_eq!(in_code, example, "variables in the code and in .env.example");
    assert!(example.len() >= 8, "{example:?}");
}

#[test]
fn the_variables_that_documents_name_exist() {
    let example = variables(&read(&root().join(".env.example")));
    for document in documents() {
        let unknown: Vec<_> = variables(&read(&document)).difference(&example).cloned().collect();
        assert!(unknown.is_empty(), "{} names {unknown:?}", document.display());
    }
}

/// F17: nothing that protects anything has a value that everybody can read.
#[test]
fn the_example_of_the_configuration_holds_no_secret() {
    for line in read(&root().join(".env.example")).lines() {
        let Some((name, value)) = line.trim_start_matches(['#', ' ']).split_once('=') else { continue };
        let secret = ["SECRET", "PASSWORD", "PRIVATE", "TOKEN", "KEY"].iter().any(|word| name.contains(word));
        assert!(!secret || name.ends_with("_FILE") || value.trim().is_empty(), "{name} has a value in .env.example");
    }
}

#[test]
fn the_documents_that_every_project_has_are_here() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".env.example"] {
        assert!(root().join(name).is_file(), "{name}");
    }
    assert!(read(&root().join("LICENSE")).contains("Apache License"));
    assert!(std::fs::read_dir(root().join("docs/decisions")).unwrap().count() > 0, "docs/decisions is empty");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in documents() {
        let text = read(&document);
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split([')', ' ']).next().unwrap();
            let file = target.split('#').next().unwrap();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            assert!(document.parent().unwrap().join(file).exists(), "{} links to {target}", document.display());
        }
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = read(&root().join("README.md"));
    let lines = shell_lines(&readme);
    assert!(lines.iter().any(|line| line.starts_with("cargo run")), "the README starts Paystream");
    assert!(lines.iter().any(|line| line.starts_with("./test")), "the README runs the tests");
    let help = std::process::Command::new(binary::paystream()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for line in &lines {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[0] {
            local if local.starts_with("./") => assert!(root().join(local).is_file(), "{line}"),
            "cargo" => {
                let known = ["run", "build", "test", "install", "clippy", "fmt", "doc"];
                assert!(known.contains(&words[1]), "{line}");
                let package = words.iter().position(|word| *word == "-p").map(|at| words[at + 1]);
                assert!(package.is_none_or(|name| root().join(name).is_dir()), "{line}");
                if let Some(at) = words.iter().position(|word| *word == "--") {
                    assert_subcommand(&help, words.get(at + 1), line);
                }
            }
            "paystream" => assert_subcommand(&help, words.get(1), line),
            _ => {}
        }
    }
}

fn assert_subcommand(help: &str, word: Option<&&str>, line: &str) {
    let Some(word) = word.filter(|word| !word.starts_with('-')) else { return };
    let listed = help.lines().any(|help_line| help_line.split_whitespace().next() == Some(word));
    assert!(listed, "no such subcommand: {line}");
}

#[test]
fn the_routes_that_the_readme_calls_are_described_by_the_server() {
    run(async {
        let server = SHARED.get().await;
        let description = server.api().get("/openapi.json").send().await.expect(200).json();
        let described: Vec<Vec<String>> =
            description["paths"].as_object().unwrap().keys().map(|path| path.split('/').map(str::to_owned).collect()).collect();
        let mut called = 0;
        for line in shell_lines(&read(&root().join("README.md"))) {
            for (at, _) in line.match_indices("/api/v1/") {
                let path = line[at..].split(['"', '\'', ' ', '?', ')', '`']).next().unwrap();
                let segments: Vec<_> = path.trim_end_matches('/').split('/').collect();
                let known = described.iter().any(|route| {
                    route.len() == segments.len()
                        && route.iter().zip(&segments).all(|(own, segment)| own == segment || (own.starts_with('{') && !segment.is_empty()))
                });
                assert!(known, "the README calls {path}");
                called += 1;
            }
        }
        assert!(called >= 3, "the README follows a payment with curl, but calls only {called} routes");
    });
}

#[test]
fn every_event_of_a_payment_has_a_published_schema() {
    run(async {
        let server = SHARED.alone().await;
        super::harness::journey::paid_order(&server.buyer(&super::harness::random::unique("schema"))).await;
        let mut schemas = BTreeMap::new();
        for file in json_files(&root().join("docs")) {
            schemas.insert(file.file_name().unwrap().to_str().unwrap().to_owned(), read(&file));
        }
        for event_type in ["OrderCreated", "PayRecordIssued", "PaymentConfirmed", "OrderPaid"] {
            let schema = schemas.iter().find(|(name, _)| name.contains(event_type));
            let (name, text) = schema.unwrap_or_else(|| panic!("no schema of {event_type} in {:?}", schemas.keys()));
            let schema: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(schema["properties"].is_object() && schema["$schema"].is_string(), "{name}");
        }
    });
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn a_shell_example_is_read_line_by_line() {
    let document = "text\n```sh\n# why\n$ cargo run \\\n  --release\n./test\n```\n```rust\nlet x = 1;\n```\n```sh\nls\n```\n";
    assert_eq!(shell_lines(document), ["cargo run --release", "./test", "ls"]);
    assert_eq!(variables("PAYSTREAM_DATA, `PAYSTREAM_*`, PAYSTREAM_TEST_X").into_iter().collect::<Vec<_>>(), ["PAYSTREAM_DATA"]);
}
