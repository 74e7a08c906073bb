//! The lease of a worker number: while it runs, nobody else numbers with it.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Database, Time, values};
use domain::ids::{InvalidWorker, SnowflakeSequence};
use uuid::{Builder, Uuid};

use super::OrderIdError;
use crate::StorefrontError;

/// How often a number is chosen anew when another process took the chosen one at the same moment.
const TRY_LIMIT: u32 = 128;

/// A worker number that this process alone may number with, from `started_after` until `until`.
///
/// The two ends make ids unique whatever the processes' clocks show: an id carries a time after every id of the number's
/// earlier holders, and none after what a later holder will begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerLease {
    worker: u16,
    lease_id: Uuid,
    started_after: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A worker number as the table has it.
#[derive(Clone, Debug)]
struct Slot {
    worker: u16,
    holder: String,
    is_leased: bool,
    used_until: DateTime<Utc>,
}

/// The number to ask for, and until when it was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    worker: u16,
    used_until: Option<DateTime<Utc>>,
}

impl WorkerLease {
    /// How long a lease runs. A process that ends without giving its number back keeps it from others for so long.
    pub const LIFE: TimeDelta = TimeDelta::seconds(60);

    /// Leases a number for `holder` (a name for people to read, for instance host and process id): the `configured`
    /// one, else any that is free.
    ///
    /// Errors: `WorkerTaken`, `NoFreeWorker`, `InvalidWorker`, `Failed`.
    pub async fn acquire(database: &Database, holder: &str, configured: Option<u16>, now: DateTime<Utc>) -> Result<Self, OrderIdError> {
        if configured.is_some_and(|worker| worker > SnowflakeSequence::MAX_WORKER) {
            return Err(OrderIdError::InvalidWorker(InvalidWorker));
        }
        for _ in 0..TRY_LIMIT {
            let choice = choose(&slots(database).await?, configured, now)?;
            if let Some(lease) = claim(database, holder, choice, now).await? {
                return Ok(lease);
            }
        }
        Err(OrderIdError::NoFreeWorker)
    }

    /// Lets the lease run for [`WorkerLease::LIFE`] from `now`, and never shorter than it did: ids up to the old end may
    /// have been given out. A lease that has run out goes on too, while nobody else took the number; `None` if somebody did.
    pub async fn renew(&self, database: &Database, now: DateTime<Utc>) -> Result<Option<Self>, StorefrontError> {
        let renewed: Option<(Time,)> = database
            .fetch_optional(
                "update snowflake_worker set used_until = case when used_until > $3 then used_until else $3 end
                 where worker = $1 and lease_id = $2
                 returning used_until",
                values![self.worker, self.lease_id.to_string(), now + Self::LIFE],
            )
            .await?;
        Ok(renewed.map(|(until,)| Self { until: until.into(), ..self.clone() }))
    }

    /// Gives the number back. `used_until` is the time of the last id that was given out.
    pub async fn release(self, database: &Database, used_until: DateTime<Utc>) -> Result<(), StorefrontError> {
        database
            .execute(
                "update snowflake_worker set lease_id = null, used_until = $3 where worker = $1 and lease_id = $2",
                values![self.worker, self.lease_id.to_string(), used_until],
            )
            .await?;
        Ok(())
    }

    /// The number, 0 to 1023.
    pub fn worker(&self) -> u16 {
        self.worker
    }

    /// The lease's end: no id of a later time may be given out.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// The same lease, ending at `until` if that is sooner.
    pub(super) fn ending(self, until: DateTime<Utc>) -> Self {
        Self { until: self.until.min(until), ..self }
    }

    /// Whether both are the same lease, renewed or not.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.lease_id == other.lease_id
    }

    /// The ids of this lease, none of them given out before. Errors: `InvalidWorker`, which no lease has.
    pub fn sequence(&self) -> Result<SnowflakeSequence, OrderIdError> {
        SnowflakeSequence::new(self.worker, self.started_after).map_err(OrderIdError::InvalidWorker)
    }
}

async fn slots(database: &Database) -> Result<Vec<Slot>, StorefrontError> {
    let rows: Vec<(i64, String, Option<String>, Time)> =
        database.fetch_all("select worker, holder, lease_id, used_until from snowflake_worker order by worker", values![]).await?;
    rows.into_iter()
        .map(|(worker, holder, lease_id, used_until)| {
            let worker = u16::try_from(worker).map_err(|_| StorefrontError::Corrupt { table: "snowflake_worker" })?;
            Ok(Slot { worker, holder, is_leased: lease_id.is_some(), used_until: used_until.into() })
        })
        .collect()
}

/// The number to ask for. `slots` are all that were ever used, by rising number.
fn choose(slots: &[Slot], configured: Option<u16>, now: DateTime<Utc>) -> Result<Choice, OrderIdError> {
    let is_held = |slot: &Slot| slot.is_leased && slot.used_until >= now;
    let again = |slot: &Slot| Choice { worker: slot.worker, used_until: Some(slot.used_until) };
    if let Some(worker) = configured {
        return match slots.iter().find(|slot| slot.worker == worker) {
            None => Ok(Choice { worker, used_until: None }),
            Some(slot) if !is_held(slot) => Ok(again(slot)),
            Some(slot) => Err(OrderIdError::WorkerTaken { worker, holder: slot.holder.clone(), until: slot.used_until }),
        };
    }
    if let Some(slot) = slots.iter().find(|slot| slot.used_until < now) {
        return Ok(again(slot));
    }
    let is_unused = |worker: &u16| slots.binary_search_by_key(worker, |slot| slot.worker).is_err();
    if let Some(worker) = (0..=SnowflakeSequence::MAX_WORKER).find(is_unused) {
        return Ok(Choice { worker, used_until: None });
    }
    // What was given back by a process whose clock was ahead comes last: its ids go on from that clock's time.
    let free = slots.iter().filter(|slot| !is_held(slot)).min_by_key(|slot| slot.used_until);
    free.map(again).ok_or(OrderIdError::NoFreeWorker)
}

/// Takes the chosen number if it still is as it was seen.
async fn claim(database: &Database, holder: &str, choice: Choice, now: DateTime<Utc>) -> Result<Option<WorkerLease>, StorefrontError> {
    let started_after = Time::from(choice.used_until.unwrap_or(now));
    let until = Time::from(now.max(started_after.into()) + WorkerLease::LIFE);
    let lease_id = Builder::from_random_bytes(rand::random()).into_uuid();
    let claimed = database
        .execute(
            "insert into snowflake_worker (worker, holder, lease_id, started_after, used_until) values ($1, $2, $3, $4, $5)
             on conflict (worker) do update set
                 holder = excluded.holder, lease_id = excluded.lease_id,
                 started_after = excluded.started_after, used_until = excluded.used_until
             where snowflake_worker.used_until = excluded.started_after
               and (snowflake_worker.lease_id is null or snowflake_worker.used_until < $6)",
            values![choice.worker, holder, lease_id.to_string(), started_after, until, now],
        )
        .await?;
    let lease = WorkerLease { worker: choice.worker, lease_id, started_after: started_after.into(), until: until.into() };
    Ok((claimed == 1).then_some(lease))
}

#[cfg(test)]
mod tests;
