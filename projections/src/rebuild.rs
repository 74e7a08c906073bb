use std::sync::Arc;

use chassis::clock::{Clock, ManualClock};
use chrono::{DateTime, Utc};
use database::{Backend, Database, DatabaseError, Transaction, values};
use event_store::{LogReader, Position};
use followers::{Consumer, EffectError, FeedFollower, Follower, FollowerError, LogFeed, LogMessageFeed, TURNS_OF};

use crate::store::SqlView;
use crate::{
    ConsumerProjector, Consumption, Coupons, CourseSelections, Entitlements, Orders, PayRecords, Points, Projection, SqlViewStore, Stocks,
    SurplusPayments, View, ViewStore,
};

/// How many events a page of a rebuild spans: nobody waits for the single page, so its commit is shared by more.
pub const REBUILD_PAGE_EVENTS: usize = 2000;

/// How often the exchange is tried while the running follower stays ahead of the rebuilt tables.
pub const SWAP_TRIES: usize = 100;

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many events were applied.
    pub events: u64,
    /// The rows of each table that was made again.
    pub rows: Vec<(&'static str, u64)>,
    /// The position up to which the view is made now.
    pub position: Position,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When the new tables had taken the place of the old ones.
    pub finished_at: DateTime<Utc>,
}

impl Rebuilt {
    /// The events applied in each second, on the whole.
    pub fn events_per_second(&self) -> u64 {
        let millis = u64::try_from((self.finished_at - self.started_at).num_milliseconds()).unwrap_or(0).max(1);
        self.events.saturating_mul(1000) / millis
    }
}

