//! SDKs of other languages, pointed at the sandbox as if it were the channels: they sign, verify and decrypt with code that
//! nobody here has written.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::harness::{Config, Paystream, run};

/// Where the SDKs of `sdks/requirements.txt` are.
fn installed() -> PathBuf {
    let by_hand = "pip install --target FOLDER --requirement tests/outside/sdks/requirements.txt";
    let named = std::env::var_os("PAYSTREAM_TEST_SDKS").map(PathBuf::from).filter(|folder| folder.join("wechatpayv3").is_dir());
    named.unwrap_or_else(|| panic!("PAYSTREAM_TEST_SDKS names no folder with the SDKs. ./test brings one; by hand: {by_hand}"))
}

/// Runs a script against a sandbox of its own, whose clock it may move.
fn take_a_payment(script: &'static str) -> Output {
    run(async {
        let sandbox = Paystream::start(script, Config::in_roles(&["serve", "--roles", "sandbox"])).await;
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/sdks").join(script)).arg(sandbox.api().base());
        command.env("PYTHONPATH", installed()).env("NO_PROXY", "127.0.0.1");
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    })
}

fn assert_done(output: &Output, sdk: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(&format!("{sdk}: done")), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_wechat_pay_sdk_takes_payments_with_the_public_key_and_with_certificates() {
    assert_done(&take_a_payment("wechat_pay.py"), "wechatpayv3");
}

#[test]
fn an_alipay_sdk_takes_payments_with_keys_and_with_certificates() {
    assert_done(&take_a_payment("alipay_payment.py"), "python-alipay-sdk");
}
