//! `bench latency`: from the append of a payment to the view and the consumer that know of it, as a caller finds it, with all in
//! files and with Postgres and NATS.

mod sample;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::conditions::Conditions;
use crate::figures::{Ms, Percentiles};
use crate::nats::NatsServer;
use crate::postgres::PostgresServer;
use crate::process::Running;
use crate::report::{self, Table};
use crate::server::{self, Plan};
use crate::trouble::Trouble;
use sample::{Buyers, Times};

/// Payments that are made before anything is counted.
const WARM_UP: u32 = 20;

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What Paystream runs on.
    #[arg(long = "set-up", value_enum, default_values_t = [SetUp::Embedded, SetUp::Servers])]
    set_ups: Vec<SetUp>,
    /// How many payments are followed.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    payments: u32,
    /// How many of them begin in a second, at most: one after the other, so that none waits for another.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    payments_per_second: u32,
    /// Where the data lie while it runs; nothing says: the system's folder for temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

/// What Paystream runs on; all its roles are in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum SetUp {
    /// Files, and consumers that read the log.
    Embedded,
    /// Postgres for log, views and state, and consumers that read JetStream.
    Servers,
}

impl SetUp {
    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Servers => "Postgres and NATS",
        }
    }
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    payments: u32,
    payments_per_second: u32,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    set_up: SetUp,
    /// By what was measured.
    times: Vec<(&'static str, Percentiles)>,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let (folder, conditions) = Conditions::begin(options.folder.as_deref())?;
    let mut runs = Vec::new();
    for set_up in &options.set_ups {
        let stage = Stage::start(folder.path(), *set_up).await?;
        stage.follow(WARM_UP, options.payments_per_second).await?;
        let times = stage.follow(options.payments, options.payments_per_second).await?;
        stage.stop().await?;
        runs.push(Run { set_up: *set_up, times: times.percentiles() });
    }
    let Options { payments, payments_per_second, .. } = *options;
    let results = Results { conditions, payments, payments_per_second, runs };
    show(&results)?;
    report::keep(&options.output, "latency", &results)
}

fn show(results: &Results) -> Result<(), Trouble> {
    let mut table = Table::new(&["set-up", "time", "p50", "p99", "slowest"]);
    for run in &results.runs {
        for (name, took) in &run.times {
            let cells = [took.p50_us, took.p99_us, took.max_us].map(|micros| Ms(micros.into()).to_string());
            table.row([run.set_up.name().to_owned(), (*name).to_owned()].into_iter().chain(cells).collect());
        }
    }
    report::say(&table.render())?;
    report::say(&format!(
        "{} payments for each, at most {} a second, one after the other; the time runs from the answer of the command that appended the \
         payment; a plain query is the same one without waiting",
        results.payments, results.payments_per_second
    ))
}

/// Paystream, and what it runs on.
struct Stage {
    paystream: Running,
    buyers: Buyers,
    servers: Option<(PostgresServer, NatsServer)>,
}

impl Stage {
    async fn start(folder: &Path, set_up: SetUp) -> Result<Self, Trouble> {
        let mut plan = Plan::new(&server::program()?, folder.join(set_up.name().replace(' ', "-")))?;
        let mut servers = None;
        if set_up == SetUp::Servers {
            let (postgres, nats) = (PostgresServer::start(folder).await?, NatsServer::start(folder, true).await?);
            plan.environment.extend(server::stores_at(&postgres.database("paystream").await?));
            plan.environment.push(("PAYSTREAM_NATS", nats.url().to_owned()));
            servers = Some((postgres, nats));
        }
        let (paystream, _) = plan.start().await?;
        let buyers = Buyers::new(plan.url(), plan.issuer()?)?;
        Ok(Self { paystream, buyers, servers })
    }

    async fn follow(&self, payments: u32, payments_per_second: u32) -> Result<Times, Trouble> {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / payments_per_second);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut times = Times::default();
        for _ in 0..payments {
            beat.tick().await;
            self.buyers.pay_and_follow(&mut times).await?;
        }
        Ok(times)
    }

    async fn stop(self) -> Result<(), Trouble> {
        server::stop(self.paystream).await?;
        if let Some((postgres, nats)) = self.servers {
            nats.stop().await?;
            postgres.stop().await?;
        }
        Ok(())
    }
}
