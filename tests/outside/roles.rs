//! Two processes of each role on one Postgres: they start at once on nothing, each takes what its role takes, what one does
//! all others know, one half goes on when the other dies, and all are replaced under load without a failed request.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::Rng;
use serde_json::json;

use super::harness::audit::{assert_well_formed, count};
use super::harness::buyers::Buyers;
use super::harness::fleet::{Fleet, replace};
use super::harness::journey::business_order;
use super::harness::notice::assert_success;
use super::harness::poll::within;
use super::harness::random::unique;
use super::harness::{Api, PAID_COURSE, Paystream, eventually, run, workspace};

/// Within this time every process knows of a key or a revoked token.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// How long a new key rests in all processes before it is used.
const USED_WITHIN: Duration = Duration::from_secs(10);

/// Clients that buy during the replacement, one after another each.
const CLIENTS: usize = 6;

/// The same caller at another process.
fn at(server: &Paystream, caller: &Api) -> Api {
    server.api().with_token(caller.token().unwrap())
}

#[test]
fn two_processes_of_each_role_start_at_once_on_nothing_and_one_half_goes_on_without_the_other() {
    run(async {
        let mut fleet = Fleet::start("roles", &[]).await;
        for position in [buy(&fleet, 0, "alice").await, buy(&fleet, 1, "bob").await] {
            assert_seen_everywhere(&fleet, &position).await;
        }
        signing_out_at_one_is_known_everywhere(&fleet).await;
        each_takes_what_its_role_takes(&mut fleet).await;

        for half in [&mut fleet.projections, &mut fleet.process_managers, &mut fleet.command_apis, &mut fleet.query_apis] {
            half[0].kill9();
        }
        // Nobody says that it was paid: whoever drives orders now finds it by asking.
        let carol = fleet.command_apis[1].buyer("carol");
        let reader = at(&fleet.query_apis[1], &carol);
        let (order_id, pay_no) = ordered(&fleet.command_apis[1], "carol").await;
        fleet.sandbox.api().sandbox_pay(&pay_no, "never").await.expect(200);
        // The dead process's lease runs out first, and then the order's first rung has come.
        fleet.sandbox.api().advance_clock(Duration::from_secs(20)).await;
        reader.until_order_is(&order_id, "paid").await;
        reader.until_course_is_in_the_table(PAID_COURSE).await;
        for half in [&fleet.projections, &fleet.process_managers] {
            half[1].api().get("/readyz").send().await.expect(200);
        }
        let log = at(&fleet.query_apis[1], &fleet.query_apis[1].auditor()).events().await;
        assert_well_formed(&log);
        assert_eq!(count(&log, "PaymentConfirmed"), 3);
        assert_eq!(count(&log, "StockReceived"), 1, "the demo's stock came in once");
    });
}

/// Orders and asks for a code at one command-api process; order and pay number.
async fn ordered(server: &Paystream, buyer: &str) -> (String, String) {
    let buyer = server.buyer(buyer);
    let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    let order_id = buyer.order_selection(&selection_id).await.expect(201).field("order_id");
    let pay_no = buyer.pay_by_alipay_qr(&order_id).await.expect(201).field("pay_no");
    (order_id, pay_no)
}

/// A purchase that begins at one command-api process and ends at the other; the position of its last command.
async fn buy(fleet: &Fleet, first: usize, buyer: &str) -> String {
    let (here, there) = (&fleet.command_apis[first], &fleet.command_apis[1 - first]);
    let caller = here.buyer(buyer);
    let selection_id = caller.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    let order_id = at(there, &caller).order_selection(&selection_id).await.expect(201).field("order_id");
    let pay_no = caller.pay_by_alipay_qr(&order_id).await.expect(201).field("pay_no");
    at(there, &caller).pay_by_alipay_qr(&order_id).await.expect(200);
    fleet.sandbox.api().sandbox_pay(&pay_no, "never").await.expect(200);
    let notice = fleet.sandbox.api().notification(&pay_no).await.encode();
    assert_success(&there.api().notify(notice.clone()).await);
    assert_success(&here.api().notify(notice).await);
    let synced = caller.sync(&pay_no).await.expect(200);
    for query_api in &fleet.query_apis {
        let order = at(query_api, &caller).get(&format!("/api/v1/orders/{order_id}")).after(&synced.position()).send().await;
        assert_eq!(order.expect(200).json()["status"], "paid", "what was confirmed is read with its position everywhere");
    }
    synced.position()
}

