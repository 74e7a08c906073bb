//! Processes by roles on one Postgres, and a client that goes round among them as a proxy does.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::api::Call;
use super::postgres::Database;
use super::{Api, Config, Paystream, Reply, poll, workspace};

const SANDBOX: &[&str] = &["serve", "--roles", "sandbox"];
const COMMAND_API: &[&str] = &["serve", "--roles", "command-api"];
const QUERY_API: &[&str] = &["serve", "--roles", "query-api"];
const PROJECTIONS: &[&str] = &["serve", "--roles", "projections"];
const PROCESS_MANAGERS: &[&str] = &["serve", "--roles", "process-managers"];

/// How long the client goes on looking for a process that takes its request.
const ROUND_LIMIT: Duration = Duration::from_secs(30);

/// Two processes of each role, and one sandbox. They know nothing of each other but the database, the keys and the sandbox.
pub(crate) struct Fleet {
    /// What the channel is here.
    pub(crate) sandbox: Paystream,
    /// They take commands.
    pub(crate) command_apis: Vec<Paystream>,
    /// They answer queries.
    pub(crate) query_apis: Vec<Paystream>,
    /// They fill the views.
    pub(crate) projections: Vec<Paystream>,
    /// They drive orders on.
    pub(crate) process_managers: Vec<Paystream>,
    #[expect(dead_code, reason = "it is dropped after the processes, and never read")]
    database: Database,
    /// The folder of the keys of all of them.
    pub(crate) keys: tempfile::TempDir,
}

impl Fleet {
    /// Starts all at once on an empty database, with the same variables for each and waits until all may take traffic.
    pub(crate) async fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_on(name, Database::new().await, variables).await
    }

    /// As [`Fleet::start`], on this database; `variables` win over what is set here.
    pub(crate) async fn start_on(name: &str, database: Database, variables: &[(&str, &str)]) -> Self {
        let keys = workspace::temporary("fleet-keys");
        let sandbox = Paystream::start(&format!("{name}-sandbox"), Config::in_roles(SANDBOX)).await;
        let prepare = |role: &str, number: usize, arguments| {
            let mut config = Config::in_roles(arguments).with("PAYSTREAM_SANDBOX_URL", sandbox.api().base());
            for (variable, file) in [("PAYSTREAM_TOKEN_KEY_FILE", "token.pem"), ("PAYSTREAM_SEAL_KEYS_FILE", "seal.keys")] {
                config = config.with(variable, keys.path().join(file).to_str().unwrap());
            }
            for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
                config = config.with(variable, &database.url);
            }
            for (variable, value) in variables {
                config = config.with(variable, value);
            }
            let mut server = Paystream::prepare(&format!("{name}-{role}-{number}"), config, None);
            server.launch();
            server
        };
        let two = |role: &str, arguments| (1..=2).map(|number| prepare(role, number, arguments)).collect::<Vec<_>>();
        let mut fleet = Self {
            command_apis: two("command-api", COMMAND_API),
            query_apis: two("query-api", QUERY_API),
            projections: two("projections", PROJECTIONS),
            process_managers: two("process-managers", PROCESS_MANAGERS),
            sandbox,
            database,
            keys,
        };
        join_all(fleet.all().map(Paystream::until_ready)).await;
        fleet
    }

    /// All but the sandbox.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut Paystream> {
        let fronts = self.command_apis.iter_mut().chain(&mut self.query_apis);
        fronts.chain(&mut self.projections).chain(&mut self.process_managers)
    }

    /// What buyers and services reach: commands and queries.
    pub(crate) fn fronts(&self) -> impl Iterator<Item = &Paystream> {
        self.command_apis.iter().chain(&self.query_apis)
    }

    /// A client that goes round among the command-api processes, and among those of query-api.
    pub(crate) fn rounds(&self) -> Rounds {
        let round = |servers: &[Paystream]| Round {
            apis: servers.iter().map(|server| server.api().without_kept_connections()).collect(),
            next: AtomicUsize::new(0),
        };
        Rounds { commands: round(&self.command_apis), queries: round(&self.query_apis) }
    }

    /// The file of the keys that sign tokens.
    pub(crate) fn token_keys(&self) -> std::path::PathBuf {
        self.keys.path().join("token.pem")
    }

    /// The file of the keys that seal links.
    pub(crate) fn seal_keys(&self) -> std::path::PathBuf {
        self.keys.path().join("seal.keys")
    }
}

/// Replaces a file as a whole, as whoever hands out keys should.
pub(crate) fn replace(file: &Path, content: &str) {
    let beside = file.with_extension("next");
    std::fs::write(&beside, content).unwrap();
    std::fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

/// The two rounds of a client.
pub(crate) struct Rounds {
    /// Among the processes that take commands.
    pub(crate) commands: Round,
    /// Among those that answer queries.
    pub(crate) queries: Round,
}

/// A client that takes the processes in turn. It asks the next one only where nothing was begun: the connection was refused,
/// or 503 was answered. Any other end of a request is the caller's.
pub(crate) struct Round {
    apis: Vec<Api>,
    next: AtomicUsize,
}

impl Round {
    /// Sends what `call` makes of the process whose turn it is; says why where that has failed.
    pub(crate) async fn send(&self, call: impl Fn(&Api) -> Call) -> Result<Reply, String> {
        let started = Instant::now();
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let said = match call(&self.apis[turn % self.apis.len()]).try_send().await {
                Ok(reply) if reply.status != 503 => return Ok(reply),
                Ok(reply) => reply.to_string(),
                Err(error) if error.is_connect() => format!("{error:?}"),
                Err(error) => return Err(format!("{error:?}")),
            };
            if started.elapsed() > ROUND_LIMIT {
                return Err(format!("nobody takes it: {said}"));
            }
            if turn.is_multiple_of(self.apis.len()) {
                tokio::time::sleep(poll::PAUSE).await;
            }
        }
    }
}
