use std::pin::pin;
use std::time::Duration;

use crate::run::{Troubles, give_back};
use crate::{Follower, FollowerError, metric};

/// How long a worker that has not the lease of its part waits before it asks for it again.
const LEASE_POLL: Duration = Duration::from_secs(2);

/// Runs a worker of a broker's part until `shutdown` ends, again and again: its feed waits for the messages. A failure is
/// counted, logged when it is another one than before, and tried again after a growing wait. A run in progress is dropped at
/// shutdown, and the worker's lease given back.
pub async fn run_worker(worker: &dyn Follower, shutdown: impl Future<Output = ()> + Send) {
    run_until(worker, shutdown).await;
    give_back(worker).await;
}

async fn run_until(worker: &dyn Follower, shutdown: impl Future<Output = ()> + Send) {
    let mut shutdown = pin!(shutdown);
    let mut troubles = Troubles::new(worker.name());
    loop {
        let run = async {
            let wait = match worker.run_once().await {
                Ok(_) => {
                    troubles.over();
                    return;
                }
                Err(FollowerError::Waiting) => LEASE_POLL,
                Err(FollowerError::Overtaken) => troubles.next_wait(),
                Err(error) => {
                    metric::count_failure(worker.name());
                    troubles.report(&error);
                    troubles.next_wait()
                }
            };
            tokio::time::sleep(wait).await;
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = run => {}
        }
    }
}
