use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

const ADVANCE: &str = "update follower_checkpoint set position = $4 where name = $1 and generation = $2 and position = $3";

/// How far a follower has come, and of which making its tables are. It is stored beside what it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Rises when a rebuild replaces the tables, so that a worker of the earlier ones notices. From 1.
    pub generation: i64,
    /// Everything up to here is in the tables.
    pub position: Position,
}

/// Another worker has moved the checkpoint, or a rebuild has replaced the tables: nothing of the page may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another worker has moved the checkpoint")]
pub struct Overtaken;

/// Why a checkpoint was not moved.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceError {
    /// See [`Overtaken`]; the transaction is to be rolled back.
    #[error("another worker has moved the checkpoint")]
    Overtaken,
    /// The database did not do it.
    #[error("the checkpoint cannot be moved")]
    Database(#[from] DatabaseError),
}

impl Checkpoint {
    /// Before the first event, in tables that were never rebuilt.
    pub const FIRST: Self = Self { generation: 1, position: Position::START };

    /// The checkpoint of the follower `name` in the table `follower_checkpoint`; [`Self::FIRST`] where it has none yet.
    pub async fn load(database: &Database, name: &str) -> Result<Self, DatabaseError> {
        let sql = "select generation, position from follower_checkpoint where name = $1";
        let stored: Option<(i64, i64)> = database.fetch_optional(sql, values![name]).await?;
        Ok(stored.map_or(Self::FIRST, |(generation, position)| Self {
            generation,
            position: Position::new(position).unwrap_or(Position::START),
        }))
    }

    /// Moves the stored checkpoint of `name` from this one to `to`, within the transaction that writes the effect.
    ///
    /// Call it before the effect's own writes: it takes the lock for which a second worker and the end of a rebuild wait.
    pub async fn advance(self, transaction: &mut Transaction, name: &str, to: Position) -> Result<Self, AdvanceError> {
        if self == Self::FIRST {
            let sql = "insert into follower_checkpoint (name, generation, position) values ($1, $2, $3) on conflict (name) do nothing";
            transaction.execute(sql, values![name, self.generation, self.position.as_i64()]).await?;
        }
        self.moved(transaction.execute(ADVANCE, self.advance_values(name, to)).await?, to)
    }

    /// As [`Self::advance`] where nothing else is to be written: mostly one statement, without a transaction around it.
    pub async fn advance_alone(self, database: &Database, name: &str, to: Position) -> Result<Self, AdvanceError> {
        if self != Self::FIRST {
            return self.moved(database.execute(ADVANCE, self.advance_values(name, to)).await?, to);
        }
        let mut transaction = database.begin_with_first().await?;
        let moved = self.advance(&mut transaction, name, to).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    fn advance_values(self, name: &str, to: Position) -> Vec<Value> {
        values![name, self.generation, self.position.as_i64(), to.as_i64()]
    }

    fn moved(self, rows: u64, to: Position) -> Result<Self, AdvanceError> {
        if rows == 0 { Err(AdvanceError::Overtaken) } else { Ok(Self { position: to, ..self }) }
    }

    /// The same for a checkpoint in memory: moves `stored` from this one to `to`. Errors: [`Overtaken`], and `stored` stays.
    pub fn advance_in_memory(self, stored: &mut Self, to: Position) -> Result<Self, Overtaken> {
        if *stored != self {
            return Err(Overtaken);
        }
        *stored = Self { position: to, ..self };
        Ok(*stored)
    }
}

#[cfg(test)]
mod tests;
