//! A small seeded generator, so that a failing run can be repeated: the seed is printed by who uses it.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The seed that `PAYSTREAM_TEST_SEED` names, else a new one.
pub(crate) fn seed() -> u64 {
    std::env::var("PAYSTREAM_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random)
}

/// A generator that gives the same numbers for the same seed.
pub(crate) fn generator(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// A word that no other call in this or an earlier run has given.
pub(crate) fn unique(prefix: &str) -> String {
    let number: u64 = rand::rng().random();
    format!("{prefix}-{number:016x}")
}
