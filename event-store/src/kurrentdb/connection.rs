use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kurrentdb::{Client, ClientSettings};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::failure::Failure;
use crate::{KurrentDbUrl, OpenError};

/// A client of a cluster keeps to its node even when that has failed, so it is replaced by one that looks for the leader anew; but
/// not more often than this, since the former is never quite gone.
const REPLACED_EVERY: Duration = Duration::from_secs(5);

/// The client, which is made again when it has ended: one failed attempt to connect ends it for good.
pub(super) struct Connection {
    settings: ClientSettings,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    client: Option<Client>,
    /// Counts the clients.
    number: u64,
    replaced_at: Option<Instant>,
}

impl Connection {
    pub(super) fn new(url: &KurrentDbUrl) -> Result<Self, OpenError> {
        let settings = url.for_client().parse().map_err(|_| OpenError::BadUrl("the client of KurrentDB cannot read it"))?;
        Ok(Self { settings, current: Mutex::default() })
    }

    /// Asks the client for something, in a task of its own: the client panics where a server answers what it does not know.
    pub(super) async fn call<T, F>(&self, ask: impl FnOnce(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
    {
        let (client, number) = self.client()?;
        let task = tokio::spawn(ask(client));
        let _aborted_when_dropped = Aborted(task.abort_handle());
        let answer = task.await.unwrap_or_else(|error| Err(Failure::Broken(error)));
        if let Err(failure) = &answer {
            self.look_at(failure, number);
        }
        answer
    }

    fn client(&self) -> Result<(Client, u64), Failure> {
        let mut current = self.current();
        if let Some(client) = &current.client {
            return Ok((client.clone(), current.number));
        }
        let client = Client::new(self.settings.clone()).map_err(|error| Failure::Unmade(error.to_string()))?;
        current.number += 1;
        current.client = Some(client.clone());
        Ok((client, current.number))
    }

    /// Lets go of client `number` where the failure means that it is of no use any more.
    fn look_at(&self, failure: &Failure, number: u64) {
        let is_cluster = self.settings.hosts().len() > 1 || self.settings.is_dns_discovery_enabled();
        let mut current = self.current();
        if current.number != number {
            return;
        }
        let now = Instant::now();
        let may_replace = || current.replaced_at.is_none_or(|at| now.duration_since(at) >= REPLACED_EVERY);
        if failure.ended_client() {
            current.client = None;
        } else if is_cluster && failure.is_of_node() && may_replace() {
            current.client = None;
            current.replaced_at = Some(now);
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a task whose caller has gone.
struct Aborted(AbortHandle);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
