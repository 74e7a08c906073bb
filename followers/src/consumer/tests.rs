//! Consumers over a book in memory and in tables: what has its effect, what waits, and what comes again.

use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use chassis::clock::ManualClock;
use database::testing::TestDatabase;
use database::{Area, Database, Migration, values};
use event_store::{Metadata, StreamId};
use uuid::Uuid;

use super::*;
use crate::message_feed::{Link, Part};
use crate::parking::{MemoryBook, ParkedMessage, ParkedState, ParkingDesk, ParkingDeskError, SqlBook};
use crate::testing::{at, position};
use crate::{MemoryLeases, MessageFeedError};

mod broker;
mod desk;
mod from_log;
mod jetstream;

pub(super) const TABLES: &[Migration] = &[
    Migration {
        version: 1,
        name: "checkpoints",
        sqlite: "create table follower_checkpoint (name text not null primary key, generation integer not null, position integer not null) strict",
        postgres: "create table follower_checkpoint (name text not null primary key, generation bigint not null, position bigint not null)",
    },
    Migration {
        version: 7,
        name: "consumers",
        sqlite: include_str!("../../../migrations/views/sqlite/0007_consumers.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0007_consumers.sql"),
    },
    Migration {
        version: 8,
        name: "taken",
        sqlite: "create table taken (number integer primary key, name text not null) strict",
        postgres: "create table taken (number bigint generated always as identity primary key, name text not null)",
    },
];

/// Where a test keeps what was taken.
pub(super) enum Store {
    Memory(Mutex<(Checkpoint, MemoryBook, Vec<String>)>),
    Sql(Database, #[expect(dead_code, reason = "held for as long as its tables")] TestDatabase),
}

/// An effect that writes down what it took, and cannot take what it is told not to.
pub(super) struct Taking {
    pub(super) store: Store,
    poison: Mutex<BTreeSet<i64>>,
    hangs_after: Mutex<bool>,
    fails: Mutex<bool>,
}

impl Taking {
    pub(super) fn in_memory() -> Arc<Self> {
        Arc::new(Self::over(Store::Memory(Mutex::new((Checkpoint::FIRST, MemoryBook::default(), Vec::new())))))
    }

    fn over(store: Store) -> Self {
        Self { store, poison: Mutex::default(), hangs_after: Mutex::new(false), fails: Mutex::new(false) }
    }

    async fn in_tables(place: TestDatabase) -> Arc<Self> {
        let views = place.open(Area::Views).await.unwrap();
        views.migrate(TABLES).await.unwrap();
        Arc::new(Self::over(Store::Sql(views, place)))
    }

    /// In memory, in SQLite and in Postgres.
    pub(super) async fn everywhere() -> [Arc<Self>; 3] {
        [Self::in_memory(), Self::in_tables(TestDatabase::sqlite()).await, Self::in_tables(TestDatabase::postgres().await).await]
    }

    /// Events at these positions cannot be taken from now on; no others.
    pub(super) fn poison(&self, positions: impl IntoIterator<Item = i64>) {
        *self.poison.lock().unwrap() = positions.into_iter().collect();
    }

    /// What was taken, for instance `order-1/0`, in the order in which it was.
    pub(super) async fn taken(&self) -> Vec<String> {
        match &self.store {
            Store::Memory(kept) => kept.lock().unwrap().2.clone(),
            Store::Sql(views, _) => {
                let rows: Vec<(String,)> = views.fetch_all("select name from taken order by number", values![]).await.unwrap();
                rows.into_iter().map(|(name,)| name).collect()
            }
        }
    }

    pub(super) async fn parked(&self) -> Vec<ParkedMessage> {
        match &self.store {
            Store::Memory(kept) => kept.lock().unwrap().1.parked(),
            Store::Sql(views, _) => {
                let desk = ParkingDesk::new(views.clone());
                let mut all = desk.list(None, 100).await.unwrap();
                all.extend(desk.list(Some(ParkedState::Skipped), 100).await.unwrap());
                all.sort_by_key(|message| message.event.position);
                all
            }
        }
    }

