//! Load benchmarks. Each starts what it measures on this machine, in a temporary folder, and asks nobody but 127.0.0.1.

mod append;
mod conditions;
mod figures;
mod hot;
mod lifecycle;
mod nats;
mod postgres;
mod process;
mod relay;
mod report;
mod server;
mod startup;
mod trouble;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::trouble::Trouble;

/// Measures Paystream. docs/benchmarks.md says what each figure means.
#[derive(Debug, Parser)]
#[command(name = "bench", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Appends to the log, beside a plain transaction for each append.
    Append(append::Options),
    /// Many buyers of one SKU, decided together and each for themselves.
    Hot(hot::Options),
    /// From a selected course to a paid order, over HTTP.
    Lifecycle(lifecycle::Options),
    /// From the log to JetStream, beside a bare publish.
    Relay(relay::Options),
    /// From the start of the process to its readiness.
    Startup(startup::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Append(options) => append::run(&options).await,
        Command::Hot(options) => hot::run(&options).await,
        Command::Lifecycle(options) => lifecycle::run(&options).await,
        Command::Relay(options) => relay::run(&options).await,
        Command::Startup(options) => startup::run(&options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&trouble);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the program's last word to whoever started it")]
fn tell(trouble: &Trouble) {
    eprintln!("bench: {}", chassis::problem::Chain(trouble));
}
