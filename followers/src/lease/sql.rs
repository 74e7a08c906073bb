use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{Database, values};

use super::{LeaseError, Leases};

/// Leases in the state area, for several processes.
#[derive(Clone, Debug)]
pub struct SqlLeases {
    state: Database,
}

impl SqlLeases {
    /// Leases in the table of [`super::LEASE_MIGRATION`].
    pub fn new(state: Database) -> Self {
        Self { state }
    }
}

#[async_trait]
impl Leases for SqlLeases {
    async fn try_acquire(&self, name: &str, holder: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, LeaseError> {
        let sql = "insert into lease (name, holder, leased_until) values ($1, $2, $4)
            on conflict (name) do update set holder = excluded.holder, leased_until = excluded.leased_until
            where lease.leased_until <= $3 or lease.holder = excluded.holder";
        Ok(self.state.execute(sql, values![name, holder, now, until]).await? == 1)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        self.state.execute("delete from lease where name = $1 and holder = $2", values![name, holder]).await?;
        Ok(())
    }
}
