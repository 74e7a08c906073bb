//! The background work of a process: followers, leases, upkeep. All of it ends with the shutdown.

use std::sync::Arc;

use chassis::clock::Clock;
use chassis::shutdown::Shutdown;
use event_store::LogReader;
use followers::{Follower, run_forever};
use tokio::task::JoinSet;

/// The tasks of a process.
pub(crate) struct Background {
    tasks: JoinSet<()>,
    shutdown: Shutdown,
}

impl Background {
    /// None yet; all of them end with `shutdown`.
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        Self { tasks: JoinSet::new(), shutdown }
    }

    /// The word on which all of it ends.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Runs `work` until it ends by itself, which it does at shutdown.
    pub(crate) fn run(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Runs a follower.
    pub(crate) fn follow(&mut self, follower: Arc<dyn Follower>, clock: Arc<dyn Clock>, log: &Arc<dyn LogReader>) {
        let (appended, shutdown) = (log.appended(), self.shutdown.clone());
        self.tasks.spawn(async move {
            run_forever(follower.as_ref(), clock.as_ref(), appended, shutdown.triggered()).await;
        });
    }

    /// Waits until all of it has ended. A task that panicked is told of.
    pub(crate) async fn ended(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = &error as &dyn std::error::Error, "a background task broke off");
            }
        }
    }
}
