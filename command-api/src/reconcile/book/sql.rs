use std::collections::BTreeSet;

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
fn day(row: Row) -> Option<StatementDay> {
    let (day, text) = parts(row)?;
    let Some(text) = text else { return Some(day) };
    let result = Some(row::read(day.wallet, day.date, &text)?);
    Some(StatementDay { result, ..day })
}

/// The same for whoever compares the day once more: an earlier result that cannot be read does not hold that up.
fn due_day(row: Row) -> Option<StatementDay> {
    let (day, text) = parts(row)?;
    let result = text.and_then(|text| row::read(day.wallet, day.date, &text));
    Some(StatementDay { result, ..day })
}

/// The day without its result, and the text of that.
fn parts((wallet, date, state, tries, next_at, word, result, looked_at): Row) -> Option<(StatementDay, Option<String>)> {
    let day = StatementDay {
        wallet: Wallet::parse(&wallet)?,
        date: date.parse().ok()?,
        state: DayState::parse(&state)?,
        tries: u32::try_from(tries).ok()?,
        next_at: next_at.map(|at| at.0),
        word,
        result: None,
        looked_at: looked_at.0,
    };
    Some((day, result))
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
    async fn oldest(&self, wallet: Wallet) -> Result<Option<NaiveDate>, DatabaseError> {
        let sql = "select statement_date from statement_day where wallet = $1 order by statement_date limit 1";
        let oldest: Option<(String,)> = self.database.fetch_optional(sql, values![wallet.as_str()]).await?;
        Ok(oldest.and_then(|(date,)| date.parse().ok()))
    }

    async fn kept_since(&self, wallet: Wallet, from: NaiveDate) -> Result<BTreeSet<NaiveDate>, DatabaseError> {
        let sql = "select statement_date from statement_day where wallet = $1 and statement_date >= $2";
        let kept: Vec<(String,)> = self.database.fetch_all(sql, values![wallet.as_str(), from.to_string()]).await?;
        Ok(kept.into_iter().filter_map(|(date,)| date.parse().ok()).collect())
    }

    async fn begin(&self, day: StatementDay) -> Result<(), DatabaseError> {
        let sql = "insert into statement_day (wallet, statement_date, state, tries, next_at, word, result, looked_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (wallet, statement_date) do nothing";
        self.database.execute(sql, columns(&day)).await.map(drop)
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<StatementDay>, DatabaseError> {
        // What cannot be read must not stand before the others, who would wait for it for ever.
        let sql = days!(
            "where state = 'open' and next_at <= $1 and wallet in ($3, $4, $5) order by statement_date, wallet desc limit cast($2 as bigint)"
        );
        let [alipay, wechat, wechat_v2] = Wallet::ALL.map(Wallet::as_str);
        let rows: Vec<Row> = self.database.fetch_all(sql, values![now, i64::from(limit), alipay, wechat, wechat_v2]).await?;
        Ok(rows.into_iter().filter_map(due_day).collect())
    }

    async fn replace_open(&self, day: StatementDay, as_read: &StatementDay) -> Result<bool, DatabaseError> {
        let sql = "update statement_day set state = $3, tries = $4, next_at = $5, word = $6, result = $7, looked_at = $8
            where wallet = $1 and statement_date = $2 and state = 'open' and tries = $9 and looked_at = $10";
        let values = columns(&day).into_iter().chain(values![i64::from(as_read.tries), as_read.looked_at]).collect();
        self.database.execute(sql, values).await.map(|kept| kept > 0)
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
        let first = || ("9999-12-31".to_owned(), String::new());
        let (mut date, mut wallet) = after.map_or_else(first, |(date, wallet)| (date.to_string(), wallet.as_str().to_owned()));
        let sql = days!(
            "where (statement_date < $1 or (statement_date = $1 and wallet > $2)) and ($3 = '' or state = $3)
            order by statement_date desc, wallet limit cast($4 as bigint)"
        );
        let state = state.map_or("", DayState::as_str);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut days = Vec::new();
        // Rows that are left out do not end the page: those behind them fill it.
        loop {
            let lacking = i64::try_from(limit - days.len()).unwrap_or(i64::MAX);
            let rows: Vec<Row> = self.database.fetch_all(sql, values![date, wallet, state, lacking]).await?;
            let Some((last_wallet, last_date, ..)) = rows.last() else { return Ok(days) };
            (date, wallet) = (last_date.clone(), last_wallet.clone());
            days.extend(rows.into_iter().filter_map(day));
            if days.len() >= limit {
                return Ok(days);
            }
        }
    }
}
