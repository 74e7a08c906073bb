//! `bench crypto`: what signing, verifying and decrypting cost, as the gateway does it for each call and each notification.

mod messages;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::conditions::Conditions;
use crate::report::{self, Table};
use crate::thread_cost;
use crate::trouble::{Doing, Trouble};

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// For how long each operation is done, in milliseconds.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    length_ms: u64,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

/// Something that is measured; it can be done by several threads at once.
pub(super) struct Operation {
    /// What it is, for people and for machines.
    name: &'static str,
    /// What of it is the library's work.
    work: &'static str,
    once: Box<dyn Fn() -> Result<(), Trouble> + Send + Sync>,
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    operations: Vec<Cost>,
}

#[derive(Debug, Serialize)]
struct Cost {
    operation: &'static str,
    work: &'static str,
    /// The time of a thread on its core.
    nanoseconds: u64,
    per_second_and_core: u64,
}

/// Runs it.
pub(crate) fn run(options: &Options) -> Result<(), Trouble> {
    let (_folder, conditions) = Conditions::begin(None)?;
    let cores = std::thread::available_parallelism().doing("count the cores")?.get();
    let length = Duration::from_millis(options.length_ms);
    let mut table = Table::new(&["operation", "cryptography", "per second and core", "µs"]);
    let mut operations = Vec::new();
    for operation in messages::operations()? {
        let nanoseconds = measured(&operation, cores, length)?;
        let rate = 1_000_000_000 / nanoseconds.max(1);
        let micros = format!("{}.{:02}", nanoseconds / 1000, nanoseconds % 1000 / 10);
        table.row(vec![operation.name.to_owned(), operation.work.to_owned(), rate.to_string(), micros]);
        let cost = Cost { operation: operation.name, work: operation.work, nanoseconds, per_second_and_core: rate };
        operations.push(cost);
    }
    report::say(&table.render())?;
    report::say(&format!("{cores} threads at once, {} ms each; the time is the threads' own on their cores", options.length_ms))?;
    report::keep(&options.output, "crypto", &Results { conditions, operations })
}

/// What one takes on average with all cores at it: two that share one unit are slower together than alone.
fn measured(operation: &Operation, cores: usize, length: Duration) -> Result<u64, Trouble> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.max(1)).map(|_| scope.spawn(|| thread_cost::each(length, || (operation.once)()))).collect();
        let mut sum = 0;
        let count = threads.len() as u64;
        for thread in threads {
            sum += thread.join().map_err(|_| Trouble::new("a thread that measures broke off"))??;
        }
        Ok(sum / count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_done_and_signing_costs_more_than_verifying() {
        let costs: Vec<_> =
            messages::operations().unwrap().iter().map(|operation| measured(operation, 1, Duration::from_millis(20)).unwrap()).collect();
        assert!(costs.iter().all(|cost| *cost > 0) && costs.len() == 12, "{costs:?}");
        // RSA alone: the first two.
        assert!(costs[0] > costs[1], "{costs:?}");
    }
}
