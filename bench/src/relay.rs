//! `bench relay`: the relay from a log on SQLite to JetStream, beside a bare publish of the same messages to the same server,
//! as many in flight, without expectations, order or a log.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use chassis::clock::{Clock, SystemClock};
use clap::Args;
use database::DatabaseUrl;
use event_store::{EventStore, ExpectedRevision, LogReader, Metadata, NewEvent, SqliteEventStore, StreamId, lineage};
use followers::Follower;
use followers::nats::STREAM;
use followers::relay::{IN_FLIGHT, JetStreamBroker, Relay, StreamDeclaration, header, subject_of};
use serde::Serialize;
use uuid::Uuid;

use crate::conditions::Conditions;
use crate::figures::{Hundredths, median, per_second};
use crate::nats::NatsServer;
use crate::process::own_cpu_time;
use crate::report::{self, Table};
use crate::trouble::{Doing, Trouble};

/// What of a bare publish is aimed at where each message is flushed.
const AIM: Hundredths = Hundredths(80);

/// How many events one order has here.
const EVENTS_OF_AN_ORDER: usize = 4;

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many events are published in a round.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    events: u32,
    /// How many rounds each of the two has; they take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    nats_server: String,
    events: u32,
    rounds: u32,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    sync_interval: &'static str,
    relay_messages_per_second: u64,
    bare_messages_per_second: u64,
    ratio_hundredths: Hundredths,
    aim_hundredths: Option<Hundredths>,
    /// What a message costs the publishing process on the cores, reading the log included.
    relay_cpu_nanos: u64,
    bare_cpu_nanos: u64,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let folder = tempfile::Builder::new().prefix("paystream-bench-").tempdir().doing("make a folder for the data")?;
    let conditions = Conditions::look(folder.path())?;
    report::say(&format!("{}\n", conditions.line()))?;
    let log = fill(folder.path(), options.events).await?;
    let (mut runs, mut version) = (Vec::new(), String::new());
    for sync_always in [false, true] {
        let server = NatsServer::start(folder.path(), sync_always).await?;
        version = server.version();
        let (mut relayed, mut bare) = (Vec::new(), Vec::new());
        let (mut relayed_cpu, mut bare_cpu) = (Vec::new(), Vec::new());
        for round in 0..options.rounds {
            for turn in [round % 2 == 0, round % 2 == 1] {
                let cpu_before = own_cpu_time()?;
                let elapsed = if turn { relay(&server, &log).await? } else { publish(&server, options.events).await? };
                let rate = per_second(options.events.into(), elapsed);
                let cpu = nanos_each(own_cpu_time()?.saturating_sub(cpu_before), options.events);
                if turn {
                    relayed.push(rate);
                    relayed_cpu.push(cpu);
                } else {
                    bare.push(rate);
                    bare_cpu.push(cpu);
                }
                server.nats.jetstream().delete_stream(STREAM).await.doing("delete the stream")?;
            }
        }
        server.stop().await?;
        let (relayed, bare) = (median(relayed), median(bare));
        runs.push(Run {
            sync_interval: if sync_always { "always" } else { "default" },
            relay_messages_per_second: relayed,
            bare_messages_per_second: bare,
            ratio_hundredths: Hundredths::of(relayed, bare),
            aim_hundredths: sync_always.then_some(AIM),
            relay_cpu_nanos: median(relayed_cpu),
            bare_cpu_nanos: median(bare_cpu),
        });
    }
    let results = Results { conditions, nats_server: version, events: options.events, rounds: options.rounds, runs };
    show(&results)?;
    report::keep(&options.output, "relay", &results)
}

fn show(results: &Results) -> Result<(), Trouble> {
    let mut table =
        Table::new(&["sync_interval", "relay messages/s", "bare publish messages/s", "ratio", "aim", "CPU µs a message, relay", "bare"]);
    for run in &results.runs {
        let aim = run.aim_hundredths.map(|aim| format!("{aim} {}", if run.ratio_hundredths >= aim { "reached" } else { "missed" }));
        table.row(vec![
            run.sync_interval.to_owned(),
            run.relay_messages_per_second.to_string(),
            run.bare_messages_per_second.to_string(),
            run.ratio_hundredths.to_string(),
            aim.unwrap_or_default(),
            (run.relay_cpu_nanos / 1_000).to_string(),
            (run.bare_cpu_nanos / 1_000).to_string(),
        ]);
    }
    report::say(&table.render())?;
    report::say(&format!(
        "nats-server {}, one replica; {} rounds of {} messages for each, in turns, {IN_FLIGHT} in flight",
        results.nats_server, results.rounds, results.events
    ))
}