/// A query with the position of a command is answered by every process once its views have it.
async fn assert_seen_everywhere(fleet: &Fleet, position: &str) {
    for query_api in &fleet.query_apis {
        query_api.buyer("alice").get("/api/v1/orders").after(position).send().await.expect(200);
    }
}

/// Alice signs in at one process and out at another.
async fn signing_out_at_one_is_known_everywhere(fleet: &Fleet) {
    let alice = fleet.command_apis[0].sign_in("alice").await;
    let me = |server: &Paystream| {
        let caller = at(server, &alice);
        async move { caller.post("/api/v1/course-selections", &json!({"course_id": "none"})).send().await.status }
    };
    for query_api in &fleet.query_apis {
        at(query_api, &alice).get("/api/v1/orders").send().await.expect(200);
    }
    for command_api in &fleet.command_apis {
        assert_ne!(me(command_api).await, 401);
    }
    let signed_out = at(&fleet.command_apis[1], &alice).call(reqwest::Method::DELETE, "/api/v1/sessions").send().await;
    assert!((200..300).contains(&signed_out.status), "{signed_out}");
    within(KNOWN_WITHIN, "the token is refused everywhere", async || {
        for query_api in &fleet.query_apis {
            let status = at(query_api, &alice).get("/api/v1/orders").send().await.status;
            if status != 401 {
                return Err(format!("{} answers {status}", query_api.api().base()));
            }
        }
        for command_api in &fleet.command_apis {
            let status = me(command_api).await;
            if status != 401 {
                return Err(format!("{} answers {status}", command_api.api().base()));
            }
        }
        Ok(())
    })
    .await;
}

/// A process without a role has none of that role's routes.
async fn each_takes_what_its_role_takes(fleet: &mut Fleet) {
    for (server, queries, commands) in [
        (&fleet.query_apis[0], true, false),
        (&fleet.command_apis[0], false, true),
        (&fleet.projections[0], false, false),
        (&fleet.process_managers[0], false, false),
    ] {
        let alice = server.buyer("alice");
        let reading = alice.get("/api/v1/points").send().await.status;
        assert_eq!(reading == 200, queries, "{} answers {reading} to a query", server.api().base());
        let writing = alice.post("/api/v1/course-selections", &json!({"course_id": "none"})).send().await.status;
        assert_eq!(!matches!(writing, 404 | 405) || commands, commands, "{} answers {writing} to a command", server.api().base());
        let body = server.api().get("/metrics").send().await.expect(200).text();
        let follows = body.contains("paystream_follower_lag_seconds{");
        assert_eq!(follows, !queries && !commands, "{}", server.api().base());
    }
}

#[test]
fn keys_that_change_are_known_everywhere_and_the_new_ones_are_used_a_little_later() {
    run(async {
        let fleet = Fleet::start("keys", &[]).await;
        let before = fleet.command_apis[0].buyer("alice");
        let body = business_order("alice", &unique("sealed"), 4_200);
        let service = fleet.command_apis[0].service();
        let link_before = service.post("/api/v1/orders", &body).send().await.expect(201).field("checkout_url");
        assert_eq!(sealed_by(&link_before), 1);

        // A new key to sign with, before the old one, and a new key to seal with.
        let old_tokens = std::fs::read_to_string(fleet.token_keys()).unwrap();
        let new_tokens = new_token_key(&fleet);
        replace(&fleet.token_keys(), &format!("{new_tokens}{old_tokens}"));
        let old_seals = std::fs::read_to_string(fleet.seal_keys()).unwrap();
        let new_seal: [u8; 32] = rand::rng().random();
        replace(&fleet.seal_keys(), &format!("{old_seals}2 {}\n", STANDARD.encode(new_seal)));

        let output = fleet.command_apis[0].run_subcommand(&["token", "--sub", "bob", "--role", "buyer"]);
        let token = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
        let after = fleet.command_apis[0].api().with_token(&token);
        known_everywhere(&fleet, &after, true).await;
        known_everywhere(&fleet, &before, true).await;

        // Whoever signs in gets a token of the new key after a while, and links are sealed with the new one, which all open.
        let new_key_id = key_id(&token);
        within(USED_WITHIN, "tokens are signed with the new key", async || {
            let signed = fleet.command_apis[1].sign_in("alice").await;
            let key_id = key_id(signed.token().unwrap());
            if key_id == new_key_id { Ok(()) } else { Err(key_id) }
        })
        .await;
        let service = at(&fleet.command_apis[1], &fleet.command_apis[0].api().with_token(&service_token(&fleet)));
        let link = within(USED_WITHIN, "links are sealed with the new key", async || {
            let body = business_order("alice", &unique("sealed"), 4_200);
            let link = service.post("/api/v1/orders", &body).send().await.expect(201).field("checkout_url");
            if sealed_by(&link) == 2 { Ok(link) } else { Err(link) }
        })
        .await;
        for link in [&link, &link_before] {
            let token = link.rsplit_once('/').unwrap().1;
            for command_api in &fleet.command_apis {
                command_api.api().get(&format!("/checkout/{token}")).send().await.expect(200);
            }
        }

        // The old key is taken away: what it signed is refused everywhere.
        replace(&fleet.token_keys(), &new_tokens);
        known_everywhere(&fleet, &before, false).await;
        known_everywhere(&fleet, &after, true).await;

        // A file that is no key leaves the keys as they were, and is told of.
        replace(&fleet.token_keys(), "nonsense");
        eventually("it is told of", async || {
            let said = fleet.query_apis[0].log_text();
            if said.contains("PAYSTREAM_TOKEN_KEY_FILE") { Ok(()) } else { Err(said) }
        })
        .await;
        known_everywhere(&fleet, &after, true).await;
    });
}

