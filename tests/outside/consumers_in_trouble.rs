//! The consumers of Paystream itself on a real broker: what becomes of them when all that the broker had is lost, and of a
//! message that one of them cannot take.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::harness::journey::{OpenOrder, open_order, paid_order};
use super::harness::nats::NatsServer;
use super::harness::poll::within;
use super::harness::postgres::Database;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, Paystream, StoreKind, eventually, run, workspace};

/// A relay and a worker wait up to ten seconds between two looks at a broker in trouble.
const WHOLE_AGAIN_WITHIN: Duration = Duration::from_mins(2);

/// Somewhat longer than each wait between two tries of a message, before it waits for an operator.
const BETWEEN_TRIES_S: [u64; 5] = [2, 6, 31, 121, 301];

/// How many parts each consumer has.
const PARTS: u8 = 16;

/// A buyer has the course, once, and its points, once.
async fn has_course_and_points(buyer: &Api) -> Result<(), String> {
    match (buyer.course_rows(PAID_COURSE).await.len(), points(buyer).await) {
        (1, 1) => Ok(()),
        (rows, points) if rows > 1 || points > 1 => panic!("{rows} rows of the course table, {points} entries of points"),
        (rows, points) => Err(format!("{rows} rows of the course table, {points} entries of points")),
    }
}

async fn points(buyer: &Api) -> usize {
    let points = buyer.get("/api/v1/points").send().await.expect(200).json();
    points["entries"].as_array().unwrap().len()
}

#[test]
fn a_broker_that_lost_everything_leaves_every_consumer_whole_and_nothing_is_given_twice() {
    run(async {
        let mut nats = NatsServer::start().await;
        let config = Config::on(StoreKind::Postgres).with("PAYSTREAM_NATS", &nats.url());
        let server = Paystream::start_on("consumers-emptied", config, Some(Database::new().await)).await;
        let buyers: Vec<Api> = (0..6).map(|_| server.buyer(&unique("buyer"))).collect();
        let (before, meanwhile) = buyers.split_at(3);
        for buyer in before {
            paid_order(buyer).await;
            eventually("the course and the points are there", async || has_course_and_points(buyer).await).await;
        }
        nats.kill9();
        nats.wipe();
        for buyer in meanwhile {
            paid_order(buyer).await;
        }
        let began = Instant::now();
        nats.resume().await;
        for buyer in meanwhile {
            within(WHOLE_AGAIN_WITHIN, "the course and the points are there", async || has_course_and_points(buyer).await).await;
        }
        let seconds = began.elapsed().as_secs();
        // Everything comes to them once more, also what they had.
        let all = buyers.len() as u64;
        within(WHOLE_AGAIN_WITHIN, "each payment has come again", async || {
            let taken = taken_by(&nats, "points").await?;
            if taken >= all { Ok(()) } else { Err(format!("{taken} of {all}")) }
        })
        .await;
        for buyer in &buyers {
            has_course_and_points(buyer).await.unwrap();
        }
        workspace::print_result(&format!("consumers: whole {seconds} s after a broker that lost everything came back, {all} payments"));
    });
}

/// How many messages the parts of a consumer were given since the broker has it, once none is left to be given or acknowledged.
async fn taken_by(nats: &NatsServer, consumer: &str) -> Result<u64, String> {
    let stream = nats.jetstream().await.get_stream("PAYSTREAM").await.map_err(|error| error.to_string())?;
    let mut taken = 0;
    for part in 0..PARTS {
        let info = stream.consumer_info(format!("{consumer}-p{part:02}")).await.map_err(|error| error.to_string())?;
        if info.num_pending > 0 || info.num_ack_pending > 0 {
            return Err(format!("{} and {} are left in part {part}", info.num_pending, info.num_ack_pending));
        }
        taken += info.delivered.consumer_sequence;
    }
    Ok(taken)
}

