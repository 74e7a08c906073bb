//! `paystream doctor` names each thing that is wrong by its variable, changes nothing, and is silent where nothing is.

mod wechat;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::nats::NatsServer;
use super::harness::postgres::{Database, PostgresServer};
use super::harness::process::free_port;
use super::harness::{Config, Paystream, SharedPaystream, binary, run, workspace};

static SHARED: SharedPaystream = SharedPaystream::new("doctor");

/// A folder with a configuration of its own, in which nothing was started yet.
struct Patient {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Patient {
    fn new() -> Self {
        Self { folder: workspace::temporary("doctor"), variables: Vec::new() }
    }

    fn with(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// All stores at one address.
    fn on(self, url: &str) -> Self {
        let keyed =
            ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"].iter().fold(self, |patient, name| patient.with(name, url));
        keyed.run(&["token", "--sub", "alice", "--role", "buyer"]);
        keyed
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary::paystream());
        command.current_dir(self.folder.path()).env_clear().envs(self.variables.iter().cloned()).args(arguments).output().unwrap()
    }

    /// What the doctor says, and whether all is well.
    fn seen(&self) -> (bool, String) {
        let output = self.run(&["doctor"]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.contains("panicked"), "{said}");
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(1), "{said}");
        }
        (output.status.success(), said)
    }

    /// Fails the test unless one line says that this variable is wrong, in these words.
    #[track_caller]
    fn assert_wrong(&self, variable: &str, words: &[&str]) {
        let (is_well, said) = self.seen();
        assert!(!is_well, "nothing is wrong: {said}");
        let is_meant = |line: &&str| line.starts_with("wrong") && line.contains(variable) && words.iter().all(|word| line.contains(word));
        assert!(said.lines().any(|line| is_meant(&line)), "no line says so of {variable} {words:?}:\n{said}");
    }

    #[track_caller]
    fn assert_well(&self) {
        let (is_well, said) = self.seen();
        assert!(is_well && said.contains("Nothing is wrong."), "{said}");
    }

    /// Fails the test unless nothing is said of this variable.
    #[track_caller]
    fn assert_silent(&self, variable: &str) {
        let (_, said) = self.seen();
        assert!(!said.lines().any(|line| line.starts_with("wrong") && line.contains(variable)), "{said}");
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn before_and_after_a_first_start_nothing_is_wrong_and_nothing_is_made() {
    run(async {
        let patient = Patient::new();
        patient.assert_well();
        assert_eq!(std::fs::read_dir(patient.folder.path()).unwrap().count(), 0, "the doctor makes nothing");
        assert!(patient.run(&["migrate"]).status.success());
        assert!(!patient.seen().1.contains("others"), "what is made is its owner's alone: {}", patient.seen().1);
        let mut server = Paystream::start("doctor-well", Config::default()).await;
        for running in [true, false] {
            let output = server.run_subcommand(&["doctor"]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && said.contains("Nothing is wrong."), "{said}");
            if running {
                server.terminate().await;
            }
        }
    });
}

#[test]
fn what_the_configuration_itself_has_wrong_is_named() {
    Patient::new().with("PAYSTREAM_ORDER_LIFE_S", "soon").assert_wrong("PAYSTREAM_ORDER_LIFE_S", &["seconds"]);
    Patient::new().with("PAYSTREAM_LISTENN", "x").assert_wrong("PAYSTREAM_LISTENN", &[]);
}

#[test]
fn a_data_folder_that_cannot_be_written_or_that_others_may_write_is_named() {
    let patient = Patient::new();
    let data = patient.folder.path().join("data");
    std::fs::write(&data, "a file").unwrap();
    patient.assert_wrong("PAYSTREAM_DATA", &["no folder"]);
    std::fs::remove_file(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    chmod(&data, 0o777);
    patient.assert_wrong("PAYSTREAM_DATA", &["others may write"]);
    chmod(&data, 0o700);
    patient.assert_well();
}

#[test]
fn keys_that_are_missing_open_to_others_or_no_keys_are_named() {
    for (variable, file) in [("PAYSTREAM_TOKEN_KEY_FILE", "token.pem"), ("PAYSTREAM_SEAL_KEYS_FILE", "seal.keys")] {
        let patient = Patient::new().with(variable, file);
        let path = patient.folder.path().join(file);
        patient.assert_wrong(variable, &["is not there"]);
        std::fs::write(&path, "not a key").unwrap();
        chmod(&path, 0o600);
        patient.assert_wrong(variable, &[file]);
        std::fs::remove_file(&path).unwrap();
        // What a server makes is in order, until others may read it.
        if file == "token.pem" {
            assert!(patient.run(&["token", "--sub", "alice", "--role", "buyer"]).status.success());
        } else {
            std::fs::write(&path, format!("1 {}\n", STANDARD.encode([7; 32]))).unwrap();
            chmod(&path, 0o600);
        }
        patient.assert_well();
        chmod(&path, 0o644);
        patient.assert_wrong(variable, &["others may read", "chmod 600"]);
    }
}

#[test]
fn a_database_that_is_not_reached_or_refuses_the_password_is_named() {
    run(async {
        let nowhere = format!("postgres://paystream:secret-word@127.0.0.1:{}/paystream", free_port());
        for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
            let patient = Patient::new().with(variable, &nowhere);
            patient.assert_wrong(variable, &["not available"]);
            assert!(!patient.seen().1.contains("secret-word"));
        }
        let mut server = PostgresServer::start().await;
        let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::raw_sql("create role guarded login superuser password 'right'").execute(&mut admin).await.unwrap();
        server.ask_for_password("guarded").await;
        let url = |password: &str| server.url("postgres").replace("postgres@", &format!("guarded:{password}@"));
        Patient::new().with("PAYSTREAM_VIEWS", &url("wrong-word")).assert_wrong("PAYSTREAM_VIEWS", &["password authentication failed"]);
        Patient::new()
            .with("PAYSTREAM_VIEWS", &url("right").replace("/postgres", "/absent"))
            .assert_wrong("PAYSTREAM_VIEWS", &["does not exist"]);
        let patient = Patient::new().with("PAYSTREAM_VIEWS", &url("right"));
        assert!(patient.run(&["migrate"]).status.success());
        patient.assert_silent("PAYSTREAM_VIEWS");
        server.stop().await;
        patient.assert_wrong("PAYSTREAM_VIEWS", &["not available"]);
    });
}

#[test]
fn tables_that_are_older_newer_or_altered_are_named_and_the_start_says_so_too() {
    run(async {
        let database = Database::new().await;
        let patient = Patient::new().on(&database.url);
        for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
            patient.assert_wrong(variable, &["paystream migrate"]);
        }
        assert!(patient.run(&["migrate"]).status.success());
        for (area, variable) in [("log", "PAYSTREAM_EVENT_STORE"), ("views", "PAYSTREAM_VIEWS"), ("state", "PAYSTREAM_STATE")] {
            patient.assert_silent("schema");
            let table = format!("paystream_{area}.schema_migration");
            on(&database.url, &format!("insert into {table} (version, name, checksum) values (9999, 'from the future', '')")).await;
            patient.assert_wrong(variable, &["schema 9999", "newer"]);
            let mut server = Paystream::prepare("doctor-newer", store(&database.url), None);
            server.launch();
            server.until_ready().await;
            assert!(server.log_text().contains(variable) && server.log_text().contains("9999"), "{}", server.log_text());
            drop(server);
            on(&database.url, &format!("update {table} set oldest_program = 9999 where version = 9999")).await;
            patient.assert_wrong(variable, &["schema 9999"]);
            let mut server = Paystream::prepare("doctor-refused", store(&database.url), None);
            server.launch();
            assert!(!server.ended().await.success());
            assert!(server.log_text().contains(variable) && server.log_text().contains("9999"), "{}", server.log_text());
            on(&database.url, &format!("delete from {table} where version = 9999")).await;
            on(&database.url, &format!("update {table} set checksum = 'x' where version = 1")).await;
            patient.assert_wrong(variable, &["migration 1"]);
            // Made anew, it is in order again.
            on(&database.url, &format!("drop schema paystream_{area} cascade")).await;
            assert!(patient.run(&["migrate"]).status.success());
        }
    });
}

