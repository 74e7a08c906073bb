//! `bench join`: a consumer that comes when the stream holds a million events reads all of them, in order for each order, while
//! buyers buy and the consumers that were there go on as before.

#[cfg(test)]
mod tests;
mod watched;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::clock::SystemClock;
use clap::Args;
use database::{Area, Database, values};
use event_store::Position;
use followers::nats::STREAM;
use followers::{Consumer, Follower, JetStreamFeed, Part, run_forever};
use projections::{ConsumerProjector, Consumption, Points, Projector, SqlViewStore};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::append::Store;
use crate::broker::{self, Works};
use crate::conditions::Conditions;
use crate::figures::{Hundredths, Latencies, Ms, Percentiles, per_second};
use crate::nats::NatsServer;
use crate::place::{self, Ground, Log};
use crate::postgres::PostgresServer;
use crate::report::{self, Table};
use crate::story::{EVENTS_OF_AN_ORDER, EVENTS_OF_ITS_STREAM, Story};
use crate::trouble::{Doing, Trouble};
use watched::Watched;
use witness::{Seen, Witness};

/// How the proof is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many events the log holds before the new consumer comes.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(600..=100_000_000))]
    events: u32,
    /// Where the log and the consumers' tables lie.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// How many orders come in a second before and while the new consumer reads.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    orders_per_second: u32,
    /// How long the others are watched before it comes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds_before: u64,
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
    store: Store,
    orders_per_second: u32,
    proof: Proof,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Proof {
    /// Events that the log took in a second while it was filled.
    appended_per_second: u64,
    /// Messages that the relay published in a second.
    published_per_second: u64,
    /// Events that lay in the stream when the new consumer came.
    events_before: u64,
    /// Of these it took so many in a second.
    taken_per_second: u64,
    taken_in_ms: u64,
    /// All events of the log, the orders that came meanwhile included; it has each once.
    events_in_all: u64,
    /// From a payment in the log to its points, of the consumer that was there before: before the new one came, and while it read.
    others_before: Percentiles,
    others_meanwhile: Percentiles,
    /// Messages that came to the others more than once.
    redelivered_to_others: u64,
}

/// Runs it. Errors: among others, whatever the new consumer did not get, or got out of order, and whatever became of the others.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let (folder, conditions) = Conditions::begin(options.folder.as_deref())?;
    let server = if options.store == Store::Postgres { Some(PostgresServer::start(folder.path()).await?) } else { None };
    let nats = NatsServer::start(folder.path(), false).await?;
    let ground = Ground::of(options.store, folder.path(), server.as_ref())?;
    let proof = prove(&nats, ground, options).await?;
    let nats_server = nats.version();
    nats.stop().await?;
    if let Some(server) = server {
        server.stop().await?;
    }
    let results = Results { conditions, nats_server, store: options.store, orders_per_second: options.orders_per_second, proof };
    show(&results)?;
    let name = if options.store == Store::Sqlite { "join" } else { "join-postgres" };
    report::keep(&options.output, name, &results)
}

/// The consumer of points, watched.
type Others = Watched<Consumption<Points, SqlViewStore<Points>>>;

fn others(nats: &NatsServer, views: &Database) -> (Arc<Others>, Vec<Arc<dyn Follower>>) {
    let effect = Arc::new(Watched::new(Consumption::<Points, _>::new(SqlViewStore::<Points>::new(views.clone()))));
    let worker = |part| {
        let feed = JetStreamFeed::new(nats.nats.clone(), Points::NAME, Points::subjects(), part);
        Arc::new(Consumer::new(Arc::new(feed), Arc::clone(&effect), Arc::new(SystemClock::default()))) as Arc<dyn Follower>
    };
    let workers = Part::all().map(worker).collect();
    (effect, workers)
}

/// The relay and buyers, until they are told to end.
struct Traffic {
    is_over: watch::Sender<bool>,
    orders: JoinHandle<Result<Vec<(Position, Instant)>, Trouble>>,
    relay: JoinHandle<()>,
}

impl Traffic {
    fn begin(relay: followers::relay::Relay, log: &Log, story: Story, first: u32, orders_per_second: u32) -> Self {
        let (is_over, ends) = watch::channel(false);
        let orders = tokio::spawn(async move { story.go_on(first, orders_per_second, ends).await });
        let appended = log.reader().appended();
        let relay = tokio::spawn(async move {
            run_forever(&relay, &SystemClock::default(), appended, std::future::pending()).await;
        });
        Self { is_over, orders, relay }
    }

    /// No more orders come; answers those that have come. The relay goes on.
    async fn no_more_orders(&mut self) -> Result<Vec<(Position, Instant)>, Trouble> {
        self.is_over.send_replace(true);
        (&mut self.orders).await.doing("wait for the orders")?
    }
}

