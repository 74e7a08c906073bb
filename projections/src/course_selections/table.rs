use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Time, Transaction, Value, values};
use domain::course_selection::{Charge, CourseSelected, SelectionStatus};
use domain::{BuyerId, Currency, MinorUnits, ProductId, SelectionId};
use event_store::Position;

use super::{CourseSelections, CourseTableRow, Opened, SelectionRow};
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};
use crate::{ConsumerProjector, StoreError};

pub(crate) static TABLE: TablePair = table_pair!("course_selection_view", key "selection_id", by "selection_id", [
    "buyer_id", "course_id", "title", "charge", "price_amount", "currency", "price_version", "starts_at", "valid_days", "status",
    "order_id", "opened_at", "ends_at", "selected_at", "revision", "position",
]);

pub(crate) static TABLE_OF_COURSES: TablePair = table_pair!("course_table_view", key "selection_id", by "selection_id", [
    "buyer_id", "course_id", "title", "order_id", "opened_at", "starts_at", "ends_at", "position",
]);

/// A row of `course_selection_view`, column by column.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct SelectionColumns {
    selection_id: String,
    buyer_id: String,
    course_id: String,
    title: String,
    charge: String,
    price_amount: i64,
    currency: String,
    price_version: i64,
    starts_at: Option<Time>,
    valid_days: Option<i64>,
    status: String,
    order_id: Option<String>,
    opened_at: Option<Time>,
    ends_at: Option<Time>,
    selected_at: Time,
    revision: i64,
    position: i64,
}

impl From<&SelectionRow> for SelectionColumns {
    fn from(row: &SelectionRow) -> Self {
        let selected = &row.selected;
        let opened_at = row.opened.as_ref().map(|opened| opened.opened_at);
        // Whether its time is over is asked by the reader, who knows the time: what is opened and was not given back is active
        // here.
        let status = match (row.refunded_at, opened_at) {
            (Some(_), _) => SelectionStatus::Ended,
            (None, Some(_)) => SelectionStatus::Active,
            (None, None) => SelectionStatus::Unpaid,
        };
        let end_of_time = opened_at.and_then(|opened_at| selected.open_period(opened_at).1);
        Self {
            selection_id: selected.selection_id.to_string(),
            buyer_id: selected.buyer_id.as_str().to_owned(),
            course_id: selected.course_id.as_str().to_owned(),
            title: selected.title.clone(),
            charge: charge_word(selected.charge).to_owned(),
            price_amount: selected.price_amount.as_i64(),
            currency: selected.currency.code().to_owned(),
            price_version: selected.price_version,
            starts_at: selected.starts_at.map(Time::from),
            valid_days: selected.valid_days.map(i64::from),
            status: status.as_str().to_owned(),
            order_id: row.opened.as_ref().and_then(|opened| opened.order_id.clone()),
            opened_at: opened_at.map(Time::from),
            ends_at: row.refunded_at.or(end_of_time).map(Time::from),
            selected_at: selected.selected_at.into(),
            revision: row.revision,
            position: row.position,
        }
    }
}

impl TryFrom<SelectionColumns> for SelectionRow {
    type Error = StoreError;

    fn try_from(columns: SelectionColumns) -> Result<Self, StoreError> {
        let key = columns.selection_id.clone();
        let damaged = |column: &'static str| StoreError::Damaged { table: "course_selection_view", key: key.clone(), column };
        let selected = CourseSelected {
            selection_id: SelectionId::parse(&columns.selection_id).map_err(|_| damaged("selection_id"))?,
            buyer_id: BuyerId::parse(&columns.buyer_id).map_err(|_| damaged("buyer_id"))?,
            course_id: ProductId::parse(&columns.course_id).map_err(|_| damaged("course_id"))?,
            title: columns.title,
            charge: parse_charge(&columns.charge).ok_or_else(|| damaged("charge"))?,
            price_amount: MinorUnits::new(columns.price_amount).map_err(|_| damaged("price_amount"))?,
            currency: Currency::parse(&columns.currency).map_err(|_| damaged("currency"))?,
            price_version: columns.price_version,
            starts_at: columns.starts_at.map(DateTime::<Utc>::from),
            valid_days: columns.valid_days.map(u32::try_from).transpose().map_err(|_| damaged("valid_days"))?,
            selected_at: columns.selected_at.into(),
        };
        let opened = columns.opened_at.map(|opened_at| Opened { order_id: columns.order_id, opened_at: opened_at.into() });
        let ended_by_refund = columns.status == SelectionStatus::Ended.as_str();
        let refunded_at = columns.ends_at.filter(|_| ended_by_refund).map(DateTime::<Utc>::from);
        if ended_by_refund && refunded_at.is_none() {
            return Err(damaged("ends_at"));
        }
        Ok(Self { selected, opened, refunded_at, revision: columns.revision, position: columns.position })
    }
}

