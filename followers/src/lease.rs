use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{DatabaseError, Migration};

mod memory;
mod sql;
#[cfg(test)]
mod tests;

pub use memory::MemoryLeases;
pub use sql::SqlLeases;

/// The table of leases, a step of the state area.
pub const LEASE_MIGRATION: Migration = Migration {
    version: 3,
    name: "0003_lease",
    sqlite: include_str!("../../migrations/state/sqlite/0003_lease.sql"),
    postgres: include_str!("../../migrations/state/postgres/0003_lease.sql"),
};

/// Who does a piece of work that one process at a time should do.
///
/// A lease saves double work and nothing else: its holder may stall past its end, so whatever it does must be harmless when
/// done twice.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes or prolongs the lease `name` until `until`; false while another holder's has not ended at `now`.
    async fn try_acquire(&self, name: &str, holder: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, LeaseError>;

    /// Gives the lease back before its end. A lease that `holder` does not hold stays.
    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError>;
}

/// Why it is not known who holds a lease. Treat it as held by another.
#[derive(Debug, thiserror::Error)]
#[error("the table of leases did not answer")]
pub struct LeaseError(#[from] DatabaseError);
