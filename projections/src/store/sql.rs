use std::marker::PhantomData;

use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction};
use event_store::Position;
use followers::{Asked, BookChange, Checkpoint, SqlBook, Standing};

use super::{ConsumerStore, StoreError, ViewStore};
use crate::Projector;
use crate::table::TablePair;

/// Which of a view's tables: those that queries read, or their twins that a rebuild fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Live,
    Rebuild,
}

/// How a projector's rows lie in tables.
#[async_trait]
pub(crate) trait SqlView: Projector {
    /// The name of the checkpoint while the tables are made again.
    const REBUILD_NAME: &'static str;

    /// Its tables, in the order in which a rebuild exchanges them.
    fn tables() -> &'static [&'static TablePair];

    /// The rows of these keys.
    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, Self::Row)>, StoreError>;

    /// Writes what of the rows lies behind `after`; the rest is in the tables already.
    async fn write(transaction: &mut Transaction, side: Side, rows: &[(String, Self::Row)], after: Position) -> Result<(), DatabaseError>;

    /// The name of the checkpoint.
    fn checkpoint_name(side: Side) -> &'static str {
        match side {
            Side::Live => Self::NAME,
            Side::Rebuild => Self::REBUILD_NAME,
        }
    }
}

/// A view's rows in the tables of the area `Views`.
#[derive(Clone, Debug)]
pub struct SqlViewStore<P> {
    database: Database,
    side: Side,
    view: PhantomData<fn() -> P>,
}

impl<P> SqlViewStore<P> {
    /// The tables that queries read.
    pub fn new(database: Database) -> Self {
        Self { database, side: Side::Live, view: PhantomData }
    }

    /// Their twins that a rebuild fills.
    pub(crate) fn rebuilding(database: Database) -> Self {
        Self { database, side: Side::Rebuild, view: PhantomData }
    }
}

#[async_trait]
impl<P: SqlView> ViewStore<P::Row> for SqlViewStore<P> {
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        Ok(Checkpoint::load(&self.database, P::checkpoint_name(self.side)).await?)
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<(String, P::Row)>, StoreError> {
        P::load(&self.database, self.side, keys).await
    }

    async fn commit(&self, rows: Vec<(String, P::Row)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError> {
        if rows.is_empty() {
            return Ok(from.advance_alone(&self.database, P::checkpoint_name(self.side), to).await?);
        }
        let mut transaction = self.database.begin_with_first().await?;
        let moved = from.advance(&mut transaction, P::checkpoint_name(self.side), to).await?;
        P::write(&mut transaction, self.side, &rows, from.position).await?;
        transaction.commit().await?;
        Ok(moved)
    }
}

#[async_trait]
impl<P: SqlView> ConsumerStore<P::Row> for SqlViewStore<P> {
    async fn standing(&self, asked: &Asked) -> Result<Standing, StoreError> {
        Ok(SqlBook::new(self.database.clone()).standing(asked).await?)
    }

    async fn commit_with(&self, rows: Vec<(String, P::Row)>, change: &BookChange) -> Result<Checkpoint, StoreError> {
        if let Some(to) = change.to.filter(|_| rows.is_empty() && change.marks.is_empty() && change.parked.is_empty()) {
            return Ok(change.from.advance_alone(&self.database, P::checkpoint_name(self.side), to).await?);
        }
        let mut transaction = self.database.begin_with_first().await?;
        let moved = change.write(&mut transaction, P::checkpoint_name(self.side)).await?;
        // What was parked is taken long after later events: every row that was touched is written.
        P::write(&mut transaction, self.side, &rows, Position::START).await?;
        transaction.commit().await?;
        Ok(moved)
    }
}