/// A token for a service, of the newest key.
fn service_token(fleet: &Fleet) -> String {
    let output = fleet.command_apis[0].run_subcommand(&["token", "--sub", "learning-centre", "--role", "service"]);
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// The text of a key file that nobody uses yet.
fn new_token_key(fleet: &Fleet) -> String {
    let folder = workspace::temporary("new-key");
    let made = std::process::Command::new(super::harness::binary::paystream())
        .args(["token", "--sub", "nobody", "--role", "buyer"])
        .env_clear()
        .env("PAYSTREAM_DATA", folder.path())
        .env("PAYSTREAM_LISTEN", "127.0.0.1:1")
        .current_dir(fleet.keys.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read_to_string(folder.path().join("keys/token.pem")).unwrap()
}

/// Every process takes, or refuses, the token soon.
async fn known_everywhere(fleet: &Fleet, caller: &Api, is_good: bool) {
    let started = Instant::now();
    for server in fleet.fronts() {
        let caller = at(server, caller);
        within(KNOWN_WITHIN.saturating_sub(started.elapsed()), "the key is known, or no longer", async || {
            let status = match server.api().get("/api/v1/points").send().await.status {
                // A query where there are queries, else a command.
                401 => caller.get("/api/v1/points").send().await.status,
                _ => caller.post("/api/v1/course-selections", &json!({"course_id": "none"})).send().await.status,
            };
            if (status != 401) == is_good { Ok(()) } else { Err(format!("{} answers {status}", server.api().base())) }
        })
        .await;
    }
}

/// The id of the key that signed a token.
fn key_id(token: &str) -> String {
    let head = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<serde_json::Value>(&head).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// The number of the key that sealed a link.
fn sealed_by(link: &str) -> u8 {
    URL_SAFE_NO_PAD.decode(link.rsplit_once('/').unwrap().1).unwrap()[0]
}

#[test]
fn all_that_buyers_reach_is_replaced_under_load_without_a_failed_request() {
    run(async {
        let mut fleet = Fleet::start("rolling", &[]).await;
        let buyers = Buyers::come(&fleet, CLIENTS);
        let rounds = if workspace::long() { 10 } else { 2 };
        let started = Instant::now();
        for _ in 0..rounds {
            for server in fleet.command_apis.iter_mut().chain(&mut fleet.query_apis) {
                server.terminate().await;
                server.restart().await;
            }
        }
        let bought = buyers.go().await;
        let seconds = started.elapsed().as_secs();
        assert!(bought.len() > CLIENTS, "the load was no load: {} orders", bought.len());
        let log = fleet.query_apis[0].auditor().events().await;
        assert_well_formed(&log);
        assert_eq!(count(&log, "OrderCreated"), bought.len(), "what was answered is what is stored");
        assert_eq!(count(&log, "PaymentConfirmed"), bought.len());
        assert_eq!(bought.values().collect::<BTreeSet<_>>().len(), bought.len(), "each has its own number");
        workspace::print_result(&format!(
            "{} restarts in {seconds} s under load: {} orders made, paid and seen, no request failed",
            rounds * 4,
            bought.len()
        ));
    });
}
