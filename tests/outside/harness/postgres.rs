//! Postgres servers and databases.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::poll::within;
use super::process::{Running, free_port, is_root};
use super::random::unique;
use super::{RUNTIME, workspace};

/// How long a server may take to start or to stop.
const SERVER_LIMIT: Duration = Duration::from_mins(1);

/// A server of a test's own, for tests that stop it.
pub(crate) struct PostgresServer {
    process: Option<Running>,
    port: u16,
    folder: tempfile::TempDir,
}

impl PostgresServer {
    /// Makes a new cluster and starts it. It writes through to the disk as in production.
    pub(crate) async fn start() -> Self {
        let folder = workspace::temporary("postgres");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            let (user, group) = nobody();
            std::os::unix::fs::chown(&data, Some(user), Some(group)).unwrap();
        }
        let mut initdb = unprivileged("initdb");
        initdb.arg("-D").arg(&data).args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        let made = initdb.current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { process: None, port: free_port(), folder };
        server.resume().await;
        server
    }

    /// Starts the stopped server again, on the same port and data.
    pub(crate) async fn resume(&mut self) {
        let mut postgres = unprivileged("postgres");
        postgres.arg("-D").arg(self.folder.path().join("data")).current_dir(self.folder.path());
        postgres.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300"]);
        postgres.args(["-c".to_owned(), format!("port={}", self.port)]);
        self.process = Some(Running::start(postgres, &workspace::output("logs").join(format!("postgres-{}.log", self.port))));
        let url = self.url("postgres");
        within(SERVER_LIMIT, "Postgres answers", async || PgConnection::connect(&url).await.map(drop).map_err(|error| error.to_string()))
            .await;
    }

    /// Stops the server; clients are cut off.
    pub(crate) async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::INT);
        assert!(process.wait_up_to(SERVER_LIMIT).await.is_some(), "Postgres does not stop");
    }

    /// Ends the server at once, with nothing written that was not committed.
    pub(crate) async fn crash(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::QUIT);
        assert!(process.wait_up_to(SERVER_LIMIT).await.is_some(), "Postgres does not stop");
    }

    /// Asks one user for a password from now on.
    pub(crate) async fn ask_for_password(&self, user: &str) {
        let file = self.folder.path().join("data/pg_hba.conf");
        let rules = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("host all {user} 127.0.0.1/32 scram-sha-256\n{rules}")).unwrap();
        self.process.as_ref().unwrap().signal(Signal::HUP);
        let without = self.url_of(user, "postgres");
        within(SERVER_LIMIT, "a password is asked for", async || match PgConnection::connect(&without).await {
            Ok(_) => Err("it is not asked for".to_owned()),
            Err(_) => Ok(()),
        })
        .await;
    }

    /// A second server that follows this one.
    pub(crate) async fn standby(&mut self) -> Self {
        let folder = workspace::temporary("standby");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        // A copy of the stopped server is a good one, and wants no program that every distribution of Postgres has.
        self.stop().await;
        let mut copy = Command::new("cp");
        let copied = copy.arg("-a").arg(self.folder.path().join("data")).arg(folder.path()).status().unwrap();
        assert!(copied.success());
        let data = folder.path().join("data");
        std::fs::write(data.join("standby.signal"), "").unwrap();
        let follow = format!("primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n", self.port);
        std::fs::write(data.join("postgresql.auto.conf"), follow).unwrap();
        self.resume().await;
        let mut standby = Self { process: None, port: free_port(), folder };
        standby.resume().await;
        let url = self.url("postgres");
        within(SERVER_LIMIT, "the standby follows", async || {
            let mut connection = PgConnection::connect(&url).await.map_err(|error| error.to_string())?;
            let sql = "select count(*) from pg_stat_replication where state = 'streaming'";
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.map_err(|error| error.to_string())?;
            if count == 1 { Ok(()) } else { Err(format!("{count} follow")) }
        })
        .await;
        standby
    }

    /// The address of a database on this server.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_of("postgres", database)
    }

    /// The same for another role.
    pub(crate) fn url_of(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }
}

/// The server that all other tests share: the one that `PAYSTREAM_TEST_POSTGRES` names, else one of our own.
async fn shared_server_url() -> &'static str {
    static OWN: tokio::sync::OnceCell<PostgresServer> = tokio::sync::OnceCell::const_new();
    static URL: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let url = URL.get_or_init(async || match std::env::var("PAYSTREAM_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) => OWN.get_or_init(PostgresServer::start).await.url("postgres"),
    });
    url.await
}

/// An empty database that is dropped with this value.
pub(crate) struct Database {
    /// Its address.
    pub(crate) url: String,
    name: String,
    server: String,
}

impl Database {
    /// Makes one on the shared server.
    pub(crate) async fn new() -> Self {
        Self::on(shared_server_url().await).await
    }

    /// Makes one on the server at this address.
    pub(crate) async fn on(server: &str) -> Self {
        let name = unique("paystream-outside").replace('-', "_");
        let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        let url = options.database(&name).to_url_lossy().to_string();
        Self { url, name, server: server.to_owned() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        let server = self.server.clone();
        let dropping = std::thread::spawn(move || {
            RUNTIME.block_on(async {
                // A test that has stopped its own server takes the database with it.
                if let Ok(Ok(mut connection)) = tokio::time::timeout(Duration::from_secs(5), PgConnection::connect(&server)).await {
                    drop(sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await);
                }
            });
        });
        drop(dropping.join());
    }
}

/// A command that runs a program of Postgres as a user that it accepts: never as root.
fn unprivileged(program: &str) -> Command {
    as_nobody(&PROGRAMS.join(program))
}

/// A command that runs a server's program as nobody where the tests run as root.
pub(super) fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        let (user, group) = nobody();
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    command.arg("--").arg(program);
    command
}

/// Where Postgres' programs are: `PAYSTREAM_TEST_POSTGRES_BIN`, else the newest version that the system has.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(named) = std::env::var_os("PAYSTREAM_TEST_POSTGRES_BIN") {
        return named.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbers = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = numbers.filter(|version| *version >= 15).max().expect("no Postgres 15 or newer here; ./test brings one");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
});

/// The user and group ids of `nobody`.
pub(super) fn nobody() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("nobody:")).expect("a user called nobody");
    let mut numbers = line.split(':').skip(2).map(|text| text.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn a_server_of_ones_own_keeps_its_databases_over_a_stop_and_a_crash() {
    super::run(async {
        let mut server = PostgresServer::start().await;
        let database = Database::on(&server.url("postgres")).await;
        for crash in [false, true] {
            if crash {
                server.crash().await;
            } else {
                server.stop().await;
            }
            assert!(PgConnection::connect(&database.url).await.is_err());
            server.resume().await;
            PgConnection::connect(&database.url).await.unwrap();
        }
    });
}