fn store(url: &str) -> Config {
    ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"].iter().fold(Config::default(), |config, name| config.with(name, url))
}

async fn on(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn a_role_that_may_change_the_log_is_named() {
    run(async {
        let database = Database::new().await;
        let patient = Patient::new().on(&database.url);
        assert!(patient.run(&["migrate"]).status.success());
        patient.assert_wrong("PAYSTREAM_EVENT_STORE", &["may change and delete events", "postgres"]);
        // tests/outside/postgres_roles.rs has the roles with which nothing is wrong.
    });
}

#[test]
fn a_standby_that_is_not_waited_for_is_named_here_and_at_the_start() {
    run(async {
        let mut server = PostgresServer::start().await;
        let url = server.url("postgres");
        let patient = Patient::new().on(&url);
        assert!(patient.run(&["migrate"]).status.success());
        assert!(!patient.seen().1.contains("standby"));
        let standby = server.standby().await;
        for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_STATE"] {
            patient.assert_wrong(variable, &["standby", "synchronous_standby_names"]);
        }
        let mut paystream = Paystream::prepare("doctor-standby", store(&url), None);
        paystream.launch();
        paystream.until_ready().await;
        let said = paystream.log_text();
        assert!(said.contains("PAYSTREAM_EVENT_STORE: its standby is not synchronous"), "{said}");
        drop(paystream);
        on(&url, "alter system set synchronous_standby_names = '*'").await;
        on(&url, "select pg_reload_conf()").await;
        super::harness::eventually("it is waited for", async || {
            let said = patient.seen().1;
            if said.contains("standby") { Err(said) } else { Ok(()) }
        })
        .await;
        // Whoever is sent to the standby itself is told.
        Patient::new().with("PAYSTREAM_STATE", &standby.url("postgres")).assert_wrong("PAYSTREAM_STATE", &["read-only"]);
        drop(standby);
    });
}

