//! The background work of a process: followers, leases, upkeep. All of it ends with the shutdown.

use std::sync::Arc;
use std::time::Duration;

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

    /// Ends once all of it has ended after the shutdown, and cuts what has not `limit` after the word: work that waits for a
    /// silent channel has recorded its intent and is taken up again at the next start. A task that panicked is told of.
    pub(crate) async fn ended(mut self, limit: Duration) {
        let shutdown = self.shutdown.clone();
        let overdue = async {
            shutdown.triggered().await;
            tokio::time::sleep(limit).await;
        };
        tokio::select! {
            () = self.joined() => return,
            () = overdue => {}
        }
        tracing::warn!(tasks = self.tasks.len(), "background work was cut that did not end in time");
        self.tasks.abort_all();
        self.joined().await;
    }

    async fn joined(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(error = &error as &dyn std::error::Error, "a background task broke off");
            }
        }
    }
}