fn nanos_each(cpu: Duration, events: u32) -> u64 {
    u64::try_from(cpu.as_nanos() / u128::from(events.max(1))).unwrap_or(u64::MAX)
}

/// What an event says here, about as long as a payment.
fn content(number: u32) -> String {
    format!(
        r#"{{"order_id":"72310000000{number:08}","order_type":"course","pay_no":"72310000000{number:08}01","text":"{}"}}"#,
        "x".repeat(200)
    )
}

/// A log of orders on SQLite.
async fn fill(folder: &Path, events: u32) -> Result<Arc<SqliteEventStore>, Trouble> {
    let clock = SystemClock::default();
    let url = DatabaseUrl::sqlite(folder.join("relay.db"));
    let log = SqliteEventStore::open(&url, Arc::new(move || clock.now()), "bench").await.doing("open the log on SQLite")?;
    let log = Arc::new(log);
    lineage::ensure(log.as_ref(), Uuid::now_v7()).await.doing("begin the log's lineage")?;
    let numbers: Vec<u32> = (0..events).collect();
    for orders in numbers.chunks(EVENTS_OF_AN_ORDER * 64) {
        let appends = orders.chunks(EVENTS_OF_AN_ORDER).map(|numbers| append_order(&log, numbers));
        futures_util::future::try_join_all(appends).await?;
    }
    Ok(log)
}

async fn append_order(log: &SqliteEventStore, numbers: &[u32]) -> Result<(), Trouble> {
    const TYPES: [&str; EVENTS_OF_AN_ORDER] = ["OrderCreated", "PayRecordIssued", "PaymentConfirmed", "OrderPaid"];
    let stream_id = order_stream(numbers.first().copied().unwrap_or_default())?;
    let events = numbers.iter().zip(TYPES).map(|(number, event_type)| NewEvent {
        event_id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        schema_version: domain::published::stored_shapes().find(|(name, _)| *name == event_type).map_or(1, |(_, today)| today),
        data: content(*number),
        metadata: Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: "bench".to_owned(), source: "bench".to_owned() },
    });
    log.append(&stream_id, ExpectedRevision::NoStream, events.collect()).await.doing("append to the log")?;
    Ok(())
}

fn order_stream(number: u32) -> Result<StreamId, Trouble> {
    StreamId::parse(&format!("order-72310000000{number:08}")).ok_or_else(|| Trouble::new("a stream has no name"))
}

/// How long the relay takes for the whole log.
async fn relay(server: &NatsServer, log: &Arc<SqliteEventStore>) -> Result<Duration, Trouble> {
    let broker = Arc::new(JetStreamBroker::new(server.nats.clone(), StreamDeclaration { replicas: 1 }));
    let reader = Arc::clone(log) as Arc<dyn LogReader>;
    let relay = Relay::new(reader, broker, Arc::new(SystemClock::default()));
    let started = Instant::now();
    while !relay.run_once().await.doing("publish the log")?.caught_up {}
    Ok(started.elapsed())
}

/// How long the messages take without a relay.
async fn publish(server: &NatsServer, events: u32) -> Result<Duration, Trouble> {
    let jetstream = server.nats.jetstream();
    jetstream.create_stream(StreamDeclaration { replicas: 1 }.config()).await.doing("make the stream")?;
    let lineage = Uuid::now_v7().to_string();
    let mut in_flight = VecDeque::new();
    let started = Instant::now();
    for number in 0..events {
        if in_flight.len() >= IN_FLIGHT
            && let Some(oldest) = in_flight.pop_front()
        {
            let oldest: async_nats::jetstream::context::PublishAckFuture = oldest;
            oldest.await.doing("wait for an acknowledgement")?;
        }
        let stream_id = order_stream(number)?;
        let mut headers = HeaderMap::new();
        for name in [header::CE_ID, header::CE_TYPE, header::CE_SOURCE, header::CE_SUBJECT, header::CE_TIME, header::CE_SPECVERSION] {
            headers.insert(name, lineage.as_str());
        }
        for name in [header::POSITION, header::STREAM, header::REVISION, header::LINEAGE] {
            headers.insert(name, lineage.as_str());
        }
        let subject = subject_of("order", "OrderPaid", "course", &stream_id);
        let message = PublishMessage::build().headers(headers).payload(content(number).into());
        in_flight.push_back(jetstream.send_publish(subject, message).await.doing("publish a message")?);
    }
    for waiting in in_flight {
        waiting.await.doing("wait for an acknowledgement")?;
    }
    Ok(started.elapsed())
}