fn charge_word(charge: Charge) -> &'static str {
    match charge {
        Charge::Free => "free",
        Charge::Paid => "paid",
    }
}

fn parse_charge(word: &str) -> Option<Charge> {
    [Charge::Free, Charge::Paid].into_iter().find(|charge| charge_word(*charge) == word)
}

impl TableRow for SelectionColumns {
    fn key(&self) -> &str {
        &self.selection_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.selection_id,
            row.buyer_id,
            row.course_id,
            row.title,
            row.charge,
            row.price_amount,
            row.currency,
            row.price_version,
            row.starts_at,
            row.valid_days,
            row.status,
            row.order_id,
            row.opened_at,
            row.ends_at,
            row.selected_at,
            row.revision,
            row.position,
        ]
    }
}

impl TableRow for CourseTableRow {
    fn key(&self) -> &str {
        &self.selection_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.selection_id,
            row.buyer_id,
            row.course_id,
            row.title,
            row.order_id,
            row.opened_at,
            row.starts_at,
            row.ends_at,
            row.position,
        ]
    }
}

#[async_trait]
impl SqlView for CourseSelections {
    const REBUILD_NAME: &'static str = <Self as ConsumerProjector>::REBUILD_NAME;

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 2] = [&TABLE, &TABLE_OF_COURSES];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, SelectionRow)>, StoreError> {
        let rows: Vec<SelectionColumns> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        rows.into_iter().map(|columns| Ok((columns.selection_id.clone(), columns.try_into()?))).collect()
    }

    async fn write(
        transaction: &mut Transaction,
        side: Side,
        rows: &[(String, SelectionRow)],
        after: Position,
    ) -> Result<(), DatabaseError> {
        let changed: Vec<_> = rows.iter().map(|(_, row)| row).filter(|row| row.position > after.as_i64()).collect();
        let selections: Vec<_> = changed.iter().map(|row| SelectionColumns::from(*row).values()).collect();
        let courses: Vec<_> = changed.iter().filter_map(|row| row.course_table_row()).map(|row| row.values()).collect();
        TABLE.side(side).upsert.apply(transaction, &selections).await?;
        let courses_of = TABLE_OF_COURSES.side(side);
        courses_of.upsert.apply(transaction, &courses).await?;
        for row in changed.iter().filter(|row| row.refunded_at.is_some()) {
            transaction.execute(courses_of.remove, values![row.selected.selection_id.to_string()]).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl SelectionColumns {
    /// Copies of the row, each with a column that no version of this program writes.
    pub(super) fn each_damaged(&self) -> Vec<(&'static str, Self)> {
        let row = || self.clone();
        vec![
            ("selection_id", Self { selection_id: "0".to_owned(), ..row() }),
            ("buyer_id", Self { buyer_id: String::new(), ..row() }),
            ("course_id", Self { course_id: "a b".to_owned(), ..row() }),
            ("charge", Self { charge: "later".to_owned(), ..row() }),
            ("price_amount", Self { price_amount: -1, ..row() }),
            ("currency", Self { currency: "XXX".to_owned(), ..row() }),
            ("valid_days", Self { valid_days: Some(-1), ..row() }),
            ("ends_at", Self { status: "ended".to_owned(), ends_at: None, ..row() }),
        ]
    }
}
