//! The program under test, started by the benchmark and reached over HTTP at 127.0.0.1.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::clock::SystemClock;
use chassis::identity::{SigningKey, TokenIssuer};
use reqwest::{RequestBuilder, Response};
use rustix::process::Signal;

use crate::process::{Running, free_port, tied_to};
use crate::trouble::{Doing, Trouble};

/// Longer than any start may take; the start itself is measured elsewhere.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What a stop may take, the contract's limit, and a little for a loaded machine.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often readiness is asked for.
const LOOK: Duration = Duration::from_millis(2);

/// Longer than any answer may take.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// The variable that names the program.
const PROGRAM_VARIABLE: &str = "PAYSTREAM_BENCH_BINARY";

/// The program: the one that is named, else the one that was built beside this one.
pub(crate) fn program() -> Result<PathBuf, Trouble> {
    if let Some(named) = std::env::var_os(PROGRAM_VARIABLE) {
        return std::fs::canonicalize(&named).doing(format!("find the program that {PROGRAM_VARIABLE} names"));
    }
    let own = std::env::current_exe().doing("find this program's own file")?;
    let beside = own.with_file_name("paystream");
    if beside.is_file() {
        return Ok(beside);
    }
    let advice = "build it too (cargo build --release -p paystream -p bench)";
    Err(Trouble::new(format!("{} is not there: {advice}, or name another in {PROGRAM_VARIABLE}", beside.display())))
}

/// A client that reuses its connections and asks no proxy.
pub(crate) fn client() -> Result<reqwest::Client, Trouble> {
    let client = reqwest::Client::builder().timeout(ANSWER_LIMIT).redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.build().doing("make an HTTP client")
}

/// How a server is started.
pub(crate) struct Plan {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its folder: working directory, data and log. Made where it is missing.
    pub(crate) folder: PathBuf,
    /// Where it listens.
    pub(crate) port: u16,
    /// What follows the program's name.
    pub(crate) arguments: Vec<&'static str>,
    /// Variables beside address and data.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Plan {
    /// A whole one with its defaults in `folder`, on a free port.
    pub(crate) fn new(program: &Path, folder: PathBuf) -> Result<Self, Trouble> {
        Ok(Self { program: program.to_owned(), folder, port: free_port()?, arguments: Vec::new(), environment: Vec::new() })
    }

    /// Where it is reached, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes tokens that it takes. Call it once it has started: it is given the keys that it has made.
    pub(crate) fn issuer(&self) -> Result<TokenIssuer, Trouble> {
        issuer(&self.data().join("keys/token.pem"))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Starts it, waits until it may take traffic, and says how long that took from the start of the process. Call it on the
    /// main thread.
    pub(crate) async fn start(&self) -> Result<(Running, Duration), Trouble> {
        std::fs::create_dir_all(&self.folder).doing("make a folder for the server")?;
        let mut command = tied_to(&self.program);
        command.args(&self.arguments).env_clear().current_dir(&self.folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PAYSTREAM_LISTEN", format!("127.0.0.1:{}", self.port)).env("PAYSTREAM_DATA", self.data());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let (client, address) = (client()?, format!("{}/readyz", self.url()));
        let started = Instant::now();
        let mut running = Running::start(command, &self.log())?;
        loop {
            if let Ok(answer) = client.get(&address).send().await
                && answer.status().as_u16() == 200
            {
                return Ok((running, started.elapsed()));
            }
            if running.ended()?.is_some() || started.elapsed() > START_LIMIT {
                return Err(Trouble::new(format!("the server did not become ready; it says:\n{}", self.last_words())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Makes tokens with the key in `file`. One made by the program for each caller would cost a process each.
pub(crate) fn issuer(file: &Path) -> Result<TokenIssuer, Trouble> {
    let mut keys = SigningKey::load_or_create(file).doing("read the key of the tokens")?;
    Ok(TokenIssuer::new(keys.swap_remove(0), "paystream", "paystream", Arc::new(SystemClock::default())))
}

/// Where log, views and state of one server lie, all at `url`.
pub(crate) fn stores_at(url: &str) -> [(&'static str, String); 3] {
    ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"].map(|variable| (variable, url.to_owned()))
}

/// Sends a request. Errors: another status than `status`, with what the answer says.
pub(crate) async fn ok(request: RequestBuilder, status: u16) -> Result<Response, Trouble> {
    let response = request.send().await.doing("ask the server")?;
    if response.status().as_u16() == status {
        return Ok(response);
    }
    let (found, address) = (response.status(), response.url().path().to_owned());
    let text = response.text().await.unwrap_or_default();
    Err(Trouble::new(format!("{address} answered {found}: {text}")))
}

/// The position that a command has answered.
pub(crate) fn position(response: &Response) -> Result<String, Trouble> {
    let position = response.headers().get("paystream-position").and_then(|value| value.to_str().ok());
    let position = position.ok_or_else(|| Trouble::new(format!("{} answered without its position", response.url().path())))?;
    Ok(position.to_owned())
}

/// Asks the server to stop and waits until it has.
pub(crate) async fn stop(running: Running) -> Result<(), Trouble> {
    running.stop(Signal::TERM, STOP_LIMIT).await
}