async fn prove(nats: &NatsServer, ground: Ground<'_>, options: &Options) -> Result<Proof, Trouble> {
    let orders = options.events.div_ceil(EVENTS_OF_AN_ORDER);
    let events_before = u64::from(orders) * u64::from(EVENTS_OF_AN_ORDER);
    let log = Log::open(ground.database("join_log").await?).await?;
    let story = Story::new(log.store())?;
    let started = Instant::now();
    story.tell(0..orders).await?;
    let appended_per_second = per_second(events_before, started.elapsed());
    let (relay, started) = (broker::relay(nats, &log), Instant::now());
    broker::publish(&relay).await?;
    let published_per_second = per_second(events_before, started.elapsed());

    let views = place::views(&ground.database("join_views").await?).await?;
    let (effect, workers) = others(nats, &views);
    let mut points = Works::of(workers);
    points.until(orders.into()).await?;
    let mut traffic = Traffic::begin(relay, &log, story, orders, options.orders_per_second);
    tokio::time::sleep(Duration::from_secs(options.seconds_before)).await;

    let witness = Witness::new(place::open(&ground.database("join_witness").await?, Area::Views, &[]).await?).await?;
    let joined = Instant::now();
    let mut reading = Works::of(witness.workers(&nats.nats));
    let taken_in = reading.until(events_before).await?;
    let caught_up = Instant::now();
    let payments = traffic.no_more_orders().await?;
    let all = orders + u32::try_from(payments.len()).doing("count orders")?;
    let events_in_all = u64::from(all) * u64::from(EVENTS_OF_AN_ORDER);
    reading.until(events_in_all).await?;
    points.until(all.into()).await?;
    traffic.relay.abort();
    reading.end().await;
    points.end().await;

    let seen = witness.seen(EVENTS_OF_ITS_STREAM).await?;
    let expected = Seen { orders: all.into(), partly: 0, events: i64::try_from(events_in_all).doing("count")?, parked: 0 };
    if seen != expected {
        return Err(Trouble::new(format!("the new consumer has {seen:?} and should have {expected:?}")));
    }
    check_points(&views, all).await?;
    let redelivered_to_others = redelivered(nats, all).await?;
    let of = |from: Option<Instant>, to: Instant| latencies(&effect, &payments, from, to);
    let (others_before, others_meanwhile) = (of(None, joined)?, of(Some(joined), caught_up)?);
    witness.close().await;
    views.close().await;
    log.shutdown().await;
    Ok(Proof {
        appended_per_second,
        published_per_second,
        events_before,
        taken_per_second: per_second(events_before, taken_in),
        taken_in_ms: u64::try_from(taken_in.as_millis()).unwrap_or(u64::MAX),
        events_in_all,
        others_before,
        others_meanwhile,
        redelivered_to_others,
    })
}

/// Each order has given its points once.
async fn check_points(views: &Database, orders: u32) -> Result<(), Trouble> {
    let (entries,): (i64,) = views.fetch_one("select count(*) from point_entry_view", values![]).await.doing("count points")?;
    let (parked,): (i64,) = views.fetch_one("select count(*) from parked_message", values![]).await.doing("count parked messages")?;
    if (entries, parked) == (orders.into(), 0) {
        return Ok(());
    }
    Err(Trouble::new(format!("{entries} entries of points of {orders} orders, {parked} parked messages")))
}

/// How many messages came once more to the consumer that was there before, which wants one message of each order.
async fn redelivered(nats: &NatsServer, orders: u32) -> Result<u64, Trouble> {
    let stream = nats.nats.jetstream().get_stream(STREAM).await.doing("find the stream")?;
    let mut delivered = 0;
    for part in Part::all() {
        let info = stream.consumer_info(format!("{}-{part}", Points::NAME)).await.doing("ask for a consumer")?;
        delivered += info.delivered.consumer_sequence;
    }
    Ok(delivered.saturating_sub(orders.into()))
}

/// From the payments that were durable in this time to their points.
fn latencies(effect: &Others, payments: &[(Position, Instant)], from: Option<Instant>, to: Instant) -> Result<Percentiles, Trouble> {
    let mut latencies = Latencies::default();
    for (position, appended_at) in payments.iter().filter(|(_, at)| from.is_none_or(|from| *at >= from) && *at < to) {
        let done_at = effect.done_at(*position).ok_or_else(|| Trouble::new("a payment has no points"))?;
        latencies.add(done_at.saturating_duration_since(*appended_at));
    }
    Ok(latencies.percentiles())
}

fn show(results: &Results) -> Result<(), Trouble> {
    let proof = &results.proof;
    let mut table = Table::new(&["a new consumer", "figure"]);
    for (name, figure) in [
        ("events in the stream when it comes", proof.events_before.to_string()),
        ("taken, in order for each order", format!("all, in {} s", Hundredths(proof.taken_in_ms / 10))),
        ("events/s", proof.taken_per_second.to_string()),
        ("events in the end, each once", proof.events_in_all.to_string()),
        ("events/s appended before", proof.appended_per_second.to_string()),
        ("messages/s published before", proof.published_per_second.to_string()),
    ] {
        table.row(vec![name.to_owned(), figure]);
    }
    report::say(&table.render())?;
    let mut table = Table::new(&["payment to points, of the consumer that was there", "p50", "p99", "slowest"]);
    for (name, took) in [("before", &proof.others_before), ("while the new one reads", &proof.others_meanwhile)] {
        let cells = [took.p50_us, took.p99_us, took.max_us].map(|micros| Ms(micros.into()).to_string());
        table.row(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    report::say(&table.render())?;
    report::say(&format!(
        "{}; nats-server {}, sync_interval default; {} orders/s meanwhile; {} messages came to the others again",
        results.store.name(),
        results.nats_server,
        results.orders_per_second,
        proof.redelivered_to_others
    ))
}
