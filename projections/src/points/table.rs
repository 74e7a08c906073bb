use std::collections::BTreeMap;

use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{PointEntryRow, Points, PointsOfOrder};
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};
use crate::{ConsumerProjector, StoreError};

pub(crate) static TABLE: TablePair = table_pair!("point_entry_view", key "entry_id", by "order_id", [
    "order_id", "buyer_id", "cause", "points", "entered_at", "position",
]);

impl TableRow for PointEntryRow {
    fn key(&self) -> &str {
        &self.entry_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![row.entry_id, row.order_id, row.buyer_id, row.cause, row.points, row.entered_at, row.position]
    }
}

#[async_trait]
impl SqlView for Points {
    const REBUILD_NAME: &'static str = <Self as ConsumerProjector>::REBUILD_NAME;

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 1] = [&TABLE];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, PointsOfOrder)>, StoreError> {
        let entries: Vec<PointEntryRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        let (given, taken): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.cause == "payment");
        let of_order = |given: PointEntryRow| (given.order_id.clone(), PointsOfOrder { given, taken: None });
        let mut loaded: BTreeMap<String, PointsOfOrder> = given.into_iter().map(of_order).collect();
        for entry in taken {
            let Some(of_order) = loaded.get_mut(&entry.order_id) else {
                return Err(StoreError::Damaged { table: "point_entry_view", key: entry.entry_id, column: "cause" });
            };
            of_order.taken = Some(entry);
        }
        Ok(loaded.into_iter().collect())
    }

    async fn write(
        transaction: &mut Transaction,
        side: Side,
        rows: &[(String, PointsOfOrder)],
        after: Position,
    ) -> Result<(), DatabaseError> {
        let entries = rows.iter().flat_map(|(_, row)| [Some(&row.given), row.taken.as_ref()]).flatten();
        let changed: Vec<_> = entries.filter(|entry| entry.position > after.as_i64()).map(TableRow::values).collect();
        TABLE.side(side).upsert.apply(transaction, &changed).await
    }
}
