//! The simulator: the real command handler, process managers and followers over ports in memory, in one thread, with
//! virtual time and a seed.
//!
//! A step is one seeded action: a command, a delivery, a fault, a crash, a move of the clock. Between actions tasks are
//! polled in seeded order; each await of a port is a place where a task waits, fails, or is dropped. What must be true is
//! checked after every step against a model that reads the log by itself, and more of it whenever all comes to rest.
//! The same seed makes the same run.

mod actions;
mod broken;
mod calm;
mod chance;
mod delivery;
#[cfg(test)]
mod expiry_race;
#[cfg(test)]
mod faulty;
mod ledger;
mod ports;
mod process;
mod promises;
mod report;
mod shop;
mod weather;
mod wishes;
mod world;

pub use report::{Failure, Report};

use broken::Broken;
use calm::Rest;
use process::Seams;
use world::World;

/// The average number of steps between two rests.
const STEPS_BETWEEN_RESTS: u32 = 300;

/// When a run begins unless it is told otherwise, in seconds since 1970.
pub const START_S: i64 = 1_772_150_400;

/// Runs `steps` steps of what `seed` determines, and a rest at the end. Errors: the first invariant that does not hold.
pub fn run(seed: u64, steps: u64) -> Result<Report, Box<Failure>> {
    run_from(START_S, seed, steps)
}

/// The same, begun at another time, in seconds since 1970.
pub fn run_from(start_s: i64, seed: u64, steps: u64) -> Result<Report, Box<Failure>> {
    run_with(start_s, seed, steps, Seams::default())
}

fn run_with(start_s: i64, seed: u64, steps: u64, seams: Seams) -> Result<Report, Box<Failure>> {
    let mut world = World::new(start_s, seed, seams).map_err(|broken| Box::new(Failure::at_the_start(seed, broken)))?;
    match walk(&mut world, steps) {
        Ok(()) => Ok(Report::of(seed, &world)),
        Err(broken) => Err(Box::new(Failure::of(seed, &world, broken))),
    }
}

fn walk(world: &mut World, steps: u64) -> Result<(), Broken> {
    while world.steps < steps {
        world.step()?;
        if world.stores.chance.one_in(STEPS_BETWEEN_RESTS) {
            let rest = if world.stores.chance.one_in(3) { Rest::Long } else { Rest::Short };
            world.come_to_rest(rest)?;
        }
    }
    world.come_to_rest(Rest::Long)?;
    world.check_rebuild()
}
