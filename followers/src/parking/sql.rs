use std::collections::{BTreeMap, BTreeSet};

use database::{Backend, Database, DatabaseError, KeyedSelect, Transaction, values};
use event_store::Position;

use super::row::{INSERT, ParkedRow, insert_values, parked_columns};
use super::{Asked, BookChange, Mark, ParkedChange, ParkedMessage, ParkedState, Standing, queue_of};
use crate::{AdvanceError, Checkpoint};

static MARKS: KeyedSelect = KeyedSelect::new("select mark_id, position from consumer_mark where mark_id", "order by mark_id");

static QUEUES: KeyedSelect =
    KeyedSelect::new(concat!("select ", parked_columns!(), " from parked_message where queue"), "order by queue, position");

/// The marks and parked messages of consumers, in the area `Views`.
#[derive(Clone, Debug)]
pub struct SqlBook {
    views: Database,
}

impl SqlBook {
    /// The tables of the step `consumers` of the area `Views`.
    pub fn new(views: Database) -> Self {
        Self { views }
    }

    /// Where a consumer stands.
    pub async fn standing(&self, asked: &Asked) -> Result<Standing, DatabaseError> {
        let mut standing = Standing { marks: self.marks(asked.consumer, &asked.subjects).await?, ..Standing::default() };
        let sql = "select count(*) from parked_message where consumer in ($1, $2)";
        let (kept,): (i64,) = self.views.fetch_one(sql, values![asked.consumer, asked.skipped_for]).await?;
        standing.kept = kept.unsigned_abs();
        // Mostly there is none, and nothing further to be asked.
        if kept == 0 {
            return Ok(standing);
        }
        let sql = "select stream_id from parked_message where consumer = $1 and state = 'waiting' and retry_at <= $2 \
             and (part = $3 or $3 = '') order by retry_at limit cast($4 as bigint)";
        let part = asked.part.clone().unwrap_or_default();
        let due: Vec<(String,)> = self.views.fetch_all(sql, values![asked.consumer, asked.now, part, asked.most_due]).await?;
        standing.due = due.into_iter().map(|(stream_id,)| stream_id).collect();
        self.fill_queues(asked, &mut standing).await?;
        Ok(standing)
    }

    /// How far a consumer has come on these subjects; one on which it has not begun is left out.
    pub async fn marks(&self, consumer: &str, subjects: &BTreeSet<String>) -> Result<BTreeMap<String, Position>, DatabaseError> {
        let ids: Vec<String> = subjects.iter().map(|subject| queue_of(consumer, subject)).collect();
        let rows: Vec<(String, i64)> = self.views.fetch_by_keys(&MARKS, &ids).await?;
        let found = rows.into_iter().filter_map(|(id, position)| {
            let subject = id.split_once(' ')?.1.to_owned();
            Some((subject, Position::new(position)?))
        });
        Ok(found.collect())
    }

    async fn fill_queues(&self, asked: &Asked, standing: &mut Standing) -> Result<(), DatabaseError> {
        let streams: BTreeSet<&String> = asked.streams.iter().chain(&standing.due).collect();
        let names: BTreeSet<&str> = [asked.consumer, asked.skipped_for].into();
        let keys = names.iter().flat_map(|name| streams.iter().map(|stream_id| queue_of(name, stream_id)));
        let rows: Vec<ParkedRow> = self.views.fetch_by_keys(&QUEUES, &keys.collect::<Vec<_>>()).await?;
        for row in rows {
            let message = row.read().map_err(|column| DatabaseError::Unfit(format!("a parked message is damaged: {column}")))?;
            if message.state == ParkedState::Skipped {
                standing.skipped.insert(message.event.event_id);
            } else if message.consumer == asked.consumer {
                standing.queues.entry(message.event.stream_id.as_str().to_owned()).or_default().push(message);
            }
        }
        Ok(())
    }
}

impl BookChange {
    /// Writes the change in the transaction that writes the effect; `checkpoint_name` is where the checkpoint lies.
    ///
    /// Call it before the effect's own writes: it takes the locks for which a second worker and the end of a rebuild wait.
    pub async fn write(&self, transaction: &mut Transaction, checkpoint_name: &str) -> Result<Checkpoint, AdvanceError> {
        let moved = if let Some(to) = self.to {
            self.from.advance(transaction, checkpoint_name, to).await?
        } else {
            hold_generation(transaction, checkpoint_name, self.from.generation).await?;
            self.from
        };
        for mark in &self.marks {
            step(transaction, self.consumer, mark).await?;
        }
        for change in &self.parked {
            alter(transaction, change).await?;
        }
        Ok(moved)
    }
}

/// Sees to it that no rebuild replaces the tables before the transaction ends. SQLite has one writer at a time anyway.
async fn hold_generation(transaction: &mut Transaction, name: &str, generation: i64) -> Result<(), AdvanceError> {
    let sql = match transaction.backend() {
        Backend::Sqlite => "select generation from follower_checkpoint where name = $1",
        Backend::Postgres => "select generation from follower_checkpoint where name = $1 for share",
    };
    // A row to hold must be there.
    let first = "insert into follower_checkpoint (name, generation, position) values ($1, $2, 0) on conflict (name) do nothing";
    let mut found: Option<(i64,)> = transaction.fetch_optional(sql, values![name]).await?;
    if found.is_none() {
        transaction.execute(first, values![name, Checkpoint::FIRST.generation]).await?;
        found = transaction.fetch_optional(sql, values![name]).await?;
    }
    if found == Some((generation,)) { Ok(()) } else { Err(AdvanceError::Overtaken) }
}

async fn step(transaction: &mut Transaction, consumer: &str, mark: &Mark) -> Result<(), AdvanceError> {
    let (id, to) = (queue_of(consumer, &mark.subject), mark.to.as_i64());
    let touched = match mark.from {
        None => {
            let sql = "insert into consumer_mark (mark_id, consumer, position) values ($1, $2, $3) on conflict (mark_id) do nothing";
            transaction.execute(sql, values![id, consumer, to]).await?
        }
        Some(from) => {
            let sql = "update consumer_mark set position = $2 where mark_id = $1 and position = $3";
            transaction.execute(sql, values![id, to, from.as_i64()]).await?
        }
    };
    if touched == 0 { Err(AdvanceError::Overtaken) } else { Ok(()) }
}

async fn alter(transaction: &mut Transaction, change: &ParkedChange) -> Result<(), AdvanceError> {
    let touched = match change {
        ParkedChange::Park(message) => transaction.execute(INSERT, insert_values(message)).await?,
        ParkedChange::Change { before: (state, tries), after } => {
            let ParkedMessage { parked_id, state: now, tries: tries_now, reason, retry_at, .. } = after.as_ref();
            let sql = "update parked_message set state = $4, tries = $5, reason = $6, retry_at = $7 \
                 where parked_id = $1 and state = $2 and tries = $3";
            let values = values![parked_id, state.as_str(), *tries, now.as_str(), *tries_now, reason, *retry_at];
            transaction.execute(sql, values).await?
        }
        ParkedChange::Hold { parked_id, before: (state, tries) } => {
            let sql = "update parked_message set tries = tries where parked_id = $1 and state = $2 and tries = $3";
            transaction.execute(sql, values![parked_id, state.as_str(), *tries]).await?
        }
        ParkedChange::Release { parked_id, before: (state, tries) } => {
            let sql = "delete from parked_message where parked_id = $1 and state = $2 and tries = $3";
            transaction.execute(sql, values![parked_id, state.as_str(), *tries]).await?
        }
    };
    if touched == 0 { Err(AdvanceError::Overtaken) } else { Ok(()) }
}
