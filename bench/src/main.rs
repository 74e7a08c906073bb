//! Load benchmarks. Each starts what it measures on this machine, in a temporary folder, and asks nobody but 127.0.0.1.

mod append;
mod broker;
mod conditions;
mod consumer;
mod crypto;
mod figures;
mod hot;
mod join;
mod latency;
mod lifecycle;
mod nats;
mod place;
mod postgres;
mod process;
mod processes;
mod rebuild;
mod relay;
mod report;
mod server;
mod startup;
mod story;
mod thread_cost;
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
    /// What a consumer takes from JetStream, beside a bare pull and acknowledgement.
    Consumer(consumer::Options),
    /// Signing, verifying and decrypting, as the gateway does it.
    Crypto(crypto::Options),
    /// Many buyers of one SKU, decided together and each for themselves.
    Hot(hot::Options),
    /// A new consumer that comes after a million events.
    Join(join::Options),
    /// From the append of a payment to the view and the consumer that know of it.
    Latency(latency::Options),
    /// From a selected course to a paid order, over HTTP.
    Lifecycle(lifecycle::Options),
    /// Commands of one, two and four processes on one Postgres.
    Processes(processes::Options),
    /// Views made again from the log, beside a bare copy of their rows.
    Rebuild(rebuild::Options),
    /// From the log to JetStream, beside a bare publish.
    Relay(relay::Options),
    /// From the start of the process to its readiness.
    Startup(startup::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Append(options) => append::run(&options).await,
        Command::Consumer(options) => consumer::run(&options).await,
        Command::Crypto(options) => crypto::run(&options),
        Command::Hot(options) => hot::run(&options).await,
        Command::Join(options) => join::run(&options).await,
        Command::Latency(options) => latency::run(&options).await,
        Command::Lifecycle(options) => lifecycle::run(&options).await,
        Command::Processes(options) => processes::run(&options).await,
        Command::Rebuild(options) => rebuild::run(&options).await,
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
