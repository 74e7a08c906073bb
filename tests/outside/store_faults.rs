//! Disks that are full, locked or read-only, and a Postgres that goes and comes: a clear error, `/readyz` says so,
//! nothing half-done, and recovery by itself.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};

use super::harness::audit::assert_well_formed;
use super::harness::journey::{create_business_order, open_order, paid_order};
use super::harness::notice::assert_success;
use super::harness::postgres::{Database, PostgresServer};
use super::harness::random::unique;
use super::harness::server::{Disk, small_disks_work};
use super::harness::{Api, Config, Paystream, Reply, eventually, run};

/// The orders that were answered while a fault came and went.
#[derive(Default)]
struct Answered(Vec<String>);

impl Answered {
    async fn try_one(&mut self, service: &Api) -> Reply {
        let reply = create_business_order(service, "member-1", &unique("fault")).await;
        if reply.status == 201 {
            self.0.push(reply.field("order_id"));
        }
        reply
    }

    /// Commands are refused with a problem that invites to come again, `/readyz` names what is missing, `/healthz` lives.
    async fn until_refused(&mut self, server: &Paystream, service: &Api) {
        eventually("commands are refused", async || {
            let reply = self.try_one(service).await;
            if reply.status != 503 {
                return Err(reply.to_string());
            }
            reply.problem();
            assert!(!reply.header("retry-after").is_empty(), "{reply}");
            Ok(())
        })
        .await;
        eventually("/readyz says so", async || {
            let reply = server.api().get("/readyz").send().await;
            if reply.status == 503 && reply.text().contains("log") { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
        server.api().get("/healthz").send().await.expect(200);
    }

    /// Sooner or later one is answered.
    async fn until_one_is_done(&mut self, service: &Api) {
        eventually("a command is done", async || {
            let reply = self.try_one(service).await;
            if reply.status == 201 { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
    }

    /// By itself, everything works again, and exactly what was answered stands in the log.
    async fn until_recovered(&mut self, server: &Paystream, service: &Api) {
        eventually("/readyz answers 200 again", async || {
            let reply = server.api().get("/readyz").send().await;
            if reply.status == 200 { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
        self.until_one_is_done(service).await;
        let log = server.auditor().events().await;
        assert_well_formed(&log);
        for order_id in &self.0 {
            let stream = format!("order-{order_id}");
            assert!(log.iter().any(|event| event["stream_id"] == stream.as_str()), "{order_id} was answered and is not there");
        }
    }
}

/// With the tokens made before the fault: making one may need the disk.
async fn started(disk: Disk) -> (Paystream, Api, Answered) {
    let server = Paystream::start("store-fault", Config { disk, ..Config::default() }).await;
    let service = server.service();
    drop(server.auditor());
    let mut answered = Answered::default();
    answered.try_one(&service).await.expect(201);
    (server, service, answered)
}

#[test]
fn a_full_disk_refuses_commands_and_once_there_is_room_they_are_done() {
    run(async {
        assert!(small_disks_work(), "no small disk can be mounted here: run the tests as root, or allow user namespaces");
        let (server, service, mut answered) = started(Disk::Small).await;
        let ballast = server.inner_data_folder().join("ballast");
        fill(&ballast);
        answered.until_refused(&server, &service).await;
        std::fs::remove_file(&ballast).unwrap();
        answered.until_recovered(&server, &service).await;
    });
}

/// Takes all the room that a disk has left.
fn fill(ballast: &PathBuf) {
    let mut file = std::fs::File::create(ballast).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![1_u8; size];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }
}

#[test]
fn files_that_may_not_grow_refuse_commands_and_once_they_may_they_are_done() {
    run(async {
        let (mut server, service, mut answered) = started(Disk::LimitedFiles).await;
        server.limit_files(Some(1));
        answered.until_refused(&server, &service).await;
        server.limit_files(None);
        answered.until_recovered(&server, &service).await;
    });
}

#[test]
fn a_locked_log_refuses_commands_and_once_it_is_free_they_are_done() {
    run(async {
        let (server, service, mut answered) = started(Disk::Ordinary).await;
        let file = server.data_folder().join("log.db");
        assert!(file.exists(), "the log is elsewhere: {:?}", std::fs::read_dir(server.data_folder()).unwrap().collect::<Vec<_>>());
        let mut lock = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::query("begin immediate").execute(&mut lock).await.unwrap();
        answered.until_refused(&server, &service).await;
        sqlx::query("rollback").execute(&mut lock).await.unwrap();
        lock.close().await.unwrap();
        answered.until_recovered(&server, &service).await;
    });
}

#[test]
fn a_read_only_data_folder_is_named_at_the_start_and_nothing_is_half_made() {
    run(async {
        let mut server = Paystream::prepare("read-only", Config { disk: Disk::WithoutSuperuserRights, ..Config::default() }, None);
        std::fs::create_dir_all(server.data_folder()).unwrap();
        std::fs::set_permissions(server.data_folder(), std::fs::Permissions::from_mode(0o555)).unwrap();
        server.launch();
        let status = server.until_ended(Duration::from_secs(30)).await.expect("it ends, having no place for its data");
        assert!(!status.success());
        let said = server.log_text();
        assert!(said.contains(server.data_folder().to_str().unwrap()), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(std::fs::read_dir(server.data_folder()).unwrap().count(), 0);
        std::fs::set_permissions(server.data_folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
        server.restart().await;
        paid_order(&server.buyer("alice")).await;
    });
}

#[test]
fn a_second_paystream_on_the_same_data_is_refused_and_the_first_goes_on() {
    run(async {
        let server = Paystream::start("two-on-one", Config::default()).await;
        let second = Config::default().with("PAYSTREAM_DATA", server.data_folder().to_str().unwrap());
        let mut second = Paystream::prepare("two-on-one-second", second, None);
        second.launch();
        let status = second.until_ended(Duration::from_secs(30)).await.expect("the second ends");
        assert!(!status.success());
        let said = second.log_text();
        assert!(said.contains(server.api().base()), "the holder is not named: {said}");
        assert!(!said.contains("panicked"), "{said}");
        paid_order(&server.buyer("alice")).await;
    });
}

#[test]
fn a_postgres_that_stops_or_crashes_and_comes_again_is_waited_for() {
    run(async {
        let mut postgres = PostgresServer::start().await;
        let database = Database::on(&postgres.url("postgres")).await;
        let config = Config::on(super::harness::StoreKind::Postgres);
        let server = Paystream::start_on("postgres-goes", config, Some(database)).await;
        let service = server.service();
        drop(server.auditor());
        let mut answered = Answered::default();
        answered.try_one(&service).await.expect(201);
        for crash in [false, true] {
            let buyer = server.buyer(if crash { "bob" } else { "alice" });
            let order = open_order(&buyer).await;
            buyer.sandbox_pay(&order.pay_no, "never").await.expect(200);
            let notice = server.api().notification(&order.pay_no).await.encode();
            if crash {
                postgres.crash().await;
            } else {
                postgres.stop().await;
            }
            answered.until_refused(&server, &service).await;
            let refused = server.api().notify(notice.clone()).await;
            assert!(refused.status >= 500 && refused.text() != "success", "{refused}");
            postgres.resume().await;
            answered.until_recovered(&server, &service).await;
            assert_success(&server.api().notify(notice).await);
            buyer.until_order_is(&order.order_id, "paid").await;
            let confirmed = server.auditor().order_event_types(&order.order_id).await;
            assert_eq!(confirmed.iter().filter(|name| *name == "PaymentConfirmed").count(), 1, "{confirmed:?}");
            // The followers have come back too.
            buyer.until_course_is_in_the_table(super::harness::PAID_COURSE).await;
        }
    });
}

/// Ends every connection that Paystream has.
const CUT: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'paystream%'";

/// How many ask at once while Postgres is in trouble.
const CALLERS: usize = 8;

#[test]
fn a_postgres_that_cuts_lacks_connections_or_is_slow_in_mid_batch_costs_nothing_that_was_answered() {
    run(async {
        let postgres = PostgresServer::start().await;
        let url = postgres.url("postgres");
        let database = Database::on(&url).await;
        let database_url = database.url.clone();
        let server = Paystream::start_on("postgres-trouble", Config::on(super::harness::StoreKind::Postgres), Some(database)).await;
        let (service, buyer) = (server.service(), server.buyer("alice"));
        drop(server.auditor());
        let mut answered = Answered::default();
        answered.try_one(&service).await.expect(201);
        let is_over = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS).map(|_| tokio::spawn(ask_on(service.clone(), Arc::clone(&is_over)))).collect::<Vec<_>>();
        let mut admin = sqlx::PgConnection::connect(&url).await.unwrap();

        // Cut off again and again, with batches on their way.
        for _ in 0..10 {
            sqlx::query(CUT).execute(&mut admin).await.unwrap();
            answered.until_one_is_done(&service).await;
        }

        // Those that Paystream has are cut, and others take every connection that the server has, until it is refused.
        let mut taken = Vec::new();
        for _ in 0..100 {
            sqlx::query(CUT).execute(&mut admin).await.unwrap();
            while let Ok(connection) = sqlx::PgConnection::connect(&url).await {
                taken.push(connection);
            }
        }
        assert!(taken.len() > 80, "{} connections were taken", taken.len());
        answered.until_refused(&server, &service).await;
        drop(taken);
        answered.until_one_is_done(&service).await;

        // The log's table is held for longer than a statement may take; what waited is refused or done, and nothing in between.
        let mut slow = sqlx::PgConnection::connect(&database_url).await.unwrap();
        sqlx::raw_sql("begin; lock table paystream_log.event in access exclusive mode").execute(&mut slow).await.unwrap();
        answered.until_refused(&server, &service).await;
        sqlx::raw_sql("rollback").execute(&mut slow).await.unwrap();
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            answered.0.extend(caller.await.unwrap());
        }
        answered.until_recovered(&server, &service).await;
        paid_order(&buyer).await;
        let orders = answered.0.iter().collect::<BTreeSet<_>>();
        assert_eq!(orders.len(), answered.0.len(), "no number was given twice");
        assert!(answered.0.len() > 20, "{} orders were no load", answered.0.len());
    });
}

/// Asks for one order after another; those that were answered.
async fn ask_on(service: Api, is_over: Arc<AtomicBool>) -> Vec<String> {
    let mut answered = Answered::default();
    while !is_over.load(Ordering::Relaxed) {
        let reply = answered.try_one(&service).await;
        assert!(matches!(reply.status, 201 | 503), "{reply}");
    }
    answered.0
}

#[test]
fn a_notice_that_cannot_be_stored_is_not_acknowledged_and_its_repeat_is() {
    run(async {
        let (mut server, _, _) = started(Disk::LimitedFiles).await;
        let buyer = server.buyer("alice");
        let order = open_order(&buyer).await;
        buyer.sandbox_pay(&order.pay_no, "never").await.expect(200);
        let notice = server.api().notification(&order.pay_no).await.encode();
        server.limit_files(Some(1));
        let refused = server.api().notify(notice.clone()).await;
        assert_ne!(refused.text(), "success", "{refused}");
        server.limit_files(None);
        eventually("the repeat is acknowledged", async || {
            let reply = server.api().notify(notice.clone()).await;
            if reply.text() == "success" { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
        buyer.until_order_is(&order.order_id, "paid").await;
    });
}
