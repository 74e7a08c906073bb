//! Where the numbers of orders and course selections come from.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chassis::problem::{Code, Problem};
use chrono::{DateTime, Utc};
use domain::ids::SnowflakeSequence;
use domain::{OrderId, SelectionId};

use crate::StorefrontError;

mod leased;
mod worker_lease;

pub use leased::LeasedIds;
pub use worker_lease::WorkerLease;

/// Gives out each number once, over all processes and restarts.
#[async_trait]
pub trait OrderIdSource: Send + Sync {
    /// The next order's number.
    async fn next_order_id(&self, now: DateTime<Utc>) -> Result<OrderId, OrderIdError>;

    /// The next course selection's number.
    async fn next_selection_id(&self, now: DateTime<Utc>) -> Result<SelectionId, OrderIdError>;
}

/// Why there is no number, or no lease from which numbers could come.
#[derive(Debug, thiserror::Error)]
pub enum OrderIdError {
    /// The configured worker number is held by another process.
    #[error("snowflake worker {worker} is held by {holder} until {until}")]
    WorkerTaken {
        /// The number.
        worker: u16,
        /// Who holds it, as it named itself.
        holder: String,
        /// When its lease ends unless it is renewed.
        until: DateTime<Utc>,
    },
    /// Every worker number is held by another process.
    #[error("all snowflake workers are taken")]
    NoFreeWorker,
    /// A configured worker number does not fit ten bits.
    #[error("the configured snowflake worker is no worker number")]
    InvalidWorker(#[source] domain::ids::InvalidWorker),
    /// The lease has run out, and the store does not say that it may go on.
    #[error("the lease of snowflake worker {worker} ended at {until}")]
    LeaseEnded {
        /// The number.
        worker: u16,
        /// When it ended.
        until: DateTime<Utc>,
    },
    /// The store failed.
    #[error("no number could be had")]
    Failed(#[from] StorefrontError),
}

/// Without a number nothing was begun, and asking again may help; only a wrong configuration stays wrong.
impl From<OrderIdError> for Problem {
    fn from(error: OrderIdError) -> Self {
        match error {
            OrderIdError::Failed(error) => error.into(),
            OrderIdError::InvalidWorker(_) => Self::internal(&error),
            OrderIdError::WorkerTaken { .. } | OrderIdError::NoFreeWorker | OrderIdError::LeaseEnded { .. } => {
                Self::caused(Code::StoreUnavailable, &error)
            }
        }
    }
}

/// Numbers of one worker without a lease, for the simulation and for tests.
#[derive(Debug)]
pub struct UnleasedIds {
    sequence: Mutex<SnowflakeSequence>,
}

impl UnleasedIds {
    /// Continues `sequence`, which nobody else may use.
    pub fn new(sequence: SnowflakeSequence) -> Self {
        Self { sequence: Mutex::new(sequence) }
    }

    fn with<T>(&self, next: impl FnOnce(&mut SnowflakeSequence) -> T) -> T {
        next(&mut self.sequence.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl OrderIdSource for UnleasedIds {
    async fn next_order_id(&self, now: DateTime<Utc>) -> Result<OrderId, OrderIdError> {
        Ok(self.with(|sequence| sequence.next_order_id(now)))
    }

    async fn next_selection_id(&self, now: DateTime<Utc>) -> Result<SelectionId, OrderIdError> {
        Ok(self.with(|sequence| sequence.next_selection_id(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_lease_a_client_is_asked_to_come_again() {
        let until = DateTime::UNIX_EPOCH;
        for error in [OrderIdError::NoFreeWorker, OrderIdError::LeaseEnded { worker: 1, until }] {
            assert_eq!(Problem::from(error).code, Code::StoreUnavailable);
        }
        assert_eq!(Problem::from(OrderIdError::InvalidWorker(domain::ids::InvalidWorker)).code, Code::Internal);
    }

    #[tokio::test]
    async fn unleased_numbers_are_the_sequences() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let sequence = || SnowflakeSequence::new(7, DateTime::UNIX_EPOCH).unwrap();
        let (ids, mut plain) = (UnleasedIds::new(sequence()), sequence());
        assert_eq!(ids.next_order_id(now).await.unwrap(), plain.next_order_id(now));
        assert_eq!(ids.next_selection_id(now).await.unwrap(), plain.next_selection_id(now));
    }
}
