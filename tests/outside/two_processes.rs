//! Two processes on one Postgres, and a sandbox of its own beside them: both take every request, what one has begun the
//! other goes on with, one at a time does the upkeep, and the death of one leaves the other working.

use sqlx::{Connection, PgConnection};

use super::harness::audit::{assert_well_formed, count, types};
use super::harness::journey::open_order;
use super::harness::notice::assert_success;
use super::harness::postgres::Database;
use super::harness::{Api, Config, PAID_COURSE, Paystream, Reply, StoreKind, eventually, run};

/// A process with all roles but the sandbox.
const WITHOUT_SANDBOX: &[&str] = &["serve", "--roles", "command-api,query-api,projections,process-managers"];

const ONLY_SANDBOX: &[&str] = &["serve", "--roles", "sandbox"];

/// The processes, which know nothing of each other but the database and the sandbox.
struct Pair {
    sandbox: Paystream,
    first: Paystream,
    second: Paystream,
    database_url: String,
}

impl Pair {
    async fn start() -> Self {
        let sandbox = Paystream::start("pair-sandbox", Config::in_roles(ONLY_SANDBOX)).await;
        let database = Database::new().await;
        let database_url = database.url.clone();
        let config = Config { store: StoreKind::Postgres, ..Config::in_roles(WITHOUT_SANDBOX) };
        let config = config.with("PAYSTREAM_SANDBOX_URL", sandbox.api().base());
        let first = Paystream::start_on("pair-first", config, Some(database)).await;
        // Keys are brought to each process by whoever runs it.
        let keys = first.data_folder().join("keys");
        let mut second = Config::in_roles(WITHOUT_SANDBOX)
            .with("PAYSTREAM_SANDBOX_URL", sandbox.api().base())
            .with("PAYSTREAM_TOKEN_KEY_FILE", keys.join("token.pem").to_str().unwrap())
            .with("PAYSTREAM_SEAL_KEYS_FILE", keys.join("seal.keys").to_str().unwrap());
        for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
            second = second.with(variable, &database_url);
        }
        let second = Paystream::start("pair-second", second).await;
        Self { sandbox, first, second, database_url }
    }

    /// Who does the upkeep now, by its address. A holder is named by address and host: `http://127.0.0.1:8080 on host`.
    async fn upkeep_holder(&self) -> String {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        let sql = "select holder from paystream_state.lease where name = 'order_upkeep'";
        let holders: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        assert_eq!(holders.len(), 1, "{holders:?}");
        let (address, host) = holders[0].split_once(" on ").expect("an address and a host");
        assert!(!host.is_empty(), "{holders:?}");
        address.to_owned()
    }

    /// An order of `buyer`'s that is paid at the channel, of which nobody tells us; it is found by asking.
    async fn pay_unannounced(&self, buyer: &Api) -> String {
        let order = open_order(buyer).await;
        self.sandbox.api().sandbox_pay(&order.pay_no, "never").await.expect(200);
        buyer.until_order_is(&order.order_id, "paid").await;
        order.order_id
    }
}

/// The same caller at another process.
fn at(server: &Paystream, caller: &Api) -> Api {
    server.api().with_token(caller.token().unwrap())
}

async fn assert_paid_once(auditor: &Api, order_id: &str) {
    let events = auditor.stream(&format!("order-{order_id}")).await;
    for event_type in ["OrderCreated", "PayRecordIssued", "PaymentConfirmed", "OrderPaid"] {
        assert_eq!(count(&events, event_type), 1, "{event_type}: {:?}", types(&events));
    }
    assert_eq!(count(&events, "SurplusPaymentReceived"), 0, "{:?}", types(&events));
}

/// The answer of `call` as soon as the view of the process that is asked has what it reads.
async fn seen(call: impl Fn() -> super::harness::api::Call) -> Reply {
    eventually("the view has it", async || {
        let reply = call().send().await;
        if reply.status == 200 { Ok(reply) } else { Err(reply.to_string()) }
    })
    .await
}

#[test]
fn what_one_process_begins_the_other_goes_on_with_and_the_death_of_one_leaves_the_other_working() {
    run(async {
        let mut pair = Pair::start().await;
        let alice = pair.first.buyer("alice");
        let auditor = at(&pair.second, &pair.first.auditor());

        // Ordered at the one, paid through a notice at the other, and both show it.
        let order = open_order(&alice).await;
        let elsewhere = at(&pair.second, &alice);
        let selection_id = order.selection_id.clone();
        elsewhere.order_selection(&selection_id).await.expect(200);
        let checkout = order.checkout_url.replace(pair.first.api().base(), pair.second.api().base());
        pair.second.api().get(&checkout).send().await.expect(200);
        pair.sandbox.api().sandbox_pay(&order.pay_no, "never").await.expect(200);
        let notice = pair.sandbox.api().notification(&order.pay_no).await.encode();
        assert_success(&pair.second.api().notify(notice.clone()).await);
        assert_success(&pair.first.api().notify(notice).await);
        for caller in [&alice, &elsewhere] {
            caller.until_order_is(&order.order_id, "paid").await;
            caller.until_course_is_in_the_table(PAID_COURSE).await;
        }
        assert_paid_once(&auditor, &order.order_id).await;

        // The same key at both is one order.
        let service = pair.first.service();
        let twins = [service.clone(), at(&pair.second, &service)].map(|service| {
            let body = super::harness::journey::business_order("alice", "evening-1", 4_200);
            tokio::spawn(service.post("/api/v1/orders", &body).key("twins").send())
        });
        let mut made = Vec::new();
        for twin in twins {
            let reply = twin.await.unwrap();
            match reply.status {
                200 | 201 => made.push(reply.field("order_id")),
                _ => drop(reply.expect_problem(409, "idempotency_in_progress")),
            }
        }
        made.dedup();
        assert_eq!(made.len(), 1, "{made:?}");

        // One of them asks the channel about what nobody announced.
        let bob = at(&pair.second, &pair.first.buyer("bob"));
        let found = pair.pay_unannounced(&bob).await;
        assert_paid_once(&auditor, &found).await;
        let holder = pair.upkeep_holder().await;
        let is_first = holder == pair.first.api().base();
        assert!(is_first || holder == pair.second.api().base(), "{holder} is neither");

        // That one dies.
        let carol_token = pair.first.buyer("carol");
        if is_first {
            pair.first.kill9();
        } else {
            pair.second.kill9();
        }
        let survivor = if is_first { &pair.second } else { &pair.first };
        let (carol, auditor) = (at(survivor, &carol_token), at(survivor, &auditor));
        seen(|| at(survivor, &alice).get(&format!("/api/v1/orders/{}", order.order_id))).await;
        let found = pair.pay_unannounced(&carol).await;
        assert_paid_once(&auditor, &found).await;
        carol.until_course_is_in_the_table(PAID_COURSE).await;
        assert_eq!(pair.upkeep_holder().await, survivor.api().base());
        survivor.api().get("/readyz").send().await.expect(200);
        assert_well_formed(&auditor.events().await);
    });
}
