//! The program under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use super::workspace;

static BINARY: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::var_os("PAYSTREAM_TEST_BINARY").map_or_else(build, |path| std::fs::canonicalize(path).unwrap()));

/// The program's path. The first call builds it, unless `PAYSTREAM_TEST_BINARY` names one.
pub(crate) fn paystream() -> &'static Path {
    &BINARY
}

/// The consumer in Rust of docs/consumers.md.
pub(crate) fn rust_consumer() -> PathBuf {
    std::env::var_os("PAYSTREAM_TEST_RUST_CONSUMER").map_or_else(|| built("example", "consumer"), PathBuf::from)
}

fn build() -> PathBuf {
    built("bin", "paystream")
}

/// Cargo gives a program's path only to tests of its own package, so it is asked for here. The selection (whole workspace,
/// one test target) makes cargo choose the same features as `cargo test --workspace`, so nothing is compiled twice.
fn built(kind: &str, name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .current_dir(workspace::root())
        .args(["build", "--workspace", &format!("--{kind}"), name, "--test", "outside", "--message-format=json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the program does not build");
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = messages
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["kind"][0] == kind)
        .find(|message| message["target"]["name"] == name)
        .and_then(|message| message["executable"].as_str().map(PathBuf::from));
    executable.expect("cargo names the program that it built")
}