/// Why a view was not made again. The view that is read is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another rebuild of the same view has begun.
    #[error("another rebuild of this view has begun")]
    Overtaken,
    /// The running follower stayed ahead each time that the tables were to be exchanged.
    #[error("the running follower stays ahead of the rebuild")]
    CannotCatchUp,
    /// The events could not be read or applied.
    #[error("the rebuild stands still")]
    Follower(#[source] FollowerError),
    /// The tables could not be emptied or exchanged.
    #[error("the view's tables failed")]
    Database(#[from] DatabaseError),
}

impl From<FollowerError> for RebuildError {
    fn from(error: FollowerError) -> Self {
        match error {
            FollowerError::Overtaken => Self::Overtaken,
            other => Self::Follower(other),
        }
    }
}

impl From<EffectError> for RebuildError {
    fn from(error: EffectError) -> Self {
        FollowerError::from(error).into()
    }
}

/// Makes a view again from the log, beside the one that is read, and exchanges them in one transaction, while reads and
/// writes and the view's own follower go on. That follower finds another generation at its checkpoint and goes on behind
/// it. What is read never goes back in position. Pay records and refunds are
/// made together, and so are course selections and the course table.
pub async fn rebuild(view: View, views: &Database, log: &Arc<dyn LogReader>, clock: &dyn Clock) -> Result<Rebuilt, RebuildError> {
    match view {
        View::Orders => rebuild_of::<Orders>(views, log, clock).await,
        View::PayRecords | View::Refunds => rebuild_of::<PayRecords>(views, log, clock).await,
        View::SurplusPayments => rebuild_of::<SurplusPayments>(views, log, clock).await,
        View::CourseSelections | View::CourseTable => rebuild_consumer::<CourseSelections>(views, log, clock).await,
        View::Points => rebuild_consumer::<Points>(views, log, clock).await,
        View::Entitlements => rebuild_consumer::<Entitlements>(views, log, clock).await,
        View::Stock => rebuild_of::<Stocks>(views, log, clock).await,
        View::Coupons => rebuild_of::<Coupons>(views, log, clock).await,
    }
}

async fn rebuild_of<V: SqlView>(views: &Database, log: &Arc<dyn LogReader>, clock: &dyn Clock) -> Result<Rebuilt, RebuildError> {
    let feed = Arc::new(LogFeed::new(Arc::clone(log), V::wanted()));
    let effect = Arc::new(Projection::<V, _>::new(SqlViewStore::<V>::rebuilding(views.clone())));
    let follower = FeedFollower::new(feed, effect).with_page_events(REBUILD_PAGE_EVENTS);
    rebuild_by::<V>(&follower, views, clock).await
}

/// The same for a view that a consumer keeps: what cannot be taken is parked anew, and takes the place of what was parked.
async fn rebuild_consumer<V>(views: &Database, log: &Arc<dyn LogReader>, clock: &dyn Clock) -> Result<Rebuilt, RebuildError>
where
    V: SqlView + ConsumerProjector,
{
    let feed = Arc::new(LogMessageFeed::new(Arc::new(LogFeed::new(Arc::clone(log), V::wanted()))));
    let effect = Arc::new(Consumption::<V, _>::rebuilding(SqlViewStore::<V>::rebuilding(views.clone())));
    // What is parked is tried again by the running consumer, once it has it.
    let clock_of_parking = Arc::new(ManualClock::new(clock.now()));
    let follower = Consumer::new(feed, effect, clock_of_parking).with_batch_messages(REBUILD_PAGE_EVENTS);
    rebuild_by::<V>(&follower, views, clock).await
}

async fn rebuild_by<V: SqlView>(follower: &dyn Follower, views: &Database, clock: &dyn Clock) -> Result<Rebuilt, RebuildError> {
    let started_at = clock.now();
    let generation = begin::<V>(views).await?;
    if SqlViewStore::<V>::rebuilding(views.clone()).checkpoint().await.map_err(EffectError::from)?.generation != generation {
        return Err(RebuildError::Overtaken);
    }
    let mut events = 0;
    for _ in 0..SWAP_TRIES {
        let position = catch_up(follower, &mut events).await?;
        if let Some(rows) = exchange::<V>(views, generation, position).await? {
            return Ok(Rebuilt { events, rows, position, started_at, finished_at: clock.now() });
        }
    }
    Err(RebuildError::CannotCatchUp)
}

async fn catch_up(follower: &dyn Follower, events: &mut u64) -> Result<Position, RebuildError> {
    loop {
        let progress = follower.run_once().await?;
        *events += u64::try_from(progress.applied).unwrap_or(u64::MAX);
        if progress.caught_up {
            return Ok(progress.position);
        }
    }
}

/// Empties the tables that are to be filled and gives their checkpoint a new generation, by which an earlier rebuild
/// that still runs notices that it is over.
async fn begin<V: SqlView>(views: &Database) -> Result<i64, RebuildError> {
    let mut transaction = views.begin().await?;
    let sql = "insert into follower_checkpoint (name, generation, position) values ($1, 1, 0)
        on conflict (name) do update set generation = follower_checkpoint.generation + 1, position = 0
        returning generation";
    let (generation,): (i64,) = transaction.fetch_one(sql, values![V::REBUILD_NAME]).await?;
    empty::<V>(&mut transaction).await?;
    transaction.execute("delete from parked_message where consumer = $1", values![V::REBUILD_NAME]).await?;
    transaction.commit().await?;
    Ok(generation)
}

async fn empty<V: SqlView>(transaction: &mut Transaction) -> Result<(), DatabaseError> {
    for pair in V::tables() {
        let sql = match transaction.backend() {
            Backend::Sqlite => pair.rebuild.delete,
            Backend::Postgres => pair.rebuild.truncate,
        };
        transaction.execute(sql, Vec::new()).await?;
    }
    Ok(())
}

/// Exchanges the tables, which are made up to `position`, and answers the rows of each; `None`, and nothing is done, where
/// the running follower is further.
async fn exchange<V: SqlView>(
    views: &Database,
    generation: i64,
    position: Position,
) -> Result<Option<Vec<(&'static str, u64)>>, RebuildError> {
    let mut rows = Vec::new();
    let mut transaction = views.begin().await?;
    // Taken first, as the running follower does, so that the two wait for each other in one order.
    let sql = "insert into follower_checkpoint (name, generation, position) values ($1, 1, 0) on conflict (name) do nothing";
    transaction.execute(sql, values![V::NAME]).await?;
    let sql = "update follower_checkpoint set generation = generation + 1, position = $2 where name = $1 and position <= $2";
    if transaction.execute(sql, values![V::NAME, position.as_i64()]).await? == 0 {
        transaction.rollback().await?;
        return Ok(None);
    }
    // A consumer of a broker may be further than the broker's slowest part tells.
    let sql = "select count(*) from consumer_mark where consumer = $1 and position > $2 and mark_id not like $3";
    let turns = format!("{} {TURNS_OF} %", V::NAME);
    let (ahead,): (i64,) = transaction.fetch_one(sql, values![V::NAME, position.as_i64(), turns]).await?;
    if ahead > 0 {
        transaction.rollback().await?;
        return Ok(None);
    }
    let sql = "update follower_checkpoint set generation = generation + 1, position = 0
        where name = $1 and generation = $2 and position = $3";
    if transaction.execute(sql, values![V::REBUILD_NAME, generation, position.as_i64()]).await? == 0 {
        transaction.rollback().await?;
        return Err(RebuildError::Overtaken);
    }
    exchange_parked::<V>(&mut transaction).await?;
    for pair in V::tables() {
        let (count,): (i64,) = transaction.fetch_one(pair.rebuild.count, Vec::new()).await?;
        rows.push((pair.name, u64::try_from(count).unwrap_or(0)));
        for statement in pair.exchange {
            transaction.execute(statement, Vec::new()).await?;
        }
    }
    empty::<V>(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Some(rows))
}

/// What could not be taken into the new tables takes the place of what could not be taken into the old ones. What operators
/// have skipped stays.
async fn exchange_parked<V: SqlView>(transaction: &mut Transaction) -> Result<(), DatabaseError> {
    let sql = "delete from parked_message where consumer = $1 and state <> 'skipped'";
    transaction.execute(sql, values![V::NAME]).await?;
    let sql = "update parked_message set consumer = $1, parked_id = replace(parked_id, $2, $1), queue = replace(queue, $2, $1) \
         where consumer = $2";
    transaction.execute(sql, values![V::NAME, V::REBUILD_NAME]).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
