//! A running Paystream.

use std::collections::HashMap;
use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::json;

use super::nats::NatsServer;
use super::postgres::Database;
use super::process::{Running, free_port, is_root, tied};
use super::{Api, binary, poll, workspace};

/// What a stop may take, the contract's limit.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The start is measured elsewhere; here a loaded machine may take its time.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Where log, views and state lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// SQLite files in the data folder.
    Embedded,
    /// A Postgres database of its own.
    Postgres,
}

/// On what the data folder lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// The machine's.
    Ordinary,
    /// A small one of its own, mounted where only Paystream (and who looks through `/proc`) sees it.
    Small,
    /// The machine's, without the rights by which root may write everywhere.
    WithoutSuperuserRights,
    /// The machine's, with files that [`Paystream::limit_files`] can keep from growing.
    LimitedFiles,
}

/// Whether this user may mount a small disk.
pub(crate) fn small_disks_work() -> bool {
    let folder = workspace::temporary("small-disk");
    let mut command = small_disk();
    command.args(["mount -t tmpfs -o size=1m tmpfs \"$0\""]).arg(folder.path());
    command.output().is_ok_and(|output| output.status.success())
}

/// A shell that sees mounts of its own; what it is to do follows.
fn small_disk() -> Command {
    let mut command = tied("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--propagation", "private", "--", "sh", "-c"]);
    command
}

/// How Paystream is started.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where it stores.
    pub(crate) store: StoreKind,
    /// On what disk.
    pub(crate) disk: Disk,
    /// Further variables.
    pub(crate) environment: Vec<(String, String)>,
    /// What follows the program's name; nothing starts it whole.
    pub(crate) arguments: &'static [&'static str],
    /// Whether it has a broker of its own.
    pub(crate) has_broker: bool,
}

/// On the stores that this run is for: `PAYSTREAM_TEST_STORES` is `embedded` (also without it), `postgres`, or
/// `postgres+nats`, each server then having a database, and a broker, of its own.
impl Default for Config {
    fn default() -> Self {
        let (store, has_broker) = match std::env::var("PAYSTREAM_TEST_STORES").as_deref() {
            Err(_) | Ok("embedded") => (StoreKind::Embedded, false),
            Ok("postgres") => (StoreKind::Postgres, false),
            Ok("postgres+nats") => (StoreKind::Postgres, true),
            Ok(other) => panic!("PAYSTREAM_TEST_STORES={other} is none of embedded, postgres, postgres+nats"),
        };
        Self { store, disk: Disk::Ordinary, environment: Vec::new(), arguments: &[], has_broker }
    }
}

impl Config {
    /// On this store.
    pub(crate) fn on(store: StoreKind) -> Self {
        Self { store, ..Self::default() }
    }

    /// With these roles only, as the command line names them.
    pub(crate) fn in_roles(arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..Self::default() }
    }

    /// With one more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A Paystream of its own: process, data folder and, where asked for, database. All go when it is dropped.
pub(crate) struct Paystream {
    process: Option<Running>,
    tokens: Mutex<HashMap<(String, String), (Instant, String)>>,
    api: Api,
    environment: Vec<(String, String)>,
    arguments: &'static [&'static str],
    disk: Disk,
    log: PathBuf,
    #[expect(dead_code, reason = "it is dropped after the process, and never read")]
    database: Option<Database>,
    broker: Option<NatsServer>,
    data: tempfile::TempDir,
}

impl Paystream {
    /// Starts one and waits until it may take traffic. `name` names its log in `test-output/logs`.
    pub(crate) async fn start(name: &str, config: Config) -> Self {
        let database = if config.store == StoreKind::Postgres { Some(Database::new().await) } else { None };
        let broker = if config.has_broker { Some(NatsServer::start().await) } else { None };
        let config = broker.iter().fold(config, |config, broker| config.with("PAYSTREAM_NATS", &broker.url()));
        let mut server = Self::start_on(name, config, database).await;
        server.broker = broker;
        server
    }

    /// As [`Paystream::start`], on a database that the test has made.
    pub(crate) async fn start_on(name: &str, config: Config, database: Option<Database>) -> Self {
        let mut server = Self::prepare(name, config, database);
        server.launch();
        server.until_ready().await;
        server
    }

