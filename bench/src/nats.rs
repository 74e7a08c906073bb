//! A nats-server for a benchmark.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use followers::nats::{Connection, Nats, NatsUrl};
use rustix::process::Signal;

use crate::process::{Running, free_port, tied_to};
use crate::trouble::{Doing, Trouble};

/// How long the server may take to start or to stop.
const SERVER_LIMIT: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_millis(10);

/// A running server and a connection to it.
pub(crate) struct NatsServer {
    process: Running,
    url: String,
    pub(crate) nats: Nats,
}

impl NatsServer {
    /// Starts one that stores in `folder`. `sync_always`: it flushes each message before it acknowledges it; else every two
    /// minutes, the server's own default.
    pub(crate) async fn start(folder: &Path, sync_always: bool) -> Result<Self, Trouble> {
        let folder = folder.join(if sync_always { "nats-always" } else { "nats-default" });
        std::fs::create_dir_all(&folder).doing("make a folder for NATS")?;
        let port = free_port()?;
        let sync = if sync_always { ", sync_interval: always" } else { "" };
        let store = folder.join("store");
        let text = format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{}\"{sync} }}\n", store.display());
        let config = folder.join("nats.conf");
        std::fs::write(&config, text).doing("write the configuration of NATS")?;
        let mut command = tied_to(program()?);
        command.arg("-c").arg(&config);
        let mut process = Running::start(command, &folder.join("log"))?;
        let address = format!("nats://127.0.0.1:{port}");
        let url = NatsUrl::parse(&address).doing("read the address of NATS")?;
        let nats = Nats::connect(&url, "bench").await.doing("connect to NATS")?;
        let asked = Instant::now();
        while nats.connection() != Connection::Ready {
            if process.ended()?.is_some() || asked.elapsed() > SERVER_LIMIT {
                return Err(Trouble::new("nats-server does not start, or is too old"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Self { process, url: address, nats })
    }

    /// Where it is reached.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the server says that it is.
    pub(crate) fn version(&self) -> String {
        self.nats.server_version().map_or_else(String::new, |version| version.to_string())
    }

    /// Stops it.
    pub(crate) async fn stop(self) -> Result<(), Trouble> {
        // It ends with its signal's own status.
        drop(self.process.stop(Signal::TERM, SERVER_LIMIT).await);
        Ok(())
    }
}

/// The program that `PAYSTREAM_TEST_NATS_SERVER_BIN` names, else the system's.
fn program() -> Result<PathBuf, Trouble> {
    let program = std::env::var_os("PAYSTREAM_TEST_NATS_SERVER_BIN").map_or_else(|| PathBuf::from("nats-server"), PathBuf::from);
    let runs = Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success());
    if runs {
        Ok(program)
    } else {
        Err(Trouble::new(
            "nats-server 2.15 or newer is wanted: install it, or name it in PAYSTREAM_TEST_NATS_SERVER_BIN; ./test brings one into .tools/",
        ))
    }
}
