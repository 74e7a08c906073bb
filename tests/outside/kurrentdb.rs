//! The program with its log in KurrentDB: against a stand-in of the server, so this is about the program and proves nothing of
//! KurrentDB itself.

use std::process::Command;

use kurrentdb_stand_in::StandIn;
use yaml_rust2::YamlLoader;

use super::harness::journey::{create_business_order, paid_order};
use super::harness::nats::NatsServer;
use super::harness::random::unique;
use super::harness::server::StoreKind;
use super::harness::workspace::{self, root};
use super::harness::{Config, Paystream, binary, eventually, run};

fn on(stand_in: &StandIn) -> Config {
    Config { has_broker: false, ..Config::on(StoreKind::Embedded) }.with("PAYSTREAM_EVENT_STORE", &stand_in.url("paystream-"))
}

#[test]
fn an_order_is_paid_and_stays_so_over_a_restart() {
    run(async {
        let stand_in = StandIn::start();
        let mut server = Paystream::start("kurrentdb", on(&stand_in)).await;
        let order = paid_order(&server.buyer("alice")).await;
        let before = server.auditor().order_event_types(&order.order_id).await;
        assert!(before.iter().any(|name| name == "PaymentConfirmed"), "{before:?}");
        assert!(!server.data_folder().join("log.db").exists(), "the log is not embedded");
        server.terminate().await;
        server.restart().await;
        server.buyer("alice").until_order_is(&order.order_id, "paid").await;
        assert_eq!(server.auditor().order_event_types(&order.order_id).await, before);
        assert!(stand_in.events("paystream-order-") >= before.len());
    });
}

/// The orders of PaymentConfirmed in the stream.
async fn confirmed(nats: &NatsServer) -> usize {
    nats.messages().await.iter().filter(|message| message.subject.contains(".PaymentConfirmed.")).count()
}

#[test]
fn what_is_paid_after_a_restart_reaches_the_broker_too() {
    run(async {
        let (stand_in, nats) = (StandIn::start(), NatsServer::start().await);
        let mut server = Paystream::start("kurrentdb-nats", on(&stand_in).with("PAYSTREAM_NATS", &nats.url())).await;
        for paid in 1..=2 {
            paid_order(&server.buyer(&unique("buyer"))).await;
            eventually("the payment is published", async || {
                let count = confirmed(&nats).await;
                if count == paid { Ok(()) } else { Err(format!("{count} of {paid}")) }
            })
            .await;
            server.terminate().await;
            server.restart().await;
        }
    });
}

#[test]
fn a_server_that_is_away_is_named_and_everything_goes_on_when_it_is_back() {
    run(async {
        let stand_in = StandIn::start();
        let server = Paystream::start("kurrentdb-away", on(&stand_in)).await;
        let service = server.service();
        create_business_order(&service, "member-1", &unique("before")).await.expect(201);
        stand_in.go_down();
        eventually("/readyz names the log", async || {
            let reply = server.api().get("/readyz").send().await;
            if reply.status == 503 && reply.text().contains("log") { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
        create_business_order(&service, "member-1", &unique("away")).await.expect(503);
        server.api().get("/healthz").send().await.expect(200);
        stand_in.come_up();
        let business_id = unique("after");
        eventually("a command is done again", async || {
            let reply = create_business_order(&service, "member-1", &business_id).await;
            if reply.status < 300 { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
        eventually("/readyz answers 200 again", async || {
            let reply = server.api().get("/readyz").send().await;
            if reply.status == 200 { Ok(()) } else { Err(reply.to_string()) }
        })
        .await;
    });
}

#[test]
fn the_doctor_asks_it() {
    let stand_in = StandIn::start();
    let folder = workspace::temporary("kurrentdb-doctor");
    let paystream = |arguments: &[&str]| {
        let mut command = Command::new(binary::paystream());
        let command = command.env_clear().current_dir(folder.path());
        let output = command.env("PAYSTREAM_EVENT_STORE", stand_in.url("paystream-")).args(arguments).output().unwrap();
        (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (_, said) = paystream(&["doctor"]);
    assert!(!said.contains("PAYSTREAM_EVENT_STORE"), "{said}");
    stand_in.go_down();
    let (is_well, said) = paystream(&["doctor"]);
    assert!(!is_well && said.contains("wrong  PAYSTREAM_EVENT_STORE: kurrentdb://127.0.0.1:"), "{said}");
}

#[test]
fn its_tables_are_none_and_migrate_makes_the_others() {
    let stand_in = StandIn::start();
    let folder = workspace::temporary("kurrentdb-migrate");
    let mut command = Command::new(binary::paystream());
    let command = command.env_clear().current_dir(folder.path()).env("PAYSTREAM_EVENT_STORE", stand_in.url("paystream-"));
    let output = command.arg("migrate").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("data/state.db").exists() && !folder.path().join("data/log.db").exists());
}

/// docker/kurrentdb.yml: what it changes of docker-compose.yml is taken by the program, and names what is there.
#[test]
fn the_containers_configuration_is_taken_by_the_program() {
    let read = |name: &str| YamlLoader::load_from_str(&std::fs::read_to_string(root().join(name)).unwrap()).unwrap().remove(0);
    let (base, change) = (read("docker-compose.yml"), read("docker/kurrentdb.yml"));
    let mut changed = 0;
    for (name, service) in change["services"].as_hash().unwrap() {
        let name = name.as_str().unwrap();
        assert!(!base["services"][name].is_badvalue(), "{name} is no service of docker-compose.yml");
        let Some(url) = service["environment"]["PAYSTREAM_EVENT_STORE"].as_str() else { continue };
        assert!(url.starts_with("kurrentdb://kurrentdb:2113"), "{url}");
        let folder = workspace::temporary("kurrentdb-compose");
        let mut command = Command::new(binary::paystream());
        let command = command.env_clear().current_dir(folder.path()).env("PAYSTREAM_EVENT_STORE", url);
        let output = command.args(["serve", "--check"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        changed += 1;
    }
    let ours = base["services"].as_hash().unwrap().iter().filter(|(name, service)| {
        let wants_log = name.as_str() != Some("sandbox");
        wants_log && service["command"].as_vec().is_some_and(|words| ["serve", "migrate", "doctor"].contains(&words[0].as_str().unwrap()))
    });
    assert_eq!(changed, ours.count(), "every service that opens the log has it there");
    let text = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    assert!(text.contains("--features kurrentdb"), "the image can use KurrentDB");
}
