//! The configuration: what is wrong is refused by its variable before anything starts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

use super::harness::{Config, Paystream, binary, run, workspace};

#[test]
fn a_configuration_with_a_mistake_is_refused_and_the_mistake_is_named() {
    run(async {
        for (variable, value) in [
            ("PAYSTREAM_LISTENN", "127.0.0.1:1"),
            ("PAYSTREAM_LISTEN", "somewhere"),
            ("PAYSTREAM_ORDER_LIFE_S", "-1"),
            ("PAYSTREAM_ORDER_LIFE_S", "soon"),
            ("PAYSTREAM_EVENT_STORE", "mongodb://127.0.0.1"),
            ("PAYSTREAM_VIEWS", "nowhere"),
            ("PAYSTREAM_PUBLIC_URL", "not an address"),
            ("PAYSTREAM_SANDBOX_NOTIFY_SCALE", "-2"),
            ("PAYSTREAM_SANDBOX_NOTIFY_HOSTS", "http://elsewhere"),
            ("PAYSTREAM_SNOWFLAKE_WORKER", "1024"),
            ("PAYSTREAM_PUBLIC_URL", "https://pay.example.com/?shop=1"),
            ("PAYSTREAM_LOG", "debugg"),
            ("PAYSTREAM_RATE_LIMIT_BUYER", "0/1"),
            ("PAYSTREAM_TRUSTED_PROXIES", "proxy"),
        ] {
            let mut server = Paystream::prepare("mistake", Config::default().with(variable, value), None);
            server.launch();
            let status = server.until_ended(Duration::from_secs(30)).await;
            let said = server.log_text();
            assert!(status.is_some_and(|status| !status.success()), "{variable}={value} was taken:\n{said}");
            assert!(said.contains(variable), "{variable} is not named:\n{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    });
}

#[test]
fn variables_of_tests_and_benchmarks_are_ignored() {
    run(async {
        let config =
            Config::default().with("PAYSTREAM_TEST_ANYTHING", "1").with("PAYSTREAM_VECTORS", "/nowhere").with("PAYSTREAM_BENCH_X", "1");
        let server = Paystream::start("ignored", config).await;
        server.api().get("/healthz").send().await.expect(200);
    });
}

/// The program with these variables in a folder of its own, run to its end; the start must be refused.
fn refused(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = run_in(folder, variables, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !said.contains("panicked"), "{variables:?} {arguments:?}: {said}");
    said
}

/// The program in a folder of its own. It ends soon: `migrate` takes the whole configuration and serves nothing.
fn run_in(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(binary::paystream());
    command.current_dir(folder).env_clear().env("HOME", folder).envs(variables.iter().copied());
    command.args(arguments).output().unwrap()
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_named_with_its_variable() {
    let folder = workspace::temporary("keys");
    let file = folder.path().join("not-a-key");
    std::fs::write(&file, "not a key").unwrap();
    for (variable, arguments) in [
        ("PAYSTREAM_TOKEN_KEY_FILE", &["token", "--sub", "alice", "--role", "buyer"][..]),
        ("PAYSTREAM_SEAL_KEYS_FILE", &["serve", "--roles", "command-api,query-api"]),
    ] {
        let (shown, listen) = (file.to_str().unwrap(), "127.0.0.1:0");
        let said = refused(folder.path(), &[(variable, shown), ("PAYSTREAM_LISTEN", listen)], arguments);
        assert!(said.contains(variable) && said.contains(shown), "{said}");
    }
}

#[test]
fn a_configuration_file_that_was_named_must_be_there_and_the_usual_one_may_be_absent() {
    let folder = workspace::temporary("config");
    assert!(run_in(folder.path(), &[], &["migrate"]).status.success());
    let said = refused(folder.path(), &[], &["--config", "nowhere.toml", "migrate"]);
    assert!(said.contains("nowhere.toml"), "{said}");
    std::fs::write(folder.path().join("own.toml"), "sandbox_notify_scale = 0.01\ndemo = false\n").unwrap();
    let output = run_in(folder.path(), &[], &["--config", "own.toml", "migrate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_decimal_is_refused_where_the_file_must_hold_a_whole_number() {
    let folder = workspace::temporary("decimals");
    for (line, variable, expected) in [
        ("order_life_s = 600.0", "PAYSTREAM_ORDER_LIFE_S", "whole seconds"),
        ("order_life_s = 600.5", "PAYSTREAM_ORDER_LIFE_S", "whole seconds"),
        ("snowflake_worker = 3.0", "PAYSTREAM_SNOWFLAKE_WORKER", "a number from 0 to 1023"),
        ("sandbox_notify_scale = nan", "PAYSTREAM_SANDBOX_NOTIFY_SCALE", "a decimal number from 0 to 1000"),
    ] {
        std::fs::write(folder.path().join("paystream.toml"), format!("{line}\n")).unwrap();
        let said = refused(folder.path(), &[], &["migrate"]);
        assert!(said.contains(variable) && said.contains(expected), "{line}: {said}");
    }
}

#[test]
fn a_role_that_is_none_is_refused_where_it_was_given() {
    let folder = workspace::temporary("roles");
    let said = refused(folder.path(), &[], &["serve", "--roles", "kitchen"]);
    assert!(said.contains("--roles") && said.contains("kitchen") && !said.contains("PAYSTREAM_ROLES"), "{said}");
    let said = refused(folder.path(), &[("PAYSTREAM_ROLES", "kitchen")], &["serve"]);
    assert!(said.contains("PAYSTREAM_ROLES") && said.contains("kitchen"), "{said}");
}

#[test]
fn what_is_not_text_in_the_environment_of_others_is_passed_over() {
    let folder = workspace::temporary("bytes");
    let broken = OsString::from_vec(vec![b'x', 0xff]);
    let mut command = Command::new(binary::paystream());
    command.current_dir(folder.path()).env_clear().env("SOMEBODY_ELSES", &broken).arg("migrate");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = command.env("PAYSTREAM_DATA", &broken).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("PAYSTREAM_DATA") && !said.contains("panicked"), "{said}");
}

/// Files with an application's key, and with what may be taken for a public key of Alipay's.
struct AlipayFiles {
    folder: tempfile::TempDir,
}

impl AlipayFiles {
    fn make() -> Self {
        let folder = workspace::temporary("alipay");
        let mut random = rsa::rand_core::OsRng;
        let [application, alipay] = [(); 2].map(|()| rsa::RsaPrivateKey::new(&mut random, 2048).unwrap());
        let short = rsa::RsaPrivateKey::new(&mut random, 1024).unwrap();
        let public = |key: &rsa::RsaPrivateKey| key.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
        // A public key of Ed25519 as its standard writes it: 12 bytes that say so, 32 of the key.
        let other = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]].concat();
        let other = base64::engine::general_purpose::STANDARD.encode(other);
        for (name, content) in [
            ("application", application.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()),
            ("alipay", public(&alipay)),
            ("own", public(&application)),
            ("private", alipay.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()),
            ("short", public(&short)),
            ("ed25519", other),
            ("nonsense", "nonsense".to_owned()),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        Self { folder }
    }

    /// Alipay, live, with this file as its public key.
    fn live(public: &str) -> Vec<(&str, &str)> {
        vec![
            ("PAYSTREAM_ALIPAY_APP_ID", "2021000000000000"),
            ("PAYSTREAM_ALIPAY_SELLER_ID", "2088000000000000"),
            ("PAYSTREAM_ALIPAY_APP_PRIVATE_KEY_FILE", "application"),
            ("PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES", public),
        ]
    }
}

#[test]
fn a_wrong_public_key_of_alipay_is_refused_with_its_file_and_the_reason() {
    let files = AlipayFiles::make();
    for (public, file, reason) in [
        ("own", "own", "the application's own"),
        ("alipay,private", "private", "it is a PRIVATE KEY, not a public key"),
        ("short", "short", "no RSA public key of at least 2048 bits"),
        ("ed25519", "ed25519", "no RSA public key of at least 2048 bits"),
        ("nonsense", "nonsense", "no RSA public key of at least 2048 bits"),
        ("absent", "absent", "cannot be read"),
    ] {
        let mut variables = AlipayFiles::live(public);
        variables.push(("PAYSTREAM_PUBLIC_URL", "https://pay.example.com"));
        let said = refused(files.folder.path(), &variables, &["migrate"]);
        assert!(said.contains("PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES: "), "{said}");
        assert!(said.contains(file) && said.contains(reason), "{public}: {said}");
    }
}

#[test]
fn a_live_channel_needs_an_address_for_its_notifications() {
    let files = AlipayFiles::make();
    let mut variables = AlipayFiles::live("alipay");
    let said = refused(files.folder.path(), &variables, &["migrate"]);
    assert!(said.contains("PAYSTREAM_PUBLIC_URL") && said.contains("notification"), "{said}");
    variables.push(("PAYSTREAM_PUBLIC_URL", "https://pay.example.com"));
    let output = run_in(files.folder.path(), &variables, &["migrate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
