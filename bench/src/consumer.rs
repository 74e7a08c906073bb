//! `bench consumer`: messages that a real consumer takes in a second, beside a bare pull and acknowledgement of the same
//! messages of the same server, without effect, order or memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use clap::Args;
use database::values;
use followers::nats::STREAM;
use followers::{ACK_WAITS, PAGE_EVENTS, Part};
use futures_util::StreamExt;
use projections::{ConsumerProjector, Points, Projector};
use serde::Serialize;

use crate::append::Store;
use crate::broker::{self, Tally, Works};
use crate::conditions::Conditions;
use crate::figures::{Hundredths, median, per_second};
use crate::nats::NatsServer;
use crate::place::{self, Ground, Log};
use crate::postgres::PostgresServer;
use crate::report::{self, Table};
use crate::story::Story;
use crate::trouble::{Doing, Trouble};

/// What the bare one's durable consumers are called.
const BARE: &str = "bare";

/// How many messages of one consumer may be without an answer, as for the program's own.
const MAX_ACK_PENDING: i64 = 256;

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the consumer keeps its tables.
    #[arg(long = "store", value_enum, default_values_t = [Store::Sqlite, Store::Postgres])]
    stores: Vec<Store>,
    /// How many messages there are for the consumer; the stream holds six times as many.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    messages: u32,
    /// How many rounds each has; they take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where the data lie while it runs; nothing says: the system's folder for temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    nats_server: String,
    messages: u32,
    rounds: u32,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    store: Store,
    consumer_messages_per_second: u64,
    consumer_rounds: Vec<u64>,
    bare_messages_per_second: u64,
    bare_rounds: Vec<u64>,
    ratio_hundredths: Hundredths,
}

/// Runs it. Errors: among others, a consumer whose tables are not what the messages say.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let (folder, conditions) = Conditions::begin(options.folder.as_deref())?;
    let needs_server = options.stores.contains(&Store::Postgres);
    let server = if needs_server { Some(PostgresServer::start(folder.path()).await?) } else { None };
    let nats = NatsServer::start(folder.path(), true).await?;
    let log = Log::open(Ground::Sqlite(folder.path()).database("consumer_log").await?).await?;
    Story::new(log.store())?.tell(0..options.messages).await?;
    broker::publish(&broker::relay(&nats, &log)).await?;
    let mut runs = Vec::new();
    for store in &options.stores {
        let ground = Ground::of(*store, folder.path(), server.as_ref())?;
        let (mut real, mut bare) = (Vec::new(), Vec::new());
        for round in 0..options.rounds {
            for turn in [round % 2 == 0, round % 2 == 1] {
                let elapsed = if turn {
                    consume(&nats, &log, ground, round, options.messages).await?
                } else {
                    pull_and_acknowledge(&nats, options.messages).await?
                };
                let rates = if turn { &mut real } else { &mut bare };
                rates.push(per_second(options.messages.into(), elapsed));
            }
        }
        let (rate, bare_rate) = (median(real.clone()), median(bare.clone()));
        runs.push(Run {
            store: *store,
            consumer_messages_per_second: rate,
            consumer_rounds: real,
            bare_messages_per_second: bare_rate,
            bare_rounds: bare,
            ratio_hundredths: Hundredths::of(rate, bare_rate),
        });
    }
    log.shutdown().await;
    let nats_server = nats.version();
    nats.stop().await?;
    if let Some(server) = server {
        server.stop().await?;
    }
    let results = Results { conditions, nats_server, messages: options.messages, rounds: options.rounds, runs };
    show(&results)?;
    report::keep(&options.output, "consumer", &results)
}

fn show(results: &Results) -> Result<(), Trouble> {
    let mut table = Table::new(&["tables on", "consumer messages/s", "rounds", "bare pull and ack messages/s", "rounds", "ratio"]);
    let span = |rounds: &[u64]| format!("{}–{}", rounds.iter().min().unwrap_or(&0), rounds.iter().max().unwrap_or(&0));
    for run in &results.runs {
        table.row(vec![
            run.store.name().to_owned(),
            run.consumer_messages_per_second.to_string(),
            span(&run.consumer_rounds),
            run.bare_messages_per_second.to_string(),
            span(&run.bare_rounds),
            run.ratio_hundredths.to_string(),
        ]);
    }
    report::say(&table.render())?;
    report::say(&format!(
        "nats-server {}, sync_interval always; the consumer of points, {} parts at once in one process; {} rounds of {} messages for each, in turns",
        results.nats_server,
        Part::all().count(),
        results.rounds,
        results.messages
    ))
}

/// How long the consumer of points takes for all messages, beginning with empty tables.
async fn consume(nats: &NatsServer, log: &Log, ground: Ground<'_>, round: u32, messages: u32) -> Result<Duration, Trouble> {
    let views = place::views(&ground.database(&format!("consumer_views_{round}")).await?).await?;
    let state = place::leases(&ground.database(&format!("consumer_state_{round}")).await?).await?;
    let workers = broker::of_name(broker::consumers(nats, log, &views, &state).workers, Points::NAME);
    let mut works = Works::of(workers);
    let elapsed = works.until(messages.into()).await?;
    works.end().await;
    let (entries,): (i64,) = views.fetch_one("select count(*) from point_entry_view", values![]).await.doing("count points")?;
    let (parked,): (i64,) = views.fetch_one("select count(*) from parked_message", values![]).await.doing("count parked messages")?;
    views.close().await;
    state.close().await;
    broker::forget(nats, Points::NAME).await?;
    if (entries, parked) != (messages.into(), 0) {
        return Err(Trouble::new(format!("{entries} entries of points of {messages} payments, {parked} parked messages")));
    }
    Ok(elapsed)
}

/// How long it takes to pull and acknowledge all messages of the same subjects, part by part at once, as many at a time.
async fn pull_and_acknowledge(nats: &NatsServer, messages: u32) -> Result<Duration, Trouble> {
    let mut works = Works::begin();
    for part in Part::all() {
        let config = pull::Config {
            durable_name: Some(format!("{BARE}-{part}")),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAITS[0],
            backoff: ACK_WAITS.to_vec(),
            max_ack_pending: MAX_ACK_PENDING,
            filter_subjects: Points::subjects().iter().map(|filter| filter.subject(part)).collect(),
            ..pull::Config::default()
        };
        let jetstream = nats.nats.jetstream().clone();
        works.other(|tally| pull(jetstream, config, tally));
    }
    let elapsed = works.until(messages.into()).await?;
    works.end().await;
    broker::forget(nats, BARE).await?;
    Ok(elapsed)
}

async fn pull(jetstream: async_nats::jetstream::Context, config: pull::Config, tally: Arc<Tally>) -> Result<(), Trouble> {
    let consumer = jetstream.create_consumer_on_stream(config, STREAM).await.doing("make a consumer")?;
    loop {
        let mut there = consumer.fetch().max_messages(PAGE_EVENTS).messages().await.doing("ask for messages")?;
        let mut pulled = Vec::new();
        while let Some(message) = there.next().await {
            pulled.push(message.doing("pull a message")?);
        }
        if pulled.is_empty() {
            // All that is left is on its way elsewhere.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        for message in &pulled {
            message.ack().await.doing("acknowledge a message")?;
        }
        tally.add(pulled.len());
    }
}
