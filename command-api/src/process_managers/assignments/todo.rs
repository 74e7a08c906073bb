//! The to-do list of unmatched money on which an operator has decided. It is made from the log and may be thrown away at any
//! time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{Database, Time, values};
use event_store::{Position, StreamId};
use followers::{Checkpoint, Overtaken};

use super::NAME;
use crate::process_managers::TodoError;

/// Money on which an operator has decided, or of which something followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedAssignment {
    /// The money's stream.
    pub stream_id: StreamId,
    /// The position of the newest event.
    pub position: Position,
    /// When that was recorded.
    pub touched_at: DateTime<Utc>,
    /// When to look at it, at the latest.
    pub look_at: DateTime<Utc>,
}

/// Money to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueAssignment {
    /// The money's stream.
    pub stream_id: StreamId,
    /// The position of the newest event that the list knows of it.
    pub position: Position,
    /// When that was recorded.
    pub touched_at: DateTime<Utc>,
}

/// What a look at such money led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedAssignment {
    /// The money's stream.
    pub stream_id: StreamId,
    /// The newest event that the list knew when it was looked at: if another has come since, it is looked at again.
    pub position: Position,
    /// When to look next; `None` where nothing is left to be done.
    pub next_at: Option<DateTime<Utc>>,
}

/// The list, with how far in the log it has come.
#[async_trait]
pub trait AssignmentTodo: Send + Sync {
    /// How far in the log the list has come.
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError>;

    /// Puts money on the list, or forward in it, and moves its checkpoint on, both or neither.
    async fn advance(&self, from: Checkpoint, to: Position, touched: &[TouchedAssignment]) -> Result<(), TodoError>;

    /// What is to be looked at by `now`, what waits longest first, at most `limit`.
    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueAssignment>, TodoError>;

    /// Puts what was looked at where it belongs, all or none.
    async fn looked(&self, looked: &[LookedAssignment]) -> Result<(), TodoError>;
}

/// The list in the views database.
pub struct SqlAssignmentTodo {
    database: Database,
}

impl SqlAssignmentTodo {
    /// The list in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AssignmentTodo for SqlAssignmentTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        Ok(Checkpoint::load(&self.database, NAME).await?)
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[TouchedAssignment]) -> Result<(), TodoError> {
        if touched.is_empty() {
            from.advance_alone(&self.database, NAME, to).await?;
            return Ok(());
        }
        let mut transaction = self.database.begin_with_first().await?;
        from.advance(&mut transaction, NAME, to).await?;
        for money in touched {
            let sql = "insert into unfinished_assignment (stream_id, position, touched_at, next_at) values ($1, $2, $3, $4)
                on conflict (stream_id) do update set position = excluded.position, touched_at = excluded.touched_at,
                next_at = case when excluded.next_at < unfinished_assignment.next_at
                    then excluded.next_at else unfinished_assignment.next_at end";
            let row = values![money.stream_id.as_str(), money.position.as_i64(), money.touched_at, money.look_at];
            transaction.execute(sql, row).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueAssignment>, TodoError> {
        let sql = "select stream_id, position, touched_at from unfinished_assignment where next_at <= $1
            order by next_at, stream_id limit cast($2 as bigint)";
        let rows: Vec<(String, i64, Time)> = self.database.fetch_all(sql, values![now, limit]).await?;
        rows.into_iter()
            .map(|(name, position, touched_at)| {
                let parsed = StreamId::parse(&name).zip(Position::new(position));
                let (stream_id, position) = parsed.ok_or(TodoError::Damaged(name))?;
                Ok(DueAssignment { stream_id, position, touched_at: touched_at.0 })
            })
            .collect()
    }

    async fn looked(&self, looked: &[LookedAssignment]) -> Result<(), TodoError> {
        if looked.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin_with_first().await?;
        for look in looked {
            let (stream_id, position) = (look.stream_id.as_str(), look.position.as_i64());
            match look.next_at {
                None => {
                    let sql = "delete from unfinished_assignment where stream_id = $1 and position = $2";
                    transaction.execute(sql, values![stream_id, position]).await?
                }
                Some(next_at) => {
                    let sql = "update unfinished_assignment set next_at = $3 where stream_id = $1 and position = $2";
                    transaction.execute(sql, values![stream_id, position, next_at]).await?
                }
            };
        }
        Ok(transaction.commit().await?)
    }
}

/// Money of the list in memory.
#[derive(Clone, Debug)]
struct Entry {
    due: DueAssignment,
    next_at: DateTime<Utc>,
}

/// The list in memory, for the simulation and for tests.
#[derive(Debug)]
pub struct MemoryAssignmentTodo {
    inner: Mutex<(Checkpoint, BTreeMap<StreamId, Entry>)>,
}

impl Default for MemoryAssignmentTodo {
    fn default() -> Self {
        Self { inner: Mutex::new((Checkpoint::FIRST, BTreeMap::new())) }
    }
}

#[async_trait]
impl AssignmentTodo for MemoryAssignmentTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[TouchedAssignment]) -> Result<(), TodoError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        from.advance_in_memory(&mut inner.0, to).map_err(|Overtaken| TodoError::Overtaken)?;
        for money in touched {
            let next_at = inner.1.get(&money.stream_id).map_or(money.look_at, |kept| kept.next_at.min(money.look_at));
            let due = DueAssignment { stream_id: money.stream_id.clone(), position: money.position, touched_at: money.touched_at };
            inner.1.insert(money.stream_id.clone(), Entry { due, next_at });
        }
        Ok(())
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueAssignment>, TodoError> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due: Vec<&Entry> = inner.1.values().filter(|entry| entry.next_at <= now).collect();
        due.sort_by_key(|entry| (entry.next_at, entry.due.stream_id.clone()));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due.into_iter().map(|entry| entry.due.clone()).collect())
    }

    async fn looked(&self, looked: &[LookedAssignment]) -> Result<(), TodoError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for look in looked {
            let Some(entry) = inner.1.get_mut(&look.stream_id).filter(|entry| entry.due.position == look.position) else { continue };
            match look.next_at {
                Some(next_at) => entry.next_at = next_at,
                None => drop(inner.1.remove(&look.stream_id)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
