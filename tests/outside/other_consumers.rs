//! The consumers of docs/consumers, each in its language, against the real stream: they join late, read all history in
//! order, survive a restart and a broker that is filled again, give nothing twice, and see a hole.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::harness::journey::paid_order;
use super::harness::nats::{NatsServer, Stored};
use super::harness::random::unique;
use super::harness::{Config, Paystream, binary, eventually, run, workspace};

/// The subject that the consumers ask for, without its part.
const SUBJECT: &str = "paystream.v1.pay_record.PaymentConfirmed.course.";

/// A consumer and where it keeps what it knows.
struct Consumer {
    /// The program and what stands before its arguments.
    command: Vec<PathBuf>,
    environment: Option<(&'static str, PathBuf)>,
    folder: tempfile::TempDir,
}

impl Consumer {
    fn rust() -> Self {
        Self { command: vec![binary::rust_consumer()], environment: None, folder: workspace::temporary("consumer-rust") }
    }

    fn python() -> Self {
        let packages = brought("PAYSTREAM_TEST_NATS_PY", "nats", "pip install --target FOLDER nats-py==2.16.0");
        let command = vec!["python3".into(), source("consumer.py")];
        Self { command, environment: Some(("PYTHONPATH", packages)), folder: workspace::temporary("consumer-python") }
    }

    fn javascript() -> Self {
        let modules =
            brought("PAYSTREAM_TEST_NATS_JS", "node_modules", "npm ci, with package.json and package-lock.json of docs/consumers");
        let folder = workspace::temporary("consumer-javascript");
        // Node looks for packages beside the program.
        std::fs::copy(source("consumer.mjs"), folder.path().join("consumer.mjs")).unwrap();
        std::os::unix::fs::symlink(modules.join("node_modules"), folder.path().join("node_modules")).unwrap();
        Self { command: vec!["node".into(), folder.path().join("consumer.mjs")], environment: None, folder }
    }

    /// Runs until nothing came for a while.
    fn try_run(&self, nats: &NatsServer) -> Output {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg(nats.url()).arg(self.folder.path().join("seats")).args(["--idle", "3"]);
        if let Some((name, value)) = &self.environment {
            command.env(name, value);
        }
        let started = command.output();
        started.unwrap_or_else(|error| panic!("{} is wanted to run this consumer: {error}", self.command[0].display()))
    }

    fn run(&self, nats: &NatsServer) -> Report {
        let output = self.try_run(nats);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let orders = report["seats"].as_array().unwrap().iter().map(|seat| seat["order_id"].as_str().unwrap().to_owned());
        Report { handled: report["handled"].as_u64().unwrap(), orders: orders.collect() }
    }
}

/// What a consumer tells at its end.
struct Report {
    handled: u64,
    orders: Vec<String>,
}

fn source(name: &str) -> PathBuf {
    workspace::root().join("docs/consumers").join(name)
}

/// A folder that `./test` brings.
fn brought(variable: &str, holds: &str, by_hand: &str) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|folder| Path::new(folder).join(holds).is_dir());
    named.unwrap_or_else(|| panic!("{variable} names no folder that holds {holds}. ./test brings one; by hand: {by_hand}"))
}

async fn pay(server: &Paystream, count: usize) {
    for _ in 0..count {
        paid_order(&server.buyer(&unique("buyer"))).await;
    }
}

/// The messages that a consumer asks for, once there are `count`.
async fn wanted(nats: &NatsServer, count: usize) -> Vec<Stored> {
    eventually("the payments are in the stream", async || {
        let messages = nats.messages().await;
        let wanted: Vec<_> = messages.into_iter().filter(|message| message.subject.starts_with(SUBJECT)).collect();
        if wanted.len() >= count { Ok(wanted) } else { Err(format!("{} of {count}", wanted.len())) }
    })
    .await
}

fn orders_of(messages: &[Stored]) -> Vec<String> {
    messages.iter().map(|message| message.json()["order_id"].as_str().unwrap().to_owned()).collect()
}

/// Fills the stream of a new server with these messages.
async fn filled(config: &async_nats::jetstream::stream::Config, messages: &[Stored]) -> NatsServer {
    let nats = NatsServer::start().await;
    let jetstream = nats.jetstream().await;
    jetstream.create_stream(config.clone()).await.unwrap();
    for message in messages {
        let mut headers = async_nats::HeaderMap::new();
        for (name, values) in message.headers.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-")) {
            headers.insert(name.clone(), values[0].clone());
        }
        jetstream.publish_with_headers(message.subject.clone(), headers, message.body.clone().into()).await.unwrap().await.unwrap();
    }
    nats
}

async fn follows_the_stream(name: &str, consumer: impl Fn() -> Consumer) {
    let nats = NatsServer::start().await;
    let server = Paystream::start(&format!("consumer-{name}"), Config::default().with("PAYSTREAM_NATS", &nats.url())).await;
    pay(&server, 3).await;

    // It joins late and reads all there was, in order.
    let first = wanted(&nats, 3).await;
    let consuming = consumer();
    let report = consuming.run(&nats);
    assert_eq!((report.handled, &report.orders), (3, &orders_of(&first)));

    // It goes on where it was; what it knows is not read again.
    pay(&server, 2).await;
    let all = wanted(&nats, 5).await;
    let report = consuming.run(&nats);
    assert_eq!((report.handled, &report.orders), (2, &orders_of(&all)));
    assert_eq!(consuming.run(&nats).handled, 0);

    // The broker is lost and filled again: nothing is given twice.
    let refilled = filled(&nats.stream_config().await, &nats.messages().await).await;
    let report = consuming.run(&refilled);
    assert_eq!((report.handled, report.orders), (0, orders_of(&all)));

    // The last payment but one never came: a new consumer and one that knows the first three both see it.
    let last_of_a_subject = all.iter().rfind(|message| message.header("Paystream-Previous").is_some());
    let Some(last) = last_of_a_subject else { return hole_without_a_chain(&nats, &all, consumer()).await };
    let before = last.header("Paystream-Previous").unwrap().to_owned();
    let messages = nats.messages().await;
    let with_hole: Vec<_> = messages
        .into_iter()
        .filter(|message| message.subject != last.subject || message.header("Paystream-Position") != Some(before.as_str()))
        .collect();
    let damaged = filled(&nats.stream_config().await, &with_hole).await;
    assert_sees_a_hole(&consumer().try_run(&damaged));
}

/// No two payments had one subject, by chance of their numbers: the hole is made before the only message of one.
async fn hole_without_a_chain(nats: &NatsServer, all: &[Stored], consumer: Consumer) {
    let mut message = all[0].clone();
    message.headers.insert("Paystream-Previous", "1");
    let damaged = filled(&nats.stream_config().await, &[message]).await;
    assert_sees_a_hole(&consumer.try_run(&damaged));
}

fn assert_sees_a_hole(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("hole: "), "{:?}: {said}", output.status);
}

#[test]
fn the_consumer_in_rust_follows_the_stream() {
    run(follows_the_stream("rust", Consumer::rust));
}

#[test]
fn the_consumer_in_python_follows_the_stream() {
    run(follows_the_stream("python", Consumer::python));
}

#[test]
fn the_consumer_in_javascript_follows_the_stream() {
    run(follows_the_stream("javascript", Consumer::javascript));
}
