//! The to-do list of orders of which something is unfinished. It is made from the log and may be thrown away at any time;
//! then channels are asked once more than they had to be.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Migration, Time, Transaction, values};
use domain::OrderId;
use event_store::Position;
use followers::{AdvanceError, Checkpoint, FollowerError, Overtaken};

use crate::held::Held;

/// An order of which something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The order.
    pub order_id: OrderId,
    /// The position of the newest event.
    pub position: Position,
    /// When that was recorded.
    pub touched_at: DateTime<Utc>,
    /// When to look at it, at the latest.
    pub look_at: DateTime<Utc>,
    /// What is held for it, where the event says so.
    pub reserved: Vec<Held>,
}

/// An order to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueOrder {
    /// The order.
    pub order_id: OrderId,
    /// The position of the newest event that the list knows of it.
    pub position: Position,
    /// When that was recorded.
    pub touched_at: DateTime<Utc>,
    /// When its channels were asked last, and the newest event that was known then.
    pub asked: Option<(DateTime<Utc>, Position)>,
    /// What was held for it, in case that it was never made.
    pub reserved: Vec<Held>,
}

/// What a look at an order led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The order.
    pub order_id: OrderId,
    /// The newest event that the list knew when it was looked at: if another has come since, it is looked at again.
    pub position: Position,
    /// When to look next; `None` where nothing is left to be done.
    pub next_at: Option<DateTime<Utc>>,
    /// When its channels were asked last, and the newest event that was known then.
    pub asked: Option<(DateTime<Utc>, Position)>,
}

/// Why the list was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TodoError {
    /// Another process moved the list on.
    #[error("another process has moved the list on")]
    Overtaken,
    /// Its table failed.
    #[error("the list's table failed")]
    Database(#[from] DatabaseError),
    /// What it holds is not what was written.
    #[error("the list holds {0:?}, which cannot be read")]
    Damaged(String),
}

impl From<TodoError> for FollowerError {
    fn from(error: TodoError) -> Self {
        match error {
            TodoError::Overtaken => Self::Overtaken,
            other => Self::Work(Box::new(other)),
        }
    }
}

impl From<AdvanceError> for TodoError {
    fn from(error: AdvanceError) -> Self {
        match error {
            AdvanceError::Overtaken => Self::Overtaken,
            AdvanceError::Database(error) => Self::Database(error),
        }
    }
}

/// The list, with how far in the log it has come.
#[async_trait]
pub trait OrderTodo: Send + Sync {
    /// How far in the log the list has come.
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError>;

    /// Puts orders on the list, or forward in it, and moves its checkpoint on, both or neither.
    async fn advance(&self, from: Checkpoint, to: Position, touched: &[Touched]) -> Result<(), TodoError>;

    /// The orders to look at by `now`, those that wait longest first, at most `limit`.
    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueOrder>, TodoError>;

    /// Puts orders that were looked at where they belong, all or none.
    async fn looked(&self, looked: &[Looked]) -> Result<(), TodoError>;
}

/// The tables of the lists, steps of the views area. The first one's table was the list of attempts without an outcome, which
/// the second one's holds too; the third one's is that of unmatched money on which an operator has decided.
pub const TODO_MIGRATIONS: [Migration; 3] = [
    Migration {
        version: 2,
        name: "unfinished_attempt",
        sqlite: include_str!("../../../migrations/views/sqlite/0002_unfinished_attempt.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0002_unfinished_attempt.sql"),
    },
    Migration {
        version: 4,
        name: "unfinished_order",
        sqlite: include_str!("../../../migrations/views/sqlite/0004_unfinished_order.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0004_unfinished_order.sql"),
    },
    Migration {
        version: 8,
        name: "unfinished_assignment",
        sqlite: include_str!("../../../migrations/views/sqlite/0008_unfinished_assignment.sql"),
        postgres: include_str!("../../../migrations/views/postgres/0008_unfinished_assignment.sql"),
    },
];

const NAME: &str = "order_upkeep";

/// The list in the views database.
pub struct SqlOrderTodo {
    database: Database,
}