    /// The numbers, states and tries of what is parked.
    pub(super) async fn standing_of_parked(&self) -> Vec<(String, ParkedState, u32)> {
        self.parked().await.into_iter().map(|message| (message.parked_id, message.state, message.tries)).collect()
    }

    pub(super) async fn redrive(&self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        match &self.store {
            Store::Memory(kept) => kept.lock().unwrap().1.redrive(parked_id, now),
            Store::Sql(views, _) => ParkingDesk::new(views.clone()).redrive(parked_id, now).await,
        }
    }

    pub(super) async fn skip(&self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        match &self.store {
            Store::Memory(kept) => kept.lock().unwrap().1.skip(parked_id, "told to", now),
            Store::Sql(views, _) => ParkingDesk::new(views.clone()).skip(parked_id, "told to", now).await,
        }
    }
}

#[async_trait]
impl ConsumerEffect for Taking {
    type Work = Vec<String>;

    fn name(&self) -> &'static str {
        "taking"
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        match &self.store {
            Store::Memory(kept) => Ok(kept.lock().unwrap().0),
            Store::Sql(views, _) => Checkpoint::load(views, "taking").await.map_err(|error| EffectError::Store(error.into())),
        }
    }

    async fn standing(&self, asked: &Asked) -> Result<Standing, EffectError> {
        match &self.store {
            Store::Memory(kept) => Ok(kept.lock().unwrap().1.standing(asked)),
            Store::Sql(views, _) => SqlBook::new(views.clone()).standing(asked).await.map_err(|error| EffectError::Store(error.into())),
        }
    }

    async fn load(&self, _: &[&RecordedEvent]) -> Result<Vec<String>, EffectError> {
        Ok(Vec::new())
    }

    fn apply(&self, work: &mut Vec<String>, event: &RecordedEvent) -> Result<(), Inapplicable> {
        if self.poison.lock().unwrap().contains(&event.position.as_i64()) {
            return Err(Inapplicable("it is poison".to_owned()));
        }
        work.push(format!("{}/{}", event.stream_id, event.revision));
        Ok(())
    }

    async fn commit(&self, work: Vec<String>, change: &BookChange) -> Result<Checkpoint, EffectError> {
        if *self.fails.lock().unwrap() {
            return Err(EffectError::Store("the disk is full".into()));
        }
        let moved = match &self.store {
            Store::Memory(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let (checkpoint, book, taken) = &mut *kept;
                let moved = book.write(change, checkpoint).map_err(|_| EffectError::Overtaken)?;
                taken.extend(work);
                moved
            }
            Store::Sql(views, _) => {
                let mut transaction = views.begin().await.unwrap();
                let moved = change.write(&mut transaction, "taking").await.map_err(|error| match error {
                    crate::AdvanceError::Overtaken => EffectError::Overtaken,
                    crate::AdvanceError::Database(error) => EffectError::Store(error.into()),
                })?;
                for name in work {
                    transaction.execute("insert into taken (name) values ($1)", values![name]).await.unwrap();
                }
                transaction.commit().await.unwrap();
                moved
            }
        };
        if *self.hangs_after.lock().unwrap() {
            pending::<()>().await;
        }
        Ok(moved)
    }
}

/// The event at `number` of the log, of a stream.
pub(super) fn event(number: i64, stream: &str, revision: u64) -> RecordedEvent {
    RecordedEvent {
        position: position(number),
        stream_id: StreamId::parse(stream).unwrap(),
        revision,
        event_id: Uuid::from_u128(u128::try_from(number).unwrap()),
        event_type: "OrderPaid".to_owned(),
        schema_version: 1,
        recorded_at: at(number),
        data: format!("{{\"number\":{number}}}"),
        metadata: Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: String::new(), source: String::new() },
    }
}

/// Polls a run until it hangs, and drops it there, as a process that ends does.
pub(super) async fn drop_midway(follower: &dyn Follower) {
    let mut run = pin!(follower.run_once());
    for _ in 0..1000 {
        let is_done = poll_fn(|context| Poll::Ready(run.as_mut().poll(context).is_ready())).await;
        assert!(!is_done, "the run was to hang");
        tokio::task::yield_now().await;
    }
}
