//! The to-do list of attempts without an outcome. It is made from the log and may be thrown away at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Migration, Time, values};
use domain::PayNo;
use event_store::Position;
use followers::{AdvanceError, Checkpoint, Overtaken};
use uuid::Uuid;

/// An attempt whose intent is on the log and whose outcome is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TodoItem {
    /// The attempt.
    pub pay_no: PayNo,
    /// The event that recorded the intent.
    pub issued_event_id: Uuid,
    /// When.
    pub issued_at: DateTime<Utc>,
}

/// What an event does to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TodoChange {
    /// An intent was recorded.
    Add(TodoItem),
    /// The attempt has an outcome.
    Remove(PayNo),
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
    #[error("the list holds {0:?}, which is no pay number")]
    Damaged(String),
}

/// The list, with how far in the log it has come.
#[async_trait]
pub trait AttemptTodo: Send + Sync {
    /// How far in the log the list has come.
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError>;

    /// Changes the list and moves its checkpoint on, both or neither.
    async fn advance(&self, from: Checkpoint, to: Position, changes: &[TodoChange]) -> Result<(), TodoError>;

    /// The items whose intent was recorded at or before `until`, oldest first, at most `limit`.
    async fn due(&self, until: DateTime<Utc>, limit: u32) -> Result<Vec<TodoItem>, TodoError>;
}

/// The table of the list, in the views area.
pub const UNFINISHED_ATTEMPT_MIGRATION: Migration = Migration {
    version: 2,
    name: "unfinished_attempt",
    sqlite: include_str!("../../../migrations/views/sqlite/0002_unfinished_attempt.sql"),
    postgres: include_str!("../../../migrations/views/postgres/0002_unfinished_attempt.sql"),
};

const NAME: &str = "unfinished_attempts";

/// The list in the views database.
pub struct SqlAttemptTodo {
    database: Database,
}

impl SqlAttemptTodo {
    /// The list in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AttemptTodo for SqlAttemptTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        Ok(Checkpoint::load(&self.database, NAME).await?)
    }

    async fn advance(&self, from: Checkpoint, to: Position, changes: &[TodoChange]) -> Result<(), TodoError> {
        let mut transaction = self.database.begin().await?;
        // Most attempts have their outcome in the page that has their intent.
        for (pay_no, item) in net(changes) {
            let key = pay_no.to_string();
            match item {
                Some(item) => {
                    let sql = "insert into unfinished_attempt (pay_no, issued_event_id, issued_at) values ($1, $2, $3) on conflict (pay_no) do nothing";
                    transaction.execute(sql, values![key, item.issued_event_id.to_string(), item.issued_at]).await?;
                }
                None => {
                    transaction.execute("delete from unfinished_attempt where pay_no = $1", values![key]).await?;
                }
            }
        }
        from.advance(&mut transaction, NAME, to).await.map_err(|error| match error {
            AdvanceError::Overtaken => TodoError::Overtaken,
            AdvanceError::Database(error) => TodoError::Database(error),
        })?;
        Ok(transaction.commit().await?)
    }

    async fn due(&self, until: DateTime<Utc>, limit: u32) -> Result<Vec<TodoItem>, TodoError> {
        let sql =
            "select pay_no, issued_event_id, issued_at from unfinished_attempt where issued_at <= $1 order by issued_at, pay_no limit $2";
        let rows: Vec<(String, String, Time)> = self.database.fetch_all(sql, values![until, limit]).await?;
        rows.into_iter()
            .map(|(pay_no, event_id, issued_at)| {
                let parsed = pay_no.parse().ok().zip(Uuid::parse_str(&event_id).ok());
                let (number, issued_event_id) = parsed.ok_or(TodoError::Damaged(pay_no))?;
                Ok(TodoItem { pay_no: number, issued_event_id, issued_at: issued_at.0 })
            })
            .collect()
    }
}

/// The last word on each attempt; an item that is added and removed again leaves a removal, in case it was there before.
fn net(changes: &[TodoChange]) -> BTreeMap<PayNo, Option<&TodoItem>> {
    let mut net = BTreeMap::new();
    let mut added = BTreeSet::new();
    for change in changes {
        match change {
            TodoChange::Add(item) => {
                added.insert(item.pay_no);
                net.insert(item.pay_no, Some(item));
            }
            // Added in this very page: the table never saw it.
            TodoChange::Remove(pay_no) if added.contains(pay_no) => {
                net.remove(pay_no);
            }
            TodoChange::Remove(pay_no) => {
                net.insert(*pay_no, None);
            }
        }
    }
    net
}

/// The list in memory, for the simulation and for tests.
#[derive(Debug)]
pub struct MemoryAttemptTodo {
    inner: Mutex<(Checkpoint, BTreeMap<PayNo, TodoItem>)>,
}

impl Default for MemoryAttemptTodo {
    fn default() -> Self {
        Self { inner: Mutex::new((Checkpoint::FIRST, BTreeMap::new())) }
    }
}

#[async_trait]
impl AttemptTodo for MemoryAttemptTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    async fn advance(&self, from: Checkpoint, to: Position, changes: &[TodoChange]) -> Result<(), TodoError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        from.advance_in_memory(&mut inner.0, to).map_err(|Overtaken| TodoError::Overtaken)?;
        for (pay_no, item) in net(changes) {
            match item {
                Some(item) => inner.1.insert(pay_no, item.clone()),
                None => inner.1.remove(&pay_no),
            };
        }
        Ok(())
    }

    async fn due(&self, until: DateTime<Utc>, limit: u32) -> Result<Vec<TodoItem>, TodoError> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due: Vec<TodoItem> = inner.1.values().filter(|item| item.issued_at <= until).cloned().collect();
        due.sort_by_key(|item| (item.issued_at, item.pay_no));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due)
    }
}

#[cfg(test)]
mod tests;