impl SqlOrderTodo {
    /// The list in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl OrderTodo for SqlOrderTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        Ok(Checkpoint::load(&self.database, NAME).await?)
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[Touched]) -> Result<(), TodoError> {
        if touched.is_empty() {
            from.advance_alone(&self.database, NAME, to).await?;
            return Ok(());
        }
        let mut transaction = self.database.begin_with_first().await?;
        from.advance(&mut transaction, NAME, to).await?;
        for order in merged(touched).values() {
            let sql = "insert into unfinished_order (order_id, position, touched_at, next_at, reserved) values ($1, $2, $3, $4, $5)
                on conflict (order_id) do update set position = excluded.position, touched_at = excluded.touched_at,
                reserved = case when excluded.reserved = '' then unfinished_order.reserved
                    else trim(unfinished_order.reserved || ' ' || excluded.reserved) end,
                next_at = case when excluded.next_at < unfinished_order.next_at then excluded.next_at else unfinished_order.next_at end";
            let row =
                values![order.order_id.to_string(), order.position.as_i64(), order.touched_at, order.look_at, joined(&order.reserved)];
            transaction.execute(sql, row).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueOrder>, TodoError> {
        let sql = "select order_id, position, touched_at, asked_at, asked_position, reserved from unfinished_order where next_at <= $1
            order by next_at, order_id limit cast($2 as bigint)";
        let rows: Vec<(String, i64, Time, Option<Time>, Option<i64>, String)> = self.database.fetch_all(sql, values![now, limit]).await?;
        rows.into_iter()
            .map(|(order_id, position, touched_at, asked_at, asked_position, reserved)| {
                let parsed = order_id.parse().ok().zip(Position::new(position)).zip(split(&reserved));
                let ((number, position), reserved) = parsed.ok_or(TodoError::Damaged(order_id))?;
                let asked = asked_at.map(|at| at.0).zip(asked_position.and_then(Position::new));
                Ok(DueOrder { order_id: number, position, touched_at: touched_at.0, asked, reserved })
            })
            .collect()
    }

    async fn looked(&self, looked: &[Looked]) -> Result<(), TodoError> {
        if looked.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin_with_first().await?;
        for look in looked {
            put(&mut transaction, look).await?;
        }
        Ok(transaction.commit().await?)
    }
}

async fn put(transaction: &mut Transaction, look: &Looked) -> Result<(), TodoError> {
    let (order_id, position) = (look.order_id.to_string(), look.position.as_i64());
    let (asked_at, asked_position) = look.asked.map(|(at, position)| (at, position.as_i64())).unzip();
    let moved = match look.next_at {
        None => {
            let sql = "delete from unfinished_order where order_id = $1 and position = $2";
            transaction.execute(sql, values![order_id.clone(), position]).await?
        }
        Some(next_at) => {
            let sql = "update unfinished_order set next_at = $3, asked_at = $4, asked_position = $5
                where order_id = $1 and position = $2";
            transaction.execute(sql, values![order_id.clone(), position, next_at, asked_at, asked_position]).await?
        }
    };
    if moved == 0 {
        // Something has happened to it since: only what was asked is kept.
        let sql = "update unfinished_order set asked_at = $2, asked_position = $3 where order_id = $1";
        transaction.execute(sql, values![order_id, asked_at, asked_position]).await?;
    }
    Ok(())
}

/// Ids have no blank in them.
fn joined(reserved: &[Held]) -> String {
    reserved.iter().map(Held::to_string).collect::<Vec<_>>().join(" ")
}

fn split(reserved: &str) -> Option<Vec<Held>> {
    let mut held: Vec<Held> = reserved.split_whitespace().map(Held::parse).collect::<Option<_>>()?;
    held.sort_unstable();
    held.dedup();
    Some(held)
}

/// What either names, once.
fn either(earlier: Vec<Held>, later: Vec<Held>) -> Vec<Held> {
    let mut held = [earlier, later].concat();
    held.sort_unstable();
    held.dedup();
    held
}

/// The last word on each order, to be looked at when the earliest asks for it.
fn merged(touched: &[Touched]) -> BTreeMap<OrderId, Touched> {
    let mut merged: BTreeMap<OrderId, Touched> = BTreeMap::new();
    for order in touched {
        let earlier = merged.remove(&order.order_id);
        let look_at = earlier.as_ref().map_or(order.look_at, |earlier| earlier.look_at.min(order.look_at));
        let reserved = either(earlier.map_or_else(Vec::new, |earlier| earlier.reserved), order.reserved.clone());
        merged.insert(order.order_id, Touched { look_at, reserved, ..order.clone() });
    }
    merged
}

/// An order of the list in memory.
#[derive(Clone, Debug)]
struct Entry {
    due: DueOrder,
    next_at: DateTime<Utc>,
}

/// The list in memory, for the simulation and for tests.
#[derive(Debug)]
pub struct MemoryOrderTodo {
    inner: Mutex<(Checkpoint, BTreeMap<OrderId, Entry>)>,
}

impl Default for MemoryOrderTodo {
    fn default() -> Self {
        Self { inner: Mutex::new((Checkpoint::FIRST, BTreeMap::new())) }
    }
}

#[async_trait]
impl OrderTodo for MemoryOrderTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[Touched]) -> Result<(), TodoError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        from.advance_in_memory(&mut inner.0, to).map_err(|Overtaken| TodoError::Overtaken)?;
        for (order_id, touched) in merged(touched) {
            let kept = inner.1.remove(&order_id);
            let next_at = kept.as_ref().map_or(touched.look_at, |kept| kept.next_at.min(touched.look_at));
            let asked = kept.as_ref().and_then(|kept| kept.due.asked);
            let reserved = either(kept.map_or_else(Vec::new, |kept| kept.due.reserved), touched.reserved);
            let due = DueOrder { order_id, position: touched.position, touched_at: touched.touched_at, asked, reserved };
            inner.1.insert(order_id, Entry { due, next_at });
        }
        Ok(())
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueOrder>, TodoError> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due: Vec<&Entry> = inner.1.values().filter(|entry| entry.next_at <= now).collect();
        due.sort_by_key(|entry| (entry.next_at, entry.due.order_id));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due.into_iter().map(|entry| entry.due.clone()).collect())
    }

    async fn looked(&self, looked: &[Looked]) -> Result<(), TodoError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for look in looked {
            let Some(entry) = inner.1.get_mut(&look.order_id) else { continue };
            entry.due.asked = look.asked;
            match look.next_at {
                _ if entry.due.position != look.position => {}
                Some(next_at) => entry.next_at = next_at,
                None => drop(inner.1.remove(&look.order_id)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
