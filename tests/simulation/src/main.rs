//! `simulate`: runs the simulator for a while, seed after seed, and says how fast it goes.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

/// Runs the simulator for a while, seed after seed.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// For how long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first seed; the following ones count on from it. Without it, one at random.
    #[arg(long)]
    seed: Option<u64>,
    /// How many steps each seed has.
    #[arg(long, default_value_t = 3000)]
    steps: u64,
    /// When the run begins, in seconds since 1970.
    #[arg(long, default_value_t = simulation::START_S)]
    start_s: i64,
}

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let first = arguments.seed.unwrap_or_else(|| RandomState::new().hash_one("seed") >> 16);
    writeln!(out, "seeds from {first}, {} steps each, for {} s", arguments.steps, arguments.seconds)?;
    let begun = Instant::now();
    let mut seeds = 0;
    let mut all: Option<simulation::Report> = None;
    while seeds == 0 || begun.elapsed() < Duration::from_secs(arguments.seconds) {
        match simulation::run_from(arguments.start_s, first.wrapping_add(seeds), arguments.steps) {
            Ok(report) => all = Some(all.take().map_or_else(|| report.clone(), |all| all.and(&report))),
            Err(failure) => {
                writeln!(
                    out,
                    "{failure}\n\nagain: simulate --seconds 0 --seed {} --steps {} --start-s {}",
                    failure.seed, arguments.steps, arguments.start_s
                )?;
                return Ok(ExitCode::FAILURE);
            }
        }
        seeds += 1;
    }
    if let Some(all) = all {
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        for (action, count) in &all.actions {
            writeln!(out, "{count:>10} {action}")?;
        }
        for (kind, count) in &all.kinds {
            writeln!(out, "{count:>10} {kind}")?;
        }
        writeln!(out, "{all}")?;
        writeln!(out, "log hash {:016x}", all.log_hash)?;
        let hours = all.simulated_hours().saturating_mul(60_000) / milliseconds;
        writeln!(out, "{seeds} seeds, {} steps/s, {hours} simulated hours per real minute", all.steps * 1000 / milliseconds)?;
    }
    Ok(ExitCode::SUCCESS)
}
