//! `bench startup`: from the start of the process to its first "ready".

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::conditions::Conditions;
use crate::figures::{Latencies, Ms, Percentiles};
use crate::report::{self, Table};
use crate::server::{self, Plan};
use crate::trouble::{Doing, Trouble};

/// What a start may take, in microseconds.
const AIM_US: u32 = 1_000_000;

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many data folders; each is started twice.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    folders: u32,
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
    folders: u32,
    /// With an empty folder: keys, tables and demo data are made.
    first: Percentiles,
    /// With the folder of the first.
    second: Percentiles,
    aim_us: u32,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let program = server::program()?;
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("paystream-bench-").tempdir_in(parent).doing("make a folder for the data")?;
    let conditions = Conditions::look(folder.path())?;
    report::say(&format!("{}\n", conditions.line()))?;
    let (mut first, mut second) = (Latencies::default(), Latencies::default());
    for number in 0..options.folders {
        let plan = Plan::new(&program, folder.path().join(number.to_string()))?;
        for latencies in [&mut first, &mut second] {
            let (running, took) = plan.start().await?;
            latencies.add(took);
            server::stop(running).await?;
        }
    }
    let results =
        Results { conditions, folders: options.folders, first: first.percentiles(), second: second.percentiles(), aim_us: AIM_US };
    let mut table = Table::new(&["start", "p50", "slowest", "aim"]);
    for (name, took) in [("first", results.first), ("second", results.second)] {
        let verdict = if took.max_us < AIM_US { "reached" } else { "missed" };
        let aim = format!("below {} {verdict}", Ms(AIM_US.into()));
        table.row(vec![name.to_owned(), Ms(took.p50_us.into()).to_string(), Ms(took.max_us.into()).to_string(), aim]);
    }
    report::say(&table.render())?;
    report::say(&format!("{} folders, each started twice; SQLite, sandbox and demo data in one process", options.folders))?;
    report::keep(&options.output, "startup", &results)
}
