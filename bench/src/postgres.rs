//! A Postgres server of the benchmark's own, in a folder that goes with it. It writes through to the disk as in production.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::process::{Running, free_port, is_root, tied};
use crate::trouble::{Doing, Trouble};

/// How long the server may take to start or to stop.
const LIMIT: Duration = Duration::from_mins(1);

/// Variables that name the folder of Postgres' programs, the first that is set.
const PROGRAM_VARIABLES: [&str; 2] = ["PAYSTREAM_BENCH_POSTGRES_BIN", "PAYSTREAM_TEST_POSTGRES_BIN"];

/// Where Debian keeps them, a folder for each version.
const SYSTEM_FOLDER: &str = "/usr/lib/postgresql";

/// A running server.
pub(crate) struct PostgresServer {
    process: Running,
    port: u16,
    /// Held so that the folder goes with the server.
    _folder: tempfile::TempDir,
    log: PathBuf,
}

impl PostgresServer {
    /// Makes a new cluster below `parent` and starts it. Call it on the main thread. Errors: Postgres is not installed.
    pub(crate) async fn start(parent: &Path) -> Result<Self, Trouble> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in(parent).doing("make a folder for Postgres")?;
        // The server runs as another user and must be able to pass through.
        for passed in [parent, folder.path()] {
            std::fs::set_permissions(passed, std::fs::Permissions::from_mode(0o755)).doing("open a folder to Postgres")?;
        }
        let data = folder.path().join("data");
        std::fs::create_dir(&data).doing("make a folder for Postgres' data")?;
        if is_root() {
            let (user, group) = nobody()?;
            std::os::unix::fs::chown(&data, Some(user), Some(group)).doing("give Postgres its folder")?;
        }
        let mut initdb = unprivileged(&programs.join("initdb"))?;
        initdb.arg("-D").arg(&data).args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        let made = initdb.current_dir(folder.path()).output().doing("run initdb")?;
        if !made.status.success() {
            return Err(Trouble::new(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim())));
        }
        let (port, log) = (free_port()?, folder.path().join("log"));
        let mut postgres = unprivileged(&programs.join("postgres"))?;
        postgres.arg("-D").arg(&data).current_dir(folder.path());
        postgres.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"]);
        postgres.args(["-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on"]);
        postgres.args(["-c".to_owned(), format!("port={port}")]);
        let mut server = Self { process: Running::start(postgres, &log)?, port, _folder: folder, log };
        server.until_it_answers().await?;
        Ok(server)
    }

    async fn until_it_answers(&mut self) -> Result<(), Trouble> {
        let (started, url) = (Instant::now(), self.url("postgres"));
        loop {
            match PgConnection::connect(&url).await {
                Ok(connection) => return connection.close().await.doing("close a connection to Postgres"),
                Err(error) if started.elapsed() > LIMIT || self.process.ended()?.is_some() => {
                    let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                    return Err(error).doing(format!("Postgres does not start; it says: {}", log.trim()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Makes a database and answers its address.
    pub(crate) async fn database(&self, name: &str) -> Result<String, Trouble> {
        self.run(&format!("create database {name}")).await?;
        Ok(self.url(name))
    }

    /// Writes all that lies in memory to the files, so that the next round does not pay for the last one.
    pub(crate) async fn checkpoint(&self) -> Result<(), Trouble> {
        self.run("checkpoint").await
    }

    /// The version and the settings that durability depends on, as the server tells them.
    pub(crate) async fn settings(&self) -> Result<String, Trouble> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.doing("connect to Postgres")?;
        let sql = "select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')";
        let (version, fsync, commit): (String, String, String) =
            sqlx::query_as(sql).fetch_one(&mut connection).await.doing("ask Postgres for its settings")?;
        Ok(format!("PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}"))
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) -> Result<(), Trouble> {
        self.process.stop(Signal::INT, LIMIT).await
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    async fn run(&self, statement: &str) -> Result<(), Trouble> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.doing("connect to Postgres")?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.doing(statement)?;
        connection.close().await.doing("close a connection to Postgres")
    }
}

/// A command that runs a program of Postgres as a user that it accepts: never as root.
fn unprivileged(program: &Path) -> Result<Command, Trouble> {
    let mut command = tied();
    if is_root() {
        let (user, group) = nobody()?;
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    command.arg("--").arg(program);
    Ok(command)
}

/// Where Postgres' programs are: where a variable says, else the system's newest version, else where `pg_config` says.
fn programs() -> Result<PathBuf, Trouble> {
    if let Some(named) = PROGRAM_VARIABLES.iter().find_map(std::env::var_os) {
        return Ok(named.into());
    }
    let versions = std::fs::read_dir(SYSTEM_FOLDER).into_iter().flatten().flatten();
    let numbers = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    if let Some(newest) = numbers.max() {
        return Ok(Path::new(SYSTEM_FOLDER).join(newest.to_string()).join("bin"));
    }
    let told = Command::new("pg_config").arg("--bindir").output();
    let told = told.doing(format!("find Postgres; {} may name the folder of its programs", PROGRAM_VARIABLES[0]))?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().into())
}

/// The user and group ids of `nobody`.
fn nobody() -> Result<(u32, u32), Trouble> {
    let users = std::fs::read_to_string("/etc/passwd").doing("read the system's users")?;
    ids_of(&users, "nobody").ok_or_else(|| Trouble::new("the system has no user called nobody"))
}

fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?.skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:8::/:/\nnobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";
        assert_eq!(ids_of(users, "nobody"), Some((65_534, 65_533)));
        assert_eq!(ids_of(users, "somebody"), None);
    }
}
