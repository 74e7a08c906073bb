//! `bench append`: the log's appends beside one plain transaction for each append, on the same table and the same disk.

mod connections;
mod load;
mod pair;
mod plain;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::conditions::Conditions;
use crate::figures::{Hundredths, Latencies, Ms, Percentiles, median, per_second};
use crate::postgres::PostgresServer;
use crate::report::{self, Table};
use crate::trouble::{Doing, Trouble};
use load::{EVENT_BYTES, Round, drive};
use pair::Pair;

/// How long each of the two is driven before anything is counted.
const WARM_UP: Duration = Duration::from_millis(500);

/// The callers at which the aims are set.
const AIMED_CALLERS: usize = 64;

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The databases.
    #[arg(long = "store", value_enum, default_values_t = [Store::Sqlite, Store::Postgres])]
    stores: Vec<Store>,
    /// How many callers append at once; several runs, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, AIMED_CALLERS, 256], value_parser = callers)]
    callers: Vec<usize>,
    /// How many rounds each of the two has; they take turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long one round is.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    round_ms: u64,
    /// Where the data lie while it runs; nothing says: the system's folder for temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

/// The most callers that a run may have: more than the store's queue holds would measure refusals.
const MOST_CALLERS: usize = 4000;

fn callers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_CALLERS).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {MOST_CALLERS}"))
}

/// A database that the log may lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    /// A file.
    Sqlite,
    /// A server, started by the benchmark.
    Postgres,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }

    /// How many times the plain baseline is aimed at, with [`AIMED_CALLERS`].
    fn aim(self) -> Hundredths {
        match self {
            Self::Sqlite => Hundredths(400),
            Self::Postgres => Hundredths(600),
        }
    }
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    /// Bytes of each event's JSON.
    event_bytes: usize,
    rounds: u32,
    round_ms: u64,
    /// What the databases say of themselves.
    databases: Vec<String>,
    runs: Vec<Run>,
}

/// One store with one number of callers.
#[derive(Debug, Serialize)]
struct Run {
    store: Store,
    callers: usize,
    /// Our log, through its port.
    ours: Summary,
    /// One transaction for each append.
    plain: Summary,
    /// How many times the plain one's events per second ours has, in hundredths.
    ratio_hundredths: Hundredths,
    /// The same for each pair of neighbouring rounds.
    ratios_hundredths: Vec<Hundredths>,
    /// What is aimed at, where an aim is set.
    aim_hundredths: Option<Hundredths>,
}

/// All rounds of one of the two.
#[derive(Debug, Serialize)]
struct Summary {
    /// Appended events of all rounds; each append has one.
    events: u64,
    /// The middle one of the rounds.
    events_per_second: u64,
    /// The slowest round.
    slowest: u64,
    /// The fastest round.
    fastest: u64,
    /// How long one append took its caller.
    append: Percentiles,
}

impl Summary {
    fn of(rounds: Vec<Round>) -> Self {
        let mut latencies = Latencies::default();
        let mut rates = Vec::with_capacity(rounds.len());
        for round in rounds {
            rates.push(per_second(round.latencies.count(), round.elapsed));
            latencies.join(round.latencies);
        }
        Self {
            events: latencies.count(),
            slowest: rates.iter().copied().min().unwrap_or_default(),
            fastest: rates.iter().copied().max().unwrap_or_default(),
            events_per_second: median(rates),
            append: latencies.percentiles(),
        }
    }

    fn cells(&self) -> [String; 4] {
        let Self { events_per_second, slowest, fastest, append, .. } = self;
        [
            events_per_second.to_string(),
            format!("{slowest}–{fastest}"),
            Ms(append.p50_us.into()).to_string(),
            Ms(append.p99_us.into()).to_string(),
        ]
    }
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("paystream-bench-").tempdir_in(parent).doing("make a folder for the data")?;
    let conditions = Conditions::look(folder.path())?;
    report::say(&format!("{}\n", conditions.line()))?;
    let needs_server = options.stores.contains(&Store::Postgres);
    let server = if needs_server { Some(PostgresServer::start(folder.path()).await?) } else { None };
    let mut results = Results {
        conditions,
        event_bytes: EVENT_BYTES,
        rounds: options.rounds,
        round_ms: options.round_ms,
        databases: Vec::new(),
        runs: Vec::new(),
    };
    for store in &options.stores {
        for (number, callers) in options.callers.iter().enumerate() {
            let name = format!("{}_{number}", store.name().to_lowercase());
            let pair = match (store, &server) {
                (Store::Postgres, Some(server)) => Pair::on_postgres(server, &name).await?,
                _ => Pair::on_sqlite(folder.path(), &name).await?,
            };
            if number == 0 {
                results.databases.push(pair.settings(server.as_ref()).await?);
            }
            results.runs.push(compare(*store, *callers, &pair, server.as_ref(), options).await?);
            pair.close().await?;
        }
    }
    if let Some(server) = server {
        server.stop().await?;
    }
    show(&results)?;
    report::keep(&options.output, "append", &results)
}