#[test]
fn a_broker_that_does_not_answer_is_too_old_or_keeps_nothing_is_named() {
    run(async {
        let mut server = NatsServer::start().await;
        let patient = Patient::new().with("PAYSTREAM_NATS", &server.url());
        patient.assert_well();
        assert!(patient.seen().1.contains("sync_interval: always"));
        server.stop().await;
        patient.assert_wrong("PAYSTREAM_NATS", &["does not answer"]);
        for (version, words) in [("2.14.9", "2.15"), ("2.15.1", "JetStream")] {
            let url = somebody_like_nats(version).await;
            let patient = Patient::new().with("PAYSTREAM_NATS", &url);
            let seen = tokio::task::spawn_blocking(move || patient.seen()).await.unwrap();
            let is_named = seen.1.lines().any(|line| line.starts_with("wrong  PAYSTREAM_NATS") && line.contains(words));
            assert!(!seen.0 && is_named, "{version}: {}", seen.1);
        }
    });
}

/// Somebody who greets as a nats-server of this version without JetStream, and then answers pings alone.
async fn somebody_like_nats(version: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let greeting =
        format!("INFO {{\"server_id\":\"x\",\"version\":\"{version}\",\"headers\":true,\"max_payload\":1048576,\"proto\":1}}\r\n");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let greeting = greeting.clone();
            tokio::spawn(async move {
                drop(stream.write_all(greeting.as_bytes()).await);
                let mut said = vec![0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut said).await {
                    if said[..length].windows(4).any(|word| word == b"PING") {
                        drop(stream.write_all(b"PONG\r\n").await);
                    }
                }
            });
        }
    });
    url
}

#[test]
fn a_sandbox_that_does_not_answer_is_named() {
    let url = format!("http://127.0.0.1:{}", free_port());
    Patient::new().with("PAYSTREAM_SANDBOX_URL", &url).assert_wrong("PAYSTREAM_SANDBOX_URL", &["does not answer"]);
}

/// Alipay, live, as the sandbox is one: with its merchant's keys in files.
async fn live() -> Patient {
    let server = SHARED.get().await;
    let credentials = server.api().get("/sandbox/credentials").send().await.expect(200).json()["alipay"].clone();
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let patient = Patient::new();
    for (file, content) in [("app.pem", text("app_private_key")), ("alipay.pem", text("alipay_public_key"))] {
        std::fs::write(patient.folder.path().join(file), content).unwrap();
        chmod(&patient.folder.path().join(file), 0o600);
    }
    patient
        .with("PAYSTREAM_ALIPAY_APP_ID", &text("app_id"))
        .with("PAYSTREAM_ALIPAY_SELLER_ID", &text("seller_id"))
        .with("PAYSTREAM_ALIPAY_APP_PRIVATE_KEY_FILE", "app.pem")
        .with("PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES", "alipay.pem")
        .with("PAYSTREAM_ALIPAY_GATEWAY_URL", &text("gateway_url"))
        .with("PAYSTREAM_PUBLIC_URL", "https://pay.example.com")
}

#[test]
fn keys_of_alipay_that_do_not_match_are_named() {
    run(async {
        let mut random = rsa::rand_core::OsRng;
        let other = rsa::RsaPrivateKey::new(&mut random, 2048).unwrap();
        live().await.assert_well();
        let patient = live().await;
        let pem = other.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
        std::fs::write(patient.folder.path().join("app.pem"), pem).unwrap();
        patient.assert_wrong("PAYSTREAM_ALIPAY_APP_PRIVATE_KEY_FILE", &["isv.invalid-signature"]);
        let patient = live().await;
        let pem = other.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
        std::fs::write(patient.folder.path().join("alipay.pem"), pem).unwrap();
        patient.assert_wrong("PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES", &["not signed"]);
        let patient = live().await;
        chmod(&patient.folder.path().join("app.pem"), 0o644);
        patient.assert_wrong("PAYSTREAM_ALIPAY_APP_PRIVATE_KEY_FILE", &["others may read"]);
        let patient = live().await.with("PAYSTREAM_ALIPAY_GATEWAY_URL", &format!("http://127.0.0.1:{}/gateway.do", free_port()));
        patient.assert_wrong("PAYSTREAM_ALIPAY_GATEWAY_URL", &["does not answer"]);
    });
}

#[test]
fn a_clock_that_is_not_the_channels_is_named() {
    run(async {
        // Somebody who answers nonsense, at a time long past.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/gateway.do", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16 * 1024];
                drop(stream.read(&mut request).await);
                let answer = "HTTP/1.1 200 OK\r\ndate: Wed, 01 Jan 2020 00:00:00 GMT\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        let patient = live().await.with("PAYSTREAM_ALIPAY_GATEWAY_URL", &url);
        let seen = tokio::task::spawn_blocking(move || patient.seen()).await.unwrap();
        assert!(!seen.0 && seen.1.contains("this machine's clock is -"), "{}", seen.1);
    });
}