/// What `paystream parked …` says.
fn parked(server: &Paystream, arguments: &[&str]) -> String {
    let output = server.run_subcommand(&[&["parked"], arguments].concat());
    assert!(output.status.success(), "parked {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn until_parked_says(server: &Paystream, words: &str) {
    eventually(&format!("it is told: {words}"), async || {
        let said = parked(server, &["list"]);
        if said.contains(words) { Ok(()) } else { Err(said) }
    })
    .await;
}

/// A statement on the tables, as somebody gives it who may do anything.
async fn run_sql(database: &str, statement: &str) {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn a_message_that_one_consumer_cannot_take_is_parked_and_taken_when_it_is_driven_again() {
    run(async {
        let nats = NatsServer::start().await;
        let database = Database::new().await;
        let url = database.url.clone();
        let config = Config::on(StoreKind::Postgres).with("PAYSTREAM_NATS", &nats.url());
        let server = Paystream::start_on("consumers-poison", config, Some(database)).await;
        let alice = server.buyer("alice");
        let order = open_order(&alice).await;
        eventually("the consumer has the selection", async || {
            let found = alice.get(&format!("/api/v1/course-selections/{}", order.selection_id)).send().await;
            if found.status == 200 { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
        // Of one consumer's tables a row is lost: it cannot take the payment, and nobody else minds.
        let table = "paystream_views.course_selection_view";
        let row = format!("where selection_id = '{}'", order.selection_id);
        run_sql(&url, &format!("create table kept as select * from {table} {row}; delete from {table} {row}")).await;
        alice.sandbox_pay(&order.pay_no, "once").await.expect(200);
        alice.until_order_is(&order.order_id, "paid").await;
        let id = format!("course_selections-{}", position_of_payment(&server, &order).await);
        until_parked_says(&server, &format!("{id}  waiting")).await;

        // Other consumers take it, and this one goes on with other orders.
        eventually("the points are there", async || if points(&alice).await == 1 { Ok(()) } else { Err("none".to_owned()) }).await;
        let bob = server.buyer("bob");
        paid_order(&bob).await;
        eventually("another's course and points are there", async || has_course_and_points(&bob).await).await;

        until_it_is_given_up(&server, &id).await;
        let shown = parked(&server, &["show", &id]);
        assert!(shown.contains(&format!("course selection {} is not known", order.selection_id)), "{shown}");
        assert!(alice.course_rows(PAID_COURSE).await.is_empty());

        run_sql(&url, &format!("insert into {table} select * from kept")).await;
        parked(&server, &["redrive", &id, "--reason", "the row is back"]);
        alice.until_course_is_in_the_table(PAID_COURSE).await;
        eventually("nothing is parked", async || {
            let said = parked(&server, &["list"]);
            if said.contains(&id) { Err(said) } else { Ok(()) }
        })
        .await;
        has_course_and_points(&alice).await.unwrap();
    });
}

/// Lets the time pass until it was tried as often as it is by itself.
async fn until_it_is_given_up(server: &Paystream, id: &str) {
    let given_up = format!("{id}  parked, {} tries", BETWEEN_TRIES_S.len() + 1);
    for wait_s in BETWEEN_TRIES_S {
        let before = parked(server, &["list"]);
        server.api().advance_clock(Duration::from_secs(wait_s)).await;
        eventually("it was tried again", async || {
            let said = parked(server, &["list"]);
            if said != before || said.contains(&given_up) { Ok(()) } else { Err(said) }
        })
        .await;
    }
    until_parked_says(server, &given_up).await;
}

/// Where in the log the order's payment lies.
async fn position_of_payment(server: &Paystream, order: &OpenOrder) -> String {
    let events = server.auditor().stream(&format!("order-{}", order.order_id)).await;
    let payment = events.iter().find(|event| event["type"] == "PaymentConfirmed").expect("it is paid");
    payment["position"].as_str().unwrap().to_owned()
}
