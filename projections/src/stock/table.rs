use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{StockRow, Stocks};
use crate::StoreError;
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};

pub(crate) static TABLE: TablePair =
    table_pair!("stock_view", key "sku_id", by "sku_id", ["on_hand", "reserved", "sold", "revision", "position"]);

impl TableRow for StockRow {
    fn key(&self) -> &str {
        &self.sku_id
    }

    fn values(&self) -> Vec<Value> {
        values![self.sku_id.clone(), self.on_hand, self.reserved, self.sold, self.revision, self.position]
    }
}

#[async_trait]
impl SqlView for Stocks {
    const REBUILD_NAME: &'static str = "stock:rebuild";

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 1] = [&TABLE];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, StockRow)>, StoreError> {
        let rows: Vec<StockRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        Ok(rows.into_iter().map(|row| (row.sku_id.clone(), row)).collect())
    }

    async fn write(transaction: &mut Transaction, side: Side, rows: &[(String, StockRow)], after: Position) -> Result<(), DatabaseError> {
        let changed = rows.iter().map(|(_, row)| row).filter(|row| row.position > after.as_i64());
        let rows: Vec<_> = changed.map(TableRow::values).collect();
        TABLE.side(side).upsert.apply(transaction, &rows).await
    }
}