/// Lets the two take turns, and each second pair of rounds in the other order.
async fn compare(store: Store, callers: usize, pair: &Pair, server: Option<&PostgresServer>, options: &Options) -> Result<Run, Trouble> {
    let length = Duration::from_millis(options.round_ms);
    for appender in [&pair.ours, &pair.plain] {
        drive(appender, callers, WARM_UP).await?;
    }
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let ours_first = [(&pair.ours, &mut ours), (&pair.plain, &mut plain)];
        let mut turns = ours_first;
        if round % 2 == 1 {
            turns.reverse();
        }
        for (appender, rounds) in turns {
            if store == Store::Postgres
                && let Some(server) = server
            {
                server.checkpoint().await?;
            }
            rounds.push(drive(appender, callers, length).await?);
        }
    }
    let rate = |round: &Round| per_second(round.latencies.count(), round.elapsed);
    let ratios = ours.iter().zip(&plain).map(|(ours, plain)| Hundredths::of(rate(ours), rate(plain))).collect();
    let (ours, plain) = (Summary::of(ours), Summary::of(plain));
    Ok(Run {
        store,
        callers,
        ratio_hundredths: Hundredths::of(ours.events_per_second, plain.events_per_second),
        ratios_hundredths: ratios,
        aim_hundredths: (callers == AIMED_CALLERS).then(|| store.aim()),
        ours,
        plain,
    })
}

fn show(results: &Results) -> Result<(), Trouble> {
    let mut table = Table::new(&[
        "store",
        "callers",
        "events/s",
        "rounds",
        "p50",
        "p99",
        "plain events/s",
        "plain rounds",
        "plain p50",
        "plain p99",
        "ratio",
        "aim",
    ]);
    for run in &results.runs {
        let mut row = vec![run.store.name().to_owned(), run.callers.to_string()];
        row.extend(run.ours.cells());
        row.extend(run.plain.cells());
        row.push(run.ratio_hundredths.to_string());
        row.push(run.aim_hundredths.map(|aim| verdict(run.ratio_hundredths, aim)).unwrap_or_default());
        table.row(row);
    }
    report::say(&table.render())?;
    for database in &results.databases {
        report::say(database)?;
    }
    report::say(&format!(
        "{} rounds of {} ms for each, in turns; events of {} bytes; the rate is that of the middle round, latencies are of all rounds",
        results.rounds, results.round_ms, results.event_bytes
    ))
}

fn verdict(ratio: Hundredths, aim: Hundredths) -> String {
    format!("{aim} {}", if ratio >= aim { "reached" } else { "missed" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(appends: u64, elapsed_ms: u64) -> Round {
        let mut latencies = Latencies::default();
        (1..=appends).for_each(|micros| latencies.add(Duration::from_micros(micros)));
        Round { latencies, elapsed: Duration::from_millis(elapsed_ms) }
    }

    #[test]
    fn a_summary_has_the_middle_round_and_all_latencies() {
        let summary = Summary::of(vec![round(100, 1000), round(300, 1000), round(200, 1000)]);
        assert_eq!((summary.events, summary.events_per_second, summary.slowest, summary.fastest), (600, 200, 100, 300));
        assert_eq!(summary.append.max_us, 300);
    }

    #[test]
    fn an_aim_is_reached_at_its_number() {
        assert_eq!(verdict(Hundredths(400), Hundredths(400)), "4.00 reached");
        assert_eq!(verdict(Hundredths(399), Hundredths(400)), "4.00 missed");
    }

    #[test]
    fn callers_are_bounded() {
        assert_eq!(callers("64"), Ok(64));
        assert!(callers("0").is_err() && callers("4001").is_err() && callers("many").is_err());
    }
}
