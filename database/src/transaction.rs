use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Either, Executor, Postgres, SqlStr};

use crate::first;
use crate::pool::in_time;
use crate::sqlite::Writing;
use crate::value::arguments;
use crate::{Backend, DatabaseError, Row, Value};

/// Statements that happen all or not at all. Dropped without [`Transaction::commit`], it is rolled back.
///
/// After a statement that failed, or whose future was dropped, every further call answers
/// [`DatabaseError::TransactionFailed`], on both databases alike: Postgres would silently roll back at the commit, SQLite
/// would commit the rest.
#[derive(Debug)]
pub struct Transaction {
    begun: Begun,
    failed: bool,
}

#[derive(Debug)]
enum Begun {
    Sqlite {
        writing: Writing,
        /// Whether the first statement is still to begin it.
        begins: bool,
    },
    Postgres {
        transaction: sqlx::Transaction<'static, Postgres>,
        patience: Duration,
    },
}

impl Transaction {
    pub(crate) fn sqlite(writing: Writing) -> Self {
        Self { begun: Begun::Sqlite { writing, begins: false }, failed: false }
    }

    /// One that its first statement begins.
    pub(crate) fn sqlite_with_first(writing: Writing) -> Self {
        Self { begun: Begun::Sqlite { writing, begins: true }, failed: false }
    }

    pub(crate) fn postgres(transaction: sqlx::Transaction<'static, Postgres>, patience: Duration) -> Self {
        Self { begun: Begun::Postgres { transaction, patience }, failed: false }
    }

    /// Which database is beneath.
    pub fn backend(&self) -> Backend {
        match self.begun {
            Begun::Sqlite { .. } => Backend::Sqlite,
            Begun::Postgres { .. } => Backend::Postgres,
        }
    }

    /// All rows of a statement.
    pub async fn fetch_all<T: Row>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>, DatabaseError> {
        self.fetch_text(SqlStr::from_static(sql), values).await
    }

    /// The only row of a statement, or none; of several the first.
    pub async fn fetch_optional<T: Row>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Option<T>, DatabaseError> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }

    /// The only row of a statement. Errors: [`DatabaseError::NoRow`] where there is none; the transaction goes on.
    pub async fn fetch_one<T: Row>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<T, DatabaseError> {
        self.fetch_optional(sql, values).await?.ok_or(DatabaseError::NoRow)
    }

    /// Does a statement; answers how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, DatabaseError> {
        self.execute_text(SqlStr::from_static(sql), values).await
    }

    /// Makes it durable. Errors: [`DatabaseError::TransactionFailed`] and nothing is written; with
    /// [`DatabaseError::Unavailable`] nobody knows whether it was; with any other error it was not.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed);
        }
        match self.begun {
            // Without a statement there is nothing to commit.
            Begun::Sqlite { begins: true, .. } => Ok(()),
            Begun::Sqlite { writing, .. } => Ok(writing.commit().await?),
            Begun::Postgres { transaction, patience } => in_time(patience, async { Ok(transaction.commit().await?) }).await,
        }
    }

    /// Undoes it now and waits for that, where a drop would leave it to later.
    pub async fn rollback(self) -> Result<(), DatabaseError> {
        match self.begun {
            Begun::Sqlite { writing, .. } => Ok(writing.rollback().await?),
            Begun::Postgres { transaction, patience } => in_time(patience, async { Ok(transaction.rollback().await?) }).await,
        }
    }

    pub(crate) async fn fetch_text<T: Row>(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<Vec<T>, DatabaseError> {
        self.enter()?;
        let rows = match &mut self.begun {
            Begun::Sqlite { writing, begins } => {
                let arguments = arguments::<SqliteArguments>(values)?;
                let query = sqlx::query_as_with::<_, T, _>(beginning(sql, writing, begins), arguments);
                query.fetch_all(writing.connection()?).await?
            }
            Begun::Postgres { transaction, patience } => {
                let query = sqlx::query_as_with::<_, T, _>(sql, arguments::<PgArguments>(values)?);
                in_time(*patience, async { Ok(query.fetch_all(&mut **transaction).await?) }).await?
            }
        };
        self.failed = false;
        Ok(rows)
    }

    pub(crate) async fn execute_text(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<u64, DatabaseError> {
        self.enter()?;
        let touched = match &mut self.begun {
            Begun::Sqlite { writing, begins } => {
                let arguments = arguments::<SqliteArguments>(values)?;
                let query = sqlx::query_with(beginning(sql, writing, begins), arguments);
                let mut steps = writing.connection()?.fetch_many(query);
                let mut touched = 0;
                // The last counts: for a `begin` SQLite repeats what the statement before it touched.
                while let Some(step) = steps.try_next().await? {
                    touched = if let Either::Left(done) = step { done.rows_affected() } else { touched };
                }
                touched
            }
            Begun::Postgres { transaction, patience } => {
                let query = sqlx::query_with(sql, arguments::<PgArguments>(values)?);
                in_time(*patience, async { Ok(query.execute(&mut **transaction).await?.rows_affected()) }).await?
            }
        };
        self.failed = false;
        Ok(touched)
    }

    /// Does several statements at once, without values. It is not bounded in time, because a migration may take long.
    pub(crate) async fn execute_script(&mut self, script: SqlStr) -> Result<(), DatabaseError> {
        self.enter()?;
        match &mut self.begun {
            Begun::Sqlite { writing, begins } => {
                if std::mem::take(begins) {
                    writing.begin().await?;
                }
                sqlx::raw_sql(script).execute(writing.connection()?).await.map(drop)?;
            }
            Begun::Postgres { transaction, .. } => sqlx::raw_sql(script).execute(&mut **transaction).await.map(drop)?,
        }
        self.failed = false;
        Ok(())
    }

    /// Counts the statement as failed until it is done, so that a dropped future counts as failed too.
    fn enter(&mut self) -> Result<(), DatabaseError> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed);
        }
        self.failed = true;
        Ok(())
    }
}

/// The statement, with what begins the transaction before it where that is still to be done.
fn beginning(sql: SqlStr, writing: &mut Writing, begins: &mut bool) -> SqlStr {
    if !std::mem::take(begins) {
        return sql;
    }
    writing.will_begin();
    first::with_begin(&sql)
}
