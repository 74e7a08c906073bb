//! `bench processes`: commands that one, two and four processes of the role command-api take in a second, all on one Postgres.

mod load;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::conditions::Conditions;
use crate::figures::{Hundredths, Latencies, Ms, Percentiles, median, per_second};
use crate::postgres::PostgresServer;
use crate::process::Running;
use crate::report::{self, Table};
use crate::server::{self, Plan};
use crate::trouble::{Doing, Trouble};
use load::Orders;

/// How many processes take commands, in the rounds' turns.
const PROCESSES: [usize; 3] = [1, 2, 4];

/// How long each number of processes is driven before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// The one service that orders may do so as often as it can.
const NO_LIMIT: &str = "1000000/1000000";

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many clients give commands at once, each to one process.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(4..=512))]
    clients: u32,
    /// How many rounds each number of processes has; they take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long one round is.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    round_ms: u64,
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
    database: String,
    clients: u32,
    rounds: u32,
    round_ms: u64,
    runs: Vec<Run>,
}

/// One number of processes.
#[derive(Debug, Serialize)]
struct Run {
    processes: usize,
    commands: u64,
    /// The middle one of the rounds, and all.
    commands_per_second: u64,
    all_rounds: Vec<u64>,
    took: Percentiles,
    /// Time on the cores of all command-api processes for each command.
    cpu_us: u64,
    /// How many times the rate of one process.
    ratio_hundredths: Hundredths,
}

/// What the rounds of one number of processes have given.
#[derive(Default)]
struct Tally {
    latencies: Latencies,
    rates: Vec<u64>,
    cpu: Duration,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let (folder, conditions) = Conditions::begin(options.folder.as_deref())?;
    let stage = Stage::start(folder.path()).await?;
    let round = Duration::from_millis(options.round_ms);
    for processes in PROCESSES {
        stage.orders.drive(processes, options.clients, WARM_UP).await?;
    }
    let mut tallies: [Tally; PROCESSES.len()] = Default::default();
    for number in 0..options.rounds {
        let mut turns: Vec<usize> = (0..PROCESSES.len()).collect();
        if number % 2 == 1 {
            turns.reverse();
        }
        for turn in turns {
            stage.postgres.checkpoint().await?;
            let before = stage.cpu_time()?;
            let (latencies, elapsed) = stage.orders.drive(PROCESSES[turn], options.clients, round).await?;
            let tally = &mut tallies[turn];
            tally.cpu += stage.cpu_time()?.saturating_sub(before);
            tally.rates.push(per_second(latencies.count(), elapsed));
            tally.latencies.join(latencies);
        }
    }
    let database = stage.postgres.settings().await?;
    stage.stop().await?;
    let alone = tallies.first().map(|tally| median(tally.rates.clone())).unwrap_or_default();
    let runs = PROCESSES.into_iter().zip(tallies).map(|(processes, tally)| Run::of(processes, tally, alone)).collect();
    let Options { clients, rounds, round_ms, .. } = *options;
    let results = Results { conditions, database, clients, rounds, round_ms, runs };
    show(&results)?;
    report::keep(&options.output, "processes", &results)
}

impl Run {
    fn of(processes: usize, tally: Tally, alone: u64) -> Self {
        let commands = tally.latencies.count();
        let commands_per_second = median(tally.rates.clone());
        Self {
            processes,
            commands,
            commands_per_second,
            all_rounds: tally.rates,
            took: tally.latencies.percentiles(),
            cpu_us: u64::try_from(tally.cpu.as_micros()).unwrap_or(u64::MAX) / commands.max(1),
            ratio_hundredths: Hundredths::of(commands_per_second, alone),
        }
    }
}

fn show(results: &Results) -> Result<(), Trouble> {
    let mut table = Table::new(&["processes", "commands/s", "rounds", "of one process", "p50", "p99", "CPU for a command"]);
    for run in &results.runs {
        let (slowest, fastest) = (run.all_rounds.iter().min(), run.all_rounds.iter().max());
        table.row(vec![
            run.processes.to_string(),
            run.commands_per_second.to_string(),
            format!("{}–{}", slowest.unwrap_or(&0), fastest.unwrap_or(&0)),
            run.ratio_hundredths.to_string(),
            Ms(run.took.p50_us.into()).to_string(),
            Ms(run.took.p99_us.into()).to_string(),
            Ms(run.cpu_us).to_string(),
        ]);
    }
    report::say(&table.render())?;
    report::say(&format!(
        "{}; {} clients, {} rounds of {} ms for each, in turns; processes, Postgres and clients share the cores",
        results.database, results.clients, results.rounds, results.round_ms
    ))
}

/// As many processes as are wanted at most, all running all the time, on one Postgres.
struct Stage {
    postgres: PostgresServer,
    sandbox: Running,
    processes: Vec<Running>,
    orders: Orders,
}

impl Stage {
    async fn start(folder: &Path) -> Result<Self, Trouble> {
        let program = server::program()?;
        let postgres = PostgresServer::start(folder).await?;
        let mut sandbox = Plan::new(&program, folder.join("sandbox"))?;
        sandbox.arguments = vec!["serve", "--roles", "sandbox"];
        let (sandbox_process, _) = sandbox.start().await?;
        let url = postgres.database("paystream").await?;
        let keys = folder.join("keys");
        std::fs::create_dir(&keys).doing("make a folder for the keys")?;
        let (tokens, seals) = (keys.join("token.pem"), keys.join("seal.keys"));
        let (mut processes, mut addresses) = (Vec::new(), Vec::new());
        for number in 0..PROCESSES.into_iter().max().unwrap_or_default() {
            let mut plan = Plan::new(&program, folder.join(format!("command-api-{number}")))?;
            plan.arguments = vec!["serve", "--roles", "command-api"];
            plan.environment.extend(server::stores_at(&url));
            plan.environment.extend([
                ("PAYSTREAM_SANDBOX_URL", sandbox.url()),
                ("PAYSTREAM_TOKEN_KEY_FILE", tokens.display().to_string()),
                ("PAYSTREAM_SEAL_KEYS_FILE", seals.display().to_string()),
                ("PAYSTREAM_RATE_LIMIT_SYSTEM", NO_LIMIT.to_owned()),
            ]);
            processes.push(plan.start().await?.0);
            addresses.push(format!("{}/api/v1/orders", plan.url()));
        }
        let orders = Orders::new(addresses, server::issuer(&tokens)?)?;
        Ok(Self { postgres, sandbox: sandbox_process, processes, orders })
    }

    fn cpu_time(&self) -> Result<Duration, Trouble> {
        self.processes.iter().map(Running::cpu_time).sum()
    }

    async fn stop(self) -> Result<(), Trouble> {
        for process in self.processes {
            server::stop(process).await?;
        }
        server::stop(self.sandbox).await?;
        self.postgres.stop().await
    }
}
