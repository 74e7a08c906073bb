//! `bench rebuild`: views made again from the log, in quiet and beside buyers and followers, with equal content; and the floor
//! of it: reading the same events and writing the same rows.

mod plain;
mod traffic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chassis::clock::{Clock, SystemClock};
use clap::Args;
use database::{Area, Database};
use followers::{Follower, FollowerError};
use projections::{Checksum, Rebuilt, View, checksum};
use serde::Serialize;

use crate::append::Store;
use crate::conditions::Conditions;
use crate::figures::{Hundredths, median, per_second};
use crate::place::{self, Ground, Log};
use crate::postgres::PostgresServer;
use crate::report::{self, Table};
use crate::story::{EVENTS_OF_AN_ORDER, Story};
use crate::trouble::{Doing, Trouble};
use plain::Plain;
use traffic::Traffic;

/// The views that the orders of the benchmark fill, with the tables of each.
const VIEWS: [(View, &[&str]); 4] = [
    (View::Orders, &["order_view"]),
    (View::PayRecords, &["pay_record_view", "pay_record_order", "refund_view"]),
    (View::CourseSelections, &["course_selection_view", "course_table_view"]),
    (View::Points, &["point_entry_view"]),
];

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The databases.
    #[arg(long = "store", value_enum, default_values_t = [Store::Sqlite, Store::Postgres])]
    stores: Vec<Store>,
    /// How many events the log has.
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(600..=10_000_000))]
    events: u32,
    /// How many rounds each view and its baseline have; they take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many orders come in a second while views are made again beside the live ones.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    orders_per_second: u32,
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
    events: u32,
    rounds: u32,
    orders_per_second: u32,
    runs: Vec<Run>,
}

/// One view on one store.
#[derive(Debug, Serialize)]
struct Run {
    store: Store,
    view: &'static str,
    /// How many of the log's events concern it.
    applied: u64,
    rows: u64,
    /// Events of the log that a rebuild passes in a second: the middle round, and all.
    events_per_second: u64,
    rounds: Vec<u64>,
    /// The same of the baseline.
    plain_events_per_second: u64,
    plain_rounds: Vec<u64>,
    ratio_hundredths: Hundredths,
    /// While buyers buy and followers follow.
    beside_traffic_events_per_second: u64,
    aim_events_per_second: u64,
}

/// What design aims at, in events a second.
fn aim(store: Store) -> u64 {
    match store {
        Store::Sqlite => 50_000,
        Store::Postgres => 20_000,
    }
}

/// Runs it. Errors: among others, a view that is not the same when it was made again.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let (folder, conditions) = Conditions::begin(options.folder.as_deref())?;
    let needs_server = options.stores.contains(&Store::Postgres);
    let server = if needs_server { Some(PostgresServer::start(folder.path()).await?) } else { None };
    let mut runs = Vec::new();
    for store in &options.stores {
        let ground = Ground::of(*store, folder.path(), server.as_ref())?;
        runs.extend(measure(*store, ground, options).await?);
    }
    if let Some(server) = server {
        server.stop().await?;
    }
    let Options { events, rounds, orders_per_second, .. } = *options;
    let results = Results { conditions, events, rounds, orders_per_second, runs };
    show(&results)?;
    report::keep(&options.output, "rebuild", &results)
}

/// A log that is filled and the views made of it.
struct Stage {
    log: Log,
    views: Database,
    clock: Arc<dyn Clock>,
    followers: Vec<Arc<dyn Follower>>,
}

impl Stage {
    async fn set(ground: Ground<'_>, orders: u32) -> Result<Self, Trouble> {
        let log = Log::open(ground.database("rebuild_log").await?).await?;
        Story::new(log.store())?.tell(0..orders).await?;
        let views = place::views(&ground.database("rebuild_views").await?).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let followers = projections::all(&views, &log.reader(), &clock);
        let stage = Self { log, views, clock, followers };
        stage.catch_up().await?;
        Ok(stage)
    }

    /// Lets the views' own followers come to the end of the log.
    async fn catch_up(&self) -> Result<(), Trouble> {
        for follower in &self.followers {
            loop {
                match follower.run_once().await {
                    Ok(progress) if progress.caught_up => break,
                    // A rebuild has changed the tables under it: it begins behind them.
                    Ok(_) | Err(FollowerError::Overtaken) => {}
                    Err(error) => return Err(error).doing(format!("follow the log for {}", follower.name())),
                }
            }
        }
        Ok(())
    }

