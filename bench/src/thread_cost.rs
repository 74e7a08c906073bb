//! What an operation takes a thread on its core.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::trouble::{Doing, Trouble};

/// What one `operation` takes this thread on its core, in nanoseconds, on average over `length`.
pub(crate) fn each(length: Duration, mut operation: impl FnMut() -> Result<(), Trouble>) -> Result<u64, Trouble> {
    // What is made at the first call belongs to none.
    operation()?;
    let (started, before) = (Instant::now(), thread_time()?);
    let mut done = 0_u64;
    while started.elapsed() < length {
        operation()?;
        done += 1;
    }
    let spent = thread_time()?.saturating_sub(before);
    u64::try_from(spent.as_nanos() / u128::from(done.max(1))).doing("count")
}

fn thread_time() -> Result<Duration, Trouble> {
    clock_gettime(ClockId::ThreadCPUTime).try_into().doing("read the time of a thread")
}
