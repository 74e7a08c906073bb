//! Numbers of a leased worker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::problem::Chain;
use chassis::shutdown::Shutdown;
use chrono::{DateTime, Utc};
use database::Database;
use domain::ids::SnowflakeSequence;
use domain::{OrderId, SelectionId};

use super::{OrderIdError, OrderIdSource, WorkerLease};

/// How often the lease is renewed: often enough that a store may be away for most of a lease's life.
const RENEW_INTERVAL: Duration = Duration::from_secs(10);

/// Numbers of one leased worker. It keeps the lease alive by [`LeasedIds::run`], takes it up again by itself after a pause
/// or a leap of the clock, and takes another number if its own went to another process meanwhile.
pub struct LeasedIds {
    database: Database,
    holder: String,
    configured: Option<u16>,
    held: Mutex<Held>,
}

struct Held {
    lease: WorkerLease,
    sequence: SnowflakeSequence,
}

impl LeasedIds {
    /// Leases a worker number: the `configured` one, else any that is free. `holder` is a name for people to read.
    /// Errors: as [`WorkerLease::acquire`].
    pub async fn acquire(
        database: Database,
        holder: impl Into<String>,
        configured: Option<u16>,
        now: DateTime<Utc>,
    ) -> Result<Self, OrderIdError> {
        let holder = holder.into();
        let lease = WorkerLease::acquire(&database, &holder, configured, now).await?;
        let held = Mutex::new(Held { sequence: lease.sequence()?, lease });
        Ok(Self { database, holder, configured, held })
    }

    /// The worker number and the end of its lease at present.
    pub fn lease(&self) -> WorkerLease {
        self.held().lease.clone()
    }

    /// Lets the lease run on from `now`; if another process took the number, leases one anew.
    /// Errors: as [`WorkerLease::acquire`].
    pub async fn renew(&self, now: DateTime<Utc>) -> Result<(), OrderIdError> {
        let before = self.lease();
        if let Some(renewed) = before.renew(&self.database, now).await? {
            let mut held = self.held();
            if held.lease.is_same(&renewed) && held.lease.until() < renewed.until() {
                held.lease = renewed;
            }
            return Ok(());
        }
        if !self.lease().is_same(&before) {
            // Another caller saw the same, and has a new lease already.
            return Ok(());
        }
        let lease = WorkerLease::acquire(&self.database, &self.holder, self.configured, now).await?;
        tracing::warn!(snowflake.worker = lease.worker(), "the worker number went to another process; leased one anew");
        match self.install(&before, lease)? {
            None => Ok(()),
            Some(superfluous) => Ok(superfluous.release(&self.database, now).await?),
        }
    }

    /// Takes ids from `lease` from now on; gives it back if another caller did away with the one `before` meanwhile.
    fn install(&self, before: &WorkerLease, lease: WorkerLease) -> Result<Option<WorkerLease>, OrderIdError> {
        let sequence = lease.sequence()?;
        let mut held = self.held();
        if !held.lease.is_same(before) {
            return Ok(Some(lease));
        }
        *held = Held { lease, sequence };
        Ok(None)
    }

    /// Gives the number back, so that another process may have it at once. Who asks for an id afterwards makes this
    /// process lease one anew.
    pub async fn release(&self) -> Result<(), OrderIdError> {
        let (lease, used_until) = {
            let mut held = self.held();
            let used_until = DateTime::from_timestamp_millis(held.sequence.last_ms()).unwrap_or(held.lease.until());
            held.lease = held.lease.clone().ending(used_until);
            (held.lease.clone(), used_until)
        };
        Ok(lease.release(&self.database, used_until).await?)
    }

    /// Renews the lease every few seconds until `shutdown`, then gives it back.
    pub async fn run(&self, clock: &dyn Clock, shutdown: &Shutdown) {
        self.run_every(RENEW_INTERVAL, clock, shutdown).await;
    }

    async fn run_every(&self, interval: Duration, clock: &dyn Clock, shutdown: &Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.triggered() => break,
                () = tokio::time::sleep(interval) => {
                    if let Err(error) = self.renew(clock.now()).await {
                        tracing::warn!(error = %Chain(&error), "the lease of the worker number was not renewed");
                    }
                }
            }
        }
        if let Err(error) = self.release().await {
            tracing::warn!(error = %Chain(&error), "the worker number was not given back; its lease will run out");
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic cannot leave lease and sequence at odds: they are assigned together.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id within the lease, or `None`. The sequence is not asked beyond the lease, because it never goes back.
    fn take<T>(&self, now: DateTime<Utc>, next: impl Fn(&mut SnowflakeSequence) -> T) -> Option<T> {
        let mut held = self.held();
        if now > held.lease.until() {
            return None;
        }
        let id = next(&mut held.sequence);
        (held.sequence.last_ms() <= held.lease.until().timestamp_millis()).then_some(id)
    }

    async fn next<T>(&self, now: DateTime<Utc>, next: impl Fn(&mut SnowflakeSequence) -> T + Send + Sync) -> Result<T, OrderIdError> {
        if let Some(id) = self.take(now, &next) {
            return Ok(id);
        }
        self.renew(now).await?;
        let lease = self.lease();
        self.take(now, &next).ok_or(OrderIdError::LeaseEnded { worker: lease.worker(), until: lease.until() })
    }
}

#[async_trait]
impl OrderIdSource for LeasedIds {
    async fn next_order_id(&self, now: DateTime<Utc>) -> Result<OrderId, OrderIdError> {
        self.next(now, |sequence| sequence.next_order_id(now)).await
    }

    async fn next_selection_id(&self, now: DateTime<Utc>) -> Result<SelectionId, OrderIdError> {
        self.next(now, |sequence| sequence.next_selection_id(now)).await
    }
}

#[cfg(test)]
mod tests;
