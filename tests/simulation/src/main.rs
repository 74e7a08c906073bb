//! `simulate`: runs the simulator for a while, seed after seed, and says how fast it goes.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::{Failure, Report};

/// Runs the simulator for a while, seed after seed.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// For how long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many steps are made at least, however long that takes.
    #[arg(long, default_value_t = 0)]
    least_steps: u64,
    /// The first seed; the following ones count on from it. Without it, one at random.
    #[arg(long)]
    seed: Option<u64>,
    /// How many steps each seed has.
    #[arg(long, default_value_t = 3000)]
    steps: u64,
    /// When the run begins, in seconds since 1970.
    #[arg(long, default_value_t = simulation::START_S)]
    start_s: i64,
    /// How many seeds run side by side; without this, one for each core. A seed makes the same run in any case.
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

/// What the threads have done together.
#[derive(Default)]
struct Done {
    begun_seeds: u64,
    ended_seeds: u64,
    report: Option<Report>,
    failure: Option<Box<Failure>>,
}

/// Takes seed after seed until there were enough, or one has failed.
fn work(arguments: &Arguments, first: u64, begun: Instant, done: &Mutex<Done>) {
    loop {
        let seed = {
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            let steps = done.begun_seeds * arguments.steps;
            let enough = begun.elapsed() >= Duration::from_secs(arguments.seconds) && steps >= arguments.least_steps;
            if done.failure.is_some() || (enough && done.begun_seeds > 0) {
                return;
            }
            done.begun_seeds += 1;
            first.wrapping_add(done.begun_seeds - 1)
        };
        let ended = simulation::run_from(arguments.start_s, seed, arguments.steps);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.ended_seeds += 1;
        match ended {
            Ok(report) => done.report = Some(done.report.take().map_or_else(|| report.clone(), |all| all.and(&report))),
            Err(failure) => done.failure = Some(failure),
        }
    }
}

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let first = arguments.seed.unwrap_or_else(|| RandomState::new().hash_one("seed") >> 16);
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    writeln!(out, "seeds from {first}, {} steps each, for {} s", arguments.steps, arguments.seconds)?;
    let begun = Instant::now();
    let done = Mutex::new(Done::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&arguments, first, begun, &done));
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = done.failure {
        let (seed, steps, start_s) = (failure.seed, arguments.steps, arguments.start_s);
        writeln!(out, "{failure}\n\nagain: simulate --seconds 0 --threads 1 --seed {seed} --steps {steps} --start-s {start_s}")?;
        return Ok(ExitCode::FAILURE);
    }
    if let Some(all) = done.report {
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
        let speed = all.steps * 1000 / milliseconds;
        writeln!(out, "{} seeds, {speed} steps/s, {hours} simulated hours per real minute", done.ended_seeds)?;
    }
    Ok(ExitCode::SUCCESS)
}
