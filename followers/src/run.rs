use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::pin::pin;
use std::time::Duration;

use chassis::clock::Clock;
use chassis::problem::Chain;
use event_store::Position;
use tokio::sync::watch;

use crate::{Follower, FollowerError, Lag, metric};

/// How long a follower waits for a wake-up before it looks by itself: a hint may be lost.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long a woken follower lets more arrive, so that a burst costs one page and one commit instead of many. Nobody
/// sees the difference on a screen.
const GATHER_INTERVAL: Duration = Duration::from_millis(5);

/// The wait after a first failure. Each further one doubles it.
pub const FIRST_BACK_OFF: Duration = Duration::from_millis(50);

/// The longest wait after a failure.
pub const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// How long a lease may take to be given back at a stop. One that is not ends by itself.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// Runs a follower until `shutdown` ends: at each wake-up, at the latest each [`POLL_INTERVAL`], and again and again while it
/// is behind. A failure is counted, logged when it is another one than before, and tried again after a growing wait; it
/// never ends the loop. A run in progress is dropped at shutdown, and the follower's lease given back.
pub async fn run_forever(
    follower: &dyn Follower,
    clock: &dyn Clock,
    mut appended: watch::Receiver<Position>,
    shutdown: impl Future<Output = ()> + Send,
) {
    run_until(follower, clock, &mut appended, shutdown).await;
    give_back(follower).await;
}

/// Ends the work of a follower that runs no more.
pub(crate) async fn give_back(follower: &dyn Follower) {
    let failure = match tokio::time::timeout(RELEASE_LIMIT, follower.release()).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => Chain(&error).to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(follower.name = follower.name(), error = failure, "a lease was not given back; it ends by itself");
}

async fn run_until(
    follower: &dyn Follower,
    clock: &dyn Clock,
    appended: &mut watch::Receiver<Position>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let mut troubles = Troubles::new(follower.name());
    metric::describe(follower.name());
    loop {
        // What is appended from here on wakes the wait below, even if this run reads too early to see it.
        appended.mark_unchanged();
        let pause = tokio::select! {
            biased;
            () = &mut shutdown => return,
            pause = run_and_report(follower, clock, &mut troubles) => pause,
        };
        let wait = match pause {
            Pause::None => continue,
            Pause::UntilWoken => wait_for_events(appended, POLL_INTERVAL, true),
            Pause::BackOff(time) => wait_for_events(appended, time, false),
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = wait => {}
        }
    }
}

enum Pause {
    None,
    UntilWoken,
    BackOff(Duration),
}

async fn run_and_report(follower: &dyn Follower, clock: &dyn Clock, troubles: &mut Troubles) -> Pause {
    match follower.run_once().await {
        Ok(progress) if progress.caught_up => {
            troubles.over();
            metric::show_lag(follower.name(), Lag::default(), clock.now());
            Pause::UntilWoken
        }
        Ok(_) => {
            troubles.over();
            show_lag(follower, clock).await;
            Pause::None
        }
        Err(FollowerError::Overtaken) => {
            tracing::debug!(follower.name = follower.name(), "another worker has moved the checkpoint");
            Pause::BackOff(jittered(troubles.next_wait()))
        }
        Err(FollowerError::Waiting) => {
            troubles.over();
            show_lag(follower, clock).await;
            Pause::BackOff(FIRST_BACK_OFF)
        }
        Err(error) => {
            metric::count_failure(follower.name());
            troubles.report(&error);
            show_lag(follower, clock).await;
            Pause::BackOff(troubles.next_wait())
        }
    }
}

/// A wait between half of `wait` and all of it, so that two who were in each other's way do not meet again.
fn jittered(wait: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish();
    let half = wait / 2;
    half + half * u32::try_from(chance % 1024).unwrap_or_default() / 1023
}

/// Shows how far it is behind. Where that cannot be asked, the run itself has failed and said so.
async fn show_lag(follower: &dyn Follower, clock: &dyn Clock) {
    match follower.lag().await {
        Ok(lag) => metric::show_lag(follower.name(), lag, clock.now()),
        Err(error) => tracing::debug!(follower.name = follower.name(), error = %Chain(&error), "its lag is not known"),
    }
}

async fn wait_for_events(appended: &mut watch::Receiver<Position>, at_most: Duration, wakes: bool) {
    if wakes {
        // A log that has closed its hint leaves the poll.
        match tokio::time::timeout(at_most, appended.changed()).await {
            Ok(Ok(())) => return tokio::time::sleep(GATHER_INTERVAL).await,
            Err(_) => return,
            Ok(Err(_)) => {}
        }
    }
    tokio::time::sleep(at_most).await;
}

/// The failures since the last success, so that each is logged once and the wait grows.
pub(crate) struct Troubles {
    follower: &'static str,
    failures: u32,
    last: Option<String>,
}

impl Troubles {
    pub(crate) fn new(follower: &'static str) -> Self {
        Self { follower, failures: 0, last: None }
    }

    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = FIRST_BACK_OFF.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        wait.min(LONGEST_BACK_OFF)
    }

    pub(crate) fn report(&mut self, error: &FollowerError) {
        let text = Chain(error).to_string();
        if self.last.as_ref() != Some(&text) {
            tracing::error!(follower.name = self.follower, error = text, "a follower stands still and tries again");
            self.last = Some(text);
        }
    }

    pub(crate) fn over(&mut self) {
        self.failures = 0;
        if self.last.take().is_some() {
            tracing::info!(follower.name = self.follower, "a follower goes on");
        }
    }
}

#[cfg(test)]
mod tests;
