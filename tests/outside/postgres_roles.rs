//! The roles of docker/postgres/roles.sql: the owner brings the tables forward, a running program works with three roles that
//! may do what they need and no more, and not even the owner changes what is on the log.

use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::harness::journey::paid_order;
use super::harness::postgres::PostgresServer;
use super::harness::workspace::root;
use super::harness::{Config, PAID_COURSE, Paystream, run};

/// A server with the roles, made as operators make them.
async fn server_with_roles() -> PostgresServer {
    let server = PostgresServer::start().await;
    let script = std::fs::read_to_string(root().join("docker/postgres/roles.sql")).unwrap();
    // What psql itself would put in its place.
    let lines: Vec<_> = script.lines().filter(|line| !line.ends_with("\\gset")).collect();
    let mut sql = lines.join("\n").replace(":\"database\"", "\"postgres\"");
    for name in ["owner", "log", "views", "state"] {
        sql = sql.replace(&format!(":'{name}_password'"), "'word'");
    }
    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    server
}

/// A configuration whose areas have these roles.
fn with_roles(server: &PostgresServer, [log, views, state]: [&str; 3]) -> Config {
    Config::default()
        .with("PAYSTREAM_EVENT_STORE", &server.url_of(log, "postgres"))
        .with("PAYSTREAM_VIEWS", &server.url_of(views, "postgres"))
        .with("PAYSTREAM_STATE", &server.url_of(state, "postgres"))
}

const OWNER: [&str; 3] = ["paystream_owner"; 3];
const RUNNING: [&str; 3] = ["paystream_log", "paystream_views", "paystream_state"];

/// The code with which Postgres refuses a statement; empty where it does it.
async fn refused(server: &PostgresServer, role: &str, sql: &'static str) -> String {
    let mut connection = PgConnection::connect(&server.url_of(role, "postgres")).await.unwrap();
    match sqlx::raw_sql(sql).execute(&mut connection).await {
        Ok(_) => String::new(),
        Err(error) => error.into_database_error().unwrap().downcast_ref::<PgDatabaseError>().code().to_owned(),
    }
}

#[test]
fn a_running_program_works_with_roles_that_may_not_change_the_log() {
    run(async {
        let server = server_with_roles().await;

        // Without tables the start is refused: these roles make none.
        let mut early = Paystream::prepare("roles-early", with_roles(&server, RUNNING), None);
        early.launch();
        assert!(!early.ended().await.success());
        let said = early.log_text();
        assert!(said.contains("PAYSTREAM_EVENT_STORE") && said.contains("paystream migrate"), "{said}");

        let owner = Paystream::prepare("roles-owner", with_roles(&server, OWNER), None);
        std::fs::create_dir_all(owner.data_folder()).unwrap();
        let migrated = owner.run_subcommand(&["migrate"]);
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));

        let mut paystream = Paystream::prepare("roles-running", with_roles(&server, RUNNING), None);
        paystream.launch();
        paystream.until_ready().await;
        let alice = paystream.buyer("alice");
        let order = paid_order(&alice).await;
        alice.until_course_is_in_the_table(PAID_COURSE).await;
        // Tables are exchanged by the role whose own they are; and once more, with what was exchanged.
        for view in ["orders", "course_table", "orders"] {
            let output = paystream.run_subcommand(&["rebuild", view]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(alice.order(&order.order_id).await["status"], "paid");

        // Brought forward again beside it, and its own say that all is well.
        assert!(owner.run_subcommand(&["migrate"]).status.success());
        let output = paystream.run_subcommand(&["doctor"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let output = owner.run_subcommand(&["doctor"]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("paystream_owner may change and delete events"));
        paid_order(&paystream.buyer("bob")).await;

        for (sql, by_running, by_owner) in [
            ("update paystream_log.event set actor = 'nobody'", "42501", "23001"),
            ("delete from paystream_log.event", "42501", "23001"),
            ("truncate paystream_log.event", "42501", "23001"),
            ("delete from paystream_log.lineage", "42501", "23001"),
            ("update paystream_log.schema_migration set version = 2", "42501", ""),
        ] {
            assert_eq!(refused(&server, "paystream_log", sql).await, by_running, "{sql}");
            if !by_owner.is_empty() {
                assert_eq!(refused(&server, "paystream_owner", sql).await, by_owner, "{sql}");
            }
        }
        for sql in [
            "alter table paystream_log.event disable trigger all",
            "drop table paystream_log.event",
            "create table paystream_log.other (a text)",
            "select * from paystream_state.account",
            "select * from paystream_views.order_view",
        ] {
            assert_eq!(refused(&server, "paystream_log", sql).await, "42501", "{sql}");
        }
        for role in ["paystream_views", "paystream_state"] {
            assert_eq!(refused(&server, role, "select * from paystream_log.event").await, "42501", "{role}");
        }
        assert_eq!(refused(&server, "paystream_state", "drop table paystream_state.account").await, "42501");
    });
}