    /// One that is not started yet.
    pub(crate) fn prepare(name: &str, config: Config, database: Option<Database>) -> Self {
        let data = workspace::temporary(name);
        let listen = format!("127.0.0.1:{}", free_port());
        let mut environment = vec![
            ("PAYSTREAM_LISTEN".to_owned(), listen.clone()),
            ("PAYSTREAM_DATA".to_owned(), data.path().join("data").to_str().unwrap().to_owned()),
        ];
        if let Some(database) = &database {
            for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
                environment.push((variable.to_owned(), database.url.clone()));
            }
        }
        // Some variables must say where the server itself is.
        let base = format!("http://{listen}");
        environment.extend(config.environment.into_iter().map(|(name, value)| (name, value.replace("{base}", &base))));
        let log = workspace::output("logs").join(format!("{name}-{}.log", listen.rsplit_once(':').unwrap().1));
        drop(std::fs::remove_file(&log));
        let api = Api::anonymous(&base);
        Self {
            process: None,
            tokens: Mutex::default(),
            api,
            environment,
            arguments: config.arguments,
            disk: config.disk,
            log,
            database,
            broker: None,
            data,
        }
    }

    /// Starts the process and does not wait.
    pub(crate) fn launch(&mut self) {
        let command = self.command();
        self.process = Some(match self.disk {
            Disk::LimitedFiles => Running::start_piped(command, &self.log),
            _ => Running::start(command, &self.log),
        });
    }

    /// Starts the process, with what it prints going into the pipe that is answered.
    pub(crate) fn launch_into_pipe(&mut self) -> PipeReader {
        let (process, reader) = Running::start_into_pipe(self.command());
        self.process = Some(process);
        reader
    }

    fn command(&self) -> Command {
        assert!(self.process.is_none(), "it runs already");
        std::fs::create_dir_all(self.data_folder()).unwrap();
        let mut command = self.starter();
        command.args(self.arguments);
        self.equip(&mut command);
        command
    }

    /// Starts it again with one more variable, for this start only, and waits until it may take traffic.
    pub(crate) async fn restart_with(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
        self.restart().await;
        self.environment.pop();
    }

    /// Starts it, stopped, with one more variable, for this start only, and does not wait.
    pub(crate) fn launch_with(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
        self.launch();
        self.environment.pop();
    }

    /// Starts it again with other arguments, from now on, and waits until it may take traffic.
    pub(crate) async fn restart_as(&mut self, arguments: &'static [&'static str]) {
        self.arguments = arguments;
        self.restart().await;
    }

    /// Waits for it to end by itself, which it must; answers how.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.ended_within(START_LIMIT).await
    }

    /// As [`Paystream::ended`], where what it waits for may take longer than a start.
    pub(crate) async fn ended_within(&mut self, limit: Duration) -> ExitStatus {
        let status = self.until_ended(limit).await;
        self.process = None;
        status.unwrap_or_else(|| panic!("after {limit:?} it runs on:\n{}", tail(&self.log)))
    }

    fn starter(&self) -> Command {
        let program = binary::paystream();
        match self.disk {
            Disk::Ordinary => tied(program),
            Disk::Small => {
                let mut command = small_disk();
                command.arg("mount -t tmpfs -o size=48m tmpfs \"$PAYSTREAM_DATA\" && exec \"$0\" \"$@\"").arg(program);
                command
            }
            Disk::WithoutSuperuserRights => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "--bounding-set=-all", "--inh-caps=-all", "--"]).arg(program);
                command
            }
            Disk::LimitedFiles => {
                // What it prints must not be limited, so it goes through a pipe; the signal that a limit sends is
                // ignored, so that a write answers an error as on a full disk.
                let mut command = tied("sh");
                command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
                command
            }
        }
    }

    /// Keeps files from having more than `bytes` bytes, or no longer keeps them from it.
    pub(crate) fn limit_files(&mut self, bytes: Option<u64>) {
        assert_eq!(self.disk, Disk::LimitedFiles);
        prlimit(Some(self.process().pid()), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }

    /// Gives a command this server's environment and nothing of the tests' own.
    fn equip(&self, command: &mut Command) {
        command.env_clear().current_dir(self.data.path());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.data.path());
        if let Ok(mark) = std::env::var("PAYSTREAM_TEST_RUN") {
            command.env("PAYSTREAM_TEST_RUN", mark);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) async fn until_ready(&mut self) {
        let (api, process) = (self.api.clone(), self.process.as_mut().unwrap());
        poll::within(START_LIMIT, "/readyz answers 200", async || {
            assert!(process.ended().is_none(), "it ended while starting:\n{}", tail(&self.log));
            let reply = api.get("/readyz").try_send().await.map_err(|error| error.to_string())?;
            if reply.status == 200 { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
    }

    /// A subcommand with this server's configuration, run to its end.
    pub(crate) fn run_subcommand(&self, arguments: &[&str]) -> Output {
        let mut command = match (&self.process, self.disk) {
            // It sees the mounted disk only from where it is mounted.
            (Some(process), Disk::Small) => {
                let mut command = Command::new("nsenter");
                command.args(["--target".to_owned(), process.pid().as_raw_nonzero().to_string()]);
                if !is_root() {
                    command.args(["--user", "--preserve-credentials"]);
                }
                command.args(["--mount", "--"]).arg(binary::paystream());
                command
            }
            _ => Command::new(binary::paystream()),
        };
        self.equip(&mut command);
        command.args(arguments).output().unwrap()
    }

    /// A caller without a token.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// A caller with a development token.
    pub(crate) fn as_role(&self, subject: &str, role: &str) -> Api {
        let key = (subject.to_owned(), role.to_owned());
        // A token lives 15 minutes; the longest test uses one for less than the other five.
        if let Some((made, token)) = self.tokens.lock().unwrap().get(&key)
            && made.elapsed() < Duration::from_mins(10)
        {
            return self.api.with_token(token);
        }
        let output = self.run_subcommand(&["token", "--sub", subject, "--role", role]);
        assert!(output.status.success(), "token: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let token = text.lines().last().expect("the token on the last line").to_owned();
        self.tokens.lock().unwrap().insert(key, (Instant::now(), token.clone()));
        self.api.with_token(&token)
    }

    /// A buyer with a development token.
    pub(crate) fn buyer(&self, subject: &str) -> Api {
        self.as_role(subject, "buyer")
    }

    /// An auditor with a development token.
    pub(crate) fn auditor(&self) -> Api {
        self.as_role("audrey", "auditor")
    }

    /// Another business system with a development token.
    pub(crate) fn service(&self) -> Api {
        self.as_role("learning-centre", "service")
    }

    /// Signs in as one of the demo's people.
    pub(crate) async fn sign_in(&self, username: &str) -> Api {
        let body = json!({"username": username, "password": "demo-password"});
        let reply = self.api.post("/api/v1/sessions", &body).send().await;
        assert!((200..300).contains(&reply.status), "{reply}");
        self.api.with_token(&reply.field("access_token"))
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill9(&mut self) {
        self.process.take().unwrap().kill9();
    }

    /// Asks it to stop (SIGTERM) and fails the test unless it has within five seconds, with success.
    pub(crate) async fn terminate(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::TERM);
        let status = process.wait_up_to(STOP_LIMIT).await;
        assert!(status.is_some_and(|status| status.success()), "SIGTERM: {status:?} within {STOP_LIMIT:?}\n{}", tail(&self.log));
    }

    /// Starts it again on the same data and address and waits until it may take traffic.
    pub(crate) async fn restart(&mut self) {
        if self.process.is_some() {
            self.kill9();
        }
        self.launch();
        self.until_ready().await;
    }

    /// The running process.
    pub(crate) fn process(&mut self) -> &mut Running {
        self.process.as_mut().unwrap()
    }

    /// Waits up to `limit` for it to end by itself; `None` if it still runs.
    pub(crate) async fn until_ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.as_mut().unwrap().wait_up_to(limit).await
    }

    /// Its data folder, as seen from the tests.
    pub(crate) fn data_folder(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Its data folder, as it sees it itself.
    pub(crate) fn inner_data_folder(&self) -> PathBuf {
        let pid = self.process.as_ref().unwrap().pid().as_raw_nonzero();
        let inside = self.data_folder();
        Path::new("/proc").join(pid.to_string()).join("root").join(inside.strip_prefix("/").unwrap())
    }

    /// The file of everything that it has printed.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Shows the end of its log if the test is failing.
    pub(crate) fn show_log_if_failing(&self) {
        if std::thread::panicking() {
            show(&format!("---- {} ----\n{}", self.log.display(), tail(&self.log)));
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what the server said")]
fn show(text: &str) {
    eprintln!("{text}");
}

impl Drop for Paystream {
    fn drop(&mut self) {
        self.process = None;
        self.show_log_if_failing();
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
