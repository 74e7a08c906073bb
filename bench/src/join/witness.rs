//! A consumer that is new: it asks for every event of every stream and keeps, for each stream, how many it was given. An event
//! that is not the next of its stream it refuses, so that it would be found among the parked messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chassis::clock::SystemClock;
use database::{Database, DatabaseError, KeyedSelect, Migration, Upsert, values};
use event_store::RecordedEvent;
use followers::nats::Nats;
use followers::{
    AdvanceError, Asked, BookChange, Checkpoint, Consumer, ConsumerEffect, EffectError, Follower, Inapplicable, JetStreamFeed, Part,
    SqlBook, Standing, SubjectFilter,
};

use crate::trouble::{Doing, Trouble};

/// Its name.
pub(super) const NAME: &str = "witness";

/// Everything that is published.
const EVERYTHING: SubjectFilter = SubjectFilter { aggregate: "*", event_type: "*", order_type: None };

/// Its own table, after those that every consumer has.
const TABLE: Migration = Migration {
    version: 9001,
    name: "witness",
    sqlite: "create table witness (stream_id text not null primary key, events integer not null) strict",
    postgres: "create table witness (stream_id text not null primary key, events bigint not null)",
};

static SELECT: KeyedSelect = KeyedSelect::new("select stream_id, events from witness where stream_id", "order by stream_id");
static UPSERT: Upsert = Upsert::new("witness", &["stream_id"], &["events"]);

/// What it does with messages.
pub(super) struct Witness {
    tables: Database,
}

/// How many events of each stream it has, and which streams have changed.
#[derive(Default)]
pub(super) struct Counts {
    events: BTreeMap<String, i64>,
    touched: BTreeSet<String>,
}

impl Witness {
    /// Makes its tables in an empty database.
    pub(super) async fn new(tables: Database) -> Result<Arc<Self>, Trouble> {
        tables.migrate(&[projections::MIGRATIONS, &[TABLE]].concat()).await.doing("make the new consumer's tables")?;
        Ok(Arc::new(Self { tables }))
    }

    /// One worker a part.
    pub(super) fn workers(self: &Arc<Self>, nats: &Nats) -> Vec<Arc<dyn Follower>> {
        let worker = |part| {
            let feed = JetStreamFeed::new(nats.clone(), NAME, vec![EVERYTHING], part);
            Arc::new(Consumer::new(Arc::new(feed), Arc::clone(self), Arc::new(SystemClock::default()))) as Arc<dyn Follower>
        };
        Part::all().map(worker).collect()
    }

    /// Of orders' streams: how many there are, how many of them have not `whole` events, and the events of all streams; and
    /// how many messages it could not take.
    pub(super) async fn seen(&self, whole: u32) -> Result<Seen, Trouble> {
        let sql = "select count(*), count(case when events <> $1 then 1 end) from witness where stream_id like 'order-%'";
        let (orders, partly): (i64, i64) = self.tables.fetch_one(sql, values![whole]).await.doing("count what the new consumer saw")?;
        let sql = "select cast(coalesce(sum(events), 0) as bigint) from witness";
        let (events,): (i64,) = self.tables.fetch_one(sql, values![]).await.doing("count what the new consumer saw")?;
        let sql = "select count(*) from parked_message";
        let (parked,): (i64,) = self.tables.fetch_one(sql, values![]).await.doing("count parked messages")?;
        Ok(Seen { orders, partly, events, parked })
    }

    /// Closes its tables.
    pub(super) async fn close(&self) {
        self.tables.close().await;
    }
}

/// What the new consumer has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Orders.
    pub(super) orders: i64,
    /// Orders of which it has some events and not all.
    pub(super) partly: i64,
    /// Events of all streams.
    pub(super) events: i64,
    /// Messages that came out of order or could not be taken.
    pub(super) parked: i64,
}

#[async_trait]
impl ConsumerEffect for Witness {
    type Work = Counts;

    fn name(&self) -> &'static str {
        NAME
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        Checkpoint::load(&self.tables, NAME).await.map_err(store)
    }

    async fn standing(&self, asked: &Asked) -> Result<Standing, EffectError> {
        SqlBook::new(self.tables.clone()).standing(asked).await.map_err(store)
    }

    async fn load(&self, events: &[&RecordedEvent]) -> Result<Counts, EffectError> {
        let streams: BTreeSet<String> = events.iter().map(|event| event.stream_id.as_str().to_owned()).collect();
        let streams: Vec<String> = streams.into_iter().collect();
        let known: Vec<(String, i64)> = self.tables.fetch_by_keys(&SELECT, &streams).await.map_err(store)?;
        Ok(Counts { events: known.into_iter().collect(), touched: BTreeSet::new() })
    }

    fn apply(&self, counts: &mut Counts, event: &RecordedEvent) -> Result<(), Inapplicable> {
        let stream_id = event.stream_id.as_str();
        let seen = counts.events.get(stream_id).copied().unwrap_or_default();
        if i64::try_from(event.revision) != Ok(seen) {
            return Err(Inapplicable(format!("{seen} events of {stream_id} are here, and the one of revision {} comes", event.revision)));
        }
        counts.events.insert(stream_id.to_owned(), seen + 1);
        counts.touched.insert(stream_id.to_owned());
        Ok(())
    }

    async fn commit(&self, counts: Counts, change: &BookChange) -> Result<Checkpoint, EffectError> {
        let mut transaction = self.tables.begin().await.map_err(store)?;
        let moved = change.write(&mut transaction, NAME).await.map_err(|error| match error {
            AdvanceError::Overtaken => EffectError::Overtaken,
            AdvanceError::Database(error) => store(error),
        })?;
        let rows = counts.events.iter().filter(|(stream_id, _)| counts.touched.contains(*stream_id));
        let rows: Vec<_> = rows.map(|(stream_id, events)| values![stream_id, *events]).collect();
        UPSERT.apply(&mut transaction, &rows).await.map_err(store)?;
        transaction.commit().await.map_err(store)?;
        Ok(moved)
    }
}

fn store(error: DatabaseError) -> EffectError {
    EffectError::Store(error.into())
}
