//! The whole way over a real nats-server: log, relay, stream, durable consumers.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;

use super::broker::{Orders, payments};
use super::*;
use crate::JetStreamFeed;
use crate::nats::{Connection, Nats, NatsUrl, STREAM};
use crate::relay::{JetStreamBroker, Relay, StreamDeclaration, part_of};

/// How long the server may take for anything.
const LIMIT: Duration = Duration::from_secs(20);

/// A server of a test's own, ended with it.
struct Server {
    process: Child,
    url: String,
    _store: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let program = std::env::var_os("PAYSTREAM_TEST_NATS_SERVER_BIN").filter(|program| std::path::Path::new(program).is_file());
        let program = program.expect("PAYSTREAM_TEST_NATS_SERVER_BIN names no nats-server: start the tests through ./test");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let store = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"]).arg(store.path());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { process, url: format!("nats://127.0.0.1:{port}"), _store: store }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

struct Way {
    server: Server,
    orders: Orders,
    nats: Nats,
    relay: Relay,
    effect: Arc<Taking>,
    clock: Arc<ManualClock>,
}

impl Way {
    async fn new() -> Self {
        let server = Server::start();
        let nats = Nats::connect(&NatsUrl::parse(&server.url).unwrap(), "test").await.unwrap();
        let begun = Instant::now();
        while nats.connection() != Connection::Ready {
            assert!(begun.elapsed() < LIMIT, "nats-server does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (orders, clock) = (Orders::new().await, Arc::new(ManualClock::new(at(100))));
        let broker = Arc::new(JetStreamBroker::new(nats.clone(), StreamDeclaration { replicas: 1 }));
        let relay = Relay::new(orders.reader(), broker, Arc::clone(&clock) as _);
        Self { server, orders, nats, relay, effect: Taking::in_memory(), clock }
    }

    async fn relay(&self) {
        let begun = Instant::now();
        // Time goes on, so that it looks whether the stream is as it left it.
        self.clock.advance(TimeDelta::seconds(10));
        while !matches!(self.relay.run_once().await, Ok(progress) if progress.caught_up) {
            assert!(begun.elapsed() < LIMIT, "{:?}", self.relay.trouble());
        }
    }

    fn worker(&self, part: Part) -> Consumer<Taking> {
        let feed = JetStreamFeed::new(self.nats.clone(), "taking", payments(), part);
        Consumer::new(Arc::new(feed), Arc::clone(&self.effect), Arc::clone(&self.clock) as _)
    }

    /// Runs the worker of the order's part until so many are taken in all.
    async fn consume(&self, worker: &Consumer<Taking>, count: usize) {
        let begun = Instant::now();
        while self.effect.taken().await.len() < count {
            assert!(begun.elapsed() < LIMIT, "{:?}", self.effect.taken().await);
            if let Err(error) = worker.run_once().await {
                assert!(matches!(error, FollowerError::Work(_)), "{error:?}");
            }
        }
    }

    async fn info(&self, part: Part) -> jetstream::consumer::Info {
        let stream = self.nats.jetstream().get_stream(STREAM).await.unwrap();
        stream.consumer_info(format!("taking-{part}")).await.unwrap()
    }
}

fn part_of_order(number: u128) -> Part {
    part_of(&StreamId::parse(&format!("order-{number}")).unwrap())
}

/// Orders of one part.
fn of_one_part(count: usize) -> (Part, Vec<u128>) {
    let part = part_of_order(1);
    (part, (1..).filter(|number| part_of_order(*number) == part).take(count).collect())
}

#[tokio::test]
async fn each_message_of_a_part_is_taken_once_in_order_and_acknowledged() {
    let way = Way::new().await;
    let (part, numbers) = of_one_part(5);
    let worker = way.worker(part);
    assert!(worker.run_once().await.is_err(), "there is no stream yet");
    for number in 1..=*numbers.last().unwrap() {
        way.orders.paid(number).await;
    }
    way.relay().await;
    way.consume(&worker, 5).await;
    let expected: Vec<String> = numbers.iter().map(|number| format!("order-{number}/1")).collect();
    assert_eq!(way.effect.taken().await, expected);
    assert_eq!(worker.run_once().await.unwrap().applied, 0);
    let info = way.info(part).await;
    assert_eq!((info.num_ack_pending, info.num_pending, info.config.max_ack_pending), (0, 0, 256));
    assert_eq!(info.config.filter_subjects, [format!("paystream.v1.order.OrderPaid.*.{part}")]);
    // Another worker goes on where this one was, as after a restart.
    way.orders.paid(numbers[4] + 1_000_000).await;
    way.relay().await;
    let other = way.worker(part);
    other.run_once().await.unwrap();
    assert_eq!(way.info(part).await.num_ack_pending, 0);
}

#[tokio::test]
async fn after_the_stream_was_lost_everything_comes_again_and_nothing_is_done_twice() {
    let way = Way::new().await;
    let (part, numbers) = of_one_part(4);
    let worker = way.worker(part);
    for number in &numbers[..3] {
        way.orders.paid(*number).await;
    }
    way.relay().await;
    way.consume(&worker, 3).await;
    way.nats.jetstream().delete_stream(STREAM).await.unwrap();
    way.orders.paid(numbers[3]).await;
    way.relay().await;
    way.consume(&worker, 4).await;
    assert_eq!(way.effect.taken().await, numbers.iter().map(|number| format!("order-{number}/1")).collect::<Vec<_>>());
    while way.info(part).await.ack_floor.stream_sequence < 4 {
        worker.run_once().await.unwrap();
    }
    assert_eq!((way.info(part).await.num_ack_pending, way.effect.taken().await.len()), (0, 4));
}

#[tokio::test]
async fn what_was_not_taken_comes_again_and_counts_its_deliveries() {
    let way = Way::new().await;
    let (part, numbers) = of_one_part(1);
    way.orders.paid(numbers[0]).await;
    way.relay().await;
    let feed = JetStreamFeed::new(way.nats.clone(), "taking", payments(), part);
    let first = feed.batch(Position::START, 10).await.unwrap();
    assert_eq!((first.messages.len(), first.messages[0].deliveries, first.reached), (1, 1, None));
    let message = &first.messages[0];
    assert_eq!((message.event.stream_id.to_string(), message.event.revision), (format!("order-{}", numbers[0]), 1));
    assert_eq!((message.event.event_type.as_str(), message.event.schema_version), ("OrderPaid", 1));
    assert_eq!(message.link.as_ref().unwrap().previous, None);
    feed.nak(message.receipt, TimeDelta::milliseconds(50)).await.unwrap();
    let again = feed.batch(Position::START, 10).await.unwrap();
    assert_eq!((again.messages.len(), again.messages[0].deliveries), (1, 2));
    assert_eq!(again.messages[0].event, message.event);
    feed.ack(&[again.messages[0].receipt]).await.unwrap();
    assert_eq!(feed.batch(Position::START, 10).await.unwrap().messages, []);
    // What is no longer known is passed over.
    feed.ack(&[99]).await.unwrap();
    feed.nak(99, TimeDelta::zero()).await.unwrap();
    assert_eq!(feed.lag(Position::START).await.unwrap().events, 0);
}

#[tokio::test]
async fn a_message_that_is_none_of_ours_is_told() {
    let way = Way::new().await;
    way.relay().await;
    let part = part_of_order(1);
    let subject = format!("paystream.v1.order.OrderPaid.course.{part}");
    way.nats.jetstream().publish(subject.clone(), "{}".into()).await.unwrap().await.unwrap();
    let feed = JetStreamFeed::new(way.nats.clone(), "taking", payments(), part);
    let told = feed.batch(Position::START, 10).await;
    assert!(matches!(&told, Err(MessageFeedError::Foreign { subject: named, .. }) if *named == subject), "{told:?}");
}

#[tokio::test]
async fn without_a_server_a_question_is_answered_soon() {
    let mut way = Way::new().await;
    way.relay().await;
    let worker = way.worker(part_of_order(1));
    worker.run_once().await.unwrap();
    way.server.process.kill().unwrap();
    let begun = Instant::now();
    while worker.run_once().await.is_ok() {
        assert!(begun.elapsed() < LIMIT);
    }
}
