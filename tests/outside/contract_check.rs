//! `paystream contract-check`: what it says of each store, that it opens nothing that lies there and leaves nothing, and that it fails
//! where a promise is broken.

use std::path::Path;
use std::process::{Command, Output};

use kurrentdb_stand_in::{Fault, StandIn};
use sqlx::{Connection, PgConnection};

use super::harness::postgres::Database;
use super::harness::{binary, run, workspace};

/// Runs it with nothing in the environment: it needs no configuration.
fn check(folder: &Path, store: &str) -> Output {
    let mut command = Command::new(binary::paystream());
    command.env_clear().current_dir(folder).args(["contract-check", store]).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// How many lines begin so.
fn lines(output: &Output, beginning: &str) -> usize {
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with(beginning)).count()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_keeps_the_contract_and_is_not_touched() {
    let folder = workspace::temporary("contract-check");
    let file = folder.path().join("log.db");
    std::fs::write(&file, "not a log at all").unwrap();
    let output = check(folder.path(), &format!("sqlite:{}", file.display()));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!((lines(&output, "ok  "), lines(&output, "failed"), lines(&output, "-  ")), (20, 0, 0), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a log at all");
    assert_eq!(names(folder.path()), ["log.db"], "nothing is left");
}

#[test]
fn a_postgres_keeps_the_contract_and_its_database_is_not_touched() {
    run(async {
        let database = Database::new().await;
        let folder = workspace::temporary("contract-check");
        let output = check(folder.path(), &database.url);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!((lines(&output, "ok  "), lines(&output, "failed"), lines(&output, "-  ")), (20, 0, 0), "{}", said(&output));

        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let schemas: i64 = sqlx::query_scalar("select count(*) from pg_namespace where nspname like 'paystream%'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(schemas, 0, "nothing was made in the database that was named");
        let run = said(&output).split("contract_check_").nth(1).unwrap()[..32].to_owned();
        let left: i64 = sqlx::query_scalar("select count(*) from pg_database where datname like $1")
            .bind(format!("contract_check_{run}%"))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(left, 0, "its own databases are gone");
    });
}

/// The stand-in is not KurrentDB: this is about the command. The one run shows a promise that is kept, one that is broken, and one that
/// is not made.
#[test]
fn a_broken_promise_is_named_and_ends_it_with_an_error_on_streams_of_the_suites_own() {
    let stand_in = StandIn::start();
    stand_in.fault(Fault::Refused);
    let folder = workspace::temporary("contract-check");
    let output = check(folder.path(), &stand_in.url("paystream-"));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!((lines(&output, "ok  "), lines(&output, "failed  expectations are held: ")), (18, 1), "{}", said(&output));
    assert_eq!(lines(&output, "-       an id names one event: "), 1, "{}", said(&output));
    assert!(said(&output).contains("the log's contract is not kept: 1 of its checks failed"), "{}", said(&output));
    assert_eq!(stand_in.events("paystream-"), 0, "the log of a running program would not see them");
    assert!(stand_in.events("contract-check-") > 5_000);
}

#[test]
fn what_cannot_be_tried_is_said_without_the_password() {
    let folder = workspace::temporary("contract-check");
    for (store, expected) in [
        ("mysql://localhost/log", "the store's address is refused"),
        ("postgres://user:s3cret@127.0.0.1:1/log", "cannot be tried at postgres://user:***@127.0.0.1:1/log"),
        ("kurrentdb://user:s3cret@127.0.0.1:1?tls=false&discoveryInterval=1", "cannot be tried at kurrentdb://user:***@127.0.0.1:1"),
        ("kurrentdb://user:s3cret@127.0.0.1:1?tsl=false", "it has a parameter that nobody knows"),
        ("sqlite:/dev/null/log.db", "cannot be used"),
    ] {
        let output = check(folder.path(), store);
        assert_eq!(output.status.code(), Some(1), "{store}: {}", said(&output));
        assert!(said(&output).contains(expected), "{store}: {}", said(&output));
        assert!(!said(&output).contains("s3cret") && !said(&output).contains("panicked"), "{}", said(&output));
    }
}
