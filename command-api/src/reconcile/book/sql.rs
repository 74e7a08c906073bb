use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use database::{Database, DatabaseError, Time, values};

use super::{DayState, StatementBook, StatementDay, row};
use crate::wallet::Wallet;

/// The book in the state database.
pub struct SqlStatementBook {
    database: Database,
}

impl SqlStatementBook {
    /// The book in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

type Row = (String, String, String, i64, Option<Time>, Option<String>, Option<String>, Time);

macro_rules! days {
    ($which:literal) => {
        concat!("select wallet, statement_date, state, tries, next_at, word, result, looked_at from statement_day ", $which)
    };
}

/// A row that a newer version wrote and this one cannot read is left out.
fn day((wallet, date, state, tries, next_at, word, result, looked_at): Row) -> Option<StatementDay> {
    let (wallet, date) = (Wallet::parse(&wallet)?, date.parse().ok()?);
    Some(StatementDay {
        wallet,
        date,
        state: DayState::parse(&state)?,
        tries: u32::try_from(tries).ok()?,
        next_at: next_at.map(|at| at.0),
        word,
        result: match result {
            Some(text) => Some(row::read(wallet, date, &text)?),
            None => None,
        },
        looked_at: looked_at.0,
    })
}

fn columns(day: &StatementDay) -> Vec<database::Value> {
    values![
        day.wallet.as_str(),
        day.date.to_string(),
        day.state.as_str(),
        i64::from(day.tries),
        day.next_at,
        day.word.clone(),
        day.result.as_ref().map(row::written),
        day.looked_at
    ]
}

#[async_trait]
impl StatementBook for SqlStatementBook {
    async fn newest(&self, wallet: Wallet) -> Result<Option<NaiveDate>, DatabaseError> {
        let sql = "select statement_date from statement_day where wallet = $1 order by statement_date desc limit 1";
        let newest: Option<(String,)> = self.database.fetch_optional(sql, values![wallet.as_str()]).await?;
        Ok(newest.and_then(|(date,)| date.parse().ok()))
    }

    async fn begin(&self, day: StatementDay) -> Result<(), DatabaseError> {
        let sql = "insert into statement_day (wallet, statement_date, state, tries, next_at, word, result, looked_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (wallet, statement_date) do nothing";
        self.database.execute(sql, columns(&day)).await.map(drop)
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<StatementDay>, DatabaseError> {
        let sql = days!("where state = 'open' and next_at <= $1 order by statement_date, wallet desc limit $2");
        let rows: Vec<Row> = self.database.fetch_all(sql, values![now, i64::from(limit)]).await?;
        Ok(rows.into_iter().filter_map(day).collect())
    }

    async fn put(&self, day: StatementDay) -> Result<(), DatabaseError> {
        let sql = "insert into statement_day (wallet, statement_date, state, tries, next_at, word, result, looked_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (wallet, statement_date) do update set state = excluded.state,
            tries = excluded.tries, next_at = excluded.next_at, word = excluded.word, result = excluded.result,
            looked_at = excluded.looked_at";
        self.database.execute(sql, columns(&day)).await.map(drop)
    }

    async fn page(
        &self,
        state: Option<DayState>,
        after: Option<(NaiveDate, Wallet)>,
        limit: u32,
    ) -> Result<Vec<StatementDay>, DatabaseError> {
        // Behind the last day that can be written so.
        let (date, wallet) = after.map_or_else(|| ("9999-12-31".to_owned(), ""), |(date, wallet)| (date.to_string(), wallet.as_str()));
        let sql = days!(
            "where (statement_date < $1 or (statement_date = $1 and wallet > $2)) and ($3 = '' or state = $3)
            order by statement_date desc, wallet limit $4"
        );
        let state = state.map_or("", DayState::as_str);
        let rows: Vec<Row> = self.database.fetch_all(sql, values![date, wallet, state, i64::from(limit)]).await?;
        Ok(rows.into_iter().filter_map(day).collect())
    }
}