    async fn rebuild(&self, view: View) -> Result<(Rebuilt, u64), Trouble> {
        let started = Instant::now();
        let rebuilt = projections::rebuild(view, &self.views, &self.log.reader(), self.clock.as_ref()).await;
        let rebuilt = rebuilt.doing(format!("make {view} again"))?;
        let passed = per_second(rebuilt.position.as_i64().unsigned_abs(), started.elapsed());
        Ok((rebuilt, passed))
    }

    async fn content(&self, view: View) -> Result<Checksum, Trouble> {
        checksum(view, &self.views).await.doing(format!("read {view}"))
    }

    /// Makes a view again in quiet. Errors: it is another one then, or the log has grown.
    async fn rebuild_in_quiet(&self, view: View) -> Result<(Rebuilt, u64), Trouble> {
        let head = self.log.reader().head().await.doing("read the log's end")?;
        let before = self.content(view).await?;
        let done = self.rebuild(view).await?;
        let after = self.content(view).await?;
        if before != after {
            return Err(Trouble::new(format!("{view} was {before:?} and is {after:?}")));
        }
        if self.log.reader().head().await.doing("read the log's end")? != head {
            return Err(Trouble::new(format!("something was appended while {view} was made again")));
        }
        Ok(done)
    }

    async fn close(self) {
        self.views.close().await;
        self.log.shutdown().await;
    }
}

async fn measure(store: Store, ground: Ground<'_>, options: &Options) -> Result<Vec<Run>, Trouble> {
    let orders = options.events / EVENTS_OF_AN_ORDER;
    let stage = Stage::set(ground, orders).await?;
    let events = place::open(&stage.log.url, Area::Log, &[]).await?;
    let mut runs = Vec::new();
    for (view, tables) in VIEWS {
        let plain = Plain::prepare(events.clone(), stage.views.clone(), tables).await?;
        let (mut ours, mut bare, mut last) = (Vec::new(), Vec::new(), None);
        for round in 0..options.rounds {
            for turn in [round % 2 == 0, round % 2 == 1] {
                if turn {
                    let (rebuilt, passed) = stage.rebuild_in_quiet(view).await?;
                    ours.push(passed);
                    last = Some(rebuilt);
                } else {
                    bare.push(plain.run().await?);
                }
            }
        }
        let rebuilt = last.ok_or_else(|| Trouble::new("there was no round"))?;
        let (rate, plain_rate) = (median(ours.clone()), median(bare.clone()));
        runs.push(Run {
            store,
            view: view.as_str(),
            applied: rebuilt.events,
            rows: rebuilt.rows.iter().map(|(_, rows)| rows).sum(),
            events_per_second: rate,
            rounds: ours,
            plain_events_per_second: plain_rate,
            plain_rounds: bare,
            ratio_hundredths: Hundredths::of(rate, plain_rate),
            beside_traffic_events_per_second: 0,
            aim_events_per_second: aim(store),
        });
    }
    events.close().await;
    let traffic = Traffic::begin(&stage, orders, options.orders_per_second)?;
    for run in &mut runs {
        let view: View = run.view.parse().doing("name a view")?;
        run.beside_traffic_events_per_second = stage.rebuild(view).await?.1;
    }
    let told = traffic.end().await?;
    stage.catch_up().await?;
    for (view, _) in VIEWS {
        stage.rebuild_in_quiet(view).await?;
    }
    let seen = stage.content(View::Orders).await?.rows;
    stage.close().await;
    if seen != u64::from(orders + told) {
        return Err(Trouble::new(format!("{} orders were made and {seen} are seen", orders + told)));
    }
    Ok(runs)
}

fn show(results: &Results) -> Result<(), Trouble> {
    let headings = ["store", "view", "events/s", "rounds", "plain events/s", "ratio", "beside traffic, events/s", "applied", "rows", "aim"];
    let mut table = Table::new(&headings);
    for run in &results.runs {
        let (slowest, fastest) = (run.rounds.iter().min(), run.rounds.iter().max());
        let verdict = if run.events_per_second >= run.aim_events_per_second { "reached" } else { "missed" };
        table.row(vec![
            run.store.name().to_owned(),
            run.view.to_owned(),
            run.events_per_second.to_string(),
            format!("{}–{}", slowest.unwrap_or(&0), fastest.unwrap_or(&0)),
            run.plain_events_per_second.to_string(),
            run.ratio_hundredths.to_string(),
            run.beside_traffic_events_per_second.to_string(),
            run.applied.to_string(),
            run.rows.to_string(),
            format!("{} {verdict}", run.aim_events_per_second),
        ]);
    }
    report::say(&table.render())?;
    report::say(&format!(
        "a log of {} events; {} rounds of each, in turns; traffic of {} orders/s with all followers; after each rebuild the view was the same, \
         and after the traffic it was what the log gives",
        results.events, results.rounds, results.orders_per_second
    ))
}
